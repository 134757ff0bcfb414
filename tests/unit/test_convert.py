#!/usr/bin/env python3
"""wavelstm-convert on what NumPy alone can read, safetensors, and its command line; check_convert.py has the other formats.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/unit/test_convert.py
"""
import contextlib
import io
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest
from unittest import mock

import numpy as np

import wavelstm
from wavelstm._convert._main import main

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEED = int(os.environ.get("WLSTM_TEST_SEED", "12"))
generator = np.random.default_rng(SEED)
DTYPES = {"float32": "F32", "float64": "F64", "float16": "F16", "int8": "I8"}


def setUpModule():
    print(f"WLSTM_TEST_SEED={SEED}", file=sys.stderr)


def draw(*shape, dtype="float32"):
    return generator.standard_normal(shape).astype(dtype)


def parameters(inputs, hidden, layers=1, gates=4, dtype="float32"):
    """A state_dict, of an nn.LSTM if there are four gates."""
    state = {}
    for layer in range(layers):
        state[f"weight_ih_l{layer}"] = draw(gates * hidden, inputs if layer == 0 else hidden, dtype=dtype)
        state[f"weight_hh_l{layer}"] = draw(gates * hidden, hidden, dtype=dtype)
        for bias in ("bias_ih", "bias_hh"):
            state[f"{bias}_l{layer}"] = draw(gates * hidden, dtype=dtype)
    return state


def prefixed(prefix, state):
    return {prefix + name: array for name, array in state.items()}


