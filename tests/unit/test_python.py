#!/usr/bin/env python3
"""The Python package on NumPy arrays: numbers, shapes, states, results in place, errors, threads. Needs no torch.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/unit/test_python.py
"""
import itertools
import os
import pathlib
import subprocess
import sys
import threading
import unittest

import numpy as np

import wavelstm
from wavelstm import _library

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from python_tests import Base, draw, setUpModule  # noqa: E402, F401


def step(weights, x, h, c):
    """One LSTMCell step in float64; weights: ih, hh, biases (or none), hr (or none)."""
    w_ih, w_hh, bias, w_hr = weights
    i, f, g, o = np.split(x @ w_ih.T + h @ w_hh.T + bias, 4, axis=-1)
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return (h if w_hr is None else h @ w_hr.T), c


def reference(lstm, x, h_0, c_0, lengths):
    """torch.nn.LSTM's definition, row by row, on x [T, B, I]."""
    state = {name: array.astype(np.float64) for name, array in lstm.state_dict().items()}
    directions = 2 if lstm.bidirectional else 1
    layer_input = [x[:length, b].astype(np.float64) for b, length in enumerate(lengths)]
    h_n, c_n = h_0.astype(np.float64), c_0.astype(np.float64)
    for layer in range(lstm.num_layers):
        outputs = [[] for _ in layer_input]
        for direction in range(directions):
            suffix, block = f"_l{layer}" + "_reverse" * direction, layer * directions + direction
            bias = state["bias_ih" + suffix] + state["bias_hh" + suffix] if lstm.bias else 0.0
            weights = (state["weight_ih" + suffix], state["weight_hh" + suffix], bias, state.get("weight_hr" + suffix))
            for b, rows in enumerate(layer_input):
                h, c, steps = h_n[block, b], c_n[block, b], []
                for row in rows[::-1] if direction else rows:
                    h, c = step(weights, row, h, c)
                    steps.append(h)
                outputs[b].append(np.array(steps[::-1] if direction else steps))
                h_n[block, b], c_n[block, b] = h, c
        layer_input = [np.concatenate(parts, axis=-1) for parts in outputs]
    out = np.zeros((*x.shape[:2], layer_input[0].shape[-1]))
    for b, rows in enumerate(layer_input):
        out[:len(rows), b] = rows
    return out, h_n, c_n


