"""What products in bf16 and int8 bring and cost: the same results beside our own f32, and every engine's errors. A
result's precision is in its problem's name. Only Python's own library."""

import re

from .report import gains_line, markdown, results_header, results_row, results_table, summary, title
from .workers import OURS

CAREFUL = "onnxruntime"  # whose int8 has a scale for each channel
WIDE = 256  # hidden units from which a precision is held against our own f32


def precision_of(problem: str) -> str:
    return next((name for name in ("bf16", "int8") if problem.endswith(f"-{name}")), "full")


def of_precision(results: list, precision: str) -> list:
    return [result for result in results if precision_of(result["problem"]) == precision]


def record_of(result: dict, engine: str) -> dict | None:
    return next((record for record in result["engines"] if record["engine"] == engine), None)


def having(chosen: list, engines: list) -> list:
    return [engine for engine in engines if any(record_of(result, engine) for result in chosen)]


def own_gain(result: dict, results: list) -> float | None:
    """Our time in f32 over ours in the result's precision."""
    name = result["problem"].rpartition("-")[0]
    full = next((record_of(other, OURS) for other in results
                 if (other["problem"], other["threads"]) == (name, result["threads"])), None)
    own = record_of(result, OURS)
    return full["min"] / own["min"] if full and own else None


def precision_table(results: list, precision: str, engines: list, versions: dict) -> str:
    """Those of a precision, with the engines that have it."""
    chosen = of_precision(results, precision)
    engines = having(chosen, engines)
    rows = []
    for result in chosen:
        gain = own_gain(result, results)
        rows.append([*results_row(result, engines, versions), f"{gain:.2f}" if gain else "-"])
    return markdown([*results_header(engines, versions), f"our f32 / our {precision}"], rows)


def gains_summary(results: list, precision: str) -> str:
    lines = []
    for threads in sorted({result["threads"] for result in results}):
        gains = [(own_gain(result, results), result["problem"]) for result in of_precision(results, precision)
                 if result["threads"] == threads and int(re.search(r"h(\d+)", result["problem"])[1]) >= WIDE]
        lines += gains_line(threads, f"f32 from {WIDE} units on", gains)
    return "\n".join(lines)


def errors_table(results: list, precision: str, engines: list, versions: dict) -> str:
    """Largest and mean error of all elements of out, h_n and c_n against float64."""
    return errors_of(of_precision(results, precision), engines, versions)


def errors_of(chosen: list, engines: list, versions: dict) -> str:
    engines = having(chosen, engines)
    rows = []
    for result in chosen:
        records = [record_of(result, engine) for engine in engines]
        rows.append([result["problem"], result["threads"],
                     *(f"{record['max_error']:.2e}, {record['mean_error']:.2e}" if record else "-"
                       for record in records)])
    return markdown(["problem", "threads", *(title(engine, versions) for engine in engines)], rows)


def errors_summary(results: list) -> str:
    """On how many problems our int8 errs no more than the careful peer's."""
    pairs = [(record_of(result, OURS), record_of(result, CAREFUL)) for result in of_precision(results, "int8")]
    pairs = [pair for pair in pairs if all(pair)]
    if not pairs:
        return ""
    largest, mean = (sum(own[error] <= peer[error] for own, peer in pairs) for error in ("max_error", "mean_error"))
    return (f"int8: the largest error at most ONNX Runtime's on {largest} of {len(pairs)}, the mean on {mean} of "
            f"{len(pairs)}")


def report(results: list, engines: list, versions: dict) -> str:
    """A table and its means for each precision, then the errors of those that round."""
    parts = []
    if full := of_precision(results, "full"):
        parts += [results_table(full, engines, versions), summary(full)]
    for precision in ("bf16", "int8"):
        if chosen := of_precision(results, precision):
            parts += [precision_table(results, precision, engines, versions), summary(chosen),
                      gains_summary(results, precision), "Largest and mean error against float64.",
                      errors_table(results, precision, engines, versions), errors_summary(chosen)]
    return "\n\n".join(filter(None, parts))
