#!/usr/bin/env python3
"""wavelstm-convert on models that torch, onnx and keras make on the spot: each result beside the model's own engine; what is
refused, with its sentence.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/golden/check_convert.py

Needs torch, numpy, onnx, onnxscript, onnxruntime, h5py and keras. tests/unit/test_convert.py has what NumPy alone can read.
"""
import logging
import os
import pathlib
import sys
import unittest

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path += [str(pathlib.Path(__file__).resolve().parents[1] / folder) for folder in ("unit", "support")]

import h5py  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnx.reference  # noqa: E402
import onnxruntime  # noqa: E402
import torch  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: E402

import test_convert  # noqa: E402
import wavelstm  # noqa: E402
from tolerances import TOLERANCE  # noqa: E402

torch.manual_seed(test_convert.SEED)
keras.utils.set_random_seed(test_convert.SEED)
draw = test_convert.draw


class Base(test_convert.Base):
    def path(self, name):
        return str(self.folder / name)

    def assert_close(self, actual, expected):
        rtol, atol = TOLERANCE[f"f{8 * actual.itemsize}"]
        np.testing.assert_allclose(actual, np.asarray(expected), rtol=rtol, atol=atol)

    def converted(self, path, *arguments, batch_first=False, engine):
        """What `path` gives, after a comparison with that engine."""
        out = self.convert(path, self.out, *arguments)
        self.assertIn(f"largest difference from {engine} ", out)
        return wavelstm.LSTM.load(self.out, batch_first=batch_first)


