"""Memory: the bytes that a process of each engine has resident at most while it runs a problem, beyond the interpreter,
the imported libraries and what those keep after a tiny problem: the engine's model, the input, the output and what it
works with; of a step of training also the gradients and what is kept between its passes."""

from .rounds import expected_of, judge
from .tasks import Task, make_data
from .workers import EngineError, Worker

TASKS = [Task.forward(name) for name in ("t25b64i2048h2048l1", "t365b512i32h256l1")]
TRAINED = [Task.train(name + more) for name, steps in (("t100b16i256h256l8", 10), ("t365b256i32h64l1", 20))
           for more in ("", f"-recompute{steps}")]


def measure_memory(configs: dict, task: Task, threads: int, seed: int) -> dict:
    """A result: bytes by engine, each in a fresh process, and of the numbers that ours keeps how many there are for a
    row, step and cell."""
    p, expected, found, errors, kept = task.problem, expected_of(task, make_data(task, seed)), {}, {}, {}
    for engine, config in configs.items():
        worker = Worker(engine, threads, config)
        try:
            if answer := worker.ask("memory", task, seed):
                resident, results, tape_bytes = answer
                close, error, _ = judge(engine, task, results, expected)
                if not close:
                    raise EngineError(f"wrong result: largest error {error:.2g}")
                found[engine] = resident
                if tape_bytes:
                    cells = p.seq_len * p.batch * p.num_layers * p.directions
                    kept = {"model": p.parameters() * p.itemsize, "kept": tape_bytes / p.itemsize / cells}
        except EngineError as error:
            errors[engine] = str(error)
        worker.stop()
    return {"problem": str(task), "threads": threads, "least": p.bytes(), "bytes": found, "errors": errors, **kept}
