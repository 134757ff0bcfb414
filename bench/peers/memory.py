"""Memory: the bytes that a process of each engine has resident at most while it runs a problem, beyond the interpreter,
the imported libraries and what those keep after a tiny problem: the engine's model, the input, the output and what it
works with."""

from .reference import compare, reference
from .rounds import tolerance
from .tasks import Task, make_data
from .workers import EngineError, Worker

TASKS = [Task.forward(name) for name in ("t25b64i2048h2048l1", "t365b512i32h256l1")]


def measure_memory(configs: dict, task: Task, threads: int, seed: int) -> tuple:
    """({engine: bytes}, {engine: what went wrong}), each engine in a fresh process"""
    expected, found, errors = reference(task, make_data(task, seed)), {}, {}
    for engine, config in configs.items():
        worker = Worker(engine, threads, config)
        try:
            if answer := worker.ask("memory", task, seed):
                resident, results = answer
                close, error, _ = compare(results, expected, *tolerance(engine, task))
                if not close:
                    raise EngineError(f"wrong result: largest error {error:.2g}")
                found[engine] = resident
        except EngineError as error:
            errors[engine] = str(error)
        worker.stop()
    return found, errors
