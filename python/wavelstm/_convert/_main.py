"""wavelstm-convert's command line."""
import argparse
import importlib
import os
import sys
import warnings

import numpy as np

from .._version import __version__
from ._found import Failure

# The module of this folder that reads a file of that name.
_READERS = {".pt": "torch", ".pth": "torch", ".ckpt": "torch", ".bin": "torch", ".onnx": "onnx", ".keras": "keras",
            ".h5": "keras", ".hdf5": "keras", ".safetensors": "safetensors", ".safetensors.index.json": "safetensors"}
_FAR = 1e-3  # of a result of the file's own library: another LSTM, not another order of sums


def _parser():
    parser = argparse.ArgumentParser(
        prog="wavelstm-convert", formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        description="Writes an LSTM out of a model's file to a safetensors file, which wavelstm and nn.LSTM load.",
        epilog="IN is a file of PyTorch (.pt, .pth, .bin), Lightning (.ckpt), ONNX (.onnx), Keras (.keras, .h5) or safetensors\n"
               "(.safetensors, .safetensors.index.json of shards). Results are compared with those of the file's own library\n"
               "where that is installed.")
    parser.add_argument("input", metavar="IN", help="the model's file")
    parser.add_argument("output", metavar="OUT.safetensors", nargs="?", help="the file to write, whole or not at all")
    parser.add_argument("--list", action="store_true", help="print what is inside, and write nothing")
    parser.add_argument("--name", metavar="NAME", help="which LSTM, as --list names it; needed where there are several")
    parser.add_argument("--prefix", metavar="P", default="", help="what stands before the tensors' names in OUT, as 'lstm.'")
    parser.add_argument("--version", action="version", version=f"wavelstm-convert {__version__}")
    return parser


def _reader(path):
    name = os.path.basename(path).lower()
    endings = [ending for ending in _READERS if name.endswith(ending)]
    if not endings:
        raise Failure(f"{path}: a name that ends in one of {', '.join(_READERS)} expected")
    return importlib.import_module(f"._{_READERS[max(endings, key=len)]}_files", __package__)


def _read(reader, path):
    """What is inside; a Failure for whatever a reader trips over in a file that is not what its name says, or is broken."""
    try:
        with open(path, "rb"):
            pass
        return reader.read(path)
    except Exception as reason:
        if isinstance(reason, Failure) or (isinstance(reason, OSError) and reason.errno):  # that has the system's own words
            raise
        raise Failure(f"{path}: {reader.KIND} expected, got what cannot be read as one "
                      f"({type(reason).__name__}: {reason})") from None


def _chosen(path, found, name):
    usable = [each for each in found if not each.reason]
    names = ", ".join(repr(each.name) for each in usable)
    if name is not None:
        wanted = [each for each in found if name in (each.name, each.name + ".", *each.members)]
        if not wanted:
            raise Failure(f"{path}: --name: one of {names or 'none'} expected, got {name!r}")
        found = usable = wanted[:1]
    if not found:
        raise Failure(f"{path}: an LSTM expected, found none")
    refused = [each for each in found if each.reason]
    if refused and not [each for each in found if not each.reason]:
        raise Failure("; ".join(f"{path}: {each.name or 'the LSTM'}: {each.reason}" for each in refused))
    if len(usable) > 1:
        raise Failure(f"{path}: {len(usable)} LSTMs are inside; --name: one of {names} expected")
    return usable[0]


def _compare(found, module):
    """A line on how far the file's own library is; a Failure if that is too far."""
    if not found.engine:
        return "not compared: the library that the file is of is not here"
    shape = (5, 3, found.arguments["input_size"])
    x = np.random.default_rng(0).standard_normal(shape).astype(found.dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = found.engine(x)
    except Exception as reason:
        return f"not compared: {type(reason).__name__}: {str(reason).strip().partition(chr(10))[0]}"
    ours = module(x[0])[0][None] if found.is_cell else module(x)[0]
    largest = float(np.max(np.abs(ours - theirs))) if ours.shape == theirs.shape else float("inf")
    line = f"largest difference from {found.engine_name()}: {largest:.3g}"
    if found.rounded:
        return line + ", which rounds what it multiplies"
    if not largest <= _FAR:
        raise Failure(f"{line}; less than {_FAR:g} expected, so nothing is written; please report it with the file")
    return line


def _refuse_same_file(output, inputs):
    for path in inputs:
        if os.path.exists(output) and os.path.samefile(output, path):
            raise Failure(f"{output}: another file than {path} expected")


def _convert(arguments):
    if not arguments.list and not arguments.output:
        _parser().error("OUT.safetensors or --list expected")
    if arguments.output and not arguments.output.endswith(".safetensors"):
        _parser().error(f"OUT.safetensors: a name that ends in .safetensors expected, got {arguments.output!r}")
    path = arguments.input
    reader = _reader(path)
    found = _read(reader, path)
    if arguments.list:
        for each in found:
            print(f"{each.name or '(no name)'}: {each}{''.join(f'; {note}' for note in each.notes)}")
        if not found:
            print("no LSTM")
        return
    chosen = _chosen(path, found, arguments.name)
    _refuse_same_file(arguments.output, reader.files(path) if hasattr(reader, "files") else [path])
    module = chosen.module()
    compared = _compare(chosen, module)
    module.save(arguments.output, arguments.prefix)
    print(f"{arguments.output}: {chosen}{f' from {chosen.name}' if chosen.name else ''}")
    for note in chosen.notes:
        print(note)
    print(compared)


def main(arguments=None):
    try:
        _convert(_parser().parse_args(arguments))
    except Failure as reason:
        print(f"wavelstm-convert: {reason}", file=sys.stderr)
        return 1
    except OSError as reason:
        named = f"{reason.filename}: {reason.strerror}" if reason.filename is not None else reason
        print(f"wavelstm-convert: {named}", file=sys.stderr)
        return 1
    except (ValueError, RuntimeError, MemoryError) as reason:  # the library's own sentence on a file
        print(f"wavelstm-convert: {reason}", file=sys.stderr)
        return 1
    return 0
