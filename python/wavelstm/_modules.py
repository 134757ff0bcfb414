"""LSTM and LSTMCell: torch.nn's arguments, shapes and errors over the library's handles."""
import ctypes
import functools
import numbers
import os
import weakref

import numpy as np

from . import _arrays
from ._arrays import Arrays, arrays_of, batch_size_array, length_array, parameter_array, tensors
from ._compare import compare
from ._declarations import CellConfig, Dtype, LoadOptions, LSTMConfig, Precision
from ._library import check, lib, usual_call
from ._plans import Plan

_DTYPE_CODES = {"float32": Dtype.WLSTM_F32, "float64": Dtype.WLSTM_F64, "bfloat16": Dtype.WLSTM_BF16}
_PRECISION_CODES = {None: Precision.WLSTM_PRECISION_DEFAULT, "full": Precision.WLSTM_PRECISION_FULL,
                    "bf16": Precision.WLSTM_PRECISION_BF16, "int8": Precision.WLSTM_PRECISION_INT8}


def _dtype_code(dtype):
    """wlstm_dtype of a NumPy or torch dtype, or a name; None is float32."""
    if dtype is None:
        return Dtype.WLSTM_F32
    name = str(dtype)
    if name.startswith("torch."):
        name = name[len("torch."):]
    elif name not in _DTYPE_CODES:
        name = np.dtype(dtype).name
    if name not in _DTYPE_CODES:
        raise ValueError(f"dtype: float32, float64 or bfloat16 expected, got {dtype}")
    return _DTYPE_CODES[name]


def _precision_code(precision):
    if precision not in _PRECISION_CODES:
        raise ValueError(f"precision: None, 'full', 'bf16' or 'int8' expected, got {precision!r}")
    return _PRECISION_CODES[precision]


def _check_device(device):
    if device is not None and str(device) != "cpu":
        raise ValueError(f"device: cpu expected, got {device}")


def _integer(name, value):
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if not -(2**63) <= value < 2**63:  # ctypes would cut it to 64 bits
        raise ValueError(f"{name} must be less than 2^63, got {value}")
    return int(value)


def _size(name, value):
    value = _integer(name, value)
    if value <= 0:
        raise ValueError(f"{name} must be greater than zero, got {value}")
    return value


def _count(name, value):
    """An int of the library's, at least 0."""
    value = _integer(name, value)
    if not 0 <= value < 2**31:
        raise ValueError(f"{name}: 0 to 2^31 - 1 expected, got {value}")
    return value


def _c_string(name, encoded):
    if b"\0" in encoded:  # where C would see its end
        raise ValueError(f"{name}: no null character expected, got {encoded!r}")
    return encoded


def _text(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name}: a str expected, got {type(value).__name__}")
    return _c_string(name, value.encode())


def read_tensor(path, name, dtype=None):
    """Any tensor of a safetensors file by its name, as the weight of an nn.Linear after the LSTM: a NumPy array of float32, which
    None is, or float64, or of the bits of bfloat16."""
    path, name, code = _c_string("path", os.fsencode(path)), _text("name", name), _dtype_code(dtype)
    ndim, shape = ctypes.c_int(), (ctypes.c_int64 * 8)()
    check(lib.wlstm_tensor_read(path, name, code, None, 0, ndim, shape))
    array = np.empty(tuple(shape[:ndim.value]), Arrays.dtypes[code])
    check(lib.wlstm_tensor_read(path, name, code, array.ctypes.data, array.size, None, None))
    return array


def _flag(name, value):
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    return value


def _rebuild(cls, arguments, state):
    module = cls(**arguments)
    module.load_state_dict(state)
    return module


