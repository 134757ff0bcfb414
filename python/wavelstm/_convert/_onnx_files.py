""".onnx: nodes LSTM and DynamicQuantizeLSTM; those that stand on each other are one LSTM, as PyTorch's exporters part it."""
import importlib.util

import numpy as np

from ._found import BATCH_FIRST, Found, chains, needed, of_directions
from ._onnx_graph import Graph, Unknown, model_of

KIND = "an ONNX model"
_INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P", "W_scale", "W_zero_point", "R_scale",
           "R_zero_point")
_FROM_IOFC = (0, 2, 3, 1)  # PyTorch's i, f, g, o among ONNX's i, o, f, c
_ACTIVATIONS = ["sigmoid", "tanh", "tanh"]


class _Refused(Exception):
    """Why a node is none of nn.LSTM's."""


class _Node:
    """One LSTM node: what it reads by the names of ONNX's documentation, its attributes, its Found."""

    def __init__(self, graph, node):
        self.graph, self.node = graph, node
        self.name = node.name or next(name for name in node.output if name)
        self.inputs = {role: name for role, name in zip(_INPUTS, node.input) if name}
        self.attributes = {attribute.name: graph.onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        self.quantized = node.op_type == "DynamicQuantizeLSTM"
        try:
            self._refuse()
            notes = [BATCH_FIRST] if self.batch_first() else []
            if not self._starts_from_zeros():
                notes.append("its initial states are not of the file's LSTM: they are h_0 and c_0 of a call")
            self.found = Found(self.name, of_directions(self._weights()), engine=self._run, engine_name=self._engine_name,
                               notes=notes, rounded=self.quantized)
        except _Refused as reason:
            self.found = Found(self.name, reason=str(reason))

    def batch_first(self):
        return self.attributes.get("layout", 0) == 1

    def _refuse(self):
        direction = self.attributes.get("direction", b"forward").decode()
        if self.node.op_type not in ("LSTM", "DynamicQuantizeLSTM"):
            raise _Refused(f"operator {self.node.op_type}: LSTM or DynamicQuantizeLSTM expected")
        if direction not in ("forward", "bidirectional"):
            raise _Refused(f"direction {direction}: forward or bidirectional expected")
        self.directions = 2 if direction == "bidirectional" else 1
        activations = [name.decode() for name in self.attributes.get("activations", ())]
        if activations and [name.lower() for name in activations] != _ACTIVATIONS * self.directions:
            raise _Refused(f"activations {', '.join(activations)}: Sigmoid, Tanh, Tanh expected for each direction")
        if "clip" in self.attributes:
            raise _Refused(f"clip {self.attributes['clip']:g}: an LSTM that clips nothing expected")
        if self.attributes.get("input_forget", 0):
            raise _Refused("input_forget 1: gates i and f of their own expected")
        if "P" in self.inputs and np.any(self._constant("P")):
            raise _Refused("P: an LSTM without peepholes expected")

    def _constant(self, role):
        try:
            return self.graph.value(self.inputs[role])
        except Unknown:
            raise _Refused(f"{role}: constants expected, got what the model computes while it runs") from None

    def _starts_from_zeros(self):
        """Whether its initial states are zeros for any input of the node's; what depends on other inputs is not known to be."""
        try:
            given = {self.inputs["X"]: np.zeros(self.input_shape(1), np.float32)}
            return not any(np.any(self.graph.value(self.inputs[role], given)) for role in ("initial_h", "initial_c")
                           if role in self.inputs)
        except Unknown:
            return False

    def input_shape(self, width):
        """Of an x for trials: the sizes that the model declares."""
        declared = self.graph.shapes.get(self.inputs["X"], ())
        return [size or other for size, other in zip(declared if len(declared) == 3 else (0, 0, 0), (5, 3, width))]

    def _weight(self, role):
        """[directions, 4H, columns] in ONNX's order of gates."""
        weight = np.asarray(self._constant(role))
        if not self.quantized:
            return weight
        scale = np.asarray(self._constant(role + "_scale"), np.float32)
        zero = np.zeros(1, np.float32)
        if role + "_zero_point" in self.inputs:
            zero = np.asarray(self._constant(role + "_zero_point"), np.float32)
        spread = [array.reshape(len(weight), 1, -1) if array.size > 1 else array for array in (scale, zero)]
        return ((weight.astype(np.float32) - spread[1]) * spread[0]).astype(np.float32).transpose(0, 2, 1)

    def _weights(self):
        w, r = self._weight("W"), self._weight("R")
        b = self._constant("B") if "B" in self.inputs else None
        hidden = r.shape[-1]
        if w.ndim != 3 or r.shape != (self.directions, 4 * hidden, hidden) or w.shape[:2] != r.shape[:2] or (
                b is not None and b.shape != (self.directions, 8 * hidden)):
            raise _Refused(f"shapes of one LSTM expected, got W {w.shape}, R {r.shape}{'' if b is None else f', B {b.shape}'}")

        def rows(array):
            return np.concatenate([np.split(array, 4)[gate] for gate in _FROM_IOFC])

        for direction in range(self.directions):
            biases = (None, None) if b is None else [rows(half) for half in np.split(b[direction], 2)]
            yield (rows(w[direction]), rows(r[direction]), *biases)

    def _alone(self, layout):
        """A model of the node with its constants: X in, Y out."""
        onnx = self.graph.onnx
        roles = [role for role in _INPUTS if role in self.inputs and role not in _INPUTS[4:8]]
        last = max(_INPUTS.index(role) for role in roles)
        node = onnx.helper.make_node(self.node.op_type, [role if role in roles else "" for role in _INPUTS[:last + 1]], ["Y"],
                                     domain=self.node.domain)
        node.attribute.extend(attribute for attribute in self.node.attribute if attribute.name != "layout")
        if layout:
            node.attribute.append(onnx.helper.make_attribute("layout", layout))
        x_type = onnx.TensorProto.DOUBLE if self.found.dtype == "float64" else onnx.TensorProto.FLOAT
        x = onnx.helper.make_tensor_value_info("X", x_type, [None, None, None])
        arrays = {role: np.asarray(self._constant(role)) for role in roles if role != "X"}
        arrays = {role: array.astype(np.float32) if array.dtype.itemsize == 2 else array for role, array in arrays.items()}
        return model_of(onnx, self.graph.model, node, arrays, [x])

    def _run(self, x):
        """out [T, B, directions * H] of x [T, B, I], by ONNX Runtime, else by ONNX's reference, in the node's own layout."""
        if importlib.util.find_spec("onnxruntime"):
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            content = self._alone(0).SerializeToString()
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            y = session.run(None, {"X": x})[0]
        else:
            reference = needed("onnx.reference", self.name)
            batch_first = self.batch_first()
            model = reference.ReferenceEvaluator(self._alone(int(batch_first)))
            y = model.run(None, {"X": x.swapaxes(0, 1) if batch_first else x})[0]
            y = y.transpose(1, 2, 0, 3) if batch_first else y
        return y.transpose(0, 2, 1, 3).reshape(*x.shape[:2], -1)

    def _engine_name(self):
        name = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "onnx"
        return f"{name} {importlib.import_module(name).__version__}"


def _stands_on(above, below):
    """Whether x of `above` is the outputs of `below`, side by side, and nobody else takes them."""
    graph, y_name = above.graph, next(iter(below.node.output), "")
    if graph is not below.graph or not y_name or above.batch_first() != below.batch_first():
        return False
    through = graph.between(y_name, above.node)
    if not through:
        return False
    time, batch, _ = above.input_shape(1)
    if above.batch_first():
        time, batch = batch, time
    hidden, directions = below.found.arguments["hidden_size"], below.directions
    out = np.random.default_rng(0).standard_normal((time, batch, directions, hidden)).astype(np.float32) * 8
    expected = out.reshape(time, batch, -1)
    y = out.transpose(1, 0, 2, 3) if above.batch_first() else out.transpose(0, 2, 1, 3)
    given = {y_name: y}
    try:
        x = graph.value(above.inputs["X"], given)
        states = [graph.value(above.inputs[role], given) for role in ("initial_h", "initial_c")
                  if above.inputs.get(role) in {name for node in through for name in node.output}]
    except Unknown:
        return False
    x = x.swapaxes(0, 1) if above.batch_first() else x
    return np.array_equal(x, expected) and not any(np.any(state) for state in states)


def read(path):
    onnx = needed("onnx", path)
    model = onnx.load(path)
    if model.functions:
        model = importlib.import_module("onnx.inliner").inline_local_functions(model)
    try:
        model = onnx.shape_inference.infer_shapes(model)
    except Exception:  # which only helps to see layers that stand on each other
        pass
    graphs = Graph(onnx, model, model.graph).walk()
    nodes = [_Node(graph, node) for graph in graphs for node in graph.nodes if "LSTM" in node.op_type]
    usable = {id(node.found): node for node in nodes if not node.found.reason}

    def below(found):
        above = usable.get(id(found))
        return next((node.found for node in usable.values() if above and node is not above and _stands_on(above, node)), None)

    return chains([node.found for node in nodes], below)
