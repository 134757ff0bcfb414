"""PyTorch's own checks of nn.LSTM and nn.LSTMCell, replayed through wavelstm.torch.accelerate, training too, for check_pytorch.py."""
import copy
import io
import itertools
import pickle
import re

import torch
from torch.nn.utils import parametrizations, parametrize, rnn
from torch.testing import assert_close
from torch.testing._internal.common_modules import ModuleErrorEnum

import wavelstm.torch
from accelerate_checks import close_gradients, layer_by_layer, learns, runs, twins
from pytorch_checks import MODULES, check, flat, lstm, raises, samples
from wavelstm.torch._modules import draw_seed

THROUGH = ", through accelerate"


def tensors(results):
    """All of nested tuples and PackedSequences."""
    return [part for part in flat(results) if isinstance(part, torch.Tensor)]


def leaf(value):
    """A copy whose floating parts require grad."""
    if isinstance(value, rnn.PackedSequence):
        return value._replace(data=leaf(value.data))
    if isinstance(value, (tuple, list)):
        return type(value)(map(leaf, value))
    return value.detach().clone().requires_grad_() if isinstance(value, torch.Tensor) and value.is_floating_point() else value


def gradients(module, *arguments):
    """Of a loss of all results, for the arguments and the parameters."""
    with torch.enable_grad():
        arguments = [leaf(argument) for argument in arguments]
        results = [part for part in tensors(module(*arguments)) if part.is_floating_point()]
        weights = [torch.linspace(-1, 1, max(part.numel(), 1), dtype=part.dtype)[:part.numel()].view(part.shape) for part in results]
        wanted = [part for part in [*tensors(arguments), *module.parameters()] if part.requires_grad]
        return torch.autograd.grad([(part * weight).sum() for part, weight in zip(results, weights)], wanted, allow_unused=True)


def same(module, *arguments):
    """That the module and its accelerated copy agree: run here, in eval and train mode, then with gradients. The copy."""
    theirs, ours = twins(module)
    with runs(1):
        assert_close(tensors(ours(*arguments)), tensors(theirs(*arguments)))
    drops = getattr(module, "dropout", 0) not in (0, 1)  # by another generator than PyTorch's
    for training in (False,) if drops else (False, True):
        with runs(0), learns(1, 1):
            close_gradients(*([part for part in gradients(model, *arguments) if part is not None]
                              for model in (ours.train(training), theirs.train(training))))
    theirs.eval()
    return ours.eval()


def modules(dtype, **keywords):
    for cls, constructor, forward, reference in samples(dtype, **keywords):
        yield cls(*constructor.args, **constructor.kwargs).to(dtype).eval(), forward.args, reference


@check("TestModule.test_forward" + THROUGH, "all module inputs: equal to torch's module and to the inputs' reference function")
def _(dtype):
    for module, arguments, reference in modules(dtype):
        assert_close(same(module, *arguments)(*arguments), reference(module, *arguments))


@check("TestModule.test_grad, test_gradgrad" + THROUGH, "gradcheck and gradgradcheck of inputs, states and parameters (float64)")
def _(dtype):
    if dtype != torch.float64:
        return
    for module, arguments, _ in list(modules(dtype))[::6]:
        ours = wavelstm.torch.accelerate(module)
        names = [name for name, _ in ours.named_parameters()]

        def call(x, *parameters):
            return tuple(tensors(torch.func.functional_call(ours, dict(zip(names, parameters)), (x,))))  # noqa: B023

        with torch.enable_grad():
            inputs = [leaf(arguments[0]), *map(leaf, ours.parameters())]
            with runs(0), learns(None, None):
                assert torch.autograd.gradcheck(call, inputs, fast_mode=True)
            assert torch.autograd.gradgradcheck(call, inputs, fast_mode=True)


@check("TestModule.test_if_train_and_eval_modes_differ, test_to, test_pickle, test_save_load" + THROUGH,
       "alike in both modes; to the other dtype and back; pickled, copied, saved and loaded: the same results")