class _Module:
    """What LSTM and LSTMCell share. A subclass names its library functions (_kind), config struct and constructor arguments."""

    training = False

    @property
    def precision(self):
        """What products multiply: "full", "bf16" or "int8", or None: that of WLSTM_PRECISION (not for float64), else full.
        To be set while no other thread is in a call."""
        return self._precision

    @precision.setter
    def precision(self, value):
        check(self._call("set_precision", _precision_code(value)))
        self._precision = value

    def _call(self, function, *arguments):
        return getattr(lib, f"wlstm_{self._kind}_{function}")(self._handle, *arguments)

    def _create(self, config, precision):
        handle = ctypes.c_void_p()
        check(getattr(lib, f"wlstm_{self._kind}_create")(config, handle))
        self._adopt(handle, precision)

    def _adopt(self, handle, precision):
        self._handle = handle.value
        free = getattr(lib, f"wlstm_{self._kind}_free")
        weakref.finalize(self, free, handle.value).atexit = False  # a daemon thread may still be in a call then
        config = self._config()
        check(self._call("get_config", config))
        for name in self._arguments:
            value = getattr(config, name)
            setattr(self, name, bool(value) if name in ("bias", "batch_first", "bidirectional") else value)
        self._code = config.dtype
        self.dtype = Arrays.dtypes[config.dtype]
        self._shapes = {}
        name, ndim, shape = ctypes.c_char_p(), ctypes.c_int(), (ctypes.c_int64 * 2)()
        for index in range(self._call("num_parameters")):
            check(self._call("parameter_info", index, name, ndim, shape))
            self._shapes[name.value.decode()] = tuple(shape[:ndim.value])
        self.precision = precision
        self.usual_call = self._usual_call()

    @classmethod
    def _load(cls, path, prefix, dtype, batch_first, precision, compact, **layers):
        options = LoadOptions(prefix=_text("prefix", prefix), batch_first=batch_first, convert=dtype is not None,
                              dtype=_dtype_code(dtype), precision=_precision_code(precision), compact=_flag("compact", compact),
                              **layers)
        handle = ctypes.c_void_p()
        check(getattr(lib, f"wlstm_{cls._kind}_load")(_c_string("path", os.fsencode(path)), options, handle))
        module = cls.__new__(cls)
        module._adopt(handle, precision)
        return module

    @classmethod
    def from_torch(cls, module, precision=None, compact=False):
        """A copy, in eval mode, of the torch module of the same name; of a parametrization (weight_norm) what it gives now.
        compact: as after compact()."""
        import torch

        if not isinstance(module, getattr(torch.nn, cls.__name__)):
            raise TypeError(f"module: a torch.nn.{cls.__name__} expected, got {type(module).__name__}")
        first = module.weight_ih if cls._kind == "cell" else module.weight_ih_l0
        if str(first.dtype) not in ("torch.float32", "torch.float64", "torch.bfloat16"):
            raise ValueError(f"module: parameters of float32, float64 or bfloat16 expected, got {first.dtype}; take "
                             "module.float()")
        copy = cls(**{name: getattr(module, name) for name in cls._arguments}, dtype=first.dtype, precision=precision)
        copy.load_state_dict({name: getattr(module, name) for name in copy._shapes})
        if _flag("compact", compact):
            copy.compact()
        return copy

    def compact(self):
        """Keeps the weights packed for this precision, and no parameters, which halves the memory or better. From then on what
        needs the parameters raises NotImplementedError: state_dict, load_state_dict, reset_parameters, save, compare, copies and
        another precision. Not while another thread is in a call."""
        check(self._call("compact"))

    def save(self, path, prefix=""):
        """Writes the parameters to a safetensors file as a state_dict names them, `prefix` before each name."""
        check(self._call("save", _c_string("path", os.fsencode(path)), _text("prefix", prefix)))

    def state_dict(self):
        """The parameters by name, in PyTorch's order: copies, as NumPy arrays; of bfloat16 its bits, as uint16."""
        return {name: self._parameter(name) for name in self._shapes}

    def _parameter(self, name):
        array = np.empty(self._shapes[name], self.dtype)
        check(self._call("get_parameter", name.encode(), array.ctypes.data, array.size))
        return array

    def load_state_dict(self, state, strict=True):
        """Takes parameters from arrays or tensors, converted to the module's dtype; uint16 is bits of bfloat16 to a module of it.
        Not while another thread is in a call."""
        missing, unexpected = self._shapes.keys() - state.keys(), state.keys() - self._shapes.keys()
        if strict and (missing or unexpected):
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}: missing {sorted(missing)}, unexpected "
                               f"{sorted(unexpected)}")
        arrays = {name: parameter_array(state[name], self._code) for name in self._shapes if name in state}
        for name, array in arrays.items():
            if array.shape != self._shapes[name]:
                raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}: {name}: size "
                                   f"{self._shapes[name]} expected, got {array.shape}")
        for name, array in arrays.items():
            check(self._call("set_parameter", name.encode(), array.ctypes.data, array.size))

    def reset_parameters(self, seed=0):
        """Draws the parameters from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)). Not while another thread is in a call."""
        check(self._call("reset_parameters", seed % 2**64))

    def __getattr__(self, name):
        if name not in self.__dict__.get("_shapes", ()):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        array = self._parameter(name)
        array.flags.writeable = False  # a copy: what is written to it would be lost
        return array

    def eval(self):
        return self

    def __reduce__(self):
        arguments = {name: getattr(self, name) for name in self._arguments}
        dtype = next(name for name, code in _DTYPE_CODES.items() if code == self._code)
        return _rebuild, (type(self), {**arguments, "dtype": dtype, "precision": self.precision}, self.state_dict())

    def __repr__(self):
        defaults = dict(proj_size=0, num_layers=1, bias=True, batch_first=False, dropout=0, bidirectional=False)
        extra = [f", {name}={getattr(self, name)}" for name in defaults
                 if name in self._arguments and getattr(self, name) != defaults[name]]
        extra += [f", precision={self.precision!r}"] if self.precision else []
        return f"{type(self).__name__}({self.input_size}, {self.hidden_size}{''.join(extra)})"

    def _check_hidden_type(self, kind, name, state):
        if not isinstance(state, kind.type):
            raise TypeError(f"{name}: a {kind.type.__name__}, as input is, expected, got {type(state).__name__}")
        if state.dtype != kind.dtypes[self._code]:
            raise RuntimeError(f"Input and hidden tensors are not the same dtype, found input tensor with "
                               f"{kind.dtypes[self._code]} and {name} with {state.dtype}")

    def _check_results(self, kind, shapes, given):
        """Whether the caller's arrays can take results of these shapes, by name."""
        dtype = kind.dtypes[self._code]
        for (name, shape), array in zip(shapes.items(), given):
            if not isinstance(array, kind.type):
                raise TypeError(f"out: {name}: a {kind.type.__name__}, as input is, expected, got {type(array).__name__}")
            if tuple(array.shape) != shape or array.dtype != dtype:
                raise ValueError(f"out: {name}: {dtype} of shape {shape} expected, got {array.dtype} of {tuple(array.shape)}")
            if kind.dense(name, array) is not array or not kind.writeable(array):
                raise ValueError(f"out: {name}: a contiguous, writeable array expected")


