"""One line in PyTorch: the nn.LSTM and nn.LSTMCell modules of a model, at any depth, run here, in inference and in training.

    import wavelstm.torch
    wavelstm.torch.accelerate(model)
    with torch.inference_mode():
        y = model(x)

Each stays the object that it was, with its parameters, names, state_dict, repr and hooks; what changes is its class, to LSTM or
LSTMCell of this package. Wherever wavelstm does not serve, PyTorch's own implementation runs. docs/pytorch.md has the whole list.
"""
import torch

from .. import _arguments as argument
from . import _operators  # noqa: F401  which registers torch.ops.wavelstm
from ._modules import CLASSES, LSTM, LSTMCell, accelerated, obstacle
from ._weights import forget_values

__all__ = ["LSTM", "LSTMCell", "accelerate", "left_alone", "refresh", "restore"]


def accelerate(model, precision=None, threads=None):
    """Has the nn.LSTM and nn.LSTMCell modules of `model` (itself, if it is one) run here, and returns it. precision: None (that of
    WLSTM_PRECISION, else "full"), "full", "bf16" or "int8", of what runs here. threads: a number for each call, or None: those of
    torch.set_num_threads (or WLSTM_NUM_THREADS). Modules that cannot run here stay as they are: left_alone(model) lists them, and
    the logger "wavelstm.torch" has a line for each. To be called again with other arguments, if they are to change."""
    argument.precision_code(precision)
    if threads is not None and argument.count("threads", threads) == 0:
        raise ValueError("threads: None or at least 1 expected, got 0")
    for name, module in _named(model):
        if isinstance(module, (torch.nn.LSTM, torch.nn.LSTMCell)):
            accelerated(name, module, precision, threads)
        elif isinstance(module, (LSTM, LSTMCell)):
            module._wavelstm.set(precision, threads)
    return model


def restore(model):
    """The reverse of accelerate: the modules are nn.LSTM and nn.LSTMCell again. Returns the model."""
    for name, module in _named(model):
        if isinstance(module, (LSTM, LSTMCell)):
            if type(module) not in CLASSES.values():
                raise RuntimeError(f"{name or 'model'}: {type(module).__name__}, made of an accelerated module since, cannot be "
                                   "restored; remove its parametrizations first")
            module._restore()
    return model


def refresh(model=None):
    """Says that parameters of the model were written to in a way that is not noticed (docs/pytorch.md): the next call of each
    accelerated module, and of each graph that was made of one, compares their values, and takes them anew where they differ.
    Returns the model."""
    forget_values()
    return model


def left_alone(model):
    """The nn.LSTM and nn.LSTMCell modules of the model that run in PyTorch, by name, and why."""
    return {name: obstacle(module) or "not accelerated" for name, module in _named(model)
            if isinstance(module, (torch.nn.LSTM, torch.nn.LSTMCell))}


def _named(model):
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model: a torch.nn.Module expected, got {type(model).__name__}")
    return list(model.named_modules())
