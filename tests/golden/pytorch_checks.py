"""What check_pytorch.py and own_checks.py share: the list of checks, and modules of PyTorch's beside ours."""
import re

import numpy as np
import torch
from torch.nn.utils import rnn
from torch.testing import assert_close
from torch.testing._internal.common_modules import module_db

import wavelstm

DTYPES = (torch.float32, torch.float64)
MODULES = {info.module_cls: info for info in module_db if info.module_cls in (torch.nn.LSTM, torch.nn.LSTMCell)}
CHECKS = []


def check(upstream, what):
    """Registers a function of the dtype as the stand-in for an upstream test."""
    def register(function):
        CHECKS.append((upstream, what, function))
        return function
    return register


def ours(module):
    return (wavelstm.LSTMCell if isinstance(module, torch.nn.LSTMCell) else wavelstm.LSTM).from_torch(module)


def arrays(value):
    """Tensors, in tuples too, as NumPy arrays."""
    return value.numpy() if isinstance(value, torch.Tensor) else tuple(map(arrays, value)) if isinstance(value, tuple) else value


def raises(exception, regex, function, *arguments, **keywords):
    try:
        function(*arguments, **keywords)
    except exception as error:
        assert re.search(regex, str(error)), f"'{regex}' expected in the message, got '{error}'"
        return
    raise AssertionError(f"{exception.__name__} expected, got none")


def agree(module, *arguments):
    """Our results of a module and arguments against the module's own: from tensors, and from arrays where there are such."""
    copy_of = ours(module)
    expected = module(*arguments)
    actual = copy_of(*arguments)
    assert_close(actual, expected)
    if not isinstance(arguments[0], rnn.PackedSequence):
        for array, tensor in zip(flat(copy_of(*map(arrays, arguments))), flat(actual)):
            assert isinstance(array, np.ndarray) and np.array_equal(array, tensor.numpy(), equal_nan=True), "array != tensor"
    return actual


def flat(results):
    return [part for result in results for part in (flat(result) if isinstance(result, tuple) else [result])]


def lstm(*arguments, dtype, **keywords):
    return torch.nn.LSTM(*arguments, dtype=dtype, **keywords).eval()


def samples(dtype, requires_grad=False):
    """(torch class, constructor arguments, forward arguments, reference function) of all module inputs in eval mode."""
    for cls, info in MODULES.items():
        for sample in info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=requires_grad, training=False):
            yield cls, sample.constructor_input, sample.forward_input, sample.reference_fn
