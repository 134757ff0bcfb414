"""What a golden case is, and its numbers: parameters and inputs are not stored, as this file and tests/support/random.c make them
from the case's name, bit for bit, as small integers times a power of two."""
import numpy as np

# Of a line in a cases.txt; cases whose products are rounded have one more, "precision".
COLUMNS = ["name", "module", "dtype", "input_size", "hidden_size", "num_layers", "proj_size", "bias", "bidirectional",
           "batch_first", "seq_len", "batch", "states", "special", "special_row", "lengths"]

NUMPY_DTYPE = {"f32": np.float32, "f64": np.float64, "bf16": np.float32}  # bfloat16 is float32 that has it


# ---------------------------------------------------------------------------------- numbers, as in tests/support/random.c

def seed_of(name):
    """FNV-1a, 64 bits, of a string."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def bits(seed, count):
    """The first `count` outputs of splitmix64 from `seed`."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def nearest_bfloat16(values):
    """Of float32, in float32: of two as near the even one, denormals as all others."""
    pattern = values.astype(np.float32).view(np.uint32)
    nearest = (pattern + (np.uint32(0x7FFF) + (pattern >> np.uint32(16) & np.uint32(1)))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(values), np.float32(np.nan), nearest.view(np.float32))


def uniform(name, shape, exponent, dtype):
    """Multiples of 2^(exponent-19) in [-2^exponent, 2^exponent): exact in float32; the nearest bfloat16."""
    integers = (bits(seed_of(name), int(np.prod(shape))) >> np.uint64(44)).astype(np.int64) - (1 << 19)
    values = np.ldexp(integers.astype(np.float64), exponent - 19).astype(NUMPY_DTYPE[dtype]).reshape(shape)
    return nearest_bfloat16(values) if dtype == "bf16" else values


def weight_exponent(hidden_size):
    """The smallest e with 2^e >= 1/sqrt(hidden_size), near PyTorch's initialisation."""
    exponent = 0
    while 4.0 ** (exponent - 1) * hidden_size >= 1.0:
        exponent -= 1
    return exponent


def parameter(c, name, shape):
    exponent = weight_exponent(c["hidden_size"]) + (3 if c["special"] == "large_weights" else 0)
    values = uniform(f"{c['name']}/{name}", shape, exponent, c["dtype"])
    if c["special"] in ("nan_w", "inf_w") and name == "weight_ih_l0":
        values[0, 0] = np.nan if c["special"] == "nan_w" else np.inf
    return values


# ------------------------------------------------------------------------------------------------------------- the cases

def case(name, module="lstm", dtype="f32", input_size=8, hidden_size=8, num_layers=1, proj_size=0, bias=1,
         bidirectional=0, batch_first=0, seq_len=5, batch=3, states=0, special="none", special_row=0, ragged=0, precision="full"):
    lengths = "-"
    if ragged:
        drawn = [1 + int(b % np.uint64(seq_len)) for b in bits(seed_of(name + "/lengths"), batch)]
        lengths = ",".join(map(str, drawn))
    columns = dict(locals())
    return {key: columns[key] for key in [*COLUMNS, "precision"]}


def inputs(c):
    """x, h_0, c_0 as numpy arrays, special values put in (tests/golden/test_golden.c does the same)."""
    t, b, special, row, dtype = c["seq_len"], c["batch"], c["special"], c["special_row"], c["dtype"]
    blocks = c["num_layers"] * (1 + c["bidirectional"])
    width = c["proj_size"] or c["hidden_size"]
    exponents = {"x": {"large_x": 6, "huge_x": 100, "tiny_x": -122}, "h": {"huge_h": 100}, "c": {"huge_c": 100}}
    scale = {tensor: exponents[tensor].get(special, 0) for tensor in exponents}
    x_shape = (b, t, c["input_size"]) if c["batch_first"] else (t, b, c["input_size"])
    x = uniform(c["name"] + "/x", x_shape, scale["x"], dtype)
    h_0 = uniform(c["name"] + "/h_0", (blocks, b, width), scale["h"], dtype)
    c_0 = uniform(c["name"] + "/c_0", (blocks, b, c["hidden_size"]), scale["c"], dtype)
    if special in ("nan_x", "inf_x", "infs_x"):
        first = x[row, 0] if c["batch_first"] else x[0, row]
        first[0] = np.nan if special == "nan_x" else np.inf
        if special == "infs_x":  # infinities of both signs meet in a sum: NaN in some units
            first[1] = -np.inf
    if special in ("nan_h", "inf_h"):
        h_0[0, row, 0] = np.nan if special == "nan_h" else np.inf
    if special in ("nan_c", "inf_c"):
        c_0[0, row, 0] = np.nan if special == "nan_c" else np.inf
    return x, h_0, c_0
