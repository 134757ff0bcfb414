"""What is told of steps of training: times, what a second thread brings, the gradients' errors, memory. Only Python's
own library."""

import re

from .precisions import errors_of, having, record_of
from .ratios import geometric_mean
from .report import gains_line, markdown, results_header, results_row, summary, title
from .workers import OURS

WORTH = 3e7  # operations from which a second thread is judged


def of_training(results: list) -> tuple:
    """(those of training, the others)"""
    trained = [result for result in results if result["problem"].startswith("train/")]
    return trained, [result for result in results if result not in trained]


def own_gain(result: dict, results: list) -> float | None:
    """Our time on one thread over ours on the result's threads, of which there are more."""
    alone = next((record_of(other, OURS) for other in results
                  if (other["problem"], other["threads"]) == (result["problem"], 1)), None)
    own = record_of(result, OURS)
    return alone["min"] / own["min"] if alone and own and result["threads"] > 1 else None


def table(results: list, engines: list, versions: dict) -> str:
    engines, rows = having(results, engines), []
    for result in results:
        gain = own_gain(result, results)
        rows.append([*results_row(result, engines, versions), f"{gain:.2f}" if gain else "-"])
    return markdown([*results_header(engines, versions), "our 1 thread / ours"], rows)


def gains_summary(results: list) -> str:
    lines = []
    for threads in sorted({result["threads"] for result in results if result["threads"] > 1}):
        gains = [(own_gain(result, results), result["problem"]) for result in results
                 if result["threads"] == threads and result.get("flops", 0) >= WORTH]
        lines += gains_line(threads, f"1 from {WORTH / 1e6:.0f} MFLOP on", gains)
    return "\n".join(lines)


def of_one_count(results: list) -> list:
    """Of the fewest threads: errors are hardly those of the threads."""
    return [result for result in results if result["threads"] == min(other["threads"] for other in results)]


def have_errors(results: list) -> bool:
    return all("max_error" in record for result in results for record in result["engines"])


def errors_table(results: list, engines: list, versions: dict) -> str:
    """Largest and mean error of all elements of all gradients, relative to the largest of each array."""
    return errors_of(of_one_count(results), engines, versions)


def errors_summary(results: list) -> str:
    """Ours beside PyTorch's in the same numbers: how often at most twice as large, and the worst."""
    pairs = [(result["problem"], record_of(result, OURS), record_of(result, "pytorch"))
             for result in of_one_count(results)]
    pairs = [pair for pair in pairs if all(pair)]
    if not pairs:
        return ""
    lines = []
    for what, error in (("largest", "max_error"), ("mean", "mean_error")):
        shares = [(own[error] / peer[error], name) for name, own, peer in pairs]
        worst, problem = max(shares)
        lines.append(f"{what} error of ours at most twice PyTorch's on {sum(share <= 2.0 for share, _ in shares)} of "
                     f"{len(shares)}, geometric mean {geometric_mean([share for share, _ in shares]):.2f} of it, worst "
                     f"{worst:.2f} ({problem})")
    return "\n".join(lines)


def memory_table(results: list, engines: list, versions: dict) -> str:
    engines = [engine for engine in engines if any(engine in result["bytes"] for result in results)]
    header = ["problem", "threads", "kept a row, step and cell", "parameters",
              *(title(engine, versions) for engine in engines), "PyTorch / ours"]
    rows = []
    for result in results:
        kept, found = result["kept"], {engine: size - result["model"] for engine, size in result["bytes"].items()}
        hidden = int(re.search(r"h(\d+)", result["problem"])[1])
        rows.append([result["problem"], result["threads"], f"{kept:.0f} ({kept / hidden:.2f} H)",
                     f"{result['model'] / 1e6:.1f}",
                     *(f"{found[engine] / 1e6:.0f}" if engine in found else "-" for engine in engines),
                     f"{found['pytorch'] / found[OURS]:.2f}" if {"pytorch", OURS} <= set(found) else "-"])
    return markdown(header, rows)


def report(results: list, engines: list, versions: dict) -> str:
    if not results:
        return ""
    return "\n\n".join(filter(None, [
        table(results, engines, versions), summary(results), gains_summary(results),
        "Largest and mean error of the gradients against float64, relative to the largest of each array.",
        errors_table(results, engines, versions), errors_summary(results)]))
