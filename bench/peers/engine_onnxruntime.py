"""ONNX Runtime: chained LSTM operators, inputs and outputs bound once; in int8 as quantize_dynamic makes them, with a
scale for each channel of the weights."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from .candidate import Candidate
from .tasks import Data, Problem, Task


def iofc(values: np.ndarray) -> np.ndarray:
    """PyTorch's gate order i, f, g, o to ONNX's i, o, f, c."""
    i, f, g, o = np.split(values, 4)
    return np.concatenate([i, o, f, g])


def build_model(task: Task, data: Data) -> onnx.ModelProto:
    """x [T, B, I], of sessions h_0 and c_0 [L, B, H] -> out [T, B, D*H], h_n [L*D, B, H], c_n [L*D, B, H]"""
    p, nodes, constants = task.problem, [], {}
    source, states = "x", {"h_n": [], "c_n": []}
    given = {"x": data.x.shape}
    if task.kind == "sessions":
        given |= {name: (p.num_layers, p.batch, p.hidden_size) for name in ("h_0", "c_0")}
        for name in ("h_0", "c_0"):
            nodes.append(helper.make_node("Split", [name], [f"{name}_{layer}" for layer in range(p.num_layers)], axis=0))
    if data.lengths is not None:
        constants["lengths"] = data.lengths.astype(np.int32)
    for layer in range(p.num_layers):
        params = data.params[layer * p.directions:(layer + 1) * p.directions]
        names = [f"{letter}{layer}" for letter in "WRB"]
        constants[names[0]] = np.stack([iofc(param["weight_ih"]) for param in params])
        constants[names[1]] = np.stack([iofc(param["weight_hh"]) for param in params])
        if p.bias:
            constants[names[2]] = np.stack([np.concatenate([iofc(param["bias_ih"]), iofc(param["bias_hh"])])
                                            for param in params])
        inputs = [source, *names[:2], names[2] if p.bias else "", "lengths" if data.lengths is not None else ""]
        inputs += [f"h_0_{layer}", f"c_0_{layer}"] if task.kind == "sessions" else []
        nodes.append(helper.make_node("LSTM", inputs, [f"Y{layer}", f"h{layer}", f"c{layer}"],
                                      hidden_size=p.hidden_size,
                                      direction="bidirectional" if p.bidirectional else "forward"))
        source = "out" if layer == p.num_layers - 1 else f"out{layer}"
        if p.bidirectional:  # Y [T, D, B, H]
            constants["shape"] = np.array([p.seq_len, p.batch, 2 * p.hidden_size])
            nodes += [helper.make_node("Transpose", [f"Y{layer}"], [f"Z{layer}"], perm=[0, 2, 1, 3]),
                      helper.make_node("Reshape", [f"Z{layer}", "shape"], [source])]
        else:
            constants["axis"] = np.array([1])
            nodes.append(helper.make_node("Squeeze", [f"Y{layer}", "axis"], [source]))
        states["h_n"].append(f"h{layer}")
        states["c_n"].append(f"c{layer}")
    nodes += [helper.make_node("Concat", parts, [name], axis=0) for name, parts in states.items()]
    graph = helper.make_graph(
        nodes, str(task), [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in given.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("out", "h_n", "c_n")],
        [numpy_helper.from_array(values, name) for name, values in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def serialized(task: Task, data: Data) -> bytes:
    model = build_model(task, data)
    if task.problem.precision != "int8":
        return model.SerializeToString()
    with tempfile.TemporaryDirectory(prefix="wavelstm-peers-") as directory:
        path = Path(directory) / "model.onnx"
        quantize_dynamic(model, path, per_channel=True, weight_type=QuantType.QInt8)
        return path.read_bytes()


def sessions(session: onnxruntime.InferenceSession, p: Problem, data: Data) -> Candidate:
    """The sessions' states, all in two arrays, are gathered for each step and scattered after it."""
    shape = (p.num_layers, p.batch, p.hidden_size)
    states = {name: np.zeros(shape, np.float32) for name in ("h", "c")}
    inputs = {"x": data.x} | {f"{name}_0": np.zeros(shape, np.float32) for name in states}
    outputs = {"out": np.zeros((1, p.batch, p.hidden_size), np.float32)}
    outputs |= {f"{name}_n": np.zeros(shape, np.float32) for name in states}
    binding = session.io_binding()
    for bind, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
        for name, array in arrays.items():
            bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)

    def step() -> None:
        for name, state in states.items():
            np.take(state, data.order, axis=1, out=inputs[f"{name}_0"], mode="clip")
        session.run_with_iobinding(binding)
        for name, state in states.items():
            state[:, data.order] = outputs[f"{name}_n"]

    def results() -> tuple:
        for state in states.values():
            state.fill(0)
        step()
        return outputs["out"].copy(), *(state[:, data.order] for state in states.values())

    return Candidate("gather, IOBinding, scatter", step, results, keep=(inputs, outputs))


class Engine:
    def __init__(self, threads: int, config: dict):
        logging.disable(logging.WARNING)  # it advises to prepare a model that has been prepared
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.version = onnxruntime.__version__

    @staticmethod
    def supports(task: Task) -> bool:
        p = task.problem
        return (task.kind in ("forward", "ragged", "sessions") and p.dtype == "f32" and p.proj_size == 0
                and p.precision != "bf16")

    def candidates(self, task: Task, data: Data) -> list:
        p = task.problem
        session = onnxruntime.InferenceSession(serialized(task, data), self.options,
                                               providers=["CPUExecutionProvider"])
        if task.kind == "sessions":
            return [sessions(session, p, data)]
        binding = session.io_binding()
        state = (p.num_layers * p.directions, p.batch, p.hidden_size)
        shapes = {"out": (p.seq_len, p.batch, p.directions * p.hidden_size), "h_n": state, "c_n": state}
        x = onnxruntime.OrtValue.ortvalue_from_numpy(data.x)
        outputs = [onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32)) for shape in shapes.values()]
        binding.bind_ortvalue_input("x", x)
        for name, value in zip(shapes, outputs):
            binding.bind_ortvalue_output(name, value)
        return [Candidate("IOBinding", lambda: session.run_with_iobinding(binding),
                          lambda: tuple(value.numpy() for value in outputs), keep=(x, outputs))]

    @staticmethod
    def release() -> None:
        pass
