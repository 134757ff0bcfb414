"""From the turns of all engines to one ratio a problem, and what two runs agree on. Only Python's own library.

An engine's turns are [[seconds of each round] of each pass]. On a shared machine the same call takes up to half as
long again for seconds or for minutes, as the neighbours of a processor decide, and not every engine suffers alike:
medians of two runs differ with their neighbours. What an engine takes when it is left alone is the same in every run,
if only each run has such moments for each engine; rounds all over the run find them, and `settled` tells whether they
were found."""

import math
import statistics

AGREE = 0.05  # two runs' ratios agree within this
AGREEING = 0.9  # and this share of them has to
SETTLED = 0.01  # an engine was left alone if two passes have the same fastest turn within this


def geometric_mean(values: list) -> float:
    return math.exp(statistics.fmean(map(math.log, values)))


def fastest(passes: list) -> float:
    return min(map(min, passes))


def best_peer(turns: dict, ours: str) -> str | None:
    """The peer of the least time in {engine: turns}."""
    return min((engine for engine in turns if engine != ours), key=lambda engine: fastest(turns[engine]), default=None)


def settled(turns: dict, ours: str) -> bool:
    """Whether ours and the best peer have come as near to their fastest turn in a second pass."""
    for engine in {ours, best_peer(turns, ours)} & set(turns):
        first, *others = sorted(map(min, turns[engine]))
        if not others or others[0] > first * (1.0 + SETTLED):
            return False
    return True


def round_ratios(peer: list, ours: list) -> list:
    """The peer's time over ours in each round of all passes, above 1 where we are faster."""
    return [theirs / own for both in zip(peer, ours) for theirs, own in zip(*both)]


def quartiles(values: list) -> tuple:
    """The bounds of their middle half."""
    if len(values) == 1:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def conclude(turns: dict, ours: str) -> dict:
    """What a table and a comparison of two runs need of {engine: turns}; without ours or a peer, less of it."""
    peer = best_peer(turns, ours)
    if ours not in turns or peer is None:
        return {"best_peer": peer}
    ratios = round_ratios(turns[peer], turns[ours])
    return {"best_peer": peer, "ratio": fastest(turns[peer]) / fastest(turns[ours]),
            "round_median": statistics.median(ratios), "middle_half": quartiles(ratios)}


def differ(old: float, new: float) -> float:
    """By what part the greater exceeds the lesser."""
    return max(old, new) / min(old, new) - 1.0


def agreement(old: dict, new: dict) -> tuple:
    """Of two runs' {name: ratio}: (the names in both, those of them that do not agree, whether enough agree)."""
    common = [name for name in old if name in new]
    apart = [name for name in common if differ(old[name], new[name]) >= AGREE]
    return common, apart, len(apart) <= (1.0 - AGREEING) * len(common) + 1e-9
