#!/usr/bin/env python3
"""wlstm-run against PyTorch, on models and inputs made on the spot.

    python3 tests/golden/check_run.py build/bin/wlstm-run

Saves state_dicts with safetensors.torch and inputs as .npy, runs the program, and compares out, h_n and c_n with
torch.testing.assert_close's defaults. One line a case; exit status 1 if any failed. Needs torch, numpy, safetensors.
"""
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

I, H, T, B = 12, 10, 7, 4


def reference(module, x, states, lengths, batch_first):
    """out, h_n, c_n of PyTorch; an LSTMCell is iterated over time."""
    with torch.no_grad():
        if isinstance(module, torch.nn.LSTMCell):
            steps = []
            for x_t in x:
                states = module(x_t, states)
                steps.append(states[0])
            return torch.stack(steps), *states
        if lengths is None:
            out, (h_n, c_n) = module(x, states)
            return out, h_n, c_n
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
        out, (h_n, c_n) = module(packed, states)
        out, _ = rnn.pad_packed_sequence(out, batch_first=batch_first, total_length=T)
        return out, h_n, c_n


def check(program, directory, module, prefix="", unbatched=False, states=False, lengths=False, options=(), stored=None):
    """Runs one case, its inputs stored as that NumPy dtype; raises with the reason if it does not agree."""
    parameter = next(module.parameters())
    batch_first = getattr(module, "batch_first", False)
    shape = (T, I) if unbatched else ((B, T, I) if batch_first else (T, B, I))
    x = torch.randn(shape, dtype=parameter.dtype)
    state_shape, width = () if unbatched else (B,), H
    if isinstance(module, torch.nn.LSTM):
        state_shape = (module.num_layers * (2 if module.bidirectional else 1), *state_shape)
        width = module.proj_size or H
    h_0, c_0 = (torch.randn(*state_shape, w, dtype=parameter.dtype) for w in (width, H))
    lengths = torch.tensor([T, 1, 3, T - 2]) if lengths else None
    if stored is not None and np.dtype(stored).itemsize == 2:  # numbers that float16 has
        x, h_0, c_0 = (tensor.half().to(parameter.dtype) for tensor in (x, h_0, c_0))

    files = {name: str(directory / name) for name in ("m.safetensors", "x", "out", "h0", "c0", "hn", "cn", "lengths")}
    extra = {"bystander.weight": torch.zeros(3)} if prefix else {}
    save_file({prefix + name: p.contiguous() for name, p in module.state_dict().items()} | extra, files["m.safetensors"])
    inputs = {"x": x}
    if states:
        inputs |= {"h0": h_0, "c0": c_0}
    if lengths is not None:
        inputs["lengths"] = lengths
    for name, tensor in inputs.items():
        array = tensor.numpy()
        if stored is not None:
            array = array.astype(stored if name != "lengths" else np.dtype("i4").newbyteorder(np.dtype(stored).byteorder))
        with open(files[name], "wb") as file:  # np.save would add .npy to a path
            np.save(file, array)
    command = [program, "--model", files["m.safetensors"], "--input", files["x"], "--output", files["out"],
               "--hn", files["hn"], "--cn", files["cn"], *options]
    if prefix:
        command += ["--prefix", prefix]
    if batch_first:
        command += ["--batch-first"]
    if states:
        command += ["--h0", files["h0"], "--c0", files["c0"]]
    if lengths is not None:
        command += ["--lengths", files["lengths"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr.strip()}")

    expected = reference(module, x, (h_0, c_0) if states else None, lengths, batch_first)
    for name, tensor in zip(("out", "hn", "cn"), expected):
        actual = torch.from_numpy(np.load(files[name]))
        torch.testing.assert_close(actual, tensor, msg=lambda text, name=name: f"{name}: {text}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_run.py PATH_OF_WLSTM_RUN")
    torch.manual_seed(13)
    warnings.filterwarnings("ignore", message="LSTM with projections")  # only says which code PyTorch takes
    lstm, cell, f64 = torch.nn.LSTM, torch.nn.LSTMCell, torch.float64
    cases = {
        "plain": (lstm(I, H), {}),
        "layers": (lstm(I, H, num_layers=3), {}),
        "states": (lstm(I, H, num_layers=2), {"states": True}),
        "unbatched": (lstm(I, H, num_layers=2), {"unbatched": True}),
        "unbatched states": (lstm(I, H, num_layers=2), {"unbatched": True, "states": True}),
        "no bias": (lstm(I, H, bias=False), {}),
        "prefix": (lstm(I, H, num_layers=2), {"prefix": "encoder.lstm."}),
        "bidirectional": (lstm(I, H, num_layers=2, bidirectional=True), {"states": True}),
        "projection": (lstm(I, H, num_layers=2, proj_size=4), {"states": True}),
        "bidirectional projection": (lstm(I, H, num_layers=2, proj_size=4, bidirectional=True), {"states": True}),
        "lengths": (lstm(I, H, num_layers=2), {"lengths": True, "states": True}),
        "bidirectional lengths": (lstm(I, H, num_layers=2, bidirectional=True), {"lengths": True}),
        "batch first": (lstm(I, H, batch_first=True), {"states": True}),
        "batch first lengths": (lstm(I, H, batch_first=True, bidirectional=True), {"lengths": True}),
        "f64": (lstm(I, H, num_layers=2, dtype=f64), {"states": True}),
        "f64 asked for": (lstm(I, H, bias=False, dtype=f64), {"options": ("--dtype", "f64")}),
        "two threads": (lstm(I, H, num_layers=3), {"options": ("--threads", "2")}),
        "float16 inputs": (lstm(I, H), {"states": True, "lengths": True, "stored": "<f2"}),
        "big-endian float16 inputs": (lstm(I, H, dtype=f64), {"states": True, "lengths": True, "stored": ">f2"}),
        "big-endian float32 inputs": (lstm(I, H), {"states": True, "lengths": True, "stored": ">f4"}),
        "big-endian float64 inputs": (lstm(I, H, dtype=f64), {"states": True, "lengths": True, "stored": ">f8"}),
        "cell": (cell(I, H), {}),
        "cell states": (cell(I, H), {"states": True}),
        "cell no bias f64": (cell(I, H, bias=False, dtype=f64), {}),
    }
    failures = 0
    for name, (module, arguments) in cases.items():
        with tempfile.TemporaryDirectory() as directory:
            try:
                check(sys.argv[1], pathlib.Path(directory), module, **arguments)
                print(f"ok    {name}")
            except (AssertionError, OSError, ValueError) as reason:
                failures += 1
                print(f"FAIL  {name}: {reason}")
    print(f"{len(cases) - failures} of {len(cases)} cases agree with PyTorch {torch.__version__}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