class LSTM(Base):
    def test_numbers_and_shapes(self):
        options = itertools.product((np.float32, np.float64), (False, True), (False, True), (0, 3), (False, True), (1, 2))
        for dtype, bidirectional, batch_first, proj_size, bias, num_layers in options:
            lstm = wavelstm.LSTM(6, 5, num_layers, bias, batch_first, 0.5, bidirectional, proj_size, dtype=dtype)
            blocks, width = num_layers * (1 + bidirectional), proj_size or 5
            x, h_0, c_0 = draw(4, 3, 6, dtype=dtype), draw(blocks, 3, width, dtype=dtype), draw(blocks, 3, 5, dtype=dtype)
            for lengths in (None, [2, 4, 1]):
                expected = reference(lstm, x, h_0, c_0, lengths or [4, 4, 4])
                given = np.ascontiguousarray(x.swapaxes(0, 1)) if batch_first else x
                out, (h_n, c_n) = lstm(given, (h_0, c_0), lengths=lengths)
                self.assertEqual({out.dtype, h_n.dtype, c_n.dtype}, {np.dtype(dtype)})
                self.assertEqual(out.shape, (*given.shape[:2], (1 + bidirectional) * width))
                for actual, right in zip((out.swapaxes(0, 1) if batch_first else out, h_n, c_n), expected):
                    self.assertEqual(actual.shape, right.shape)
                    self.assert_close(actual, right, repr(lstm))

    def test_states_default_to_zeros(self):
        lstm = wavelstm.LSTM(4, 3, 2, proj_size=2)
        x = draw(5, 2, 4)
        zeros = (np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 3), np.float32))
        np.testing.assert_equal(lstm(x), lstm(x, zeros))

    def test_states_carry_on(self):
        lstm = wavelstm.LSTM(4, 9, 2)
        x = draw(7, 2, 4)
        out, states = lstm(x)
        first, between = lstm(x[:3])
        second, last = lstm(x[3:], between)
        np.testing.assert_array_equal(np.concatenate((first, second)), out)
        np.testing.assert_equal(last, states)

    def test_unbatched(self):
        for batch_first in (False, True):
            lstm = wavelstm.LSTM(4, 3, 2, batch_first=batch_first, bidirectional=True)
            x, h_0, c_0 = draw(5, 4), draw(4, 3), draw(4, 3)
            out, (h_n, c_n) = lstm(x, (h_0, c_0))
            self.assertEqual((out.shape, h_n.shape, c_n.shape), ((5, 6), (4, 3), (4, 3)))
            axis = 0 if batch_first else 1
            batched, (h_b, c_b) = lstm(np.expand_dims(x, axis), (h_0[:, None], c_0[:, None]))
            np.testing.assert_array_equal(out, batched.squeeze(axis))
            np.testing.assert_array_equal(h_n, h_b[:, 0])
            np.testing.assert_array_equal(c_n, c_b[:, 0])

    def test_batch_0(self):
        lstm = wavelstm.LSTM(3, 4)
        out, (h_n, c_n) = lstm(np.empty((5, 0, 3), np.float32))
        self.assertEqual((out.shape, h_n.shape, c_n.shape), ((5, 0, 4), (1, 0, 4), (1, 0, 4)))
        self.assertEqual(lstm(np.empty((5, 0, 3), np.float32), lengths=[])[0].shape, (5, 0, 4))

    def test_strided_read_only_and_unaligned_inputs(self):
        lstm = wavelstm.LSTM(4, 3)
        x = draw(5, 2, 4)
        expected = lstm(x)
        strided = np.stack((np.zeros_like(x), x), axis=-1)[..., 1]
        unaligned = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
        frozen = x.copy()
        frozen.flags.writeable = False
        self.assertFalse(strided.flags.c_contiguous or unaligned.flags.aligned or frozen.flags.writeable)
        for given in (strided, np.asfortranarray(x), unaligned, frozen, x[::-1][::-1]):
            np.testing.assert_equal(lstm(given), expected)

    def test_in_place(self):
        lstm = wavelstm.LSTM(4, 3, 2)
        x = draw(5, 2, 4)
        h, c, out = draw(2, 2, 3), draw(2, 2, 3), np.empty((5, 2, 3), np.float32)
        expected, (h_n, c_n) = lstm(x, (h, c))
        got, states = lstm(x, (h, c), out=(out, (h, c)))
        self.assertTrue(got is out and states[0] is h and states[1] is c)
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(h, h_n)
        np.testing.assert_array_equal(c, c_n)

        both = np.zeros((3, 2, 2, 3), np.float32)
        self.assert_raises(ValueError, "h_n: an array of its own expected, got one that overlaps c_0", lstm, x, (h, c), out=(out, (c, h)))
        self.assert_raises(ValueError, "h_n: an array of its own expected, got one that overlaps c_n", lstm, x, out=(out, (h, h)))
        self.assert_raises(ValueError, "h_n: h_0 itself or an array of its own expected, got one that overlaps h_0", lstm, x, (both[0:2].reshape(4, 2, 3)[:2], c),
                           out=(out, (both.reshape(6, 2, 3)[1:3], c)))
        self.assert_raises(ValueError, "out: out: float32", lstm, x, out=(out[:4], (h, c)))
        self.assert_raises(ValueError, "got float64", lstm, x, out=(out, (h, c.astype(np.float64))))
        self.assert_raises(ValueError, "contiguous, writeable", lstm, x, out=(np.asfortranarray(out), (h, c)))
        frozen = out.copy()
        frozen.flags.writeable = False
        self.assert_raises(ValueError, "contiguous, writeable", lstm, x, out=(frozen, (h, c)))
        self.assert_raises(TypeError, "out: a pair expected", lstm, x, out=out[0, 0, 0])
        self.assert_raises(TypeError, "out: h_n: a ndarray", lstm, x, out=(out, (None, c)))

    def test_one_layer_out_in_h_0_place(self):
        lstm = wavelstm.LSTM(4, 3)
        x, buffer = draw(5, 2, 4), draw(5, 2, 3)
        h_0, c_0 = buffer[:1], draw(1, 2, 3)
        expected, _ = lstm(x, (h_0, c_0))
        out, _ = lstm(x, (h_0, c_0), out=(buffer, (np.empty_like(c_0), np.empty_like(c_0))))
        np.testing.assert_array_equal(out, expected)

    def test_input_errors(self):
        lstm, x = wavelstm.LSTM(4, 3, 2), draw(5, 2, 4)
        h, c = draw(2, 2, 3), draw(2, 2, 3)
        self.assert_raises(ValueError, "Expected input to be 2D or 3D, got 4D", lstm, x[None])
        self.assert_raises(ValueError, "Expected input to be 2D or 3D, got 1D", lstm, x[0, 0])
        self.assert_raises(ValueError, "RNN input dtype (float64) does not match weight dtype (float32)", lstm, x.astype(float))
        self.assert_raises(ValueError, "does not match weight dtype", lstm, x.astype(">f4"))
        self.assert_raises(RuntimeError, "Expected 4, got 3", lstm, x[..., :3])
        self.assert_raises(RuntimeError, "Expected sequence length to be larger than 0", lstm, x[:0])
        self.assert_raises(TypeError, "input: a numpy.ndarray or torch.Tensor expected, got list", lstm, x.tolist())
        self.assert_raises(TypeError, "hx: a pair expected", lstm, x, 3)
        self.assert_raises(TypeError, "hidden[1]: a ndarray", lstm, x, (h, None))
        self.assert_raises(RuntimeError, "Expected hidden[0] size (2, 2, 3), got [1, 2, 3]", lstm, x, (h[:1], c))
        self.assert_raises(RuntimeError, "Expected hidden[1] size (2, 2, 3), got [2, 1, 3]", lstm, x, (h, c[:, :1]))
        self.assert_raises(RuntimeError, "batched 3-D input, hx and cx should also be 3-D", lstm, x, (h[0], c[0]))
        self.assert_raises(RuntimeError, "unbatched 2-D input, hx and cx should also be 2-D", lstm, x[:, 0], (h, c))
        self.assert_raises(RuntimeError, "not the same dtype", lstm, x, (h, c.astype(float)))

    def test_lengths_errors(self):
        lstm, x = wavelstm.LSTM(4, 3), draw(5, 2, 4)
        self.assert_raises(ValueError, "lengths[1]: 1 to 5 expected, got 6", lstm, x, lengths=[5, 6])
        self.assert_raises(ValueError, "lengths[0]: 1 to 5 expected, got 0", lstm, x, lengths=np.array([0, 1]))
        self.assert_raises(ValueError, "lengths: one of each of the 2 rows", lstm, x, lengths=[5])
        self.assert_raises(TypeError, "lengths: integers expected", lstm, x, lengths=[5.0, 1.0])
        self.assert_raises(ValueError, "unbatched", lstm, x[:, 0], lengths=[5])

    def test_constructor_errors(self):
        make = wavelstm.LSTM
        self.assert_raises(ValueError, "input_size must be greater than zero", make, 0, 3)
        self.assert_raises(ValueError, "hidden_size must be greater than zero", make, 4, -3)
        self.assert_raises(ValueError, "num_layers must be greater than zero", make, 4, 3, 0)
        self.assert_raises(ValueError, "less than 2^63", make, 2**63, 3)
        self.assert_raises(ValueError, "hidden_size", make, 4, 2**62)
        self.assert_raises(TypeError, "input_size should be of type int, got: float", make, 4.0, 3)
        self.assert_raises(TypeError, "bias should be of type bool, got: int", make, 4, 3, bias=1)
        self.assert_raises(TypeError, "batch_first should be of type bool, got: str", make, 4, 3, batch_first="no")
        self.assert_raises(ValueError, "dropout should be a number in range [0, 1]", make, 4, 3, dropout=1.5)
        self.assert_raises(ValueError, "dropout should be a number in range [0, 1]", make, 4, 3, dropout=True)
        self.assert_raises(ValueError, "proj_size: 0 or a positive integer", make, 4, 3, proj_size=-1)
        self.assert_raises(TypeError, "proj_size should be of type int, got: float", make, 4, 3, proj_size=1.0)
        self.assert_raises(ValueError, "proj_size: 0 or a positive integer smaller than hidden_size (3)", make, 4, 3, proj_size=3)
        self.assert_raises(ValueError, "float32, float64 or bfloat16 expected, got float16", make, 4, 3, dtype="float16")
        self.assert_raises(ValueError, "device: cpu expected, got cuda:0", make, 4, 3, device="cuda:0")
        self.assertEqual(make(4, 3, device="cpu", dtype="float64").dtype, np.float64)


