"""What a call does with torch tensors, the counterpart of _arrays.py. Imported only where torch is."""
import torch
from torch.nn.utils import rnn


class Tensors:
    """Dense tensors in the CPU's memory. dtypes is indexed by the library's wlstm_dtype."""

    type = torch.Tensor
    dtypes = (torch.float32, torch.float64)
    address = staticmethod(torch.Tensor.data_ptr)

    @staticmethod
    def empty(shape, dtype):
        return torch.empty(shape, dtype=dtype)

    @staticmethod
    def dense(name, tensor):
        """The tensor itself if it is contiguous, else a copy that is."""
        if not tensor.is_cpu:
            other = "parameter" if name == "input" else "hidden"
            raise RuntimeError(f"Input and {other} tensors are not at the same device: {name} on cpu expected, got it on "
                               f"{tensor.device}")
        if tensor.requires_grad and torch.is_grad_enabled():
            raise RuntimeError(f"{name}: wavelstm computes no gradients, and this tensor requires them; call it under "
                               f"torch.no_grad() or with {name}.detach()")
        if tensor.layout != torch.strided:
            raise RuntimeError(f"{name}: a dense tensor expected, got layout {tensor.layout}")
        if tensor.is_neg():
            tensor = tensor.resolve_neg()
        return tensor if tensor.is_contiguous() else tensor.contiguous()

    @staticmethod
    def writeable(tensor):
        return True


def numpy_of(tensor, dtype):
    """The tensor's values as a dense NumPy array of dtype."""
    tensor = tensor.detach().to("cpu", getattr(torch, dtype.name)).contiguous()
    return tensor.resolve_neg().numpy()


def is_packed(value):
    return isinstance(value, rnn.PackedSequence)


def forward_packed(lstm, packed, hx):
    """lstm(packed, hx), by way of the padded form: longest row first, as packed.data has them, while hx and the states that come
    back are in the caller's order."""
    data, batch_sizes, sorted_indices, unsorted_indices = packed
    if data.dim() != 2:
        raise RuntimeError(f"input must have 2 dimensions, got {data.dim()}")
    padded, lengths = rnn.pad_packed_sequence(rnn.PackedSequence(data, batch_sizes), batch_first=lstm.batch_first)

    def permute(states, indices):
        return states if indices is None else tuple(state.index_select(1, indices) for state in states)

    if hx is not None:
        lstm.check_states(Tensors, hx, (len(lengths),))
        hx = permute(hx, sorted_indices)
    out, states = lstm(padded, hx, lengths=lengths)
    out = rnn.pack_padded_sequence(out, lengths, batch_first=lstm.batch_first).data
    return rnn.PackedSequence(out, batch_sizes, sorted_indices, unsorted_indices), permute(states, unsorted_indices)