class Base(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = str(self.folder / "out.safetensors")

    def write(self, name, tensors, metadata=None):
        """A safetensors file of the arrays."""
        header, data = ({"__metadata__": metadata} if metadata else {}), b""
        for key, array in tensors.items():
            offsets = [len(data), len(data) + array.nbytes]
            header[key] = {"dtype": DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": offsets}
            data += array.tobytes()
        text = json.dumps(header).encode()
        path = self.folder / name
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return str(path)

    def run_main(self, *arguments):
        """Exit status, standard output, standard error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                status = main([str(argument) for argument in arguments])
            except SystemExit as end:
                status = end.code
        return status, out.getvalue(), err.getvalue()

    def convert(self, *arguments):
        status, out, err = self.run_main(*arguments)
        self.assertEqual((status, err), (0, ""), out)
        return out

    def refused(self, text, *arguments, status=1):
        """Fails with that text and leaves what was there as it was."""
        before = {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        got, out, err = self.run_main(*arguments)
        self.assertEqual(got, status, out + err)
        self.assertIn(text, err)
        self.assertEqual(out, "")
        self.assertEqual({path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}, before)

    def assert_state(self, expected, path=None, prefix=""):
        got = wavelstm.LSTM.load(path or self.out, prefix).state_dict()
        self.assertEqual(set(got), set(expected))
        for name, array in expected.items():
            np.testing.assert_array_equal(got[name], array, name)


class Safetensors(Base):
    def test_names_of_wrappers_are_left_out(self):
        state = parameters(3, 4, layers=2)
        for prefix in ("", "lstm.", "module.lstm.", "_orig_mod.lstm.",
                       "module._orig_mod.encoder.lstm.", "encoder._orig_mod.lstm."):
            path = self.write("in.safetensors", {**prefixed(prefix, state), "head.weight": draw(2, 4)})
            self.convert(path, self.out)
            self.assert_state(state)
        self.assertEqual(self.run_main(path, "--list")[1], "encoder.lstm: LSTM(3, 4, num_layers=2), float32\n")

    def test_names_that_would_be_the_same_stay(self):
        tensors = {**prefixed("module.lstm.", parameters(3, 4)), **prefixed("lstm.", parameters(5, 6))}
        path = self.write("in.safetensors", tensors)
        self.assertEqual(self.convert(path, "--list"), "module.lstm: LSTM(3, 4), float32\nlstm: LSTM(5, 6), float32\n")

    def test_one_of_several(self):
        encoder, decoder = parameters(3, 4), parameters(5, 6)
        path = self.write("in.safetensors", {**prefixed("encoder.lstm.", encoder), **prefixed("decoder.", decoder)})
        self.refused(f"{path}: 2 LSTMs are inside; --name: one of 'encoder.lstm', 'decoder' expected", path, self.out)
        self.refused("--name: one of 'encoder.lstm', 'decoder' expected, got 'head'", path, self.out, "--name", "head")
        self.convert(path, self.out, "--name", "encoder.lstm")
        self.assert_state(encoder)
        self.convert(path, self.out, "--name", "decoder.", "--prefix", "rnn.")
        self.assert_state(decoder, prefix="rnn.")

    def test_shards_by_index(self):
        state = prefixed("lstm.", parameters(3, 4, layers=3))
        names = sorted(state)
        shards = {"a-1.safetensors": names[::2], "a-2.safetensors": names[1::2]}
        for file, inside in shards.items():
            self.write(file, {name: state[name] for name in inside})
        index = self.folder / "a.safetensors.index.json"
        places = {name: file for file, inside in shards.items() for name in inside}
        index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
        self.convert(index, self.out)
        self.assert_state({name[len("lstm."):]: array for name, array in state.items()})
        self.refused("another file than", index, self.folder / "a-2.safetensors")
        index.write_text("[]")
        self.refused(f"{index}: a safetensors file expected", index, self.out)
        index.write_text(json.dumps({"weight_map": {"a": "nowhere.safetensors"}}))
        self.refused("nowhere.safetensors: No such file or directory", index, self.out)

    def test_tied_tensors_by_metadata(self):
        state = parameters(4, 4, layers=2)
        for name in ("weight_ih", "weight_hh"):
            state[name + "_l1"] = state[name + "_l0"]
        kept = {name: array for name, array in state.items() if name not in ("weight_ih_l1", "weight_hh_l1")}
        tied = {"weight_ih_l1": "weight_ih_l0", "weight_hh_l1": "weight_hh_l0", "format": "pt"}
        self.convert(self.write("in.safetensors", kept, tied), self.out)
        self.assert_state(state)

    def test_weight_norms_are_folded(self):
        for parts, before in ((("_g", "_v"), ""), ((".original0", ".original1"), "parametrizations.")):
            for axes, g_shape in (((1,), (16, 1)), ((0,), (1, 4)), ((0, 1), ())):
                state = parameters(3, 4)
                g, v = np.abs(draw(*g_shape)), draw(16, 4)
                g = np.asarray(g, np.float32)  # also where it is one number
                tensors = {name: array for name, array in state.items() if name != "weight_hh_l0"}
                tensors.update({before + "weight_hh_l0" + parts[0]: g, before + "weight_hh_l0" + parts[1]: v})
                out = self.convert(self.write("in.safetensors", prefixed("rnn.", tensors)), self.out)
                self.assertIn("weight norms are folded", out)
                norms = np.sqrt(np.sum(v.astype(float) ** 2, axis=axes, keepdims=bool(g_shape)))
                state["weight_hh_l0"] = (v.astype(float) * (g.astype(float) / norms)).astype(np.float32)
                self.assert_state(state)

    def test_other_parametrizations_are_refused(self):
        state = parameters(3, 4)
        state["weight_hh_l0_orig"] = state.pop("weight_hh_l0")
        path = self.write("in.safetensors", state)
        self.refused("weight_hh_l0_orig is of a parametrization other than weight_norm", path, self.out)

    def test_dtypes(self):
        for dtype, ours in (("float64", np.float64), ("float16", np.float32)):
            state = parameters(3, 4, dtype=dtype)
            self.convert(self.write("in.safetensors", state), self.out)
            self.assertEqual(wavelstm.LSTM.load(self.out).dtype, ours)
            self.assert_state(state)
        state = parameters(3, 4)
        state["weight_hh_l0"] = state["weight_hh_l0"].astype(np.int8)
        self.refused("floating-point parameters expected, got I8", self.write("in.safetensors", state), self.out)

    def test_what_save_writes(self):
        for made in (dict(num_layers=2, bidirectional=True), dict(proj_size=2, num_layers=2), dict(bias=False)):
            lstm = wavelstm.LSTM(3, 4, **made)
            path = str(self.folder / "in.safetensors")
            lstm.save(path, "a.b.")
            self.convert(path, self.out)
            self.assert_state(lstm.state_dict())
        cell = wavelstm.LSTMCell(3, 4)
        cell.save(path, "cell.")
        self.assertIn("LSTMCell(3, 4)", self.convert(path, self.out))
        for name, array in cell.state_dict().items():
            np.testing.assert_array_equal(wavelstm.LSTMCell.load(self.out).state_dict()[name], array)

    def test_other_modules_are_refused(self):
        self.refused("gru: weights of 3 x 4 rows are an nn.GRU's; an LSTM's have 4 x 4",
                     self.write("in.safetensors", prefixed("gru.", parameters(3, 4, gates=3))), self.out)
        self.refused("the LSTM: weights of 1 x 4 rows are an nn.RNN's",
                     self.write("in.safetensors", parameters(3, 4, gates=1)), self.out)
        gru = prefixed("gru.", parameters(3, 4, gates=3))
        path = self.write("in.safetensors", {**gru, **prefixed("lstm.", parameters(3, 4))})
        self.convert(path, self.out)
        self.refused("gru: weights of 3 x 4 rows", path, self.out, "--name", "gru")
        self.assertIn("gru: not converted: weights of 3 x 4", self.convert(path, "--list"))
        self.refused("an LSTM expected, found none", self.write("in.safetensors", {"a.weight": draw(2, 2)}), self.out)

    def test_what_is_not_whole_is_refused(self):
        state = parameters(3, 4, layers=2)
        without = {name: array for name, array in state.items() if name != "weight_hh_l1"}
        self.refused("expected: weight_hh_l1 (16, 4)", self.write("in.safetensors", without), self.out)
        self.refused("expected: weight_hh_l1 (16, 4)",
                     self.write("in.safetensors", {**state, "weight_hh_l1": draw(16, 3)}), self.out)
        self.refused("expected: no weight_hh_l0_reverse",
                     self.write("in.safetensors", {**parameters(3, 4), "weight_hh_l0_reverse": draw(16, 4)}), self.out)

    def test_broken_files_are_refused(self):
        path = self.folder / "in.safetensors"
        whole = pathlib.Path(self.write("in.safetensors", parameters(3, 4))).read_bytes()
        for content in (b"", b"abc", b"\xff" * 64, b"\x08" + bytes(7) + b"[1,2,3] ", whole[:40]):
            path.write_bytes(content)
            self.refused(f"{path}: a safetensors file expected", path, self.out)
        path.write_bytes(whole[:-5])  # which the library says, when it reads
        self.refused(str(path), path, self.out)


class CommandLine(Base):
    def test_usage(self):
        path = self.write("in.safetensors", parameters(3, 4))
        self.refused("OUT.safetensors or --list expected", path, status=2)
        self.refused("a name that ends in .safetensors expected, got 'out.onnx'", path, "out.onnx", status=2)
        self.refused("IN", status=2)
        self.refused("model.txt: a name that ends in one of .pt, .pth", "model.txt", self.out)

    def test_files_that_cannot_be_read_or_written(self):
        path = self.write("in.safetensors", parameters(3, 4))
        self.refused("nowhere.safetensors: No such file or directory", "nowhere.safetensors", self.out)
        self.refused("No such file or directory", path, self.folder / "nowhere" / "out.safetensors")
        self.refused("another file than", path, path)
        link = self.folder / "link.safetensors"
        link.symlink_to(path)
        self.refused("another file than", path, link)

    def test_what_is_to_be_installed(self):
        for name, package in (("a.pt", "torch"), ("a.ckpt", "torch"),
                              ("a.onnx", "onnx"), ("a.keras", "h5py"), ("a.h5", "h5py")):
            path = self.folder / name
            path.write_bytes(b"abc")
            with mock.patch.dict(sys.modules, {package: None}):
                self.refused(f"pip install {package}", path, self.out)

    def test_another_result_is_not_written(self):
        path = self.write("in.safetensors", parameters(3, 4))
        wrong = lambda found: (lambda x: np.zeros((*x.shape[:2], 4)), lambda: "an engine")  # noqa: E731
        with mock.patch("wavelstm._convert._torch_files.engine", wrong):
            self.refused("largest difference from an engine", path, self.out)
        broken = lambda found: (lambda x: 1 / 0, None)  # noqa: E731
        with mock.patch("wavelstm._convert._torch_files.engine", broken):
            self.assertIn("not compared: ZeroDivisionError", self.convert(path, self.out))

    def test_manual(self):
        status, text, _ = self.run_main("--help")
        self.assertEqual(status, 0)
        page = (ROOT / "docs/man/wavelstm-convert.1").read_text(encoding="utf-8")
        documented = {"--" + name for name in re.findall(r"^\.It Fl Fl ([a-z]+)", page, re.M)}
        self.assertEqual(set(re.findall(r"--[a-z]+", text)), documented)
        self.assertEqual(self.run_main("--version")[1], f"wavelstm-convert {wavelstm.__version__}\n")


if __name__ == "__main__":
    unittest.main()
