#!/usr/bin/env python3
"""Measures throughput against the number of threads on this machine, beside what is predicted for it, and writes a page
to look at and to send: DIR/scaling.html with a table and a plot, and DIR/scaling.json, which it also contains.

    cmake -S . -B build && cmake --build build -j
    python3 bench/scaling.py

It needs the built library and Python, nothing else and no network. Thread n stays on the n-th processor: first one of
each core, then the cores' second ones, package after package. A time is that of one forward call, zero initial state:
the fastest of three repetitions in each of --passes processes for each number of threads, the numbers in turn. The
prediction (wlstm-bench --simulate-threads) times the plans' items on one core and replays them on virtual threads.

Exit status: 0; 1 if wlstm-bench fails; 2 for wrong usage."""

import argparse
import html
import json
import re
import sys
from pathlib import Path

import charts
import runs
from peers.environment import BENCH, machine
from peers.report import markdown, microseconds

PROBLEMS = ("t150b1i256h256l1", "t25b1i1024h1024l1", "t100b1i256h256l4", "t150b16i256h256l1", "t100b16i256h256l8",
            "t100b8i512h512l6")


def doublings(count: int) -> list:
    """1, 2, 4, ... and the count itself."""
    return [*(1 << power for power in range(count.bit_length()) if 1 << power < count), count]


def batch_of(problem: str) -> int:
    return int(re.search(r"b(\d+)", problem)[1])


def results_of(problems: list, threads: list, seconds: dict, predicted: dict) -> list:
    """A result for each problem and number of threads from {(problem, threads): seconds} and what was predicted."""
    results = []
    for problem in problems:
        for count in threads:
            one, taken = seconds[problem, 1], seconds[problem, count]
            found = predicted[problem, count]
            results.append({"problem": problem, "threads": count, "seconds": taken,
                            "sequences": batch_of(problem) / taken, "speed_up": one / taken,
                            "predicted": found["speed_up"], "plan": found["plan"], "limited_by": found["limited_by"]})
    return results


def table(results: list) -> str:
    """Speed-ups are over one thread; the share is the speed-up over the number of threads."""
    header = ["problem", "threads", "us a call", "sequences/s", "speed-up", "share", "predicted",
              "measured / predicted", "predicted plan", "limited by"]
    return markdown(header, [[
        result["problem"], result["threads"], microseconds(result["seconds"]), f"{result['sequences']:.4g}",
        f"{result['speed_up']:.2f}", f"{result['speed_up'] / result['threads']:.0%}".replace("%", " %"),
        f"{result['predicted']:.2f}", f"{result['speed_up'] / result['predicted']:.2f}", result["plan"],
        result["limited_by"]] for result in results])


def chart(results: list) -> str:
    panels = {}
    for result in results:
        lines = panels.setdefault(result["problem"], {"measured": [], "predicted": []})
        lines["measured"].append((result["threads"], result["speed_up"]))
        lines["predicted"].append((result["threads"], result["predicted"]))
    return charts.lines("Speed-up over one thread (grey: as many as threads)", panels, "threads", "speed-up",
                        ideal=True)


def page(run: dict) -> str:
    """The run as one HTML file."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(run["results"]).splitlines()]
    del rows[1]
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    facts = "".join(f"<li>{html.escape(f'{key}: {value}')}</li>\n"
                    for key, value in (run["machine"] | run["versions"]).items())
    return ("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>wavelstm: scaling</title>\n"
            "<style>body { font-family: sans-serif } td { padding: 0 0.7em; text-align: right }</style></head><body>\n"
            f"<h1>wavelstm: throughput against threads</h1>\n<ul>\n{facts}</ul>\n{chart(run['results'])}"
            f"<table>\n{cells}</table>\n<details><summary>JSON</summary>\n"
            f"<pre>{html.escape(json.dumps(run, indent=1))}</pre></details>\n</body></html>\n")


def main() -> int:
    available = runs.processors()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"as wlstm-bench's ({' '.join(PROBLEMS)})")
    parser.add_argument("--threads", type=runs.thread_list, default=doublings(len(available)), metavar="LIST",
                        help="thread counts; 1 is always among them (1, 2, 4, ... and the number of processors)")
    parser.add_argument("--passes", type=int, default=3, help="processes for each number of threads (3)")
    parser.add_argument("--seconds", type=float, default=0.2, metavar="S", help="of a repetition, at least (0.2)")
    parser.add_argument("--bench", type=Path, default=BENCH.parent / "build" / "bin" / "wlstm-bench", metavar="F",
                        help="wlstm-bench (build/bin/wlstm-bench)")
    parser.add_argument("--out", type=Path, default=Path("scaling"), metavar="DIR", help="where to write (scaling)")
    options = parser.parse_args()
    if options.passes < 1:
        parser.error("--passes: at least 1 expected")
    problems, threads = options.problems or list(PROBLEMS), options.threads
    if threads[-1] > len(available):
        parser.error(f"--threads: at most the {len(available)} processors of this process expected, got {threads[-1]}")
    environment, seconds, build = runs.pinned(available), {}, ""
    try:
        for number in range(options.passes):
            for count in threads:
                print(f"pass {number + 1} of {options.passes}, {count} threads", file=sys.stderr)
                times, build = runs.measure(options.bench, [*problems, "--threads", count], options.seconds,
                                            environment)
                for problem in problems:
                    taken = times[f"forward/{problem}/threads:{count}"]
                    seconds[problem, count] = min(taken, seconds.get((problem, count), taken))
        print("predictions", file=sys.stderr)
        predicted = runs.simulate(options.bench, problems, threads, [], environment)
        results = results_of(problems, threads, seconds, predicted)
    except (runs.BenchError, KeyError) as error:
        print(f"scaling: {error}", file=sys.stderr)
        return 1
    run = {"machine": machine(), "versions": {"wavelstm": build}, "results": results}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "scaling.json").write_text(json.dumps(run, indent=1) + "\n")
    (options.out / "scaling.html").write_text(page(run))
    print(table(results))
    print(f"wrote {options.out / 'scaling.html'} and {options.out / 'scaling.json'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
