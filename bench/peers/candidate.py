"""One way in which an engine can run a task, ready to be called and timed."""

import ctypes
import time
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

MAX_CALLS = 1 << 16


@dataclass
class Candidate:
    """results() gives (out, h_n, c_n) of the last call in PyTorch's shapes. `function` is the call itself: a Python
    callable, or with `context` a C function of timed_loop.c's type. `keep` holds what the call uses. Of a step of
    training results() gives d_x and the parameters' gradients, in the order of Data.params; `tape_bytes` is what ours
    keeps between its passes."""
    name: str
    function: Any
    results: Callable[[], tuple]
    context: Any = None
    keep: Any = None
    loop: Any = None  # timed_loop.c, for a C function
    tape_bytes: int = 0

    def sample(self, least_seconds: float, least_calls: int) -> np.ndarray:
        """Seconds of each call, made until both limits are reached."""
        if self.loop is not None:
            seconds = np.empty(MAX_CALLS)
            calls = self.loop.timed_loop(self.function, self.context, least_seconds, least_calls,
                                         seconds.ctypes.data_as(ctypes.c_void_p), MAX_CALLS)
            if calls < 0:
                raise RuntimeError(f"{self.name}: a call failed")
            return seconds[:calls]
        function, clock, times = self.function, time.perf_counter, []
        before = start = clock()
        while (before - start < least_seconds or len(times) < least_calls) and len(times) < MAX_CALLS:
            function()
            after = clock()
            times.append(after - before)
            before = after
        return np.array(times)


def load_loop(path: str) -> ctypes.CDLL:
    loop = ctypes.CDLL(path)
    loop.timed_loop.restype = ctypes.c_int64
    loop.timed_loop.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double, ctypes.c_int64, ctypes.c_void_p,
                                ctypes.c_int64]
    loop.timed_streams.restype = ctypes.c_double
    loop.timed_streams.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_double]
    return loop


def address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value
