"""Checks of what wavelstm.torch promises, for check_pytorch.py: one line gives the same results, or PyTorch's, or a clear error."""
import concurrent.futures
import contextlib
import copy
import datetime
import itertools
import os
import pickle
import signal
import tempfile
import warnings
from unittest import mock

import torch
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils import parametrizations, parametrize, prune, rnn
from torch.testing import assert_close

import wavelstm.torch
from pytorch_checks import DTYPES, check, flat, lstm, raises
from wavelstm.torch import _trainers, _weights


class Net(torch.nn.Module):
    """An LSTM, a cell and a shared LSTM, some of them deep down."""

    def __init__(self, dtype, dropout=0.0):
        super().__init__()
        self.conv = torch.nn.Conv1d(5, 6, 3, padding=1, dtype=dtype)
        self.inner = torch.nn.ModuleDict({"lstm": torch.nn.LSTM(6, 7, 2, batch_first=True, dropout=dropout, dtype=dtype)})
        self.cells = torch.nn.ModuleList([torch.nn.LSTMCell(7, 4, dtype=dtype)])
        self.tied = torch.nn.LSTM(4, 4, bidirectional=True, proj_size=2, dtype=dtype)
        self.again = self.tied

    def forward(self, x):
        out, _ = self.inner["lstm"](torch.relu(self.conv(x)).transpose(1, 2))
        state, states = None, []
        for step in out.unbind(1):
            state = self.cells[0](step, state)
            states.append(state[0])
        out, states = self.tied(torch.stack(states))
        return self.again(out, states)[0]


@contextlib.contextmanager
def runs(count):
    """That the library is called so often: None is at least once."""
    calls, call = [], _weights.Runner.__call__
    with mock.patch.object(_weights.Runner, "__call__", lambda *arguments, **keywords: calls.append(1) or call(*arguments, **keywords)):
        yield
    assert len(calls) == count if count is not None else calls, f"{count} calls of the library expected, got {len(calls)}"


@contextlib.contextmanager
def learns(forward, backward):
    """That the library's trainers go so often forward and back: None is at least once."""
    calls = {"forward": 0, "backward": 0}

    def counted(name):
        call = getattr(_trainers.Learner, name)

        def counts(*arguments):
            result = call(*arguments)
            calls[name] += result is not False  # a tape that did not serve
            return result
        return mock.patch.object(_trainers.Learner, name, counts)
    with counted("forward"), counted("backward"):
        yield
    for (name, count), wanted in zip(calls.items(), (forward, backward)):
        assert count == wanted if wanted is not None else count, f"{wanted} passes {name} of the library expected, got {count}"


def twins(module, **keywords):
    """A module and a copy of it, accelerated."""
    return module, wavelstm.torch.accelerate(copy.deepcopy(module), **keywords)


def net(dtype, **keywords):
    return (*twins(Net(dtype, **keywords).eval()), torch.randn(3, 5, 8, dtype=dtype))


@check("(own) accelerate", "modules at any depth, shared ones once, stay the objects they were, with names, state, repr and hooks")
def _(dtype):
    theirs, ours, x = Net(dtype).eval(), Net(dtype).eval(), torch.randn(3, 5, 8, dtype=dtype)
    before, objects, hooked = repr(ours), dict(ours.named_modules()), []
    handle = ours.tied.register_forward_hook(lambda *_: hooked.append(1))
    ours.load_state_dict(theirs.state_dict())
    assert wavelstm.torch.accelerate(ours) is ours
    assert wavelstm.torch.accelerate(ours.tied) is ours.tied
    assert dict(ours.named_modules()) == objects and ours.tied is ours.again
    assert repr(ours) == before and wavelstm.torch.left_alone(ours) == {}
    assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    with runs(1 + 8 + 2):
        assert_close(ours(x), theirs(x))
    handle.remove()
    ours(x)
    assert len(hooked) == 2
    for twin in copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)):
        with runs(None):
            assert_close(twin(x), ours(x), rtol=0, atol=0)
        assert twin.tied is twin.again
    assert [len(weights) for weights in ours.tied.all_weights] == [5, 5]
    ours.tied.flatten_parameters()
    assert not isinstance(ours.tied, torch.nn.LSTM)
    assert wavelstm.torch.restore(ours) is ours
    assert dict(ours.named_modules()) == objects and type(ours.tied) is torch.nn.LSTM and type(ours.cells[0]) is torch.nn.LSTMCell
    with runs(0):
        assert_close(ours(x), theirs(x), rtol=0, atol=0)
    raises(TypeError, "a torch.nn.Module expected", wavelstm.torch.accelerate, 3)
    raises(ValueError, "precision: None, 'full'", wavelstm.torch.accelerate, ours, "int4")
    raises(ValueError, "threads: None or at least 1", wavelstm.torch.accelerate, ours, threads=0)


