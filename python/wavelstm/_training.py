"""Trainer: nn.LSTM's forward and backward passes and torch.optim's updates over the library's handle."""
import ctypes
import os
import weakref

import numpy as np

from ._arrays import Arrays, batch_size_array, length_array, parameter_array
from ._declarations import GradientsFunction, Optimizer, OptimizerKind, TrainerOptions
from ._library import check, lib
from . import _arguments as argument
from ._modules import LSTM
from ._plans import _EFFORTS, _SCHEDULES, _code

_KINDS = {"sgd": OptimizerKind.WLSTM_OPTIMIZER_SGD, "adam": OptimizerKind.WLSTM_OPTIMIZER_ADAM,
          "adamw": OptimizerKind.WLSTM_OPTIMIZER_ADAMW}
_SETTINGS = {"sgd": {"momentum", "dampening", "nesterov"}, "adam": {"beta1", "beta2", "eps"}, "adamw": {"beta1", "beta2", "eps"}}


class Tape:
    """What a forward pass keeps for its backward pass; Trainer.tape makes one. Each pass that is still to go back has its own."""

    def __init__(self, memory=None, limits=None):
        self._memory, self._limits, self._pass = memory, limits, None

    def _address(self):
        return None if self._memory is None else self._memory.ctypes.data


class Trainer:
    """An LSTM's parameters and their gradients, and the passes between them, for NumPy arrays of the lstm's dtype. It takes a copy
    of the parameters. With recompute_steps its tapes keep the states of every so many steps and the rest is computed again.
    schedule: "auto", "serial" (layer after layer), "gangs" or "wavefront" (threads own layers). effort: "default", "estimate",
    "measure" or "patient", which search for the fastest way and take seconds. Used by one thread at a time.

        trainer = wavelstm.Trainer(lstm, max_seq_len=60, max_batch=48)
        out, _ = trainer.forward(x, seed=step)
        trainer.backward(d_out)
        trainer.clip_gradients(1.0)
        trainer.update("adamw", lr=3e-3, weight_decay=0.01)"""

    def __init__(self, lstm, max_seq_len, max_batch, threads=None, recompute_steps=0, schedule="auto",
                 effort="default"):
        if not isinstance(lstm, LSTM):
            raise TypeError(f"lstm: a wavelstm.LSTM expected, got {type(lstm).__name__}")
        options = TrainerOptions(max_seq_len=argument.size("max_seq_len", max_seq_len),
                                 max_batch=argument.size("max_batch", max_batch),
                                 num_threads=0 if threads is None else argument.size("threads", threads),
                                 recompute_steps=argument.integer("recompute_steps", recompute_steps),
                                 schedule=_code("schedule", _SCHEDULES, schedule), effort=_code("effort", _EFFORTS, effort))
        handle = ctypes.c_void_p()
        check(lib.wlstm_trainer_create(lstm._handle, options, handle))
        self._handle = handle.value
        weakref.finalize(self, lib.wlstm_trainer_free, handle.value).atexit = False
        for name in ("input_size", "hidden_size", "num_layers", "batch_first", "bidirectional", "proj_size", "dtype", "_code",
                     "_shapes"):
            setattr(self, name, getattr(lstm, name))
        self._own, self._watcher, self._raised = Tape(), None, None

    def _flat(self, get):
        values, count = ctypes.c_void_p(), ctypes.c_int64()
        check(get(self._handle, values, count))
        numbers = np.ctypeslib.as_ctypes_type(self.dtype) * count.value
        memory = numbers.from_address(values.value)
        memory._trainer = self  # which has the memory
        return np.frombuffer(memory, self.dtype)

    @property
    def parameters(self):
        """All of them in one array, in the order of state_dict; to be written to between a backward and the next forward pass."""
        return self._flat(lib.wlstm_trainer_parameters)

    @property
    def gradients(self):
        """Theirs, likewise."""
        return self._flat(lib.wlstm_trainer_gradients)

    def _by_name(self, flat):
        begin, named = 0, {}
        for name, shape in self._shapes.items():
            end = begin + int(np.prod(shape))
            named[name] = flat[begin:end].reshape(shape).copy()
            begin = end
        return named

    def state_dict(self):
        """The parameters by name, in PyTorch's order: copies."""
        named = {name: np.empty(shape, self.dtype) for name, shape in self._shapes.items()}
        for name, array in named.items():
            check(lib.wlstm_trainer_get_parameter(self._handle, name.encode(), array.ctypes.data, array.size))
        return named

    def named_gradients(self):
        """The gradients by the parameters' names: copies."""
        return self._by_name(self.gradients)

    def load_state_dict(self, state):
        """Takes the parameters of that name."""
        for name, values in state.items():
            array = parameter_array(values, self._code)
            check(lib.wlstm_trainer_set_parameter(self._handle, str(name).encode(), array.ctypes.data, array.size))

    def copy_to(self, lstm):
        """Copies the parameters into an LSTM of the same shape. Not while another thread is in a call of it."""
        check(lib.wlstm_trainer_copy_to(self._handle, lstm._handle))

    def tape(self, seq_len, batch):
        """A Tape for passes of at most so many steps and rows."""
        bytes = ctypes.c_size_t()
        seq_len, batch = argument.integer("seq_len", seq_len), argument.integer("batch", batch)
        check(lib.wlstm_trainer_tape_bytes(self._handle, seq_len, batch, bytes))
        return Tape(np.empty(bytes.value, np.uint8), (seq_len, batch))

    def _array(self, name, value, shape):
        if not isinstance(value, np.ndarray) or value.dtype != self.dtype or value.shape != shape:
            got = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            raise ValueError(f"{name}: an array of {self.dtype} {shape} expected, got {got}")
        return Arrays.dense(name, value)

    def _state_shapes(self, batch):
        blocks = self.num_layers * (2 if self.bidirectional else 1)
        return (blocks, batch, self.proj_size or self.hidden_size), (blocks, batch, self.hidden_size)

    def forward(self, input, hx=None, *, lengths=None, training=True, seed=0, first_row=0, tape=None):
        """out, (h_n, c_n) = lstm(input, (h_0, c_0)), a batched input. With training dropout acts between layers, by a mask that
        follows from the seed, the place, and first_row + the row alone. The arrays stay as they are until the backward pass."""
        if not isinstance(input, np.ndarray) or input.ndim != 3:
            raise ValueError("input: a NumPy array of 3 dimensions expected")
        x = self._array("input", input, (*input.shape[:2], self.input_size))
        batch, seq_len = (x.shape[0], x.shape[1]) if self.batch_first else (x.shape[1], x.shape[0])
        lengths = None if lengths is None else length_array(lengths, batch)
        sizes = seq_len, batch, None if lengths is None else lengths.ctypes.data
        return self._forward(lib.wlstm_trainer_forward, sizes, x, hx, (seq_len, batch), training, seed, first_row, tape)

    def forward_packed(self, data, batch_sizes, hx=None, *, training=True, seed=0, first_row=0, tape=None):
        """The same of rows without padding, as LSTM.forward_packed takes them. The pass back takes d_out, and gives d_input, packed
        too."""
        if not isinstance(data, np.ndarray) or data.ndim != 2:
            raise ValueError("data: a NumPy array of 2 dimensions expected")
        x = self._array("data", data, (len(data), self.input_size))
        batch_sizes = batch_size_array(batch_sizes, len(data))
        seq_len = len(batch_sizes)
        return self._forward(lib.wlstm_trainer_forward_packed, (seq_len, batch_sizes.ctypes.data), x, hx,
                             (seq_len, int(batch_sizes[0])), training, seed, first_row, tape)

    def _forward(self, run, sizes, x, hx, steps_and_rows, training, seed, first_row, tape):
        seq_len, batch = steps_and_rows
        kept = tape or self._own
        if kept._limits and (seq_len > kept._limits[0] or batch > kept._limits[1]):
            raise ValueError(f"tape: one for {seq_len} steps of {batch} rows expected, got one for {kept._limits}")
        h_shape, c_shape = self._state_shapes(batch)
        h_0, c_0 = hx if hx is not None else (None, None)
        h_0 = None if h_0 is None else self._array("h_0", h_0, h_shape)
        c_0 = None if c_0 is None else self._array("c_0", c_0, c_shape)
        out = np.empty((*x.shape[:-1], h_shape[2] * (2 if self.bidirectional else 1)), self.dtype)
        h_n, c_n = np.empty(h_shape, self.dtype), np.empty(c_shape, self.dtype)
        addresses = [None if array is None else array.ctypes.data for array in (x, h_0, c_0, out, h_n, c_n)]
        check(run(self._handle, *sizes, *addresses, bool(training), seed % 2**64, first_row, kept._address()))
        kept._pass = x, out, steps_and_rows
        return out, (h_n, c_n)

    def backward(self, d_out=None, d_hx=None, *, accumulate=False, tape=None):
        """d_input, (d_h_0, d_c_0) from the gradients by out and d_hx = (by h_n, by c_n), of which None is zeros; those by the
        parameters are in `gradients` then, or where it accumulates added to them."""
        kept = tape or self._own
        if kept._pass is None:
            raise RuntimeError("tape: a forward pass before each backward pass expected")
        x, out, (_, batch) = kept._pass
        h_shape, c_shape = self._state_shapes(batch)
        d_h_n, d_c_n = d_hx if d_hx is not None else (None, None)
        d_out = None if d_out is None else self._array("d_out", d_out, out.shape)
        d_h_n = None if d_h_n is None else self._array("d_hx[0]", d_h_n, h_shape)
        d_c_n = None if d_c_n is None else self._array("d_hx[1]", d_c_n, c_shape)
        d_x, d_h_0, d_c_0 = np.empty(x.shape, self.dtype), np.empty(h_shape, self.dtype), np.empty(c_shape, self.dtype)
        addresses = [None if array is None else array.ctypes.data for array in (d_out, d_h_n, d_c_n, d_x, d_h_0, d_c_0)]
        self._raised = None
        check(lib.wlstm_trainer_backward(self._handle, kept._address(), *addresses, bool(accumulate)))
        kept._pass = None
        if self._raised is not None:
            raise self._raised
        return d_x, (d_h_0, d_c_0)

    def watch_gradients(self, ready):
        """Has each backward pass call ready(values) for each layer and direction, the last layer first, as soon as its gradients are
        complete: values is their part of `gradients`, for a sum over processes that goes on meanwhile. None: nobody is told. What
        ready raises backward raises at its end."""
        if ready is not None and not callable(ready):
            raise TypeError(f"ready: a function or None expected, got {type(ready).__name__}")
        trainer = weakref.ref(self)

        def tell(context, dtype, values, count):
            own = trainer()
            try:
                flat = own.gradients
                first = (values - flat.ctypes.data) // flat.itemsize
                ready(flat[first:first + count])
            except BaseException as error:  # which C would not hand on
                own._raised = own._raised or error

        watcher = GradientsFunction(tell) if ready is not None else GradientsFunction()
        check(lib.wlstm_trainer_watch_gradients(self._handle, watcher, None))
        self._watcher = watcher  # C has its address

    def zero_gradients(self):
        check(lib.wlstm_trainer_zero_gradients(self._handle))

    def clip_gradients(self, max_norm):
        """Scales the gradients to a norm of at most max_norm; returns what it was."""
        norm = ctypes.c_double()
        check(lib.wlstm_trainer_clip_gradients(self._handle, max_norm, norm))
        return norm.value

    def update(self, kind="adam", *, lr=1e-3, weight_decay=None, **settings):
        """A step of torch.optim's "sgd", "adam" or "adamw", with its settings and defaults; one kind for all updates. betas are
        beta1 and beta2."""
        if kind not in _KINDS:
            raise ValueError(f"kind: 'sgd', 'adam' or 'adamw' expected, got {kind!r}")
        unknown = settings.keys() - _SETTINGS[kind]
        if unknown:
            raise TypeError(f"{sorted(unknown)[0]}: a setting of {kind} expected: {', '.join(sorted(_SETTINGS[kind]))}")
        if weight_decay is None:
            weight_decay = 1e-2 if kind == "adamw" else 0.0
        check(lib.wlstm_trainer_update(self._handle, Optimizer(kind=_KINDS[kind], lr=lr, weight_decay=weight_decay, **settings)))

    def dropout_mask(self, layer, tape=None):
        """What the forward pass on the tape multiplied the layer's output by: (seq_len, batch, D*R)."""
        kept = tape or self._own
        if kept._pass is None:
            raise RuntimeError("tape: one between its forward and its backward pass expected")
        _, out, steps_and_rows = kept._pass
        mask = np.empty((*steps_and_rows, out.shape[-1]), self.dtype)
        check(lib.wlstm_trainer_dropout_mask(self._handle, kept._address(), argument.integer("layer", layer), mask.ctypes.data))
        return mask

    def memory(self):
        """Bytes of the trainer, and of its own tape."""
        own, tape = ctypes.c_size_t(), ctypes.c_size_t()
        check(lib.wlstm_trainer_memory(self._handle, own, tape))
        return own.value, tape.value

    def save(self, path):
        """Writes what is needed to resume: parameters, moments, the number of updates."""
        check(lib.wlstm_trainer_save(self._handle, argument.c_string("path", os.fsencode(path))))

    def load(self, path):
        check(lib.wlstm_trainer_load(self._handle, argument.c_string("path", os.fsencode(path))))
