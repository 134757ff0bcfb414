"""OpenVINO: LSTMSequence operators compiled for latency in f32 or bf16, with f32 tensors bound once to one infer
request."""

from typing import Iterator

import numpy as np
import openvino
from openvino import opset13 as op

from .candidate import Candidate
from .tasks import Data, Task


def fico(values: np.ndarray) -> np.ndarray:
    """PyTorch's gate order i, f, g, o to OpenVINO's f, i, c, o."""
    i, f, g, o = np.split(values, 4)
    return np.concatenate([f, i, g, o])


def build_model(task: Task, data: Data, time_major: bool) -> openvino.Model:
    """x [T, B, I], or [B, T, I] -> out [T, B, D*H], or [B, T, D*H], and the layers' h_n and c_n [B, L*D, H]"""
    p = task.problem

    def swap(node):
        return op.transpose(node, op.constant(np.array([1, 0, 2]))) if time_major else node

    parameter = op.parameter([p.seq_len, p.batch, p.input_size] if time_major else [p.batch, p.seq_len, p.input_size],
                             np.float32)
    lengths = np.full(p.batch, p.seq_len) if data.lengths is None else data.lengths
    zeros = np.zeros((p.batch, p.directions, p.hidden_size), np.float32)
    source, h_n, c_n = swap(parameter), [], []
    for layer in range(p.num_layers):
        params = data.params[layer * p.directions:(layer + 1) * p.directions]
        biases = [fico(param["bias_ih"] + param["bias_hh"]) if p.bias else np.zeros(4 * p.hidden_size, np.float32)
                  for param in params]
        node = op.lstm_sequence(
            source, op.constant(zeros), op.constant(zeros), op.constant(lengths.astype(np.int32)),
            op.constant(np.stack([fico(param["weight_ih"]) for param in params])),
            op.constant(np.stack([fico(param["weight_hh"]) for param in params])), op.constant(np.stack(biases)),
            p.hidden_size, "bidirectional" if p.bidirectional else "forward")
        h_n.append(node.output(1))
        c_n.append(node.output(2))
        if p.bidirectional:  # [B, D, T, H]
            source = op.reshape(op.transpose(node.output(0), op.constant(np.array([0, 2, 1, 3]))),
                                op.constant(np.array([p.batch, p.seq_len, 2 * p.hidden_size])), False)
        else:
            source = op.squeeze(node.output(0), op.constant(np.array([1])))
    outputs = [swap(source).output(0), op.concat(h_n, 1).output(0), op.concat(c_n, 1).output(0)]
    return openvino.Model(outputs, [parameter])


class Engine:
    def __init__(self, threads: int, config: dict):
        self.core = openvino.Core()
        self.options = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
        if threads == 1:  # it would pin the caller to the first processor, where all processes side by side would meet
            self.options["ENABLE_CPU_PINNING"] = False
        self.version = openvino.__version__.split("-")[0]

    @staticmethod
    def supports(task: Task) -> bool:
        p = task.problem
        return (task.kind in ("forward", "ragged") and p.dtype == "f32" and p.proj_size == 0
                and p.precision != "int8")  # which it has by calibration on a user's data

    def candidates(self, task: Task, data: Data) -> Iterator[Candidate]:
        """The operator wants [B, T, I]: a user may hold that, or have the model turn PyTorch's [T, B, I]."""
        return (self.candidate(task, data, time_major) for time_major in (False, True))

    def candidate(self, task: Task, data: Data, time_major: bool) -> Candidate:
        hint = {"INFERENCE_PRECISION_HINT": "bf16" if task.problem.precision == "bf16" else "f32"}
        compiled = self.core.compile_model(build_model(task, data, time_major), "CPU", self.options | hint)
        request = compiled.create_infer_request()
        x = np.ascontiguousarray(data.x if time_major else data.x.transpose(1, 0, 2))
        request.set_input_tensor(openvino.Tensor(x, shared_memory=True))

        def results() -> tuple:
            out, h_n, c_n = (request.get_output_tensor(index).data for index in range(3))
            return (out if time_major else out.transpose(1, 0, 2)), h_n.transpose(1, 0, 2), c_n.transpose(1, 0, 2)

        return Candidate("time-major" if time_major else "batch-first", lambda: request.infer(share_outputs=True),
                         results, keep=(compiled, x))

    @staticmethod
    def release() -> None:
        pass
