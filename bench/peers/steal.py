"""How much of this virtual machine's processors went to others: /proc/stat's steal."""

from pathlib import Path

STEAL = 7  # its place among user, nice, system, idle, iowait, irq, softirq, steal


def ticks(stat: str | None = None) -> tuple:
    """(stolen, all) ticks of all processors since they started, from /proc/stat's text."""
    counts = [int(count) for count in (stat or Path("/proc/stat").read_text()).split("\n", 1)[0].split()[1:STEAL + 2]]
    return counts[STEAL], sum(counts)


def share(before: tuple, after: tuple) -> float:
    """The part stolen between two calls of ticks(). A tick is 10 ms, so in a turn of one or two any tick is much."""
    return (after[0] - before[0]) / max(1, after[1] - before[1])
