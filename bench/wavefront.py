#!/usr/bin/env python3
"""Measures what the schedules bring: layer by layer on one thread (serial) against a wavefront of tasks and against
gangs of threads that own layers, by backend, on as many threads as there are; and predicts it for more threads, with
the native kernels (wlstm-bench --simulate-threads).

    python3 bench/wavefront.py --json wavefront.json
    python3 bench/tables.py wavefront=wavefront.json      # into bench/results and docs/benchmarks.md, with its plot

It needs the built library and Python, nothing else. Thread n stays on the n-th processor. A time is that of one forward
call, zero initial state: the fastest of three repetitions in each of --passes processes. A speed-up is over layer by
layer on one thread with the same backend. A schedule that a problem cannot have is the library's choice instead.

Exit status: 0; 1 if wlstm-bench fails; 2 for wrong usage."""

import argparse
import json
import sys
from pathlib import Path

import charts
import runs
from peers.environment import BENCH, machine
from peers.report import markdown, microseconds

PROBLEMS = ("t100b1i128h128l4", "t100b1i256h256l4", "t100b16i256h256l8", "t100b8i512h512l6", "t200b1i80h320l2-bi",
            "t100b1i256h256h512h256h128")
SCHEDULES = {"serial": "layer by layer", "wavefront": "wavefront", "gangs": "gangs"}
SIMULATED = [2, 4, 8, 16, 32, 64]


def measured_of(problem: str, seconds: dict) -> list:
    """The problem's of {benchmark: seconds}, named forward/PROBLEM/backend:B/schedule:S/threads:N"""
    found = []
    for name, taken in seconds.items():
        _, of, *keys = name.split("/")
        if of == problem:
            backend, schedule, threads = (key.partition(":")[2] for key in keys)
            found.append({"backend": backend, "schedule": schedule, "threads": int(threads), "seconds": taken})
    return found


def predicted_of(problem: str, predictions: dict) -> list:
    """The problem's of {schedule: what runs.simulate gives}"""
    return [{"schedule": schedule, "threads": threads, "speed_up": one["speed_up"], "plan": one["plan"],
             "limited_by": one["limited_by"]}
            for schedule, found in predictions.items() for (of, threads), one in found.items() if of == problem]


def serial_seconds(result: dict, backend: str) -> float:
    return next(one["seconds"] for one in result["measured"]
                if (one["backend"], one["schedule"], one["threads"]) == (backend, "serial", 1))


def measured_table(results: list) -> str:
    """Microseconds, and in brackets the speed-up over layer by layer on one thread."""
    several = {(one["schedule"], one["threads"]) for result in results for one in result["measured"]
               if one["schedule"] != "serial" and one["threads"] > 1}
    keys = [("serial", 1), *sorted(several, key=lambda key: (key[1], list(SCHEDULES).index(key[0])))]
    header = ["problem", "backend", *(f"{SCHEDULES[schedule]}, {threads} thread{'s' if threads > 1 else ''}"
                                      for schedule, threads in keys)]
    rows = []
    for result in results:
        for backend in dict.fromkeys(one["backend"] for one in result["measured"]):
            found = {(one["schedule"], one["threads"]): one["seconds"] for one in result["measured"]
                     if one["backend"] == backend}
            serial = serial_seconds(result, backend)
            rows.append([result["problem"], backend, microseconds(serial),
                         *(f"{microseconds(found[key])} ({serial / found[key]:.2f})" if key in found else "-"
                           for key in keys[1:])])
    return markdown(header, rows)


def predicted_table(results: list) -> str:
    """Speed-ups over layer by layer on one thread."""
    threads = sorted({one["threads"] for result in results for one in result["predicted"]})
    header = ["problem", "schedule", *(f"{count} threads" for count in threads), f"plan on {threads[-1]}", "limited by"]
    rows = []
    for result in results:
        for schedule in dict.fromkeys(one["schedule"] for one in result["predicted"]):
            found = {one["threads"]: one for one in result["predicted"] if one["schedule"] == schedule}
            last = found[max(found)]
            rows.append([result["problem"], SCHEDULES[schedule],
                         *(f"{found[count]['speed_up']:.2f}" if count in found else "-" for count in threads),
                         last["plan"], last["limited_by"]])
    return markdown(header, rows)


def table(results: list) -> str:
    parts = ["Measured, microseconds a call, in brackets the speed-up over layer by layer on one thread:",
             measured_table(results)]
    predicted = [result for result in results if result["predicted"]]
    if predicted:
        parts += ["Predicted speed-ups, native kernels:", predicted_table(predicted)]
    return "\n\n".join(parts)


def chart(results: list) -> str:
    panels = {}
    for result in results:
        lines = panels.setdefault(result["problem"], {})
        for one in result["predicted"]:
            line = lines.setdefault(f"{SCHEDULES[one['schedule']]}, native, predicted", [(1, 1.0)])
            line.append((one["threads"], one["speed_up"]))
        for one in result["measured"]:
            if one["schedule"] != "serial" and one["threads"] > 1:
                line = lines.setdefault(f"{SCHEDULES[one['schedule']]}, {one['backend']}, measured", [(1, 1.0)])
                line.append((one["threads"], serial_seconds(result, one["backend"]) / one["seconds"]))
    return charts.lines("Speed-up over layer by layer on one thread (grey: as many as threads)", panels, "threads",
                        "speed-up", ideal=True)


def main() -> int:
    available = runs.processors()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"as wlstm-bench's ({' '.join(PROBLEMS)})")
    parser.add_argument("--threads", type=runs.thread_list, default=[1, len(available)], metavar="LIST",
                        help="measured; 1 is always among them (1 and the number of processors)")
    parser.add_argument("--backend", default="native,onednn", metavar="LIST", help="measured (native,onednn)")
    parser.add_argument("--passes", type=int, default=3, help="processes that measure all (3)")
    parser.add_argument("--seconds", type=float, default=0.2, metavar="S", help="of a repetition, at least (0.2)")
    parser.add_argument("--bench", type=Path, default=BENCH.parent / "build" / "bin" / "wlstm-bench", metavar="F",
                        help="wlstm-bench (build/bin/wlstm-bench)")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    options = parser.parse_args()
    if options.passes < 1:
        parser.error("--passes: at least 1 expected")
    if options.threads[-1] > len(available):
        parser.error(f"--threads: at most the {len(available)} processors of this process expected, got "
                     f"{options.threads[-1]}")
    problems, environment = options.problems or list(PROBLEMS), runs.pinned(available)
    arguments = [*problems, "--threads", ",".join(map(str, options.threads)), "--backend", options.backend,
                 "--schedule", ",".join(SCHEDULES)]
    seconds, build = {}, ""
    try:
        for number in range(options.passes):
            print(f"pass {number + 1} of {options.passes}", file=sys.stderr)
            times, build = runs.measure(options.bench, arguments, options.seconds, environment)
            seconds = {name: min(taken, seconds.get(name, taken)) for name, taken in times.items()}
        predictions = {}
        for schedule in ("wavefront", "gangs"):
            print(f"predictions, {schedule}", file=sys.stderr)
            predictions[schedule] = runs.simulate(options.bench, problems, SIMULATED, ["--schedule", schedule],
                                                  environment)
    except runs.BenchError as error:
        print(f"wavefront: {error}", file=sys.stderr)
        return 1
    run = {"machine": machine(), "versions": {"wavelstm": build}, "results": [
        {"problem": problem, "measured": measured_of(problem, seconds), "predicted": predicted_of(problem, predictions)}
        for problem in problems]}
    print(table(run["results"]))
    if options.json:
        options.json.write_text(json.dumps(run, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
