""".pt, .pth, .ckpt, .bin: what torch.save wrote, read as weights alone, which runs no code of the file's; torch as an engine."""
import importlib.util
import zipfile

from . import _state_dict
from ._found import Failure, Values, needed

KIND = "a file of torch.save's"


def _values(torch, tensor):
    dtype = str(tensor.dtype)[len("torch."):]
    return Values(tensor.shape, dtype, lambda: tensor.to(torch.float64 if dtype == "float64" else torch.float32).numpy())


def _state_dicts(torch, value, path=()):
    """(path, tensors by name) of each mapping at any depth that has tensors."""
    if isinstance(value, dict):
        tensors = {name: tensor for name, tensor in value.items() if isinstance(name, str) and isinstance(tensor, torch.Tensor)}
        if tensors:
            yield path, {name: _values(torch, tensor.detach()) for name, tensor in tensors.items()}
        for name, inner in value.items():
            yield from _state_dicts(torch, inner, (*path, str(name)))


def _is_torchscript(path):
    return zipfile.is_zipfile(path) and any(name.split("/")[1:2] == ["code"] for name in zipfile.ZipFile(path).namelist())


def read(path):
    torch = needed("torch", path)
    if _is_torchscript(path):
        raise Failure(f"{path}: a state_dict expected, got a TorchScript program; write its state_dict: "
                      f"torch.save(torch.jit.load({path!r}).state_dict(), 'state_dict.pt')")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as reason:
        first = str(reason).strip().split("\n")[0]
        raise Failure(f"{path}: a state_dict expected, which torch.load reads with weights_only=True, got what would run code of "
                      f"the file's, or no file of torch.save's; if you trust it, write its state_dict: "
                      f"torch.save(model.state_dict(), 'state_dict.pt') ({type(reason).__name__}: {first})") from None
    groups = [(names, _state_dict.find(tensors, engine)) for names, tensors in _state_dicts(torch, content)]
    groups = [(names, found) for names, found in groups if found]
    if len(groups) > 1:  # a second copy (an average of weights), by its place in the file
        for names, group in groups:
            for found in group:
                found.name = ".".join((*names, found.name) if found.name else names)
                found.members = [found.name]
    return [found for _, group in groups for found in group]


def engine(found):
    """torch.nn's module with these parameters, and its name; (None, None) where there is no torch."""
    if importlib.util.find_spec("torch") is None:
        return None, None

    def run(x):
        import torch

        dtype = getattr(torch, found.dtype)
        module = (torch.nn.LSTMCell if found.is_cell else torch.nn.LSTM)(**found.arguments, dtype=dtype)
        module.load_state_dict({name: torch.tensor(values()) for name, values in found.state.items()})
        with torch.no_grad():
            if found.is_cell:
                return module(torch.tensor(x[0]))[0].numpy()[None]
            return module(torch.tensor(x))[0].numpy()

    def name():
        import torch

        return f"torch {torch.__version__}"

    return run, name
