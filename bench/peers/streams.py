"""Concurrent streams: N host threads of one process share one of our models, each with its own plan and sequences of
batch 1; of each peer, N processes do the same. Sequences a second of all together, the best of the rounds."""

from .reference import reference
from .rounds import choose_way, judge
from .tasks import Task, make_data
from .workers import OURS, EngineError, Worker

SECONDS, ROUNDS = 0.1, 20
TASKS = [Task.forward(name) for name in ("t10b1i100h20l4", "t150b1i256h256l1", "t100b1i128h128l4")]


def start(engine: str, config: dict, count: int, task: Task, seed: int) -> list:
    """The engine's workers, ready and checked: one for ours, which has host threads of its own, else `count`."""
    workers = [Worker(engine, 1, config) for _ in range(1 if engine == OURS else count)]
    try:
        if engine == OURS:
            workers[0].ask("build_streams", task, seed, count)
            for stream, (_, results) in enumerate(workers[0].ask("first_call")):
                close, error, _ = judge(engine, task, results, reference(task, make_data(task, seed, stream)))
                if not close:
                    raise EngineError(f"stream {stream} of {count}: wrong result, largest error {error:.2g}")
        else:
            for stream, worker in enumerate(workers):
                worker.ask("build", task, seed, stream)
                choose_way(worker, task, reference(task, make_data(task, seed, stream)))
    except EngineError:
        stop(workers)
        raise
    return workers


def stop(workers: list) -> None:
    for worker in workers:
        worker.stop()


def measure_streams(configs: dict, task: Task, count: int, seed: int) -> tuple:
    """({engine: sequences a second}, {engine: what went wrong})"""
    teams, rates, errors = {}, {}, {}
    for engine, config in configs.items():
        try:
            teams[engine] = start(engine, config, count, task, seed)
            rates[engine] = 0.0
        except EngineError as error:
            errors[engine] = str(error)
    for _ in range(ROUNDS):
        for engine in list(rates):
            team = teams[engine]
            try:
                for worker in team:
                    worker.send("rate", SECONDS)
                rate = sum([worker.receive() for worker in team]) * task.problem.batch
                rates[engine] = max(rates[engine], rate)
                for worker in team:
                    worker.settle()
            except EngineError as error:
                errors[engine] = str(error)
                del rates[engine]
    for team in teams.values():
        stop(team)
    return rates, errors