@check("(own) accelerate: what is left alone", "subclasses, other dtypes, weight_norm and pruning: named, with the reason")
def _(dtype):
    class Sub(torch.nn.LSTM):
        pass

    own_forward = torch.nn.LSTM(3, 4)
    own_forward.forward = lambda x: x
    model = torch.nn.Sequential(Sub(3, 4), torch.nn.LSTM(3, 4, dtype=torch.bfloat16), torch.nn.GRU(3, 4), own_forward,
                                parametrizations.weight_norm(torch.nn.LSTM(3, 4), "weight_hh_l0"),
                                prune.l1_unstructured(torch.nn.LSTMCell(3, 4), "weight_hh", 2), torch.nn.LSTM(3, 4, dtype=dtype))
    with mock.patch.object(wavelstm.torch._modules._log, "info") as log:
        wavelstm.torch.accelerate(model, precision="int8")
    reasons = ["a subclass of nn.LSTM, Sub", "parameters of torch.bfloat16", "a forward of its own", "a subclass of nn.LSTM, Parametrized",
               "parameters that other tensors stand for"] + (["have no precision int8"] if dtype == torch.float64 else [])
    said = [call.args[2] for call in log.call_args_list]
    assert len(said) == len(reasons) and all(reason in text for reason, text in zip(reasons, said)), said
    assert list(wavelstm.torch.left_alone(model)) == ["0", "1", "3", "4", "5"] + (["6"] if dtype == torch.float64 else [])


@check("(own) accelerate: arguments of a call", "batched or not, batch_first, states, packed, lists, odd layouts: as PyTorch's")
def _(dtype):
    for batch_first in (False, True):
        for threads in (None, 1, 2):
            theirs, ours = twins(lstm(5, 4, 2, batch_first=batch_first, bidirectional=True, dtype=dtype), threads=threads)
            x, one = torch.randn(6, 3, 5, dtype=dtype), torch.randn(6, 5, dtype=dtype)
            h = torch.randn(4, 6 if batch_first else 3, 4, dtype=dtype)
            packed = rnn.pack_sequence([torch.randn(n, 5, dtype=dtype) for n in (2, 6, 3, 4, 1, 1)][:len(h[0])], enforce_sorted=False)
            with runs(7):
                for arguments in ((x,), (x, (h, h)), (x, [h, h]), (one,), (one, (h[:, 0], h[:, 0])), (packed,), (packed, (h, h))):
                    assert_close(flat(ours(*arguments)), flat(theirs(*arguments)))
            for wrong in ((x[..., :4],), (x, (h[:1], h)), (x[:, :0] if batch_first else x[:0],), (x.to(torch.float16),), (x[None],), (x, h),
                          (x, (h, 3)), (x, (h, None)), (x, (h[..., :1].expand_as(h)[:, :1], h))):
                for grad in (False, True):
                    with torch.set_grad_enabled(grad):
                        expected = outcome(theirs, *wrong)
                        assert isinstance(expected, str) and expected == outcome(ours, *wrong), expected
    for threads in (None, 2):
        theirs, ours = twins(torch.nn.LSTMCell(5, 4, dtype=dtype), threads=threads)
        x, h = torch.randn(3, 5, dtype=dtype), torch.randn(3, 4, dtype=dtype)
        with runs(4):
            for arguments in ((x,), (x, (h, h)), (x.T.contiguous().T, (h, h)), (x, [h, h])):
                assert_close(ours(*arguments), theirs(*arguments))
        assert_close(ours(x[0], (h[0], h[1])), theirs(x[0], (h[0], h[1])))
        for wrong in ((x[:, :4],), (x, (h[:1], h)), (x, (h, h[:, :3])), (x[None],)):
            for grad in (False, True):
                with torch.set_grad_enabled(grad):
                    assert isinstance(outcome(theirs, *wrong), str) and outcome(theirs, *wrong) == outcome(ours, *wrong)


