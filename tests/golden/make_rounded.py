#!/usr/bin/env python3
"""Writes tests/golden/data/rounded: what LSTMs of precision bf16 and int8 give, and those of bfloat16 arrays, by a model in float64
that shares no code with the library and rounds what docs/precision.md says is rounded.

    python3 tests/golden/make_rounded.py        (NumPy alone)

    data/rounded/cases.txt, NAME.bin   as make_golden.py's, with a column more, the precision
    data/rounded/products.txt          products of two rows: scales, integer sums of each block, sum of bf16 products

An h that lies between two roundings may go to either when its last bits differ, so a case is named anew until none does. With
bfloat16 arrays neither does an h or c of the results, which are then the same bits for everybody.
"""
import math
import pathlib

import numpy as np

from golden_cases import COLUMNS, case, inputs, nearest_bfloat16, parameter, uniform

DATA = pathlib.Path(__file__).resolve().parent / "data" / "rounded"
BLOCK = 131072    # products of an integer sum
LEAST = 2.0**-120  # rows whose magnitudes are all below are zeros
MARGIN = 1e-4     # of a step between neighbours, that a computed value keeps from the middle of two,
ERROR = 2e-7      # and of itself, where it is one of an array
SMALL = 1e-6


# --------------------------------------------------------------------------------------------------------------- rounding

def round_bf16(values):
    """To 8 significant bits, the even one of two as near; below float's normals zero, beyond bfloat16's largest infinity."""
    significand, exponent = np.frexp(values)
    rounded = np.ldexp(np.rint(significand * 256) / 256, exponent)
    rounded = np.where(np.abs(rounded) >= 2.0**128, np.copysign(np.inf, values), rounded)
    return np.where(np.abs(values) < 2.0**-126, np.copysign(0.0, values), rounded)


def scales(rows):
    """Of rows [.., n] in float32: scale and inverse, float32 each; NaN and 0 of a row that is not finite, 0 and 0 of a tiny one."""
    rows = rows.astype(np.float32)
    largest = np.max(np.abs(rows), axis=-1)
    with np.errstate(all="ignore"):
        scale, inverse = largest / np.float32(127), np.float32(127) / largest
    finite, large = np.isfinite(largest), largest >= LEAST
    return (np.where(finite, np.where(large, scale, np.float32(0)), np.float32(np.nan)),
            np.where(finite & large, inverse, np.float32(0)))


def integers(rows, inverse):
    finite = np.where(np.isfinite(rows), rows, 0).astype(np.float32)
    return np.rint(finite * inverse[..., None]).astype(np.int64)


class Product:
    """rows [n, k] W [m, k]^T of a precision. `nearest` is how near any row's value came to the middle of two roundings, in steps."""

    def __init__(self, precision):
        self.precision, self.nearest = precision, 0.5

    def watch(self, steps, size=1.0):
        steps = np.abs(np.where(np.isfinite(steps), steps, 0.0))
        distance = np.abs(steps - np.floor(steps) - 0.5) * np.minimum(1, size * MARGIN / ERROR)
        self.nearest = min(self.nearest, np.min(distance, initial=0.5))

    def stored(self, values):
        """What a bfloat16 array has of computed values. Those so small that a step is SMALL may fall to either side."""
        significand, exponent = np.frexp(values)
        step = np.ldexp(1.0, exponent - 8)
        large = np.isfinite(values) & (step > SMALL)
        self.watch(significand[large] * 256, step[large])
        return nearest_bfloat16(values.astype(np.float32)).astype(np.float64)

    def __call__(self, rows, weight, computed):
        rows, weight = rows.astype(np.float32).astype(np.float64), weight.astype(np.float64)
        if self.precision == "bf16":
            if computed:
                self.watch(np.frexp(rows)[0] * 256)
            with np.errstate(invalid="ignore"):
                return round_bf16(rows) @ round_bf16(weight).T
        (of_rows, inverse_rows), (of_weight, inverse_weight) = scales(rows), scales(weight)
        if computed:
            self.watch(rows * inverse_rows[:, None].astype(np.float64))
        sums = integers(rows, inverse_rows) @ integers(weight, inverse_weight).T
        return sums * of_rows.astype(np.float64)[:, None] * of_weight.astype(np.float64)


# ------------------------------------------------------------------------------------------------------------- the model

def sigmoid(values):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-values))


