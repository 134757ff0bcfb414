#!/usr/bin/env python3
"""What the Python package's modules keep: parameters, files, layers of a file, bfloat16, packed weights, precision.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/unit/test_python_parameters.py
"""
import copy
import pathlib
import pickle
import sys
import tempfile
import unittest

import numpy as np

import wavelstm

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from python_tests import Base, draw, setUpModule  # noqa: E402, F401


class Parameters(Base):
    def test_names_and_shapes(self):
        lstm = wavelstm.LSTM(4, 3, 2, bidirectional=True, proj_size=2)
        shapes = {name: array.shape for name, array in lstm.state_dict().items()}
        self.assertEqual(list(shapes)[:6], ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0",
                                            "weight_ih_l0_reverse"])
        self.assertEqual(len(shapes), 20)
        self.assertEqual(shapes["weight_ih_l1_reverse"], (12, 4))
        self.assertEqual(shapes["bias_hh_l1"], (12,))
        self.assertEqual(list(wavelstm.LSTMCell(4, 3, bias=False).state_dict()), ["weight_ih", "weight_hh"])

    def test_load_state_dict(self):
        lstm = wavelstm.LSTM(4, 3)
        state = {name: draw(*array.shape) for name, array in lstm.state_dict().items()}
        before = lstm(np.ones((2, 1, 4), np.float32))[0]
        lstm.load_state_dict({name: array.astype(np.float64) for name, array in state.items()})
        np.testing.assert_equal(lstm.state_dict(), state)
        np.testing.assert_array_equal(lstm.weight_hh_l0, state["weight_hh_l0"])
        self.assertFalse(np.array_equal(lstm(np.ones((2, 1, 4), np.float32))[0], before))
        with self.assertRaises(ValueError):
            lstm.weight_hh_l0[0, 0] = 1  # a copy: writing to it would be lost
        self.assert_raises(AttributeError, "weight_hh_l1", getattr, lstm, "weight_hh_l1")
        self.assert_raises(RuntimeError, "missing ['bias_hh_l0']", lstm.load_state_dict,
                           {name: array for name, array in state.items() if name != "bias_hh_l0"})
        self.assert_raises(RuntimeError, "unexpected ['extra']", lstm.load_state_dict, {**state, "extra": 1})
        self.assert_raises(RuntimeError, "weight_ih_l0: size (12, 4) expected, got (12, 5)", lstm.load_state_dict,
                           {**state, "weight_ih_l0": draw(12, 5)})
        lstm.load_state_dict({"bias_hh_l0": np.zeros(12)}, strict=False)
        np.testing.assert_array_equal(lstm.bias_hh_l0, np.zeros(12))

    def test_reset_parameters(self):
        lstm = wavelstm.LSTM(4, 16)
        first = lstm.state_dict()
        lstm.reset_parameters(5)
        self.assertFalse(np.array_equal(lstm.weight_ih_l0, first["weight_ih_l0"]))
        self.assertTrue(all(np.abs(array).max() <= 0.25 for array in lstm.state_dict().values()))
        lstm.reset_parameters()
        np.testing.assert_equal(lstm.state_dict(), first)

    def test_files(self):
        x = draw(4, 2, 4, dtype=np.float64)
        lstm = wavelstm.LSTM(4, 3, 2, batch_first=True, bidirectional=True, proj_size=2, bias=False, dtype="float64")
        cell = wavelstm.LSTMCell(4, 3)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "m.safetensors"
            wavelstm.export(lstm, path, "encoder.lstm.")
            loaded = wavelstm.LSTM.load(path, "encoder.lstm.", batch_first=True)
            self.assertEqual(repr(loaded), repr(lstm))
            self.assertEqual(loaded.dtype, np.float64)
            np.testing.assert_equal(loaded(x), lstm(x))
            self.assertEqual(wavelstm.LSTM.load(path, "encoder.lstm.", dtype=np.float32).dtype, np.float32)
            self.assert_raises(ValueError, "expected, got none", wavelstm.LSTM.load, path)
            wavelstm.export(cell, path)
            np.testing.assert_equal(wavelstm.LSTMCell.load(str(path)).state_dict(), cell.state_dict())
            self.assert_raises(ValueError, "path: no null character", wavelstm.LSTM.load, f"{path}\0x")
            self.assert_raises(ValueError, "prefix: no null character", wavelstm.export, cell, path, "a\0")
            path.write_bytes(b"no")
            self.assert_raises(ValueError, str(path), wavelstm.LSTM.load, path)
            self.assert_raises(OSError, "No such file", wavelstm.LSTM.load, path.with_name("none"))
            self.assert_raises(OSError, "", wavelstm.export, lstm, pathlib.Path(directory) / "no" / "m")

    def test_read_tensor(self):
        cell = wavelstm.LSTMCell(4, 3)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "m.safetensors"
            wavelstm.export(cell, path, "cell.")
            for dtype in (None, "float32", np.float64):
                read = wavelstm.read_tensor(path, "cell.weight_ih", dtype)
                self.assertEqual(read.dtype, np.float32 if dtype is None else dtype)
                np.testing.assert_equal(read, cell.weight_ih.astype(read.dtype))
            self.assertEqual(wavelstm.read_tensor(str(path), "cell.bias_hh").shape, (12,))
            self.assert_raises(ValueError, "'cell.weight_ih'", wavelstm.read_tensor, path, "weight_ih")
            self.assert_raises(ValueError, "name: no null character", wavelstm.read_tensor, path, "cell.weight_ih\0")
            self.assert_raises(TypeError, "name: a str expected, got bytes", wavelstm.read_tensor, path, b"cell.weight_ih")
            self.assert_raises(TypeError, "prefix: a str expected, got bytes", wavelstm.LSTMCell.load, path, b"cell.")
            self.assert_raises(TypeError, "prefix: a str expected, got NoneType", cell.save, path, None)
            self.assert_raises(ValueError, "dtype: float32, float64 or bfloat16", wavelstm.read_tensor, path, "cell.weight_ih", "int8")
            self.assertEqual(wavelstm.read_tensor(path, "cell.weight_ih", "torch.bfloat16").dtype, np.uint16)
            self.assert_raises(OSError, "No such file", wavelstm.read_tensor, path.with_name("none"), "cell.weight_ih")

    def test_pickle_and_copy(self):
        lstm = wavelstm.LSTM(4, 3, 2, batch_first=True, dropout=0.25, dtype="float64")
        lstm.reset_parameters(7)
        x = draw(2, 5, 4, dtype=np.float64)
        for twin in (pickle.loads(pickle.dumps(lstm)), copy.deepcopy(lstm)):
            self.assertEqual(repr(twin), "LSTM(4, 3, num_layers=2, batch_first=True, dropout=0.25)")
            np.testing.assert_equal(twin(x), lstm(x))


