#!/usr/bin/env python3
"""PyTorch's own checks of nn.LSTM and nn.LSTMCell, replayed on wavelstm.LSTM and wavelstm.LSTMCell, and on PyTorch's modules through
wavelstm.torch.accelerate.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/golden/check_pytorch.py [--doc FILE] [NAME ...]

The inputs and expected errors of TestModule are those that torch.testing._internal.common_modules ships. PyTorch's test files
are not in its wheel, so what they assert is written anew, each check under the name of the test it stands for: about inference here,
of accelerated modules, training too, in replayed_checks.py; own_checks.py and accelerate_checks.py have those of what only this
package promises. One line a check; exit status 1 if any failed. NAMEs run those
alone. --doc writes the list between its two marker lines. Needs torch, numpy, safetensors and expecttest.
"""
import argparse
import copy
import functools
import itertools
import pathlib
import pickle
import re
import sys
import tempfile
import warnings

import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils import rnn
from torch.testing import assert_close
from torch.testing._internal.common_modules import ModuleErrorEnum

import accelerate_checks  # noqa: F401  which adds its own to CHECKS
import own_checks  # noqa: F401
import replayed_checks  # noqa: F401
import wavelstm
from pytorch_checks import CHECKS, DTYPES, MODULES, agree, arrays, check, flat, lstm, ours, raises, samples


def resized(shape, dim, size):
    return (*shape[:dim], size, *shape[dim + 1:])


def noncontiguous(tensor):
    return torch.stack((torch.zeros_like(tensor), tensor), -1)[..., 1]


# --------------------------------------------------------------------------------------------------- test/test_modules.py

@check("TestModule.test_forward", "all module inputs: equal to torch's module and to the inputs' reference function")
def _(dtype):
    count = 0
    for cls, constructor, forward, reference in samples(dtype):
        module = cls(*constructor.args, **constructor.kwargs).to(dtype).eval()
        actual = agree(module, *forward.args)
        mine = ours(module)
        mine.parameters = module.parameters  # which the reference functions are handed, and do not use
        assert_close(actual, reference(mine, *forward.args))
        count += 1
    assert count >= 34, count


@check("TestModule.test_factory_kwargs", "device and dtype as constructor arguments")
def _(dtype):
    for cls, constructor, forward, _ in samples(dtype):
        module = getattr(wavelstm, cls.__name__)(*constructor.args, **constructor.kwargs, device="cpu", dtype=dtype)
        names = dict(cls(*constructor.args, **constructor.kwargs).named_parameters())
        state = module.state_dict()
        assert {n: tuple(p.shape) for n, p in names.items()} == {n: a.shape for n, a in state.items()}
        assert list(names) == list(state) and {str(a.dtype) for a in state.values()} == {str(dtype)[6:]}
        assert all(result.dtype == dtype for result in flat(module(*forward.args)))


@check("TestModule.test_errors", "all error inputs: exception type and message, at construction and in forward")
def _(dtype):
    count = 0
    for cls, info in MODULES.items():
        for error in info.module_error_inputs_func(info, device="cpu", dtype=dtype, requires_grad=False, training=False):
            sample = error.module_error_input
            keywords = {"dtype": dtype, **sample.constructor_input.kwargs}
            make = functools.partial(getattr(wavelstm, cls.__name__), *sample.constructor_input.args, **keywords)
            if error.error_on == ModuleErrorEnum.CONSTRUCTION_ERROR:
                raises(error.error_type, error.error_regex, make)
            else:
                raises(error.error_type, error.error_regex, make(), *sample.forward_input.args)
                regex = error.error_regex.replace(r"input\.to", r"input\.astype")
                raises(error.error_type, regex, make(), *map(arrays, sample.forward_input.args))
            count += 1
    assert count >= 18, count


@check("TestModule.test_non_contiguous_tensors", "inputs and states with gaps: the same results")
def _(dtype):
    for cls, constructor, forward, _ in samples(dtype):
        module = ours(cls(*constructor.args, **constructor.kwargs).to(dtype))
        spread = [tuple(map(noncontiguous, a)) if isinstance(a, tuple) else noncontiguous(a) for a in forward.args]
        assert not flat(spread)[0].is_contiguous()
        assert_close(module(*spread), module(*forward.args), rtol=0, atol=0)