def _(dtype):
    other = torch.float32 if dtype == torch.float64 else torch.float64
    for module, arguments, _ in modules(dtype):
        ours = wavelstm.torch.accelerate(module)
        expected = ours(*arguments)
        assert_close(ours.train()(*arguments), expected, rtol=0, atol=0)
        ours.eval()
        converted = [tuple(map(lambda t: t.to(other), a)) if isinstance(a, tuple) else a.to(other) for a in arguments]
        twin = copy.deepcopy(ours).to(other)
        with runs(1):
            assert all(part.dtype == other for part in flat(twin(*converted)))
        assert_close(flat(twin(*converted)), [part.to(other) for part in flat(expected)], rtol=1e-4, atol=1e-5)
        file = io.BytesIO()
        torch.save(ours, file)
        file.seek(0)
        for twin in pickle.loads(pickle.dumps(ours)), copy.deepcopy(ours), copy.copy(ours), torch.load(file, weights_only=False):
            with runs(1):
                assert_close(twin(*arguments), expected, rtol=0, atol=0)
        file = io.BytesIO()
        torch.save(ours.state_dict(), file)
        file.seek(0)
        for parameter in twin.parameters():
            parameter.zero_()
        twin.load_state_dict(torch.load(file))
        assert_close(twin(*arguments), expected, rtol=0, atol=0)


@check("TestModule.test_errors" + THROUGH, "all error inputs of forward: exception type and message")
def _(dtype):
    for cls, info in MODULES.items():
        for error in info.module_error_inputs_func(info, device="cpu", dtype=dtype, requires_grad=False, training=False):
            sample = error.module_error_input
            if error.error_on != ModuleErrorEnum.CONSTRUCTION_ERROR:
                module = cls(*sample.constructor_input.args, **{"dtype": dtype, **sample.constructor_input.kwargs})
                raises(error.error_type, error.error_regex, wavelstm.torch.accelerate(module), *sample.forward_input.args)


@check("TestModule.test_non_contiguous_tensors, test_repr" + THROUGH, "inputs and states with gaps, gradients too; repr is torch's")
def _(dtype):
    def spread(tensor):
        return torch.stack((torch.zeros_like(tensor), tensor), -1)[..., 1]

    for module, arguments, _ in modules(dtype):
        assert repr(same(module, *(tuple(map(spread, a)) if isinstance(a, tuple) else spread(a) for a in arguments))) == repr(module)


@check("TestNN.test_LSTM_cell, test_LSTM_cell_forward_input_size, test_LSTM_cell_forward_hidden_size, test_RNN_cell_no_broadcasting"
       + THROUGH, "six steps with gradients; sizes that do not fit: errors")
def _(dtype):
    for bias in (True, False):
        cell = torch.nn.LSTMCell(10, 20, bias=bias, dtype=dtype)
        x, states = torch.randn(3, 10, dtype=dtype), (torch.randn(3, 20, dtype=dtype), torch.randn(3, 20, dtype=dtype))
        for _ in range(6):
            states = same(cell, x, states)(x, states)
    cell, good = wavelstm.torch.accelerate(cell), states[0]
    raises(RuntimeError, "", cell, torch.randn(3, 11, dtype=dtype), states)
    for bad in (torch.randn(3, 21, dtype=dtype), torch.randn(1, 20, dtype=dtype), torch.randn(3, 1, dtype=dtype)):
        raises(RuntimeError, "", cell, x, (bad, good))
        raises(RuntimeError, "", cell, x, (good, bad))


@check("TestNN.test_rnn_args_check, test_projections_lstm_args_check, test_rnn_check_device, test_projections_lstm_check_device" + THROUGH,
       "each size of input and states wrong in turn, another device: errors")
