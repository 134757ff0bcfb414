"""Plans: the chosen way to run one LSTM, kept by the caller; and tuning, which is a plan that was searched for."""
import ctypes
import weakref
from typing import NamedTuple

from ._arrays import arrays_of
from ._declarations import Backend, Effort, PlanOptions, Schedule
from ._library import check, lib


def _codes(enum, prefix):
    return {name[len(prefix):].lower(): code for name, code in enum.__members__.items()}


_BACKENDS = _codes(Backend, "WLSTM_BACKEND_")
_EFFORTS = _codes(Effort, "WLSTM_EFFORT_")
_SCHEDULES = _codes(Schedule, "WLSTM_SCHEDULE_")


def _code(name, codes, value):
    if value not in codes:
        raise ValueError(f"{name}: one of {', '.join(map(repr, codes))} expected, got {value!r}")
    return codes[value]


class Memory(NamedTuple):
    """Bytes of the packed weights, which the plans of one LSTM share, and of the plan's own scratch."""

    weights: int
    scratch: int


class Plan:
    """What LSTM.plan() gives. A call takes and gives what the LSTM's does, for up to max_seq_len steps and max_batch rows, by the
    parameters that the LSTM had when the plan was made. One thread at a time is in a call."""

    def __init__(self, lstm, max_seq_len, max_batch, threads, backend, effort, time_limit, deterministic, schedule, precision,
                 chunk_steps):
        options = PlanOptions(max_seq_len=max_seq_len, max_batch=max_batch, num_threads=threads,
                              backend=_code("backend", _BACKENDS, backend), effort=_code("effort", _EFFORTS, effort),
                              time_limit=time_limit, deterministic=deterministic,
                              schedule=_code("schedule", _SCHEDULES, schedule), precision=precision, chunk_steps=chunk_steps)
        handle = ctypes.c_void_p()
        check(lib.wlstm_plan_create(lstm._handle, options, handle))
        self._handle, self._lstm = handle.value, lstm
        self.max_seq_len, self.max_batch = max_seq_len, max_batch
        weakref.finalize(self, lib.wlstm_plan_free, handle.value).atexit = False

    def __call__(self, input, hx=None, *, lengths=None, out=None):
        """out, (h_n, c_n), as of the LSTM."""
        return self._lstm._call_by(lib.wlstm_plan_execute, lib.wlstm_plan_execute_packed, self._handle, input, hx, lengths, out)

    def forward_packed(self, data, batch_sizes, hx=None, *, out=None):
        """out, (h_n, c_n), as of the LSTM."""
        return self._lstm._run_packed(arrays_of(data, "data"), lib.wlstm_plan_execute_packed, self._handle, data, batch_sizes, hx, out)

    def describe(self):
        """One line for people: "t10b3i100h20l4: project and step native avx2, 1 thread, weights 0.1 MB, scratch 0.1 MB, tuned"."""
        return lib.wlstm_plan_describe(self._handle).decode()

    def memory(self):
        """Bytes: a Memory."""
        weights, scratch = ctypes.c_size_t(), ctypes.c_size_t()
        check(lib.wlstm_plan_memory(self._handle, weights, scratch))
        return Memory(weights.value, scratch.value)

    def __repr__(self):
        return f"<wavelstm.Plan {self.describe()}>"