class LSTMCell(Base):
    def test_numbers_and_shapes(self):
        for dtype, bias in itertools.product((np.float32, np.float64), (True, False)):
            cell = wavelstm.LSTMCell(6, 5, bias, dtype=dtype)
            state = cell.state_dict()
            weights = (state["weight_ih"].astype(float), state["weight_hh"].astype(float),
                       state["bias_ih"].astype(float) + state["bias_hh"] if bias else 0.0, None)
            x, h, c = draw(3, 6, dtype=dtype), draw(3, 5, dtype=dtype), draw(3, 5, dtype=dtype)
            for right, actual in ((step(weights, x, h, c), cell(x, (h, c))), (step(weights, x, 0 * h, 0 * c), cell(x))):
                self.assert_close(actual[0], right[0])
                self.assert_close(actual[1], right[1])
            one = cell(x[1], (h[1], c[1]))
            self.assertEqual(one[0].shape, (5,))
            self.assert_close(one[0], step(weights, x[1], h[1], c[1])[0])
            self.assert_close(one[1], step(weights, x[1], h[1], c[1])[1])
            self.assertEqual(cell(x[:0])[0].shape, (0, 5))

    def test_in_place(self):
        cell, x, h, c = wavelstm.LSTMCell(4, 3), draw(2, 4), draw(2, 3), draw(2, 3)
        expected = cell(x, (h, c))
        h_out, c_out = cell(x, (h, c), out=(h, c))
        self.assertTrue(h_out is h and c_out is c)
        np.testing.assert_equal((h, c), expected)
        self.assert_raises(ValueError, "h_out: an array of its own expected, got one that overlaps c", cell, x, (h, c), out=(c, h))

    def test_errors(self):
        cell, x, h, c = wavelstm.LSTMCell(4, 3), draw(2, 4), draw(2, 3), draw(2, 3)
        self.assert_raises(ValueError, "Expected input to be 1D or 2D, got 3D", cell, x[None])
        self.assert_raises(RuntimeError, "input has inconsistent input_size: got 3 expected 4", cell, x[:, :3])
        self.assert_raises(RuntimeError, "hidden0 has inconsistent hidden_size: got 2, expected 3", cell, x, (h[:, :2], c))
        self.assert_raises(RuntimeError, "Input batch size 2 doesn't match hidden1 batch size 1", cell, x, (h, c[:1]))
        self.assert_raises(ValueError, "Expected hx[1] to be 1D or 2D, got 3D", cell, x, (h, c[None]))
        self.assert_raises(RuntimeError, "hx[0]: 2D, as input is, expected, got 1D", cell, x, (h[0], c[0]))
        self.assert_raises(RuntimeError, "input: float32", cell, x.astype(float))
        self.assert_raises(RuntimeError, "not the same dtype", cell, x, (h.astype(float), c))
        self.assert_raises(TypeError, "hx: a pair expected, got int", cell, x, 1)
        self.assert_raises(TypeError, "hx[0]: a ndarray", cell, x, (None, c))
        self.assert_raises(ValueError, "hidden_size must be greater than zero", wavelstm.LSTMCell, 4, 0)


