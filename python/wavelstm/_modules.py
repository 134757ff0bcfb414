"""LSTM and LSTMCell: torch.nn's arguments, shapes and errors over the library's handles."""
import functools
import numbers

from . import _arguments as argument
from . import _arrays
from ._arrays import Arrays, arrays_of, batch_size_array, length_array, tensors
from ._compare import compare
from ._declarations import CellConfig, Dtype, LSTMConfig
from ._library import check, lib, usual_call
from ._module import Module
from ._plans import Plan


class LSTM(Module):
    """torch.nn.LSTM in eval mode (dropout is kept and does nothing). Parameters are drawn with seed 0 until they are set."""

    _kind, _config = "lstm", LSTMConfig
    _arguments = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
                 proj_size=0, device=None, dtype=None, precision=None):
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout should be a number in range [0, 1], got {dropout}")
        argument.check_device(device)
        config = LSTMConfig(bias=argument.flag("bias", bias), dropout=dropout,
                            batch_first=argument.flag("batch_first", batch_first),
                            input_size=argument.size("input_size", input_size),
                            hidden_size=argument.size("hidden_size", hidden_size),
                            num_layers=argument.size("num_layers", num_layers), bidirectional=bool(bidirectional),
                            proj_size=argument.integer("proj_size", proj_size), dtype=argument.dtype_code(dtype))
        self._create(config, precision)

    @classmethod
    def load(cls, path, prefix="", batch_first=False, dtype=None, precision=None, compact=False, first_layer=0, num_layers=None):
        """The module that export, or safetensors.torch.save_file(state_dict), wrote. Sizes are read from the file; batch_first is
        not in it. Without a dtype float64 is run as float64, all else as float32. compact: as after compact(), and never with all
        of the file in memory. num_layers of the file's layers, from first_layer on (None: the rest), make a module of their own."""
        if num_layers is not None and num_layers < 1:
            raise ValueError(f"num_layers: None or at least 1 expected, got {num_layers}")
        return cls._load(path, prefix, dtype, batch_first, precision, compact,
                         first_layer=argument.integer("first_layer", first_layer),
                         num_layers=0 if num_layers is None else argument.integer("num_layers", num_layers))

    def compare(self, input, hx=None, *, lengths=None):
        """How far out, h_n and c_n are from those of precision "full", and the seconds of both: a Comparison. Takes a copy."""
        return compare(self, input, hx, lengths)

    def plan(self, max_seq_len, max_batch, *, threads=0, backend="auto", effort="default", time_limit=0.0, deterministic=False,
             schedule="auto", precision=None, chunk_steps=0):
        """A Plan for calls of up to these sizes, as wlstm_plan_options has them: threads (0: the environment's, else OpenMP's within
        the CPU quota), backend "auto", "reference", "onednn" or "native", effort "default", "estimate", "measure" or "patient" with
        at most time_limit seconds of search (0: 2 and 10), deterministic (the same bits for every thread count, effort and rest of
        the batch), schedule "auto", "serial", "wavefront" or "gangs", precision (None: this LSTM's), chunk_steps (0: chosen)."""
        return Plan(self, argument.size("max_seq_len", max_seq_len), argument.size("max_batch", max_batch),
                    argument.count("threads", threads), backend, effort, float(time_limit), bool(deterministic), schedule,
                    argument.precision_code(precision), argument.integer("chunk_steps", chunk_steps))

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
        h_0, c_0 = argument.pair("hx", hx)
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
            output, states = argument.pair("out", out)
            h_n, c_n = argument.pair("out[1]", states)
            self._check_results(kind, {"out": out_shape, "h_n": h_shape, "c_n": c_shape}, (output, h_n, c_n))
        address = kind.address
        read = address(x), address(h_0) if hx else None, address(c_0) if hx else None
        written = address(output), address(h_n), address(c_n)
        check(run(*read, *written))
        return output, (h_n, c_n)

    forward = __call__


class LSTMCell(Module):
    """torch.nn.LSTMCell. Parameters are drawn with seed 0 until they are set."""

    _kind, _config = "cell", CellConfig
    _arguments = ("input_size", "hidden_size", "bias")

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None, precision=None):
        argument.check_device(device)
        config = CellConfig(input_size=argument.size("input_size", input_size), bias=bool(bias),
                            hidden_size=argument.size("hidden_size", hidden_size), dtype=argument.dtype_code(dtype))
        self._create(config, precision)

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
        states = argument.pair("hx", hx)
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
            h_out, c_out = argument.pair("out", out)
            self._check_results(kind, {"h'": state_shape, "c'": state_shape}, (h_out, c_out))
        address = kind.address
        read = address(x), address(h) if hx is not None else None, address(c) if hx is not None else None
        written = address(h_out), address(c_out)
        check(lib.wlstm_cell_forward(self._handle, rows[0] if rows else 1, *read, *written))
        return h_out, c_out

    forward = __call__
