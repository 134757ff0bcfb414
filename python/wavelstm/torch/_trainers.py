"""Trainers of the library's for weights of torch's, which find gradients: made for the sizes that come, and given the values that
the weights have."""
import contextlib
import ctypes
import math
import threading
from typing import Any, NamedTuple

import torch

from .._library import check, lib
from .._tensors import Tensors
from .._training import Trainer
from ._weights import KEPT, Watch, lstm_of, usable

_address = torch.Tensor.data_ptr
_Pointers = ctypes.c_int64 * 2
FEW = 16  # rows of all steps: with so many a call and its way back are long beside comparing the weights
SMALL = 64 << 10  # bytes of weights that are compared in no time
_HEAD = 64  # bytes before a tape, of which _Pointers are the addresses of x and out


def _or_null(tensor):
    return None if tensor is None else _address(tensor)


class Call(NamedTuple):
    """What a forward pass reads, dense, and the shapes of its results."""

    seq_len: int
    batch: int
    batch_sizes: Any  # of packed rows
    x: torch.Tensor
    h_0: Any
    c_0: Any
    out_shape: tuple
    h_shape: tuple
    c_shape: tuple


class Pass(NamedTuple):
    """What a forward pass leaves."""

    results: tuple  # out, h_n, c_n, or of a cell h', c'
    x: torch.Tensor  # dense
    out: torch.Tensor
    tape: torch.Tensor
    learner: Any


class Learner:
    """A trainer, and which values of weights it has. Used by whoever has its lock."""

    def __init__(self, lstm, seq_len, batch, threads, keep):
        self.seq_len, self.batch = seq_len, batch
        self.lock, self._keep = threading.Lock(), keep
        # An estimate, as WLSTM_EFFORT may ask for a search, which each new size would wait for. It frees what it has.
        self._trainer = Trainer(lstm, seq_len, batch, threads=threads or None, effort="estimate")
        self._handle = self._trainer._handle
        shapes = list(lstm._shapes.values())
        with torch.inference_mode(False):  # whose tensors nobody may write to outside of it
            flat = torch.from_numpy(self._trainer.gradients)
            parts = flat.split([math.prod(shape) for shape in shapes])
            self._gradients = [part.view(shape) for part, shape in zip(parts, shapes)]
            self._values = list(map(torch.empty_like, self._gradients))
        self._names = [name.encode() for name in lstm._shapes]
        self._small = flat.nbytes <= SMALL
        self._watch, self.went_back = None, False

    def take(self, weights, rows):
        """Has the values of these weights from here on. Where nothing shows that they changed they are compared, but for a few
        rows of large weights since the last backward pass, which an update may have followed: cells in a loop read them once."""
        watch = self._watch
        if watch is not None and not watch.moved(weights):
            if not (self.went_back or self._small or rows >= FEW or watch.doubted(rows)):
                return
            if all(map(torch.equal, self._values, weights)):
                watch.believe()
                self.went_back = False
                return
        if [weight.shape for weight in weights] != [own.shape for own in self._values]:
            raise ValueError("parameters: those of the module's shapes expected")
        self._watch = None
        torch._foreach_copy_(self._values, weights)
        for name, own in zip(self._names, self._values):
            check(lib.wlstm_trainer_set_parameter(self._handle, name, _address(own), own.numel()))
        self._watch, self.went_back = Watch(weights, self._keep), False

    def forward(self, call, seed):
        """out, h_n, c_n, and the tape. seed is None where dropout does not act."""
        make, dtype = Tensors.empty, call.x.dtype
        out, h_n, c_n = make(call.out_shape, dtype), make(call.h_shape, dtype), make(call.c_shape, dtype)
        bytes = ctypes.c_size_t()
        check(lib.wlstm_trainer_tape_bytes(self._handle, call.seq_len, call.batch, bytes))
        tape = make(_HEAD + bytes.value, torch.uint8)
        place, x = _address(tape), _address(call.x)
        _Pointers.from_address(place)[:] = x, _address(out)
        arrays = (x, _or_null(call.h_0), _or_null(call.c_0), _address(out), _address(h_n), _address(c_n), seed is not None, seed or 0,
                  0, place + _HEAD)
        if call.batch_sizes is None:
            check(lib.wlstm_trainer_forward(self._handle, call.seq_len, call.batch, None, *arrays))
        else:
            check(lib.wlstm_trainer_forward_packed(self._handle, call.seq_len, _address(call.batch_sizes), *arrays))
        return out, h_n, c_n, tape

    def backward(self, kept, d_results, d_inputs):
        """Whether the pass's tape served; fills d_inputs from d_results, and has the weights' gradients."""
        place = _address(kept.tape)
        if _Pointers.from_address(place)[:] != [_address(kept.x), _address(kept.out)]:
            return False
        if lib.wlstm_trainer_backward(self._handle, place + _HEAD, *map(_or_null, d_results), *map(_or_null, d_inputs), False):
            return False
        self.went_back = True
        return True

    def gradients(self, weights, wanted):
        """Of the weights, by the last backward pass; None where it is not wanted."""
        made = [torch.empty_like(weight) if want else None for weight, want in zip(weights, wanted)]
        if any(wanted):
            torch._foreach_copy_([new for new in made if new is not None],
                                 [own for own, want in zip(self._gradients, wanted) if want])
        return made


