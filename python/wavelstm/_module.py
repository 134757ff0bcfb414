"""What LSTM and LSTMCell are alike in: parameters, files, precision, checks of what a call is given."""
import ctypes
import os
import weakref

import numpy as np

from . import _arguments as argument
from ._arrays import Arrays, parameter_array
from ._declarations import LoadOptions
from ._library import check, lib


def _rebuild(cls, arguments, state):
    module = cls(**arguments)
    module.load_state_dict(state)
    return module


class Module:
    """What LSTM and LSTMCell share. A subclass names its library functions (_kind), config struct and constructor arguments."""

    training = False

    @property
    def precision(self):
        """What products multiply: "full", "bf16" or "int8", or None: that of WLSTM_PRECISION (not for float64), else full.
        To be set while no other thread is in a call."""
        return self._precision

    @precision.setter
    def precision(self, value):
        check(self._call("set_precision", argument.precision_code(value)))
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
        options = LoadOptions(prefix=argument.text("prefix", prefix), batch_first=batch_first, convert=dtype is not None,
                              dtype=argument.dtype_code(dtype), precision=argument.precision_code(precision),
                              compact=argument.flag("compact", compact), **layers)
        handle = ctypes.c_void_p()
        check(getattr(lib, f"wlstm_{cls._kind}_load")(argument.c_string("path", os.fsencode(path)), options, handle))
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
        if argument.flag("compact", compact):
            copy.compact()
        return copy

    def compact(self):
        """Keeps the weights packed for this precision, and no parameters, which halves the memory or better. From then on what
        needs the parameters raises NotImplementedError: state_dict, load_state_dict, reset_parameters, save, compare, copies and
        another precision. Not while another thread is in a call."""
        check(self._call("compact"))

    def save(self, path, prefix=""):
        """Writes the parameters to a safetensors file as a state_dict names them, `prefix` before each name."""
        check(self._call("save", argument.c_string("path", os.fsencode(path)), argument.text("prefix", prefix)))

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
        dtype = next(name for name, code in argument.DTYPE_CODES.items() if code == self._code)
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
