"""PyTorch: nn.LSTM and nn.LSTMCell in inference_mode, as written and traced and frozen; trained, nn.LSTM as written. In
bf16 the module and its arrays are bfloat16, or autocast rounds f32 ones; int8 is quantize_dynamic's qint8 for f32
arrays."""

import copy
import warnings
from typing import Iterator

import torch

from .candidate import Candidate
from .tasks import Data, Task

warnings.filterwarnings("ignore")


class Engine:
    def __init__(self, threads: int, config: dict):
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.mode = torch.inference_mode()  # for the life of this process
        self.mode.__enter__()
        self.version = torch.__version__

    @staticmethod
    def supports(task: Task) -> bool:
        p = task.problem
        return p.precision != "int8" or p.bias and not p.proj_size  # what its quantized modules have

    @staticmethod
    def candidates(task: Task, data: Data) -> Iterator[Candidate]:
        if task.kind in ("cell", "steps"):
            yield from cell_candidates(task, data)
            return
        if task.kind == "train":
            yield training_candidate(task, data)
            return
        p = task.problem
        lstm, x = module_of(task, data).eval(), torch.from_numpy(data.x)
        if p.precision == "bf16" and task.kind == "forward":
            yield recording("autocast", autocast(lambda x=x, lstm=lstm: lstm(x)))
        held = "bf16" if p.dtype == "bf16arrays" else p.precision
        lstm, x = lowered(lstm, held), lowered(x, held)
        if task.kind == "sessions":
            yield from session_candidates(lstm, x, torch.from_numpy(data.order))
            return
        if task.kind == "ragged":
            yield recording("packed", packed(lstm, x, torch.from_numpy(data.lengths)))
            return
        yield recording("eager", lambda: lstm(x))
        frozen = torch.jit.freeze(torch.jit.trace(lstm, x, check_trace=False))
        yield recording("frozen trace", lambda: frozen(x))

    @staticmethod
    def release() -> None:
        pass


def module_of(task: Task, data: Data) -> torch.nn.LSTM:
    p = task.problem
    dtype = torch.float64 if p.dtype == "f64" else torch.float32
    lstm = torch.nn.LSTM(p.input_size, p.hidden_size, p.num_layers, bias=p.bias, bidirectional=p.bidirectional,
                         proj_size=p.proj_size, dtype=dtype, device="meta").to_empty(device="cpu")
    lstm.load_state_dict({
        f"{name}_l{index // p.directions}" + ("_reverse" if index % p.directions else ""): torch.from_numpy(values)
        for index, param in enumerate(data.params) for name, values in param.items()})
    return lstm


@torch.inference_mode(False)
def training_candidate(task: Task, data: Data) -> Candidate:
    """loss.backward() of a module in train mode, whose gradients of before were set to None."""
    lstm = module_of(task, data).train()
    x, d_out = torch.from_numpy(data.x).requires_grad_(), torch.from_numpy(data.d_out)
    forward = packed(lstm, x, torch.from_numpy(data.lengths)) if task.ragged else lambda: lstm(x)
    learned = [x, *lstm.parameters()]

    @torch.inference_mode(False)
    def step() -> None:
        for values in learned:
            values.grad = None
        forward()[0].backward(d_out)

    return Candidate("eager", step, lambda: tuple(values.grad.numpy() for values in learned))


def lowered(value, precision: str):
    """A module, or its input, as its users of that precision hold it; the one that is given stays as it is."""
    if precision == "bf16":
        return (value if isinstance(value, torch.Tensor) else copy.deepcopy(value)).to(torch.bfloat16)
    if precision == "full" or isinstance(value, torch.Tensor):
        return value
    cells = {torch.nn.LSTM, torch.nn.LSTMCell}  # of a module, so in one
    return torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(value), cells, dtype=torch.qint8)[0].eval()


def autocast(function):
    def call():
        with torch.autocast("cpu", torch.bfloat16):
            return function()

    return call


def flatten(result) -> list:
    return [result] if isinstance(result, torch.Tensor) else [leaf for part in result for leaf in flatten(part)]


def recording(name: str, function) -> Candidate:
    """The results come from a call of their own, so that the timed one stores nothing."""
    return Candidate(name, function, lambda: tuple(
        (leaf.float() if leaf.dtype == torch.bfloat16 else leaf).numpy() for leaf in flatten(function())))


def packed(lstm: torch.nn.LSTM, x: torch.Tensor, lengths: torch.Tensor):
    """Padded in, padded out, which is what the other engines do with lengths."""
    pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence

    def call():
        out, state = lstm(pack(x, lengths, enforce_sorted=False))
        return pad(out)[0], state

    return call


def session_candidates(lstm: torch.nn.LSTM, x: torch.Tensor, order: torch.Tensor) -> Iterator[Candidate]:
    """The sessions' states, all in two tensors, are gathered for each step and scattered after it."""
    count = x.shape[1]
    h, c = x.new_zeros(lstm.num_layers, count, lstm.proj_size or lstm.hidden_size), x.new_zeros(
        lstm.num_layers, count, lstm.hidden_size)
    some = h.index_select(1, order), c.index_select(1, order)
    frozen = torch.jit.freeze(torch.jit.trace(lstm, (x, some), check_trace=False))

    def step(module):
        def call():
            out, (h_n, c_n) = module(x, (h.index_select(1, order), c.index_select(1, order)))
            h.index_copy_(1, order, h_n)
            c.index_copy_(1, order, c_n)
            return out

        return call

    def first(call):
        h.zero_()
        c.zero_()
        out = call()
        return out, h.index_select(1, order), c.index_select(1, order)

    for name, module in (("gather, eager, scatter", lstm), ("gather, frozen trace, scatter", frozen)):
        way = step(module)
        once = recording(name, lambda way=way: first(way))
        once.function = way
        yield once


class Steps(torch.nn.Module):
    """A loop over time of a stack of cells."""

    def __init__(self, cells: list):
        super().__init__()
        self.cells = torch.nn.ModuleList(cells)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states = [(x.new_zeros(x.shape[1], cell.hidden_size),) * 2 for cell in self.cells]
        out = []
        for step in x:
            for k, cell in enumerate(self.cells):
                states[k] = cell(step, states[k])
                step = states[k][0]
            out.append(step)
        return torch.stack(out)


def cell_candidates(task: Task, data: Data) -> list:
    cells = []
    for (input_size, hidden_size), param in zip(task.cells(), data.params):
        cells.append(torch.nn.LSTMCell(input_size, hidden_size).eval())
        cells[-1].load_state_dict({name: torch.from_numpy(values) for name, values in param.items()})
    precision = task.problem.precision
    cells, x = [lowered(cell, precision) for cell in cells], lowered(torch.from_numpy(data.x), precision)
    if task.kind == "steps":
        steps = Steps(cells).eval()
        frozen = torch.jit.freeze(torch.jit.trace(steps, x))
        return [recording("eager", lambda: steps(x)), recording("frozen trace", lambda: frozen(x))]
    # A step in a stream has a state; zeros are the ones the reference starts from.
    cell, step = cells[0], x[0]
    state = (step.new_zeros(task.problem.batch, task.problem.hidden_size),) * 2
    frozen = torch.jit.freeze(torch.jit.trace(cell, (step, state)))
    ways = [recording("eager", lambda: cell(step, state)), recording("frozen trace", lambda: frozen(step, state))]
    for way in ways:
        way.results = (lambda once: lambda: (once()[0][None], once()[0][None], once()[1][None]))(way.results)
    return ways
