"""Steps a second against the number of sessions that have one at once, a panel an LSTM and thread count. Only Python's own
library."""

import re
from pathlib import Path

import charts

from .report import TITLES

NAME = re.compile(r"sessions/t1b(\d+)(.*)")


def panels(results: list) -> dict:
    """{"i128h128l1, 1 thread": {engine: [(sessions, thousand steps a second)]}}"""
    found = {}
    for result in results:
        if not (name := NAME.fullmatch(result["problem"])):
            continue
        count, threads = int(name[1]), result["threads"]
        panel = found.setdefault(f"{name[2]}, {threads} thread{'s' if threads > 1 else ''}", {})
        for record in result["engines"]:
            panel.setdefault(TITLES[record["engine"]], []).append((count, count / record["min"] / 1e3))
    return found


def chart(results: list) -> str:
    return charts.lines("One step of each session", panels(results), "sessions", "thousand steps a second")


def save_plot(results: list, directory: Path) -> list:
    """sessions.svg, where there are such results."""
    if not panels(results):
        return []
    path = directory / "sessions.svg"
    path.write_text(chart(results))
    return [path]