def outcome(function, *arguments):
    """The results, or what the error says."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001  the same one is expected of another
        return f"{type(error)}: {error}"


def close_gradients(actual, expected):
    """Sums over rows, to the digits of the largest of them."""
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected):
        scale = max(1.0, theirs.abs().max().item()) if theirs.numel() else 1.0
        assert_close(ours / scale, theirs / scale)


def results_and_gradients(model, x, training=False, call=None):
    """Of a model in either mode."""
    leaf = x.clone().requires_grad_()
    with torch.enable_grad():
        out = flat((call or model.train(training))(leaf))[0]
        model.zero_grad()
        out.square().sum().backward()
    return [out.detach(), leaf.grad, *(parameter.grad for parameter in model.parameters())]


@check("(own) accelerate: gradients", "in train and eval mode as PyTorch's, run here; of a PackedSequence, frozen weights, no loss of some results")
def _(dtype):
    for training in (False, True):
        theirs, ours, x = net(dtype)
        with runs(0), learns(1 + 8 + 2, 1 + 8 + 2):
            close_gradients(results_and_gradients(ours, x, training), results_and_gradients(theirs, x, training))
        with runs(None), learns(0, 0):
            assert_close(ours(x), theirs(x))  # no_grad: by a plan, in train mode too as no dropout acts
    theirs, ours = twins(lstm(5, 4, 2, proj_size=3, dtype=dtype))
    x, states = torch.randn(6, 3, 5, dtype=dtype), [torch.randn(2, 3, n, dtype=dtype) for n in (3, 4)]
    for module in theirs, ours:
        module.weight_hh_l1.requires_grad_(False)
    for result, frozen in itertools.product(range(3), (False, True)):
        found = []
        for module in theirs, ours:
            leaves = [tensor.clone().requires_grad_() for tensor in (x, *states)]
            with torch.enable_grad(), learns(None, None) if module is ours else contextlib.nullcontext():
                wanted = [*leaves[1:]] if frozen else [leaves[0], *(p for p in module.parameters() if p.requires_grad)]
                out, (h_n, c_n) = module(leaves[0], (leaves[1], leaves[2]))
                found.append(torch.autograd.grad((out, h_n, c_n)[result].square().sum(), wanted))
        close_gradients(*found)
    assert ours.weight_hh_l1.grad is None


@check("(own) accelerate: graphs of autograd", "many forwards before a backward, a second backward, checkpoint, saved tensors elsewhere, other "
       "weights between, batched and second gradients")
def _(dtype):
    theirs, ours = twins(lstm(5, 4, 2, bidirectional=True, dtype=dtype))
    x = torch.randn(6, 3, 5, dtype=dtype)
    halves = {name: parameter.detach() * 0.5 for name, parameter in ours.named_parameters()}

    def several(model, leaf):
        with torch.enable_grad():
            return sum(model(leaf * k)[0].square().sum() for k in (1, 2, 3))

    def checkpointed(model, leaf, **keywords):
        return torch.utils.checkpoint.checkpoint(model, leaf, use_reentrant=False, **keywords)[0].square().sum()

    def elsewhere(model, leaf):
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda saved: saved):
            return model(leaf)[0].square().sum()

    def other_weights(model, leaf):
        return model(leaf)[0].square().sum() + torch.func.functional_call(model, halves, (leaf,))[0].square().sum()

    # passes forward and back, of one backward: what was saved serves, is there twice, is at another place, is of other weights
    for loss, forward, backward in ((several, 3, 3), (checkpointed, 2, 1), (elsewhere, 2, 1), (other_weights, 3, 2)):
        found = []
        for model in theirs, ours:
            leaf = x.clone().requires_grad_()
            with torch.enable_grad(), learns(forward, backward) if model is ours else contextlib.nullcontext():
                found.append(torch.autograd.grad(loss(model, leaf), [leaf, *model.parameters()]))
        close_gradients(*found)
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        out = ours(leaf)[0]
        with learns(2, 3):
            first = torch.autograd.grad(out.sum(), leaf, retain_graph=True)
            assert_close(torch.autograd.grad(out.sum(), leaf, retain_graph=True), first, rtol=0, atol=0)
            assert_close(torch.autograd.grad(out.sum(), leaf), first, rtol=0, atol=0)
        raises(RuntimeError, "second time", torch.autograd.grad, out.sum(), leaf)
        out = ours(leaf)[0]
        with torch.no_grad():
            ours.weight_hh_l0.mul_(2)
        raises(RuntimeError, "modified by an inplace operation", torch.autograd.grad, out.sum(), leaf)
    theirs, ours = twins(lstm(3, 4, dtype=dtype))
    batch_sizes = torch.tensor([3, 2, 2, 1])
    for x, rows in (torch.randn(5, 2, 3, dtype=dtype), (2,)), (torch.randn(5, 3, dtype=dtype), ()), (torch.randn(8, 3, dtype=dtype), (3,)):
        def run(model):  # the states follow from the input
            leaf = x.clone().requires_grad_()  # noqa: B023
            state = leaf.new_zeros((1, *rows, 4)) + leaf.sum()  # noqa: B023
            given = rnn.PackedSequence(leaf, batch_sizes) if rows == (3,) else leaf  # noqa: B023
            return leaf, flat(model(given, (state, state)))[0]

        batched, second = [], []
        for model in theirs, ours:
            with torch.enable_grad(), learns(2, 1) if model is ours else contextlib.nullcontext():
                leaf, out = run(model)
                torch.manual_seed(2)
                batched.append(torch.autograd.grad(out, leaf, torch.randn(3, *out.shape, dtype=dtype), is_grads_batched=True))
                leaf, out = run(model)
                gradient, = torch.autograd.grad(out.square().sum(), leaf, create_graph=True)
                second.append([gradient.detach(), *torch.autograd.grad(gradient.square().sum(), [leaf, *model.parameters()])])
        close_gradients(*batched)
        close_gradients(*second)


def layer_by_layer(module, x, seed):
    """PyTorch's results where dropout acts as it does here from a seed."""
    trainer = wavelstm.Trainer(wavelstm.LSTM.from_torch(module), x.shape[0], x.shape[1])
    trainer.forward(x.detach().numpy(), seed=seed)
    for layer in range(module.num_layers):
        weights = [weight for of_direction in module.all_weights[layer * (1 + module.bidirectional):][:1 + module.bidirectional]
                   for weight in of_direction]
        zeros = x.new_zeros(1 + module.bidirectional, x.shape[1], module.hidden_size)
        x = torch.lstm(x, (zeros, zeros), weights, module.bias, 1, 0.0, False, module.bidirectional, False)[0]
        if layer + 1 < module.num_layers:
            x = x * torch.from_numpy(trainer.dropout_mask(layer))
    return x,


