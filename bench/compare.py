#!/usr/bin/env python3
"""Compares two runs of wlstm-bench and says which benchmarks changed by more than the noise.

Both files are Google Benchmark's JSON, written with --benchmark_repetitions=5 or more, so that the noise is measured:
for each benchmark it is the spread of its repetitions in either run (from the fastest to the median, as slow outliers
are other programs' doing), 1 % at least. A benchmark has changed if its minimum and its median both moved the same way
by more than that.

Exit status: 0; 1 if a benchmark got slower or is missing from the new run; 2 for files that cannot be compared."""

import argparse
import json
import statistics
import sys
from pathlib import Path

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def load(path: Path) -> dict:
    """{benchmark: seconds of its repetitions}"""
    try:
        runs = {}
        for entry in json.loads(path.read_text())["benchmarks"]:
            if entry.get("run_type", "iteration") == "iteration" and not entry.get("error_occurred"):
                name = entry.get("run_name", entry["name"])
                runs.setdefault(name, []).append(entry["real_time"] * UNITS[entry.get("time_unit", "ns")])
        return runs
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not Google Benchmark's JSON ({type(error).__name__}: {error})") from error


def noise(seconds: list) -> float:
    return statistics.median(seconds) / min(seconds) - 1.0


def compare(old: list, new: list, least: float) -> tuple:
    """(change of the minimum, noise, verdict); a change of +0.10 is 10 % slower."""
    change = min(new) / min(old) - 1.0
    median_change = statistics.median(new) / statistics.median(old) - 1.0
    limit = max(noise(old), noise(new), least)
    if min(change, median_change) > limit:
        return change, limit, "slower"
    if max(change, median_change) < -limit:
        return change, limit, "faster"
    return change, limit, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD.json")
    parser.add_argument("new", type=Path, metavar="NEW.json")
    parser.add_argument("--least", type=float, default=1.0, metavar="PERCENT", help="smallest change to report (1)")
    parser.add_argument("--all", action="store_true", help="also the benchmarks that did not change")
    options = parser.parse_args()
    try:
        old, new = load(options.old), load(options.new)
    except ValueError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    if not set(old) & set(new):
        print("compare: the two files have no benchmark in common", file=sys.stderr)
        return 2
    single = sum(len(runs[name]) < 3 for runs in (old, new) for name in runs)
    if single:
        print(f"compare: {single} entries have fewer than 3 repetitions, too few to see the noise; use "
              "--benchmark_repetitions", file=sys.stderr)

    counts = {"slower": 0, "faster": 0, "": 0}
    width = max(map(len, old))
    for name in old:
        if name not in new:
            continue
        change, limit, verdict = compare(old[name], new[name], options.least / 100)
        counts[verdict] += 1
        if verdict or options.all:
            print(f"{name:{width}}  {min(old[name]) * 1e6:12.2f} us  {min(new[name]) * 1e6:12.2f} us  {change:+7.1%}  "
                  f"noise {limit:.1%}  {verdict}".rstrip())
    missing = [name for name in old if name not in new]
    for name in missing:
        print(f"{name:{width}}  missing from {options.new}")
    for name in new:
        if name not in old:
            print(f"{name}  is new")
    print(f"{counts['slower']} slower, {counts['faster']} faster, {counts['']} the same within the noise, "
          f"{len(missing)} missing")
    return 1 if counts["slower"] or missing else 0


if __name__ == "__main__":
    sys.exit(main())
