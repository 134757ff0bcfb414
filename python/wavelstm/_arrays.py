"""What a call does with NumPy arrays. _tensors.py does the same with torch tensors; a call takes one of the two by its input."""
import ctypes
import sys

import numpy as np

from ._declarations import Dtype
from ._library import calls, check

_tensors = None
compiling = bool  # whether torch.compile looks on; torch's own function once torch is in use


def tensors():
    """_tensors.py where torch is in use, else None."""
    global _tensors, compiling
    if _tensors is None and "torch" in sys.modules:
        from . import _tensors as module

        _tensors, compiling = module, module.compiling
    return _tensors


class Arrays:
    """NumPy arrays. dtypes is indexed by the library's wlstm_dtype: bfloat16, which NumPy has not, is its bits."""

    type = np.ndarray
    dtypes = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.uint16))
    empty = staticmethod(np.empty)

    @staticmethod
    def dense(name, array):
        """The array itself if it is dense in C order, else a copy that is."""
        flags = array.flags
        return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=("C", "A"))

    @staticmethod
    def address(array):
        try:  # four times as fast as array.ctypes.data, but not for a read-only or empty array
            return ctypes.addressof(ctypes.c_char.from_buffer(array))
        except (TypeError, ValueError):
            return array.ctypes.data

    @staticmethod
    def writeable(array):
        return array.flags.writeable


if calls:
    calls.set_numpy(Arrays.type, Arrays.empty, Arrays.dtypes, check)


def arrays_of(value, name):
    """Arrays or Tensors, whichever `value` is of."""
    if isinstance(value, np.ndarray):
        return Arrays
    if tensors() and isinstance(value, tensors().Tensors.type):
        tensors().refuse_recording()
        return tensors().Tensors
    raise TypeError(f"{name}: a numpy.ndarray or torch.Tensor expected, got {type(value).__name__}")


def parameter_array(value, code):
    """The values of an array, tensor or nested list as a dense NumPy array of the wlstm_dtype."""
    if tensors() and isinstance(value, tensors().Tensors.type):
        return tensors().numpy_of(value, code)
    array = np.asarray(value)
    if code != Dtype.WLSTM_BF16 or array.dtype == np.uint16:
        return np.ascontiguousarray(array, Arrays.dtypes[code])
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    nearest = (bits + (0x7FFF + (bits >> 16 & 1))) >> 16
    return np.where(bits & 0x7FFFFFFF > 0x7F800000, bits >> 16 | 0x40, nearest).astype(np.uint16)


def floats(values, code):
    """A result's values as a NumPy array of float64."""
    if code != Dtype.WLSTM_BF16:
        return np.asarray(values, np.float64)
    if not isinstance(values, np.ndarray):
        return values.double().numpy()
    return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def length_array(lengths, batch):
    """`lengths` as the library takes them; their values are the library's to check."""
    array = np.asarray(lengths)
    if array.shape != (batch,):
        raise ValueError(f"lengths: one of each of the {batch} rows expected, got shape {array.shape}")
    if batch > 0 and array.dtype.kind not in "iu":
        raise TypeError(f"lengths: integers expected, got {array.dtype}")
    return np.ascontiguousarray(array, np.int64)


def batch_size_array(batch_sizes, rows):
    """`batch_sizes` of so many packed rows as the library takes them; their order is the library's to check."""
    array = np.asarray(batch_sizes)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"batch_sizes: one integer a time expected, got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"batch_sizes: integers expected, got {array.dtype}")
    if array.min() < 1:
        raise ValueError(f"batch_sizes: at least 1 row at each time expected, got {array.min()}")
    if array.sum() != rows:
        raise ValueError(f"batch_sizes: a sum of {rows}, data's rows, expected, got {array.sum()}")
    return np.ascontiguousarray(array, np.int64)
