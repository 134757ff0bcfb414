"""oneDNN's own LSTM primitive, through bench/onednn_lstm.c; in bf16 with bf16 arrays, as its users hold them."""

import ctypes

import numpy as np

from .candidate import Candidate, address, load_loop
from .tasks import Data, Task


def to_bf16(values: np.ndarray) -> np.ndarray:
    """Finite f32 to the nearest bf16, ties to even, as 16 bits."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


class Engine:
    def __init__(self, threads: int, config: dict):
        self.threads = threads
        self.loop = load_loop(config["loop"])
        self.library = ctypes.CDLL(config["library"])
        self.library.onednn_lstm_create.restype = ctypes.c_void_p
        self.library.onednn_lstm_create.argtypes = [ctypes.c_int64] * 5 + [ctypes.c_int] * 3 + [ctypes.c_void_p] * 7
        self.library.onednn_lstm_error.restype = ctypes.c_char_p
        self.library.onednn_lstm_error.argtypes = self.library.onednn_lstm_free.argtypes = [ctypes.c_void_p]
        version = self.library.onednn_lstm_version()
        self.version = f"{version // 10000}.{version // 100 % 100}.{version % 100}"
        self.owned = []

    @staticmethod
    def supports(task: Task) -> bool:
        p = task.problem
        return task.kind == "forward" and p.dtype == "f32" and p.proj_size == 0 and p.precision != "int8"

    def candidates(self, task: Task, data: Data) -> list:
        p = task.problem
        layers = p.num_layers * p.directions
        weight_ih = np.concatenate([param["weight_ih"].ravel() for param in data.params])
        weight_hh = np.concatenate([param["weight_hh"].ravel() for param in data.params])
        # No LSTM without a bias here: its users pass zeros.
        bias = np.zeros((layers, 4 * p.hidden_size), np.float32)
        if p.bias:
            bias = np.stack([param["bias_ih"] + param["bias_hh"] for param in data.params])
        bf16 = p.precision == "bf16"
        own, theirs = (to_bf16, from_bf16) if bf16 else (lambda values: values,) * 2
        kind = np.uint16 if bf16 else np.float32
        out = np.zeros((p.seq_len, p.batch, p.directions * p.hidden_size), kind)
        h_n, c_n = (np.zeros((layers, p.batch, p.hidden_size), dtype) for dtype in (kind, np.float32))
        arrays = [bias, own(data.x), out, h_n, c_n]
        weights = own(weight_ih), own(weight_hh)
        lstm = self.library.onednn_lstm_create(
            p.seq_len, p.batch, p.input_size, p.hidden_size, p.num_layers, p.bidirectional, bf16, self.threads,
            *(array.ctypes.data for array in [*weights, *arrays]))
        if not lstm:
            raise MemoryError("onednn_lstm_create")
        self.owned.append(lstm)
        if error := self.library.onednn_lstm_error(lstm).decode():
            raise RuntimeError(error)
        return [Candidate("primitive", address(self.library.onednn_lstm_run),
                          lambda: (theirs(out), theirs(h_n), c_n), lstm, arrays, self.loop)]

    def release(self) -> None:
        while self.owned:
            self.library.onednn_lstm_free(self.owned.pop())
