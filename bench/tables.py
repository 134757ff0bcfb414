#!/usr/bin/env python3
"""Writes the measured figures into the Markdown and docs/images, from bench/results/NAME.json.

    python3 bench/tables.py                        # from what is there
    python3 bench/tables.py grid=peers.json        # first puts there what a script of this folder wrote
    python3 bench/tables.py --check                # writes nothing

A table stands in the Markdown between "<!-- bench/tables.py: NAME -->" and "<!-- to here -->"; "NAME short" is a few
problems, "NAME narrow" ours and the best peer only, "NAME bf16" and "NAME int8" the times of that precision, "NAME
bf16-errors" and "NAME int8-errors" its errors, "NAME gradients" those of training. A NAME without a file, or whose file
lacks these figures, has not been measured yet.

Exit status: 0; 1 with --check if a file is not what would be written; 2 for files that cannot be used."""

import argparse
import json
import re
import sys
from pathlib import Path

import loads
import ranks
import scaling
import wavefront
from peers import accuracy, precisions, report, sessions, training

ROOT = Path(__file__).resolve().parent.parent
RESULTS, IMAGES = ROOT / "bench" / "results", ROOT / "docs" / "images"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
CHARTS = {"sessions": (sessions.chart, "Steps a second against sessions"),
          "scaling": (scaling.chart, "Speed-up against threads, measured and predicted"),
          "wavefront": (wavefront.chart, "Speed-up of each schedule against threads, measured and predicted")}
IN_README = ("t10b3i100h20l4", "t150b1i256h256l1", "t150b16i256h256l1", "t25b4i1024h1024l1", "t100b8i512h512l6",
             "t100b1i256h256l4")
KEPT = ("problem", "threads", "streams", "rates", "least", "bytes", "errors", "best_peer", "ratio", "round_median",
        "middle_half", "seconds", "sequences", "speed_up", "predicted", "plan", "limited_by", "measured", "precision",
        "engine", "largest", "mean", "changed", "decisions", "least_cosine", "ranks", "flops", "model", "kept", "has",
        "processes", "resident", "in_c", "above")  # of a result
NOT_YET = "Not measured yet.\n"
KEPT_OF_ENGINE = ("engine", "min", "max_error", "mean_error")
BLOCK = re.compile(r"(<!-- bench/tables\.py: (\S+)(?: (short|narrow|gradients|(?:bf16|int8)(?:-errors)?))? -->\n)"
                   r".*?(<!-- to here -->)", re.DOTALL)


def load(path: Path) -> dict:
    run = json.loads(path.read_text())
    if not isinstance(run, dict) or not {"machine", "versions", "results"} <= set(run):
        raise ValueError("machine, versions and results expected")
    return run


def store(name: str, run: dict) -> None:
    """Without the turns, a line a result; a processor's name may be completed by hand."""
    results = [{key: result[key] for key in KEPT if key in result} |
               ({"engines": [{key: record[key] for key in KEPT_OF_ENGINE if key in record}
                             for record in result["engines"]]}
                if "engines" in result else {}) for result in run["results"]]
    machine = {key: run["machine"][key] for key in ("cpu", "cores", "date")}
    lines = ",\n".join("  " + json.dumps(result) for result in results)
    (RESULTS / f"{name}.json").write_text(f'{{\n "machine": {json.dumps(machine)},\n "versions": '
                                          f'{json.dumps(run["versions"])},\n "results": [\n{lines}\n ]\n}}\n')


def summary_lines(*parts: str) -> str:
    """As a list, behind an empty line."""
    return "\n" + "".join(f"- {line}\n" for line in "\n".join(filter(None, parts)).splitlines())


def summary_of(results: list, *more: str) -> str:
    """The means over all problems."""
    count = len({result["problem"] for result in results})
    return f"\nAll {count} problems:\n" + summary_lines(report.summary(results), *more)


def training_table(form: str | None, run: dict, engines: list) -> tuple:
    """(unit, table and what is to be said of all problems)"""
    results, versions = run["results"], run["versions"]
    if form == "gradients":
        return ("largest and mean error against float64, relative to the largest of each array",
                training.errors_table(results, engines, versions) + "\n"
                + summary_lines(training.errors_summary(results)))
    return ("microseconds a step", training.table(results, engines, versions) + "\n"
            + summary_of(results, training.gains_summary(results)))


