#!/usr/bin/env python3
"""Measures what a model's file costs in memory beside other engines: at most while it is loaded, after that, after a
call, and in several processes of one machine that have the same model.

    python3 bench/loads.py --json loads.json
    python3 bench/tables.py loads=loads.json      # into bench/results and docs/benchmarks.md

It runs in the venv of bench/peers.py, on the package in python/ and the built library. Each engine reads the file that
its users have: ours safetensors, PyTorch what torch.save wrote, ONNX Runtime and OpenVINO an ONNX model, in int8 what
quantize_dynamic makes of it; oneDNN's primitive, which has no files, arrays of .npy. One thread a process. Bytes are
those beyond the same process once it has loaded and run a tiny model; of several processes the proportional set sizes
(Pss of smaps_rollup), which count a shared page once, and what is Private in them, which each has to itself. Ours is
there once more as children that one process forks after its first call.

Exit status: 0; 1 if an engine fails; 2 for wrong usage."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.environment import BENCH, default_venv, enter_venv, helper_configs, machine
from peers.report import TITLES, markdown, title

ROOT = BENCH.parent
PROBLEM = "t25b64i2048h2048l1"
# (engine, what it has), in the order of the table.
WAYS = (("wavelstm", "f32"), ("wavelstm", "f32, compact"), ("wavelstm", "bf16 arrays, compact"), ("wavelstm", "int8"),
        ("wavelstm", "int8, compact"), ("pytorch", "f32"), ("onnxruntime", "f32"), ("onnxruntime", "int8"),
        ("openvino", "f32"), ("onednn-system", "f32"), ("onednn-pypi", "f32"))


# ----------------------------------------------------------------------------------------------------------- processes


def rollup(pid: int) -> dict:
    """{"pss": bytes, "own": bytes} of a process now."""
    found = {"pss": 0, "own": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        key, _, rest = line.partition(":")
        if key in ("Pss", "Private_Clean", "Private_Dirty"):
            found["pss" if key == "Pss" else "own"] += int(rest.split()[0]) * 1024
    return found


class Process:
    def __init__(self, options: argparse.Namespace, engine: str, has: str, config: dict):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "WAVELSTM_LIBRARY": str(options.library.resolve()),
                                    "WLSTM_CACHE": "off",
                                    "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(BENCH)])}
        arguments = [options.problem, engine, has, str(options.directory), json.dumps(config)]
        self.process = subprocess.Popen([sys.executable, "-B", "-m", "peers.loading", *arguments], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"exit status {self.process.wait()}")
        return json.loads(line)

    def ask(self, word: str) -> dict:
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def beyond(pids: list, before: list) -> dict:
    """What these have together beyond what some had before."""
    now = [rollup(pid) for pid in pids]
    return {key: sum(one[key] for one in now) - sum(one[key] for one in before) for key in ("pss", "own")}


def measure(options: argparse.Namespace, engine: str, has: str, config: dict) -> dict:
    processes = [Process(options, engine, has, config) for _ in range(options.processes)]
    before = [rollup(process.pid) for process in processes]
    found = {}
    for process in processes:  # all have the same to say
        found = process.ask("load") | process.ask("call")
    found["together"] = beyond([process.pid for process in processes], before)
    for process in processes:
        process.stop()
    if engine == "wavelstm":
        process = Process(options, engine, has, config)
        before = [rollup(process.pid)]
        process.ask("load")
        process.ask("call")
        children = process.ask(str(options.processes))["children"]
        found["forked"] = beyond([process.pid, *children], before)
        process.stop()
    return found


# --------------------------------------------------------------------------------------------------------------- table


def table(results: list, versions: dict) -> str:
    """MB; in brackets, of a process's, how many times the f32 parameters that is."""
    count, parameters = results[0]["processes"], results[0]["least"]
    header = ["engine", "has", "most while loading", "after loading", "after a call", f"{count} processes",
              "of that unshared", f"{count} forked children"]

    def megabytes(size: float) -> str:
        return f"{size / 1e6:.0f}"

    rows = []
    for result in results:
        resident = result["resident"]
        rows.append([title(result["engine"], versions), result["has"],
                     *(f"{megabytes(resident[key])} ({resident[key] / parameters:.2f})"
                       for key in ("loading", "loaded", "called")),
                     megabytes(resident["together"]["pss"]), megabytes(resident["together"]["own"]),
                     megabytes(resident["forked"]["pss"]) if "forked" in resident else "-"])
    return (f"{results[0]['problem']}, whose f32 parameters are {megabytes(parameters)} MB:\n\n"
            + markdown(header, rows))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", nargs="?", default=PROBLEM, metavar="PROBLEM",
                        help=f"of one layer and one direction ({PROBLEM})")
    parser.add_argument("--processes", type=int, default=8, metavar="N", help="that have the model at once (8)")
    parser.add_argument("--library", type=Path, default=ROOT / "build" / "libwavelstm.so", metavar="F",
                        help="ours (build/libwavelstm.so)")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    parser.add_argument("--venv", type=Path, help=f"where the peers live, made if missing ({default_venv()})")
    options = parser.parse_args()
    enter_venv(options.venv or default_venv(), options.venv is not None)
    from peers import loading, workers
    from peers.tasks import Problem
    try:
        p = Problem.parse(options.problem)
    except ValueError as error:
        parser.error(str(error))
    if p.num_layers != 1 or p.bidirectional or p.proj_size or not p.bias or p.dtype != "f32" or p.precision != "full":
        parser.error(f"a problem of one layer and direction with biases in f32 expected, got {options.problem}")
    if options.processes < 1:
        parser.error("--processes: at least 1 expected")
    results, failed = [], False
    with tempfile.TemporaryDirectory(prefix="wavelstm-loads-") as directory:
        options.directory = Path(directory)
        configs, absent = helper_configs(list(loading.LOADERS), options.directory, options.library)
        for config in configs.values():
            config["precisions"] = ["full"]
        started, versions, not_started = workers.start_workers(configs, 1)
        for one in started:
            one.stop()
        for name in (options.problem, loading.TINY):
            loading.write_files(name, options.directory)
        for engine, has in WAYS:
            if engine not in versions:
                continue
            print(f"{TITLES[engine]}, {has}", file=sys.stderr)
            try:
                resident = measure(options, engine, has, configs[engine])
            except RuntimeError as error:
                print(f"loads: {TITLES[engine]}, {has}: {error}", file=sys.stderr)
                failed = True
                continue
            results.append({"problem": options.problem, "processes": options.processes, "engine": engine, "has": has,
                            "least": 4 * 4 * p.hidden_size * (p.input_size + p.hidden_size + 2), "resident": resident})
    for engine, why in (absent | not_started).items():
        print(f"absent: {TITLES[engine]} ({engine}): {why}", file=sys.stderr)
    if results:
        print(table(results, versions))
        if options.json:
            options.json.write_text(json.dumps({"machine": machine(), "versions": versions, "results": results},
                                               indent=1) + "\n")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
