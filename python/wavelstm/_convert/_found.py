"""What a file has: LSTMs with PyTorch's names and shapes, and what cannot be one with the reason."""
import importlib
import re

import numpy as np

from .._modules import LSTM, LSTMCell

GATES = 4  # rows of a weight: 4 hidden_size, in the order i, f, g, o
BATCH_FIRST = "its input is [batch, time, input_size]: load it with batch_first"


class Failure(Exception):
    """A sentence for the user."""


def needed(package, path):
    """The package that reads the file, or a Failure that says what to install."""
    try:
        return importlib.import_module(package)
    except ImportError as reason:
        raise Failure(f"{path}: {package} reads such files and is not here ({reason}); pip install {package}") from None


class Values:
    """A tensor of a file: its shape and dtype's name now, its values when they are called for, as float32 or float64."""

    def __init__(self, shape, dtype, read):
        self.shape, self.dtype, self._read = tuple(shape), str(dtype), read

    @classmethod
    def of(cls, array):
        return cls(array.shape, array.dtype, lambda: array)

    def __call__(self):
        return np.asarray(self._read(), np.float64 if self.dtype == "float64" else np.float32)


class Found:
    """An LSTM, or an LSTMCell, whose state is Values by PyTorch's names; or the reason why there is none.

    engine(x), if there is one, is what the file's own library makes of x [T, B, I]: out [T, B, directions * R]. engine_name() is
    called after it. rounded says that it rounds what it multiplies, so that it is compared but holds nobody to its results."""

    def __init__(self, name, state=None, reason=None, engine=None, engine_name=None, notes=(), rounded=False):
        self.name, self.members, self.notes, self.rounded = name, [name], list(notes), rounded
        self.state, self.reason = state or {}, reason
        self.engine, self.engine_name = engine, engine_name
        if state is not None and reason is None:
            self.reason = self._measure()

    def _measure(self):
        """Takes the sizes from the shapes; what is wrong with them, or None."""
        self.is_cell = "weight_ih" in self.state
        first = "" if self.is_cell else "_l0"
        for name in ("weight_ih" + first, "weight_hh" + first):
            if name not in self.state:
                return f"{name} is missing"
            if len(self.state[name].shape) != 2 or 0 in self.state[name].shape:
                return f"{name}: 2 dimensions expected, got shape {self.state[name].shape}"
        rows, columns = self.state["weight_hh" + first].shape
        projection = self.state.get("weight_hr" + first)
        hidden = projection.shape[-1] if projection else columns
        for gates, module in ((1, "nn.RNN"), (3, "nn.GRU")):
            if rows == gates * hidden:
                return f"weights of {gates} x {hidden} rows are an {module}'s{'Cell' * self.is_cell}; an LSTM's have 4 x {hidden}"
        layers = [int(match[1]) for match in (re.search(r"_l(\d+)", name) for name in self.state) if match]
        self.arguments = {"input_size": self.state["weight_ih" + first].shape[1], "hidden_size": hidden,
                          "bias": "bias_ih" + first in self.state}
        if not self.is_cell:
            self.arguments.update(num_layers=max(layers) + 1, proj_size=projection.shape[0] if projection else 0,
                                  bidirectional="weight_ih_l0_reverse" in self.state)
        dtypes = {values.dtype for values in self.state.values()}
        wrong = sorted(dtypes - {"float16", "bfloat16", "float32", "float64"})
        if wrong:
            return f"floating-point parameters expected, got {', '.join(wrong)}"
        self.dtype = "float64" if "float64" in dtypes else "float32"
        expected = self._shapes()
        wrong = [f"{name} {expected[name]}" for name in expected
                 if name not in self.state or self.state[name].shape != expected[name]]
        wrong += [f"no {name}" for name in self.state if name not in expected]
        return f"expected: {', '.join(wrong[:4])}{', ...' * (len(wrong) > 4)}" if wrong else None

    def _shapes(self):
        """The parameters' shapes, in PyTorch's order."""
        inputs, hidden, bias = (self.arguments[name] for name in ("input_size", "hidden_size", "bias"))
        rows, shapes, projected = GATES * hidden, {}, self.arguments.get("proj_size", 0)
        directions = 2 if self.arguments.get("bidirectional") else 1
        for layer in range(self.arguments.get("num_layers", 1)):
            for direction in range(directions):
                suffix = "" if self.is_cell else f"_l{layer}" + "_reverse" * direction
                shapes["weight_ih" + suffix] = (rows, inputs if layer == 0 else directions * (projected or hidden))
                shapes["weight_hh" + suffix] = (rows, projected or hidden)
                if bias:
                    shapes["bias_ih" + suffix] = shapes["bias_hh" + suffix] = (rows,)
                if projected:
                    shapes["weight_hr" + suffix] = (projected, hidden)
        return shapes

    def module(self):
        """The module of this package."""
        precision = "full" if self.dtype == "float32" else None
        module = (LSTMCell if self.is_cell else LSTM)(**self.arguments, dtype=self.dtype, precision=precision)
        module.load_state_dict({name: values() for name, values in self.state.items()})
        return module

    def __str__(self):
        if self.reason:
            return f"not converted: {self.reason}"
        usual = {"bias": True, "num_layers": 1, "proj_size": 0, "bidirectional": False}
        sizes = [str(self.arguments[name]) for name in ("input_size", "hidden_size")]
        sizes += [f"{name}={value}" for name, value in self.arguments.items() if name in usual and value != usual[name]]
        text = f"{'LSTMCell' if self.is_cell else 'LSTM'}({', '.join(sizes)}), {self.dtype}"
        return text + (f", layers {', '.join(self.members)}" if len(self.members) > 1 else "")


