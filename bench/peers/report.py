"""The tables."""

from .ratios import geometric_mean
from .workers import OURS

TITLES = {"wavelstm": "wavelstm", "pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO",
          "onednn-system": "oneDNN", "onednn-pypi": "oneDNN", "jax": "JAX"}


def title(engine: str, versions: dict) -> str:
    version = versions.get(engine, "").split(" ")[0].split("+")[0]
    return f"{TITLES[engine]} {version}".strip()


def markdown(header: list, rows: list) -> str:
    """The first column left, the others right."""
    cells = [header, *rows]
    widths = [max(len(str(row[column])) for row in cells) for column in range(len(header))]

    def line(row: list) -> str:
        return "| " + " | ".join(str(cell).ljust(width) if column == 0 else str(cell).rjust(width)
                                 for column, (cell, width) in enumerate(zip(row, widths))) + " |"

    rule = "|" + "|".join("-" * (width + 2) if column == 0 else "-" * (width + 1) + ":"
                          for column, width in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time_of(result: dict, engine: str) -> str:
    return next((microseconds(record["min"]) for record in result["engines"] if record["engine"] == engine), "-")


def peer_and_ratio(result: dict, versions: dict) -> tuple:
    return (title(result["best_peer"], versions) if result["best_peer"] else "-",
            f"{result['ratio']:.2f}" if "ratio" in result else "-")


def results_header(engines: list, versions: dict) -> list:
    return ["problem", "threads", *(title(engine, versions) for engine in engines), "best peer", "ratio",
            "ratios of the rounds"]


def results_row(result: dict, engines: list, versions: dict) -> list:
    times = {record["engine"]: record["min"] for record in result["engines"]}
    row = [result["problem"], result["threads"]]
    for engine in engines:
        missing = "error" if engine in result["errors"] else "-"
        row.append(microseconds(times[engine]) if engine in times else
                   "wrong" if "wrong" in result["errors"].get(engine, "") else missing)
    row += peer_and_ratio(result, versions)
    if "ratio" in result:
        low, high = result["middle_half"]
        row.append(f"{result['round_median']:.2f} ({low:.2f} to {high:.2f})")
    else:
        row.append("-")
    return row


def results_table(results: list, engines: list, versions: dict) -> str:
    return markdown(results_header(engines, versions), [results_row(result, engines, versions) for result in results])


def gains_line(threads: int, own: str, gains: list) -> list:
    """Of pairs (gain over another of ours, problem), where there is a gain: a line, or none."""
    gains = [pair for pair in gains if pair[0]]
    if not gains:
        return []
    least, problem = min(gains)
    return [f"threads {threads}, against our own {own}: geometric mean {geometric_mean([gain for gain, _ in gains]):.2f}, "
            f"least {least:.2f} ({problem})"]


def summary(results: list) -> str:
    """The geometric mean and the worst problem for each thread count."""
    lines = []
    for threads in sorted({result["threads"] for result in results}):
        ratios = [(result["ratio"], result["problem"]) for result in results
                  if result["threads"] == threads and "ratio" in result]
        if ratios:
            worst, problem = min(ratios)
            faster = sum(value > 1 for value, _ in ratios)
            lines.append(f"threads {threads}: geometric mean {geometric_mean([value for value, _ in ratios]):.2f}, "
                         f"worst {worst:.2f} ({problem}), faster on {faster} of {len(ratios)}")
    return "\n".join(lines)


def short_table(results: list, problems: list, versions: dict) -> str:
    """A few problems; of the peers PyTorch and the best one."""
    header = ["problem", "threads", "wavelstm", "PyTorch", "best peer", "ratio"]
    return markdown(header, [[result["problem"], result["threads"], time_of(result, OURS), time_of(result, "pytorch"),
                              *peer_and_ratio(result, versions)]
                             for result in results if result["problem"] in problems])


def narrow_table(results: list, versions: dict) -> str:
    """A row a problem: ours, the best peer and the ratio at each thread count."""
    threads = sorted({result["threads"] for result in results})
    header = ["problem", *(name for count in threads
                           for name in (f"{count} thread{'s' if count > 1 else ''}", "best peer", "ratio"))]
    found = {(result["problem"], result["threads"]): result for result in results}
    rows = []
    for problem in dict.fromkeys(result["problem"] for result in results):
        row = [problem]
        for result in (found.get((problem, count)) for count in threads):
            if not result:
                row += ["-", "-", "-"]
                continue
            peer, ratio = peer_and_ratio(result, versions)
            row += [time_of(result, OURS), f"{time_of(result, result['best_peer'])} ({peer})", ratio]
        rows.append(row)
    return markdown(header, rows)


def overheads_table(results: list) -> str:
    """What a call costs in C, and what Python adds to it."""
    return markdown(["call", "in C", "above C"], [[result["problem"], microseconds(result["in_c"]),
                                                   microseconds(result["above"])] for result in results])


def streams_table(results: list, engines: list, versions: dict) -> str:
    header = ["problem", "streams", *(title(engine, versions) for engine in engines), "best peer", "ratio"]
    rows = []
    for result in results:
        rates = result["rates"]
        peers = {engine: rate for engine, rate in rates.items() if engine != OURS}
        best = max(peers, key=peers.get, default=None)
        rows.append([result["problem"], result["streams"],
                     *(f"{rates[engine]:.0f}" if engine in rates else "-" for engine in engines),
                     title(best, versions) if best else "-",
                     f"{rates[OURS] / peers[best]:.2f}" if OURS in rates and best else "-"])
    return markdown(header, rows)


def memory_table(results: list, engines: list, versions: dict) -> str:
    header = ["problem", "threads", "model, x, out", *(title(engine, versions) for engine in engines),
              "best peer", "ratio"]
    rows = []
    for result in results:
        found = result["bytes"]
        peers = {engine: size for engine, size in found.items() if engine != OURS}
        best = min(peers, key=peers.get, default=None)
        rows.append([result["problem"], result["threads"], f"{result['least'] / 1e6:.0f}",
                     *(f"{found[engine] / 1e6:.0f}" if engine in found else "-" for engine in engines),
                     title(best, versions) if best else "-",
                     f"{peers[best] / found[OURS]:.2f}" if OURS in found and best else "-"])
    return markdown(header, rows)
