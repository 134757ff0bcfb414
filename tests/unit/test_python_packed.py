#!/usr/bin/env python3
"""Packed rows in the Python package: they are the rows that have padding and lengths, bit for bit. Needs no torch.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/unit/test_python_packed.py
"""
import pathlib
import sys
import unittest

import numpy as np

import wavelstm

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from python_tests import Base, draw, setUpModule  # noqa: E402, F401

LENGTHS = [6, 4, 4, 1]
SIZES = [sum(length > t for length in LENGTHS) for t in range(6)]


def pack(padded, batch_first=False):
    """The rows of [T, B, .] that are none of padding, one time after the other."""
    padded = padded.swapaxes(0, 1) if batch_first else padded
    return np.concatenate([padded[t, :size] for t, size in enumerate(SIZES)])


class Packed(Base):
    def test_results_are_those_of_padded_rows(self):
        for keywords in ({}, dict(batch_first=True), dict(bidirectional=True, proj_size=2), dict(dtype="float64", bias=False)):
            lstm = wavelstm.LSTM(5, 3, 2, **keywords)
            x = draw(*((4, 6) if lstm.batch_first else (6, 4)), 5).astype(lstm.dtype)
            blocks = 4 if lstm.bidirectional else 2
            states = (draw(blocks, 4, lstm.proj_size or 3).astype(lstm.dtype), draw(blocks, 4, 3).astype(lstm.dtype))
            for run in lstm, lstm.plan(8, 5, threads=2):
                for hx in None, states:
                    out, expected = run(x, hx, lengths=LENGTHS)
                    got, got_states = run.forward_packed(pack(x, lstm.batch_first), SIZES, hx)
                    np.testing.assert_array_equal(got, pack(out, lstm.batch_first))
                    np.testing.assert_equal(got_states, expected)

    def test_in_place(self):
        lstm, x = wavelstm.LSTM(5, 3), pack(draw(6, 4, 5))
        h, c = draw(1, 4, 3), draw(1, 4, 3)
        expected = lstm.forward_packed(x, SIZES, (h, c))
        out = np.empty((15, 3), np.float32), (h, c)
        self.assertIs(lstm.forward_packed(x, np.array(SIZES, np.int32), (h, c), out=out)[0], out[0])
        np.testing.assert_equal(out, expected)

    def test_gradients_are_those_of_padded_rows(self):
        lstm = wavelstm.LSTM(5, 3, 2, bidirectional=True, dropout=0.5)
        trainer, x, d_out = wavelstm.Trainer(lstm, 8, 5), draw(6, 4, 5), draw(6, 4, 6)
        hx, d_hx = (draw(4, 4, 3), draw(4, 4, 3)), (draw(4, 4, 3), draw(4, 4, 3))
        out, states = trainer.forward(x, hx, lengths=LENGTHS, seed=3)
        mask = trainer.dropout_mask(0)
        d_x, d_states = trainer.backward(d_out, d_hx)
        gradients, tape = trainer.gradients.copy(), trainer.tape(6, 4)
        packed, packed_states = trainer.forward_packed(pack(x), SIZES, hx, seed=3, tape=tape)
        np.testing.assert_array_equal(packed, pack(out))
        np.testing.assert_equal(packed_states, states)
        np.testing.assert_array_equal(trainer.dropout_mask(0, tape), mask)
        packed_d_x, packed_d_states = trainer.backward(pack(d_out), d_hx, tape=tape)
        np.testing.assert_array_equal(packed_d_x, pack(d_x))
        np.testing.assert_equal(packed_d_states, d_states)
        np.testing.assert_array_equal(trainer.gradients, gradients)

    def test_errors(self):
        lstm, x = wavelstm.LSTM(5, 3), draw(15, 5)
        trainer, plan = wavelstm.Trainer(lstm, 6, 3), lstm.plan(6, 3)
        for run in lstm, plan, trainer:
            forward = run.forward_packed
            self.assert_raises(ValueError, "batch_sizes: one integer a time expected, got shape (1, 6)", forward, x, [SIZES])
            self.assert_raises(TypeError, "batch_sizes: integers expected, got float64", forward, x, [15.0])
            self.assert_raises(ValueError, "batch_sizes: at least 1 row at each time expected, got 0", forward, x, [15, 0])
            self.assert_raises(ValueError, "batch_sizes: a sum of 15, data's rows, expected, got 14", forward, x, [14])
            self.assert_raises(ValueError, "batch_sizes[1]: at most the 7 rows of the time before expected, got 8", forward, x, [7, 8])
        self.assert_raises(ValueError, "batch_sizes[0]: at most the plan's 3 expected, got 15", plan.forward_packed, x, [15])
        self.assert_raises(ValueError, "batch_sizes[0]: 0 to the trainer's max_batch of 3", trainer.forward_packed, x, [15])
        self.assert_raises(RuntimeError, "input must have 2 dimensions, got 3", lstm.forward_packed, x[None], [15])
        self.assert_raises(RuntimeError, "Expected 5, got 4", lstm.forward_packed, x[:, :4], [15])
        self.assert_raises(ValueError, "does not match weight dtype", lstm.forward_packed, x.astype(float), [15])
        self.assert_raises(TypeError, "data: a numpy.ndarray or torch.Tensor expected", lstm.forward_packed, x.tolist(), [15])
        self.assert_raises(RuntimeError, "Expected hidden[0] size (1, 4, 3), got [1, 3, 3]", lstm.forward_packed, x, SIZES,
                           (draw(1, 3, 3), draw(1, 3, 3)))
        self.assert_raises(ValueError, "data: a NumPy array of 2 dimensions expected", trainer.forward_packed, draw(5, 3, 5), [15])
        trainer.forward_packed(x, [3] * 5)
        self.assert_raises(ValueError, "d_out: an array of float32 (15, 3) expected", trainer.backward, draw(5, 3, 3))


if __name__ == "__main__":
    unittest.main()
