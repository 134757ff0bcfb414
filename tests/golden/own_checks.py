"""Checks of the Python package's own promises to PyTorch's users, for check_pytorch.py."""
import itertools
import warnings

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import wavelstm
from pytorch_checks import check, flat, lstm, ours, raises, samples


@check("(own) tensors in place", "out= writes to the caller's tensors, h_n in h_0, c_n in c_0")
def _(dtype):
    module, x = ours(lstm(5, 4, 2, dtype=dtype)), torch.randn(6, 3, 5, dtype=dtype)
    h, c, out = torch.randn(2, 3, 4, dtype=dtype), torch.randn(2, 3, 4, dtype=dtype), torch.empty(6, 3, 4, dtype=dtype)
    expected = module(x, (h, c))
    got = module(x, (h, c), out=(out, (h, c)))
    assert got[0] is out and got[1][0] is h and got[1][1] is c
    assert_close(got, expected, rtol=0, atol=0)
    raises(ValueError, "overlaps", module, x, (h, c), out=(out, (c, h)))
    raises(TypeError, "a Tensor, as input is", module, x, (h.numpy(), c.numpy()))


@check("(own) requires_grad", "an input or state that requires grad: an error, but under no_grad")
def _(dtype):
    for cls, constructor, forward, _ in samples(dtype, requires_grad=True):
        module = ours(cls(*constructor.args, **constructor.kwargs).to(dtype))
        with torch.enable_grad():
            raises(RuntimeError, "computes no gradients", module, *forward.args)
        assert not any(result.requires_grad for result in flat(module(*forward.args)))
        detached = [tuple(map(torch.detach, a)) if isinstance(a, tuple) else a.detach() for a in forward.args]
        with torch.enable_grad():
            module(*detached)


@check("(own) what from_torch and calls refuse", "other modules, half precision, sparse tensors; negated views are resolved")
def _(dtype):
    raises(TypeError, "torch.nn.LSTM expected, got GRU", wavelstm.LSTM.from_torch, torch.nn.GRU(3, 4))
    raises(TypeError, "torch.nn.LSTMCell expected, got LSTM", wavelstm.LSTMCell.from_torch, torch.nn.LSTM(3, 4))
    raises(ValueError, "got torch.float16", wavelstm.LSTM.from_torch, torch.nn.LSTM(3, 4, dtype=torch.float16))
    raises(ValueError, "got torch.float16", wavelstm.LSTM, 3, 4, dtype=torch.float16)
    module, x = ours(torch.nn.LSTMCell(1, 4, dtype=dtype)), torch.randn(1, 1, dtype=dtype)
    raises(RuntimeError, "a dense tensor expected", module, x.to_sparse())
    negated = torch.complex(x, x).conj().imag
    assert negated.is_neg()
    assert_close(module(negated), module(-x), rtol=0, atol=0)


@check("(own) bfloat16 modules", "all options and states: near PyTorch's own results, and nearer to float64's than they are")
def _(dtype):
    step = 2.0**-8  # between bfloat16's numbers below 1, and of c's below 2 half of that
    for layers, two, proj, bias, first in itertools.product((1, 2), (False, True), (0, 11), (True, False), (False, True)):
        shape = dict(num_layers=layers, bidirectional=two, proj_size=proj, bias=bias, batch_first=first)
        module, exact = torch.nn.LSTM(20, 24, **shape).bfloat16().eval(), torch.nn.LSTM(20, 24, **shape).double().eval()
        exact.load_state_dict(module.state_dict())
        x, blocks = torch.randn((5, 12, 20) if first else (12, 5, 20)).bfloat16(), layers * (1 + two)
        states = torch.rand(blocks, 5, proj or 24).bfloat16(), torch.rand(blocks, 5, 24).bfloat16()
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that oneDNN has no projection
            theirs, known = flat(module(x, states)), flat(exact(x.double(), tuple(state.double() for state in states)))
        found = flat(ours(module)(x, states))
        for mine, their, truth in zip(found, theirs, known):
            assert mine.dtype == torch.bfloat16
            assert_close(mine.double(), their.double(), rtol=2 * step, atol=2 * step)
            assert (mine.double() - truth).norm() <= (their.double() - truth).norm()


