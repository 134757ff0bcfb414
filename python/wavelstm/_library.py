"""The library, opened, with the functions that _declarations.py has, and its errors as exceptions."""
import ctypes
import os
import pathlib
import sys

from ._declarations import FUNCTIONS, Status

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
            for name, (result, *arguments) in FUNCTIONS.items():
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
