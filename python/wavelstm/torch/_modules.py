"""What stands in a model in the place of nn.LSTM and nn.LSTMCell: modules of the same parameters, in PyTorch's own words, which run
here where they can and in PyTorch where they cannot: by the library's plans where nothing requires grad, else by its trainers.

They are no subclasses of PyTorch's, which torch.compile refuses, and borrow their methods instead."""
import functools
import logging
import warnings

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence

from .._tensors import Tensors, _modes, _tracing, _transforms, compiling
from ._gradients import Differentiable
from ._trainers import Trainers
from ._weights import Form, Prepared, usable

_log = logging.getLogger("wavelstm.torch")
_autocast = getattr(torch._C, "_is_any_autocast_enabled", torch.is_autocast_enabled)


class _State:
    """What a module has beside PyTorch's: it is not copied and not pickled but for precision and threads."""

    def __init__(self, precision, threads):
        self.set(precision, threads)

    def set(self, precision, threads):
        self.precision, self.threads, self.warned = precision, threads, False
        self.forget()

    def forget(self):
        """Nothing is kept of the weights."""
        self.prepared = self.trainers = None

    def __deepcopy__(self, memo):
        return _State(self.precision, self.threads)

    def __reduce__(self):
        return _State, (self.precision, self.threads)


class _Accelerated(nn.Module):
    """What LSTM and LSTMCell share; _theirs is PyTorch's class."""

    def __init__(self, *arguments, precision=None, threads=None, **keywords):
        super().__init__()
        self.__dict__.update(self._theirs(*arguments, **keywords).__dict__)
        self._adopt(precision, threads)

    def _adopt(self, precision, threads):
        """Makes what was an nn.LSTM or nn.LSTMCell one of these."""
        self.__dict__["_wavelstm"] = _State(precision, threads)
        self.__dict__["__module__"] = self._theirs.__module__  # which torch.fx asks, to call modules of torch.nn whole
        for name in ("_flat_weights", "_flat_weight_refs"):  # which here are looked up
            self.__dict__.pop(name, None)

    def forward(self, input, hx=None):
        if compiling() or _tracing() or _modes():
            return self._as_operator(input, hx)
        runner = self._runner(input, hx)
        if runner is not None:
            try:
                return runner(input, hx)
            except (TypeError, ValueError, RuntimeError, MemoryError) as refusal:  # in PyTorch's words, unless it takes these arguments
                results = self._theirs.forward(self, input, hx)
                self._warn(str(refusal))
                return results
        return self._theirs.forward(self, input, hx)

    def _runner(self, input, hx):
        """What runs this call here, or None where PyTorch is to run it."""
        weights = _own_weights(self, self._names())
        if _transforms() or forward_ad._current_level >= 0:
            return None
        if _autocast():
            return self._warn("under autocast")
        if any(weight is None for weight in weights):  # not `in`, which would compare tensors
            return self._warn("parameters that other tensors stand for (weight_norm, pruning or the like)")
        packed = type(input) is PackedSequence
        if packed and self._theirs is nn.LSTMCell:
            return None
        data = input.data if packed else input
        if type(data) not in Tensors.plain:
            return None
        if self._drops() or (torch.is_grad_enabled() and _any_requires_grad(data, hx, weights)):
            return functools.partial(self._learn, weights)
        state, form = self._wavelstm, self._form()
        rows, prepared = data.numel() // self.input_size, state.prepared
        if prepared is None or not prepared.holds(form, weights, rows):
            why = usable(weights, form)
            state.prepared = None
            if why:
                return self._warn(why)
            prepared = state.prepared = Prepared(form, weights, keep=True)
        return prepared.runner if data is input else prepared.runner.packed

    def _learn(self, weights, input, hx):
        """forward() by a trainer."""
        state, form, dropout = self._wavelstm, self._form(), self._dropout()
        trainers = state.trainers
        if trainers is None or not trainers.serves(form, dropout, weights):
            trainers = state.trainers = Trainers(form, dropout, weights, keep=True)
        seed = int(draw_seed()) if self._drops() else None
        batch_sizes = None
        if type(input) is PackedSequence:  # states are in the caller's order, its rows longest first
            packed, (input, batch_sizes, sorted_indices, unsorted_indices) = input, input
            hx = hx if hx is None else self.permute_hidden(tuple(hx), sorted_indices)
        h_0, c_0 = (None, None) if hx is None else hx
        results = Differentiable.apply(trainers, seed, batch_sizes, input, h_0, c_0, *weights)
        if form.num_layers == 0:
            return results
        out, states = results[0], results[1:]
        if batch_sizes is None:
            return out, states
        return packed._replace(data=out), self.permute_hidden(states, unsorted_indices)

    def _warn(self, why):
        """None, and once a module a warning."""
        if not self._wavelstm.warned:
            self._wavelstm.warned = True
            warnings.warn(f"wavelstm.torch: {self._get_name()}({self.extra_repr()}) runs in PyTorch for now: {why}", stacklevel=4)

    def _drops(self):
        return False

    def _dropout(self):
        return 0.0

    def _apply(self, fn, recurse=True):
        self._wavelstm.forget()  # .to() and the like may put other weights where these were
        return super()._apply(fn, recurse)

    def _restore(self):
        del self.__dict__["_wavelstm"], self.__dict__["__module__"]
        self.__class__ = self._theirs

    def __prepare_scriptable__(self):
        raise RuntimeError("torch.jit.script sees nothing of what wavelstm computes; call wavelstm.torch.restore(model) before it, "
                           "or take torch.jit.trace, torch.export or torch.compile")