class Trainers:
    """What finds the gradients of modules of one form and dropout. Thread-safe."""

    def __init__(self, form, dropout, weights, keep):
        why = usable(weights, form)
        if why:
            raise ValueError(why)
        self.form, self._keep = form, keep
        self._key = self.key(form, dropout, weights)
        self._lstm, self._learners = lstm_of(form, weights, dropout=dropout), []

    @staticmethod
    def key(form, dropout, weights):
        return form, dropout, len(weights), weights[0].dtype, weights[0].shape, weights[1].shape

    def serves(self, form, dropout, weights):
        return self._key == self.key(form, dropout, weights)

    def forward(self, seed, batch_sizes, inputs, weights):
        """A Pass from inputs (x, h_0, c_0). seed is None where dropout does not act."""
        call = self._call(*inputs, batch_sizes)
        learner = self._borrow(call)
        try:
            return self._forward(learner, call, seed, weights)
        finally:
            learner.lock.release()

    def backward(self, seed, batch_sizes, inputs, weights, d_results, needed, kept=None):
        """Gradients of inputs (x, h_0, c_0) and weights, None where they are not needed: by the pass that was kept if it serves,
        else by one that is run again. d_results are those of its results, None for zeros."""
        if self.form.num_layers == 0:
            d_results = None, *d_results
        d_results = [None if d is None else Tensors.dense("gradient", d) for d in d_results]
        d_inputs = [Tensors.empty(value.shape, value.dtype) if need else None for value, need in zip(inputs, needed)]
        call = self._call(*inputs, batch_sizes)
        learner = self._borrow(call, kept and kept.learner)
        try:
            if kept is None or learner is not kept.learner or not learner.backward(kept, d_results, d_inputs):
                again = self._forward(learner, call, seed, weights)
                if not learner.backward(again, d_results, d_inputs):
                    raise RuntimeError(lib.wlstm_last_error().decode(errors="replace"))
            return (*d_inputs, *learner.gradients(weights, needed[3:]))
        finally:
            learner.lock.release()

    def _forward(self, learner, call, seed, weights):
        learner.take(weights, call.seq_len * call.batch)
        out, h_n, c_n, tape = learner.forward(call, seed)
        return Pass((out, h_n, c_n) if self.form.num_layers else (h_n, c_n), call.x, out, tape, learner)

    def _borrow(self, call, learner=None):
        """A learner for such a call, its lock taken: this one, if it is free."""
        if learner is not None and learner.lock.acquire(blocking=False):
            return learner
        seq_len, batch = call.seq_len, call.batch
        threads = self.form.threads or torch.get_num_threads()  # which gives OpenMP on this thread torch's number, too
        for learner in list(self._learners):
            if not learner.lock.acquire(blocking=False):
                continue
            if learner.threads == threads and learner.seq_len >= seq_len and learner.batch >= batch:
                return learner
            grown = max(seq_len, learner.seq_len), max(batch, learner.batch)
            # (T = 4000, B = 1) and (20, 1000) are no reason to find room for (4000, 1000).
            if math.prod(grown) <= 4 * max(seq_len * batch, learner.seq_len * learner.batch):
                seq_len, batch = grown
            learner.lock.release()
            with contextlib.suppress(ValueError):  # another thread was first
                self._learners.remove(learner)  # passes that are to go back to it have it still
        learner = Learner(self._lstm, seq_len, batch, self.form.threads, self._keep)
        learner.threads = threads
        learner.lock.acquire()
        self._learners.append(learner)
        return learner

    def _call(self, x, h_0, c_0, batch_sizes):
        """A Call of these, or an error that PyTorch says better."""
        lstm, cell = self._lstm, self.form.num_layers == 0
        dims = (1, 2) if cell else (2, 3) if batch_sizes is None else (2,)
        if x.dtype != Tensors.dtypes[lstm._code] or x.dim() not in dims or x.shape[-1] != lstm.input_size:
            raise ValueError(f"input: {lstm.dtype} [..., {lstm.input_size}] expected, got {x.dtype} {tuple(x.shape)}")
        if x.numel() == 0:
            raise ValueError(f"input: some numbers expected, got {tuple(x.shape)}")
        leading = tuple(x.shape[:-1])
        if cell:
            seq_len, rows, blocks = 1, leading, ()
        elif batch_sizes is not None:
            if batch_sizes.dtype != torch.int64 or not batch_sizes.is_cpu or batch_sizes.sum() != leading[0]:
                raise ValueError(f"batch_sizes: int64 of {leading[0]} rows in all expected, got {batch_sizes}")
            seq_len, rows, blocks = len(batch_sizes), (int(batch_sizes[0]),), (self.form.blocks(),)
            batch_sizes = batch_sizes.contiguous()
        elif len(leading) == 1:
            seq_len, rows, blocks = leading[0], (), (self.form.blocks(),)
        else:
            seq_len, rows, blocks = leading[lstm.batch_first], (leading[not lstm.batch_first],), (self.form.blocks(),)
        width = lstm.proj_size or lstm.hidden_size
        h_shape, c_shape = (*blocks, *rows, width), (*blocks, *rows, lstm.hidden_size)
        for name, state, shape in () if h_0 is None is c_0 else (("h_0", h_0, h_shape), ("c_0", c_0, c_shape)):
            if not isinstance(state, Tensors.type) or state.dtype != x.dtype or tuple(state.shape) != shape:
                raise ValueError(f"{name}: {x.dtype} {shape} expected, got {state}")
        dense = Tensors.dense
        return Call(seq_len, rows[0] if rows else 1, batch_sizes, dense("input", x), None if h_0 is None else dense("h_0", h_0),
                    None if c_0 is None else dense("c_0", c_0), (*leading, width * (2 if lstm.bidirectional else 1)), h_shape,
                    c_shape)


_of_graphs = {}


def trainers_of_graph(form, dropout, weights):
    """What an operator's are found by; the one that was used longest ago goes."""
    key = Trainers.key(form, dropout, weights)
    trainers = _of_graphs.pop(key, None) or Trainers(form, dropout, weights, keep=False)
    _of_graphs[key] = trainers
    while len(_of_graphs) > KEPT:
        with contextlib.suppress(StopIteration, RuntimeError):  # another thread was first
            _of_graphs.pop(next(iter(_of_graphs)), None)
    return trainers
