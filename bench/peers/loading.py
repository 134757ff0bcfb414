"""Engines that load a model from its file, each in a process of its own, for bench/loads.py: `python -m peers.loading
PROBLEM ENGINE HAS DIRECTORY CONFIG`. Requests are words on stdin, answers lines of JSON on stdout."""

import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

TINY = "t1b1i2h2l1"


def write_files(name: str, directory: Path) -> None:
    """NAME.safetensors, .pt, .onnx, -int8.onnx and -weight_ih.npy and so on of a model."""
    import numpy as np
    import safetensors.numpy
    import torch
    from . import engine_onnxruntime
    from .tasks import Task, make_data
    logging.disable(logging.WARNING)  # quantize_dynamic advises to prepare a model that needs none
    task = Task.forward(name)
    data = make_data(task, 0)
    state = {f"{parameter}_l0": values for parameter, values in data.params[0].items()}
    safetensors.numpy.save_file(state, directory / f"{name}.safetensors")
    torch.save({parameter: torch.from_numpy(values) for parameter, values in state.items()}, directory / f"{name}.pt")
    for precision, suffix in (("full", ""), ("int8", "-int8")):
        (directory / f"{name}{suffix}.onnx").write_bytes(engine_onnxruntime.serialized(task.at(precision), data))
    for parameter, values in data.params[0].items():
        np.save(directory / f"{name}-{parameter}.npy", values)


def load_ours(name: str, has: str, stem: str, config: dict):
    """A function that makes a call on a model of these files: as all below."""
    import numpy as np
    import wavelstm
    from .tasks import Problem
    p = Problem.parse(name)
    lstm = wavelstm.LSTM.load(f"{stem}.safetensors", compact=has.endswith("compact"),
                              dtype="bfloat16" if has.startswith("bf16") else None,
                              precision="int8" if has.startswith("int8") else None)
    return lambda: lstm(np.zeros((p.seq_len, p.batch, p.input_size), lstm.dtype))


def load_pytorch(name: str, has: str, stem: str, config: dict):
    import torch
    from .tasks import Problem
    torch.set_num_threads(1)
    p = Problem.parse(name)
    lstm = torch.nn.LSTM(p.input_size, p.hidden_size).eval()
    lstm.load_state_dict(torch.load(f"{stem}.pt", weights_only=True))

    def call():
        with torch.inference_mode():
            return lstm(torch.zeros(p.seq_len, p.batch, p.input_size))

    return call


def load_onnxruntime(name: str, has: str, stem: str, config: dict):
    import numpy as np
    import onnxruntime
    from .tasks import Problem
    p, options = Problem.parse(name), onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{stem}{'-int8' if has == 'int8' else ''}.onnx", options,
                                           providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": np.zeros((p.seq_len, p.batch, p.input_size), np.float32)})


def load_openvino(name: str, has: str, stem: str, config: dict):
    import numpy as np
    import openvino
    from .tasks import Problem
    p = Problem.parse(name)
    compiled = openvino.Core().compile_model(f"{stem}.onnx", "CPU", {
        "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    return lambda: compiled([np.zeros((p.seq_len, p.batch, p.input_size), np.float32)])


def load_onednn(name: str, has: str, stem: str, config: dict):
    """The primitive is made for a call's arrays, which are there after loading already."""
    import numpy as np
    from . import engine_onednn
    from .tasks import Problem
    p, engine = Problem.parse(name), engine_onednn.Engine(1, config)
    weights = [np.load(f"{stem}-weight_{part}.npy") for part in ("ih", "hh")]
    arrays = [np.load(f"{stem}-bias_ih.npy") + np.load(f"{stem}-bias_hh.npy"),
              np.zeros((p.seq_len, p.batch, p.input_size), np.float32),
              np.zeros((p.seq_len, p.batch, p.hidden_size), np.float32),
              *(np.zeros((p.batch, p.hidden_size), np.float32) for _ in range(2))]
    lstm = engine.library.onednn_lstm_create(p.seq_len, p.batch, p.input_size, p.hidden_size, 1, 0, 0, 1,
                                             *(array.ctypes.data for array in weights + arrays))
    if error := engine.library.onednn_lstm_error(lstm).decode():
        raise RuntimeError(error)
    engine.library.onednn_lstm_run.argtypes = engine.library.onednn_lstm_free.argtypes

    def call():
        if engine.library.onednn_lstm_run(lstm) != 0:
            raise RuntimeError("onednn_lstm_run")
        return arrays

    return call


LOADERS = {"wavelstm": load_ours, "pytorch": load_pytorch, "onnxruntime": load_onnxruntime, "openvino": load_openvino,
           "onednn-system": load_onednn, "onednn-pypi": load_onednn}


def fork_children(call, count: int) -> list:
    """The pids of children that have made a call, and wait."""
    children = []
    for _ in range(count):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            result = call()
            os.write(writing, b"." if result is not None else b"")
            signal.pause()
        os.close(writing)
        if not os.read(reading, 1):
            raise RuntimeError("a forked child has failed")
        os.close(reading)
        children.append(pid)
    return children


def worker(problem: str, engine: str, has: str, directory: Path, config: dict) -> None:
    """Does what stdin says, a word a line, and answers with a line of JSON. What was made stays until the end."""
    from .worker import forget_peak, resident_bytes
    load, children = LOADERS[engine], []
    load(TINY, has, str(directory / TINY), config)()
    gc.collect()
    call = results = None
    before = forget_peak()
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        if line == "load\n":
            call = load(problem, has, str(directory / problem), config)
            answer = {"loading": resident_bytes("VmHWM") - before, "loaded": resident_bytes("VmRSS") - before}
        elif line == "call\n":
            results = call()
            answer = {"called": resident_bytes("VmRSS") - before}
        else:
            results, children = None, fork_children(call, int(line))
            answer = {"children": children}
        print(json.dumps(answer), flush=True)
    for child in children:
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    worker(*sys.argv[1:4], Path(sys.argv[4]), json.loads(sys.argv[5]))