def _own_weights(module, names):
    """Of each name the parameter or buffer, or None where it is neither (but computed anew for each call, say)."""
    parameters, buffers = module._parameters, module._buffers
    return [parameters.get(name) if name in parameters else buffers.get(name) for name in names]


def draw_seed():
    """Of dropout, by torch's generator, so that torch.manual_seed repeats it."""
    return torch.randint(2**63 - 1, (), device="cpu")


def _any_requires_grad(data, hx, weights):
    given = (data, *(hx if isinstance(hx, (tuple, list)) else ()), *weights)
    return any(getattr(tensor, "requires_grad", False) for tensor in given)


class LSTM(_Accelerated):
    """torch.nn.LSTM that runs here where it can: accelerate() makes it of one."""

    _theirs = nn.LSTM
    for _name in ("all_weights", "check_forward_args", "check_hidden_size", "check_input", "extra_repr", "get_expected_cell_size",
                  "get_expected_hidden_size", "permute_hidden", "reset_parameters"):
        locals()[_name] = getattr(nn.LSTM, _name)
    del _name

    @property
    def _flat_weights(self):
        return [getattr(self, name, None) for name in self._flat_weights_names]

    def flatten_parameters(self):
        """Nothing: the library packs the weights itself."""

    def _update_flat_weights(self):
        """Nothing: they are looked up at each use."""

    def _names(self):
        return self._flat_weights_names

    def _form(self):
        state = self._wavelstm
        return Form(self.num_layers, self.bias, self.batch_first, self.bidirectional, state.precision, state.threads or 0)

    def _drops(self):
        return self.training and self.dropout > 0 and self.num_layers > 1

    def _dropout(self):
        return float(self.dropout)

    def _restore(self):
        super()._restore()
        self._init_flat_weights()

    def _as_operator(self, input, hx):
        weights = self._flat_weights
        if isinstance(input, PackedSequence) or any(weight is None for weight in weights):
            return nn.LSTM.forward(self, input, hx)
        if not weights[0].is_cpu or input.dim() not in (2, 3):
            return nn.LSTM.forward(self, input, hx)
        batched = input.dim() == 3
        h_0, c_0 = (None, None) if hx is None else hx
        if not batched:
            input = input.unsqueeze(0 if self.batch_first else 1)
        if h_0 is not None:
            if h_0.dim() != 3 - (not batched) or c_0.dim() != 3 - (not batched):
                kind = "batched 3-D" if batched else "unbatched 2-D"
                raise RuntimeError(f"For {kind} input, hx and cx should also be {2 + batched}-D but got ({h_0.dim()}-D, "
                                   f"{c_0.dim()}-D) tensors")
            if not batched:
                h_0, c_0 = h_0.unsqueeze(1), c_0.unsqueeze(1)
            self.check_forward_args(input, (h_0, c_0), None)
        else:
            self.check_input(input, None)
        seed = draw_seed() if self._drops() else None
        state = self._wavelstm
        out, h_n, c_n = torch.ops.wavelstm.lstm(input, h_0, c_0, weights, self.bias, self.num_layers, float(self.dropout), seed,
                                                self.bidirectional, self.batch_first, state.precision or "", state.threads or 0)
        if not batched:
            return out.squeeze(0 if self.batch_first else 1), (h_n.squeeze(1), c_n.squeeze(1))
        return out, (h_n, c_n)


