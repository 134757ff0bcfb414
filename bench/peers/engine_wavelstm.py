"""This library, through include/wavelstm.h as bench/peers/wavelstm_calls.c uses it."""

import ctypes
import math

import numpy as np

from .candidate import Candidate, address, load_loop
from .tasks import Data, Task

HANDLES = ("bench_lstm_create", "bench_cell_create", "bench_plan_create", "bench_forward_create", "bench_steps_create",
           "bench_sessions_create", "bench_training_create", "bench_training_gradients")
INT, SIZE, POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
POINTER_TO = {"f32": ctypes.POINTER(ctypes.c_float), "f64": ctypes.POINTER(ctypes.c_double)}
PRECISIONS = {"full": 1, "bf16": 2, "int8": 3}  # wlstm_precision
DTYPES = {"f32": 0, "f64": 1, "bf16arrays": 2}  # wlstm_dtype


def held(values: np.ndarray, task: Task) -> np.ndarray:
    """As the library takes the task's arrays: of bfloat16 the bits, of two as near the even one."""
    if task.problem.dtype != "bf16arrays":
        return values
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(np.uint16)


def known(values: np.ndarray, task: Task) -> np.ndarray:
    """The numbers of such an array."""
    return (values.astype(np.uint32) << 16).view(np.float32) if task.problem.dtype == "bf16arrays" else values


def pointers(addresses: list) -> ctypes.Array:
    return (POINTER * len(addresses))(*addresses)