@check("TestModule.test_save_load", "through export and load, load_state_dict, safetensors.torch: the same results")
def _(dtype):
    for cls, constructor, forward, _ in samples(dtype):
        module = cls(*constructor.args, **constructor.kwargs).to(dtype).eval()
        expected = ours(module)(*forward.args)
        mine = getattr(wavelstm, cls.__name__)
        batch_first = {"batch_first": module.batch_first} if cls is torch.nn.LSTM else {}
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "a"
            wavelstm.export(module, path, "m.")
            assert_close({f"m.{n}": p for n, p in module.state_dict().items()}, load_file(path), rtol=0, atol=0)
            assert_close(mine.load(path, "m.", **batch_first)(*forward.args), expected, rtol=0, atol=0)
            save_file(module.state_dict(), path)
            assert_close(mine.load(path, **batch_first)(*forward.args), expected, rtol=0, atol=0)
        twin = mine(*constructor.args, **constructor.kwargs, dtype=dtype)
        twin.load_state_dict(module.state_dict())
        assert_close(twin(*forward.args), expected, rtol=0, atol=0)


@check("TestModule.test_pickle", "a pickled and a deep-copied module: the same results")
def _(dtype):
    for cls, constructor, forward, _ in samples(dtype):
        module = ours(cls(*constructor.args, **constructor.kwargs).to(dtype))
        for twin in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
            assert_close(twin(*forward.args), module(*forward.args), rtol=0, atol=0)


@check("TestModule.test_repr", "repr is torch's")
def _(dtype):
    for cls, constructor, _, _ in samples(dtype):
        module = cls(*constructor.args, **constructor.kwargs).to(dtype)
        assert repr(ours(module)) == repr(module), repr(ours(module))


# ------------------------------------------------------------------------------------------------------- test/test_nn.py

@check("TestNN.test_LSTM_cell", "six steps, with and without bias")
def _(dtype):
    for bias in (True, False):
        cell = torch.nn.LSTMCell(10, 20, bias=bias, dtype=dtype)
        x, states = torch.randn(3, 10, dtype=dtype), (torch.randn(3, 20, dtype=dtype), torch.randn(3, 20, dtype=dtype))
        for _ in range(6):
            states = agree(cell, x, states)
        agree(cell, x)


@check("TestNN.test_LSTM_cell_forward_input_size", "11 features for 10: an error")
def _(dtype):
    h = torch.randn(3, 20, dtype=dtype)
    raises(RuntimeError, "got 11 expected 10", wavelstm.LSTMCell(10, 20, dtype=dtype), torch.randn(3, 11, dtype=dtype), (h, h))


@check("TestNN.test_LSTM_cell_forward_hidden_size", "h, then c, of 21 units for 20: an error")
def _(dtype):
    cell, x = wavelstm.LSTMCell(10, 20, dtype=dtype), torch.randn(3, 10, dtype=dtype)
    wrong, right = torch.randn(3, 21, dtype=dtype), torch.randn(3, 20, dtype=dtype)
    raises(RuntimeError, "hidden0 .*got 21, expected 20", cell, x, (wrong, right))
    raises(RuntimeError, "hidden1 .*got 21, expected 20", cell, x, (right, wrong))


@check("TestNN.test_RNN_cell_no_broadcasting", "sizes of 1 in h, c and the input are errors, not broadcast")
def _(dtype):
    cell, x, good = wavelstm.LSTMCell(10, 20, dtype=dtype), torch.randn(3, 10, dtype=dtype), torch.randn(3, 20, dtype=dtype)
    for bad in (torch.randn(1, 20, dtype=dtype), torch.randn(3, 1, dtype=dtype)):
        raises(RuntimeError, "", cell, x, (bad, good))
        raises(RuntimeError, "", cell, x, (good, bad))
    raises(RuntimeError, "", cell, torch.randn(3, 1, dtype=dtype), (good, good))


