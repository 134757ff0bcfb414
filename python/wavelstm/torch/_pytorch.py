"""PyTorch's own implementation of what the operators and the gradients here are of: where the library does not serve, and for
gradients of gradients."""
import torch


def sizes(input, weights, num_layers, bidirectional, batch_first):
    """batch, blocks of h, width of h, hidden_size"""
    blocks = num_layers * (2 if bidirectional else 1)
    batch = input.shape[0 if batch_first else 1]
    return batch, blocks, weights[1].shape[1], weights[0].shape[0] // 4


def _zeros(input, *shape):
    return torch.zeros(shape, dtype=input.dtype, device=input.device)


def lstm(input, h_0, c_0, weights, bias, num_layers, dropout, seed, bidirectional, batch_first):
    """out, h_n, c_n of a batched input; an absent seed says that no dropout acts."""
    batch, blocks, width, hidden_size = sizes(input, weights, num_layers, bidirectional, batch_first)
    h_0 = _zeros(input, blocks, batch, width) if h_0 is None else h_0
    c_0 = _zeros(input, blocks, batch, hidden_size) if c_0 is None else c_0
    arguments = (input, (h_0, c_0), weights, bias, num_layers, dropout, seed is not None, bidirectional, batch_first)
    if seed is None:
        return torch.lstm(*arguments)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        return torch.lstm(*arguments)


def lstm_cell(input, h, c, weights):
    """h', c' of a batched input."""
    hidden_size = weights[1].shape[1]
    h = _zeros(input, input.shape[0], hidden_size) if h is None else h
    c = _zeros(input, input.shape[0], hidden_size) if c is None else c
    return torch.lstm_cell(input, (h, c), *weights)


def any_of(form, x, h_0, c_0, weights, batch_sizes):
    """The results of a form's forward pass without dropout, of an input that may be unbatched, or packed rows."""
    cell = form.num_layers == 0
    if batch_sizes is not None:
        blocks = form.blocks()
        h_0 = _zeros(x, blocks, batch_sizes[0], weights[1].shape[1]) if h_0 is None else h_0
        c_0 = _zeros(x, blocks, batch_sizes[0], weights[0].shape[0] // 4) if c_0 is None else c_0
        return torch.lstm(x, batch_sizes, (h_0, c_0), weights, form.bias, form.num_layers, 0.0, False, form.bidirectional)
    if x.dim() < (2 if cell else 3):
        dims = (0, 0, 0) if cell else (0 if form.batch_first else 1, 1, 1)
        batched = [None if value is None else value.unsqueeze(dim) for value, dim in zip((x, h_0, c_0), dims)]
        return [part.squeeze(dim) for part, dim in zip(any_of(form, *batched, weights, None), dims)]
    if cell:
        return lstm_cell(x, h_0, c_0, weights)
    return lstm(x, h_0, c_0, weights, form.bias, form.num_layers, 0.0, None, form.bidirectional, form.batch_first)