def _(dtype):
    for proj_size in (0, 2):
        module = wavelstm.torch.accelerate(torch.nn.LSTM(3, 5, 2, proj_size=proj_size, dtype=dtype))
        x, h, c = (torch.randn(shape, dtype=dtype) for shape in ((6, 4, 3), (2, 4, proj_size or 5), (2, 4, 5)))
        module(x, (h, c))
        for dim in range(3):
            for size in (7, 1):
                wrong = [torch.randn(*t.shape[:dim], size, *t.shape[dim + 1:], dtype=dtype) for t in (x, h, c)]
                if dim:
                    raises(RuntimeError, "Expected hidden|input.size", module, wrong[0], (h, c))
                raises(RuntimeError, r"Expected hidden\[0\] size", module, x, (wrong[1], c))
                raises(RuntimeError, r"Expected hidden\[1\] size", module, x, (h, wrong[2]))
        for arguments in ((x.to("meta"), (h, c)), (x, (h.to("meta"), c)), (x, (h, c.to("meta")))):
            raises(RuntimeError, "", module, *arguments)


@check("TestNN.test_rnn_initial_hidden_state, test_projections_lstm_initial_hidden_state" + THROUGH, "no states are states of zeros")
def _(dtype):
    for bidirectional, proj_size in itertools.product((False, True), (0, 10)):
        module, x = lstm(30, 20, 2, bidirectional=bidirectional, proj_size=proj_size, dtype=dtype), torch.randn(10, 32, 30, dtype=dtype)
        blocks = 4 if bidirectional else 2
        zeros = (torch.zeros(blocks, 32, proj_size or 20, dtype=dtype), torch.zeros(blocks, 32, 20, dtype=dtype))
        ours = same(module, x, zeros)
        assert_close(ours(x), ours(x, zeros), rtol=0, atol=0)


def cpu_vs(dtype, proj_size, dropout=0.0):
    """The option sets of _test_RNN_cpu_vs_cudnn, training too."""
    for bias, bidirectional, batch_first, contiguous, ragged, with_states in itertools.product((True, False), repeat=6):
        module = lstm(10, 6, 2, bias=bias, bidirectional=bidirectional, batch_first=batch_first, proj_size=proj_size, dropout=dropout,
                      dtype=dtype)
        x = torch.randn(6, 7, 10, dtype=dtype) if batch_first else torch.randn(7, 6, 10, dtype=dtype)
        x = x if contiguous else torch.stack((x, x), -1)[..., 1]
        blocks = 4 if bidirectional else 2
        states = ((torch.randn(blocks, 6, proj_size or 6, dtype=dtype), torch.randn(blocks, 6, 6, dtype=dtype)),) if with_states else ()
        if ragged:
            x = rnn.pack_padded_sequence(x, torch.tensor([7, 5, 5, 2, 1, 1]), batch_first=batch_first)
        same(module, x, *states)


@check("TestNN.test_RNN_cpu_vs_cudnn_no_dropout, test_RNN_cpu_vs_cudnn_with_dropout" + THROUGH,
       "192 option sets, packed too: results and gradients; dropout of 1, too")
def _(dtype):
    cpu_vs(dtype, 0)
    cpu_vs(dtype, 3)
    cpu_vs(dtype, 0, dropout=1.0)


@check("TestNN.test_RNN_dropout, test_RNN_change_dropout, test_RNN_dropout_state" + THROUGH,
       "p = 0, 0.1234 and 1 in train and eval mode; changed later; pickled; from the same state of the generator the same mask")
def _(dtype):
    for p, training in itertools.product((0, 0.1234, 1), (True, False)):
        theirs, ours = twins(torch.nn.LSTM(4, 30, 2, dtype=dtype).train(training))
        theirs.dropout = ours.dropout = p
        x, results = torch.randn(3, 2, 4, dtype=dtype), []
        for model in ours, pickle.loads(pickle.dumps(ours)):
            torch.manual_seed(1)
            results.append(model(x))
            again = model(x)
            assert torch.equal(results[-1][0], again[0]) == (not training or p in (0, 1))
        assert_close(results[1], results[0], rtol=0, atol=0)
        torch.manual_seed(1)
        expected = layer_by_layer(theirs, x, int(draw_seed())) if training and p else theirs(x)
        assert_close(results[0][0], expected[0])


