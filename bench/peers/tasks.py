"""What is measured: tasks, named in the problem grammar, and their weights and inputs."""

import math
import re
from dataclasses import dataclass, replace

import numpy as np

GRAMMAR = ("t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias]"
           "[-f64|-bf16|-int8|-bf16arrays]")
SIZE = "([1-9][0-9]*)"
PATTERN = re.compile(f"t{SIZE}b{SIZE}i{SIZE}h{SIZE}l{SIZE}(?:p{SIZE})?(-bi)?(-nobias)?(-f64|-bf16arrays|-bf16|-int8)?")
TRAINED = re.compile("(.*?)(-ragged)?(?:-recompute([1-9][0-9]*))?")


@dataclass(frozen=True)
class Problem:
    seq_len: int
    batch: int
    input_size: int
    hidden_size: int
    num_layers: int
    proj_size: int = 0
    bidirectional: bool = False
    bias: bool = True
    dtype: str = "f32"
    precision: str = "full"  # of the products; but for full the arrays are f32

    @staticmethod
    def parse(text: str) -> "Problem":
        match = PATTERN.fullmatch(text)
        if not match:
            raise ValueError(f"problem {text!r}: expected {GRAMMAR}")
        *sizes, bidirectional, nobias, numbers = match.groups()
        problem = Problem(*(int(size or 0) for size in sizes), bool(bidirectional), not nobias,
                          dtype=numbers[1:] if numbers in ("-f64", "-bf16arrays") else "f32",
                          precision=numbers[1:] if numbers in ("-bf16", "-int8") else "full")
        if problem.proj_size >= problem.hidden_size:
            raise ValueError(f"problem {text!r}: proj_size less than hidden_size expected")
        return problem

    def __str__(self) -> str:
        sizes = (self.seq_len, self.batch, self.input_size, self.hidden_size, self.num_layers)
        name = "".join(f"{letter}{size}" for letter, size in zip("tbihl", sizes))
        return (name + (f"p{self.proj_size}" if self.proj_size else "") + ("-bi" if self.bidirectional else "")
                + ("" if self.bias else "-nobias") + ("" if self.dtype == "f32" else f"-{self.dtype}")
                + ("" if self.precision == "full" else f"-{self.precision}"))

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def out_size(self) -> int:
        """R: the size of one direction's h."""
        return self.proj_size or self.hidden_size

    @property
    def numpy_dtype(self) -> type:
        """Of the data; those of bf16 arrays become that in each engine."""
        return np.float64 if self.dtype == "f64" else np.float32

    @property
    def itemsize(self) -> int:
        return np.dtype(self.numpy_dtype).itemsize

    def layer_input(self, layer: int) -> int:
        return self.input_size if layer == 0 else self.directions * self.out_size

    def parameters(self) -> int:
        return sum(4 * self.hidden_size * (self.layer_input(layer) + self.out_size + 2 * self.bias)
                   + self.hidden_size * self.proj_size for layer in range(self.num_layers)) * self.directions

    def bytes(self) -> int:
        """Of the parameters, x and out."""
        rows = self.seq_len * self.batch * (self.input_size + self.directions * self.out_size)
        return (self.parameters() + rows) * (2 if self.dtype == "bf16arrays" else self.itemsize)

    def flops(self) -> int:
        """Multiply-adds count two; the gates' own arithmetic is left out."""
        per_row = sum(8 * self.hidden_size * (self.layer_input(layer) + self.out_size)
                      + 2 * self.hidden_size * self.proj_size for layer in range(self.num_layers))
        return self.seq_len * self.batch * self.directions * per_row


@dataclass(frozen=True)
class Task:
    """One thing to time. Kinds:
    forward  nn.LSTM over a whole batch, zero initial state
    ragged   the same with a length for each row, drawn from seq_len/10 to seq_len
    cell     one step of nn.LSTMCell
    steps    a loop over time, written by the user, of a stack of cells whose hidden sizes are `sizes`
    sessions one step of nn.LSTM for each of `batch` sessions, whose states lie in another order than their inputs
    train    a step of training: forward, backward to x and to all parameters, the use of new ones; `ragged`: lengths as
             above; `recompute`: our recompute_steps, 0 for none
    """
    kind: str
    problem: Problem
    sizes: tuple = ()
    ragged: bool = False
    recompute: int = 0

    @staticmethod
    def forward(text: str) -> "Task":
        return Task("forward", Problem.parse(text))

    @staticmethod
    def train(text: str) -> "Task":
        match = TRAINED.fullmatch(text)
        problem = Problem.parse(match[1])
        if problem.precision != "full":
            raise ValueError(f"problem {text!r}: a step of training has products of full precision only")
        return Task("train", problem, ragged=bool(match[2]), recompute=int(match[3] or 0))

    def at(self, precision: str) -> "Task":
        """The same weights and input, products of that precision, or the arrays in bfloat16."""
        numbers = {"dtype": precision} if precision == "bf16arrays" else {"precision": precision}
        return replace(self, problem=replace(self.problem, **numbers))

    def in_each(self, precisions: list) -> list:
        """In each of these, or as it is where the problem names its numbers or is trained. Cells and sessions have f32
        arrays."""
        if self.problem.dtype != "f32" or self.problem.precision != "full" or self.kind == "train":
            return [self]
        return [self.at(precision) for precision in precisions
                if precision != "bf16arrays" or self.kind in ("forward", "ragged")]

    def __str__(self) -> str:
        if self.kind == "steps":
            p = self.problem
            name = f"steps/t{p.seq_len}b{p.batch}i{p.input_size}" + "".join(f"h{size}" for size in self.sizes)
            return name + ("" if p.precision == "full" else f"-{p.precision}")
        name = str(self.problem) if self.kind == "forward" else f"{self.kind}/{self.problem}"
        return (name + ("-ragged" if self.kind == "train" and self.ragged else "")
                + (f"-recompute{self.recompute}" if self.recompute else ""))

    def cells(self) -> list:
        """(input_size, hidden_size) of each cell of a `cell` or `steps` task."""
        sizes = (self.problem.input_size, *(self.sizes or (self.problem.hidden_size,)))
        return list(zip(sizes[:-1], sizes[1:]))

    def flops(self) -> int:
        if self.kind == "steps":
            return sum(8 * self.problem.seq_len * self.problem.batch * h * (i + h) for i, h in self.cells())
        return self.problem.flops() * (3 if self.kind == "train" else 1)