def precision_table(form: str, run: dict, engines: list) -> tuple:
    """(unit, table and what is to be said of all problems)"""
    results, versions = run["results"], run["versions"]
    precision, _, errors = form.partition("-")
    if errors:
        all_of_them = precisions.errors_summary(precisions.of_precision(results, precision))
        return ("largest and mean error against float64",
                precisions.errors_table(results, precision, engines, versions) + "\n"
                + (f"\n- {all_of_them}\n" if all_of_them else ""))
    return ("microseconds a call", precisions.precision_table(results, precision, engines, versions) + "\n"
            + summary_of(precisions.of_precision(results, precision), precisions.gains_summary(results, precision)))


def table(name: str, form: str | None, run: dict) -> str:
    """Where and when, the figures, and the mean over all problems where they are of one kind."""
    results, versions = run["results"], run["versions"]
    if form == "gradients" and not training.have_errors(results):
        return NOT_YET
    engines = [engine for engine in report.TITLES if engine in versions]
    unit, picture = "microseconds a call", ""
    if name in CHARTS:
        picture = f"![{CHARTS[name][1]}](images/{name}.svg)\n\n"
    if "rates" in results[0]:
        unit, text = "sequences a second", report.streams_table(results, engines, versions) + "\n"
    elif "kept" in results[0]:
        unit, text = "MB", training.memory_table(results, engines, versions) + "\n"
    elif "bytes" in results[0]:
        unit, text = "MB", report.memory_table(results, engines, versions) + "\n"
    elif "ranks" in results[0]:
        unit = (f"speed-ups over one rank; predicted ranks of {versions['threads']} thread{'s' * (versions['threads'] > 1)} on a network of "
                f"{versions['network_us']:g} us and {versions['network_gbs']:g} GB/s a link")
        text = ranks.table(results) + "\n"
    elif "resident" in results[0]:
        unit, text = "MB", loads.table(results, versions) + "\n"
    elif "measured" in results[0]:
        text = wavefront.table(results) + "\n"
    elif "speed_up" in results[0]:
        text = scaling.table(results) + "\n"
    elif "least_cosine" in results[0]:
        unit, text = "against the same models in float64", accuracy.table(results) + "\n"
    elif name == "training":
        unit, text = training_table(form, run, engines)
    elif "above" in results[0]:
        text = report.overheads_table(results) + "\n"
    elif form == "short":
        text = report.short_table(results, IN_README, versions) + "\n" + summary_of(results)
    elif form == "narrow":
        text = report.narrow_table(results, versions) + "\n" + summary_of(results)
    elif form:
        unit, text = precision_table(form, run, engines)
        if (IMAGES / f"ratios-{form}.png").is_file():
            picture = f"![Ratio of the best peer's time to ours in {form}](images/ratios-{form}.png)\n\n"
    else:
        text = report.results_table(results, engines, versions) + "\n"
        text += "" if name in ("calls", "accelerate") else summary_of(results)
    machine = run["machine"]
    return f"{picture}{machine['cpu']}, {machine['cores']} cores, {machine['date'][:10]}; {unit}:\n\n{text}"


def filled(page: str) -> str:
    def block(found: re.Match) -> str:
        path = RESULTS / f"{found[2]}.json"
        return f"{found[1]}{table(found[2], found[3], load(path)) if path.is_file() else NOT_YET}{found[4]}"

    return BLOCK.sub(block, page)


def names() -> list:
    """Of the tables on all pages."""
    return sorted({found[2] for page in PAGES for found in BLOCK.finditer(page.read_text())})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="NAME=FILE.json")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check and options.runs:
        parser.error("--check or NAME=FILE.json expected, got both")
    try:
        for name, _, path in (run.partition("=") for run in options.runs):
            if name not in names() or not path:
                parser.error(f"NAME=FILE.json with a NAME of {', '.join(names())} expected, got {name}={path}")
            store(name, load(Path(path)))
        written = {page: filled(page.read_text()) for page in PAGES}
        written |= {IMAGES / f"{name}.svg": draw(load(RESULTS / f"{name}.json")["results"])
                    for name, (draw, _) in CHARTS.items() if (RESULTS / f"{name}.json").is_file()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"tables: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    changed = [path for path, text in written.items() if not path.is_file() or text != path.read_text()]
    for path in changed:
        if options.check:
            print(f"{path.relative_to(ROOT)}: not what bench/tables.py writes")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(written[path])
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