@check("TestNN.test_cudnn_forward_exception, test_error_RNN_seq_len_zero, test_RNN_input_size_zero" + THROUGH,
       "wrong states and inputs, seq_len 0: errors; batch 0: empty results")
def _(dtype):
    for proj_size, bidirectional in itertools.product((0, 10), (False, True)):
        module = wavelstm.torch.accelerate(torch.nn.LSTM(10, 20, batch_first=True, proj_size=proj_size, bidirectional=bidirectional,
                                                         dtype=dtype))
        wrong = torch.zeros(1, 2, 19, dtype=dtype)
        raises(RuntimeError, "Expected hidden.*size.*got", module, torch.randn(2, 3, 10, dtype=dtype), (wrong, wrong))
        raises(RuntimeError, re.escape("input.size(-1) must be equal to input_size"), module, torch.randn(2, 3, 3, dtype=dtype))
        raises(RuntimeError, "Expected sequence length to be larger than 0 in RNN", module, torch.ones(2, 0, 10, dtype=dtype))
    theirs, ours = twins(lstm(3, 4, dtype=dtype))
    assert_close(ours(torch.zeros(5, 0, 3, dtype=dtype)), theirs(torch.zeros(5, 0, 3, dtype=dtype)))


@check("TestNN.test_rnn_weight_norm, test_RNN_cudnn_weight_norm, test_cudnn_weight_tying, test_partial_flat_weights" + THROUGH,
       "weight_norm put on and taken off, one bias for both directions with a training step, a parameter taken out and put back")
def _(dtype):
    x = torch.randn(7, 6, 10, dtype=dtype)
    for proj_size, name in ((0, "weight_hh_l0"), (3, "weight_hr_l0")):
        module = lstm(10, 6, 2, proj_size=proj_size, dtype=dtype)
        expected, ours = module(x), wavelstm.torch.accelerate(copy.deepcopy(module))
        parametrizations.weight_norm(ours, name)
        assert_close(ours(x), expected)
        parametrize.remove_parametrizations(ours, name)
        with runs(1):
            assert_close(ours(x), expected)
        tied = lstm(10, 6, bidirectional=True, proj_size=proj_size, dtype=dtype)
        tied.bias_ih_l0_reverse = tied.bias_ih_l0
        theirs, ours = twins(tied)
        assert ours.bias_ih_l0_reverse is ours.bias_ih_l0
        for model in theirs, ours:
            optimizer = torch.optim.SGD(model.parameters(), 0.1)
            with torch.enable_grad():
                model(x)[0].sum().backward()
            optimizer.step()
        with runs(1):
            assert_close(ours(x), theirs(x))
    theirs, ours = twins(lstm(10, 6, dtype=dtype))
    for model in theirs, ours:
        weight = model.weight_hh_l0
        del model.weight_hh_l0
        model.to(dtype)
        model.weight_hh_l0 = weight
    with runs(1):
        assert_close(ours(x), theirs(x))


@check("TestNNDeviceType.test_variable_sequence, PackedSequenceTest.test_pack_sequence" + THROUGH,
       "packed rows, sorted or not, against each row alone: out, lengths, states, gradients")
def _(dtype):
    lengths = [2, 10, 6, 10, 2, 1, 1]
    for batch_first, bidirectional in itertools.product((False, True), repeat=2):
        module = lstm(3, 4, 2, bidirectional=bidirectional, batch_first=batch_first, dtype=dtype)
        rows = [torch.randn(length, 3, dtype=dtype) for length in lengths]
        packed = rnn.pack_sequence(rows, enforce_sorted=False)
        ours = same(module, packed)
        out, states = ours(packed)
        assert torch.equal(out.batch_sizes, packed.batch_sizes) and torch.equal(out.sorted_indices, packed.sorted_indices)
        for row, part in enumerate(rnn.unpack_sequence(out)):
            alone, last = ours(rows[row])
            assert_close(part, alone)
            assert_close(tuple(state[:, row] for state in states), last)


