"""Line charts as SVG, readable in grey, by Python's own library: a machine that is measured need not have more."""

import math
from html import escape

STYLES = (("#000", "", "circle"), ("#777", "6 3", "square"), ("#444", "2 2", "diamond"), ("#999", "8 3 2 3", "circle"),
          ("#000", "2 4", "square"), ("#aaa", "", "diamond"))
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 300, 230, 46, 26, 10, 38  # of a panel and of its margins
LEGEND, COLUMNS = 18, 3


def powers(least: float, most: float) -> list:
    """The powers of two from below the least to above the most, two at least."""
    low, high = math.floor(math.log2(least)), math.ceil(math.log2(most))
    return [2.0 ** power for power in range(low, max(high, low + 1) + 1)]


def mark(shape: str, x: float, y: float, colour: str) -> str:
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if shape == "diamond" else ""
    return f'<rect x="{x - 2.7:.1f}" y="{y - 2.7:.1f}" width="5.4" height="5.4" fill="{colour}"{turn}/>'


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 10, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{more}>{escape(words)}</text>'


def short(value: float) -> str:
    return f"{value:g}" if value >= 1 else f"1/{1 / value:g}"


def panel(title: str, series: dict, labels: list, ideal: bool, x_label: str, y_label: str) -> list:
    """Both axes logarithmic, to the base of 2; {label: [(x, y)]}; ideal: the line y = x."""
    points = [point for line in series.values() for point in line]
    xs, ys = powers(min(x for x, _ in points), max(x for x, _ in points)), powers(
        min(y for _, y in points), max(y for _, y in points))

    def at(x: float, y: float) -> tuple:
        across, up = (math.log2(v / ticks[0]) / math.log2(ticks[-1] / ticks[0]) for v, ticks in ((x, xs), (y, ys)))
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    parts = [text(WIDTH / 2, 16, title, size=11)]
    for tick in xs:
        x, y = at(tick, ys[0])
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x:.1f}" y2="{TOP}" stroke="#ddd"/>')
        parts.append(text(x, y + 13, short(tick)))
    for tick in ys:
        x, y = at(xs[0], tick)
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(text(x - 4, y + 3.5, short(tick), "end"))
    if ideal and max(xs[0], ys[0]) < min(xs[-1], ys[-1]):
        (x1, y1), (x2, y2) = (at(v, v) for v in (max(xs[0], ys[0]), min(xs[-1], ys[-1])))
        parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#bbb" stroke-width="1"/>')
    for label, line in series.items():
        colour, dash, shape = STYLES[labels.index(label) % len(STYLES)]
        placed = [at(*point) for point in sorted(line)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5" '
                     f'stroke-dasharray="{dash}"/>')
        parts += [mark(shape, x, y, colour) for x, y in placed]
    parts.append(text(WIDTH / 2, HEIGHT - 6, x_label))
    middle = (HEIGHT - BOTTOM + TOP) / 2
    parts.append(text(10, middle, y_label, more=f' transform="rotate(-90 10 {middle:.1f})"'))
    return parts


def lines(title: str, panels: dict, x_label: str, y_label: str, ideal: bool = False) -> str:
    """A panel each of {title: {label: [(x, y)]}}, x and y above zero."""
    labels = list(dict.fromkeys(label for series in panels.values() for label in series))
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    width, height = columns * WIDTH, 24 + rows * HEIGHT + LEGEND * len(labels) + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="sans-serif">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>', text(width / 2, 17, title, size=12)]
    for number, (name, series) in enumerate(panels.items()):
        parts.append(f'<g transform="translate({number % columns * WIDTH} {24 + number // columns * HEIGHT})">')
        parts += [*panel(name, series, labels, ideal, x_label, y_label), "</g>"]
    for number, label in enumerate(labels):
        colour, dash, shape = STYLES[number % len(STYLES)]
        y = 24 + rows * HEIGHT + LEGEND * (number + 0.5)
        parts += [f'<line x1="20" y1="{y}" x2="60" y2="{y}" stroke="{colour}" stroke-width="1.5" '
                  f'stroke-dasharray="{dash}"/>', mark(shape, 40, y, colour), text(68, y + 3.5, label, "start")]
    return "\n".join([*parts, "</svg>"]) + "\n"
