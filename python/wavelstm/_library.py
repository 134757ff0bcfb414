"""include/wavelstm.h in ctypes: its enums, structs and functions, and its errors as exceptions.

tests/unit/test_python_header.py compares each of them with the header.
"""
import ctypes
import enum
import os
import pathlib
import sys
from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p


class Status(enum.IntEnum):
    WLSTM_OK = 0
    WLSTM_ERROR_INVALID_ARGUMENT = 1
    WLSTM_ERROR_OUT_OF_MEMORY = 2
    WLSTM_ERROR_FILE = 3
    WLSTM_ERROR_FORMAT = 4
    WLSTM_ERROR_MISSING = 5
    WLSTM_ERROR_UNSUPPORTED = 6
    WLSTM_ERROR_BACKEND = 7


class Dtype(enum.IntEnum):
    WLSTM_F32 = 0
    WLSTM_F64 = 1
    WLSTM_BF16 = 2


class Backend(enum.IntEnum):
    WLSTM_BACKEND_AUTO = 0
    WLSTM_BACKEND_REFERENCE = 1
    WLSTM_BACKEND_ONEDNN = 2
    WLSTM_BACKEND_NATIVE = 3


class Effort(enum.IntEnum):
    WLSTM_EFFORT_DEFAULT = 0
    WLSTM_EFFORT_ESTIMATE = 1
    WLSTM_EFFORT_MEASURE = 2
    WLSTM_EFFORT_PATIENT = 3


ENUMS = {"wlstm_status": Status, "wlstm_dtype": Dtype, "wlstm_backend": Backend, "wlstm_effort": Effort}


class _Struct(ctypes.Structure):
    """Zeros, but struct_size: the caller gives what the header's _INIT has besides."""

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(type(self)), **fields)


class LSTMConfig(_Struct):
    _fields_ = [("struct_size", c_size_t), ("input_size", c_int64), ("hidden_size", c_int64), ("num_layers", c_int64),
                ("proj_size", c_int64), ("dropout", c_double), ("bias", c_int), ("batch_first", c_int),
                ("bidirectional", c_int), ("dtype", c_int)]


class CellConfig(_Struct):
    _fields_ = [("struct_size", c_size_t), ("input_size", c_int64), ("hidden_size", c_int64), ("bias", c_int),
                ("dtype", c_int)]


class LoadOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("prefix", c_char_p), ("batch_first", c_int), ("convert", c_int),
                ("dtype", c_int)]


class PlanOptions(_Struct):
    _fields_ = [("struct_size", c_size_t), ("max_seq_len", c_int64), ("max_batch", c_int64), ("num_threads", c_int),
                ("backend", c_int), ("effort", c_int), ("time_limit", c_double), ("deterministic", c_int)]


STRUCTS = {"wlstm_lstm_config": LSTMConfig, "wlstm_cell_config": CellConfig, "wlstm_load_options": LoadOptions,
           "wlstm_plan_options": PlanOptions}

AllocateFunction = ctypes.CFUNCTYPE(c_void_p, c_size_t, c_void_p)
DeallocateFunction = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)

