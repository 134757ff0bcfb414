#!/usr/bin/env python3
"""Writes the measured figures into docs/benchmarks.md and README.md, from bench/results/NAME.json.

    python3 bench/tables.py                        # from what is there
    python3 bench/tables.py grid=peers.json        # first puts there what bench/peers.py --json wrote
    python3 bench/tables.py --check                # writes nothing

A table stands in the Markdown between "<!-- bench/tables.py: NAME -->" and "<!-- to here -->"; "NAME short" is a few
problems, "NAME narrow" ours and the best peer only.

Exit status: 0; 1 with --check if a file is not what would be written; 2 for files that cannot be used."""

import argparse
import json
import re
import sys
from pathlib import Path

from peers import report

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "benchmarks.md")
IN_README = ("t10b3i100h20l4", "t150b1i256h256l1", "t150b16i256h256l1", "t25b4i1024h1024l1", "t100b8i512h512l6",
             "t100b1i256h256l4")
KEPT = ("problem", "threads", "streams", "rates", "least", "bytes", "errors", "best_peer", "ratio", "round_median",
        "middle_half")  # of a result
BLOCK = re.compile(r"(<!-- bench/tables\.py: (\S+)(?: (short|narrow))? -->\n).*?(<!-- to here -->)", re.DOTALL)


def load(path: Path) -> dict:
    run = json.loads(path.read_text())
    if not isinstance(run, dict) or not {"machine", "versions", "results"} <= set(run):
        raise ValueError("machine, versions and results expected")
    return run


def store(name: str, run: dict) -> None:
    """Without the turns, a line a result; a processor's name may be completed by hand."""
    results = [{key: result[key] for key in KEPT if key in result} |
               ({"engines": [{"engine": record["engine"], "min": record["min"]} for record in result["engines"]]}
                if "engines" in result else {}) for result in run["results"]]
    machine = {key: run["machine"][key] for key in ("cpu", "cores", "date")}
    lines = ",\n".join("  " + json.dumps(result) for result in results)
    (RESULTS / f"{name}.json").write_text(f'{{\n "machine": {json.dumps(machine)},\n "versions": '
                                          f'{json.dumps(run["versions"])},\n "results": [\n{lines}\n ]\n}}\n')


def table(name: str, form: str | None, run: dict) -> str:
    """Where and when, the figures, and the mean over all problems where they are of one kind."""
    results, versions = run["results"], run["versions"]
    engines = [engine for engine in report.TITLES if engine in versions]
    unit, summary = "microseconds a call", ""
    if "rates" in results[0]:
        unit, rows = "sequences a second", report.streams_table(results, engines, versions)
    elif "bytes" in results[0]:
        unit, rows = "MB", report.memory_table(results, engines, versions)
    elif form == "short":
        rows = report.short_table(results, IN_README, versions)
    elif form == "narrow":
        rows = report.narrow_table(results, versions)
    else:
        rows = report.results_table(results, engines, versions)
    if unit == "microseconds a call" and name != "calls":
        count = len({result["problem"] for result in results})
        lines = "".join(f"- {line}\n" for line in report.summary(results).splitlines())
        summary = f"\nAll {count} problems:\n\n{lines}"
    machine = run["machine"]
    return f"{machine['cpu']}, {machine['cores']} cores, {machine['date'][:10]}; {unit}:\n\n{rows}\n{summary}"


def filled(page: str) -> str:
    def block(found: re.Match) -> str:
        return f"{found[1]}{table(found[2], found[3], load(RESULTS / f'{found[2]}.json'))}{found[4]}"

    return BLOCK.sub(block, page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="NAME=FILE.json")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check and options.runs:
        parser.error("--check or NAME=FILE.json expected, got both")
    try:
        for name, _, path in (run.partition("=") for run in options.runs):
            if not (RESULTS / f"{name}.json").is_file() or not path:
                there = ", ".join(sorted(file.stem for file in RESULTS.glob("*.json")))
                parser.error(f"NAME=FILE.json with a NAME of {there} expected, got {name}={path}")
            store(name, load(Path(path)))
        pages = {page: filled(page.read_text()) for page in PAGES}
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"tables: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    changed = [page for page, text in pages.items() if text != page.read_text()]
    for page in changed:
        if options.check:
            print(f"{page.relative_to(ROOT)}: not what bench/tables.py writes")
        else:
            page.write_text(pages[page])
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
