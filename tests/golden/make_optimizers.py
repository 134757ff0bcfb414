#!/usr/bin/env python3
"""Writes tests/golden/data/optimizers.safetensors: what torch.optim and torch.nn.utils.clip_grad_norm_ make of one tensor.

    python3 tests/golden/make_optimizers.py        (made with torch 2.13.0, CPU, and safetensors)

Parameters and gradients are not stored (golden_cases.py: NAME/p, NAME/g1, NAME/g2 and so on). Stored are, of each case of
tests/golden/test_optimizers.c, in both types, and as NAME-f64 in the second:

    NAME/p1, NAME/p2, NAME/p100                        the parameters after so many updates
    NAME/p99, NAME/moment0_99, NAME/moment1_99         what the hundredth began with
    clip-NAME/norm, clip-NAME/g                        the norm before clipping, and the gradients after it
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file

from golden_cases import uniform

FILE = pathlib.Path(__file__).resolve().parent / "data" / "optimizers.safetensors"
COUNT = 67
STEPS = 100

CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd-decay": (torch.optim.SGD, dict(lr=0.1, weight_decay=0.01)),
    "sgd-momentum": (torch.optim.SGD, dict(lr=0.01, momentum=0.9)),
    "sgd-dampening": (torch.optim.SGD, dict(lr=0.02, momentum=0.8, dampening=0.3, weight_decay=0.05)),
    "sgd-nesterov": (torch.optim.SGD, dict(lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.001)),
    "adam": (torch.optim.Adam, dict(lr=1e-3)),
    "adam-decay": (torch.optim.Adam, dict(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "adam-forgetful": (torch.optim.Adam, dict(lr=0.003, betas=(0.3, 0.9))),
    "adamw": (torch.optim.AdamW, dict(lr=1e-3)),
    "adamw-decay": (torch.optim.AdamW, dict(lr=0.02, betas=(0.95, 0.98), eps=1e-4, weight_decay=0.5)),
}
MOMENTS = {torch.optim.SGD: ["momentum_buffer"], torch.optim.Adam: ["exp_avg", "exp_avg_sq"],
           torch.optim.AdamW: ["exp_avg", "exp_avg_sq"]}

# The largest norm, and what is put in place of the first gradient.
CLIPS = {"above": (1000.0, None), "below": (0.25, None), "zero": (0.0, None), "infinite": (1.0, np.inf), "nan": (1.0, np.nan)}


def gradient(name, step, dtype):
    """The first element's is always zero; sizes differ from step to step."""
    values = uniform(f"{name}/g{step}", (COUNT,), -(step % 4), dtype)
    values[0] = 0
    return values


def updates(name, kind, options, dtype, out):
    p = torch.from_numpy(uniform(f"{name}/p", (COUNT,), 0, dtype))
    optimizer = kind([p], foreach=False, **options)
    for step in range(1, STEPS + 1):
        p.grad = torch.from_numpy(gradient(name, step, dtype))
        optimizer.step()
        if step in (1, 2, STEPS - 1, STEPS):
            out[f"{name}/p{step}"] = p.detach().numpy().copy()
        if step == STEPS - 1:
            for k, moment in enumerate(MOMENTS[kind]):
                if optimizer.state[p].get(moment) is not None:
                    out[f"{name}/moment{k}_{step}"] = optimizer.state[p][moment].numpy().copy()


def clips(name, max_norm, first, dtype, out):
    g = torch.zeros(COUNT, dtype=torch.float64 if dtype == "f64" else torch.float32)
    g.grad = torch.from_numpy(uniform(f"{name}/g", (COUNT,), 2, dtype))
    if first is not None:
        g.grad[0] = first
    norm = torch.nn.utils.clip_grad_norm_([g], max_norm, foreach=False)
    out[f"{name}/norm"], out[f"{name}/g"] = norm.numpy().copy(), g.grad.numpy().copy()


def main():
    torch.set_num_threads(1)
    out = {}
    for dtype in ("f32", "f64"):
        suffix = "-f64" * (dtype == "f64")
        for name, (kind, options) in CASES.items():
            updates(name + suffix, kind, options, dtype, out)
        for name, (max_norm, first) in CLIPS.items():
            clips("clip-" + name + suffix, max_norm, first, dtype, out)
    save_file(out, FILE)
    FILE.chmod(0o644)
    print(f"{len(out)} tensors, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