# Handles and arrays are c_void_p; name: (result, arguments).
_out = POINTER(c_void_p)
_info = (c_void_p, c_int64, POINTER(c_char_p), POINTER(c_int), POINTER(c_int64))
_parameter = (c_void_p, c_char_p, c_void_p, c_int64)
_call = (c_void_p, c_int64, c_int64) + 7 * (c_void_p,)
FUNCTIONS = {
    "wlstm_status_string": (c_char_p, (c_int,)),
    "wlstm_last_error": (c_char_p, ()),
    "wlstm_lstm_create": (c_int, (POINTER(LSTMConfig), _out)),
    "wlstm_lstm_load": (c_int, (c_char_p, POINTER(LoadOptions), _out)),
    "wlstm_tensor_read": (c_int, (c_char_p, c_char_p, c_int, c_void_p, c_int64, POINTER(c_int), POINTER(c_int64))),
    "wlstm_lstm_create_from_cells": (c_int, (POINTER(c_void_p), c_int64, _out)),
    "wlstm_lstm_save": (c_int, (c_void_p, c_char_p, c_char_p)),
    "wlstm_lstm_free": (None, (c_void_p,)),
    "wlstm_lstm_get_config": (c_int, (c_void_p, POINTER(LSTMConfig))),
    "wlstm_lstm_reset_parameters": (c_int, (c_void_p, c_uint64)),
    "wlstm_lstm_num_parameters": (c_int64, (c_void_p,)),
    "wlstm_lstm_parameter_info": (c_int, _info),
    "wlstm_lstm_set_parameter": (c_int, _parameter),
    "wlstm_lstm_get_parameter": (c_int, _parameter),
    "wlstm_forward": (c_int, _call),
    "wlstm_cell_create": (c_int, (POINTER(CellConfig), _out)),
    "wlstm_cell_load": (c_int, (c_char_p, POINTER(LoadOptions), _out)),
    "wlstm_cell_save": (c_int, (c_void_p, c_char_p, c_char_p)),
    "wlstm_cell_free": (None, (c_void_p,)),
    "wlstm_cell_get_config": (c_int, (c_void_p, POINTER(CellConfig))),
    "wlstm_cell_reset_parameters": (c_int, (c_void_p, c_uint64)),
    "wlstm_cell_num_parameters": (c_int64, (c_void_p,)),
    "wlstm_cell_parameter_info": (c_int, _info),
    "wlstm_cell_set_parameter": (c_int, _parameter),
    "wlstm_cell_get_parameter": (c_int, _parameter),
    "wlstm_cell_forward": (c_int, (c_void_p, c_int64) + 5 * (c_void_p,)),
    "wlstm_plan_create": (c_int, (c_void_p, POINTER(PlanOptions), _out)),
    "wlstm_plan_execute": (c_int, _call),
    "wlstm_plan_describe": (c_char_p, (c_void_p,)),
    "wlstm_plan_memory": (c_int, (c_void_p, POINTER(c_size_t), POINTER(c_size_t))),
    "wlstm_plan_free": (None, (c_void_p,)),
    **{f"wlstm_plan_cache_{verb}": (c_int, (c_char_p,)) for verb in ("load", "save", "export", "import", "forget")},
    "wlstm_version": (c_char_p, ()),
    "wlstm_build_info": (c_char_p, ()),
    "wlstm_set_allocator": (c_int, (AllocateFunction, DeallocateFunction, c_void_p)),
}

_SONAME = "libwavelstm.so.0"


def _candidates():
    """Where the library may be, best first: as told, beside this package, where the dynamic linker looks, in Python's prefix."""
    if os.environ.get("WAVELSTM_LIBRARY"):
        return [os.environ["WAVELSTM_LIBRARY"]]
    here = pathlib.Path(__file__).resolve().parent
    paths = [here / _SONAME, here.parent / _SONAME]
    paths += [pathlib.Path(prefix) / lib / _SONAME for prefix in (sys.prefix, "/usr/local") for lib in ("lib", "lib64")]
    found = [str(path) for path in paths if path.exists()]
    beside = [path for path in found if path.startswith(str(here.parent))]
    return beside + [_SONAME] + [path for path in found if path not in beside]


def _open():
    reasons = []
    for path in _candidates():
        try:
            opened = ctypes.CDLL(path)  # which releases the GIL around each call
            for name, (result, arguments) in FUNCTIONS.items():
                function = getattr(opened, name)
                function.restype, function.argtypes = result, arguments
            return opened
        except (OSError, AttributeError) as reason:
            reasons.append(str(reason))
    raise ImportError("wavelstm: the C library is not found; set WAVELSTM_LIBRARY to the path of libwavelstm.so ("
                      + "; ".join(reasons) + ")")


lib = _open()

_EXCEPTIONS = {Status.WLSTM_ERROR_INVALID_ARGUMENT: ValueError, Status.WLSTM_ERROR_OUT_OF_MEMORY: MemoryError,
               Status.WLSTM_ERROR_FILE: OSError, Status.WLSTM_ERROR_FORMAT: ValueError,
               Status.WLSTM_ERROR_MISSING: ValueError, Status.WLSTM_ERROR_UNSUPPORTED: NotImplementedError}


def check(status):
    """Raises the failure of a call just made on this thread, with the library's message."""
    if status:
        raise _EXCEPTIONS.get(status, RuntimeError)(lib.wlstm_last_error().decode(errors="replace"))
