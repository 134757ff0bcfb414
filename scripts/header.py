"""Reads include/wavelstm.h for whatever follows it: bindings.py, which writes declarations, and tests/unit/test_header.py.

It knows the C that the header is written in and refuses all else, so nothing is passed over."""
import dataclasses
import pathlib
import re

PATH = pathlib.Path(__file__).resolve().parents[1] / "include" / "wavelstm.h"


@dataclasses.dataclass(frozen=True)
class Variable:
    """An argument, a field or (without a name) a result. `const char **name` is (char, 2, False, "", name), as C writes to what
    it points at; `const wlstm_cell *const *cells` is (wlstm_cell, 2, True, "", cells); `int64_t shape[2]` (int64_t, 1, False, "2", shape).
    """

    type: str
    stars: int
    const: bool
    extent: str
    name: str


@dataclasses.dataclass(frozen=True)
class Struct:
    fields: list
    defaults: list  # of WLSTM_..._INIT, as text


@dataclasses.dataclass(frozen=True)
class Function:
    result: Variable
    arguments: list
    prototype: str = ""  # without spaces


@dataclasses.dataclass(frozen=True)
class Header:
    version: str
    environment: list  # the variables that the comments explain
    handles: list
    enums: dict  # name: {enumerator: number}
    structs: dict
    callbacks: dict  # types of functions
    functions: dict


def variable(text):
    found = re.fullmatch(r"(?:const )?(\w+)(?:[ *]|const\b)*?(\w*)(?:\[(\d+)\])?", text.strip())
    if not found:
        raise ValueError(f"{PATH.name}: an argument or a field expected, got: {text}")
    kind, name, extent = found.groups()
    pointed = re.split(r"[*\[]", text)[:-1]
    return Variable(kind, len(pointed), bool(pointed) and "const" in pointed[-1], extent or "", name)


def arguments_of(text):
    return [] if text.strip() == "void" else [variable(argument) for argument in text.split(",")]


def parse(text):
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    macros = {}
    for name, values in re.findall(r"#define (WLSTM_\w+)_INIT[\s\\]*\{(.*?)\}", code, flags=re.DOTALL):
        macros[name.lower()] = [value.strip(" \\\n") for value in values.split(",")]
    code = re.sub(r"#ifdef __cplusplus.*?#endif", "", code, flags=re.DOTALL)
    code = re.sub(r"\s+", " ", re.sub(r"^#(?:.*\\\n)*.*$", "", code, flags=re.MULTILINE))

    def take(pattern):
        """All that match, which leave the code: what is left at the end was not understood."""
        nonlocal code
        found = re.findall(pattern, code)
        code = re.sub(pattern, "", code)
        return found

    enums = {}
    for name, body in take(r"typedef enum (\w+) \{([^}]*)\} \1;"):
        enums[name] = {key: int(number) for key, number in re.findall(r"(\w+) = (\d+)", body)}
        if len(enums[name]) != body.count(",") + 1:
            raise ValueError(f"{PATH.name}: {name}: NAME = NUMBER expected for each value, got:{body}")
    structs = {}
    for name, body in take(r"typedef struct (\w+) \{([^}]*)\} \1;"):
        fields = [variable(field) for field in body.split(";")[:-1]]
        structs[name] = Struct(fields, macros.get(name, []))
        if len(structs[name].defaults) != len(fields):
            raise ValueError(f"{PATH.name}: {name}: a value for each of the {len(fields)} fields expected in {name.upper()}_INIT, "
                             f"got {len(structs[name].defaults)}")
    handles = take(r"typedef struct (\w+) \1;")
    callbacks = {name: Function(variable(result), arguments_of(arguments))
                 for result, name, arguments in take(r"typedef ([\w *]+)\(\*(\w+)\)\(([^)]*)\);")}
    functions = {name: Function(variable(result), arguments_of(arguments), f"{result}{name}({arguments});".replace(" ", ""))
                 for result, name, arguments in take(r"WLSTM_API ([\w *]+?)(wlstm_\w+)\(([^)]*)\);")}
    if code.strip():
        raise ValueError(f"{PATH.name}: not understood: {code.strip()}")
    known = {"void", "char", "int", "int64_t", "uint64_t", "size_t", "double", *enums, *structs, *handles, *callbacks}
    declared = [struct.fields for struct in structs.values()]
    declared += [[function.result, *function.arguments] for function in (*callbacks.values(), *functions.values())]
    for kind in (one.type for some in declared for one in some):
        if kind not in known:
            raise ValueError(f"{PATH.name}: {kind}: one of {', '.join(sorted(known))} expected")
    version = re.search(r'WLSTM_VERSION_STRING "(.*)"', text)[1]
    environment = re.findall(r"^ \*     (WLSTM_[A-Z_]+)", text, flags=re.MULTILINE)
    return Header(version, environment, handles, enums, structs, callbacks, functions)


def read():
    return parse(PATH.read_text(encoding="utf-8"))