@check("(own) accelerate: dropout", "acts in train mode alone, by the mask of the seed that torch's generator draws: run again by "
       "checkpoint, in graphs, with and without gradients")
def _(dtype):
    theirs, ours = twins(torch.nn.LSTM(5, 6, 3, dropout=0.4, bidirectional=True, dtype=dtype))
    x = torch.randn(6, 3, 5, dtype=dtype)

    def seeded(call):
        def run(leaf):
            torch.manual_seed(3)
            return call(leaf)
        return run

    torch.manual_seed(3)
    seed = int(wavelstm.torch._modules.draw_seed())
    expected = results_and_gradients(theirs, x, True, lambda leaf: layer_by_layer(theirs, leaf, seed))
    traced = torch.jit.trace(ours.train(), x, check_trace=False)
    ways = [ours, traced, *(lambda leaf, reentrant=reentrant: torch.utils.checkpoint.checkpoint(ours, leaf, use_reentrant=reentrant)
                            for reentrant in (False, True))]
    for call in ways:
        found = results_and_gradients(ours, x, True, seeded(call))
        close_gradients(found, expected)
        assert_close(seeded(call)(x)[0], found[0], rtol=0, atol=0)  # under no_grad
        assert not torch.equal(call(x)[0], found[0])
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        out = ours(leaf)[0]
        first = torch.autograd.grad(out.sum(), leaf, retain_graph=True)
        assert_close(torch.autograd.grad(out.sum(), leaf, retain_graph=True), first, rtol=0, atol=0)
        raises(RuntimeError, "in which dropout acted", torch.autograd.grad, out.sum(), leaf, create_graph=True)
    assert_close(ours.eval()(x), theirs.eval()(x))
    close_gradients(results_and_gradients(ours, x), results_and_gradients(theirs, x))


