#!/usr/bin/env python3
"""Writes what the Fortran module and the Python package declare of include/wavelstm.h.

    python3 scripts/bindings.py

The files are committed, as neither a build nor a user needs this script; tests/unit/test_header.py finds those that are
not what it would write."""
import pathlib

import header

ROOT = pathlib.Path(__file__).resolve().parents[1]
NULL_FOR_ALL = ("directory", "problem")  # text arguments that a Fortran caller may leave out, which "" does not stand for


def fortran_type(declared, of):
    """Of a field, a result, or what a pointer points at."""
    if declared.stars and declared.type in ("char", "void"):
        return "type(c_ptr)"
    if declared.type in of.enums:
        return "integer(c_int)"
    return {"int": "integer(c_int)", "int64_t": "integer(c_int64_t)", "uint64_t": "integer(c_int64_t)",
            "size_t": "integer(c_size_t)", "double": "real(c_double)"}[declared.type]


def fortran_argument(declared, of):
    """In an interface. What may be NULL is an address, and so are arrays of numbers that C only reads."""
    intent, name = "in" if declared.const else "out", declared.name
    if declared.type in of.structs:
        return f"type({declared.type}), intent({'in' if declared.const else 'inout'}) :: {name}"
    if declared.type in of.callbacks:
        return f"type(c_funptr), value :: {name}"
    if declared.stars == 2:
        return f"type(c_ptr), intent({intent}) :: {name}{'(*)' if declared.const else ''}"
    if declared.stars and declared.type == "char" and name not in NULL_FOR_ALL:
        return f"character(kind=c_char), intent({intent}) :: {name}(*)"
    if declared.stars and (declared.const or declared.type == "void" or declared.type in of.handles):
        return f"type(c_ptr), value :: {name}"
    extent = f"({declared.extent})" if declared.extent else ""
    return f"{fortran_type(declared, of)}, {'intent(out)' if declared.stars else 'value'} :: {name}{extent}"


def fortran(of):
    lines = ["! wavelstm.h for iso_c_binding: wlstm_NAME is c_NAME here. What module wavelstm is built on; programs use that one.",
             "! Written by scripts/bindings.py from the header, the types' defaults from the _INIT macros, but for struct_size.",
             "module wavelstm_c",
             "    use, intrinsic :: iso_c_binding, only: c_char, c_double, c_funptr, c_int, c_int64_t, c_null_ptr, c_ptr, c_size_t",
             "    implicit none",
             "    public",
             ""]
    for values in of.enums.values():
        lines += ["    enum, bind(c)"]
        lines += [f"        enumerator :: {name} = {number}" for name, number in values.items()]
        lines += ["    end enum"]
    for name, struct in of.structs.items():
        lines += ["", f"    type, bind(c) :: {name}"]
        for field, default in zip(struct.fields, struct.defaults):
            value = "0" if default.startswith("sizeof") else default.replace("NULL", "c_null_ptr")
            kind = "_c_double" if field.type == "double" else ""
            lines += [f"        {fortran_type(field, of)} :: {field.name} = {value}{kind}"]
        lines += ["    end type"]
    lines += ["", "    interface"]
    for name, function in of.functions.items():
        ours = name.replace("wlstm_", "c_", 1)
        kind = "subroutine" if (function.result.type, function.result.stars) == ("void", 0) else "function"
        first = f"        {kind} {ours}({', '.join(argument.name for argument in function.arguments)})"
        bind = f'bind(c, name="{name}")'
        if len(first) > 130:  # a line of Fortran has at most 132 characters
            end = first.rindex(", ", 0, 120) + 1
            lines += [f"{first[:end]} &"]
            first = " " * 15 + first[end:]
        lines += [f"{first} {bind}"] if len(first + bind) < 120 else [f"{first} &", f"                {bind}"]
        lines += ["            import"]
        lines += [f"            {fortran_argument(argument, of)}" for argument in function.arguments]
        if kind == "function":
            lines += [f"            {fortran_type(function.result, of)} :: {ours}"]
        lines += [f"        end {kind}"]
    lines += ["    end interface", "end module wavelstm_c"]
    return "\n".join(lines) + "\n"


def python_name(name):
    """wlstm_lstm_config as LSTMConfig."""
    return "".join("LSTM" if part == "lstm" else part.capitalize() for part in name.split("_")[1:])


def python_type(declared, of):
    """In ctypes. Handles, and arrays that C only reads, are given by their address."""
    plain = {"int": "c_int", "int64_t": "c_int64", "uint64_t": "c_uint64", "size_t": "c_size_t", "double": "c_double",
             "void": "None", **{name: "c_int" for name in of.enums},
             **{name: python_name(name) for name in (*of.structs, *of.callbacks)}}
    pointed, stars = plain.get(declared.type), declared.stars
    if declared.type == "char":
        pointed, stars = "c_char_p", stars - 1
    elif declared.type in (*of.handles, "void") and stars or declared.const and declared.type not in of.structs:
        pointed, stars = "c_void_p", stars - 1
    return "POINTER(" * stars + pointed + ")" * stars


def python_number(text):
    """A default, an enumerator's already a number."""
    return text if isinstance(text, int) else float(text) if set(text) & set(".e") else int(text)


def python(of):
    def types(function):
        return [python_type(declared, of) for declared in (function.result, *function.arguments)]

    numbers = {name: number for values in of.enums.values() for name, number in values.items()}
    lines = ['"""include/wavelstm.h in ctypes, written from it by scripts/bindings.py."""',
             "import ctypes",
             "import enum",
             "from ctypes import POINTER, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p"]
    for name, values in of.enums.items():
        lines += ["", "", f"class {python_name(name)}(enum.IntEnum):", *(f"    {key} = {number}" for key, number in values.items())]
    lines += ["", "", "class _Struct(ctypes.Structure):", '    """Fields that are not given have the values of the header\'s _INIT."""',
              "", "    def __init__(self, **fields):",
              '        super().__init__(**{"struct_size": ctypes.sizeof(self), **self._defaults, **fields})']
    for name, struct in of.structs.items():
        defaults = {field.name: python_number(numbers.get(default, default)) for field, default in zip(struct.fields, struct.defaults)
                    if not default.startswith("sizeof") and default not in ("NULL", "0.0")}
        fields = ",\n                ".join(f'("{field.name}", {python_type(field, of)})' for field in struct.fields)
        lines += ["", "", f"class {python_name(name)}(_Struct):", f"    _fields_ = [{fields}]",
                  f"    _defaults = {({field: value for field, value in defaults.items() if value})}".replace("'", '"')]
    lines += ["", ""]
    for name, function in of.callbacks.items():
        lines += [f"{python_name(name)} = ctypes.CFUNCTYPE({', '.join(types(function))})"]
    lines += ["", "# Each function's result, and then its arguments.", "FUNCTIONS = {"]
    for name, function in of.functions.items():
        lines += [f'    "{name}": ({", ".join(types(function))}{"" if function.arguments else ","}),']
    return "\n".join(lines) + "\n}\n"


WRITTEN = {"fortran/wavelstm_c.f90": fortran, "python/wavelstm/_declarations.py": python}

if __name__ == "__main__":
    found = header.read()
    for path, write in WRITTEN.items():
        (ROOT / path).write_text(write(found), encoding="utf-8")