def args_check(dtype, proj_size):
    """Each size of the input and of each state wrong in turn."""
    module = wavelstm.LSTM(3, 5, 2, proj_size=proj_size, dtype=dtype)
    x, h, c = (6, 4, 3), (2, 4, proj_size or 5), (2, 4, 5)

    def call(*shapes):
        x, h, c = (torch.randn(shape, dtype=dtype) for shape in shapes)
        return module(x, (h, c))

    call(x, h, c)
    raises(RuntimeError, "Expected hidden", call, resized(x, 1, 7), h, c)
    raises(RuntimeError, "input.size", call, resized(x, 2, 7), h, c)
    for dim in range(3):
        for size in (7, 1) if proj_size == 0 else (7, 1, 5 if dim != 2 else 3):
            raises(RuntimeError, r"Expected hidden\[0\] size", call, x, resized(h, dim, size), c)
            raises(RuntimeError, r"Expected hidden\[1\] size", call, x, h, resized(c, dim, size if size != 5 else 6))
            raises(RuntimeError, r"Expected hidden\[0\] size", call, x, resized(h, dim, size), resized(c, dim, size))


@check("TestNN.test_rnn_args_check", "wrong batch, input, layer and hidden sizes: errors")
def _(dtype):
    args_check(dtype, 0)


@check("TestNN.test_projections_lstm_args_check", "the same with proj_size")
def _(dtype):
    args_check(dtype, 2)


def check_device(dtype, proj_size):
    module, x = wavelstm.LSTM(3, 5, 2, proj_size=proj_size, dtype=dtype), torch.randn(6, 4, 3, dtype=dtype)
    h, c = torch.randn(2, 4, proj_size or 5, dtype=dtype), torch.randn(2, 4, 5, dtype=dtype)
    raises(RuntimeError, "Input and parameter tensors are not at the same device", module, x.to("meta"))
    for states in ((h.to("meta"), c.to("meta")), (h, c.to("meta")), (h.to("meta"), c)):
        raises(RuntimeError, "Input and hidden tensors are not at the same device", module, x, states)


@check("TestNN.test_rnn_check_device", "tensors of another device (meta, for want of CUDA): errors")
def _(dtype):
    check_device(dtype, 0)


@check("TestNN.test_projections_lstm_check_device", "the same with proj_size")
def _(dtype):
    check_device(dtype, 2)


@check("TestNN.test_rnn_initial_hidden_state", "no states are states of zeros, bit for bit")
def _(dtype):
    module, x, zeros = lstm(30, 20, 2, dtype=dtype), torch.randn(10, 32, 30, dtype=dtype), torch.zeros(2, 32, 20, dtype=dtype)
    assert_close(agree(module, x), agree(module, x, (zeros, zeros)), rtol=0, atol=0)


@check("TestNN.test_projections_lstm_initial_hidden_state", "the same with proj_size, one and two directions")
def _(dtype):
    for bidirectional in (False, True):
        module = lstm(30, 20, 2, bidirectional=bidirectional, proj_size=10, dtype=dtype)
        x, blocks = torch.randn(10, 32, 30, dtype=dtype), 4 if bidirectional else 2
        zeros = (torch.zeros(blocks, 32, 10, dtype=dtype), torch.zeros(blocks, 32, 20, dtype=dtype))
        assert_close(agree(module, x), agree(module, x, zeros), rtol=0, atol=0)


