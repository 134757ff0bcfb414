"""An ONNX model's nodes, who uses what, and the values of what does not depend on the model's inputs."""
from ._found import needed


class Unknown(Exception):
    """A value that depends on the model's inputs."""


class Graph:
    """A graph, or the body of an If, a Loop or a Scan, which sees the names of the graph around it."""

    def __init__(self, onnx, model, graph, around=None):
        self.onnx, self.model, self.around, self.nodes = onnx, model, around, list(graph.node)
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self.known = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.bodies = [Graph(onnx, model, body, self) for node in self.nodes for body in _bodies(onnx, node)]
        self.shapes = {info.name: [size.dim_value for size in info.type.tensor_type.shape.dim]
                       for info in (*graph.value_info, *graph.input)}
        self.users = {output.name: [None] for output in graph.output}  # nodes by the names they use; None is the caller
        for node in self.nodes:
            for name in node.input:
                self.users.setdefault(name, []).append(node)
        for body in self.bodies:
            for name in body.users:
                self.users.setdefault(name, []).append(None)

    def walk(self):
        yield self
        for body in self.bodies:
            yield from body.walk()

    def value(self, name, given=None):
        """The array of that name, computed by ONNX's reference if need be; `given` has arrays that stand for others by name."""
        try:
            return self._value(name, self.known if given is None else given)
        except RecursionError:
            raise Unknown(name) from None

    def _value(self, name, made):
        for arrays in (made, self.known):
            if name in arrays:
                return arrays[name]
        node = self.producers.get(name)
        if node is None and self.around is not None:
            return self.around.value(name)
        if node is None or _bodies(self.onnx, node):
            raise Unknown(name)
        arrays = {used: self._value(used, made) for used in node.input if used}
        try:
            made.update(zip(node.output, run_node(self.onnx, self.model, node, arrays)))
        except Exception as reason:
            raise Unknown(name) from reason
        return made[name]

    def between(self, start, node):
        """The nodes through which `node` depends on the array `start`, if nobody else uses it or what they make; else None."""
        after, names = set(), [start]  # by id
        while names:
            for user in self.users.get(names.pop(), ()):
                if user is not None and user is not node and id(user) not in after:
                    after.add(id(user))
                    names += user.output
        through, names = {}, list(node.input)
        while names:
            producer = self.producers.get(names.pop())
            if id(producer) in after and id(producer) not in through:
                through[id(producer)] = producer
                names += producer.input
        made = [start, *(name for producer in through.values() for name in producer.output if name)]
        private = all(user is node or id(user) in through for name in made for user in self.users.get(name, ()))
        return list(through.values()) if private else None


def _bodies(onnx, node):
    bodies = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return bodies + [body for attribute in node.attribute for body in attribute.graphs]


def model_of(onnx, model, node, arrays, inputs=()):
    """A model of that node alone, whose other inputs are the arrays."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    outputs = [helper.make_tensor_value_info(name, kind, None) for name in node.output if name]
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph([node], "node", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def run_node(onnx, model, node, arrays):
    """Its outputs, by ONNX's reference."""
    reference = needed("onnx.reference", node.op_type)
    return reference.ReferenceEvaluator(model_of(onnx, model, node, arrays)).run(None, {})