@check("(own) accelerate: three training steps", "of SGD, Adam and fused AdamW equal PyTorch's, and inference between them sees them")
def _(dtype):
    # An eps beside which the last bits of a gradient near zero are nothing.
    for make in (lambda p: torch.optim.SGD(p, 0.1), lambda p: torch.optim.Adam(p, 0.01, eps=0.01),
                 lambda p: torch.optim.AdamW(p, 0.01, eps=0.01, fused=True)):
        theirs, ours, x = net(dtype)
        optimizers = [make(model.parameters()) for model in (theirs, ours)]
        for _ in range(3):
            for model, optimizer in zip((theirs, ours), optimizers):
                with torch.enable_grad(), learns(11, 11) if model is ours else contextlib.nullcontext():
                    optimizer.zero_grad()
                    model(x).square().sum().backward()
                optimizer.step()
            with runs(None):
                assert_close(ours(x), theirs(x))
        assert_close(ours.state_dict(), theirs.state_dict())


@check("(own) accelerate: parameters that change", "in place, by load_state_dict, .data, .to() and back, for long calls any way; else refresh")
def _(dtype):
    theirs, ours, x = net(dtype)
    long = torch.randn(40, 5, 8, dtype=dtype)  # 320 rows

    def halve(model):
        model.half().to(dtype)

    def write(model):
        for parameter in model.parameters():
            parameter.detach().numpy()[...] *= 1.5

    seen = [lambda model: [parameter.mul_(1.5) for parameter in model.parameters()],
            lambda model: model.load_state_dict({k: v * 0.5 for k, v in model.state_dict().items()}),
            lambda model: model.load_state_dict({k: v * 1.5 for k, v in model.state_dict().items()}, assign=True), halve,
            lambda model: setattr(model.tied.weight_hh_l0, "data", model.tied.weight_hh_l0 * 2),
            lambda model: setattr(model.tied, "weight_hr_l0", torch.nn.Parameter(model.tied.weight_hr_l0 * 2))]
    unseen = [write, lambda model: [parameter.data.add_(0.01) for parameter in model.parameters()]]
    for change in seen + unseen:
        ours(x)
        for model in theirs, ours:
            change(model)
        if change in unseen:
            wavelstm.torch.refresh(ours)
        with runs(None):
            assert_close(ours(x), theirs(x))
    theirs, ours = twins(lstm(5, 4, dtype=dtype))
    long = torch.randn(20, 16, 5, dtype=dtype)
    for change in unseen:
        ours(long)
        for model in theirs, ours:
            change(model)
        assert_close(ours(long), theirs(long))
    with torch.inference_mode():
        theirs = lstm(5, 4, dtype=dtype)
        theirs, ours = twins(theirs)
        for _ in range(2):
            with runs(1):
                assert_close(ours(long[:2]), theirs(long[:2]))
            for model in theirs, ours:
                model.weight_ih_l0.add_(0.5)
    traced = torch.jit.trace(ours, long)
    with torch.inference_mode():
        for model in theirs, ours:
            model.weight_hh_l0.add_(0.5)
    assert_close(traced(long), theirs(long))