def cpu_vs(dtype, proj_size, dropout=0.0):
    """The 64 option sets of _test_RNN_cpu_vs_cudnn, with torch's CPU module in cuDNN's place."""
    for bias, bidirectional, batch_first, contiguous, ragged, as_tensor in itertools.product((True, False), repeat=6):
        module = lstm(10, 6, 2, bias=bias, bidirectional=bidirectional, batch_first=batch_first, proj_size=proj_size,
                      dropout=dropout, dtype=dtype)
        blocks = 4 if bidirectional else 2
        x = torch.randn(6, 7, 10, dtype=dtype) if batch_first else torch.randn(7, 6, 10, dtype=dtype)
        states = [torch.randn(blocks, 6, proj_size or 6, dtype=dtype), torch.randn(blocks, 6, 6, dtype=dtype)]
        if not contiguous:
            x, states = noncontiguous(x), list(map(noncontiguous, states))
        if ragged:
            lengths = [7, 5, 5, 2, 1, 1]
            padded = x
            x = rnn.pack_padded_sequence(x, torch.tensor(lengths) if as_tensor else lengths, batch_first=batch_first)
        actual = agree(module, x, tuple(states))
        if ragged:
            given = torch.tensor(lengths) if as_tensor else lengths
            out, after = ours(module)(padded, tuple(states), lengths=given)
            right, _ = rnn.pad_packed_sequence(actual[0], batch_first=batch_first)
            assert_close((out, after), (right, actual[1]), rtol=0, atol=0)


@check("TestNN.test_RNN_cpu_vs_cudnn_no_dropout",
       "bias, directions, batch_first, gaps, packed, without and with proj_size: 128 option sets, to torch on the CPU")
def _(dtype):
    cpu_vs(dtype, 0)
    cpu_vs(dtype, 3)


@check("TestNN.test_RNN_cpu_vs_cudnn_with_dropout", "dropout=1 in eval mode: the same 64")
def _(dtype):
    cpu_vs(dtype, 0, dropout=1.0)


@check("TestNN.test_RNN_dropout, test_RNN_change_dropout, test_RNN_dropout_state",
       "in eval mode dropout does nothing, pickled too")
def _(dtype):
    module, x = lstm(20, 30, 2, dtype=dtype), torch.randn(3, 2, 20, dtype=dtype)
    expected = ours(module)(x)
    for dropout in (0.0, 0.5, 0.1234, 1.0):
        module.dropout = dropout
        copy_of = ours(module)
        for twin in (copy_of, copy_of, pickle.loads(pickle.dumps(copy_of))):
            assert twin.dropout == dropout
            assert_close(twin(x), expected, rtol=0, atol=0)


@check("TestNN.test_cudnn_forward_exception", "messages of a wrong state and a wrong input, with and without proj_size")
def _(dtype):
    wrong = torch.zeros(1, 2, 19, dtype=dtype)
    for proj_size in (0, 10):
        module = wavelstm.LSTM(10, 20, batch_first=True, proj_size=proj_size, dtype=dtype)
        raises(RuntimeError, "Expected hidden.*size.*got", module, torch.randn(2, 3, 10, dtype=dtype), (wrong, wrong))
        raises(RuntimeError, re.escape("input.size(-1) must be equal to input_size"), module, torch.randn(2, 3, 3, dtype=dtype))


@check("TestNN.test_error_RNN_seq_len_zero", "seq_len 0: an error, one and two directions")
def _(dtype):
    for bidirectional in (True, False):
        module = wavelstm.LSTM(5, 6, bidirectional=bidirectional, dtype=dtype)
        raises(RuntimeError, "Expected sequence length to be larger than 0 in RNN", module, torch.ones(0, 10, 5, dtype=dtype))


@check("TestNN.test_RNN_input_size_zero", "batch 0: empty results of the right shapes")
def _(dtype):
    out, _ = agree(lstm(3, 4, dtype=dtype), torch.zeros(5, 0, 3, dtype=dtype))
    assert out.shape == (5, 0, 4)
    agree(lstm(3, 4, 2, bidirectional=True, proj_size=2, batch_first=True, dtype=dtype), torch.zeros(0, 5, 3, dtype=dtype))
    agree(torch.nn.LSTMCell(3, 4, dtype=dtype), torch.zeros(0, 3, dtype=dtype))


@check("TestNN.test_rnn_weight_norm, test_RNN_cudnn_weight_norm", "from_torch of a weight-normed module, and of one rid of it")
def _(dtype):
    for proj_size, name in ((0, "weight_hh_l0"), (3, "weight_hr_l0")):
        module, x = lstm(10, 6, 2, proj_size=proj_size, dtype=dtype), torch.randn(7, 6, 10, dtype=dtype)
        expected = module(x)
        normed = torch.nn.utils.parametrizations.weight_norm(module, name)
        assert_close(ours(normed)(x), expected)
        torch.nn.utils.parametrize.remove_parametrizations(module, name)
        assert_close(ours(module)(x), expected)