class Compiled(Base):
    def test_it_is_there_where_it_was_built(self):
        self.assertEqual(_library.calls is not None, "WAVELSTM_TEST_COMPILED" in os.environ or hasattr(_library.calls, "Caller"))

    def test_a_digest_tells_values_apart(self):
        if not _library.calls:
            self.skipTest("the package has no compiled module")
        for size in (0, 1, 31, 32, 33, 100, 256):
            array = np.frombuffer(bytearray(size), np.uint8)
            digest = lambda: _library.calls.digest(array.ctypes.data, size, 5)  # noqa: B023, E731
            seen = {digest()}
            for byte in range(size):
                for bits in (1, 128):
                    array[byte] ^= bits
                    seen.add(digest())
                    if byte >= 32:  # the same bits of another word of the same lane
                        array[byte - 32] ^= bits
                        seen.add(digest())
                        array[byte - 32] ^= bits
                    array[byte] ^= bits
            self.assertEqual(len(seen), 1 + 2 * size + 2 * max(size - 32, 0))

    def test_what_is_no_usual_call_goes_the_longer_way(self):
        if not _library.calls:
            self.skipTest("the package has no compiled module")
        lstm, cell, x = wavelstm.LSTM(4, 3, batch_first=True), wavelstm.LSTMCell(4, 3), draw(2, 5, 4)
        h = draw(1, 2, 3)
        for call, arguments in ((lstm, (x, None, None)), (lstm, (x[0], None, None)), (lstm, (x, (h, h), None)),
                                (cell, (x[:, 0].copy(), None, None)), (cell, (x[0, 0], (h[0, 0], h[0, 1]), None))):
            np.testing.assert_equal(call.usual_call(*arguments), call(*arguments[:2]))
        for arguments in ((x.astype(float), None, None), (x[..., :3], None, None), (x[:, :0], None, None), (x[:0], None, None),
                          (x[None], None, None), (x.astype(">f4"), None, None), (x[:, ::2], None, None), (x, [h, h], None),
                          (x, (h[:, :1], h), None), (x, (h,), None), (x, None, 3), (x.tolist(), None, None), (x, (h, None), None)):
            self.assertIsNone(lstm.usual_call(*arguments))
        self.assert_raises(ValueError, "overlaps", cell.usual_call, x[:, 0].copy(), None, (h[0], h[0]))


