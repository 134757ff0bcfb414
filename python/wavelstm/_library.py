"""The library, opened, with the functions that _declarations.py has, and its errors as exceptions."""
import ctypes
import os
import pathlib
import sys

from ._declarations import FUNCTIONS, Status

_SONAME = "libwavelstm.so.0"
_OPENMP = "libgomp.so.1"


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


def _load(path):
    """The library, on the OpenMP runtime that the process has (PyTorch's wheel brings one) or the system's, so that there is one
    runtime; where there is none, on that of a wheel. The linker takes whatever is loaded under its name."""
    try:
        return ctypes.CDLL(path)  # which releases the GIL around each call
    except OSError as reason:
        brought = pathlib.Path(__file__).resolve().with_name(_OPENMP)
        if _OPENMP not in str(reason) or not brought.exists():
            raise
    ctypes.CDLL(str(brought))
    return ctypes.CDLL(path)


def _open():
    reasons = []
    for path in _candidates():
        try:
            opened = _load(path)
            for name, (result, *arguments) in FUNCTIONS.items():
                function = getattr(opened, name)
                function.restype, function.argtypes = result, arguments
            return opened
        except (OSError, AttributeError) as reason:
            reasons.append(str(reason))
    raise ImportError("wavelstm: the C library is not found; set WAVELSTM_LIBRARY to the path of libwavelstm.so, or "
                      "install the package by pip, which builds it ("
                      + "; ".join(reasons) + ")")


lib = _open()

_EXCEPTIONS = {Status.WLSTM_ERROR_INVALID_ARGUMENT: ValueError, Status.WLSTM_ERROR_OUT_OF_MEMORY: MemoryError,
               Status.WLSTM_ERROR_FILE: OSError, Status.WLSTM_ERROR_FORMAT: ValueError,
               Status.WLSTM_ERROR_MISSING: ValueError, Status.WLSTM_ERROR_UNSUPPORTED: NotImplementedError}


def check(status):
    """Raises the failure of a call just made on this thread, with the library's message."""
    if status:
        raise _EXCEPTIONS.get(status, RuntimeError)(lib.wlstm_last_error().decode(errors="replace"))


def _open_calls():
    """The compiled module, which makes calls cost less, or None: it is left out where pip had no headers of Python's, and it is for
    CPython from 3.11 on, not for free-threaded builds. Without it all is done by ctypes."""
    if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        return None
    try:
        from . import _calls
    except ImportError:
        return None
    return _calls


calls = _open_calls()


def usual_call(function, handle, *sizes):
    """A function of (input, hx, out) that makes a usual call and gives None where it is not one, or None."""
    return calls and calls.Caller(handle, ctypes.cast(function, ctypes.c_void_p).value, *sizes).run
