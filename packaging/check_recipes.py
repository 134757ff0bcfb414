"""Checks the Spack and the conda recipe as far as that goes without Spack and without conda-forge: what Spack would configure
is configured, and conda's package is built, with this machine's compilers and libraries.

    python3 check_recipes.py        needs py-rattler-build, cmake and what the library is built with
"""
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile
import types

HERE = pathlib.Path(__file__).resolve().parent
VERSION = re.search(r'WLSTM_VERSION_STRING "(.*)"', (HERE.parent / "include/wavelstm.h").read_text())[1]
OPTIONS = set(re.findall(r"^option\((\w+)", (HERE.parent / "CMakeLists.txt").read_text(), re.MULTILINE))


def expect(what, expected, got):
    if expected != got:
        sys.exit(f"check_recipes.py: {what}: {expected!r} expected, got {got!r}")


def spack():
    """Runs the recipe with directives that take notes, and its cmake_args for each of its variants."""
    notes = {"version": [], "variant": [], "depends_on": [], "license": []}
    package = types.ModuleType("spack.package")

    class CMakePackage:
        run_tests = False

        def define(self, name, value):
            return f"-D{name}={'ON' if value else 'OFF'}"

        def define_from_variant(self, name, variant):
            expect(f"spack: variant {variant}", True, variant in variants)
            return self.define(name, variants[variant])

    package.CMakePackage = CMakePackage
    for directive, seen in notes.items():
        setattr(package, directive, lambda name, seen=seen, **keywords: seen.append((name, keywords)))
    sys.modules["spack"], sys.modules["spack.package"] = types.ModuleType("spack"), package
    scope = {}
    exec(compile((HERE / "spack/package.py").read_text(), "package.py", "exec"), scope)
    names = [name for name, _ in notes["variant"]]
    expect("spack: version", [VERSION], [name for name, _ in notes["version"]])
    for values in itertools.product((True, False), repeat=len(names)):
        variants = dict(zip(names, values))
        with tempfile.TemporaryDirectory() as build:
            done = subprocess.run(["cmake", "-S", HERE.parent, "-B", build, *scope["Wavelstm"]().cmake_args()], text=True,
                                  capture_output=True)
        expect(f"spack: cmake with {variants}: {done.stderr}", (0, False), (done.returncode, "were not used" in done.stderr))
    for name, keywords in notes["depends_on"]:
        for variant in re.findall(r"[+~](\w+)", keywords.get("when", "")):
            expect(f"spack: {name}: variant {variant}", True, variant in variants)
    print(f"spack: version {VERSION}, {len(variants)} variants, {len(notes['depends_on'])} dependencies")


def conda():
    """Renders the recipe; builds the package, and runs its tests, without what conda-forge would bring."""
    import rattler_build

    recipe = rattler_build.Stage0Recipe.from_file(str(HERE / "conda/recipe.yaml"))
    rendered = recipe.render(rattler_build.VariantConfig({"c_stdlib": ["sysroot"]}))  # as conda-forge's pinning has it
    expect("conda: recipes", 1, len(rendered))
    package = rendered[0].recipe.package
    expect("conda: version", VERSION, str(package.version))
    text = (HERE / "conda/recipe.yaml").read_text()
    for name in re.findall(r"-D(WLSTM_\w+)=", text):
        expect(f"conda: option {name} of CMakeLists.txt", True, name in OPTIONS)
    own = re.sub(r"(?ms)^requirements:.*?(?=^\w)", "", text).replace("path: ../..", f"path: {HERE.parent}")
    with tempfile.TemporaryDirectory() as work:
        path = pathlib.Path(work, "recipe.yaml")
        path.write_text(own)
        made = f"{work}/made"
        variant = rattler_build.Stage0Recipe.from_file(str(path)).render(rattler_build.VariantConfig({}))[0]
        built = variant.run_build(channels=[], output_dir=made, env_isolation=rattler_build.EnvironmentIsolation.NONE)
        tests = rattler_build.Package.from_file(str(built.packages[0])).run_tests(channel=[f"file://{made}"])
        expect("conda: tests", [True], [result.success for result in tests])
        print(f"conda: {package.name} {package.version} rendered; built without conda-forge: {built.packages[0].name}")


spack()
conda()