@check("TestNN.test_cudnn_weight_tying", "one bias tensor for both directions")
def _(dtype):
    for proj_size in (0, 10):
        module = lstm(10, 20, batch_first=True, bidirectional=True, proj_size=proj_size, dtype=dtype)
        module.bias_ih_l0_reverse = module.bias_ih_l0
        agree(module, torch.randn(5, 4, 10, dtype=dtype))


@check("TestNNDeviceType.test_variable_sequence", "packed rows against each row alone: out, lengths, states")
def _(dtype):
    lengths = [10, 10, 6, 2, 2, 1, 1]
    module, x = lstm(3, 4, 2, bidirectional=True, dtype=dtype), torch.randn(10, 7, 3, dtype=dtype)
    mine = ours(module)
    out, states = agree(module, rnn.pack_padded_sequence(x, lengths))
    unpacked, got = rnn.pad_packed_sequence(out)
    assert got.tolist() == lengths
    for row, length in enumerate(lengths):
        alone, last = mine(x[:length, row:row + 1])
        assert_close(unpacked[:length, row:row + 1], alone)
        assert not unpacked[length:, row].any()
        assert_close(tuple(state[:, row:row + 1] for state in states), last)


@check("TestLoadStateDict.test_load_state_dict", "missing, unexpected and misshapen entries: RuntimeError; strict=False")
def _(dtype):
    module = lstm(4, 3, dtype=dtype)
    mine, state = wavelstm.LSTM(4, 3, dtype=dtype), module.state_dict()
    for bad in ({**state, "extra": torch.zeros(1)}, {k: v for k, v in state.items() if k != "weight_hh_l0"}):
        raises(RuntimeError, "extra|weight_hh_l0", mine.load_state_dict, bad)
        mine.load_state_dict(bad, strict=False)
    raises(RuntimeError, "weight_ih_l0", mine.load_state_dict, {**state, "weight_ih_l0": torch.zeros(12, 5)})
    mine.load_state_dict({name: parameter.to(torch.bfloat16) for name, parameter in state.items()})  # converted, as copy_ does
    assert_close(torch.from_numpy(mine.state_dict()["bias_hh_l0"]), state["bias_hh_l0"].to(torch.bfloat16).to(dtype))


# -------------------------------------------------------------------------------- test/nn/test_packed_sequence.py, test_mkldnn.py

@check("PackedSequenceTest.test_pack_sequence, test_pack_padded_sequence",
       "enforce_sorted=False and True: order, batch_sizes, indices")
def _(dtype):
    for batch_first, bidirectional, with_states in itertools.product((False, True), repeat=3):
        module = lstm(5, 4, 2, batch_first=batch_first, bidirectional=bidirectional, dtype=dtype)
        rows = [torch.randn(length, 5, dtype=dtype) for length in (8, 10, 1, 2, 10, 4, 2)]
        blocks = 4 if bidirectional else 2
        states = ((torch.randn(blocks, 7, 4, dtype=dtype), torch.randn(blocks, 7, 4, dtype=dtype)),) if with_states else ()
        packed = rnn.pack_sequence(rows, enforce_sorted=False)
        out, _ = agree(module, packed, *states)
        assert torch.equal(out.batch_sizes, packed.batch_sizes) and torch.equal(out.sorted_indices, packed.sorted_indices)
        agree(module, rnn.pack_sequence(sorted(rows, key=len, reverse=True)), *states)


@check("PackedSequenceTest.test_total_length", "lengths= in an input longer than any row: zeros behind each")
def _(dtype):
    module, x = ours(lstm(5, 4, bidirectional=True, dtype=dtype)), torch.randn(14, 3, 5, dtype=dtype)
    short, states = module(x[:6], lengths=[2, 6, 3])
    long, states_too = module(x, lengths=[2, 6, 3])
    assert_close((long[:6], states_too), (short, states))
    assert not long[6:].any()


