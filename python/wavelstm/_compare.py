"""What a precision costs: a module's results beside those of full precision, on the caller's data."""
import copy
import time
from typing import NamedTuple

import numpy as np

from ._arrays import arrays_of, floats


class Difference(NamedTuple):
    """Of one array: the largest and the mean |value - full|, and the root of the sum of squares of that over full's.
    Elements that are the same (NaN beside NaN too) count as 0, those of which one alone is not finite as infinity."""

    largest: float
    mean: float
    relative: float


class Comparison(NamedTuple):
    """Differences of the results, and seconds of the quicker of two calls in either precision."""

    out: Difference
    h_n: Difference
    c_n: Difference
    seconds: float
    full_seconds: float


def _difference(values, full, code):
    values, full = floats(values, code), floats(full, code)
    same = (values == full) | (np.isnan(values) & np.isnan(full))
    finite = np.isfinite(values) & np.isfinite(full)
    apart = np.where(same, 0.0, np.inf)
    np.subtract(values, full, out=apart, where=finite)
    apart, size = np.abs(apart), float(np.linalg.norm(full[np.isfinite(full)]))
    distance = float(np.linalg.norm(apart))
    relative = 0.0 if distance == 0 else distance / size if size else np.inf
    return Difference(float(np.max(apart, initial=0.0)), float(np.mean(apart)) if apart.size else 0.0, float(relative))


def _timed(lstm, *arguments, **keywords):
    least = float("inf")
    for _ in range(2):  # the first call makes a plan
        start = time.perf_counter()
        results = lstm(*arguments, **keywords)
        least = min(least, time.perf_counter() - start)
    return results, least


def compare(lstm, input, hx, lengths):
    arrays_of(input, "input")
    in_full = copy.copy(lstm)
    in_full.precision = "full"
    (out, (h_n, c_n)), seconds = _timed(lstm, input, hx, lengths=lengths)
    (full_out, (full_h_n, full_c_n)), full_seconds = _timed(in_full, input, hx, lengths=lengths)
    pairs = (out, full_out), (h_n, full_h_n), (c_n, full_c_n)
    return Comparison(*(_difference(*pair, lstm._code) for pair in pairs), seconds, full_seconds)