def run_direction(product, weights, x, lengths, h, c, reverse, computed, narrow, cell):
    """x [T, B, I], h [B, R], c [B, H] -> out [T, B, R], h, c. computed: x is not as it was given, but of the layer below. narrow:
    of bfloat16 arrays, h is what they have of it, step by step, and c of a cell, whose steps are calls."""
    out = np.zeros((x.shape[0], *h.shape))
    bias = weights.get("bias_ih", 0.0) + weights.get("bias_hh", 0.0)
    for step in range(x.shape[0]):
        rows = np.flatnonzero(step < lengths)
        if not rows.size:
            break
        times = lengths[rows] - 1 - step if reverse else np.full(rows.size, step)
        gates = product(x[times, rows], weights["weight_ih"], computed and not narrow) + bias
        gates = gates + product(h[rows], weights["weight_hh"], step > 0 and not narrow)
        i, f, g, o = np.split(gates, 4, axis=1)
        c[rows] = sigmoid(f) * c[rows] + sigmoid(i) * np.tanh(g)
        m = sigmoid(o) * np.tanh(c[rows])
        h[rows] = product(m, weights["weight_hr"], True) if "weight_hr" in weights else m
        if narrow:
            h[rows] = product.stored(h[rows])
        if narrow and cell:
            c[rows] = product.stored(c[rows])
        out[times, rows] = h[rows]
    return out, h, c


def run(c):
    """out, h_n, c_n in float64, and how near the roundings came."""
    x, h_0, c_0 = (array.astype(np.float64) for array in inputs(c))
    if c["batch_first"]:
        x = x.transpose(1, 0, 2)
    directions, hidden, width = 1 + c["bidirectional"], c["hidden_size"], c["proj_size"] or c["hidden_size"]
    if not c["states"]:
        h_0, c_0 = np.zeros_like(h_0), np.zeros_like(c_0)
    lengths = np.full(c["batch"], c["seq_len"]) if c["lengths"] == "-" else np.array([int(n) for n in c["lengths"].split(",")])
    narrow = c["dtype"] == "bf16"
    product, h_n, c_n = Product("bf16" if narrow and c["precision"] == "full" else c["precision"]), [], []
    for layer in range(c["num_layers"]):
        outs = []
        for direction in range(directions):
            end = "" if c["module"] == "cell" else f"_l{layer}" + "_reverse" * direction
            shapes = {"weight_ih": (4 * hidden, x.shape[2]), "weight_hh": (4 * hidden, width)}
            if c["bias"]:
                shapes.update(bias_ih=(4 * hidden,), bias_hh=(4 * hidden,))
            if c["proj_size"]:
                shapes["weight_hr"] = (width, hidden)
            weights = {name: parameter(c, name + end, shape).astype(np.float64) for name, shape in shapes.items()}
            block = layer * directions + direction
            out, h, cell = run_direction(product, weights, x, lengths, h_0[block].copy(), c_0[block].copy(), direction == 1,
                                         layer > 0, narrow, c["module"] == "cell")
            outs.append(out), h_n.append(h), c_n.append(product.stored(cell) if narrow else cell)
        x = np.concatenate(outs, axis=2)
    out = x.transpose(1, 0, 2) if c["batch_first"] else x
    return (out, np.stack(h_n), np.stack(c_n)), product.nearest


# ----------------------------------------------------------------------------------------------------------------- cases

def all_cases():
    sizes = [dict(input_size=8, hidden_size=16, seq_len=5, batch=3),
             dict(input_size=33, hidden_size=31, num_layers=2, seq_len=3, batch=5, states=1),
             dict(input_size=17, hidden_size=20, num_layers=2, proj_size=7, bidirectional=1, seq_len=4, batch=3, ragged=1, states=1),
             dict(input_size=1, hidden_size=1, num_layers=3, bias=0, seq_len=4, batch=2),
             dict(input_size=100, hidden_size=40, bias=0, bidirectional=1, batch_first=1, seq_len=2, batch=2, ragged=1),
             dict(input_size=9, hidden_size=33, proj_size=32, batch_first=1, seq_len=3, batch=9),
             dict(module="cell", input_size=12, hidden_size=19, seq_len=6, batch=4, states=1)]
    for special in ("nan_x", "inf_x", "nan_h", "inf_h", "nan_c", "nan_w", "inf_w", "large_x", "huge_x", "tiny_x", "huge_c"):
        sizes.append(dict(input_size=9, hidden_size=17, num_layers=2, seq_len=4, batch=5, states=1, special=special, special_row=2))
    for precision, dtype, end in (("bf16", "f32", "bf16"), ("int8", "f32", "int8"), ("full", "bf16", "bf16arrays"),
                                  ("int8", "bf16", "bf16arrays-int8")):
        for options in sizes:
            first = options.get("special") or f"t{options['seq_len']}b{options['batch']}i{options['input_size']}h{options['hidden_size']}"
            name = ("cell-" if options.get("module") else "") + f"{first}-{end}"
            if dtype == "bf16" and not (options.get("special") or "").startswith(("nan", "inf", "tiny")):
                yield precision, name, dict(options, dtype=dtype)
            elif dtype == "f32":
                yield precision, name, options