def _pair(name, value):
    try:
        first, second = value
    except (TypeError, ValueError):
        raise TypeError(f"{name}: a pair expected, got {type(value).__name__}") from None
    return first, second


class LSTM(_Module):
    """torch.nn.LSTM in eval mode (dropout is kept and does nothing). Parameters are drawn with seed 0 until they are set."""

    _kind, _config = "lstm", LSTMConfig
    _arguments = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
                 proj_size=0, device=None, dtype=None, precision=None):
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout should be a number in range [0, 1], got {dropout}")
        _check_device(device)
        config = LSTMConfig(bias=_flag("bias", bias), batch_first=_flag("batch_first", batch_first), dropout=dropout,
                            input_size=_size("input_size", input_size), hidden_size=_size("hidden_size", hidden_size),
                            num_layers=_size("num_layers", num_layers), bidirectional=bool(bidirectional),
                            proj_size=_integer("proj_size", proj_size), dtype=_dtype_code(dtype))
        self._create(config, precision)

    @classmethod
    def load(cls, path, prefix="", batch_first=False, dtype=None, precision=None, compact=False, first_layer=0, num_layers=None):
        """The module that export, or safetensors.torch.save_file(state_dict), wrote. Sizes are read from the file; batch_first is
        not in it. Without a dtype float64 is run as float64, all else as float32. compact: as after compact(), and never with all
        of the file in memory. num_layers of the file's layers, from first_layer on (None: the rest), make a module of their own."""
        if num_layers is not None and num_layers < 1:
            raise ValueError(f"num_layers: None or at least 1 expected, got {num_layers}")
        return cls._load(path, prefix, dtype, batch_first, precision, compact, first_layer=_integer("first_layer", first_layer),
                         num_layers=0 if num_layers is None else _integer("num_layers", num_layers))

    def compare(self, input, hx=None, *, lengths=None):
        """How far out, h_n and c_n are from those of precision "full", and the seconds of both: a Comparison. Takes a copy."""
        return compare(self, input, hx, lengths)

    def plan(self, max_seq_len, max_batch, *, threads=0, backend="auto", effort="default", time_limit=0.0, deterministic=False,
             schedule="auto", precision=None, chunk_steps=0):
        """A Plan for calls of up to these sizes, as wlstm_plan_options has them: threads (0: the environment's, else OpenMP's within
        the CPU quota), backend "auto", "reference", "onednn" or "native", effort "default", "estimate", "measure" or "patient" with
        at most time_limit seconds of search (0: 2 and 10), deterministic (the same bits for every thread count, effort and rest of
        the batch), schedule "auto", "serial", "wavefront" or "gangs", precision (None: this LSTM's), chunk_steps (0: chosen)."""
        return Plan(self, _size("max_seq_len", max_seq_len), _size("max_batch", max_batch), _count("threads", threads), backend,
                    effort, float(time_limit), bool(deterministic), schedule, _precision_code(precision),
                    _integer("chunk_steps", chunk_steps))

    def tune(self, seq_len, batch, *, threads=0, effort="measure", time_limit=0.0):
        """Searches by measuring for the fastest way to run calls of these sizes, and keeps it in the plan cache, where every later
        plan of the same problem finds it; what it holds already is kept, but by effort "patient". Returns what was chosen, in one
        line. docs/tuning.md says when that is worth it."""
        return self.plan(seq_len, batch, threads=threads, effort=effort, time_limit=time_limit).describe()

    def _usual_call(self):
        directions = 2 if self.bidirectional else 1
        return usual_call(lib.wlstm_forward, self._handle, self.input_size, self.hidden_size, self.proj_size or self.hidden_size,
                          self.num_layers * directions, directions, self.batch_first, self._code)

    def check_states(self, kind, hx, rows):
        """h_0 and c_0 of hx, which fit an input of these rows: (batch,), or () if it is unbatched."""
        h_0, c_0 = _pair("hx", hx)
        self._check_hidden_type(kind, "hidden[0]", h_0)
        self._check_hidden_type(kind, "hidden[1]", c_0)
        if not h_0.ndim == c_0.ndim == 2 + len(rows):
            kind_of_input, dims = ("batched", 3) if rows else ("unbatched", 2)
            raise RuntimeError(f"For {kind_of_input} {dims}-D input, hx and cx should also be {dims}-D but got ({h_0.ndim}-D, "
                               f"{c_0.ndim}-D) tensors")
        for k, state, width in ((0, h_0, self.proj_size or self.hidden_size), (1, c_0, self.hidden_size)):
            expected = (self.num_layers * (2 if self.bidirectional else 1), *rows, width)
            if tuple(state.shape) != expected:
                raise RuntimeError(f"Expected hidden[{k}] size {expected}, got {list(state.shape)}")
        return h_0, c_0

    def __call__(self, input, hx=None, *, lengths=None, out=None):
        """out, (h_n, c_n) = lstm(input, (h_0, c_0)), shapes as torch.nn.LSTM's.

        input is an array or tensor, or a torch PackedSequence. lengths, one integer a row of a batched input, does what a
        PackedSequence does without torch: out is 0 past a row's end, h_n and c_n are those of its last step.
        out=(out, (h_n, c_n)) are contiguous arrays to write to: h_n may be h_0, c_n may be c_0."""
        if self.usual_call and lengths is None and not _arrays.compiling():
            results = self.usual_call(input, hx, out)
            if results is not None:
                return results
        return self._call_by(lib.wlstm_forward, lib.wlstm_forward_packed, self._handle, input, hx, lengths, out)

    def forward_packed(self, data, batch_sizes, hx=None, *, out=None):
        """out, (h_n, c_n) = lstm(...) of rows without padding, as torch's PackedSequence has them: data (sum of batch_sizes, input
        size) are, of each time, the rows that still run, longest row first; batch_sizes says how many. out is packed likewise. The
        rows of hx, h_n and c_n are in this order too; a PackedSequence's own are in its caller's, as lstm(packed, hx) takes them."""
        return self._run_packed(arrays_of(data, "data"), lib.wlstm_forward_packed, self._handle, data, batch_sizes, hx, out)

    def _call_by(self, run, run_packed, handle, input, hx, lengths, out):
        """__call__ by wlstm_forward or wlstm_plan_execute, and their likes of packed rows."""
        if not isinstance(input, Arrays.type) and tensors() and tensors().is_packed(input):
            if lengths is not None or out is not None:
                raise ValueError("lengths, out: none expected beside a PackedSequence")
            kind = arrays_of(input.data, "input")
            return tensors().forward_packed(self, functools.partial(self._run_packed, kind, run_packed, handle), input, hx)
        return self._run(arrays_of(input, "input"), run, handle, input, hx, lengths, out)

    def _run(self, kind, run, handle, input, hx, lengths=None, out=None):
        """_call_by on Arrays or Tensors."""
        shape = tuple(input.shape)
        if len(shape) not in (2, 3):
            raise ValueError(f"LSTM: Expected input to be 2D or 3D, got {len(shape)}D instead")
        self._check_elements(kind, input)
        batch_dim = 0 if self.batch_first else 1
        rows = (shape[batch_dim],) if len(shape) == 3 else ()
        seq_len = shape[1 - batch_dim] if rows else shape[0]
        batch = rows[0] if rows else 1
        h_0, c_0 = self.check_states(kind, hx, rows) if hx is not None else (None, None)
        if seq_len == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        x = kind.dense("input", input)
        if lengths is not None:
            if not rows:
                raise ValueError("lengths: a batched 3-D input expected beside them, got an unbatched one")
            lengths = length_array(lengths, batch)
        return self._run_dense(kind, functools.partial(run, handle, seq_len, batch, None if lengths is None else lengths.ctypes.data),
                               x, h_0, c_0, rows, out)

    def _run_packed(self, kind, run, handle, data, batch_sizes, hx, out=None):
        """forward_packed by wlstm_forward_packed or wlstm_plan_execute_packed on Arrays or Tensors."""
        if data.ndim != 2:
            raise RuntimeError(f"input must have 2 dimensions, got {data.ndim}")
        self._check_elements(kind, data)
        sizes = batch_size_array(batch_sizes, data.shape[0])
        rows = (int(sizes[0]),)
        h_0, c_0 = self.check_states(kind, hx, rows) if hx is not None else (None, None)
        x = kind.dense("data", data)
        return self._run_dense(kind, functools.partial(run, handle, len(sizes), sizes.ctypes.data), x, h_0, c_0, rows, out)

    def _check_elements(self, kind, input):
        """That they are of the module's dtype, and rows of its input_size."""
        dtype = kind.dtypes[self._code]
        if input.dtype != dtype and kind is Arrays and self._code == Dtype.WLSTM_BF16:
            raise ValueError(f"input: bfloat16's bits in an array of uint16, or a tensor of torch.bfloat16, expected, got {input.dtype}")
        if input.dtype != dtype:
            convert = "astype" if kind is Arrays else "to"
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: "
                             f"input.{convert}({dtype}), or convert model: model.to({input.dtype}) before it comes here")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}")

    def _run_dense(self, kind, run, x, h_0, c_0, rows, out):
        """run(x, h_0, c_0, out, h_n, c_n), by their addresses, of results that are new or in `out`."""
        dtype, hx = kind.dtypes[self._code], h_0 is not None
        if hx:
            h_0, c_0 = kind.dense("hidden[0]", h_0), kind.dense("hidden[1]", c_0)
        width, directions = self.proj_size or self.hidden_size, 2 if self.bidirectional else 1
        blocks = self.num_layers * directions
        out_shape = (*x.shape[:-1], directions * width)
        h_shape, c_shape = (blocks, *rows, width), (blocks, *rows, self.hidden_size)
        if out is None:
            output, h_n, c_n = kind.empty(out_shape, dtype), kind.empty(h_shape, dtype), kind.empty(c_shape, dtype)
        else:
            output, states = _pair("out", out)
            h_n, c_n = _pair("out[1]", states)
            self._check_results(kind, {"out": out_shape, "h_n": h_shape, "c_n": c_shape}, (output, h_n, c_n))
        address = kind.address
        read = address(x), address(h_0) if hx else None, address(c_0) if hx else None
        written = address(output), address(h_n), address(c_n)
        check(run(*read, *written))
        return output, (h_n, c_n)

    forward = __call__


