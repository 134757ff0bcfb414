#!/usr/bin/env python3
"""Writes tests/golden/data: what PyTorch gives for a covering set of LSTMs and LSTMCells.

    python3 tests/golden/make_golden.py        (made with torch 2.13.0, CPU)

Parameters and inputs are not stored (golden_cases.py). Stored are PyTorch's results:

    data/cases.txt    one line a case, the columns named in COLUMNS
    data/NAME.bin     out, h_n, c_n one after another, little-endian, of the case's dtype

The cases: every pair of options at least once (greedy, seeded), the sizes around vector widths, a few by hand, and the
special values: NaN and infinity in one batch row, gates driven far into saturation. f32 results are those of PyTorch in
f32; each is checked against PyTorch in f64 so that no case sits near the tolerance by itself.
"""
import itertools
import pathlib
import random
import sys
import warnings

import torch

from golden_cases import COLUMNS, case, inputs, parameter

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tolerances import TOLERANCE  # noqa: E402

DATA = pathlib.Path(__file__).resolve().parent / "data"
MAX_RESULT_BYTES = 24 * 1024  # a case; keeps the whole below 1.5 MB

SIZES = [1, 7, 8, 15, 16, 17, 31, 33, 100]
AXES = {
    "dtype": ["f32", "f64"],
    "input_size": SIZES,
    "hidden_size": SIZES,
    "num_layers": [1, 2, 3],
    "projected": [0, 1],
    "bias": [1, 0],
    "bidirectional": [0, 1],
    "batch_first": [0, 1],
    "seq_len": [1, 2, 5, 12],
    "batch": [1, 2, 3, 5, 8, 17],
    "states": [0, 1],
    "ragged": [0, 1],
}
# Cost without gain: these crosses are covered value by value, not pair by pair.
UNPAIRED = {frozenset(p) for p in (("input_size", "hidden_size"), ("input_size", "batch"), ("input_size", "seq_len"))}

TORCH_DTYPE = {"f32": torch.float32, "f64": torch.float64}


# ------------------------------------------------------------------------------------------------------------- the cases

def projection(hidden_size):
    return hidden_size // 2 + 1


def result_bytes(o):
    width = projection(o["hidden_size"]) if o["projected"] else o["hidden_size"]
    directions = 1 + o["bidirectional"]
    out = o["seq_len"] * o["batch"] * directions * width
    states = directions * o["num_layers"] * o["batch"] * (width + o["hidden_size"])
    return (out + states) * (4 if o["dtype"] == "f32" else 8)


def possible(o):
    return (not (o["projected"] and projection(o["hidden_size"]) >= o["hidden_size"])
            and not (o["ragged"] and o["seq_len"] == 1) and result_bytes(o) <= MAX_RESULT_BYTES)


def covering_set():
    """Options such that each pair of values of two axes appears at least once."""
    generator = random.Random(2013)
    axes = list(AXES)
    wanted = set()
    for a, b in itertools.combinations(axes, 2):
        if frozenset((a, b)) not in UNPAIRED:
            wanted |= {((a, u), (b, v)) for u in AXES[a] for v in AXES[b]}
    chosen = []
    while wanted:
        best, best_new = None, set()
        for _ in range(400):
            o = {axis: generator.choice(AXES[axis]) for axis in axes}
            o.update(generator.choice(sorted(wanted, key=repr)))
            new = set(itertools.combinations(o.items(), 2)) & wanted if possible(o) else set()
            if len(new) > len(best_new):
                best, best_new = o, new
        if best is None:  # what is left cannot be (ragged with one step, projection of hidden_size 1)
            break
        wanted -= best_new
        chosen.append(best)
    return chosen


def problem_name(o):
    name = f"t{o['seq_len']}b{o['batch']}i{o['input_size']}h{o['hidden_size']}l{o['num_layers']}"
    if o["projected"]:
        name += f"p{projection(o['hidden_size'])}"
    return (name + "-bi" * o["bidirectional"] + "-nobias" * (1 - o["bias"]) + "-f64" * (o["dtype"] == "f64")
            + "-batch_first" * o["batch_first"] + "-states" * o["states"] + "-lengths" * o["ragged"])