class Engine:
    def __init__(self, threads: int, config: dict):
        self.threads = threads
        self.loop = load_loop(config["loop"])
        self.calls = calls = ctypes.CDLL(config["library"])
        for name in HANDLES:
            getattr(calls, name).restype = POINTER
        calls.bench_lstm_create.argtypes = [SIZE] * 4 + [INT] * 3
        calls.bench_cell_create.argtypes = [SIZE] * 2
        calls.bench_plan_create.argtypes = [POINTER, SIZE, SIZE, INT]
        calls.bench_forward_create.argtypes = [POINTER, SIZE, SIZE] + [POINTER] * 5
        calls.bench_steps_create.argtypes = [POINTER] + [SIZE] * 5 + [POINTER] * 5
        calls.bench_sessions_create.argtypes = [POINTER, SIZE, INT] + [POINTER] * 3
        calls.bench_sessions_state.argtypes = [POINTER, SIZE, POINTER, POINTER]
        calls.bench_sessions_free.argtypes = [POINTER]
        calls.bench_training_create.argtypes = [POINTER, SIZE, SIZE, POINTER, INT, SIZE] + [POINTER] * 3 + [
            SIZE, POINTER, POINTER]
        calls.bench_training_tape.restype = SIZE
        for name in ("free", "gradients", "tape"):
            getattr(calls, f"bench_training_{name}").argtypes = [POINTER]
        self.wavelstm = wavelstm = ctypes.CDLL(config["wavelstm"])
        for name in ("wlstm_version", "wlstm_build_info", "wlstm_last_error", "wlstm_plan_describe"):
            getattr(wavelstm, name).restype = ctypes.c_char_p
        wavelstm.wlstm_plan_describe.argtypes = [POINTER]
        for name in ("wlstm_lstm_set_parameter", "wlstm_cell_set_parameter"):
            getattr(wavelstm, name).argtypes = [POINTER, ctypes.c_char_p, POINTER, SIZE]
        wavelstm.wlstm_lstm_create_from_cells.argtypes = [POINTER, SIZE, POINTER]
        for name in ("wlstm_lstm_free", "wlstm_cell_free", "wlstm_plan_free"):
            getattr(wavelstm, name).argtypes = [POINTER]
        self.free_memory = ctypes.CDLL(None).free
        self.free_memory.argtypes = [POINTER]
        self.setters = {kind: self.precision_setter(f"wlstm_{kind}_set_precision", config["precisions"])
                        for kind in ("lstm", "cell")}
        self.version = f"{wavelstm.wlstm_version().decode()} ({wavelstm.wlstm_build_info().decode()})"
        self.owned = []  # (free function, handle), freed in reverse

    @staticmethod
    def supports(task: Task) -> bool:
        return True

    def precision_setter(self, name: str, wanted: list):
        """Names a precision to a handle, whatever WLSTM_PRECISION says; None in a library of full precision only."""
        setter = getattr(self.wavelstm, name, None)
        if setter:
            setter.argtypes = [POINTER, INT]
        elif set(wanted) != {"full"}:
            raise RuntimeError(f"{', '.join(wanted)}: a library with {name} expected, this one has full precision only")
        return setter

    def set_precision(self, kind: str, handle: int, task: Task) -> int:
        setter = self.setters[kind]
        if setter and setter(handle, PRECISIONS[task.problem.precision]) != 0:
            raise RuntimeError(self.wavelstm.wlstm_last_error().decode())
        return handle

    def own(self, handle: int | None, free) -> int:
        if not handle:
            raise RuntimeError(self.wavelstm.wlstm_last_error().decode() or "out of memory")
        self.owned.append((free, handle))
        return handle

    def set_parameter(self, setter, handle: int, name: str, values: np.ndarray) -> None:
        if setter(handle, name.encode(), values.ctypes.data, values.size) != 0:
            raise RuntimeError(self.wavelstm.wlstm_last_error().decode())

    def lstm(self, task: Task, data: Data) -> int:
        p = task.problem
        lstm = self.own(self.calls.bench_lstm_create(p.input_size, p.hidden_size, p.num_layers, p.proj_size, p.bias,
                                                     p.bidirectional, DTYPES[p.dtype]), self.wavelstm.wlstm_lstm_free)
        for index, param in enumerate(data.params):
            suffix = f"_l{index // p.directions}" + ("_reverse" if index % p.directions else "")
            for name, values in param.items():
                self.set_parameter(self.wavelstm.wlstm_lstm_set_parameter, lstm, name + suffix, held(values, task))
        return self.set_precision("lstm", lstm, task)

    def cell_handles(self, task: Task, data: Data) -> list:
        cells = []
        for (input_size, hidden_size), param in zip(task.cells(), data.params):
            cells.append(self.own(self.calls.bench_cell_create(input_size, hidden_size), self.wavelstm.wlstm_cell_free))
            for name, values in param.items():
                self.set_parameter(self.wavelstm.wlstm_cell_set_parameter, cells[-1], name, values)
            self.set_precision("cell", cells[-1], task)
        return cells

    def forward(self, lstm: int, task: Task, data: Data, threads: int) -> Candidate:
        """A plan for the lstm and its call."""
        p = task.problem
        heights = [h for _, h in task.cells()] if task.kind == "steps" else [p.hidden_size]
        layers = p.num_layers * p.directions
        x = held(data.x, task)
        out = np.zeros((p.seq_len, p.batch, p.directions * (p.proj_size or heights[-1])), x.dtype)
        h_n = np.zeros((layers, p.batch, p.out_size), x.dtype)
        c_n = np.zeros((layers, p.batch, p.hidden_size), x.dtype)
        if task.kind == "steps":  # unlike sizes: one block after another, and not compared
            h_n, c_n = np.zeros((2, p.batch * sum(heights)), p.numpy_dtype)
        plan = self.own(self.calls.bench_plan_create(lstm, p.seq_len, p.batch, threads), self.wavelstm.wlstm_plan_free)
        lengths = None if data.lengths is None else np.ascontiguousarray(data.lengths, np.int64)
        context = self.own(self.calls.bench_forward_create(
            plan, p.seq_len, p.batch, None if lengths is None else lengths.ctypes.data, x.ctypes.data,
            out.ctypes.data, h_n.ctypes.data, c_n.ctypes.data), self.free_memory)
        return Candidate(self.wavelstm.wlstm_plan_describe(plan).decode(), address(self.calls.bench_forward_run),
                         lambda: tuple(known(array, task) for array in ((out,) if task.kind == "steps" else (out, h_n, c_n))),
                         context, [data, x, lengths, out, h_n, c_n], self.loop)

    def steps(self, cells: list, task: Task, data: Data) -> Candidate:
        """The user's own loop over wlstm_cell_forward."""
        p = task.problem
        sizes = [hidden for _, hidden in task.cells()]
        out = np.zeros((p.seq_len, p.batch, sizes[-1]), np.float32)
        h, c = ([np.zeros((p.batch, size), np.float32) for size in sizes] for _ in range(2))
        zeros = np.zeros((p.batch, max(sizes)), np.float32)
        states = (pointers([array.ctypes.data for array in arrays]) for arrays in (h, c))
        context = self.own(self.calls.bench_steps_create(
            pointers(cells), len(cells), p.seq_len, p.batch, p.input_size, sizes[-1], data.x.ctypes.data,
            out.ctypes.data, zeros.ctypes.data, *states), self.free_memory)
        return Candidate("wlstm_cell_forward", address(self.calls.bench_steps_run),
                         lambda: (out,) if task.kind == "steps" else (out, out, c[0][None]), context,
                         [data, out, zeros, h, c], self.loop)

    def sessions(self, task: Task, data: Data) -> Candidate:
        """wlstm_streams_step; the states are asked for after the first step, from zeros."""
        p = task.problem
        out = np.zeros((1, p.batch, p.out_size), p.numpy_dtype)
        order = np.ascontiguousarray(data.order, np.int64)
        context = self.own(self.calls.bench_sessions_create(
            self.lstm(task, data), p.batch, self.threads, order.ctypes.data, data.x.ctypes.data, out.ctypes.data),
            self.calls.bench_sessions_free)

        def results() -> tuple:
            h_n = np.empty((p.batch, p.num_layers, p.out_size), p.numpy_dtype)
            c_n = np.empty((p.batch, p.num_layers, p.hidden_size), p.numpy_dtype)
            for row in range(p.batch):
                if self.calls.bench_sessions_state(context, row, h_n[row].ctypes.data, c_n[row].ctypes.data) != 0:
                    raise RuntimeError(self.wavelstm.wlstm_last_error().decode())
            return out.copy(), h_n.swapaxes(0, 1).copy(), c_n.swapaxes(0, 1).copy()

        return Candidate("wlstm_streams_step", address(self.calls.bench_sessions_run), results, context,
                         [data, order, out], self.loop)

    def training(self, task: Task, data: Data) -> Candidate:
        """A trainer and its step."""
        p = task.problem
        out, d_x = np.zeros_like(data.d_out), np.zeros_like(data.x)
        lengths = None if data.lengths is None else np.ascontiguousarray(data.lengths, np.int64)
        weight = data.params[0]["weight_hh"]
        shapes = [values.shape for param in data.params for values in param.values()]
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        lstm = self.lstm(task, data)
        context = self.own(self.calls.bench_training_create(
            lstm, p.seq_len, p.batch, None if lengths is None else lengths.ctypes.data, self.threads, task.recompute,
            data.x.ctypes.data, data.d_out.ctypes.data, weight.ctypes.data, weight.size, out.ctypes.data,
            d_x.ctypes.data), self.calls.bench_training_free)
        self.owned.remove((self.wavelstm.wlstm_lstm_free, lstm))  # the trainer has copied it
        self.wavelstm.wlstm_lstm_free(lstm)

        def results() -> tuple:
            flat = self.calls.bench_training_gradients(context)
            flat = np.ctypeslib.as_array(ctypes.cast(flat, POINTER_TO[p.dtype]), (ends[-1],)).copy()
            return d_x.copy(), *(part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes))

        return Candidate("wlstm_trainer", address(self.calls.bench_training_run), results, context,
                         [data, lengths, weight, out, d_x], self.loop, self.calls.bench_training_tape(context))

    def candidates(self, task: Task, data: Data) -> list:
        if task.kind == "sessions":
            return [self.sessions(task, data)]
        if task.kind == "train":
            return [self.training(task, data)]
        if task.kind in ("forward", "ragged"):
            return [self.forward(self.lstm(task, data), task, data, self.threads)]
        cells = self.cell_handles(task, data)
        ways = [self.steps(cells, task, data)]
        if task.kind == "steps":
            stack = POINTER()
            self.wavelstm.wlstm_lstm_create_from_cells(pointers(cells), len(cells), ctypes.byref(stack))
            self.set_precision("lstm", self.own(stack.value, self.wavelstm.wlstm_lstm_free), task)
            ways.append(self.forward(stack.value, task, data, self.threads))
        return ways

    def stream_candidates(self, task: Task, datas: list) -> list:
        """One model, one plan and one input for each host thread."""
        lstm = self.lstm(task, datas[0])
        return [self.forward(lstm, task, data, 1) for data in datas]

    def release(self) -> None:
        while self.owned:
            free, handle = self.owned.pop()
            free(handle)
