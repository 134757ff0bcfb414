"""PyTorch's nn.LSTM and nn.LSTMCell for inference on CPUs, through the wavelstm C library.

    import wavelstm
    lstm = wavelstm.LSTM.load("model.safetensors")      # or LSTM.from_torch(module), or LSTM(100, 20, num_layers=4)
    out, (h_n, c_n) = lstm(x)                           # NumPy arrays, or torch tensors without a copy

Arguments, parameter names, shapes and errors are PyTorch's (docs/pytorch.md says what is checked against it). What comes in
decides what comes out: arrays for arrays, tensors for tensors. A call releases the GIL, and many threads may call one module.
Streams are many sequences over one LSTM, a step at a time.

The library is that of $WAVELSTM_LIBRARY, else what pip built into the package, else one where the dynamic linker looks or in Python's
prefix.
"""
from . import plan_cache
from ._library import lib as _lib
from ._modules import LSTM, LSTMCell
from ._plans import Plan
from ._streams import Streams
from ._tensor_read import read_tensor
from ._training import Tape, Trainer
from ._version import __version__

__all__ = ["LSTM", "LSTMCell", "Plan", "Streams", "Tape", "Trainer", "build_info", "export", "plan_cache", "read_tensor",
           "__version__"]


def export(module, path, prefix=""):
    """Writes the parameters of a torch.nn.LSTM or torch.nn.LSTMCell (or of this package's) to a safetensors file, which
    LSTM.load, wlstm_lstm_load and safetensors.torch read. The file appears whole or not at all."""
    if not isinstance(module, (LSTM, LSTMCell)):
        import torch

        module = (LSTMCell if isinstance(module, torch.nn.LSTMCell) else LSTM).from_torch(module)
    module.save(path, prefix)


def build_info():
    """The library's version, instruction set and oneDNN's version in one line, for bug reports."""
    return _lib.wlstm_build_info().decode()
