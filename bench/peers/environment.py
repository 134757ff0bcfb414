"""The venv with the peers, the C helpers, and what the machine is."""

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
# torch goes first and alone, so that the resolver fits the others to it.
REQUIREMENTS = (("torch==2.13.0",),
                ("numpy==2.4.6", "onnx==1.23.2", "onnxruntime==1.32.0", "openvino==2026.4.1", "matplotlib==3.11.2",
                 "safetensors==0.8.0", "onednn-cpu-gomp==2023.2.0", "onednn-devel-cpu-gomp==2023.2.0",
                 "jax[cpu]==0.10.2"))


def default_venv() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if os.path.isabs(cache) else Path.home() / ".cache") / "wavelstm-peers"


def enter_venv(venv: Path, given: bool) -> None:
    """Makes the venv if need be and runs this program again inside it. One that the user names and that exists is used
    as it is: a peer that it lacks is reported as absent."""
    python = venv / "bin" / "python"
    if Path(sys.prefix).resolve() == venv.resolve():
        return
    stamp = venv / "wavelstm-peers.txt"
    wanted = "\n".join(sum(REQUIREMENTS, ()))
    complete = python.exists() and (given and not stamp.exists() or stamp.exists() and stamp.read_text() == wanted)
    if not complete:
        print(f"peers: making {venv} (once; pip's own configuration is respected)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        for packages in REQUIREMENTS:
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr)
        stamp.write_text(wanted)
    os.execv(python, [str(python), *sys.argv])


def compile_helper(source: Path, target: Path, *options: str) -> str:
    """A shared library from one C file; raises RuntimeError with the compiler's words."""
    command = [os.environ.get("CC", "cc"), "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-shared", "-fPIC",
               "-o", str(target), str(source), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{source.name}: {done.stderr.strip()}")
    return str(target)


def helper_configs(names: list, directory: Path, library: Path) -> tuple:
    """({engine: its worker's config}, {engine: why it is absent})"""
    configs, absent = {}, {}
    loop = compile_helper(BENCH / "timed_loop.c", directory / "timed_loop.so", "-pthread")
    pypi = Path(sys.prefix)
    for name in names:
        config = configs[name] = {"loop": loop}
        try:
            if name == "wavelstm":
                if not library.exists():
                    raise RuntimeError(f"{library} is not there: build with -DBUILD_SHARED_LIBS=ON, or say --library")
                config["wavelstm"] = str(library.resolve())
                config["library"] = compile_helper(
                    BENCH / "peers" / "wavelstm_calls.c", directory / "wavelstm_calls.so",
                    f"-I{BENCH.parent / 'include'}", str(library.resolve()), f"-Wl,-rpath,{library.resolve().parent}")
            elif name == "jax":
                config["cache"] = str(directory / "jax")
            elif name == "onednn-system":
                config["library"] = compile_helper(BENCH / "onednn_lstm.c", directory / "onednn_system.so", "-fopenmp",
                                                   "-ldnnl")
            elif name == "onednn-pypi":
                if not (pypi / "include" / "dnnl.h").exists():
                    raise RuntimeError("onednn-devel-cpu-gomp is not in the venv")
                config["library"] = compile_helper(
                    BENCH / "onednn_lstm.c", directory / "onednn_pypi.so", "-fopenmp", f"-I{pypi / 'include'}",
                    f"-L{pypi / 'lib'}", "-ldnnl", f"-Wl,-rpath,{pypi / 'lib'}")
        except RuntimeError as error:
            absent[name] = str(error)
            del configs[name]
    return configs, absent


def machine() -> dict:
    model, flags = platform.machine(), []
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        if key.strip() in ("flags", "Features"):
            flags = value.split()
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)),
            "isa": [flag for flag in flags if flag.startswith(("avx", "fma", "amx", "asimd", "sve"))],
            "system": platform.platform(), "load": os.getloadavg()[0],
            "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds")}
