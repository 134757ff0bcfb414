"""One engine at one thread count in a process of its own: OpenMP, TBB and thread pools never meet, and nothing of one
peer (allocator, CPU affinity, a loaded oneDNN) reaches another. Requests and answers are pickles on stdin and
stdout."""

import ctypes
import gc
import importlib
import os
import pickle
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from .tasks import Task, make_data

LONG_SECONDS = 0.25  # a call this long is not repeated to choose between an engine's ways
STEPS = 10  # of training, until memory that is freed and taken again needs no more
TINY = Task.forward("t1b1i2h2l1")
WARM_SECONDS = 2e-3  # of untimed calls before a turn: the other engines have had the caches


def resident_bytes(key: str) -> int:
    """VmRSS, or VmHWM, the most that it was since forget_peak()."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {key}")


def forget_peak() -> int:
    """Gives back what is free and lets VmHWM begin anew; the bytes resident now."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return resident_bytes("VmRSS")


class Worker:
    def __init__(self, module: str, threads: int, config: dict):
        self.engine = importlib.import_module(f".engine_{module}", __package__).Engine(threads, config)
        self.candidates, self.first_seconds = [], []  # of the task that is being prepared, or the streams
        self.chosen = {}  # {task: (way, seconds of a call)}
        self.streams = False

    def version(self) -> str:
        return self.engine.version

    def build(self, task: Task, seed: int, stream: int) -> None:
        """All ways in which the engine can run the task, none if it cannot. May run beside other engines' builds."""
        self.candidates = []
        if self.engine.supports(task):
            self.candidates = list(self.engine.candidates(task, make_data(task, seed, stream)))

    def build_streams(self, task: Task, seed: int, count: int) -> None:
        """As build, of one candidate for each host thread."""
        self.streams = True
        self.candidates = self.engine.stream_candidates(task, [make_data(task, seed, i) for i in range(count)])

    def first_call(self) -> list:
        """[(name, results)] of each candidate"""
        self.first_seconds = [float(candidate.sample(0.0, 1)[0]) for candidate in self.candidates]
        return [(candidate.name, candidate.results()) for candidate in self.candidates]

    def choose(self, task: Task, right: list) -> int:
        """Keeps the fastest of the candidates that gave the right result; which it is."""
        tried = [(first if first > LONG_SECONDS else float(np.min(way.sample(0.02, 1))), index)
                 for index, (way, first) in enumerate(zip(self.candidates, self.first_seconds)) if right[index]]
        seconds, best = min(tried)
        self.chosen[task] = self.candidates[best], seconds
        self.candidates = []
        gc.collect()
        return best

    def turn(self, task: Task, seconds: float) -> float:
        """The fastest call's seconds of those made in so long, one at least."""
        way, call_seconds = self.chosen[task]
        if call_seconds < 10 * WARM_SECONDS:
            way.sample(WARM_SECONDS, 1)
        return float(np.min(way.sample(seconds, 1)))

    def rate(self, seconds: float) -> float:
        """Calls a second, over all the host threads of this process."""
        if self.streams:
            contexts = (ctypes.c_void_p * len(self.candidates))(*(c.context for c in self.candidates))
            first = self.candidates[0]
            rate = first.loop.timed_streams(first.function, contexts, len(self.candidates), seconds)
            if rate < 0:
                raise RuntimeError(f"timed_streams: {rate}")
            return rate
        (way, _), = self.chosen.values()
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            calls += len(way.sample(min(0.05, seconds - elapsed), 1))
        return calls / elapsed

    def memory(self, task: Task, seed: int) -> tuple | None:
        """(the most bytes resident while the first of the engine's ways runs, beyond what the process has after a tiny
        task, its results, its tape_bytes). What only the making needed is given back before."""
        if not self.engine.supports(task):
            return None
        self.build(replace(TINY, kind=task.kind), seed, 0)
        self.first_call()
        self.release()
        before = forget_peak()
        data = make_data(task, seed)
        self.candidates = [way := next(iter(self.engine.candidates(task, data)))]
        data.params.clear()
        forget_peak()
        way.sample(0.0, STEPS if task.kind == "train" else 2)
        return resident_bytes("VmHWM") - before, way.results(), way.tape_bytes

    def release(self) -> None:
        self.candidates, self.chosen, self.streams = [], {}, False
        self.engine.release()
        gc.collect()


def main() -> None:
    module, threads, config = pickle.loads(bytes.fromhex(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an engine prints must not meet the answers
    gc.disable()
    worker = None
    while True:
        try:
            method, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            worker = worker or Worker(module, threads, config)
            answer = (True, getattr(worker, method)(*arguments))
        except Exception as error:  # whatever a peer raises is reported, not fatal to the others
            detail = traceback.format_exc() if os.environ.get("PEERS_TRACEBACK") else ""
            answer = (False, f"{type(error).__name__}: {error}{detail}")
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    main()
