#!/usr/bin/env python3
"""Predicts what ranks gain, up to 64 of them (wlstm-bench --simulate-ranks), and holds the predictions to what two ranks of one thread
on this machine reach (wlstm-bench-ranks).

    python3 bench/ranks.py --json ranks.json
    python3 bench/tables.py ranks=ranks.json          # into bench/results and docs/mpi.md

The predictions to 64 ranks are for ranks of --threads threads, a machine each, on a network of --network-us and --network-gbs. Those
beside the measured speed-ups are for ranks that share this machine, with the messages that wlstm-bench-ranks measures between
them. A speed-up is over one rank; of --passes processes each it is the median.

Exit status: 0; 1 if a program fails; 2 for wrong usage."""

import argparse
import json
import re
import shlex
import statistics
import sys
from pathlib import Path

import runs
from peers.environment import BENCH, machine
from peers.report import markdown

MEASURED = ("t100b16i256h256l8", "t100b8i512h512l6", "t100b1i512h512l8", "t100b1i256h256l4")
STACKS = tuple(f"t{steps}b{batch}i256h256l{layers}" for layers in (8, 16, 32) for steps, batch in ((100, 1), (1000, 1), (100, 16)))
PROBLEMS = (*STACKS, "t100b64i256h256l1", "t100b256i256h256l1", "t50b256i512h512l2")
RANKS = [2, 4, 8, 16, 32, 64]
NETWORK = re.compile(r"messages: ([\d.]+) us, ([\d.]+) GB/s")
PREDICTED = re.compile(r"(\S+) +(\d+) +[\d.]+ +([\d.]+) +[\d.]+ +([\d.]+)  (.*)")
REACHED = re.compile(r"(\S+): one process [\d.]+ ms; (\d+) ranks: rows [\d.]+ ms, ([\d.]+) times as fast"
                     r"(?:; layers [\d.]+ ms, ([\d.]+) times as fast)?; the same bits; .*")
MPIRUN = "mpirun -n 2"
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # containers, where there is nobody else


def read_predictions(written: str) -> dict:
    """{(problem, ranks): {"rows", "layers", "how"}} of --simulate-ranks, speed-ups"""
    found = {}
    for line in written.splitlines():
        if match := PREDICTED.fullmatch(line):
            problem, ranks, rows, layers, how = match.groups()
            found[problem, int(ranks)] = {"rows": float(rows), "layers": float(layers), "how": how}
    if not found:
        raise runs.BenchError(f"--simulate-ranks: a line a problem and number of ranks expected, got\n{written}")
    return found


def read_measured(written: str) -> tuple:
    """({problem: {"rows", "layers"}}, (us a message, GB/s)) of wlstm-bench-ranks"""
    network = NETWORK.search(written)
    reached = [REACHED.fullmatch(line) for line in written.splitlines()]
    found = {match[1]: {"rows": float(match[3]), "layers": float(match[4] or 0)} for match in reached if match}
    if not network or not found:
        raise runs.BenchError(f"wlstm-bench-ranks: a line of messages and one a problem with the same bits expected, got\n{written}")
    return found, (float(network[1]), float(network[2]))


def medians(passes: list) -> dict:
    """Of {problem: {"rows", "layers"}}, pass by pass."""
    return {problem: {way: statistics.median(one[problem][way] for one in passes) for way in ("rows", "layers")}
            for problem in passes[0]}


def measure(options: argparse.Namespace) -> list:
    """The measured problems' results, with the predictions beside them."""
    environment = {"WLSTM_NUM_THREADS": "1", "WLSTM_CACHE": "off", "OMP_NUM_THREADS": "1"} | ROOT
    command = shlex.split(options.mpirun)
    measured, predicted = [], []
    for number in range(options.passes):
        print(f"pass {number + 1} of {options.passes}", file=sys.stderr)
        found, (us, gbs) = read_measured(runs.run(Path(command[0]), [*command[1:], options.over_ranks, *MEASURED], environment))
        measured.append(found)
        written = runs.run(options.bench, [*MEASURED, "--simulate-ranks", "2", "--threads", "1", "--ranks-per-machine", "2",
                                           "--network-us", us, "--network-gbs", gbs], environment)
        predicted.append({problem: one for (problem, _), one in read_predictions(written).items()})
    here, told = medians(measured), medians(predicted)
    return [{"problem": problem, "ranks": 2, "measured": here[problem], "predicted": told[problem]} for problem in MEASURED]