class Layers(Base):
    def test_parts_of_a_file_follow_each_other(self):
        x = draw(5, 3, 9)
        lstm = wavelstm.LSTM(9, 7, 3)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "m.safetensors"
            lstm.save(path)
            below, above = wavelstm.LSTM.load(path, num_layers=1), wavelstm.LSTM.load(path, first_layer=1)
            self.assertEqual((below.num_layers, above.num_layers, above.input_size), (1, 2, 7))
            np.testing.assert_equal(above(below(x)[0])[0], lstm(x)[0])
            self.assert_raises(ValueError, "first_layer: 0 to 2", wavelstm.LSTM.load, path, first_layer=3)
            self.assert_raises(ValueError, "num_layers: None or at least 1", wavelstm.LSTM.load, path, num_layers=0)


class Bfloat16(Base):
    """Its arrays are uint16 here, the upper halves of float32."""

    @staticmethod
    def halves(values):
        pattern = np.ascontiguousarray(values, np.float32).view(np.uint32)
        return ((pattern + 0x7FFF + (pattern >> 16 & 1)) >> 16).astype(np.uint16)

    @staticmethod
    def floats(halves):
        return (halves.astype(np.uint32) << 16).view(np.float32)

    def test_results_are_near(self):
        lstm = wavelstm.LSTM(9, 17, 2, bidirectional=True, dtype="bfloat16")
        twin = wavelstm.LSTM(9, 17, 2, bidirectional=True)
        twin.load_state_dict({name: self.floats(halves) for name, halves in lstm.state_dict().items()})
        x = self.halves(draw(5, 3, 9))
        states = self.halves(draw(4, 3, 17)), self.halves(draw(4, 3, 17))
        out, (h_n, c_n) = lstm(x, states, lengths=[5, 1, 4])
        wide, (wide_h, wide_c) = twin(self.floats(x), tuple(map(self.floats, states)), lengths=[5, 1, 4])
        for narrow, full in ((out, wide), (h_n, wide_h), (c_n, wide_c)):
            self.assertEqual((narrow.dtype, narrow.shape), (np.uint16, full.shape))
            np.testing.assert_allclose(self.floats(narrow), full, rtol=2e-2, atol=2e-2)
        self.assert_raises(ValueError, "bfloat16's bits in an array of uint16", lstm, self.floats(x))
        difference = wavelstm.LSTM(9, 17, dtype="bfloat16", precision="int8").compare(x).out
        self.assertTrue(0 < difference.relative < 0.05)

    def test_parameters(self):
        lstm, values = wavelstm.LSTM(4, 3, dtype="bfloat16"), draw(12, 4)
        values[0, :2] = np.nan, np.inf
        lstm.load_state_dict({"weight_ih_l0": values, "bias_hh_l0": [1.0, 0.5] * 6}, strict=False)
        stored = lstm.weight_ih_l0
        self.assertTrue(np.isnan(self.floats(stored)[0, 0]))
        np.testing.assert_equal(stored.ravel()[1:], self.halves(values).ravel()[1:])
        np.testing.assert_equal(lstm.bias_hh_l0, [0x3F80, 0x3F00] * 6)
        twin = pickle.loads(pickle.dumps(lstm))
        np.testing.assert_equal(twin.weight_ih_l0, stored)  # bits are taken as they are
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "m.safetensors"
            lstm.save(path)
            self.assertEqual(wavelstm.LSTM.load(path).weight_ih_l0.dtype, np.float32)
            loaded = wavelstm.LSTM.load(path, dtype="bfloat16", compact=True)
            np.testing.assert_equal(wavelstm.read_tensor(path, "weight_ih_l0", "bfloat16"), stored)
        x = self.halves(draw(2, 2, 4))
        np.testing.assert_equal(loaded(x)[0], lstm(x)[0])

    def test_cells(self):
        cell, x = wavelstm.LSTMCell(6, 5, dtype="bfloat16"), self.halves(draw(3, 6))
        h, c = cell(x)
        self.assertEqual((h.dtype, c.shape), (np.uint16, (3, 5)))

    def test_usual_calls(self):
        lstm, x = wavelstm.LSTM(6, 5, dtype="bfloat16"), draw(4, 3, 6)
        if not lstm.usual_call:
            self.skipTest("the package has no compiled module")
        halves = self.halves(x)
        np.testing.assert_equal(lstm.usual_call(halves, None, None), lstm(halves, lengths=[4] * 3))
        for other in (x, halves.view(np.int16), halves.view(np.float16)):
            self.assertIsNone(lstm.usual_call(other, None, None))