def settle(precision, name, options):
    """The case under the first name with which no computed value lies between two roundings, and its results."""
    for attempt in range(1000):
        c = case(f"{name}-{attempt}", precision=precision, **options)
        results, nearest = run(c)
        if nearest > MARGIN:
            return c, results
    raise AssertionError(f"{name}: no value far from the middle of two roundings")


# --------------------------------------------------------------------------------------------------------------- products

# name, n, exponent of w, exponent of x, what is special
PRODUCTS = [("one", 1, 0, 0, "none"), ("few", 7, -2, 0, "none"), ("row", 300, -3, 2, "none"), ("long", 2 * BLOCK + 5, -3, 0, "none"),
            ("block", BLOCK, 0, 0, "ones"), ("blocks", BLOCK + 1, 0, 0, "ones"), ("ties", 255, 0, 0, "ties"),
            ("smallest", 9, 0, 0, "smallest"), ("below", 9, 0, 0, "below"), ("denormal", 40, -3, -125, "none"),
            ("tiny", 40, -118, -118, "none"), ("huge", 40, 100, 20, "none"), ("largest", 5, -4, 0, "largest"), ("nan", 8, 0, 0, "nan"),
            ("infinite", 8, 0, 0, "infinite")]


def product_rows(name, n, w_exponent, x_exponent, special):
    """w and x in float32; tests/golden/test_products.c makes the same."""
    w, x = uniform(f"{name}/w", (n,), w_exponent, "f32"), uniform(f"{name}/x", (n,), x_exponent, "f32")
    if special == "ones":
        w[:], x[:] = 1, -1
    elif special == "ties":  # halves of int8's steps, and of bfloat16's
        w[:], x[:] = np.arange(n) / 2 - (n - 1) / 4, 1 + np.arange(n) / 256
        w[0], w[-1] = -127, 127
    elif special in ("smallest", "below"):
        x *= np.float32(0)
        x[4] = -LEAST if special == "smallest" else -np.nextafter(np.float32(LEAST), np.float32(0))
    elif special == "largest":
        x[2] = np.finfo(np.float32).max
    elif special in ("nan", "infinite"):
        x[3] = np.nan if special == "nan" else -np.inf
    return w, x


def product_line(name, n, w_exponent, x_exponent, special):
    w, x = product_rows(name, n, w_exponent, x_exponent, special)
    (of_w, inverse_w), (of_x, inverse_x) = scales(w), scales(x)
    whole_w, whole_x = integers(w, inverse_w), integers(x, inverse_x)
    sums = [str(int(np.sum(whole_w[k:k + BLOCK] * whole_x[k:k + BLOCK]))) for k in range(0, n, BLOCK)]
    terms = round_bf16(w.astype(np.float64)) * round_bf16(x.astype(np.float64))
    total = math.fsum(terms) if np.isfinite(terms).all() else float(np.sum(terms))
    numbers = [float(of_w).hex(), float(of_x).hex(), ",".join(sums), total.hex()]
    return " ".join([name, str(n), str(w_exponent), str(x_exponent), special, *numbers])


def main():
    DATA.mkdir(parents=True, exist_ok=True)
    for old in DATA.glob("*.bin"):
        old.unlink()
    total = 0
    with open(DATA / "cases.txt", "w") as manifest:
        manifest.write(f"# Made by make_rounded.py.\n# {' '.join(COLUMNS)} precision\n")
        for precision, name, options in all_cases():
            c, results = settle(precision, name, options)
            narrow = c["dtype"] == "bf16"
            values = (array.astype("<f4") for array in results)
            content = b"".join(((array.view("<u4") >> 16).astype("<u2") if narrow else array).tobytes() for array in values)
            (DATA / f"{c['name']}.bin").write_bytes(content)
            manifest.write(" ".join(str(c[key]) for key in [*COLUMNS, "precision"]) + "\n")
            total += len(content)
    lines = ["# Made by make_rounded.py.", "# name n w_exponent x_exponent special w_scale x_scale sums bf16_sum"]
    (DATA / "products.txt").write_text("\n".join(lines + [product_line(*p) for p in PRODUCTS]) + "\n")
    print(f"{total} bytes of results, {len(PRODUCTS)} products")


if __name__ == "__main__":
    main()
