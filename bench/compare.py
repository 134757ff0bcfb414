#!/usr/bin/env python3
"""Compares two runs of wlstm-bench and says which benchmarks changed by more than the noise; of two runs of peers.py,
how many ratios agree.

wlstm-bench: both files are Google Benchmark's JSON, written with --benchmark_repetitions=5 or more, so that the noise
is measured: for each benchmark it is the spread of its repetitions in either run (from the fastest to the median, as
slow outliers are other programs' doing), 1 % at least. A benchmark has changed if its minimum and its median both moved
the same way by more than that.

peers.py: both files are what its --json wrote. Two ratios agree if the greater is less than 5 % above the lesser.

Exit status: 0; 1 if a benchmark got slower or is missing from the new run, or if fewer than nine ratios in ten agree; 2
for files that cannot be compared."""

import argparse
import json
import statistics
import sys
from pathlib import Path

from peers import ratios

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def load(path: Path) -> tuple:
    """({benchmark: seconds of its repetitions} of wlstm-bench, {problem and threads: ratio} of peers.py), one empty"""
    try:
        written = json.loads(path.read_text())
        if "results" in written:
            return {}, {f"{result['problem']}, {result['threads']} thread{'s' if result['threads'] > 1 else ''}":
                        float(result["ratio"]) for result in written["results"] if "ratio" in result}
        runs = {}
        for entry in written["benchmarks"]:
            if entry.get("run_type", "iteration") == "iteration" and not entry.get("error_occurred"):
                name = entry.get("run_name", entry["name"])
                runs.setdefault(name, []).append(entry["real_time"] * UNITS[entry.get("time_unit", "ns")])
        return runs, {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: not the JSON of wlstm-bench or peers.py ({why})") from error


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


def compare_ratios(old: dict, new: dict, with_agreeing: bool) -> int:
    common, apart, enough = ratios.agreement(old, new)
    width = max(map(len, common))
    for name in common if with_agreeing else apart:
        print(f"{name:{width}}  {old[name]:6.2f}  {new[name]:6.2f}  {ratios.differ(old[name], new[name]):6.1%}"
              .replace("%", " %"))
    print(f"{len(common) - len(apart)} of {len(common)} ratios agree within {ratios.AGREE * 100:.0f} %")
    return 0 if enough else 1


def compare_benchmarks(old: dict, new: dict, options: argparse.Namespace) -> int:
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, metavar="OLD.json")
    parser.add_argument("new", type=Path, metavar="NEW.json")
    parser.add_argument("--least", type=float, default=1.0, metavar="PERCENT",
                        help="smallest change of a benchmark to report (1)")
    parser.add_argument("--all", action="store_true",
                        help="also the benchmarks that did not change and the ratios that agree")
    options = parser.parse_args()
    try:
        (old, old_ratios), (new, new_ratios) = load(options.old), load(options.new)
    except ValueError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    if not set(old) & set(new) and not set(old_ratios) & set(new_ratios):
        print("compare: the two files have nothing in common", file=sys.stderr)
        return 2
    return compare_ratios(old_ratios, new_ratios, options.all) if old_ratios else compare_benchmarks(old, new, options)


if __name__ == "__main__":
    sys.exit(main())
