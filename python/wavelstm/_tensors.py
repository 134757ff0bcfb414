"""What a call does with torch tensors, the counterpart of _arrays.py. Imported only where torch is."""
import torch
from torch.autograd import forward_ad
from torch.nn.utils import rnn

from ._arrays import Arrays
from ._library import calls

# Whether torch records or transforms what is done with tensors. What an older torch lacks it does not do: bool() is False.
compiling = getattr(getattr(torch, "compiler", None), "is_compiling", bool)
_tracing = torch._C._is_tracing
_modes = getattr(torch._C, "_len_torch_dispatch_stack", bool)
_transforms = getattr(getattr(torch._C, "_functorch", None), "peek_interpreter_stack", bool)
_exchange = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)  # PyTorch 2.10 on
if calls and _exchange:
    calls.set_torch(_exchange, torch.Tensor, torch.nn.Parameter, torch.empty_like, torch.is_grad_enabled,
                    (_tracing, _modes, _transforms), forward_ad)


def refuse_recording():
    """Raises where torch would see nothing of what the library computes, and go on with results of nothing."""
    if compiling():  # torch.compile leaves its graph here, or says why it cannot; in torch.export this does nothing
        torch._dynamo.graph_break(msg="torch.compile sees nothing of what wavelstm computes; leave fullgraph out, or call it "
                                      "outside of what is compiled")
    if _tracing():
        who = "torch.jit.trace"
    elif _transforms():
        who = "a transform of torch.func"
    elif _modes():
        who = "a dispatch mode (of torch.export, make_fx, fake tensors or the like)"
    else:
        return
    raise RuntimeError(f"{who} is active and sees nothing of what wavelstm computes; call it outside of that, or keep torch.nn's "
                       f"module in there")


class Tensors:
    """Dense tensors in the CPU's memory. dtypes is indexed by the library's wlstm_dtype."""

    type = torch.Tensor
    plain = (torch.Tensor, torch.nn.Parameter)
    dtypes = (torch.float32, torch.float64, torch.bfloat16)
    address = staticmethod(torch.Tensor.data_ptr)

    @staticmethod
    def empty(shape, dtype):
        return torch.empty(shape, dtype=dtype, device="cpu")

    @staticmethod
    def dense(name, tensor):
        """The tensor itself if it is contiguous, else a copy that is."""
        if type(tensor) not in Tensors.plain:
            raise TypeError(f"{name}: a torch.Tensor of no subclass expected, got {type(tensor).__name__}; if it has its values as "
                            f"others do, take {name}.as_subclass(torch.Tensor)")
        if not tensor.is_cpu:
            other = "parameter" if name in ("input", "data") else "hidden"
            raise RuntimeError(f"Input and {other} tensors are not at the same device: {name} on cpu expected, got it on "
                               f"{tensor.device}")
        if tensor.requires_grad and torch.is_grad_enabled():
            raise RuntimeError(f"{name}: wavelstm computes no gradients, and this tensor requires them; call it under "
                               f"torch.no_grad() or with {name}.detach()")
        if forward_ad._current_level >= 0 and forward_ad.unpack_dual(tensor).tangent is not None:
            raise RuntimeError(f"{name}: wavelstm computes no gradients, and this tensor has a tangent; call it with "
                               f"{name}.detach()")
        if tensor.layout != torch.strided:
            raise RuntimeError(f"{name}: a dense tensor expected, got layout {tensor.layout}")
        if tensor.is_neg():
            tensor = tensor.resolve_neg()
        return tensor if tensor.is_contiguous() else tensor.contiguous()

    @staticmethod
    def writeable(tensor):
        return True


def numpy_of(tensor, code):
    """The tensor's values as a dense NumPy array of the wlstm_dtype."""
    tensor = tensor.detach().to("cpu", Tensors.dtypes[code]).contiguous().resolve_neg()
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy().view(Arrays.dtypes[code])


def is_packed(value):
    return isinstance(value, rnn.PackedSequence)


def forward_packed(lstm, run, packed, hx):
    """lstm(packed, hx) by run(data, batch_sizes, hx), whose rows are longest first, while hx and the states that come back are in
    the caller's order."""
    data, batch_sizes, sorted_indices, unsorted_indices = packed

    def permute(states, indices):
        return states if indices is None else tuple(state.index_select(1, indices) for state in states)

    if hx is not None:
        lstm.check_states(Tensors, hx, (int(batch_sizes[0]),))
        hx = permute(hx, sorted_indices)
    out, states = run(data, batch_sizes, hx)
    return rnn.PackedSequence(out, batch_sizes, sorted_indices, unsorted_indices), permute(states, unsorted_indices)
