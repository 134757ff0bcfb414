"""The measuring process: it holds a worker for each engine and lets them run one at a time, in rounds.

In a round every engine has one short turn, so that a ratio is of times that lie close together; all problems are gone
through several times, each time by new processes with new models and plans, so that a problem's rounds are spread over
the whole run (bench/peers/ratios.py makes one ratio of them).

No two engines ever run together. An engine's threads may go on spinning for a while after its last call (OpenMP
runtimes and thread pools do, from microseconds to 200 ms), and each is left to its own defaults, as these are what its
users get; so before the next engine's turn, `settle` waits until no thread of the last one is running."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

from . import steal
from .environment import BENCH
from .reference import PEER_TOLERANCE, TOLERANCE, compare
from .tasks import Task

MODULES = {"wavelstm": "wavelstm", "pytorch": "pytorch", "onnxruntime": "onnxruntime", "openvino": "openvino",
           "onednn-system": "onednn", "onednn-pypi": "onednn"}
OURS = "wavelstm"
TURN_SECONDS = 0.01  # of one engine's turn in a round, one call at least
LONG_SECONDS = 0.1  # a problem of which the fastest engine's call takes this long is left out of every second pass
MOST_STOLEN, REPEAT_SECONDS = 0.02, 0.5  # a turn that lost more is repeated, as long as a pass of a problem has time
SETTLE_SECONDS = 1.0  # a thread that spins for longer than this is the engine's own affair


class EngineError(Exception):
    """What went wrong inside a worker."""


class Worker:
    def __init__(self, engine: str, threads: int, config: dict):
        self.engine = engine
        self.environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONPATH=str(BENCH))
        self.request = pickle.dumps((MODULES[engine], threads, config)).hex()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "peers.worker", self.request], env=self.environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, method: str, *arguments) -> None:
        try:
            pickle.dump((method, arguments), self.process.stdin)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise EngineError(f"died with status {self.process.wait()}") from None

    def receive(self):
        try:
            succeeded, answer = pickle.load(self.process.stdout)
        except EOFError:
            raise EngineError(f"died with status {self.process.wait()}") from None
        if not succeeded:
            raise EngineError(answer)
        return answer

    def ask(self, method: str, *arguments):
        self.send(method, *arguments)
        return self.receive()

    def running_threads(self) -> int:
        """How many of its threads are on a CPU or want one."""
        running = 0
        for stat in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            try:
                running += stat.read_text().rpartition(")")[2].split()[0] == "R"
            except OSError:  # the thread has just ended
                pass
        return running

    def settle(self) -> None:
        limit, quiet = time.monotonic() + SETTLE_SECONDS, 0
        while quiet < 3 and time.monotonic() < limit:
            quiet = 0 if self.running_threads() else quiet + 1
            time.sleep(5e-4)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def ask_together(workers: list, method: str, *arguments) -> tuple:
    """What needs no quiet, of all at once: ({worker: answer}, {worker: the EngineError})"""
    answers, errors = {}, {}
    for step in (lambda worker: worker.send(method, *arguments),
                 lambda worker: answers.__setitem__(worker, worker.receive())):
        for worker in workers:
            try:
                if worker not in errors:
                    step(worker)
            except EngineError as error:
                errors[worker] = error
    return answers, errors


def start_workers(configs: dict, threads: int) -> tuple:
    """([workers], {engine: version}, {engine: why it is absent})"""
    answers, errors = ask_together([Worker(engine, threads, config) for engine, config in configs.items()], "version")
    for worker in errors:
        worker.stop()
    return list(answers), {worker.engine: version for worker, version in answers.items()}, \
        {worker.engine: str(error) for worker, error in errors.items()}


def tolerance(engine: str, task: Task) -> tuple:
    return TOLERANCE[task.problem.dtype] if engine in (OURS, "pytorch") else PEER_TOLERANCE


def choose_way(worker: Worker, task: Task, expected: tuple) -> dict | None:
    """Of what the engine has built the fastest that is right; None if it does not do such tasks."""
    ways = worker.ask("first_call")
    worker.settle()
    if not ways:
        return None
    checks = [compare(results, expected, *tolerance(worker.engine, task)) for _, results in ways]
    right = [close for close, _ in checks]
    if not any(right):
        raise EngineError(f"wrong result: largest error {min(error for _, error in checks):.2g}, beyond rtol, atol "
                          f"{tolerance(worker.engine, task)}")
    name, estimate = worker.ask("choose", right)
    worker.settle()
    return {"way": name, "estimate": estimate, "max_error": max(error for (close, error) in checks if close),
            "turns": []}


class Turns:
    """Lets engines take turns at one problem in one pass; those that lost much to the machine's neighbours again."""

    def __init__(self):
        self.spare = REPEAT_SECONDS

    def take(self, worker: Worker, estimate: float) -> float:
        """The fastest call's seconds in the engine's least disturbed turn."""
        turns = []
        while True:
            before, start = steal.ticks(), time.monotonic()
            fastest = worker.ask("turn", estimate, TURN_SECONDS)
            worker.settle()
            turns.append((steal.share(before, steal.ticks()), fastest))
            if len(turns) > 1:
                self.spare -= time.monotonic() - start
            if turns[-1][0] <= MOST_STOLEN or self.spare <= 0.0:
                return min(turns)[1]


def measure(workers: list, task: Task, expected: tuple, seed: int, seconds: float) -> tuple:
    """One pass of a task: ({engine that did it: its record}, {engine: what went wrong})"""
    records, errors, turns = {}, {}, Turns()

    def guarded(worker: Worker, step) -> None:
        try:
            step(worker)
        except EngineError as error:
            errors[worker.engine] = str(error)
            records.pop(worker.engine, None)

    def ready(worker: Worker) -> None:
        if record := choose_way(worker, task, expected):
            records[worker.engine] = record

    def turn(worker: Worker) -> None:
        record = records[worker.engine]
        record["turns"].append(turns.take(worker, record["estimate"]))

    for worker in workers:
        if worker.process.poll() is not None:  # it died of the task before
            worker.start()
    built, failed = ask_together(workers, "build", task, seed, 0)
    errors.update({worker.engine: str(error) for worker, error in failed.items()})
    for worker in built:
        worker.settle()
    for worker in built:
        guarded(worker, ready)
    start, number = time.monotonic(), 0
    while records and (number == 0 or time.monotonic() - start < seconds):
        for place in range(len(workers)):  # each round begins with another engine
            worker = workers[(place + number) % len(workers)]
            if worker.engine in records:
                guarded(worker, turn)
        number += 1
    for worker in workers:
        if worker.process.poll() is None:
            guarded(worker, lambda w: w.ask("release"))
    return records, errors


def is_long(records: dict) -> bool:
    return min((min(record["turns"]) for record in records.values()), default=0.0) >= LONG_SECONDS
