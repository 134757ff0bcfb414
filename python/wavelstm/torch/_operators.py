"""torch.ops.wavelstm.lstm and lstm_cell: what tracing, exporting and compiling see of the library. Plain eager calls pass them
over. The gradients are operators of their own, which run the forward pass again. Where the library does not serve (dtypes), an
operator is PyTorch's implementation, and its gradients are that's."""
import torch

from . import _pytorch
from ._trainers import trainers_of_graph
from ._weights import Form, runner_of_graph, usable

_library = torch.library.Library("wavelstm", "DEF")

# weights are in the order of nn.LSTM's parameters; input is batched; an absent seed says that no dropout acts.
_LSTM = ("Tensor input, Tensor? h_0, Tensor? c_0, Tensor[] weights, bool bias, int num_layers, float dropout, Tensor? seed, "
         "bool bidirectional, bool batch_first, str precision, int threads")
_CELL = "Tensor input, Tensor? h, Tensor? c, Tensor[] weights, bool bias, str precision, int threads"


def _states(h, c):
    return None if h is None else (h, c)


def _ours(input, h, c, weights, form):
    return input.dtype == weights[0].dtype and usable(weights, form) is None and (h is None) == (c is None)


def _lstm(input, h_0, c_0, weights, bias, num_layers, dropout, seed, bidirectional, batch_first, precision, threads):
    form = Form(num_layers, bias, batch_first, bidirectional, precision or None, threads)
    if not _ours(input, h_0, c_0, weights, form):
        return _pytorch.lstm(input, h_0, c_0, weights, bias, num_layers, dropout, seed, bidirectional, batch_first)
    if seed is not None:
        return trainers_of_graph(form, dropout, weights).forward(int(seed), None, (input, h_0, c_0), weights).results
    runner = runner_of_graph(form, weights, input.shape[0] * input.shape[1])
    out, (h_n, c_n) = runner(input, _states(h_0, c_0))
    return out, h_n, c_n


def _cell(input, h, c, weights, bias, precision, threads):
    form = Form(0, bias, False, False, precision or None, threads)
    if not _ours(input, h, c, weights, form):
        return _pytorch.lstm_cell(input, h, c, weights)
    return runner_of_graph(form, weights, input.shape[0])(input, _states(h, c))


def _fake_lstm(input, h_0, c_0, weights, bias, num_layers, dropout, seed, bidirectional, batch_first, precision, threads):
    batch, blocks, width, hidden_size = _pytorch.sizes(input, weights, num_layers, bidirectional, batch_first)
    return (input.new_empty(*input.shape[:2], width * (2 if bidirectional else 1)), input.new_empty(blocks, batch, width),
            input.new_empty(blocks, batch, hidden_size))


def _fake_cell(input, h, c, weights, bias, precision, threads):
    shape = input.shape[0], weights[1].shape[1]
    return input.new_empty(shape), input.new_empty(shape)


# ------------------------------------------------------------------------------------------------------------- gradients

def _by_pytorch(implementation, results, input, h, c, weights, *others):
    """Gradients of input, h, c (empty where they are not there) and weights, from those of an implementation's results."""
    leaves = [None if tensor is None else tensor.detach().requires_grad_() for tensor in (input, h, c, *weights)]
    there = [leaf for leaf in leaves if leaf is not None]
    with torch.enable_grad():
        found = iter(torch.autograd.grad(implementation(*leaves[:3], leaves[3:], *others), there, results))
    return [None if leaf is None else next(found) for leaf in leaves]


def _here(form, dropout, seed, d_results, input, h, c, weights):
    """The same by a trainer."""
    inputs = input, h, c
    return trainers_of_graph(form, dropout, weights).backward(seed, None, inputs, weights, d_results,
                                                              [value is not None for value in (*inputs, *weights)])


def _filled(input, gradients):
    return [input.new_empty(0) if gradient is None else gradient.contiguous() for gradient in gradients]