@check("TestNNDeviceType.test_rnn_retain_variables, test_lstmcell_backward_only_one_output_grad, "
       "TestAutograd.test_LSTM_grad_and_gradgrad, test_rnn_backward_to_input_but_not_parameters" + THROUGH,
       "a second backward, of one output alone, of second gradients, of the input alone")
def _(dtype):
    module = wavelstm.torch.accelerate(torch.nn.LSTM(10, 20, 2, dtype=dtype))
    cell = wavelstm.torch.accelerate(torch.nn.LSTMCell(2, 3, dtype=dtype))
    with torch.enable_grad():
        x = torch.randn(5, 6, 10, dtype=dtype, requires_grad=True)
        with learns(1, 1):
            loss = module(x)[0].sum()
            loss.backward(retain_graph=True)
        first = [parameter.grad.clone() for parameter in (x, *module.parameters())]
        for _ in range(2):
            for parameter in (x, *module.parameters()):
                parameter.grad.zero_()
            loss.backward(retain_graph=True)
            assert_close([parameter.grad for parameter in (x, *module.parameters())], first)
        for k in (0, 1):
            s = torch.randn(1, 2, dtype=dtype, requires_grad=True)
            cell(s)[k].sum().backward()
            assert s.grad.abs().sum() > 0
        small = wavelstm.torch.accelerate(torch.nn.LSTM(2, 3, dtype=dtype))
        for parameter in small.parameters():
            parameter.requires_grad = False
        s = torch.randn(1, 1, 2, dtype=dtype, requires_grad=True)
        gradient, = torch.autograd.grad(small(s)[0].sum(), s, create_graph=True)
        gradient.sum().backward()
        assert s.grad.abs().sum() > 0
        with runs(1):  # nothing requires grad
            small(s.detach())


@check("TestMkldnn.test_lstm" + THROUGH, "128 option sets, results and gradients; bfloat16 by PyTorch")
def _(dtype):
    for i, h, layers, bidirectional, bias, batch_first, seq_len in itertools.product((1, 5), (5, 16), (1, 3), (False, True), (False, True),
                                                                                     (False, True), (1, 3)):
        module = lstm(i, h, layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first, dropout=0.4 if layers > 1 else 0,
                      dtype=dtype)
        x = torch.randn((2, seq_len, i) if batch_first else (seq_len, 2, i), dtype=dtype)
        states = (torch.randn(layers * (1 + bidirectional), 2, h, dtype=dtype),) * 2
        same(module, x, states)
    theirs, ours = twins(lstm(5, 4, dtype=torch.bfloat16))
    x = torch.randn(3, 2, 5, dtype=torch.bfloat16)
    assert_close(ours(x), theirs(x), rtol=0, atol=0)


@check("TestLoadStateDict.test_load_state_dict" + THROUGH, "missing, unexpected and misshapen entries: RuntimeError; strict=False")
def _(dtype):
    theirs, ours = twins(lstm(4, 3, dtype=dtype))
    state, x = {name: value * 2 for name, value in theirs.state_dict().items()}, torch.randn(5, 2, 4, dtype=dtype)
    for bad in ({**state, "extra": torch.zeros(1)}, {k: v for k, v in state.items() if k != "weight_hh_l0"}):
        raises(RuntimeError, "extra|weight_hh_l0", ours.load_state_dict, bad)
        ours.load_state_dict(bad, strict=False)
    raises(RuntimeError, "weight_ih_l0", ours.load_state_dict, {**state, "weight_ih_l0": torch.zeros(12, 5)})
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    with runs(1):
        assert_close(ours(x), theirs(x))