class Torch(Base):
    def check(self, lstm, content, *arguments, name="model.pt"):
        """`content`, saved, gives what `lstm` gives."""
        path = self.path(name)
        torch.save(content, path)
        ours = self.converted(path, *arguments, batch_first=lstm.batch_first, engine="torch")
        x = torch.randn(6, 2, lstm.input_size, dtype=lstm.weight_hh_l0.dtype)
        with torch.no_grad():
            expected, (h_n, c_n) = lstm.eval()(x)
        out, (our_h, our_c) = ours(x.numpy())
        for actual, right in ((out, expected), (our_h, h_n), (our_c, c_n)):
            self.assert_close(actual, right)

    def test_option_sets(self):
        for options in (dict(), dict(num_layers=3), dict(bidirectional=True, num_layers=2), dict(proj_size=3, num_layers=2),
                        dict(bias=False), dict(batch_first=True), dict(dtype=torch.float64)):
            lstm = torch.nn.LSTM(5, 4, **options)
            for name in ("model.pt", "model.pth", "pytorch_model.bin"):
                self.check(lstm, lstm.state_dict(), name=name)

    def test_wrappers(self):
        model = torch.nn.Module()
        model.lstm = torch.nn.LSTM(5, 4, num_layers=2)
        model.head = torch.nn.Linear(4, 2)
        self.check(model.lstm, torch.nn.DataParallel(model).state_dict())
        self.check(model.lstm, torch.compile(model).state_dict())
        self.check(model.lstm, torch.nn.DataParallel(torch.compile(model)).state_dict())
        self.check(model.lstm, torch.optim.swa_utils.AveragedModel(model).state_dict())

    def test_lightning(self):
        """What Lightning's ModelCheckpoint keeps."""
        model = torch.nn.ModuleDict({"encoder": torch.nn.LSTM(5, 4), "head": torch.nn.Linear(4, 1)})
        optimizer = torch.optim.Adam(model.parameters())
        model["head"](model["encoder"](torch.randn(3, 2, 5))[0]).sum().backward()
        optimizer.step()
        content = {"epoch": 3, "global_step": 12, "pytorch-lightning_version": "2.5.0", "state_dict": model.state_dict(),
                   "loops": {}, "callbacks": {}, "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [],
                   "hyper_parameters": {"hidden": 4, "name": "x"}}
        self.check(model["encoder"], content, name="model.ckpt")
        self.assertEqual(self.convert(self.path("model.ckpt"), "--list"), "encoder: LSTM(5, 4), float32\n")
        content["ema"] = {name: tensor + 1 for name, tensor in model.state_dict().items()}
        self.check(model["encoder"], content, "--name", "state_dict.encoder", name="model.ckpt")
        self.refused("--name: one of 'state_dict.encoder', 'ema.encoder' expected", self.path("model.ckpt"), self.out)

    def test_weight_norms(self):
        for norm in (torch.nn.utils.weight_norm, torch.nn.utils.parametrizations.weight_norm):
            for dim in (0, 1, None) if norm is torch.nn.utils.weight_norm else (0, 1):
                lstm = torch.nn.LSTM(5, 4, num_layers=2)
                for name in ("weight_hh_l0", "weight_ih_l1"):
                    norm(lstm, name, dim=dim)
                with torch.no_grad():
                    for name, parameter in lstm.named_parameters():
                        parameter += 0.1 * torch.rand_like(parameter)
                lstm(torch.randn(2, 1, 5))  # the old norm's weight is that of the last call
                self.check(lstm, lstm.state_dict())

    def test_rounded_parameters(self):
        lstm = torch.nn.LSTM(5, 4).bfloat16()
        torch.save(lstm.state_dict(), self.path("model.pt"))
        ours = self.converted(self.path("model.pt"), engine="torch")
        for name, tensor in lstm.state_dict().items():
            np.testing.assert_array_equal(ours.state_dict()[name], tensor.float().numpy())

    def test_cell(self):
        cell = torch.nn.LSTMCell(5, 4)
        torch.save({"cell." + name: tensor for name, tensor in cell.state_dict().items()}, self.path("model.pt"))
        self.assertIn("largest difference from torch", self.convert(self.path("model.pt"), self.out))
        x = torch.randn(3, 5)
        with torch.no_grad():
            self.assert_close(wavelstm.LSTMCell.load(self.out)(x.numpy())[0], cell(x)[0])

    def test_refused(self):
        path, marker = self.path("model.pt"), self.folder / "ran"
        torch.save(torch.nn.LSTM(5, 4), path)
        self.refused("a state_dict expected, which torch.load reads with weights_only=True", path, self.out)

        class Hostile:
            def __reduce__(self):
                return os.mkdir, (str(marker),)

        torch.save({"state_dict": torch.nn.LSTM(5, 4).state_dict(), "more": Hostile()}, path)
        self.refused("a state_dict expected", path, self.out)
        self.assertFalse(marker.exists())
        torch.jit.save(torch.jit.script(torch.nn.LSTM(5, 4)), path)
        self.refused("a state_dict expected, got a TorchScript program", path, self.out)
        torch.save(torch.nn.GRU(5, 4).state_dict(), path)
        self.refused("weights of 3 x 4 rows are an nn.GRU's", path, self.out)
        lstm = torch.nn.LSTM(5, 4)
        torch.nn.utils.parametrizations.spectral_norm(lstm, "weight_hh_l0")
        torch.save(lstm.state_dict(), path)
        self.refused("is of a parametrization other than weight_norm", path, self.out)
        pathlib.Path(path).write_bytes(b"not a file of torch.save's")
        self.refused("a state_dict expected", path, self.out)

    def test_save_model_of_safetensors(self):
        import safetensors.torch

        lstm = torch.nn.LSTM(4, 4, num_layers=2)
        lstm.weight_ih_l1 = lstm.weight_ih_l0
        safetensors.torch.save_model(lstm, self.path("model.safetensors"))
        ours = self.converted(self.path("model.safetensors"), engine="torch")
        x = torch.randn(6, 2, 4)
        with torch.no_grad():
            self.assert_close(ours(x.numpy())[0], lstm(x)[0])