def all_cases():
    cases = [case("seed-t10b3i100h20l4", input_size=100, hidden_size=20, num_layers=4, seq_len=10, batch=3),
             case("seed-t10b3i100h20l4-states", input_size=100, hidden_size=20, num_layers=4, seq_len=10, batch=3,
                  states=1)]
    for o in covering_set():
        options = {key: value for key, value in o.items() if key != "projected"}
        cases.append(case(problem_name(o), proj_size=projection(o["hidden_size"]) if o["projected"] else 0, **options))

    cells = [("f32", 100, 20, 1, 10, 3, 0), ("f32", 100, 20, 1, 10, 3, 1), ("f32", 1, 1, 1, 2, 1, 1),
             ("f32", 17, 33, 0, 5, 8, 1), ("f32", 33, 15, 1, 1, 17, 0), ("f64", 8, 16, 1, 5, 5, 1),
             ("f64", 31, 7, 0, 2, 2, 0), ("f32", 7, 100, 1, 12, 1, 1)]
    for dtype, i, h, bias, t, b, states in cells:
        name = f"cell-t{t}b{b}i{i}h{h}" + "-nobias" * (1 - bias) + "-f64" * (dtype == "f64") + "-states" * states
        cases.append(case(name, module="cell", dtype=dtype, input_size=i, hidden_size=h, bias=bias, seq_len=t, batch=b,
                          states=states))

    for dtype in ("f32", "f64"):
        suffix = "-f64" * (dtype == "f64")
        for special in ("nan_x", "inf_x", "infs_x", "nan_h", "inf_h", "nan_c", "inf_c"):
            cases.append(case(f"{special}{suffix}", dtype=dtype, input_size=9, hidden_size=17, num_layers=2, seq_len=4,
                              batch=5, states=1, special=special, special_row=2))
        cases.append(case(f"nan_x-bi-lengths{suffix}", dtype=dtype, input_size=9, hidden_size=17, num_layers=2,
                          bidirectional=1, seq_len=4, batch=5, special="nan_x", special_row=3, ragged=1))
        cases.append(case(f"nan_x-projection{suffix}", dtype=dtype, input_size=9, hidden_size=17, num_layers=2,
                          proj_size=6, seq_len=4, batch=3, special="nan_x", special_row=1))
        for special in ("large_x", "huge_x", "huge_h", "huge_c", "large_weights"):
            cases.append(case(f"{special}{suffix}", dtype=dtype, input_size=7, hidden_size=19, num_layers=2, seq_len=4,
                              batch=4, states=1, special=special))
    cases.append(case("cell-nan_x", module="cell", input_size=9, hidden_size=17, seq_len=3, batch=4, states=1,
                      special="nan_x", special_row=1))
    cases.append(case("cell-huge_x", module="cell", input_size=9, hidden_size=17, seq_len=3, batch=4, states=1,
                      special="huge_x"))
    assert len({c["name"] for c in cases}) == len(cases)
    return cases


# ------------------------------------------------------------------------------------------------------ what PyTorch says

def run(c, dtype):
    """out, h_n, c_n of PyTorch in `dtype` (the case's numbers are those of its own dtype)."""
    torch_dtype = TORCH_DTYPE[dtype]
    if c["module"] == "cell":
        module = torch.nn.LSTMCell(c["input_size"], c["hidden_size"], bias=bool(c["bias"]), dtype=torch_dtype)
    else:
        module = torch.nn.LSTM(c["input_size"], c["hidden_size"], num_layers=c["num_layers"], bias=bool(c["bias"]),
                               batch_first=bool(c["batch_first"]), bidirectional=bool(c["bidirectional"]),
                               proj_size=c["proj_size"], dtype=torch_dtype)
    for name, values in module.named_parameters():
        values.data = torch.from_numpy(parameter(c, name, tuple(values.shape))).to(torch_dtype)
    x, h_0, c_0 = (torch.from_numpy(a).to(torch_dtype) for a in inputs(c))
    states = (h_0, c_0) if c["states"] else None
    with torch.no_grad():
        if c["module"] == "cell":
            states = (h_0[0], c_0[0]) if c["states"] else None
            steps = []
            for x_t in x:
                states = module(x_t, states)
                steps.append(states[0])
            return torch.stack(steps), states[0], states[1]
        if c["lengths"] == "-":
            out, (h_n, c_n) = module(x, states)
        else:
            lengths = torch.tensor([int(n) for n in c["lengths"].split(",")])
            packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=bool(c["batch_first"]),
                                                             enforce_sorted=False)
            out, (h_n, c_n) = module(packed, states)
            out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=bool(c["batch_first"]),
                                                            total_length=c["seq_len"])
        return out, h_n, c_n


def distance(c, results):
    """The largest |f32 - f64| in units of the tolerance; 0 for f64 cases. The NaN and inf must be the same."""
    if c["dtype"] == "f64":
        return 0.0
    rtol, atol = TOLERANCE["f32"]
    worst = 0.0
    for tensor, single, exact in zip(("out", "h_n", "c_n"), results, run(c, "f64")):
        single = single.double()
        assert torch.equal(single.isnan(), exact.isnan()), f"{c['name']}: {tensor}: NaN not where f64 has it"
        finite = exact.isfinite()
        assert torch.equal(single[~finite].nan_to_num(), exact[~finite].nan_to_num()), f"{c['name']}: {tensor}: inf"
        ratio = (single - exact)[finite].abs() / (atol + rtol * exact[finite].abs())
        worst = max(worst, ratio.max().item() if ratio.numel() else 0.0)
    return worst


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="LSTM with projections")  # only says which code PyTorch takes
    DATA.mkdir(exist_ok=True)
    for old in DATA.glob("*.bin"):
        old.unlink()
    total, worst = 0, (0.0, "")
    cases = all_cases()
    with open(DATA / "cases.txt", "w") as manifest:
        manifest.write(f"# Made by make_golden.py with torch {torch.__version__}.\n# {' '.join(COLUMNS)}\n")
        for c in cases:
            results = run(c, c["dtype"])
            far = distance(c, results)
            worst = max(worst, (far, c["name"]))
            assert far < 0.5, f"{c['name']}: PyTorch's f32 is {far:.2f} tolerances from its f64"
            content = b"".join(r.contiguous().numpy().astype(r.numpy().dtype.newbyteorder("<")).tobytes()
                               for r in results)
            (DATA / f"{c['name']}.bin").write_bytes(content)
            manifest.write(" ".join(str(c[key]) for key in COLUMNS) + "\n")
            total += len(content)
    print(f"{len(cases)} cases, {total} bytes; f32 at most {worst[0]:.2f} tolerances from f64 ({worst[1]})")


if __name__ == "__main__":
    main()
