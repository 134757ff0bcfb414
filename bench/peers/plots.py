"""Two figures, readable in grey: each engine has a line style, a marker and a hatch of its own."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

from .precisions import of_precision
from .report import title
from .workers import MODULES

STYLES = dict(zip(MODULES, (("black", "-", "o"), ("0.55", "--", "s"), ("0.4", ":", "^"), ("0.6", "-.", "v"),
                            ("0.3", "--", "D"), ("0.7", "-", "x"), ("0.2", ":", "+"))))
GREYS, HATCHES = ("0.25", "0.8", "0.5", "0.95"), ("", "///", "...", "xx")


def throughput(results: list, versions: dict, path: Path) -> None:
    """One panel a problem: GFLOP/s of each engine against threads."""
    problems = list(dict.fromkeys(result["problem"] for result in results))
    threads = sorted({result["threads"] for result in results})
    columns = min(4, len(problems))
    rows = -(-len(problems) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, 2.5 * rows + 0.8), squeeze=False)
    for axis, problem in zip(axes.flat, problems):
        series = {}
        for result in results:
            if result["problem"] == problem:
                for record in result["engines"]:
                    series.setdefault(record["engine"], []).append(
                        (result["threads"], result["flops"] / record["min"] / 1e9))
        for engine, points in series.items():
            colour, line, marker = STYLES[engine]
            axis.plot(*zip(*sorted(points)), color=colour, linestyle=line, marker=marker, markersize=5,
                      label=title(engine, versions))
        axis.set_title(problem, fontsize=9)
        axis.set_ylim(bottom=0)
        axis.set_xticks(threads)
        axis.set_xlabel("threads", fontsize=8)
        axis.set_ylabel("GFLOP/s", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(color="0.9")
    for axis in axes.flat[len(problems):]:
        axis.set_visible(False)
    legend = {text: handle for axis in axes.flat for handle, text in zip(*axis.get_legend_handles_labels())}
    figure.legend(legend.values(), legend.keys(), loc="lower center", ncols=min(3, len(legend)), fontsize=8)
    figure.suptitle("Throughput of one forward call (fastest of all turns)", fontsize=10)
    figure.tight_layout(rect=(0, 0.6 / (2.5 * rows + 0.8), 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def ratios(results: list, path: Path) -> None:
    """A bar a problem and thread count: the best peer's time over ours."""
    problems = list(dict.fromkeys(result["problem"] for result in results))
    threads = sorted({result["threads"] for result in results})
    figure, axis = plt.subplots(figsize=(8, 0.3 * len(problems) * max(2, len(threads)) / 2 + 1.5))
    height = 0.8 / len(threads)
    for place, count in enumerate(threads):
        values = {result["problem"]: result.get("ratio", 0.0) for result in results if result["threads"] == count}
        positions = [row + (place - (len(threads) - 1) / 2) * height for row in range(len(problems))]
        axis.barh(positions, [values.get(problem, 0.0) for problem in problems], height, edgecolor="black",
                  color=GREYS[place % len(GREYS)], hatch=HATCHES[place % len(HATCHES)], linewidth=0.5,
                  label=f"{count} thread{'s' if count > 1 else ''}")
    axis.axvline(1.0, color="black", linewidth=1)
    axis.set_yticks(range(len(problems)), problems, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("time of the best peer / time of wavelstm (right of 1: wavelstm is faster)", fontsize=9)
    axis.grid(axis="x", color="0.9")
    axis.set_axisbelow(True)
    axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def save_plots(results: list, versions: dict, directory: Path) -> list:
    """throughput.png and ratios.png, or of a run with bf16 and int8 throughput-bf16.png and so on, without its f32."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    rounded = [precision for precision in ("bf16", "int8") if of_precision(results, precision)]
    for precision in rounded or ["full"]:
        chosen, suffix = of_precision(results, precision), f"-{precision}" if rounded else ""
        if chosen:
            paths.append(directory / f"throughput{suffix}.png")
            throughput(chosen, versions, paths[-1])
        if any("ratio" in result for result in chosen):
            paths.append(directory / f"ratios{suffix}.png")
            ratios(chosen, paths[-1])
    return paths
