#!/usr/bin/env python3
"""python/wavelstm/_library.py declares all of include/wavelstm.h: enums, structs, functions, version.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/unit/test_python_header.py [WAVELSTM_H]
"""
import ctypes
import pathlib
import re
import sys
import unittest

import wavelstm
from wavelstm import _library

HEADER = pathlib.Path(__file__).resolve().parents[2] / "include" / "wavelstm.h"

BASE = {"int": ctypes.c_int, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "size_t": ctypes.c_size_t,
        "double": ctypes.c_double, "wlstm_allocate_function": _library.AllocateFunction,
        "wlstm_deallocate_function": _library.DeallocateFunction}
BASE.update({name: ctypes.c_int for name in _library.ENUMS})
HANDLES = ("wlstm_lstm", "wlstm_cell", "wlstm_plan")


def code_of(path):
    """The header without comments and preprocessor lines."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    text = re.sub(r"^\s*#(?:.*\\\n)*.*$", "", text, flags=re.M)
    return re.sub(r"\s+", " ", text)


def ctype_of(declared, stars):
    """The ctypes type of `declared` with so many stars or brackets."""
    if declared == "void" and stars == 0:
        return None
    if declared == "char" and stars == 1:
        return ctypes.c_char_p
    if declared == "char" and stars == 2:
        return ctypes.POINTER(ctypes.c_char_p)
    if stars == 1 and (declared == "void" or declared in HANDLES):
        return ctypes.c_void_p
    if stars == 2 and declared in HANDLES:
        return ctypes.POINTER(ctypes.c_void_p)
    if stars == 1 and declared in _library.STRUCTS:
        return ctypes.POINTER(_library.STRUCTS[declared])
    if stars == 1:
        return ctypes.POINTER(BASE[declared])
    return BASE[declared]


def parse_declaration(text):
    """"const int64_t *lengths" as (int64_t, 1 star, lengths)."""
    words = re.sub(r"\bconst\b", "", text)
    stars = words.count("*") + words.count("[")
    names = re.findall(r"\w+", re.sub(r"\[\d*\]", "", words))
    return names[0], stars, names[-1]


class Header(unittest.TestCase):
    code = code_of(HEADER)

    def test_enums(self):
        found = {}
        for name, body in re.findall(r"typedef enum (\w+) \{(.*?)\}", self.code):
            found[name] = {key: int(value) for key, value in re.findall(r"(\w+) = (\d+)", body)}
            self.assertEqual(len(found[name]), body.count(",") + 1, f"{name}: a value without a number")
        self.assertEqual(found, {name: {v.name: v.value for v in values} for name, values in _library.ENUMS.items()})
        self.assertGreaterEqual(len(found), 4)

    def test_structs(self):
        found = {}
        for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", self.code):
            fields = [parse_declaration(field) for field in body.split(";") if field.strip()]
            found[name] = [(field, ctype_of(declared, stars)) for declared, stars, field in fields]
        self.assertEqual(found, {name: struct._fields_ for name, struct in _library.STRUCTS.items()})
        self.assertGreaterEqual(len(found), 4)

    def test_functions(self):
        found = {}
        for result, name, arguments in re.findall(r"WLSTM_API ([\w ]+?\s*\**)\s*(wlstm_\w+)\(([^)]*)\);", self.code):
            declared, stars, _ = parse_declaration(result + " result")
            types = []
            for argument in [] if arguments.strip() == "void" else arguments.split(","):
                kind, argument_stars, _ = parse_declaration(argument)
                if kind == "int64_t" and argument_stars == 1 and "[" not in argument:
                    types.append(ctypes.c_void_p)  # the array of lengths, given by its address
                elif kind in HANDLES and "const *" in argument:
                    types.append(ctypes.POINTER(ctypes.c_void_p))
                else:
                    types.append(ctype_of(kind, argument_stars))
            found[name] = (ctype_of(declared, stars), tuple(types))
        self.assertEqual(self.code.count("WLSTM_API "), len(found), "a declaration that this test does not read")
        for name in sorted(found.keys() | _library.FUNCTIONS.keys()):
            self.assertEqual(_library.FUNCTIONS.get(name), found.get(name), name)
        self.assertGreaterEqual(len(found), 33)

    def test_version(self):
        version = re.search(r'WLSTM_VERSION_STRING "([^"]+)"', HEADER.read_text()).group(1)
        self.assertEqual(wavelstm.__version__, version)
        self.assertEqual(_library.lib.wlstm_version().decode(), version)
        self.assertEqual(_library._SONAME, "libwavelstm.so." + version.split(".")[0])


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        Header.code = code_of(pathlib.Path(sys.argv.pop(1)))
    unittest.main()