class LSTMCell(_Module):
    """torch.nn.LSTMCell. Parameters are drawn with seed 0 until they are set."""

    _kind, _config = "cell", CellConfig
    _arguments = ("input_size", "hidden_size", "bias")

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None, precision=None):
        _check_device(device)
        self._create(CellConfig(input_size=_size("input_size", input_size), hidden_size=_size("hidden_size", hidden_size),
                                bias=bool(bias), dtype=_dtype_code(dtype)), precision)

    @classmethod
    def load(cls, path, prefix="", dtype=None, precision=None, compact=False):
        """The module that export, or safetensors.torch.save_file(state_dict), wrote. Without a dtype float64 is run as float64,
        all else as float32. compact: as after compact()."""
        return cls._load(path, prefix, dtype, False, precision, compact)

    def _usual_call(self):
        return usual_call(lib.wlstm_cell_forward, self._handle, self.input_size, self.hidden_size, self.hidden_size, 0, 1, False,
                          self._code)

    def _check_states(self, kind, hx, rows):
        """h and c of hx, which fit an input of these rows: (batch,), or () if it is unbatched."""
        states = _pair("hx", hx)
        shape, dtype = (*rows, self.hidden_size), kind.dtypes[self._code]
        for k, state in enumerate(states):
            if isinstance(state, kind.type) and state.dtype == dtype and state.shape == shape:
                continue
            self._check_hidden_type(kind, f"hx[{k}]", state)
            if state.ndim not in (1, 2):
                raise ValueError(f"LSTMCell: Expected hx[{k}] to be 1D or 2D, got {state.ndim}D instead")
            if state.ndim != 1 + len(rows):
                raise RuntimeError(f"hx[{k}]: {1 + len(rows)}D, as input is, expected, got {state.ndim}D")
            if rows and state.shape[0] != rows[0]:
                raise RuntimeError(f"Input batch size {rows[0]} doesn't match hidden{k} batch size {state.shape[0]}")
            raise RuntimeError(f"hidden{k} has inconsistent hidden_size: got {state.shape[-1]}, expected {self.hidden_size}")
        return states

    def __call__(self, input, hx=None, *, out=None):
        """h', c' = cell(input, (h, c)), shapes as torch.nn.LSTMCell's: one step; the caller iterates over time.

        out=(h', c') are contiguous arrays to write to: h' may be h, c' may be c."""
        if self.usual_call and not _arrays.compiling():
            results = self.usual_call(input, hx, out)
            if results is not None:
                return results
        return self._run(arrays_of(input, "input"), input, hx, out)

    def _run(self, kind, input, hx, out=None):
        """__call__ on Arrays or Tensors."""
        shape = tuple(input.shape)
        if len(shape) not in (1, 2):
            raise ValueError(f"LSTMCell: Expected input to be 1D or 2D, got {len(shape)}D instead")
        if input.dtype != kind.dtypes[self._code]:
            raise RuntimeError(f"input: {kind.dtypes[self._code]}, the parameters' dtype, expected, got {input.dtype}")
        if shape[-1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {shape[-1]} expected {self.input_size}")
        rows = shape[:-1]
        x, h, c = kind.dense("input", input), None, None
        if hx is not None:
            h, c = self._check_states(kind, hx, rows)
            h, c = kind.dense("hx[0]", h), kind.dense("hx[1]", c)
        state_shape, dtype = (*rows, self.hidden_size), kind.dtypes[self._code]
        if out is None:
            h_out, c_out = kind.empty(state_shape, dtype), kind.empty(state_shape, dtype)
        else:
            h_out, c_out = _pair("out", out)
            self._check_results(kind, {"h'": state_shape, "c'": state_shape}, (h_out, c_out))
        address = kind.address
        read = address(x), address(h) if hx is not None else None, address(c) if hx is not None else None
        written = address(h_out), address(c_out)
        check(lib.wlstm_cell_forward(self._handle, rows[0] if rows else 1, *read, *written))
        return h_out, c_out

    forward = __call__