def of_directions(weights):
    """The state of one layer from (w_ih [4H, I], w_hh [4H, H], b_ih, b_hh) of each direction, arrays; no biases are None."""
    state = {}
    for direction, (w_ih, w_hh, b_ih, b_hh) in enumerate(weights):
        suffix = "_l0" + "_reverse" * direction
        state.update({"weight_ih" + suffix: Values.of(w_ih), "weight_hh" + suffix: Values.of(w_hh)})
        if b_ih is not None:
            state.update({"bias_ih" + suffix: Values.of(b_ih), "bias_hh" + suffix: Values.of(b_hh)})
    return state


def fits_on(below, above):
    """Whether one LSTM of more layers is what `above` makes of `below`'s outputs: nn.LSTM's layers are all of one kind."""
    kinds = [(found.arguments["hidden_size"], found.arguments["bias"], found.arguments["bidirectional"], found.dtype)
             for found in (below, above) if not found.reason]
    width = below.arguments["hidden_size"] * (2 if below.arguments["bidirectional"] else 1) if not below.reason else None
    return len(kinds) == 2 and kinds[0] == kinds[1] and above.arguments["input_size"] == width


def joined(parts):
    """One LSTM of the layers of each, the lowest first."""
    if len(parts) == 1:
        return parts[0]
    state = {}
    for layer, part in enumerate(parts):
        state.update({name.replace("_l0", f"_l{layer}"): values for name, values in part.state.items()})

    def engine(x):
        for part in parts:
            x = part.engine(x)
        return x

    notes = list(dict.fromkeys(note for part in parts for note in part.notes))
    whole = Found(parts[0].name, state, engine=engine if all(part.engine for part in parts) else None,
                  engine_name=parts[0].engine_name, notes=notes, rounded=any(part.rounded for part in parts))
    whole.members = [part.name for part in parts]
    return whole


def chains(parts, below):
    """`parts` with those joined that stand on each other; below(part) is the part whose outputs alone it takes, or None."""
    lower = {id(part): below(part) for part in parts}
    lower = {key: part for key, part in lower.items() if part is not None}
    upper = {id(low): part for part in parts for low in (lower.get(id(part)),) if low is not None and fits_on(low, part)}
    started = [part for part in parts if not any(part is other for other in upper.values())]
    result = []
    for part in started:
        chain = [part]
        while id(chain[-1]) in upper:
            chain.append(upper[id(chain[-1])])
        result.append(joined(chain))
    return result
