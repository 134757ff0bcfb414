"""Streams: many sequences that share one LSTM, a step at a time."""
import ctypes
import weakref

import numpy as np

from ._arrays import Arrays, arrays_of, length_array
from ._declarations import StreamsOptions
from ._library import check, lib
from . import _arguments as argument
from ._modules import LSTM


def _id_array(ids):
    array = np.asarray(ids)
    if array.ndim != 1:
        raise ValueError(f"ids: a list of one dimension expected, got shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"ids: integers expected, got {array.dtype}")
    return np.ascontiguousarray(array, np.int64)


class Streams:
    """Room for max_streams sequences over an LSTM of one direction, none of them open. What comes of one is, bit for bit, what
    comes of it alone, whoever shares its batches. It keeps the parameters that the LSTM has now. Used by one thread at a time.

    max_batch is the most rows that are computed at once, and num_threads as many, 0 the library's choice; precision as LSTM's,
    None that of the LSTM."""

    def __init__(self, lstm, max_streams, max_batch=0, num_threads=0, precision=None):
        if not isinstance(lstm, LSTM):
            raise TypeError(f"lstm: a wavelstm.LSTM expected, got {type(lstm).__name__}")
        if precision not in argument.PRECISION_CODES:
            raise ValueError(f"precision: None, 'full', 'bf16' or 'int8' expected, got {precision!r}")
        if not -(2**31) <= argument.integer("num_threads", num_threads) < 2**31:  # ctypes would cut it to 32 bits
            raise ValueError(f"num_threads: an integer of 32 bits expected, got {num_threads}")
        options = StreamsOptions(max_streams=argument.integer("max_streams", max_streams),
                                 max_batch=argument.integer("max_batch", max_batch), num_threads=num_threads,
                                 precision=argument.PRECISION_CODES[precision])
        handle = ctypes.c_void_p()
        check(lib.wlstm_streams_create(lstm._handle, options, handle))
        self._handle = handle.value
        weakref.finalize(self, lib.wlstm_streams_free, handle.value).atexit = False  # a daemon thread may still be in a call then
        self._lstm, self._code, self._width = lstm, lstm._code, lstm.proj_size or lstm.hidden_size
        self._h_shape, self._c_shape = (lstm.num_layers, self._width), (lstm.num_layers, lstm.hidden_size)

    def open(self):
        """The id of a new stream, an int, its state zeros."""
        stream = ctypes.c_int64()
        check(lib.wlstm_streams_open(self._handle, stream))
        return stream.value

    def close(self, stream):
        """Ends a stream, whose id is no longer one."""
        check(lib.wlstm_streams_close(self._handle, argument.integer("stream", stream)))

    def reset(self, stream):
        """Makes its state zeros again."""
        check(lib.wlstm_streams_reset(self._handle, argument.integer("stream", stream)))

    def get_state(self, stream):
        """h (num_layers, proj_size or hidden_size) and c (num_layers, hidden_size) of a stream, as NumPy arrays."""
        h, c = np.empty(self._h_shape, Arrays.dtypes[self._code]), np.empty(self._c_shape, Arrays.dtypes[self._code])
        check(lib.wlstm_streams_get_state(self._handle, argument.integer("stream", stream), h.ctypes.data, c.ctypes.data))
        return h, c

    def set_state(self, stream, hx):
        """Gives it h and c, arrays or tensors of the shapes that get_state has."""
        states = []
        for name, state, shape in zip(("hx[0]", "hx[1]"), argument.pair("hx", hx), (self._h_shape, self._c_shape)):
            kind = arrays_of(state, name)
            if tuple(state.shape) != shape or state.dtype != kind.dtypes[self._code]:
                raise ValueError(f"{name}: {kind.dtypes[self._code]} of shape {shape} expected, got {state.dtype} of "
                                 f"{tuple(state.shape)}")
            states.append((kind, kind.dense(name, state)))
        addresses = [kind.address(state) for kind, state in states]
        check(lib.wlstm_streams_set_state(self._handle, argument.integer("stream", stream), *addresses))

    def step(self, ids, input, *, out=None):
        """One step of each of the streams, all different: row i of input (len(ids), input_size) goes into ids[i], and what comes
        of it is row i of the result (len(ids), proj_size or hidden_size). out is a contiguous array to write to."""
        ids = _id_array(ids)
        kind, x, out = self._arrays(input, (len(ids),), out)
        check(lib.wlstm_streams_step(self._handle, len(ids), ids.ctypes.data, kind.address(x), kind.address(out)))
        return out

    def run(self, ids, input, *, lengths=None, out=None):
        """Several steps of each: input (steps, len(ids), input_size), or (len(ids), steps, input_size) if the LSTM is
        batch_first. lengths, one integer a stream, are how many of the steps are its own: the result is 0 past them."""
        ids = _id_array(ids)
        kind = arrays_of(input, "input")
        if input.ndim != 3:
            raise ValueError(f"input: 3 dimensions expected, got {input.ndim}")
        steps = input.shape[1 if self._lstm.batch_first else 0]
        rows = (len(ids), steps) if self._lstm.batch_first else (steps, len(ids))
        kind, x, out = self._arrays(input, rows, out)
        if lengths is not None:
            lengths = length_array(lengths, len(ids))
        check(lib.wlstm_streams_run(self._handle, len(ids), ids.ctypes.data, steps, None if lengths is None else lengths.ctypes.data,
                                    kind.address(x), kind.address(out)))
        return out

    def _arrays(self, input, rows, out):
        """Which kind of arrays, the input dense, and where to write to."""
        kind = arrays_of(input, "input")
        dtype = kind.dtypes[self._code]
        if tuple(input.shape) != (*rows, self._lstm.input_size) or input.dtype != dtype:
            raise ValueError(f"input: {dtype} of shape {(*rows, self._lstm.input_size)} expected, got {input.dtype} of "
                             f"{tuple(input.shape)}")
        shape = (*rows, self._width)
        if out is None:
            out = kind.empty(shape, dtype)
        else:
            self._lstm._check_results(kind, {"out": shape}, (out,))
        return kind, kind.dense("input", input), out
