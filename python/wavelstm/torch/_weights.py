"""Weights of torch's, packed by the library: found again by their values, and watched for changes of them."""
import collections
import weakref
import zlib
from typing import NamedTuple, Optional

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.optim import optimizer

from .._library import calls, lib
from .._modules import LSTM, LSTMCell
from .._tensors import Tensors, forward_packed

LONG = 256  # rows of all steps from which on a call is long beside reading the weights once
KEPT = 32  # of those that graphs alone use

_epoch = 0


def forget_values(*_):
    """From here on no weights are believed to have the values that they had."""
    global _epoch
    _epoch += 1


# A fused optimizer writes to parameters without their _version moving.
optimizer.register_optimizer_step_post_hook(forget_values)


class Form(NamedTuple):
    """What is not told by the weights. num_layers is 0 for an LSTMCell; threads is 0 for torch's number."""

    num_layers: int
    bias: bool
    batch_first: bool
    bidirectional: bool
    precision: Optional[str]
    threads: int

    def blocks(self):
        return self.num_layers * (2 if self.bidirectional else 1)

    def weights(self, projected):
        """How many there are."""
        return (self.blocks() or 1) * (2 + 2 * self.bias + projected)


def usable(weights, form):
    """Why the library cannot take these weights, or None."""
    first = weights[0]
    for weight in weights:
        if type(weight) not in Tensors.plain:
            return f"a parameter that is a {type(weight).__name__}"
        if not weight.is_cpu:
            return f"parameters on {weight.device}"
        if weight.dtype not in (torch.float32, torch.float64) or weight.dtype != first.dtype:
            return f"parameters of {weight.dtype}"
        if weight.layout != torch.strided:
            return f"parameters of layout {weight.layout}"
    if form.precision in ("bf16", "int8") and first.dtype != torch.float32:
        return f"parameters of {first.dtype}, which have no precision {form.precision}"
    return None


def lstm_of(form, weights, **keywords):
    """A wavelstm.LSTM for such weights, one of one layer for a cell; its parameters are still to be set."""
    projected = len(weights) == form.weights(True)
    return LSTM(weights[0].shape[1], weights[0].shape[0] // 4, max(form.num_layers, 1), bias=form.bias,
                batch_first=form.batch_first, bidirectional=form.bidirectional,
                proj_size=weights[1].shape[1] if projected else 0, dtype=weights[0].dtype, **keywords)


class Runner:
    """The library's module of some weights."""

    def __init__(self, form, weights):
        self._cell = form.num_layers == 0
        if self._cell and not form.threads:
            self._module = LSTMCell(weights[0].shape[1], weights[0].shape[0] // 4, bias=form.bias, dtype=weights[0].dtype,
                                    precision=form.precision)
        else:  # a cell with threads of its own: plans are of an LSTM
            self._module = lstm_of(form, weights, precision=form.precision)
        self._module.load_state_dict(dict(zip(self._module._shapes, weights)))
        self._usual_call = self._module.usual_call
        self._threads, self._plans = form.threads, []

    def __call__(self, input, hx, batch_sizes=None):
        """(out, (h_n, c_n)), or (h', c'); rows that have batch_sizes are packed ones, longest first. Raises where these arguments are
        none for it. Thread-safe."""
        if not self._threads:
            torch.get_num_threads()  # which gives OpenMP on this thread torch's number
            if self._usual_call and batch_sizes is None:
                results = self._usual_call(input, hx, None)
                if results is not None:
                    return results
            if self._cell:
                return self._module._run(Tensors, input, hx)
            return self._run(lib.wlstm_forward, lib.wlstm_forward_packed, self._module._handle, input, hx, batch_sizes)
        if not self._cell:
            return self._by_plan(input, hx, batch_sizes)
        _, (h, c) = self._by_plan(input[None], hx if hx is None else (hx[0][None], hx[1][None]), None)
        return h[0], c[0]

    def packed(self, packed, hx):
        """(PackedSequence, (h_n, c_n))"""
        return forward_packed(self._module, lambda data, batch_sizes, hx: self(data, hx, batch_sizes), packed, hx)

    def _run(self, run, run_packed, handle, input, hx, batch_sizes):
        if batch_sizes is None:
            return self._module._run(Tensors, run, handle, input, hx)
        return self._module._run_packed(Tensors, run_packed, handle, input, batch_sizes, hx)

    def _by_plan(self, input, hx, batch_sizes):
        batch_first = self._module.batch_first and input.dim() == 3
        seq_len, batch = input.shape[1 if batch_first else 0], input.shape[0 if batch_first else 1] if input.dim() == 3 else 1
        if batch_sizes is not None:
            seq_len, batch = len(batch_sizes), int(batch_sizes[0])
        try:
            plan = self._plans.pop()  # nobody else's until it is back
        except IndexError:
            plan = None
        if plan is None or plan.max_seq_len < seq_len or plan.max_batch < batch:
            most = (plan.max_seq_len, plan.max_batch) if plan else (1, 1)
            plan = self._module.plan(max(seq_len, most[0]), max(batch, most[1]), threads=self._threads)
        try:
            return self._run(lib.wlstm_plan_execute, lib.wlstm_plan_execute_packed, plan._handle, input, hx, batch_sizes)
        finally:
            self._plans.append(plan)