@check("(own) accelerate: where PyTorch runs", "other dtypes, weight_norm, pruning, autocast: its results, and one warning")
def _(dtype):
    x = torch.randn(6, 3, 5, dtype=dtype)
    for change, back in ((lambda model: model.bfloat16(), lambda model: model.to(dtype)),
                         (lambda model: parametrizations.weight_norm(model, "weight_hh_l0"),
                          lambda model: parametrize.remove_parametrizations(model, "weight_hh_l0")),
                         (lambda model: prune.random_unstructured(model, "weight_hh_l0", 0.0),
                          lambda model: prune.remove(model, "weight_hh_l0"))):
        theirs, ours = twins(lstm(5, 4, dtype=dtype))
        ours(x)
        for model in theirs, ours:
            change(model)
        with warnings.catch_warnings(record=True) as caught, runs(0):
            warnings.simplefilter("always")
            for _ in range(2):
                assert_close(ours(x.to(theirs.weight_ih_l0.dtype)), theirs(x.to(theirs.weight_ih_l0.dtype)), rtol=0, atol=0)
        assert [str(warning.message) for warning in caught if "runs in PyTorch for now" in str(warning.message)], caught
        assert len(caught) == 1, [str(warning.message) for warning in caught]
        assert_close(copy.deepcopy(ours).state_dict(), theirs.state_dict())
        for model in theirs, ours:
            back(model)
        with runs(1):
            assert_close(ours(x), theirs(x))
    theirs, ours = twins(lstm(5, 4, dtype=dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16), warnings.catch_warnings(record=True) as caught, runs(0):
        warnings.simplefilter("always")
        assert_close(ours(x), theirs(x), rtol=0, atol=0)
        assert len(caught) == 1 and "autocast" in str(caught[0].message)
    normed = wavelstm.torch.accelerate(parametrizations.weight_norm(ours, "weight_hh_l0"))
    raises(RuntimeError, "remove its parametrizations first", wavelstm.torch.restore, normed)


def graphs(dtype):
    """A model of PyTorch's, its twin, and an input, small enough to be compiled often."""
    yield (*twins(torch.nn.Sequential(lstm(5, 4, 2, bidirectional=True, dtype=dtype))), torch.randn(6, 3, 5, dtype=dtype))
    yield (*twins(torch.nn.Sequential(torch.nn.LSTMCell(5, 4, dtype=dtype))), torch.randn(3, 5, dtype=dtype))


@check("(own) accelerate: torch.jit, make_fx, torch.fx", "traced graphs run here, with gradients; scripts are refused")
def _(dtype):
    for theirs, ours, x in graphs(dtype):
        other = torch.randn(x.shape[0], *x.shape[1:], dtype=dtype)
        for grad in (False, True):
            with torch.set_grad_enabled(grad):
                traced = torch.jit.trace(ours, x)
                assert "wavelstm::lstm" in str(traced.inlined_graph)
                leaves = other.clone().requires_grad_(), other.clone().requires_grad_()
                results = traced(leaves[0]), theirs(leaves[1])
                assert_close(*results)
                if grad:
                    for result in results:
                        sum(part.square().sum() for part in flat(result)).backward()
                    assert_close(leaves[0].grad, leaves[1].grad)
                    assert_close(ours[0].weight_ih.grad if hasattr(ours[0], "weight_ih") else ours[0].weight_ih_l0.grad,
                                 theirs[0].weight_ih.grad if hasattr(theirs[0], "weight_ih") else theirs[0].weight_ih_l0.grad)
        for kind in "real", "fake", "symbolic":
            graph = make_fx(ours, tracing_mode=kind, _allow_non_fake_inputs=True)(x)
            assert "wavelstm" in graph.code
            with runs(1):
                assert_close(graph(other), theirs(other))
        with runs(1):
            assert_close(torch.fx.symbolic_trace(ours)(other), theirs(other))
        raises(RuntimeError, "torch.jit.script sees nothing of what wavelstm computes", torch.jit.script, ours)
        with torch.enable_grad():
            leaf = other.clone().requires_grad_()
            raises(RuntimeError, "first gradients only", torch.autograd.grad, flat(traced(leaf))[0].sum(), leaf, create_graph=True)


@check("(own) accelerate: torch.export, torch.compile", "whole graphs (fullgraph=True) run here, with dynamic shapes, gradients, autocast")
def _(dtype):
    for theirs, ours, x in graphs(dtype):
        batch = {x.dim() - 2: torch.export.Dim("batch", min=2, max=64)}
        other = torch.cat((x, x), x.dim() - 2)
        for strict in (False, True):
            program = torch.export.export(ours, (x,), strict=strict, dynamic_shapes=(batch,))
            assert "wavelstm" in str(program.graph)
            with runs(1):
                assert_close(program.module()(other), theirs(other))
        for backend in "eager", "aot_eager":
            torch.compiler.reset()
            compiled = torch.compile(ours, fullgraph=True, backend=backend, dynamic=True)
            with runs(2):
                assert_close(compiled(x), theirs(x))
                assert_close(compiled(other), theirs(other))
            for model in theirs, ours:
                next(model.parameters()).mul_(2)
            assert_close(compiled(x), theirs(x))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert_close(compiled(x), theirs(x))
            results = []
            for model in compiled, theirs:
                leaf = x.clone().requires_grad_()
                with torch.enable_grad():
                    flat(model(leaf))[0].square().sum().backward()
                results.append(leaf.grad)
            assert_close(*results)
    torch.compiler.reset()


@check("(own) accelerate: torch.func, subclasses", "gradients and functional_call as PyTorch's; what PyTorch refuses is refused")
def _(dtype):
    theirs, ours = twins(lstm(5, 4, dtype=dtype))
    x = torch.randn(6, 3, 5, dtype=dtype)
    twice = {name: parameter * 2 for name, parameter in ours.named_parameters()}
    with runs(1):
        assert_close(torch.func.functional_call(ours, twice, (x,)), torch.func.functional_call(theirs, twice, (x,)))
    with runs(0):
        assert_close(*(torch.func.grad(lambda y: model(y)[0].square().sum())(x) for model in (theirs, ours)))  # noqa: B023
        for transform in torch.vmap, lambda f: lambda y: torch.func.jvp(f, (y[0],), (y[0],)):
            results = [outcome(transform(lambda y: model(y)[0]), x[None]) for model in (theirs, ours)]  # noqa: B023
            assert results[0] == results[1] if isinstance(results[0], str) else torch.equal(flat(results[0])[0], flat(results[1])[0])

        class Named(torch.Tensor):
            pass

        assert_close(ours(x.as_subclass(Named))[0].as_subclass(torch.Tensor), theirs(x)[0])
    negated = torch.complex(x, x).conj().imag
    assert_close(ours(negated), theirs(-x))


@check("(own) accelerate: precision, threads", "as asked, of torch.set_num_threads, and from many threads at once")
def _(dtype):
    theirs, ours = twins(lstm(9, 17, 2, dtype=dtype))
    x = torch.randn(6, 3, 9, dtype=dtype)
    assert_close(ours(x), theirs(x))
    if dtype == torch.float32:
        for precision in "bf16", "int8":
            wavelstm.torch.accelerate(ours, precision)
            expected = wavelstm.LSTM.from_torch(theirs, precision=precision)(x)
            for threads in (None, 2):
                assert_close(wavelstm.torch.accelerate(ours, precision, threads)(x), expected, rtol=0, atol=0)
                assert_close(torch.jit.trace(ours, x)(x), expected, rtol=0, atol=0)
    wavelstm.torch.accelerate(ours)
    asked, before = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with mock.patch.object(torch, "get_num_threads", side_effect=lambda: asked.append(1)):
                ours(x)
        assert len(asked) == 2
    finally:
        torch.set_num_threads(before)


@check("(own) accelerate: training from threads, copies, forks", "many threads at once on one module, sizes that grow, another number of "
       "threads; copies and a forked process train alike")
def _(dtype):
    theirs, ours = twins(lstm(5, 24, 2, dtype=dtype))
    inputs = [torch.randn(length, batch, 5, dtype=dtype) for length, batch in ((3, 2), (9, 2), (4, 30), (9, 30), (1, 1))]

    def gradient(model, x):
        with torch.enable_grad():
            leaf = x.clone().requires_grad_()
            return torch.autograd.grad(model(leaf)[0].square().sum(), [leaf, *model.parameters()])

    expected = [gradient(theirs, x) for x in inputs]
    before = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for x, want in zip(inputs, expected):
                close_gradients(gradient(ours, x), want)
    finally:
        torch.set_num_threads(before)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found, want in zip(pool.map(lambda k: gradient(ours, inputs[k % 5]), range(40)), expected * 8):
            close_gradients(found, want)
    for twin in copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)):
        with learns(1, 1):
            close_gradients(gradient(twin, inputs[0]), expected[0])
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        code = 1
        with contextlib.suppress(Exception):
            close_gradients(gradient(ours, inputs[0]), expected[0])
            code = 0
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    close_gradients(gradient(ours, inputs[0]), expected[0])


