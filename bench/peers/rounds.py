"""How turns are taken. In a round of a task every engine has one short turn, so that a ratio is of times that lie close
together. The rounds of a group of tasks alternate, and all groups are gone through several times, each time by new
processes with new models and plans (passes.py): a shared machine is now fast, now slow for seconds and for minutes, and
each task is to have its share of either. Engines of one thread run on the same processor, each round on another: a
virtual machine's processors have neighbours of their own, and left alone an engine stays for long where it is."""

import os
import time

import numpy as np

from . import gradients, reference, steal
from .reference import PEER_TOLERANCE, ROUNDED_TOLERANCE, TOLERANCE, compare
from .tasks import Data, Task
from .workers import OURS, EngineError, Worker, ask_together

TURN_SECONDS = 0.01  # of one engine in a round, one call at least
MOST_STOLEN, MOST_TRIES = 0.02, 3  # a turn that lost more of the processors is repeated, as long as its task has time
COSTLY_SECONDS = 3.0  # a task that takes this long to prepare is left out of every second pass
ROUNDS_SHARE = 0.5  # of the time to prepare a task, which its rounds may take at least


def tolerance(engine: str, task: Task) -> tuple:
    if task.kind == "train":
        return gradients.TOLERANCE[task.problem.dtype]
    if task.problem.precision != "full":
        return ROUNDED_TOLERANCE[task.problem.precision]
    if task.problem.dtype == "bf16arrays":
        return ROUNDED_TOLERANCE["bf16"]
    return TOLERANCE[task.problem.dtype] if engine in (OURS, "pytorch") else PEER_TOLERANCE


def expected_of(task: Task, data: Data) -> tuple:
    """In float64, what every engine's results are judged by."""
    return gradients.gradients(task, data) if task.kind == "train" else reference.reference(task, data)


def judge(engine: str, task: Task, results: tuple, expected: tuple) -> tuple:
    """As compare; errors of gradients are relative to the largest of each array."""
    if task.kind == "train":
        largest = [np.max(np.abs(values)) for values in expected]
        results, expected = ([values / size for values, size in zip(arrays, largest)] for arrays in (results, expected))
    return compare(results, expected, *tolerance(engine, task))


def choose_way(worker: Worker, task: Task, expected: tuple) -> dict | None:
    """Of what the engine has built the fastest that is right; None if it does not do such tasks."""
    ways = worker.ask("first_call")
    worker.settle()
    if not ways:
        return None
    checks = [judge(worker.engine, task, results, expected) for _, results in ways]
    right = [close for close, _, _ in checks]
    if not any(right):
        raise EngineError(f"wrong result: largest error {min(worst for _, worst, _ in checks):.2g}, beyond rtol, atol "
                          f"{tolerance(worker.engine, task)}")
    chosen = worker.ask("choose", task, right)
    worker.settle()
    _, worst, mean = checks[chosen]
    return {"way": ways[chosen][0], "max_error": worst, "mean_error": mean, "turns": []}


class Pass:
    """One task in one pass: its engines' records, what went wrong with others, the time that is left for rounds."""

    def __init__(self, task: Task, seconds: float):
        self.task, self.left, self.preparation = task, seconds, 0.0
        self.records, self.errors = {}, {}

    def guarded(self, worker: Worker, step) -> None:
        try:
            step(worker)
        except EngineError as error:
            self.errors[worker.engine] = str(error)
            self.records.pop(worker.engine, None)

    def prepare(self, workers: list, expected: tuple, seed: int, processors: list) -> None:
        start = time.monotonic()
        for worker in workers:
            worker.stay_on(processors)
        built, failed = ask_together(workers, "build", self.task, seed, 0)
        self.errors.update({worker.engine: str(error) for worker, error in failed.items()})

        def choose(worker: Worker) -> None:
            if worker.threads == 1:
                worker.stay_on(processors[:1])
            if record := choose_way(worker, self.task, expected):
                self.records[worker.engine] = record

        for worker in built:
            worker.settle()
        for worker in built:
            self.guarded(worker, choose)
        self.preparation = time.monotonic() - start
        self.left = max(self.left, ROUNDS_SHARE * self.preparation)

    def round(self, workers: list, number: int, processors: list) -> None:
        start = time.monotonic()

        def turn(worker: Worker) -> None:
            if worker.threads == 1:
                worker.stay_on([processors[number % len(processors)]])
            tries = []
            while not tries or (tries[-1][0] > MOST_STOLEN and len(tries) < MOST_TRIES
                                and time.monotonic() - start < self.left):
                before = steal.ticks()
                seconds = worker.ask("turn", self.task, TURN_SECONDS)
                worker.settle()
                tries.append((steal.share(before, steal.ticks()), seconds))
            self.records[worker.engine]["turns"].append(min(tries)[1])

        for place in range(len(workers)):  # each round begins with another engine
            worker = workers[(place + number) % len(workers)]
            if worker.engine in self.records:
                self.guarded(worker, turn)
        self.left -= time.monotonic() - start


def measure(workers: list, group: dict, seed: int, seconds: float) -> list:
    """One pass of a group of tasks, {task: what it must give}, with so many seconds at least for the rounds of each."""
    processors = sorted(os.sched_getaffinity(0))
    for worker in workers:
        if worker.process.poll() is not None:  # it died of the group before
            worker.start()
    passes = [Pass(task, seconds) for task in group]
    for one in passes:
        one.prepare(workers, group[one.task], seed, processors)
    number = 0
    while going := [one for one in passes if one.records and (number == 0 or one.left > 0.0)]:
        for one in going:
            one.round(workers, number, processors)
        number += 1
    ask_together([worker for worker in workers if worker.process.poll() is None], "release")
    return passes