class Model(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.lstm = torch.nn.LSTM(5, 4, **options)

    def forward(self, x):
        return self.lstm(x)[0]


class Onnx(Base):
    def node(self, directions=1, inputs=5, hidden=4, x="X", y="Y", bias=True, **attributes):
        """An LSTM node and its initializers, with random weights."""
        tensors = {y + "W": draw(directions, 4 * hidden, inputs), y + "R": draw(directions, 4 * hidden, hidden)}
        if bias:
            tensors[y + "B"] = draw(directions, 8 * hidden)
        attributes.setdefault("direction", "bidirectional" if directions == 2 else "forward")
        return helper.make_node("LSTM", [x, *tensors], [y], name=y, hidden_size=hidden, **attributes), tensors

    def save(self, nodes, tensors, outputs=("Y",), inputs=("X",), domains=()):
        value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, None)  # noqa: E731
        graph = helper.make_graph(nodes, "g", [value(name) for name in inputs], [value(name) for name in outputs],
                                  [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()])
        path = self.path("model.onnx")
        opsets = [helper.make_opsetid("", 14), *(helper.make_opsetid(domain, 1) for domain in domains)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path

    def assert_same(self, path, x, y, batch_first=False, arguments=(), engine="onnxruntime"):
        """The converted LSTM on x gives y, the model's own out."""
        ours = self.converted(path, *arguments, batch_first=batch_first, engine=engine)
        self.assert_close(ours(x)[0], y)
        return ours

    def test_exported_by_torch(self):
        for options in (dict(), dict(num_layers=3), dict(num_layers=2, bidirectional=True), dict(bias=False, batch_first=True),
                        dict(num_layers=2, batch_first=True, bidirectional=True)):
            for dynamo in (False, True):
                model, path = Model(**options).eval(), self.path("model.onnx")
                x = torch.randn(3, 2, 5)
                torch.onnx.export(model, (x,), path, dynamo=dynamo, input_names=["x"], verbose=False)
                y = onnxruntime.InferenceSession(path).run(None, {"x": x.numpy()})[0]
                ours = self.assert_same(path, x.numpy(), y, options.get("batch_first", False))
                self.assertEqual(ours.num_layers, options.get("num_layers", 1))
                self.assertEqual(ours.bidirectional, options.get("bidirectional", False))

    def test_directions_and_layouts(self):
        for directions in (1, 2):
            for layout in (0, 1):
                node, tensors = self.node(directions, layout=layout)
                path, x = self.save([node], tensors), draw(2, 3, 5) if layout else draw(3, 2, 5)
                y = onnx.reference.ReferenceEvaluator(path).run(None, {"X": x})[0]
                y = y if layout else y.transpose(0, 2, 1, 3)
                self.assert_same(path, x, y.reshape(*x.shape[:2], -1), batch_first=bool(layout))
                self.assertEqual("load it with batch_first" in self.convert(path, "--list"), bool(layout))

    def test_without_onnxruntime(self):
        node, tensors = self.node(2, layout=1)
        path = self.save([node], tensors)
        find = test_convert.mock.patch("importlib.util.find_spec", lambda name: None)
        with find:
            self.converted(path, engine="onnx")

    def test_layers_that_stand_on_each_other(self):
        squeeze = helper.make_node("Squeeze", ["Y1", "one"], ["X2"])
        first, weights = self.node(y="Y1")
        second, more = self.node(inputs=4, x="X2", y="Y")
        tensors = {**weights, **more, "one": np.array([1])}
        x = draw(3, 2, 5)
        path = self.save([first, squeeze, second], tensors)
        y = onnx.reference.ReferenceEvaluator(path).run(None, {"X": x})[0][:, 0]
        self.assertEqual(self.assert_same(path, x, y).num_layers, 2)
        self.assertIn("layers Y1, Y", self.convert(path, "--list"))
        for node in (first, second):
            node.attribute.append(helper.make_attribute("layout", 1))
        path = self.save([first, squeeze, second], {**tensors, "one": np.array([2])})
        y = onnx.reference.ReferenceEvaluator(path).run(None, {"X": x})[0][:, :, 0]
        self.assertEqual(self.assert_same(path, x, y, batch_first=True).num_layers, 2)
        for node in (first, second):
            del node.attribute[-1]
        # What is between them, or takes the lower one's outputs too, parts them.
        tanh = [helper.make_node("Squeeze", ["Y1", "one"], ["Z"]), helper.make_node("Tanh", ["Z"], ["X2"])]
        for between, outputs in ((tanh, ["Y"]), ([squeeze], ["Y", "Y1"]), ([squeeze], ["Y", "X2"])):
            path = self.save([first, *between, second], tensors, outputs)
            self.refused("2 LSTMs are inside; --name: one of 'Y1', 'Y' expected", path, self.out)
            self.assertEqual(self.converted(path, "--name", "Y", engine="onnxruntime").num_layers, 1)
        # So does another size.
        second, more = self.node(inputs=4, hidden=3, x="X2", y="Y")
        path = self.save([first, squeeze, second], {**weights, **more, "one": np.array([1])})
        self.refused("2 LSTMs are inside", path, self.out)

    def test_computed_and_constant_weights(self):
        node, tensors = self.node(2)
        halves = np.split(tensors.pop("YW"), 2)
        nodes = [helper.make_node("Constant", [], ["a"], value=numpy_helper.from_array(halves[0].transpose(0, 2, 1))),
                 helper.make_node("Transpose", ["a"], ["b"], perm=[0, 2, 1]),
                 helper.make_node("Concat", ["b", "c"], ["YW"], axis=0)]
        path, x = self.save([*nodes, node], {**tensors, "c": halves[1]}), draw(3, 2, 5)
        y = onnxruntime.InferenceSession(path).run(None, {"X": x})[0].transpose(0, 2, 1, 3).reshape(3, 2, -1)
        self.assert_same(path, x, y)
        path = self.save([*nodes, node], tensors, inputs=("X", "c"))
        self.refused("Y: W: constants expected, got what the model computes while it runs", path, self.out)

    def test_in_a_body(self):
        node, tensors = self.node()
        then = helper.make_graph([node], "then", [], [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)])
        other = helper.make_graph([helper.make_node("Identity", ["X"], ["Z"])], "else", [],
                                  [helper.make_tensor_value_info("Z", TensorProto.FLOAT, None)])
        path = self.save([helper.make_node("If", ["which"], ["out"], then_branch=then, else_branch=other)],
                         {**tensors, "which": np.array(True)}, ["out"])
        self.converted(path, engine="onnxruntime")

    def test_initial_states(self):
        note = "its initial states are not of the file's LSTM"
        for value, said in ((np.zeros, False), (np.ones, True), (None, True)):
            node, tensors = self.node()
            node.input.extend(["", "h", "c"])
            tensors["c"] = np.zeros((1, 2, 4), np.float32)
            if value:
                tensors["h"] = value((1, 2, 4), np.float32)
            path = self.save([node], tensors, inputs=("X",) if value else ("X", "h"))
            self.assertEqual(note in self.convert(path, self.out), said)

    def test_quantized(self):
        for per_channel in (False, True):
            for options in (dict(num_layers=2), dict(bidirectional=True)):
                model, full, path = Model(**options).eval(), self.path("full.onnx"), self.path("model.onnx")
                torch.onnx.export(model, (torch.randn(3, 2, 5),), full, dynamo=False, input_names=["x"], verbose=False)
                quantize_dynamic(full, path, op_types_to_quantize=["LSTM"], per_channel=per_channel,
                                 weight_type=QuantType.QInt8)
                self.assertIn("DynamicQuantizeLSTM", [node.op_type for node in onnx.load(path).graph.node])
                out = self.convert(path, self.out)
                self.assertRegex(out, "largest difference from onnxruntime .*, which rounds what it multiplies")
                ours = wavelstm.LSTM.load(self.out)
                for name, tensor in model.lstm.state_dict().items():  # half a step of 127 to the largest
                    tolerance = 0.6 * float(tensor.abs().max()) / 127 + 1e-7
                    np.testing.assert_allclose(ours.state_dict()[name], tensor.numpy(), 0, tolerance, err_msg=name)

    def test_refused(self):
        for text, attributes in (("activations HardSigmoid, Tanh, Tanh: Sigmoid, Tanh, Tanh expected",
                                  dict(activations=["HardSigmoid", "Tanh", "Tanh"])),
                                 ("clip 3: an LSTM that clips nothing expected", dict(clip=3.0)),
                                 ("input_forget 1: gates i and f of their own expected", dict(input_forget=1)),
                                 ("direction reverse: forward or bidirectional expected", dict(direction="reverse"))):
            node, tensors = self.node(**attributes)
            path = self.save([node], tensors)
            self.refused(f"{path}: Y: {text}", path, self.out)
            self.assertEqual(self.convert(path, "--list"), f"Y: not converted: {text}\n" if "HardSigmoid" not in text else
                             f"Y: not converted: {text} for each direction\n")
        node, tensors = self.node(activations=["Sigmoid", "Tanh", "Tanh"])
        node.input.extend(["", "", "", "P"])
        self.convert(self.save([node], {**tensors, "P": np.zeros((1, 12), np.float32)}), self.out)
        self.refused("P: an LSTM without peepholes expected", self.save([node], {**tensors, "P": draw(1, 12)}), self.out)
        self.refused("an LSTM expected, found none", self.save([helper.make_node("Tanh", ["X"], ["Y"])], {}), self.out)
        self.refused("an ONNX model expected", self.save([helper.make_node("LSTM", ["X"], ["Y"])], {}), self.out)
        pathlib.Path(self.path("model.onnx")).write_bytes(b"\xff\xff not protobuf")
        self.refused("model.onnx: an ONNX model expected", self.path("model.onnx"), self.out)