CELLS = [Task("cell", Problem(1, batch, i, h, 1))
         for batch, i, h in ((3, 100, 20), (1, 24, 32), (1, 1, 40), (1, 256, 256))]
CELLS.append(Task("steps", Problem(10, 3, 100, 20, 2), (30, 20)))
SESSIONS = [Task("sessions", Problem(1, count, size, size, layers)) for size, layers in ((128, 1), (512, 2))
            for count in (1, 4, 16, 64, 256, 1024, 4096)]
PADDED = Problem(100, 32, 256, 256, 2)
RAGGED = [Task("ragged", PADDED, ragged=True), Task("forward", PADDED)]
TRAINED_TOO = ("t365b256i32h64l1", "t100b8i256h512l2p128", "t100b8i256h256l1-f64", "t150b16i256h256l1-ragged")
MOST_TRAINED = 1024  # units of the grid's problems that are trained


def trained_of(grid: list) -> list:
    return [task for task in map(Task.train, (*grid, *TRAINED_TOO)) if task.problem.hidden_size <= MOST_TRAINED]


def random_tasks(count: int, seed: int) -> list:
    """Problems off the grid: sizes log-uniform, between 0.1 MFLOP and 4 GFLOP."""
    rng = np.random.default_rng(seed)
    tasks = []
    while len(tasks) < count:
        limits = (200, 64, 1024, 1024, 6)
        sizes = [int(math.exp(rng.uniform(0.0, math.log(limit + 1)))) for limit in limits]
        problem = Problem(*sizes, bidirectional=bool(rng.random() < 0.25))
        if 1e5 <= problem.flops() <= 4e9:
            tasks.append(Task("forward", problem))
    return tasks


@dataclass
class Data:
    """params: one dict for each layer and direction (layer by layer, forward direction first) or cell, with PyTorch's
    names, shapes and gate order. x: [T, B, I]. lengths: [B] or None. order: [B] where the rows' states lie, or None.
    d_out: [T, B, D*R] the loss's gradient by out, of a task that is trained."""
    params: list
    x: np.ndarray
    lengths: np.ndarray | None
    order: np.ndarray | None = None
    d_out: np.ndarray | None = None


def make_data(task: Task, seed: int, stream: int = 0) -> Data:
    """The same numbers in each process; the streams of one task differ in x only."""
    p = task.problem
    rng = np.random.default_rng([seed, 0])
    params = []

    def add(rows: int, columns: int, recurrent: int, proj: int) -> None:
        bound = 1.0 / math.sqrt(rows)

        def draw(*shape: int) -> np.ndarray:
            return rng.uniform(-bound, bound, shape).astype(p.numpy_dtype)

        param = {"weight_ih": draw(4 * rows, columns), "weight_hh": draw(4 * rows, recurrent)}
        if p.bias:
            param |= {"bias_ih": draw(4 * rows), "bias_hh": draw(4 * rows)}
        if proj:
            param["weight_hr"] = draw(proj, rows)
        params.append(param)

    if task.kind in ("cell", "steps"):
        for input_size, hidden_size in task.cells():
            add(hidden_size, input_size, hidden_size, 0)
    else:
        for layer in range(p.num_layers):
            for _ in range(p.directions):
                add(p.hidden_size, p.layer_input(layer), p.out_size, p.proj_size)
    x = np.random.default_rng([seed, 1, stream]).standard_normal((p.seq_len, p.batch, p.input_size))
    lengths = None
    if task.ragged:
        draw = np.random.default_rng([seed, 2])
        lengths = draw.integers(max(1, p.seq_len // 10), p.seq_len, p.batch, endpoint=True)
        lengths[0] = p.seq_len  # PyTorch's padding makes out as long as the longest row
    order = np.random.default_rng([seed, 3]).permutation(p.batch) if task.kind == "sessions" else None
    d_out = None
    if task.kind == "train":
        d_out = np.random.default_rng([seed, 4]).standard_normal((p.seq_len, p.batch, p.directions * p.out_size))
        d_out = d_out.astype(p.numpy_dtype)
    return Data(params, x.astype(p.numpy_dtype), lengths, order, d_out)
