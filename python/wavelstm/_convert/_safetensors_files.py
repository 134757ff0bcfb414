""".safetensors, and the .index.json of a model in shards. The library reads the values; the header is JSON behind its length."""
import json
import os

from .._tensor_read import read_tensor
from . import _state_dict, _torch_files
from ._found import Values

KIND = "a safetensors file"
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_LONGEST_HEADER = 100 << 20  # safetensors' own limit


def _tensors(path):
    """Values by name; under the names, too, that save_model left out as they are the tensor of another name."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= _LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(file.read(length))
    metadata = header.pop("__metadata__", {})
    tensors = {name: _values(path, name, entry["shape"], entry["dtype"]) for name, entry in header.items()}
    tensors.update({name: tensors[kept] for name, kept in metadata.items() if name not in tensors and kept in tensors})
    return tensors


def _values(path, name, shape, dtype):
    read = lambda: read_tensor(path, name, "float64" if dtype == "F64" else "float32")  # noqa: E731
    return Values(shape, _DTYPES.get(dtype, dtype), read)


def files(path):
    """The files that have the tensors of `path`."""
    if not path.endswith(".json"):
        return [path]
    with open(path, encoding="utf-8") as file:
        names = sorted(set(json.load(file)["weight_map"].values()))
    return [os.path.join(os.path.dirname(path), name) for name in names]


def read(path):
    tensors = {}
    for shard in files(path):
        tensors.update(_tensors(shard))
    return _state_dict.find(tensors, _torch_files.engine)
