#!/usr/bin/env python3
"""Writes tests/golden/data/gradients.safetensors: PyTorch's gradients, in float64, of LSTMs of each kind.

    python3 tests/golden/make_gradients.py        (made with torch 2.13.0, CPU, and safetensors)

The loss is the sum of d_out * out, d_h_n * h_n and d_c_n * c_n. Parameters, inputs, d_ and masks are not stored
(golden_cases.py: NAME/x and so on, exact in float32 too). Stored are, of each case of tests/golden/test_gradients.c:

    NAME/d_x, NAME/d_h_0, NAME/d_c_0               of what the case has
    NAME/weight_ih_l0 ...                          as nn.LSTM names its parameters
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from golden_cases import uniform

FILE = pathlib.Path(__file__).resolve().parent / "data" / "gradients.safetensors"


def case(input_size=5, hidden=(7,), proj=0, bias=True, bidirectional=False, steps=6, batch=4, lengths=None, states=False,
         masked=False):
    return locals()


CASES = {
    "one": case(),
    "one-step": case(steps=1, batch=1, states=True),
    "three-layers": case(hidden=(7, 7, 7)),
    "bidirectional": case(hidden=(7, 7), bidirectional=True),
    "projection": case(hidden=(7, 7), proj=3),
    "bidirectional-projection": case(hidden=(7, 7), proj=3, bidirectional=True),
    "no-bias": case(hidden=(7, 7), bias=False),
    "ragged": case(hidden=(7, 7), bidirectional=True, lengths=(5, 1, 6, 3), states=True),
    "states": case(hidden=(7, 7), bidirectional=True, states=True),
    "dropout": case(hidden=(7, 7, 7), masked=True),
    "cells": case(hidden=(7, 4, 9), states=True),
    "all": case(hidden=(7, 7, 7), proj=3, bias=False, bidirectional=True, lengths=(2, 6, 1, 4), states=True, masked=True),
}


def draw(name, what, shape, exponent=0):
    return torch.from_numpy(uniform(f"{name}/{what}", shape, exponent, "f64"))


def layer_of(c, layer, inputs):
    return torch.nn.LSTM(inputs, c["hidden"][layer], bias=c["bias"], bidirectional=c["bidirectional"],
                         proj_size=c["proj"], dtype=torch.float64)


def run_layer(c, module, parameters, x, states):
    """A layer by itself, as nn.LSTM runs it among others."""
    if c["lengths"] is None:
        return torch.func.functional_call(module, parameters, (x, states))
    packed = pack_padded_sequence(x, torch.tensor(c["lengths"]), enforce_sorted=False)
    out, states = torch.func.functional_call(module, parameters, (packed, states))
    return pad_packed_sequence(out, total_length=c["steps"])[0], states


def gradients(name, c):
    steps, batch, directions = c["steps"], c["batch"], 1 + c["bidirectional"]
    given = {"x": draw(name, "x", (steps, batch, c["input_size"])).requires_grad_()}
    widths = [c["proj"] or h for h in c["hidden"]]
    # Where cells are unlike, states are the layers' blocks one after another.
    h_count, c_count = (batch * directions * sum(sizes) for sizes in (widths, c["hidden"]))
    if c["states"]:
        given["h_0"] = draw(name, "h_0", (h_count,)).requires_grad_()
        given["c_0"] = draw(name, "c_0", (c_count,)).requires_grad_()
    parameters, outputs, x, h_at, c_at = {}, [], given["x"], 0, 0
    for layer, hidden in enumerate(c["hidden"]):
        module = layer_of(c, layer, x.shape[2])
        own = {}
        for local, values in module.named_parameters():
            whole = local.replace("_l0", f"_l{layer}")
            own[local] = parameters[whole] = draw(name, whole, tuple(values.shape), -1).requires_grad_()
        states, h_size, c_size = None, directions * batch * widths[layer], directions * batch * hidden
        if c["states"]:
            states = (given["h_0"][h_at:h_at + h_size].reshape(directions, batch, widths[layer]),
                      given["c_0"][c_at:c_at + c_size].reshape(directions, batch, hidden))
        x, last = run_layer(c, module, own, x, states)
        outputs.append(last)
        h_at, c_at = h_at + h_size, c_at + c_size
        if c["masked"] and layer + 1 < len(c["hidden"]):
            x = x * torch.where(draw(name, f"mask{layer}", tuple(x.shape)) < 0, 0.0, 2.0)
    loss = (draw(name, "d_out", tuple(x.shape)) * x).sum()
    if c["states"]:
        loss = loss + (draw(name, "d_h_n", (h_count,)) * torch.cat([h.flatten() for h, _ in outputs])).sum()
        loss = loss + (draw(name, "d_c_n", (c_count,)) * torch.cat([c.flatten() for _, c in outputs])).sum()
    loss.backward()
    result = {f"{name}/d_{what}": values.grad for what, values in given.items()}
    return result | {f"{name}/{what}": values.grad for what, values in parameters.items()}


def check_whole(name, c, result):
    """nn.LSTM itself, where the case is one, has the same gradients."""
    if c["masked"] or len(set(c["hidden"])) > 1:
        return
    layers, directions, hidden = len(c["hidden"]), 1 + c["bidirectional"], c["hidden"][0]
    module = torch.nn.LSTM(c["input_size"], hidden, layers, bias=c["bias"], bidirectional=c["bidirectional"],
                           proj_size=c["proj"], dtype=torch.float64)
    for local, values in module.named_parameters():
        values.data = draw(name, local, tuple(values.shape), -1)
    x, states = draw(name, "x", (c["steps"], c["batch"], c["input_size"])).requires_grad_(), None
    h_shape = (layers * directions, c["batch"], c["proj"] or hidden)
    c_shape = (layers * directions, c["batch"], hidden)
    if c["states"]:
        states = draw(name, "h_0", h_shape).requires_grad_(), draw(name, "c_0", c_shape).requires_grad_()
    if c["lengths"] is None:
        out, last = module(x, states)
    else:
        out, last = module(pack_padded_sequence(x, torch.tensor(c["lengths"]), enforce_sorted=False), states)
        out = pad_packed_sequence(out, total_length=c["steps"])[0]
    loss = (draw(name, "d_out", tuple(out.shape)) * out).sum()
    if c["states"]:
        loss = loss + (draw(name, "d_h_n", h_shape) * last[0]).sum() + (draw(name, "d_c_n", c_shape) * last[1]).sum()
    loss.backward()
    found = {"d_x": x.grad} | {local: values.grad for local, values in module.named_parameters()}
    if c["states"]:
        found |= {"d_h_0": states[0].grad.flatten(), "d_c_0": states[1].grad.flatten()}
    assert len(found) == len(result)
    for what, values in found.items():
        torch.testing.assert_close(values, result[f"{name}/{what}"], rtol=1e-12, atol=1e-14)


def main():
    torch.set_num_threads(1)
    out = {}
    for name, c in CASES.items():
        result = gradients(name, c)
        check_whole(name, c, result)
        out |= result
    save_file({name: np.ascontiguousarray(values.numpy()) for name, values in out.items()}, FILE)
    FILE.chmod(0o644)
    print(f"{len(out)} tensors, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