class Compact(Base):
    def test_results_are_the_same(self):
        x = draw(5, 3, 9)
        lstm = wavelstm.LSTM(9, 17, 2, precision="int8")
        out = lstm(x)[0]
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "m.safetensors"
            lstm.save(path)
            loaded = wavelstm.LSTM.load(path, precision="int8", compact=True)
            np.testing.assert_equal(loaded(x)[0], out)
            lstm.compact()
            np.testing.assert_equal(lstm(x)[0], out)
            self.assertEqual(loaded.precision, "int8")
            refused = "got a compact one"
            for call in (lstm.state_dict, lstm.reset_parameters, lambda: lstm.save(path), lambda: lstm.bias_ih_l0,
                         lambda: copy.copy(lstm), lambda: lstm.compare(x), lambda: pickle.dumps(loaded)):
                self.assert_raises(NotImplementedError, refused, call)
            self.assert_raises(NotImplementedError, "default or int8", setattr, lstm, "precision", "bf16")
            self.assert_raises(TypeError, "compact should be of type bool", wavelstm.LSTM.load, path, compact=1)

    def test_cells(self):
        x = draw(3, 6)
        cell = wavelstm.LSTMCell(6, 5)
        h, c = cell(x)
        with tempfile.TemporaryDirectory() as directory:
            cell.save(pathlib.Path(directory) / "m.safetensors")
            loaded = wavelstm.LSTMCell.load(pathlib.Path(directory) / "m.safetensors", compact=True)
        cell.compact()
        for compact in (cell, loaded):
            np.testing.assert_equal(compact(x), (h, c))
        self.assert_raises(NotImplementedError, "got a compact one", cell.state_dict)


