"""What was measured once on this machine and serves every later plan (docs/tuning.md): its files. Nothing here is needed to run.

A directory of None is the user's: $WLSTM_CACHE, else $XDG_CACHE_HOME/wavelstm, else ~/.cache/wavelstm."""
import os

from ._library import check, lib
from . import _arguments as argument

__all__ = ["load", "save", "export_file", "import_file", "forget"]


def _path(name, value):
    return argument.c_string(name, os.fsencode(value))


def load(directory=None):
    """Reads this machine's file of a directory over what the process knows."""
    check(lib.wlstm_plan_cache_load(None if directory is None else _path("directory", directory)))


def save(directory=None):
    """Lays what this process tuned or imported over this machine's file of the user's directory, or all that it knows, but the
    system's part, over that of another one."""
    check(lib.wlstm_plan_cache_save(None if directory is None else _path("directory", directory)))


def export_file(path):
    """Writes all that the process knows to one file, for machines of the same kind."""
    check(lib.wlstm_plan_cache_export(_path("path", path)))


def import_file(path):
    """Reads such a file over what the process knows; save() keeps it."""
    check(lib.wlstm_plan_cache_import(_path("path", path)))


def forget(problem=None):
    """Takes one problem ("t10b3i100h20l4", every thread count of it), or everything, out of what the process knows and out of the
    user's file."""
    check(lib.wlstm_plan_cache_forget(None if problem is None else argument.text("problem", problem)))