@check("TestMkldnn.test_lstm", "sizes, layers, directions, bias, batch_first, dropout in eval mode: 256 option sets")
def _(dtype):
    options = itertools.product((1, 5), (5, 16), (1, 3), (False, True), (False, True), (False, True), (1, 2), (1, 3))
    for count, (i, h, layers, bidirectional, bias, batch_first, batch, seq_len) in enumerate(options):
        module = lstm(i, h, layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first,
                      dropout=(0, 0.4, 0.7, 1)[count % 4] if layers > 1 else 0, dtype=dtype)
        x = torch.randn((batch, seq_len, i) if batch_first else (seq_len, batch, i), dtype=dtype)
        blocks = layers * (2 if bidirectional else 1)
        agree(module, x, (torch.randn(blocks, batch, h, dtype=dtype), torch.randn(blocks, batch, h, dtype=dtype)))


# --------------------------------------------------------------------------------------------------------------- the run

NOT_APPLICABLE = [
    ("TestModule.test_cpu_gpu_parity, test_multiple_device_transfer, test_to_empty, test_device_ctx_init",
     "one device, the CPU"),
    ("TestModule.test_memory_format, test_check_inplace", "4-D and 5-D layouts; no inplace argument"),
    ("TestNN.test_projections_errors_on_gru_and_rnn", "nn.GRU and nn.RNN"),
    ("TestNN.test_cudnn_weight_format, test_cudnn_rnn_dropout_states_device", "cuDNN's flat weights and dropout"),
    ("TestNNDeviceType.test_rnn_fused", "CUDA"),
    ("PackedSequenceTest, the others", "packing, padding and casts, done by torch itself"),
    ("quantized, ONNX and vmap tests of LSTM", "other engines and transforms"),
]


def run(function):
    """None, or why the check failed. The seed is the same for each, so that one run alone is what it was among all."""
    for dtype in DTYPES:
        torch.manual_seed(8)
        try:
            with torch.no_grad():
                function(dtype)
        except Exception as reason:  # noqa: BLE001  whatever it is, the check failed and the others go on
            return f"{dtype}: {type(reason).__name__}: {reason}"
    return None


def table(results):
    rows = ["| PyTorch's test | what is checked here | result |", "|---|---|---|"]
    rows += [f"| {upstream} | {what} | {'FAILED' if reason else 'passed'} |" for upstream, what, reason in results]
    rows += [f"| {upstream} | {why} | not applicable |" for upstream, why in NOT_APPLICABLE]
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--doc", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="LSTM with projections")  # only says which code PyTorch takes
    warnings.filterwarnings("ignore", message="dropout option adds dropout")
    results = []
    for upstream, what, function in sorted(CHECKS, key=lambda one: one[0].startswith("(own)")):  # PyTorch's first
        if arguments.names and not any(name in upstream for name in arguments.names):
            continue
        reason = run(function)
        results.append((upstream, what, reason))
        print(f"FAIL  {upstream}: {reason}" if reason else f"ok    {upstream}")
    failed = sum(reason is not None for _, _, reason in results)
    if not arguments.names:
        for upstream, why in NOT_APPLICABLE:
            print(f"n/a   {upstream}: {why}")
    own = sum(upstream.startswith("(own)") for upstream, _, _ in results)
    summary = (f"{len(results) - failed} of {len(results)} checks passed ({len(results) - own} of PyTorch's, {own} of our own); "
               f"{len(NOT_APPLICABLE)} groups of tests do not apply. PyTorch {torch.__version__.split('+')[0]}, float32 and "
               "float64.")
    print(summary)
    if arguments.doc and not arguments.names:
        text = arguments.doc.read_text()
        begin, end = "<!-- tests/golden/check_pytorch.py writes from here -->\n", "<!-- to here -->"
        before, after = text.split(begin)[0], text.split(end)[1]
        arguments.doc.write_text(f"{before}{begin}{summary}\n\n{table(results)}\n{end}{after}")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
