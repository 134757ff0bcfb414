"""The equations of the pass back in float64: what every engine's step of training is compared with before it is timed.
The loss is the sum of d_out * out, so that d_out is its gradient by out."""

import numpy as np

from .reference import lengths_of, run_direction
from .tasks import Data, Task

# Of each array's largest; nobody promises a bound. (rtol, atol)
TOLERANCE = {"f32": (0.0, 1e-4), "f64": (0.0, 1e-9)}


def run_back(x: np.ndarray, param: dict, steps: list, d_out: np.ndarray) -> tuple:
    """One layer in one direction, from the steps that run_direction kept and d_out [T, B, R]: d_x [T, B, I] and the
    parameters' gradients, named as they are."""
    param = {name: value.astype(np.float64) for name, value in param.items()}
    d_gates = np.zeros((*x.shape[:2], len(param["weight_hh"])))
    h_before, m, d_h_all = (np.zeros((*x.shape[:2], width)) for width in (
        param["weight_hh"].shape[1], len(param["weight_hh"]) // 4, param["weight_hh"].shape[1]))
    d_h, d_c = np.zeros_like(h_before[0]), np.zeros_like(m[0])
    for t, alive, h, c_before, (i, f, g, o), c in reversed(steps):
        h_before[t], m[t] = h * alive, o * np.tanh(c) * alive
        d_h_all[t] = whole = (d_h + d_out[t]) * alive
        d_m = whole @ param["weight_hr"] if "weight_hr" in param else whole
        d_c_all = d_c + d_m * o * (1.0 - np.tanh(c) ** 2)
        d_gates[t] = alive * np.concatenate([
            d_c_all * g * i * (1.0 - i), d_c_all * c_before * f * (1.0 - f), d_c_all * i * (1.0 - g * g),
            d_m * np.tanh(c) * o * (1.0 - o)], axis=1)
        d_h, d_c = np.where(alive, d_gates[t] @ param["weight_hh"], d_h), np.where(alive, d_c_all * f, d_c)

    def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return left.reshape(-1, left.shape[2]).T @ right.reshape(-1, right.shape[2])

    found = {"weight_ih": product(d_gates, x), "weight_hh": product(d_gates, h_before),
             "weight_hr": product(d_h_all, m), "bias_ih": d_gates.sum((0, 1)), "bias_hh": d_gates.sum((0, 1))}
    return d_gates @ param["weight_ih"], {name: found[name] for name in param}


def gradients(task: Task, data: Data) -> tuple:
    """d_x [T, B, I] and the gradients of data.params, one after another, all float64."""
    directions, lengths = task.problem.directions, lengths_of(task, data)
    inputs, kept = [data.x.astype(np.float64)], []
    for layer in range(task.problem.num_layers):
        outs = []
        for direction in range(directions):
            kept.append([])
            out, _, _ = run_direction(inputs[layer], data.params[layer * directions + direction], lengths,
                                      direction == 1, lambda *step: kept[-1].append(step))
            outs.append(out)
        inputs.append(np.concatenate(outs, axis=2))
    found, d_out = {}, data.d_out.astype(np.float64)
    for layer in reversed(range(task.problem.num_layers)):
        d_outs, d_out = np.split(d_out, directions, axis=2), np.zeros_like(inputs[layer])
        for direction in range(directions):
            cell = layer * directions + direction
            d_x, found[cell] = run_back(inputs[layer], data.params[cell], kept[cell], d_outs[direction])
            d_out += d_x
    return (d_out, *(values for cell in range(len(data.params)) for values in found[cell].values()))
