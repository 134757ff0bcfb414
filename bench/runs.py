"""Runs wlstm-bench and reads what it says: measured times, and those it predicts for threads that a machine lacks. Only
Python's own library."""

import argparse
import json
import os
import re
import subprocess
from pathlib import Path

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
PREDICTION = re.compile(r"(\S+) +(\d+) +(\d+)  (\S.*?) +([\d.]+) +([\d.]+)  (\S.*?) +\d+ +\d+ +\d+(?:   measured.*)?")


class BenchError(Exception):
    """wlstm-bench failed, or said something else than expected."""


def run(bench: Path, arguments: list, environment: dict) -> str:
    command = [str(bench), *map(str, arguments)]
    try:
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BenchError(f"{bench}: {error.strerror}: build with -DWLSTM_BUILD_BENCH=ON, or say --bench") from error
    if done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def read_times(written: str) -> tuple:
    """({benchmark: seconds of a call, the fastest repetition}, the library's build) of wlstm-bench's JSON"""
    report, seconds = json.loads(written), {}
    for entry in report["benchmarks"]:
        if entry.get("run_type", "iteration") == "iteration":
            if entry.get("error_occurred"):
                raise BenchError(f"{entry['name']}: {entry['error_message']}")
            name = entry.get("run_name", entry["name"])
            seconds[name] = min(seconds.get(name, float("inf")), entry["real_time"] * UNITS[entry["time_unit"]])
    return seconds, report["context"].get("wavelstm", "")


def measure(bench: Path, arguments: list, seconds: float, environment: dict) -> tuple:
    """read_times of a run of these arguments, with three repetitions of so many seconds of each benchmark"""
    return read_times(run(bench, [*arguments, "--benchmark_format=json", "--benchmark_repetitions=3",
                                  f"--benchmark_min_time={seconds}"], environment))


def read_predictions(written: str) -> dict:
    """{(problem, threads): {"seconds", "speed_up", "plan", "limited_by"}} of --simulate-threads; the speed-up is over
    one thread as it was measured there."""
    found = {}
    for line in written.splitlines():
        if match := PREDICTION.fullmatch(line):
            problem, threads, _, plan, microseconds, speed_up, limited_by = match.groups()
            found[problem, int(threads)] = {"seconds": float(microseconds) * 1e-6, "speed_up": float(speed_up),
                                            "plan": plan, "limited_by": limited_by}
    if not found:
        raise BenchError(f"--simulate-threads: a line a problem and thread count expected, got\n{written}")
    return found


def simulate(bench: Path, problems: list, threads: list, arguments: list, environment: dict) -> dict:
    return read_predictions(run(bench, [*problems, "--simulate-threads", ",".join(map(str, threads)), *arguments],
                                environment))


def thread_list(text: str) -> list:
    """Of a command line; one thread is always among them."""
    counts = sorted({1, *(int(part) for part in text.split(","))})
    if counts[0] < 1:
        raise argparse.ArgumentTypeError("at least 1 expected")
    return counts


def core_order(available: list, place_of) -> list:
    """The processors, one of each core before the second of any, cores of a package together; place_of gives
    (package, core) of a processor."""
    seen, order = {}, []
    for processor in sorted(available):
        place = place_of(processor)
        order.append((seen.get(place, 0), *place, processor))
        seen[place] = seen.get(place, 0) + 1
    return [entry[-1] for entry in sorted(order)]


def place_of(processor: int) -> tuple:
    """(package, core); each processor a core of its own where Linux does not say."""
    folder = Path(f"/sys/devices/system/cpu/cpu{processor}/topology")
    try:
        return tuple(int((folder / name).read_text()) for name in ("physical_package_id", "core_id"))
    except (OSError, ValueError):
        return 0, processor


def processors() -> list:
    return core_order(os.sched_getaffinity(0), place_of)


def pinned(order: list) -> dict:
    """The environment in which OpenMP's thread n stays on the n-th of these processors."""
    return {"OMP_PLACES": ",".join(f"{{{processor}}}" for processor in order), "OMP_PROC_BIND": "close",
            "OMP_DYNAMIC": "false", "OMP_NUM_THREADS": str(len(order)), "WLSTM_CACHE": "off"}
