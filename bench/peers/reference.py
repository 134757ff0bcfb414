"""The equations in float64, which every engine's result is compared with before it is timed."""

import sys
from pathlib import Path

import numpy as np

from .tasks import Data, Task

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests/support"))
from tolerances import TOLERANCE  # noqa: E402


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def run_direction(x: np.ndarray, param: dict, lengths: np.ndarray, reverse: bool, keep=None) -> tuple:
    """One layer in one direction: x [T, B, I] -> out [T, B, R], h_n [B, R], c_n [B, H]. keep is called at each step
    with what gradients.py needs of it."""
    param = {name: value.astype(np.float64) for name, value in param.items()}
    seq_len, batch, _ = x.shape
    gates_x = x @ param["weight_ih"].T
    if "bias_ih" in param:
        gates_x += param["bias_ih"] + param["bias_hh"]
    h = np.zeros((batch, param["weight_hh"].shape[1]))
    c = np.zeros((batch, param["weight_hh"].shape[0] // 4))
    out = np.zeros((seq_len, *h.shape))
    for t in reversed(range(seq_len)) if reverse else range(seq_len):
        i, f, g, o = np.split(gates_x[t] + h @ param["weight_hh"].T, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c_next = f * c + i * g
        h_next = o * np.tanh(c_next)
        alive = (t < lengths)[:, None]  # past its end a row keeps its state, and out is zero
        if keep:
            keep(t, alive, h, c, (i, f, g, o), c_next)
        if "weight_hr" in param:
            h_next = h_next @ param["weight_hr"].T
        h, c = np.where(alive, h_next, h), np.where(alive, c_next, c)
        out[t] = np.where(alive, h_next, 0.0)
    return out, h, c


def lengths_of(task: Task, data: Data) -> np.ndarray:
    return np.full(task.problem.batch, task.problem.seq_len) if data.lengths is None else data.lengths


def reference(task: Task, data: Data) -> tuple:
    """out [T, B, D*R] and, except for `steps`, h_n [D*L, B, R] and c_n [D*L, B, H], all float64."""
    x, h_n, c_n = data.x.astype(np.float64), [], []
    directions, lengths = task.problem.directions, lengths_of(task, data)
    for layer in range(len(data.params) // directions):
        outs = []
        for direction in range(directions):
            out, h, c = run_direction(x, data.params[layer * directions + direction], lengths, direction == 1)
            outs.append(out)
            h_n.append(h)
            c_n.append(c)
        x = np.concatenate(outs, axis=2)
    return (x,) if task.kind == "steps" else (x, np.stack(h_n), np.stack(c_n))


# TOLERANCE is ours and PyTorch's, whose own promise it is. The others promise none, and one that is a little off should
# stay in the comparison: it has to show that it computes the same function. (rtol, atol)
PEER_TOLERANCE = (1e-4, 1e-4)
# Nobody who rounds operands promises a bound: one that drops a gate or a layer is beyond these, a coarse one is not.
ROUNDED_TOLERANCE = {"bf16": (0.05, 0.05), "int8": (0.1, 0.1)}


def compare(results: tuple, expected: tuple, rtol: float, atol: float) -> tuple:
    """(whether all are close as torch.testing.assert_close means it, the largest and the mean absolute difference)."""
    worst, total, count, close = 0.0, 0.0, 0, len(results) == len(expected)
    for result, wanted in zip(results, expected):
        if result.shape != wanted.shape:
            return False, float("inf"), float("inf")
        error = np.abs(result - wanted)
        close = close and bool(np.all(error <= atol + rtol * np.abs(wanted)))
        worst = max(worst, float(np.max(error, initial=0.0)))
        total, count = total + float(np.sum(error)), count + error.size
    return close, worst, total / max(count, 1)