@check("(own) accelerate: updates of one's own", "by writes that torch does not count between two steps: each forward with gradients sees them")
def _(dtype):
    for make, shape in ((torch.nn.LSTM, (4, 2, 40)), (torch.nn.LSTMCell, (2, 40))):
        for hidden_size in (8, 60):  # weights that are always compared, and those that are after a backward pass
            theirs, ours = twins(make(40, hidden_size, dtype=dtype))
            x = torch.randn(shape, dtype=dtype)
            for create_graph in (False, True, True, False):
                for model in theirs, ours:
                    with torch.enable_grad():
                        loss = flat(model(x))[0].square().sum()
                        found = torch.autograd.grad(loss, list(model.parameters()), create_graph=create_graph)
                    for parameter, gradient in zip(model.parameters(), found):
                        parameter.data -= 0.1 * gradient.detach()
            close_gradients(list(ours.parameters()), list(theirs.parameters()))


@check("(own) accelerate: training after inference_mode", "a forward with dropout in it, then steps; sizes unlike each other; a cell "
       "refuses packed rows in PyTorch's words")
def _(dtype):
    theirs, ours = twins(lstm(5, 8, 2, dropout=0.5, dtype=dtype))
    x = torch.randn(4, 3, 5, dtype=dtype)
    with torch.inference_mode():
        ours.train()(x)
    for model in theirs, ours:
        model.eval()
        for _ in range(2):
            with torch.enable_grad(), learns(1, 1) if model is ours else contextlib.nullcontext():
                model(x)[0].square().sum().backward()
            torch.optim.SGD(model.parameters(), 0.1).step()
    close_gradients(list(ours.parameters()), list(theirs.parameters()))
    for shape in (400, 1, 5), (2, 100, 5):
        with torch.enable_grad(), learns(1, 1):
            ours(torch.randn(shape, dtype=dtype))[0].sum().backward()
    assert max(learner.seq_len * learner.batch for learner in ours._wavelstm.trainers._learners) <= 4 * 400
    theirs, ours = twins(torch.nn.LSTMCell(5, 4, dtype=dtype))
    packed = torch.nn.utils.rnn.pack_sequence([torch.randn(2, 5, dtype=dtype)])
    for model in theirs, ours:
        with torch.enable_grad():
            raises((TypeError, AttributeError, RuntimeError), "", model, packed)


