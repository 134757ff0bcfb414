"""From the turns of all engines to one ratio a problem, and what two runs agree on. Only Python's own library.

An engine's turns are [[seconds of each round] of each pass]. In a round the engines run within some tenths of a second,
so what slows the machine then slows all of them; a pass lies minutes from the next, so a slow state of one engine
(where its memory lies, what the neighbours of a virtual machine do) counts as one of several."""

import math
import statistics

AGREE = 0.05  # two runs' ratios agree within this
AGREEING = 0.9  # and this share of them has to


def geometric_mean(values: list) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def fastest(passes: list) -> float:
    return min(map(min, passes))


def typical(passes: list) -> float:
    """The median of a pass, over the passes."""
    return geometric_mean([statistics.median(seconds) for seconds in passes])


def best_peer(turns: dict, ours: str) -> str | None:
    """The peer of the least typical time in {engine: turns}: one for the whole run, since the least of many in each
    round would be whichever was lucky then."""
    return min((engine for engine in turns if engine != ours), key=lambda engine: typical(turns[engine]), default=None)


def round_ratios(peer: list, ours: list) -> list:
    """The peer's time over ours in each round of each pass, above 1 where we are faster."""
    return [[theirs / own for theirs, own in zip(*both)] for both in zip(peer, ours)]


def quartiles(values: list) -> tuple:
    """The bounds of their middle half."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def conclude(turns: dict, ours: str) -> dict:
    """What a table and a comparison of two runs need of {engine: turns}; without ours or a peer, less of it."""
    concluded = {"best_peer": best_peer(turns, ours)}
    if ours in turns and concluded["best_peer"]:
        ratios = round_ratios(turns[concluded["best_peer"]], turns[ours])
        concluded["ratio"] = typical(ratios)
        concluded["middle_half"] = quartiles([ratio for one_pass in ratios for ratio in one_pass])
    return concluded


def differ(old: float, new: float) -> float:
    """By what part the greater exceeds the lesser."""
    return max(old, new) / min(old, new) - 1.0


def agreement(old: dict, new: dict) -> tuple:
    """Of two runs' {name: ratio}: (the names in both, those of them that do not agree, whether enough agree)."""
    common = [name for name in old if name in new]
    apart = [name for name in common if differ(old[name], new[name]) >= AGREE]
    return common, apart, len(apart) <= (1.0 - AGREEING) * len(common) + 1e-9
