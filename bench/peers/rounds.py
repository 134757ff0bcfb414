"""The measuring process: it holds a worker for each engine and lets them run one at a time, in rounds.

No two engines ever run together. An engine's threads may go on spinning for a while after its last call (OpenMP
runtimes and thread pools do, from microseconds to 200 ms), and each is left to its own defaults, as these are what its
users get; so before the next engine's turn, `settle` waits until no thread of the last one is running."""

import os
import pickle
import statistics
import subprocess
import sys
import time
from pathlib import Path

from .environment import BENCH
from .reference import PEER_TOLERANCE, TOLERANCE, compare
from .tasks import Task

MODULES = {"wavelstm": "wavelstm", "pytorch": "pytorch", "onnxruntime": "onnxruntime", "openvino": "openvino",
           "onednn-system": "onednn", "onednn-pypi": "onednn"}
OURS = "wavelstm"
LEAST_SECONDS, LEAST_CALLS = 0.02, 2  # of one engine's turn in a round
LEAST_ROUNDS, MOST_ROUNDS, LEAST_TIME = 3, 30, 3.0  # a short problem gets more rounds than asked for, until LEAST_TIME
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


def start_workers(configs: dict, threads: int) -> tuple:
    """([workers], {engine: version}, {engine: why it is absent})"""
    workers, versions, absent = [], {}, {}
    for engine, config in configs.items():
        worker = Worker(engine, threads, config)
        try:
            versions[engine] = worker.ask("version")
            workers.append(worker)
        except EngineError as error:
            absent[engine] = str(error)
            worker.stop()
    return workers, versions, absent


def tolerance(engine: str, task: Task) -> tuple:
    return TOLERANCE[task.problem.dtype] if engine in (OURS, "pytorch") else PEER_TOLERANCE


def prepare(worker: Worker, task: Task, expected: tuple, seed: int, stream: int = 0) -> dict | None:
    """Readies the engine for the task by the fastest of its ways that are right; None if it does not do such tasks."""
    ways = worker.ask("prepare", task, seed, stream)
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
    return {"engine": worker.engine, "way": name, "estimate": estimate, "rounds": [],
            "max_error": max(error for (close, error) in checks if close)}


def measure(workers: list, task: Task, expected: tuple, rounds: int, seed: int, time_limit: float) -> tuple:
    """([a record for each engine that did the task], {engine: what went wrong})"""
    records, errors, active = {}, {}, []

    def guarded(worker: Worker, step) -> None:
        try:
            step(worker)
        except EngineError as error:
            errors[worker.engine] = str(error)
            records.pop(worker.engine, None)
            if worker in active:
                active.remove(worker)

    def ready(worker: Worker) -> None:
        if record := prepare(worker, task, expected, seed):
            records[worker.engine] = record
            active.append(worker)

    def sample(worker: Worker) -> None:
        record = records[worker.engine]
        seconds = worker.ask("sample", record["estimate"], LEAST_SECONDS, LEAST_CALLS)
        worker.settle()
        record["rounds"].append({"calls": len(seconds), "min": min(seconds), "median": statistics.median(seconds)})

    for worker in workers:
        if worker.process.poll() is not None:  # it died of the task before
            worker.start()
        guarded(worker, ready)
    start = time.monotonic()
    for turn in range(max(rounds, MOST_ROUNDS)):
        elapsed = time.monotonic() - start
        if turn >= rounds and elapsed > LEAST_TIME or turn >= LEAST_ROUNDS and elapsed > time_limit:
            break
        for place in range(len(active)):  # each round begins with another engine
            if place < len(active):
                guarded(active[(place + turn) % len(active)], sample)
    for worker in workers:
        if worker.process.poll() is None:
            guarded(worker, lambda w: w.ask("release"))
    for record in records.values():
        record["min"] = min(turn["min"] for turn in record["rounds"])
        record["median"] = statistics.median(turn["median"] for turn in record["rounds"])
    return list(records.values()), errors