class Precision(Base):
    def test_it_is_taken_shown_and_kept(self):
        x = draw(5, 3, 9)
        lstm = wavelstm.LSTM(9, 17, 2)
        results = {None: lstm(x)[0]}
        with tempfile.TemporaryDirectory() as directory:
            lstm.save(pathlib.Path(directory) / "m.safetensors")
            for precision in ("full", "bf16", "int8"):
                lstm.precision = precision
                results[precision] = lstm(x)[0]
                loaded = wavelstm.LSTM.load(pathlib.Path(directory) / "m.safetensors", precision=precision)
                for twin in (loaded, wavelstm.LSTM(9, 17, 2, precision=precision), pickle.loads(pickle.dumps(lstm)), copy.copy(lstm)):
                    self.assertEqual(twin.precision, precision)
                    np.testing.assert_equal(twin(x)[0], results[precision])
        self.assertEqual(repr(lstm), "LSTM(9, 17, num_layers=2, precision='int8')")
        np.testing.assert_equal(results["full"], results[None])
        for rounded in ("bf16", "int8"):
            apart = np.max(np.abs(results[rounded] - results["full"]))
            self.assertTrue(1e-6 < apart < 2e-2, f"{rounded}: {apart}")
        self.assertFalse(np.array_equal(results["bf16"], results["int8"]))
        lstm.precision = None
        np.testing.assert_equal(lstm(x)[0], results[None])

    def test_cells(self):
        x = draw(3, 6)
        cell = wavelstm.LSTMCell(6, 5, precision="int8")
        lstm = wavelstm.LSTM(6, 5, precision="int8")
        lstm.load_state_dict({name + "_l0": array for name, array in cell.state_dict().items()})
        self.assertEqual(cell.precision, "int8")
        np.testing.assert_equal(cell(x)[0], lstm(x[None])[0][0])

    def test_errors(self):
        lstm = wavelstm.LSTM(4, 3)
        for wrong in ("int4", "INT8", 1):
            self.assert_raises(ValueError, f"precision: None, 'full', 'bf16' or 'int8' expected, got {wrong!r}",
                               setattr, lstm, "precision", wrong)
        self.assert_raises(ValueError, "precision", wavelstm.LSTM, 4, 3, precision="half")
        self.assert_raises(NotImplementedError, "precision: default or full expected with parameters of f64, got int8",
                           wavelstm.LSTMCell, 4, 3, dtype="float64", precision="int8")
        self.assertEqual(wavelstm.LSTM(4, 3, dtype="float64", precision="full").precision, "full")
        lstm.precision = "bf16"
        self.assert_raises(ValueError, "precision", setattr, lstm, "precision", "int4")
        self.assertEqual(lstm.precision, "bf16")

    def test_compare(self):
        lstm, x, states = wavelstm.LSTM(9, 17, 2, precision="int8"), draw(5, 3, 9), (draw(2, 3, 17), draw(2, 3, 17))
        found = lstm.compare(x, states, lengths=[5, 2, 4])
        out, (h_n, c_n) = lstm(x, states, lengths=[5, 2, 4])
        full, (full_h_n, full_c_n) = wavelstm.LSTM(9, 17, 2, precision="full")(x, states, lengths=[5, 2, 4])
        for got, values, expected in ((found.out, out, full), (found.h_n, h_n, full_h_n), (found.c_n, c_n, full_c_n)):
            apart = np.abs(values.astype(float) - expected)
            self.assertEqual(got.largest, apart.max())
            self.assertAlmostEqual(got.mean, apart.mean(), 12)
            self.assertAlmostEqual(got.relative, np.linalg.norm(apart) / np.linalg.norm(expected.astype(float)), 12)
        self.assertTrue(found.seconds > 0 and found.full_seconds > 0)
        self.assertEqual(lstm.precision, "int8")
        lstm.precision = "full"
        x[0, 0, 0] = np.nan  # the same NaN in both is no difference
        self.assertEqual(lstm.compare(x)[:3], ((0, 0, 0),) * 3)
        self.assert_raises(TypeError, "input: a numpy.ndarray or torch.Tensor expected", lstm.compare, [1.0])


if __name__ == "__main__":
    unittest.main()
