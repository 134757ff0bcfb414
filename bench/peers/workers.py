"""The measuring process's side of the workers, one process an engine, of which no two compute together.

An engine's threads may go on spinning for a while after its last call (OpenMP runtimes and thread pools do, from
microseconds to 200 ms), and each is left to its own defaults, as these are what its users get; so before the next
engine's turn, `settle` waits until no thread of the last one is running."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

from .environment import BENCH

MODULES = {"wavelstm": "wavelstm", "pytorch": "pytorch", "onnxruntime": "onnxruntime", "openvino": "openvino",
           "onednn-system": "onednn", "onednn-pypi": "onednn", "jax": "jax"}
OURS = "wavelstm"
TRAINERS = (OURS, "pytorch", "jax")  # JAX is there for training alone
SETTLE_SECONDS = 1.0  # a thread that spins for longer than this is the engine's own affair


def engines_for(kinds: set) -> list:
    """Those that do tasks of one of these kinds."""
    return [engine for engine in MODULES
            if engine in TRAINERS and "train" in kinds or engine != "jax" and kinds != {"train"}]


class EngineError(Exception):
    """What went wrong inside a worker."""


class OursMissing(Exception):
    """The library under test cannot be started: nothing is measured without it."""


class Worker:
    def __init__(self, engine: str, threads: int, config: dict):
        self.engine, self.threads = engine, threads
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

    def stay_on(self, processors: list) -> None:
        """Moves all threads it has; those to come follow."""
        for task in Path(f"/proc/{self.process.pid}/task").glob("*"):
            try:
                os.sched_setaffinity(int(task.name), processors)
            except OSError:  # the thread has just ended
                pass

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
        try:
            self.process.stdin.close()
        except BrokenPipeError:  # it has died with a request on its way
            pass
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
    """([workers], {engine: version}, {engine: why it is absent}); OursMissing where that is the library under test."""
    answers, errors = ask_together([Worker(engine, threads, config) for engine, config in configs.items()], "version")
    for worker in errors:
        worker.stop()
    absent = {worker.engine: str(error) for worker, error in errors.items()}
    if OURS in absent:
        for worker in answers:
            worker.stop()
        raise OursMissing(absent[OURS])
    return list(answers), {worker.engine: version for worker, version in answers.items()}, absent