def train_of_two(rank, folder):
    """Three steps of a process of two on its rows, accelerated and not; both have the same parameters then."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2,
                                         timeout=datetime.timedelta(seconds=120))
    for dtype in DTYPES:
        torch.manual_seed(rank)  # the ranks' parameters differ until they are wrapped, and their rows do
        theirs, ours = twins(Net(dtype))
        x = torch.randn(3, 5, 8, dtype=dtype)
        for model in theirs, ours:
            parallel = torch.nn.parallel.DistributedDataParallel(model)
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            for _ in range(3):
                optimizer.zero_grad()
                with learns(11, 11) if model is ours else contextlib.nullcontext():
                    parallel(x).square().sum().backward()
                optimizer.step()
        close_gradients(list(ours.parameters()), list(theirs.parameters()))
        for parameter in ours.parameters():
            both = [torch.empty_like(parameter) for _ in range(2)]
            torch.distributed.all_gather(both, parameter.detach())
            assert torch.equal(*both)
    torch.distributed.barrier()
    os._exit(0)  # Gloo's end may wait for a thread of its own that waits for the GIL


@check("(own) accelerate: DistributedDataParallel", "two processes by Gloo, three steps: parameters as PyTorch's and alike in both")
def _(dtype):
    if dtype == torch.float32:  # and the other within
        with tempfile.TemporaryDirectory() as folder:
            torch.multiprocessing.spawn(train_of_two, (folder,), 2)
