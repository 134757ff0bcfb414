"""nn.LSTM, nn.LSTMCell and what looks like them among the names of a state_dict."""
import re

import numpy as np

from ._found import Found, Values

_PARAMETER = re.compile(r"(?P<prefix>(?:.*\.)?)"
                        r"(?P<name>(?:weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_l\d+(?:_reverse)?)?)(?P<part>|[._].*)")
# The two parts of a weight norm: of torch.nn.utils.weight_norm, of torch.nn.utils.parametrizations.weight_norm.
_LENGTHS, _DIRECTIONS = ("_g", ".original0"), ("_v", ".original1")


def plain(name):
    """The name as the module has it by itself, without what DataParallel, DistributedDataParallel and torch.compile put around."""
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while parts[0] == "module" and len(parts) > 1:
        del parts[0]
    return ".".join(parts)


def _folded(lengths, directions):
    """What a weight norm makes of its parts: rows of `directions` of the lengths given, along the dimensions that they lack."""
    def read():
        g, v = lengths().astype(np.float64), directions().astype(np.float64)
        axes = tuple(axis for axis in range(v.ndim) if g.ndim == 0 or g.shape[axis] == 1)
        return v * (g / np.sqrt(np.sum(v * v, axis=axes, keepdims=g.ndim > 0)))

    return Values(directions.shape, directions.dtype, read)


def find(tensors, engine=None):
    """A Found for each module among `tensors`, Values by name; its engine is engine(found)."""
    if len({plain(name) for name in tensors}) == len(tensors):
        tensors = {plain(name): values for name, values in tensors.items()}
    modules = {}
    for full, values in tensors.items():
        match = _PARAMETER.fullmatch(full)
        if match:
            name, part = match["name"], match["part"]
            prefix = re.sub(r"(^|\.)parametrizations\.$", r"\1", match["prefix"])
            modules.setdefault(prefix, {}).setdefault(name, {})[part] = (full, values)
    result = []
    for prefix, parameters in modules.items():
        state, reason, folded = {}, None, False
        for name, parts in parameters.items():
            values = {part: values for part, (full, values) in parts.items()}
            lengths = [values[part] for part in _LENGTHS if part in values]
            directions = [values[part] for part in _DIRECTIONS if part in values]
            if "" in values:
                state[name] = values[""]
            elif len(lengths) == len(directions) == 1 and len(values) == 2:
                state[name], folded = _folded(lengths[0], directions[0]), True
            else:
                full = next(iter(parts.values()))[0]
                reason = (f"{full} is of a parametrization other than weight_norm; save what it gives: "
                          f"torch.nn.utils.parametrize.remove_parametrizations(lstm, '{name}')")
        if not ({"weight_ih", "weight_ih_l0"} & parameters.keys()):  # some other module's
            continue
        found = Found(prefix.rstrip("."), state, reason, notes=["weight norms are folded"] if folded else [])
        if engine and not found.reason:
            found.engine, found.engine_name = engine(found)
        result.append(found)
    return result
