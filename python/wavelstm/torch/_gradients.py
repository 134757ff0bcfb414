"""Results with gradients by the library's trainers: what an accelerated module runs by where something requires grad, or dropout
acts. PyTorch's implementation finds gradients of gradients."""
import torch

from torch.autograd import forward_ad

from .._tensors import Tensors, _modes, _transforms
from . import _pytorch
from ._trainers import Pass

# Of torch.autograd.grad(is_grads_batched=True); what an older torch lacks it does not have under this name.
_is_batched = getattr(getattr(torch._C, "_functorch", None), "is_legacy_batchedtensor", lambda tensor: False)


def _is_plain(gradient):
    return gradient is None or (type(gradient) in Tensors.plain and not _is_batched(gradient))


class Differentiable(torch.autograd.Function):
    """out, h_n, c_n, or h', c' of a cell. The tape of the forward pass is memory of the graph's. A backward pass uses it up; where
    there is none that serves, the forward pass is run again from what was saved: for a second backward pass, and where the
    weights' values or the place of what was saved are others by now."""

    @staticmethod
    def forward(ctx, trainers, seed, batch_sizes, x, h_0, c_0, *weights):
        kept = trainers.forward(seed, batch_sizes, (x, h_0, c_0), weights)
        ctx.set_materialize_grads(False)
        ctx.trainers, ctx.learner, ctx.seed, ctx.batch_sizes = trainers, kept.learner, seed, batch_sizes
        ctx.save_for_backward(None if kept.x is x else kept.x, kept.out, kept.tape, x, h_0, c_0, *weights)
        return kept.results

    @staticmethod
    def backward(ctx, *d_results):
        dense, out, tape, *inputs = ctx.saved_tensors
        needed = ctx.needs_input_grad[3:]
        if (torch.is_grad_enabled() or _transforms() or _modes() or forward_ad._current_level >= 0
                or not all(map(_is_plain, d_results))):
            ctx.learner.went_back = True
            found = _by_pytorch(ctx, inputs, needed, d_results)
        else:
            if dense is not None:
                inputs[0] = dense
            kept = Pass(None, inputs[0], out, tape, ctx.learner)
            found = ctx.trainers.backward(ctx.seed, ctx.batch_sizes, inputs[:3], inputs[3:], d_results, needed, kept)
        return None, None, None, *found


def _by_pytorch(ctx, inputs, needed, d_results):
    """Gradients that have gradients, or that a transform or a dispatch mode sees."""
    if ctx.seed is not None:
        raise RuntimeError("second gradients, and those that torch.func or a dispatch mode sees, are not had of a forward "
                           "pass in which dropout acted; set dropout to 0, or call wavelstm.torch.restore(model) before it")
    form, create_graph = ctx.trainers.form, torch.is_grad_enabled()
    with torch.enable_grad():  # of others than the tensors themselves, of which one may follow from another
        own = [value.view_as(value) if need else value for value, need in zip(inputs, needed)]
        results = _pytorch.any_of(form, *own[:3], own[3:], ctx.batch_sizes)
        pairs = [(part, d) for part, d in zip(results, d_results) if d is not None]
        found = iter(torch.autograd.grad([part for part, _ in pairs], [value for value, need in zip(own, needed) if need],
                                         [d for _, d in pairs], create_graph=create_graph, allow_unused=True))
    return [next(found) if need else None for need in needed]
