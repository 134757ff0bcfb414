"""Any tensor of a model file."""
import ctypes
import os

import numpy as np

from . import _arguments as argument
from ._arrays import Arrays
from ._library import check, lib


def read_tensor(path, name, dtype=None):
    """Any tensor of a safetensors file by its name, as the weight of an nn.Linear after the LSTM: a NumPy array of float32, which
    None is, or float64, or of the bits of bfloat16."""
    path, name, code = argument.c_string("path", os.fsencode(path)), argument.text("name", name), argument.dtype_code(dtype)
    ndim, shape = ctypes.c_int(), (ctypes.c_int64 * 8)()
    check(lib.wlstm_tensor_read(path, name, code, None, 0, ndim, shape))
    array = np.empty(tuple(shape[:ndim.value]), Arrays.dtypes[code])
    check(lib.wlstm_tensor_read(path, name, code, array.ctypes.data, array.size, None, None))
    return array