def _lstm_backward(d_out, d_h, d_c, input, h_0, c_0, weights, bias, num_layers, dropout, seed, bidirectional, batch_first,
                   precision, threads):
    form, results = Form(num_layers, bias, batch_first, bidirectional, precision or None, threads), (d_out, d_h, d_c)
    if _ours(input, h_0, c_0, weights, form):
        found = _here(form, dropout, None if seed is None else int(seed), results, input, h_0, c_0, weights)
    else:
        found = _by_pytorch(_pytorch.lstm, results, input, h_0, c_0, weights, bias, num_layers, dropout, seed, bidirectional,
                            batch_first)
    return _filled(input, found)


def _cell_backward(d_h, d_c, input, h, c, weights, bias, precision, threads):
    form = Form(0, bias, False, False, precision or None, threads)
    if _ours(input, h, c, weights, form):
        return _filled(input, _here(form, 0.0, None, (d_h, d_c), input, h, c, weights))
    return _filled(input, _by_pytorch(_pytorch.lstm_cell, (d_h, d_c), input, h, c, weights))


def _fake_backward(*arguments):
    input, h, c, weights = next(arguments[k - 3:k + 1] for k, value in enumerate(arguments) if isinstance(value, (list, tuple)))
    return [input.new_empty(0 if tensor is None else tensor.shape) for tensor in (input, h, c, *weights)]


def _setup(ctx, inputs, output):
    tensors = {k: value for k, value in enumerate(inputs) if isinstance(value, torch.Tensor)}
    ctx.save_for_backward(*tensors.values(), *inputs[3])
    ctx.places = list(tensors)
    ctx.arguments = [None if k in tensors or k == 3 else value for k, value in enumerate(inputs)]


def _backward(operator):
    def backward(ctx, *results):
        if torch.is_grad_enabled():  # create_graph
            raise RuntimeError("wavelstm's operators have first gradients only; second ones are had outside of what is traced or "
                               "compiled")
        arguments, saved = list(ctx.arguments), list(ctx.saved_tensors)
        for place in ctx.places:
            arguments[place] = saved.pop(0)
        arguments[3] = saved
        d_input, d_h, d_c, *d_weights = operator(*results, *arguments)
        given = (d_input, None if arguments[1] is None else d_h, None if arguments[2] is None else d_c, d_weights)
        return (*given, *[None] * (len(arguments) - len(given)))
    return backward


# -------------------------------------------------------------------------------------------------------------- autocast

def _autocast_lstm(input, h_0, c_0, weights, *others):
    """On what autocast casts to, as PyTorch's implementation."""
    def cast(tensor):
        return tensor if tensor is None or tensor.dtype == torch.float64 else tensor.to(torch.get_autocast_dtype("cpu"))

    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)):
        return torch.ops.wavelstm.lstm(cast(input), cast(h_0), cast(c_0), list(map(cast, weights)), *others)


def _autocast_cell(input, h, c, weights, bias, precision, threads):
    """PyTorch's implementation, which casts within."""
    return _pytorch.lstm_cell(input, h, c, weights)


def _register(name, arguments, results, kernel, autocast, fake, backward, gradients):
    tags = (torch.Tag.pt2_compliant_tag,) if hasattr(torch.Tag, "pt2_compliant_tag") else ()
    _library.define(f"{name}({arguments}) -> ({results})", tags=tags)
    _library.define(f"{name}_backward({gradients}, {arguments}) -> Tensor[]", tags=tags)
    _library.impl(name, kernel, "CPU")
    _library.impl(f"{name}_backward", backward, "CPU")
    _library.impl(name, autocast, "AutocastCPU")
    torch.library.register_fake(f"wavelstm::{name}", fake, lib=_library)
    torch.library.register_fake(f"wavelstm::{name}_backward", _fake_backward, lib=_library)
    operator = getattr(torch.ops.wavelstm, f"{name}_backward").default
    torch.library.register_autograd(f"wavelstm::{name}", _backward(operator), setup_context=_setup, lib=_library)


_register("lstm", _LSTM, "Tensor, Tensor, Tensor", _lstm, _autocast_lstm, _fake_lstm, _lstm_backward,
          "Tensor d_out, Tensor d_h_n, Tensor d_c_n")
_register("lstm_cell", _CELL, "Tensor, Tensor", _cell, _autocast_cell, _fake_cell, _cell_backward, "Tensor d_h, Tensor d_c")
