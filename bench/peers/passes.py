"""Goes through all tasks again and again, and puts together what the passes found."""

import time
from typing import Callable, Iterator

from . import ratios, rounds, workers
from .tasks import make_data

GROUP_BYTES = 1 << 27  # of the models, inputs and outputs of tasks that every engine holds at once


def groups(tasks: list) -> Iterator[list]:
    """Neighbours together, as many as GROUP_BYTES allows."""
    group, size = [], 0
    for task in tasks:
        if group and size + task.problem.bytes() > GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(task)
        size += task.problem.bytes()
    if group:
        yield group


def wanted(number: int, count: int, passes: list) -> bool:
    """Whether a task that has had these passes takes part in pass `number` of `count` regular ones and some more."""
    if not passes:
        return True
    if passes[0].preparation > rounds.COSTLY_SECONDS:
        return number < count and number % 2 == 0
    return number < count or not ratios.settled(all_turns(passes), workers.OURS)


def measure_all(configs: dict, chosen: list, thread_counts: list, count: int, seconds: float, seed: int,
                progress: Callable[[str], None]) -> tuple:
    """([a result for each task and thread count], {engine: version}, {engine: why it is absent})"""
    start, references, versions, absent = time.monotonic(), {}, {}, {}
    found = {(task, threads): [] for threads in thread_counts for task in chosen}
    for number in range(count + (count + 1) // 2):
        for threads in thread_counts:
            tasks = [task for task in chosen if wanted(number, count, found[task, threads])]
            if not tasks:
                continue
            engines, present, missing = workers.start_workers(configs, threads)
            versions.update(present)
            absent.update(missing)
            for group in groups(tasks):
                progress(f"pass {number + 1} of {count}{' and more' if number >= count else ''}, {threads} threads, "
                         f"{group[0]} to {group[-1]}, {time.monotonic() - start:.0f} s")
                for task in group:  # one for all precisions
                    if task.at("full") not in references:
                        references[task.at("full")] = rounds.expected_of(task, make_data(task, seed))
                expected = {task: references[task.at("full")] for task in group}
                for one in rounds.measure(engines, expected, seed, seconds):
                    found[one.task, threads].append(one)
            for worker in engines:
                worker.stop()
    progress("")
    return [put_together(threads, passes) for (_, threads), passes in found.items()], versions, absent


def all_turns(passes: list) -> dict:
    """{engine: its turns} of those that did the task in every pass."""
    return {engine: [one.records[engine]["turns"] for one in passes] for engine in passes[0].records
            if all(engine in one.records for one in passes)}


def put_together(threads: int, passes: list) -> dict:
    """A result from a task's passes; of an engine that failed in one, only why."""
    task, turns = passes[0].task, all_turns(passes)
    engines = [{"engine": engine, "ways": [one.records[engine]["way"] for one in passes],
                **{error: max(one.records[engine][error] for one in passes) for error in ("max_error", "mean_error")},
                "min": ratios.fastest(taken), "turns": taken} for engine, taken in turns.items()]
    return {"problem": str(task), "threads": threads, "flops": task.flops(), "engines": engines,
            "errors": {engine: why for one in passes for engine, why in one.errors.items()},
            **ratios.conclude(turns, workers.OURS)}