class Calls(torch.nn.Module):
    """What is no nn.Module, as the part of one."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return 2 * self.module(x)[0]


def layer_and_cell(dtype):
    """Calls of an LSTM and of an LSTMCell, an input, and torch's result."""
    for theirs, shape in ((lstm(5, 4, dtype=dtype), (6, 3, 5)), (torch.nn.LSTMCell(5, 4, dtype=dtype), (3, 5))):
        x = torch.randn(shape, dtype=dtype)
        yield Calls(ours(theirs)), x, Calls(theirs)(x)


@check("(own) recorded and transformed calls",
       "torch.jit, torch.export, make_fx, fake tensors, torch.func, dispatch modes: errors, as none sees what a call computes")
def _(dtype):
    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            return function(*arguments, **(keywords or {}))

    def under(mode, module, x):
        with mode:
            return module(x)

    for module, x, _ in layer_and_cell(dtype):
        sees = "sees nothing of what wavelstm computes"
        raises(RuntimeError, f"torch.jit.trace .*{sees}", torch.jit.trace, module, x)
        raises(RuntimeError, "", torch.jit.script, module)  # in the words of torch, which finds an attribute that is no module
        raises(RuntimeError, sees, torch.export.export, module, (x,))
        raises(RuntimeError, sees, torch.export.export, module, (x,), strict=True)
        for kind in "real", "fake", "symbolic":
            raises(RuntimeError, f"dispatch mode .*{sees}", make_fx(module, tracing_mode=kind), x)
        raises(TypeError, "got Proxy", torch.fx.symbolic_trace, module)
        with FakeTensorMode() as mode:
            fake = mode.from_tensor(x)
            raises(RuntimeError, f"dispatch mode .*{sees}", module, fake)
        raises(TypeError, "got FakeTensor", module, fake)
        raises(RuntimeError, f"dispatch mode .*{sees}", under, Mode(), module, x)
        raises(RuntimeError, f"torch.func .*{sees}", torch.vmap(module), torch.stack((x, x)))
        raises(RuntimeError, f"torch.func .*{sees}", torch.func.functionalize(module), x)
        raises(RuntimeError, f"torch.func .*{sees}", torch.func.grad(lambda x: module(x).sum()), x)
        raises(RuntimeError, f"torch.func .*{sees}", torch.func.jvp, module, (x,), (x,))


@check("(own) torch.compile", "outside of the graph and equal to torch's; with fullgraph an error")
def _(dtype):
    for module, x, expected in layer_and_cell(dtype):
        for backend in "eager", "aot_eager":
            torch.compiler.reset()
            compiled = torch.compile(module, backend=backend)
            for _ in range(2):
                assert_close(compiled(x), expected)
            torch.compiler.reset()
            raises(RuntimeError, "sees nothing of what wavelstm computes", torch.compile(module, backend=backend, fullgraph=True), x)
    torch.compiler.reset()


@check("(own) autocast, default devices", "the module's dtype on the CPU, whatever they say")
def _(dtype):
    for module, x, expected in layer_and_cell(dtype):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert_close(module(x), expected)
            raises(Exception, "bfloat16", module, x.bfloat16())
        with torch.device("meta"):
            assert_close(module(x), expected)


@check("(own) subclasses, tangents", "an input or state that is more than its values: an error")
def _(dtype):
    class Named(torch.Tensor):
        pass

    module, x = ours(lstm(5, 4, dtype=dtype)), torch.randn(6, 3, 5, dtype=dtype)
    h, c = torch.randn(1, 3, 4, dtype=dtype), torch.randn(1, 3, 4, dtype=dtype)
    expected = module(x, (h, c))
    raises(TypeError, "input: .* got Named", module, x.as_subclass(Named), (h, c))
    raises(TypeError, r"hidden\[1\]: .* got Named", module, x, (h, c.as_subclass(Named)))
    assert_close(module(torch.nn.Parameter(x), (h, c)), expected)
    with forward_ad.dual_level():
        raises(RuntimeError, "input: .* has a tangent", module, forward_ad.make_dual(x, x), (h, c))
        assert_close(module(forward_ad.make_dual(x, x).detach(), (h, c)), expected)
