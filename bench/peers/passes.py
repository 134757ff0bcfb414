"""Goes through all problems again and again, and puts together what the passes found."""

import time
from typing import Callable

from . import ratios, rounds
from .reference import reference
from .tasks import Task, make_data


def measure_all(configs: dict, chosen: list, thread_counts: list, passes: int, seconds: float, seed: int,
                progress: Callable[[str], None]) -> tuple:
    """([a result for each task and thread count], {engine: version}, {engine: why it is absent})"""
    start, references, found, long, versions, absent = time.monotonic(), {}, {}, set(), {}, {}
    for number in range(passes):
        for threads in thread_counts:
            workers, present, missing = rounds.start_workers(configs, threads)
            versions.update(present)
            absent.update(missing)
            for done, task in enumerate(chosen):
                if number % 2 and (task, threads) in long:
                    continue
                progress(f"pass {number + 1} of {passes}, {threads} threads: {done + 1} of {len(chosen)}, {task}, "
                         f"{time.monotonic() - start:.0f} s")
                if task not in references:
                    references[task] = reference(task, make_data(task, seed))
                records, errors = rounds.measure(workers, task, references[task], seed, seconds)
                found.setdefault((task, threads), []).append((records, errors))
                if rounds.is_long(records):
                    long.add((task, threads))
            for worker in workers:
                worker.stop()
    progress("")
    return [put_together(task, threads, found[task, threads]) for threads in thread_counts for task in chosen], \
        versions, absent


def put_together(task: Task, threads: int, passes: list) -> dict:
    """A result from what rounds.measure found in each pass; of an engine that failed in one, only why."""
    errors = {engine: why for _, failed in passes for engine, why in failed.items()}
    whole = [engine for engine in passes[0][0] if all(engine in records for records, _ in passes)]
    turns = {engine: [records[engine]["turns"] for records, _ in passes] for engine in whole}
    engines = [{"engine": engine, "ways": [records[engine]["way"] for records, _ in passes],
                "max_error": max(records[engine]["max_error"] for records, _ in passes),
                "min": ratios.fastest(turns[engine]), "turns": turns[engine]} for engine in whole]
    return {"problem": str(task), "threads": threads, "flops": task.flops(), "engines": engines, "errors": errors,
            **ratios.conclude(turns, rounds.OURS)}