class Process(Base):
    def test_threads_share_one_lstm(self):
        lstm = wavelstm.LSTM(8, 16, 2)
        inputs = [draw(6, 1 + k % 3, 8) for k in range(8)]
        expected = [lstm(x) for x in inputs]
        wrong = []

        def work(k):
            for _ in range(50):
                out, (h_n, c_n) = lstm(inputs[k])
                if not all(np.array_equal(a, b) for a, b in ((out, expected[k][0]), (h_n, expected[k][1][0]),
                                                              (c_n, expected[k][1][1]))):
                    wrong.append(k)
            try:
                lstm(inputs[k], lengths=[7 + k] * inputs[k].shape[1])
            except ValueError as error:  # each thread has its own message
                if f"got {7 + k}" not in str(error):
                    wrong.append(str(error))

        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_the_gil_is_released(self):
        lstm, x, turns, seen = wavelstm.LSTM(256, 256, 2), draw(400, 8, 256), [0], []

        def work():
            before = turns[0]
            lstm(x)
            seen.append(turns[0] - before)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(60)  # no thread takes the GIL from another: the main one goes on when the call lets go of it
        try:
            thread = threading.Thread(target=work)
            thread.start()
            for _ in range(1000):
                turns[0] += 1
            thread.join()
        finally:
            sys.setswitchinterval(interval)
        self.assertEqual(seen, [1000])

    def test_version(self):
        self.assertEqual(wavelstm.__version__, _library.lib.wlstm_version().decode())
        self.assertEqual(_library._SONAME, "libwavelstm.so." + wavelstm.__version__.split(".")[0])

    def test_library_not_found(self):
        environment = {**os.environ, "WAVELSTM_LIBRARY": "/nowhere/libwavelstm.so"}
        done = subprocess.run([sys.executable, "-c", "import wavelstm"], env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ImportError: wavelstm: the C library is not found; set WAVELSTM_LIBRARY", done.stderr)

    def test_torch_is_not_imported(self):
        done = subprocess.run([sys.executable, "-c", "import sys, wavelstm; print('torch' in sys.modules)"], capture_output=True,
                              text=True)
        self.assertEqual(done.stdout, "False\n")


if __name__ == "__main__":
    unittest.main()
