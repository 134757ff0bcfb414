"""Checks of arguments: each gives its value as the library takes it, or raises what torch.nn does."""
import numpy as np

from ._declarations import Dtype, Precision

DTYPE_CODES = {"float32": Dtype.WLSTM_F32, "float64": Dtype.WLSTM_F64, "bfloat16": Dtype.WLSTM_BF16}
PRECISION_CODES = {None: Precision.WLSTM_PRECISION_DEFAULT, "full": Precision.WLSTM_PRECISION_FULL,
                    "bf16": Precision.WLSTM_PRECISION_BF16, "int8": Precision.WLSTM_PRECISION_INT8}


def dtype_code(dtype):
    """wlstm_dtype of a NumPy or torch dtype, or a name; None is float32."""
    if dtype is None:
        return Dtype.WLSTM_F32
    name = str(dtype)
    if name.startswith("torch."):
        name = name[len("torch."):]
    elif name not in DTYPE_CODES:
        name = np.dtype(dtype).name
    if name not in DTYPE_CODES:
        raise ValueError(f"dtype: float32, float64 or bfloat16 expected, got {dtype}")
    return DTYPE_CODES[name]


def precision_code(precision):
    if precision not in PRECISION_CODES:
        raise ValueError(f"precision: None, 'full', 'bf16' or 'int8' expected, got {precision!r}")
    return PRECISION_CODES[precision]


def check_device(device):
    if device is not None and str(device) != "cpu":
        raise ValueError(f"device: cpu expected, got {device}")


def integer(name, value):
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    if not -(2**63) <= value < 2**63:  # ctypes would cut it to 64 bits
        raise ValueError(f"{name} must be less than 2^63, got {value}")
    return int(value)


def size(name, value):
    value = integer(name, value)
    if value <= 0:
        raise ValueError(f"{name} must be greater than zero, got {value}")
    return value


def count(name, value):
    """An int of the library's, at least 0."""
    value = integer(name, value)
    if not 0 <= value < 2**31:
        raise ValueError(f"{name}: 0 to 2^31 - 1 expected, got {value}")
    return value


def c_string(name, encoded):
    if b"\0" in encoded:  # where C would see its end
        raise ValueError(f"{name}: no null character expected, got {encoded!r}")
    return encoded


def text(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name}: a str expected, got {type(value).__name__}")
    return c_string(name, value.encode())


def flag(name, value):
    if not isinstance(value, bool):
        raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    return value


def pair(name, value):
    try:
        first, second = value
    except (TypeError, ValueError):
        raise TypeError(f"{name}: a pair expected, got {type(value).__name__}") from None
    return first, second
