#!/usr/bin/env python3
"""Measures a step of training beside PyTorch's: forward, backward to x and all parameters, and the use of new ones.

    python3 bench/training.py --json training.json
    python3 bench/tables.py training=training.json      # into bench/results and docs/benchmarks.md

It runs in a Python with torch and NumPy, on the package in python/ and the built library, both sides in turns in one
process, a process for each thread count. PyTorch: loss.backward() of nn.LSTM in train mode, gradients in place; ours:
wlstm_trainer_forward and _backward, after a parameter was set, so that weights are packed anew. Both gradients of x are
compared first. A PROBLEM ends in -ragged where its rows have lengths of 1 to seq_len (PyTorch: packed sequences).

Exit status: 0; 1 if gradients differ; 2 for wrong usage."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from peers import ratios, report
from peers.environment import BENCH, machine
from peers.tasks import Problem

ROOT = BENCH.parent
PROBLEMS = ("t10b3i100h20l4", "t63b1i24h32l1-bi", "t150b1i256h256l1", "t150b4i256h256l1", "t150b16i256h256l1",
            "t25b1i512h512l1", "t25b16i512h512l1", "t25b1i1024h1024l1", "t25b4i1024h1024l1", "t100b1i128h128l4",
            "t100b1i256h256l4", "t100b16i256h256l8", "t200b1i80h320l2-bi", "t365b256i32h64l1", "t100b8i256h512l2p128",
            "t100b8i256h256l1-f64", "t150b16i256h256l1-ragged")
MOST_APART = 1e-4  # of the largest gradient of x, both in f32


def both_sides(name: str, threads: int) -> tuple:
    """(ours, PyTorch's): each runs a step and gives its seconds and d_x [T, B, I]"""
    import ctypes
    import numpy as np
    import torch
    import wavelstm
    from wavelstm._library import check, lib

    problem, ragged = Problem.parse(name.removesuffix("-ragged")), name.endswith("-ragged")
    torch.manual_seed(0)
    dtype = torch.float64 if problem.dtype == "f64" else torch.float32
    net = torch.nn.LSTM(problem.input_size, problem.hidden_size, problem.num_layers, bias=problem.bias,
                        proj_size=problem.proj_size, bidirectional=problem.bidirectional, dtype=dtype).train()
    trainer = wavelstm.Trainer(wavelstm.LSTM.from_torch(net), problem.seq_len, problem.batch, threads=threads)
    x = torch.randn(problem.seq_len, problem.batch, problem.input_size, dtype=dtype, requires_grad=True)
    d_out = torch.randn(net(x)[0].shape, dtype=dtype)
    lengths = torch.randint(1, problem.seq_len + 1, (problem.batch,)) if ragged else None
    if ragged:
        lengths[0] = problem.seq_len
    weight = np.ascontiguousarray(net.weight_hh_l0.detach().numpy())
    own_x, own_d_out = x.detach().numpy(), d_out.numpy()
    out, d_x = np.empty_like(own_d_out), np.empty_like(own_x)
    own_lengths = lengths.numpy().astype(np.int64) if ragged else None
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def ours() -> tuple:
        begin = time.perf_counter()
        check(lib.wlstm_trainer_set_parameter(trainer._handle, b"weight_hh_l0", weight.ctypes.data, weight.size))
        check(lib.wlstm_trainer_forward(trainer._handle, problem.seq_len, problem.batch,
                                        own_lengths.ctypes.data if ragged else None, own_x.ctypes.data, None, None,
                                        out.ctypes.data, None, None, 1, ctypes.c_uint64(0), 0, None))
        check(lib.wlstm_trainer_backward(trainer._handle, None, own_d_out.ctypes.data, None, None, d_x.ctypes.data,
                                         None, None, 0))
        return time.perf_counter() - begin, d_x

    def pytorchs() -> tuple:
        net.zero_grad(set_to_none=False)
        x.grad = None
        begin = time.perf_counter()
        if ragged:
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            result, _ = torch.nn.utils.rnn.pad_packed_sequence(net(packed)[0], total_length=problem.seq_len)
        else:
            result, _ = net(x)
        result.backward(d_out)
        return time.perf_counter() - begin, x.grad.numpy()

    return ours, pytorchs


def measure(name: str, threads: int, seconds: float) -> dict:
    """A result as bench/peers.py has them."""
    ours, pytorchs = both_sides(name, threads)
    (_, own), (_, theirs) = ours(), pytorchs()
    apart = abs(own - theirs).max() / abs(theirs).max()
    if not apart <= MOST_APART:
        raise SystemExit(f"training: {name}: d_x of ours and PyTorch's: at most {MOST_APART} apart expected, got {apart}")
    turns = {"wavelstm": [], "pytorch": []}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(turns["pytorch"]) < 3:
        turns["wavelstm"].append(min(ours()[0], ours()[0]))
        turns["pytorch"].append(min(pytorchs()[0], pytorchs()[0]))
    passes = {engine: [taken] for engine, taken in turns.items()}
    return {"problem": name, "threads": threads, "errors": {},
            "engines": [{"engine": engine, "min": min(taken)} for engine, taken in turns.items()],
            **ratios.conclude(passes, "wavelstm")}


def worker(problems: list, threads: int, seconds: float) -> None:
    import torch
    import wavelstm
    torch.set_num_threads(threads)
    versions = {"wavelstm": wavelstm.__version__, "pytorch": torch.__version__.partition("+")[0]}
    results = []
    for name in problems:
        results.append(measure(name, threads, seconds))
        print(f"{name} threads {threads}: {results[-1]['ratio']:.2f}", file=sys.stderr)
    json.dump({"versions": versions, "results": results}, sys.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"as wlstm-bench's ({' '.join(PROBLEMS)})")
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="thread counts (1,2)")
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="of a problem's turns, at least (1)")
    parser.add_argument("--library", type=Path, default=ROOT / "build" / "libwavelstm.so", metavar="F",
                        help="ours (build/libwavelstm.so)")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    problems = options.problems or list(PROBLEMS)
    if options.worker:
        worker(problems, int(options.threads), options.seconds)
        return 0
    run = {"machine": machine(), "versions": {}, "results": []}
    for threads in options.threads.split(","):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "WAVELSTM_LIBRARY": str(options.library.resolve()),
                                    "PYTHONPATH": str(ROOT / "python"), "WLSTM_CACHE": "off"}
        done = subprocess.run([sys.executable, "-B", __file__, "--worker", "--threads", threads,
                               "--seconds", str(options.seconds), *problems], env=environment, stdout=subprocess.PIPE,
                              text=True, check=False)
        if done.returncode != 0:
            return 1 if done.returncode == 1 else 2
        found = json.loads(done.stdout)
        run["versions"] = found["versions"]
        run["results"] += found["results"]
    print(report.results_table(run["results"], ["wavelstm", "pytorch"], run["versions"]) + "\n\n"
          + report.summary(run["results"]))
    if options.json:
        options.json.write_text(json.dumps(run))
    return 0


if __name__ == "__main__":
    sys.exit(main())