def measured_table(results: list) -> str:
    rows = []
    for result in results:
        row = [f"`{result['problem']}`"]
        for way in ("rows", "layers"):
            here, told = result["measured"][way], result["predicted"][way]
            row += [f"{here:.2f}", f"{told:.2f}", f"{100 * (told / here - 1):+.0f} %"]
        rows.append(row)
    header = ["problem", *(f"{way}, {what}" for way in ("rows", "layers") for what in ("measured", "predicted", "apart"))]
    return markdown(header, rows)


def predicted_table(results: list) -> str:
    counts = sorted({result["ranks"] for result in results})
    rows = []
    for problem in dict.fromkeys(result["problem"] for result in results):
        found = {result["ranks"]: result["predicted"] for result in results if result["problem"] == problem}
        for way in ("rows", "layers"):
            if way == "layers" and found[counts[-1]]["how"][:2] not in ("1 ", "tw") or max(one[way] for one in found.values()) > 1:
                rows.append([f"`{problem}`", way, *(f"{found[count][way]:.2f}" for count in counts),
                             found[counts[-1]]["how"] if way == "layers" else ""])
    return markdown(["problem", "over ranks", *map(str, counts), f"of {counts[-1]}: used"], rows)


def table(results: list) -> str:
    measured = [result for result in results if "measured" in result]
    parts = ["Two ranks of one thread on this machine:", measured_table(measured)] if measured else []
    return "\n\n".join([*parts, "Predicted, a machine a rank:", predicted_table([one for one in results if "measured" not in one])])


def main() -> int:
    programs = BENCH.parent / "build" / "bin"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=f"predicted ({' '.join(PROBLEMS)})")
    parser.add_argument("--ranks", type=runs.thread_list, default=RANKS, metavar="LIST", help="predicted (2,4,8,16,32,64)")
    parser.add_argument("--threads", type=int, default=1, help="of a predicted rank (1)")
    parser.add_argument("--network-us", type=float, default=2, help="a message of the predicted network (2)")
    parser.add_argument("--network-gbs", type=float, default=10, help="its links (10)")
    parser.add_argument("--passes", type=int, default=3, help="that are measured; 0: none (3)")
    parser.add_argument("--mpirun", default=MPIRUN, help=f"({MPIRUN})")
    parser.add_argument("--bench", type=Path, default=programs / "wlstm-bench", metavar="F", help="(build/bin/wlstm-bench)")
    parser.add_argument("--over-ranks", type=Path, default=programs / "wlstm-bench-ranks", metavar="F",
                        help="(build/bin/wlstm-bench-ranks)")
    parser.add_argument("--json", type=Path, metavar="F", help="write all numbers, versions and the machine")
    options = parser.parse_args()
    if options.passes < 0 or options.threads < 1:
        parser.error("--passes: at least 0, --threads: at least 1 expected")
    try:
        results = measure(options) if options.passes else []
        print("predictions", file=sys.stderr)
        written = runs.run(options.bench, [*(options.problems or PROBLEMS), "--simulate-ranks",
                                           ",".join(str(count) for count in options.ranks if count > 1), "--threads", options.threads,
                                           "--network-us", options.network_us, "--network-gbs", options.network_gbs],
                           {"WLSTM_CACHE": "off"})
    except runs.BenchError as error:
        print(f"ranks: {error}", file=sys.stderr)
        return 1
    results += [{"problem": problem, "ranks": ranks, "predicted": one}
                for (problem, ranks), one in read_predictions(written).items()]
    print(table(results))
    if options.json:
        versions = {"threads": options.threads, "network_us": options.network_us, "network_gbs": options.network_gbs}
        options.json.write_text(json.dumps({"machine": machine(), "versions": versions, "results": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