_runners = weakref.WeakValueDictionary()


def _digest(weights):
    """A number that other values would hardly have, of 64 bits, or 32 without the compiled module."""
    digest = 0
    for weight in weights:
        values = weight.detach().resolve_neg().contiguous()
        if calls:
            digest = calls.digest(values.data_ptr(), values.numel() * values.element_size(), digest)
        else:
            digest = zlib.crc32(values.numpy().reshape(-1).view("u1"), digest)
    return digest


def _version(weight):
    return None if weight.is_inference() else weight._version


class Watch:
    """Weights, and what shows that they are as they were. Whoever holds a Watch keeps the weights' memory where it is (keep), so
    that its address is nobody else's, or is told when it is gone."""

    def __init__(self, weights, keep):
        self._epoch = _epoch
        self._addresses = [weight.data_ptr() for weight in weights]
        self._versions = [_version(weight) for weight in weights]
        self._kept = [weight.detach() for weight in weights] if keep else None
        self._storages = [] if keep else [StorageWeakRef(weight.untyped_storage()) for weight in weights]
        self._versionless = None in self._versions

    def moved(self, weights):
        """Whether these are other weights, or have been written to in a way that torch counts."""
        if len(weights) != len(self._addresses):
            return True
        for weight, address in zip(weights, self._addresses):
            if weight.data_ptr() != address:
                return True
        if not self._versionless:
            for weight, version in zip(weights, self._versions):
                if weight._version != version:
                    return True
        for storage in self._storages:
            if storage.expired():
                return True
        return False

    def doubted(self, rows):
        """Whether values are to be compared, as those of a long call are."""
        return self._epoch != _epoch or self._versionless or rows >= LONG

    def believe(self):
        """They were compared."""
        self._epoch = _epoch


class Prepared(Watch):
    """A Runner of weights that are watched."""

    def __init__(self, form, weights, keep):
        super().__init__(weights, keep)
        self.form, self._digest = form, _digest(weights)
        key = form, weights[0].dtype, tuple(tuple(weight.shape) for weight in weights), self._digest
        self.runner = _runners.get(key)
        if self.runner is None:
            self.runner = _runners[key] = Runner(form, weights)

    def holds(self, form, weights, rows):
        """Whether these are the same weights with the same values, as far as that is seen."""
        if self.form != form or self.moved(weights):
            return False
        if self.doubted(rows):
            if _digest(weights) != self._digest:
                return False
            self.believe()
        return True


_of_graphs = collections.OrderedDict()


def runner_of_graph(form, weights, rows):
    """The Runner of what an operator is given, whose tensors nobody keeps for it."""
    key = form, tuple(weight.data_ptr() for weight in weights)
    prepared = _of_graphs.pop(key, None)
    if prepared is None or not prepared.holds(form, weights, rows):
        prepared = Prepared(form, weights, keep=False)
    _of_graphs[key] = prepared
    while len(_of_graphs) > KEPT:
        try:
            _of_graphs.popitem(last=False)
        except KeyError:
            break
    return prepared.runner