@keras.saving.register_keras_serializable()
class OwnPart(keras.Sequential):
    pass


class Keras(Base):
    def save(self, model):
        """Its files of both formats."""
        paths = [self.path("model.keras"), self.path("model.h5")]
        for path in paths:
            model.save(path)
        return paths

    def check(self, layers, name=None, **expected):
        """A Sequential of the layers, whose out is that of the LSTM converted."""
        model = keras.Sequential([keras.Input((None, 5)), *layers])
        for weight in model.weights:  # biases start as zeros and ones
            weight.assign(draw(*weight.shape) * 0.3)
        x = draw(3, 6, 5)
        y = model.predict(x, verbose=0)
        for path in self.save(model):
            ours = self.converted(path, *(["--name", name] if name else []), batch_first=True, engine="keras")
            for attribute, value in expected.items():
                self.assertEqual(getattr(ours, attribute), value)
            out = ours(x)[0]
            self.assert_close(out if y.ndim == 3 else out[:, -1], y)

    def test_layers(self):
        lstm, both = keras.layers.LSTM, keras.layers.Bidirectional
        self.check([lstm(4)], num_layers=1, bias=True)
        self.check([lstm(4, return_sequences=True, use_bias=False)], bias=False)
        self.check([lstm(4, return_sequences=True, name="a"), keras.layers.Dropout(0.5), lstm(4, name="b")], num_layers=2)
        self.check([both(lstm(4, return_sequences=True))], bidirectional=True)
        self.check([both(lstm(4, return_sequences=True)), both(lstm(4, return_sequences=True))], bidirectional=True,
                   num_layers=2)

    def test_what_is_not_joined(self):
        lstm = keras.layers.LSTM
        for layers in ([lstm(4, return_sequences=True, name="a"), lstm(3, name="b")],
                       [lstm(4, return_sequences=True, name="a"), keras.layers.Activation("relu"), lstm(4, name="b")],
                       [lstm(4, return_sequences=True, name="a"), keras.layers.LayerNormalization(), lstm(4, name="b")]):
            for path in self.save(keras.Sequential([keras.Input((None, 5)), *layers])):
                self.refused("2 LSTMs are inside; --name: one of 'a', 'b' expected", path, self.out)
                self.converted(path, "--name", "b", engine="keras")

    def test_functional_and_nested(self):
        lstm, x = keras.layers.LSTM, keras.Input((None, 5))
        inner = keras.Sequential([keras.Input((None, 4)), lstm(4, return_sequences=True, name="deep")], name="inner")
        first = lstm(4, return_sequences=True, name="first")(x)
        second = lstm(4, return_sequences=True, name="second")(first)
        other = OwnPart([keras.Input((None, 4)), lstm(4, return_sequences=True, name="deep")], name="other")
        model = keras.Model(x, [keras.layers.Dense(2)(other(inner(second)))])
        for path in self.save(model):
            names = [line.split(":")[0] for line in self.convert(path, "--list").splitlines()]
            self.assertEqual(names, ["first", "inner/deep", "other/deep"])
            deep = self.converted(path, "--name", "other/deep", engine="keras").state_dict()
            np.testing.assert_array_equal(deep["weight_ih_l0"], other.layers[0].get_weights()[0].T)
            self.assertEqual(self.converted(path, "--name", "first", engine="keras").num_layers, 2)
            self.converted(path, "--name", "inner/deep", engine="keras")
        # A layer whose outputs go elsewhere too is not joined; nor is one that starts from the other's states.
        skip = keras.Model(x, keras.layers.Add()([first, second]))
        out, h, c = lstm(4, return_sequences=True, return_state=True, name="encoder")(x)
        states = keras.Model(x, lstm(4, name="decoder")(out, initial_state=[h, c]))
        for model, names in ((skip, "'first', 'second'"), (states, "'encoder', 'decoder'")):
            for path in self.save(model):
                self.refused(f"--name: one of {names} expected", path, self.out)

    def test_no_code_of_the_file_is_run(self):
        marker = self.folder / "ran"
        lstm = keras.layers.LSTM(4, return_sequences=True)
        layer = keras.layers.Lambda(lambda x, path=str(marker): (__import__("os").makedirs(path, exist_ok=True), x)[1],
                                    output_shape=(None, 4))
        model = keras.Sequential([keras.Input((None, 5)), lstm, layer])
        model(draw(1, 2, 5))
        marker.rmdir()  # which that has made
        for path in self.save(model):
            self.converted(path, engine="keras")
            self.assertFalse(marker.exists())

    def test_without_names_in_the_weights(self):
        """As Keras wrote .keras before it kept them there: groups are named by class and number."""
        lstm = keras.layers.LSTM
        model = keras.Sequential([keras.Input((None, 5)), lstm(4, return_sequences=True, name="x"), keras.layers.Dense(3),
                                  lstm(3, name="y")])
        model.save(self.path("model.keras"))
        import io
        import zipfile

        with zipfile.ZipFile(self.path("model.keras")) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        store = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(store, "r+") as file:
            file.visititems(lambda name, group: group.attrs.pop("name", None))
        parts["model.weights.h5"] = store.getvalue()
        with zipfile.ZipFile(self.path("model.keras"), "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        x = draw(2, 4, 5)
        hidden = model.layers[1](model.layers[0](x))
        ours = self.converted(self.path("model.keras"), "--name", "y", batch_first=True, engine="keras")
        self.assert_close(ours(hidden.detach().numpy())[0][:, -1], model.predict(x, verbose=0))

    def test_refused(self):
        lstm, both = keras.layers.LSTM, keras.layers.Bidirectional
        for layer, text in ((lstm(4, recurrent_activation="hard_sigmoid", name="a"),
                             "a: recurrent_activation hard_sigmoid: sigmoid expected"),
                            (lstm(4, activation="relu", name="a"), "a: activation relu: tanh expected"),
                            (lstm(4, go_backwards=True, name="a"), "a: go_backwards True: False expected"),
                            (both(lstm(4), merge_mode="sum", name="a"), "a: merge_mode sum: concat expected"),
                            (both(keras.layers.GRU(4), name="a"), "an LSTM expected, found none"),
                            (keras.layers.RNN(keras.layers.LSTMCell(4), name="a"), "a: layer RNN: keras.layers.LSTM"),
                            (both(lstm(4), backward_layer=lstm(3, go_backwards=True), name="a"),
                             "units and use_bias of both directions")):
            for path in self.save(keras.Sequential([keras.Input((None, 5)), layer])):
                self.refused(text, path, self.out)
        model = keras.Sequential([keras.Input((None, 5)), lstm(4)])
        model.save_weights(self.path("model.weights.h5"))
        self.refused("a whole model expected, got weights alone", self.path("model.weights.h5"), self.out)
        for name in ("broken.keras", "broken.h5"):
            pathlib.Path(self.path(name)).write_bytes(b"neither")
            self.refused("a model that Keras saved expected", self.path(name), self.out)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    unittest.main(warnings="ignore")
