#!/usr/bin/env python3
"""Whatever follows include/wavelstm.h has all of it and no more: the bindings, the linker's map, the manual. Needs Python alone.

    python3 tests/unit/test_header.py
"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import bindings  # noqa: E402
import header  # noqa: E402

FILLERS = ("struct_size", "reserved")  # fields that no binding sets
ADDED = """
#define WLSTM_VERSION_STRING "0.1.0"
typedef struct wlstm_lstm wlstm_lstm;
typedef enum wlstm_new { WLSTM_NEW = 3 } wlstm_new;
typedef struct wlstm_added { size_t struct_size; int added; wlstm_new new_one; } wlstm_added;
#define WLSTM_ADDED_INIT { sizeof(wlstm_added), 1, WLSTM_NEW }
WLSTM_API wlstm_new wlstm_add(wlstm_lstm *lstm, const wlstm_added *options, const char *path, double *sum);
/*     WLSTM_ADDED
 *     WLSTM_ADDED        a variable */
"""


def read(*names):
    return "\n".join(path.read_text(encoding="utf-8") for name in names for path in sorted(ROOT.glob(name)))


def has(text, name):
    return re.search(rf"\b{name}\b", text) is not None


def prototypes(manual):
    """Those of the synopses, by name, without spaces."""
    found = {}
    synopses = "\n".join(re.findall(r"^\.Sh SYNOPSIS$(.*?)^\.Sh", manual, re.MULTILINE | re.DOTALL))
    for result, name, arguments in re.findall(r"^\.Ft (.*)\n\.Fn (\w+) (.*)$", synopses, re.MULTILINE):
        given = ",".join(re.findall(r'"([^"]*)"', arguments)) or arguments
        found[name] = f"{result}{name}({given});".replace(" ", "")
    return found


class Places:
    """What follows the header, as text."""

    def __init__(self):
        self.written = {path: read(path) for path in bindings.WRITTEN}
        self.fortran = re.sub(r"!.*", "", read("fortran/*.f90.in"))
        self.fortran_public = re.sub(r"!.*", "", read("fortran/wavelstm.f90"))
        self.cpp = re.sub(r"//.*", "", read("include/wavelstm.hpp"))
        self.mapped = re.findall(r"^ *(wlstm_\w+);$", read("src/wavelstm.map"), re.MULTILINE)
        self.manual = read("docs/man/wavelstm.3", "docs/man/wlstm_*.3")
        self.prototypes = prototypes(self.manual)

    def explained(self, macro, name):
        return re.search(rf"^\.It {macro} (?:.* )?{name}(?: |$)", self.manual, re.MULTILINE)

    def lacking(self, of):
        """What the places lack of a header, a sentence a name."""
        lacks = {}

        def expect(condition, name, place):
            if not condition:
                lacks.setdefault(name, []).append(place)

        for name, function in of.functions.items():
            for path, text in self.written.items():
                expect(f'"{name}"' in text, name, path)
            expect(has(self.fortran, name.replace("wlstm_", "c_", 1)), name, "fortran/ (a procedure that calls it)")
            expect(has(self.cpp, name), name, "include/wavelstm.hpp")
            expect(name in self.mapped, name, "src/wavelstm.map")
            expect(self.prototypes.get(name) == function.prototype, name, "docs/man (its prototype in a synopsis)")
        for name in (name for values in of.enums.values() for name in values):
            for path, text in self.written.items():
                expect(has(text, name), name, path)
            expect(has(self.fortran_public, name), name, "fortran/wavelstm.f90")
            expect(self.explained("Dv", name), name, "docs/man (.It Dv)")
        for name, struct in of.structs.items():
            for path, text in self.written.items():
                expect(has(text, name) or has(text, bindings.python_name(name)), name, path)
            for field in (field.name for field in struct.fields if field.name not in FILLERS):
                expect(re.search(rf"%{field}\b", self.fortran), f"{name}.{field}", "fortran/ (a procedure that sets it)")
                expect(self.explained("Fa", field), f"{name}.{field}", "docs/man (.It Fa)")
        for name in of.environment:
            expect(self.explained("Ev", name), name, "docs/man (.It Ev)")
        return [f"{name} is in include/wavelstm.h and not in {', '.join(places)}." for name, places in lacks.items()]


class Header(unittest.TestCase):
    places = Places()

    def test_nothing_is_lacking(self):
        lacking = self.places.lacking(header.read())
        if lacking:
            self.fail("\n".join(["", *lacking, f"`python3 scripts/bindings.py` writes {' and '.join(bindings.WRITTEN)}."]))

    def test_what_is_written(self):
        for path, write in bindings.WRITTEN.items():
            self.assertTrue(self.places.written[path] == write(header.read()),
                            f"{path} is not what `python3 scripts/bindings.py` makes of include/wavelstm.h: run it.")

    def test_nothing_is_left_over(self):
        functions = set(header.read().functions)
        for place, names in (("src/wavelstm.map", self.places.mapped), ("a synopsis in docs/man", self.places.prototypes)):
            self.assertEqual(set(names) - functions, set(), f"{place} has what include/wavelstm.h has not")

    def test_the_page_of_the_library_over_mpi(self):
        code = re.sub(r"/\*.*?\*/", "", read("mpi/wavelstm_mpi.h"), flags=re.DOTALL)
        declared = {name: re.sub(r"\s", "", text)
                    for text, name in re.findall(r"^((?:const )?\w+ \*?(wlstm_mpi_\w+)\([^;]*;)", code, re.MULTILINE)}
        self.assertEqual(len(declared), 10)
        self.assertEqual(declared, prototypes(read("docs/man/wavelstm_mpi.3")))

    def test_version(self):
        found = re.search(r'__version__ = "(.*?)"', read("python/wavelstm/_version.py"))[1]
        self.assertEqual(found, header.read().version, "python/wavelstm/_version.py is not include/wavelstm.h's WLSTM_VERSION_STRING")

    def test_an_addition_is_found_lacking_everywhere(self):
        written = "fortran/wavelstm_c.f90, python/wavelstm/_declarations.py"
        self.assertEqual(self.places.lacking(header.parse(ADDED)), [
            f"wlstm_add is in include/wavelstm.h and not in {written}, fortran/ (a procedure that calls it), include/wavelstm.hpp, "
            "src/wavelstm.map, docs/man (its prototype in a synopsis).",
            f"WLSTM_NEW is in include/wavelstm.h and not in {written}, fortran/wavelstm.f90, docs/man (.It Dv).",
            f"wlstm_added is in include/wavelstm.h and not in {written}.",
            "wlstm_added.added is in include/wavelstm.h and not in fortran/ (a procedure that sets it), docs/man (.It Fa).",
            "wlstm_added.new_one is in include/wavelstm.h and not in fortran/ (a procedure that sets it), docs/man (.It Fa).",
            "WLSTM_ADDED is in include/wavelstm.h and not in docs/man (.It Ev)."])

    def test_an_addition_is_written(self):
        of = header.parse(ADDED)
        self.assertIn("""
        function c_add(lstm, options, path, sum) bind(c, name="wlstm_add")
            import
            type(c_ptr), value :: lstm
            type(wlstm_added), intent(in) :: options
            character(kind=c_char), intent(in) :: path(*)
            real(c_double), intent(out) :: sum
            integer(c_int) :: c_add
        end function
""", bindings.fortran(of))
        written = bindings.python(of)
        self.assertIn('    "wlstm_add": (c_int, c_void_p, POINTER(Added), c_char_p, POINTER(c_double)),\n', written)
        self.assertIn('    _defaults = {"added": 1, "new_one": 3}\n', written)

    def test_what_the_parser_does_not_know(self):
        for added, message in (("WLSTM_API int wlstm_variadic(int n, ...);", "an argument or a field"),
                               ("static int more;", "not understood: static int more;"),
                               ("WLSTM_API void wlstm_a(float x);", "float: one of char, double, int"),
                               ("typedef enum wlstm_a { WLSTM_A } wlstm_a;", "wlstm_a: NAME = NUMBER expected"),
                               ("typedef struct wlstm_a { int b; } wlstm_a;", "the 1 fields expected in WLSTM_A_INIT, got 0")):
            with self.assertRaises(ValueError) as caught:
                header.parse(ADDED + added)
            self.assertIn(message, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