class LSTMCell(_Accelerated):
    """torch.nn.LSTMCell that runs here where it can: accelerate() makes it of one."""

    _theirs = nn.LSTMCell
    extra_repr = nn.LSTMCell.extra_repr
    reset_parameters = nn.LSTMCell.reset_parameters

    def _names(self):
        return ("weight_ih", "weight_hh", "bias_ih", "bias_hh") if self.bias else ("weight_ih", "weight_hh")

    def _form(self):
        state = self._wavelstm
        return Form(0, self.bias, False, False, state.precision, state.threads or 0)

    def _as_operator(self, input, hx):
        weights = [getattr(self, name) for name in self._names()]
        fits = input.dim() in (1, 2) and (torch.jit.is_tracing() or input.size(-1) == self.input_size)
        h, c = (None, None) if hx is None else hx
        if h is not None and not torch.jit.is_tracing():  # where sizes are tensors; the operator checks them at each call
            shape = (*input.shape[:-1], self.hidden_size)
            fits = fits and h.shape == shape and c.shape == shape and h.dtype == c.dtype == input.dtype
        if not fits or not weights[0].is_cpu:
            return nn.LSTMCell.forward(self, input, hx)  # for its words
        batched, state = input.dim() == 2, self._wavelstm
        if not batched:
            input, h, c = input.unsqueeze(0), None if h is None else h.unsqueeze(0), None if c is None else c.unsqueeze(0)
        h, c = torch.ops.wavelstm.lstm_cell(input, h, c, weights, self.bias, state.precision or "", state.threads or 0)
        return (h, c) if batched else (h.squeeze(0), c.squeeze(0))


CLASSES = {nn.LSTM: LSTM, nn.LSTMCell: LSTMCell}


def _form_of(module, precision):
    if isinstance(module, nn.LSTMCell):
        return Form(0, module.bias, False, False, precision, 0)
    return Form(module.num_layers, module.bias, module.batch_first, module.bidirectional, precision, 0)


def obstacle(module, precision=None):
    """Why a module of PyTorch's cannot run here, or None."""
    if type(module) not in CLASSES:
        return f"a subclass of {'nn.LSTMCell' if isinstance(module, nn.LSTMCell) else 'nn.LSTM'}, {type(module).__name__}"
    if "forward" in module.__dict__:
        return "a forward of its own"
    cell = isinstance(module, nn.LSTMCell)
    weights = _own_weights(module, LSTMCell._names(module) if cell else module._flat_weights_names)
    if any(weight is None for weight in weights):
        return "parameters that other tensors stand for (weight_norm, pruning or the like)"
    return usable(weights, _form_of(module, precision))


def accelerated(name, module, precision, threads):
    """Has an nn.LSTM or nn.LSTMCell run here, or says in the log why not."""
    why = obstacle(module, precision)
    if why:
        _log.info("%s stays in PyTorch: %s", name or "the model", why)
        return
    module.__class__ = CLASSES[type(module)]
    module._adopt(precision, threads)
