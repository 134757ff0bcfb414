"""What bench/models.py found: what it means and its table. Only Python's own library."""

from .report import TITLES, markdown
from .workers import OURS

BOUNDS = {"full": 1e-5, "bf16": 0.05, "int8": 0.25}  # what a fault would exceed


def beyond(results: list) -> list:
    """What ours exceeds."""
    return [f"{result['precision']}: {name} {value:.2g}, at most {BOUNDS[result['precision']]:.2g} expected"
            for result in results if result["engine"] == OURS
            for name, value in (("probability", result["largest"]), ("cosine", 1.0 - result["least_cosine"]))
            if not value <= BOUNDS[result["precision"]]]


def table(results: list) -> str:
    header = ["products", "engine", "silero-vad: largest difference", "mean", "decisions changed",
              "resemblyzer: 1 - least cosine"]
    names = {"full": "f32", "bf16": "bf16", "int8": "int8"}
    return markdown(header, [[names[result["precision"]], TITLES[result["engine"]], f"{result['largest']:.1e}",
                              f"{result['mean']:.1e}", f"{result['changed']} of {result['decisions']}",
                              f"{1.0 - result['least_cosine']:.1e}"] for result in results])
