from os import PathLike
from typing import Any, Literal, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np
import numpy.typing as npt

from . import plan_cache as plan_cache

__version__: str

_Precision = Optional[Literal["full", "bf16", "int8"]]
_Path = Union[str, "PathLike[str]"]
_Array = TypeVar("_Array", bound=Any)  # numpy.ndarray or torch.Tensor: what comes in decides what comes out
_Lengths = Union[Sequence[int], npt.NDArray[np.integer], Any]

class Difference(NamedTuple):
    largest: float
    mean: float
    relative: float

class Comparison(NamedTuple):
    out: Difference
    h_n: Difference
    c_n: Difference
    seconds: float
    full_seconds: float

class Memory(NamedTuple):
    weights: int
    scratch: int

class _Module:
    precision: _Precision
    dtype: np.dtype[Any]
    input_size: int
    hidden_size: int
    bias: bool
    training: bool
    def compact(self) -> None: ...
    def save(self, path: _Path, prefix: str = ...) -> None: ...
    def state_dict(self) -> dict[str, npt.NDArray[Any]]: ...
    def load_state_dict(self, state: Any, strict: bool = ...) -> None: ...
    def reset_parameters(self, seed: int = ...) -> None: ...
    def eval(self: _Self) -> _Self: ...
    def __getattr__(self, name: str) -> npt.NDArray[Any]: ...

_Self = TypeVar("_Self", bound=_Module)

class LSTM(_Module):
    num_layers: int
    batch_first: bool
    dropout: float
    bidirectional: bool
    proj_size: int
    def __init__(self, input_size: int, hidden_size: int, num_layers: int = ..., bias: bool = ..., batch_first: bool = ...,
                 dropout: float = ..., bidirectional: bool = ..., proj_size: int = ..., device: Any = ..., dtype: Any = ...,
                 precision: _Precision = ...) -> None: ...
    @classmethod
    def load(cls, path: _Path, prefix: str = ..., batch_first: bool = ..., dtype: Any = ..., precision: _Precision = ...,
             compact: bool = ...) -> LSTM: ...
    @classmethod
    def from_torch(cls, module: Any, precision: _Precision = ..., compact: bool = ...) -> LSTM: ...
    def compare(self, input: Any, hx: Any = ..., *, lengths: Optional[_Lengths] = ...) -> Comparison: ...
    def plan(self, max_seq_len: int, max_batch: int, *, threads: int = ...,
             backend: Literal["auto", "reference", "onednn", "native"] = ...,
             effort: Literal["default", "estimate", "measure", "patient"] = ..., time_limit: float = ..., deterministic: bool = ...,
             schedule: Literal["auto", "serial", "wavefront", "gangs"] = ..., precision: _Precision = ...,
             chunk_steps: int = ...) -> Plan: ...
    def tune(self, seq_len: int, batch: int, *, threads: int = ...,
             effort: Literal["default", "estimate", "measure", "patient"] = ..., time_limit: float = ...) -> str: ...
    def __call__(self, input: _Array, hx: Optional[Tuple[_Array, _Array]] = ..., *, lengths: Optional[_Lengths] = ...,
                 out: Optional[Tuple[_Array, Tuple[_Array, _Array]]] = ...) -> Tuple[_Array, Tuple[_Array, _Array]]: ...
    forward = __call__

class LSTMCell(_Module):
    def __init__(self, input_size: int, hidden_size: int, bias: bool = ..., device: Any = ..., dtype: Any = ...,
                 precision: _Precision = ...) -> None: ...
    @classmethod
    def load(cls, path: _Path, prefix: str = ..., dtype: Any = ..., precision: _Precision = ..., compact: bool = ...) -> LSTMCell: ...
    @classmethod
    def from_torch(cls, module: Any, precision: _Precision = ..., compact: bool = ...) -> LSTMCell: ...
    def __call__(self, input: _Array, hx: Optional[Tuple[_Array, _Array]] = ..., *,
                 out: Optional[Tuple[_Array, _Array]] = ...) -> Tuple[_Array, _Array]: ...
    forward = __call__

class Plan:
    max_seq_len: int
    max_batch: int
    def __call__(self, input: _Array, hx: Optional[Tuple[_Array, _Array]] = ..., *, lengths: Optional[_Lengths] = ...,
                 out: Optional[Tuple[_Array, Tuple[_Array, _Array]]] = ...) -> Tuple[_Array, Tuple[_Array, _Array]]: ...
    def describe(self) -> str: ...
    def memory(self) -> Memory: ...

def export(module: Any, path: _Path, prefix: str = ...) -> None: ...
def build_info() -> str: ...
def read_tensor(path: _Path, name: str, dtype: Any = ...) -> npt.NDArray[Any]: ...
