#!/usr/bin/env python3
"""Measures what wavelstm.torch.accelerate makes of whole PyTorch models, and what a call from Python costs above C.

    python3 bench/accelerate.py --resemblyzer WHEEL --json accelerate.json      # four models: inference, a training step
    python3 bench/accelerate.py --overheads --json overheads.json               # an LSTM and an LSTMCell, NumPy and torch
    python3 bench/tables.py accelerate=accelerate.json overheads=overheads.json

It runs in a Python of the built compiled module's kind, with torch and NumPy, on build/: both sides in turns in one
process, a process for each thread count. The models are those of examples/python/accelerate.py, whose results and
parameters after three training steps are compared with PyTorch's first.

Exit status: 0; 1 if results differ; 2 for wrong usage."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import ratios
from peers.environment import BENCH, compile_helper, machine

ROOT = BENCH.parent


def seconds_of(function) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def in_turns(ours, theirs, seconds: float) -> dict:
    """A result's figures from calls of both."""
    turns = {"wavelstm": [], "pytorch": []}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(turns["pytorch"]) < 3:
        for engine, function in (("wavelstm", ours), ("pytorch", theirs)):
            turns[engine].append(min(seconds_of(function) for _ in range(3)))
    return {"errors": {}, "engines": [{"engine": engine, "min": min(taken)} for engine, taken in turns.items()],
            **ratios.conclude({engine: [taken] for engine, taken in turns.items()}, "wavelstm")}


def models(wheel: str | None, threads: int, seconds: float) -> list:
    """Results of each model: inference, and a training step."""
    import copy
    import torch
    import wavelstm.torch

    path = ROOT / "examples" / "python" / "accelerate.py"
    spec = importlib.util.spec_from_file_location("example", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    results = []

    def add(name: str, ours, theirs) -> None:
        results.append({"problem": name, "threads": threads, **in_turns(ours, theirs, seconds)})
        print(f"{name}, threads {threads}: {results[-1]['ratio']:.2f}", file=sys.stderr)

    for name, model, x in example.models_and_inputs(wheel):
        faster = wavelstm.torch.accelerate(copy.deepcopy(model.eval()))
        with torch.inference_mode():
            torch.testing.assert_close(faster(x), model(x))
            add(f"{name}: inference", lambda: faster(x), lambda: model(x))  # noqa: B023
        example.check_training(model, faster, x)
        add(f"{name}: a training step", example.training_step(faster, x), example.training_step(model, x))
    return results


def overheads(seconds: float, folder: str) -> list:
    """Results of a call's seconds in C, and what Python adds."""
    import ctypes
    import numpy as np
    import torch
    import wavelstm.torch
    from wavelstm import _library

    if _library.calls is None:
        raise SystemExit("accelerate: the package with its compiled module expected, got one without; build the tests")
    library = Path(os.environ["WAVELSTM_LIBRARY"])
    helper = ctypes.CDLL(compile_helper(BENCH / "call_cost.c", Path(folder) / "call_cost.so", f"-I{ROOT / 'include'}",
                                        str(library), f"-Wl,-rpath,{library.parent}"))
    results = []
    for kind, theirs, x, states in (
            ("LSTM t5b1i16h16l1", torch.nn.LSTM(16, 16), torch.randn(5, 1, 16), torch.randn(2, 1, 1, 16)),
            ("LSTMCell b1i16h16", torch.nn.LSTMCell(16, 16), torch.randn(1, 16), torch.randn(2, 1, 16))):
        own = getattr(wavelstm, type(theirs).__name__).from_torch(theirs)
        faster = wavelstm.torch.accelerate(theirs)
        tensors = x, tuple(states)
        arrays = x.numpy(), tuple(state.numpy() for state in states)
        places = (np.empty((5, 1, 16), np.float32), tuple(map(np.empty_like, arrays[1])))
        sizes = [places[0]] if kind.startswith("LSTM ") else []
        given = {"out": places if sizes else places[1]}
        in_c = getattr(helper, "lstm_seconds" if sizes else "cell_seconds")
        in_c.restype = ctypes.c_double
        addresses = [ctypes.c_void_p(array.ctypes.data) for array in (arrays[0], *arrays[1], *sizes, *places[1])]
        head = [ctypes.c_void_p(own._handle), *map(ctypes.c_int64, (5, 1) if sizes else (1,))]
        ways = {"NumPy, out=": lambda: own(*arrays, **given), "NumPy": lambda: own(*arrays),  # noqa: B023
                "torch": lambda: own(*tensors), "torch, accelerated": lambda: faster(*tensors)}  # noqa: B023
        with torch.inference_mode():
            for way, call in ways.items():
                least, end = [float("inf")] * 2, time.perf_counter() + seconds
                while time.perf_counter() < end:
                    begin = time.perf_counter()
                    for _ in range(500):
                        call()
                    least[1] = min(least[1], (time.perf_counter() - begin) / 500)
                    least[0] = min(least[0], in_c(ctypes.c_int64(500), *head, *addresses) / 500)
                results.append({"problem": f"{kind}, {way}", "threads": 1, "in_c": least[0], "above": least[1] - least[0]})
                print(f"{results[-1]['problem']}: {1e6 * least[0]:.2f} us in C, {1e6 * results[-1]['above']:.2f} above",
                      file=sys.stderr)
    return results


def worker(options: argparse.Namespace) -> None:
    import torch
    import wavelstm
    torch.set_num_threads(int(options.threads))
    with tempfile.TemporaryDirectory() as folder:
        results = (overheads(options.seconds, folder) if options.overheads
                   else models(options.resemblyzer, int(options.threads), options.seconds))
    versions = {"wavelstm": wavelstm.__version__, "pytorch": torch.__version__.partition("+")[0]}
    json.dump({"versions": versions, "results": results}, sys.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resemblyzer", metavar="WHEEL", help="Resemblyzer-0.1.4-py3-none-any.whl (three models)")
    parser.add_argument("--overheads", action="store_true", help="of calls, instead of the models")
    parser.add_argument("--threads", default="1,2", metavar="LIST", help="thread counts of the models (1,2)")
    parser.add_argument("--seconds", type=float, default=3.0, metavar="S", help="of each one's turns, at least (3)")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="F", help="with its tests built (build)")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options)
        return 0
    run = {"machine": machine(), "versions": {}, "results": []}
    build = options.build.resolve()
    for threads in ["1"] if options.overheads else options.threads.split(","):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "WAVELSTM_LIBRARY": str(build / "libwavelstm.so"),
                                    "PYTHONPATH": str(build / "tests" / "python"), "WLSTM_CACHE": "off"}
        command = [sys.executable, "-B", __file__, "--worker", "--threads", threads, "--seconds", str(options.seconds)]
        command += ["--overheads"] if options.overheads else []
        command += ["--resemblyzer", options.resemblyzer] if options.resemblyzer else []
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            return 1 if done.returncode == 1 else 2
        found = json.loads(done.stdout)
        run["versions"] = found["versions"]
        run["results"] += found["results"]
    if options.json:
        options.json.write_text(json.dumps(run, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
