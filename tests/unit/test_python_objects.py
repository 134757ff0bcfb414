#!/usr/bin/env python3
"""What the Python package makes over an LSTM: plans, streams, trainers. Needs no torch.

    WAVELSTM_LIBRARY=build/libwavelstm.so PYTHONPATH=python python3 tests/unit/test_python_objects.py
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import wavelstm

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from python_tests import Base, draw, generator, setUpModule  # noqa: E402, F401


class Plans(Base):
    def test_results_are_the_lstm_s(self):
        lstm = wavelstm.LSTM(6, 5, 2, bidirectional=True)
        x, states = draw(7, 3, 6), (draw(4, 3, 5), draw(4, 3, 5))
        for keywords in ({}, dict(threads=1, schedule="serial"), dict(threads=2, schedule="gangs", deterministic=True),
                         dict(backend="native", chunk_steps=2)):
            plan = lstm.plan(10, 4, **keywords)
            np.testing.assert_equal(plan(x, states), lstm(x, states))
            np.testing.assert_equal(plan(x, states, lengths=[2, 7, 1]), lstm(x, states, lengths=[2, 7, 1]))
        out = (np.empty((7, 3, 10), np.float32), (states[0].copy(), states[1].copy()))
        self.assertIs(plan(x, out[1], out=out)[0], out[0])
        np.testing.assert_equal(out, lstm(x, states))
        before = lstm(x)[0]
        lstm.reset_parameters(3)
        np.testing.assert_equal(plan(x)[0], before)  # the parameters that it was made with

    def test_precision_memory_describe(self):
        lstm = wavelstm.LSTM(64, 64)
        plan, rounded = lstm.plan(5, 2, threads=1), lstm.plan(5, 2, threads=1, precision="int8")
        self.assertIn("t5b2i64h64l1: ", plan.describe())
        self.assertIn("t5b2i64h64l1-int8: ", rounded.describe())
        self.assertEqual(repr(plan), f"<wavelstm.Plan {plan.describe()}>")
        self.assertTrue(plan.memory().weights > rounded.memory().weights > 0 and plan.memory().scratch > 0)
        lstm.precision = "int8"
        np.testing.assert_equal(rounded(np.ones((5, 2, 64), np.float32)), lstm(np.ones((5, 2, 64), np.float32)))

    def test_errors(self):
        lstm = wavelstm.LSTM(4, 3)
        self.assert_raises(ValueError, "backend: one of 'auto', 'reference', 'onednn', 'native' expected, got 'cuda'", lstm.plan, 5, 2,
                           backend="cuda")
        self.assert_raises(ValueError, "effort: one of", lstm.plan, 5, 2, effort=None)
        self.assert_raises(ValueError, "schedule: one of", lstm.plan, 5, 2, schedule="GANGS")
        self.assert_raises(ValueError, "precision: None, 'full'", lstm.plan, 5, 2, precision="half")
        self.assert_raises(ValueError, "max_batch must be greater than zero", lstm.plan, 5, 0)
        self.assert_raises(ValueError, "threads: 0 to 2^31 - 1 expected, got -1", lstm.plan, 5, 2, threads=-1)
        self.assert_raises(ValueError, "chunk_steps", lstm.plan, 5, 2, chunk_steps=-1)
        self.assert_raises(ValueError, "seq_len: at most the plan's 5 expected, got 6", lstm.plan(5, 2), draw(6, 2, 4))

    def test_tuning_and_the_cache_s_files(self):
        program = """
import pathlib, sys, wavelstm
folder = pathlib.Path(sys.argv[1])
assert any(wavelstm.LSTM(8, 8).tune(6, 2, threads=1, time_limit=0.3).endswith("tuned") for _ in range(20))  # a busy machine
assert wavelstm.LSTM(8, 8).plan(6, 2, threads=1).describe().endswith("tuned")
assert len(list((folder / "user").glob("*.json"))) == 1
wavelstm.plan_cache.export_file(folder / "out.json")
wavelstm.plan_cache.save(folder / "other")
wavelstm.plan_cache.forget("t6b2i8h8l1")
assert wavelstm.LSTM(8, 8).plan(6, 2, threads=1).describe().endswith("estimated")
wavelstm.plan_cache.import_file(folder / "out.json")
assert wavelstm.LSTM(8, 8).plan(6, 2, threads=1).describe().endswith("tuned")
wavelstm.plan_cache.forget()
wavelstm.plan_cache.load(folder / "other")
assert wavelstm.LSTM(8, 8).plan(6, 2, threads=1).describe().endswith("tuned")
for call, error in ((lambda: wavelstm.plan_cache.load(folder / "none"), OSError), (lambda: wavelstm.plan_cache.forget("x"), ValueError),
                    (lambda: wavelstm.plan_cache.forget(3), TypeError)):
    try:
        call()
    except error:
        continue
    raise AssertionError(error)
"""
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "WLSTM_CACHE": os.path.join(folder, "user")}
            subprocess.run([sys.executable, "-c", program, folder], env=environment, check=True)


class Streams(Base):
    def test_each_is_as_if_alone(self):
        for batch_first, proj_size, dtype, precision in ((False, 0, np.float32, None), (True, 2, np.float64, None),
                                                         (False, 3, np.float32, "int8")):
            lstm = wavelstm.LSTM(4, 5, 2, batch_first=batch_first, proj_size=proj_size, dtype=dtype, precision=precision)
            streams = wavelstm.Streams(lstm, 3, num_threads=1)
            ids = [streams.open() for _ in range(3)]
            x = draw(6, 3, 4, dtype=dtype)
            expected, (h_n, c_n) = lstm(x.swapaxes(0, 1) if batch_first else x)
            expected = expected.swapaxes(0, 1) if batch_first else expected
            for t in range(3):
                np.testing.assert_array_equal(streams.step(ids[::-1], x[t, ::-1]), expected[t, ::-1])
            rest = x[3:].swapaxes(0, 1) if batch_first else x[3:]
            out = streams.run(np.array(ids), rest, lengths=[3, 1, 3])
            out = out.swapaxes(0, 1) if batch_first else out
            np.testing.assert_array_equal(out[:, [0, 2]], expected[3:, [0, 2]])
            np.testing.assert_array_equal(out[1:, 1], 0)
            h, c = streams.get_state(ids[2])
            np.testing.assert_array_equal(h, h_n[:, 2])
            np.testing.assert_array_equal(c, c_n[:, 2])

    def test_states_and_ids(self):
        lstm = wavelstm.LSTM(4, 5)
        streams = wavelstm.Streams(lstm, 2, max_batch=1, precision="full")
        first, x = streams.open(), draw(1, 4)
        out = np.empty((1, 5), np.float32)
        self.assertIs(streams.step([first], x, out=out), out)
        state = streams.get_state(first)
        second = streams.open()
        streams.set_state(second, state)
        np.testing.assert_array_equal(*(streams.step([stream], x) for stream in (first, second)))
        streams.reset(first)
        np.testing.assert_array_equal(streams.step([first], x), out)
        self.assert_raises(MemoryError, "all 2 of max_streams are open", streams.open)
        streams.close(first)
        third = streams.open()
        self.assertNotEqual(first, third)
        self.assert_raises(ValueError, f"id: an open stream's expected, got {first}", streams.close, first)
        self.assert_raises(ValueError, f"ids[1]: an open stream's expected, got {first}", streams.step, [second, first], draw(2, 4))
        self.assert_raises(ValueError, "ids[1]: each stream once expected", streams.step, [third, third], draw(2, 4))
        self.assertEqual(streams.step([], draw(0, 4)).shape, (0, 5))
        del lstm
        streams.step([third], x)

    def test_errors(self):
        lstm = wavelstm.LSTM(4, 5)
        both = wavelstm.LSTM(4, 5, bidirectional=True)
        self.assert_raises(TypeError, "lstm: a wavelstm.LSTM expected, got LSTMCell", wavelstm.Streams, wavelstm.LSTMCell(4, 5), 1)
        self.assert_raises(ValueError, "lstm: one direction expected", wavelstm.Streams, both, 1)
        self.assert_raises(ValueError, "max_streams: 1 to 16777216 expected, got 0", wavelstm.Streams, lstm, 0)
        self.assert_raises(TypeError, "max_batch should be of type int", wavelstm.Streams, lstm, 1, 1.5)
        self.assert_raises(ValueError, "num_threads: an integer of 32 bits", wavelstm.Streams, lstm, 1, 0, 2**32)
        self.assert_raises(ValueError, "precision: None", wavelstm.Streams, lstm, 1, precision="half")
        streams = wavelstm.Streams(lstm, 2)
        stream = streams.open()
        self.assert_raises(ValueError, "input: float32 of shape (1, 4) expected, got float32 of (1, 3)", streams.step, [stream], draw(1, 3))
        self.assert_raises(ValueError, "got float64", streams.step, [stream], draw(1, 4, dtype=np.float64))
        self.assert_raises(ValueError, "input: 3 dimensions expected, got 2", streams.run, [stream], draw(1, 4))
        self.assert_raises(ValueError, "lengths: one of each", streams.run, [stream], draw(2, 1, 4), lengths=[1, 1])
        self.assert_raises(ValueError, "seq_len: 1 to 65536 expected, got 0", streams.run, [stream], draw(0, 1, 4))
        self.assert_raises(TypeError, "ids: integers expected", streams.step, [1.5], draw(1, 4))
        self.assert_raises(ValueError, "ids: a list of one dimension", streams.step, [[stream]], draw(1, 4))
        self.assert_raises(TypeError, "stream should be of type int", streams.reset, None)
        self.assert_raises(ValueError, "stream must be less than 2^63", streams.close, 2**63)
        self.assert_raises(ValueError, "hx[1]: float32 of shape (1, 5) expected", streams.set_state, stream, (draw(1, 5), draw(5)))
        self.assert_raises(ValueError, "out: out: float32", streams.step, [stream], draw(1, 4), out=np.empty((1, 4), np.float32))


class Trainer(Base):
    def test_gradients_are_those_of_differences(self):
        lstm = wavelstm.LSTM(5, 4, num_layers=2, bidirectional=True, proj_size=3, dtype="float64")
        x, weights, c_weights = draw(6, 3, 5, dtype=float), draw(6, 3, 6, dtype=float), draw(4, 3, 4, dtype=float)
        hx = draw(4, 3, 3, dtype=float), draw(4, 3, 4, dtype=float)
        lengths = [6, 2, 4]
        trainer = wavelstm.Trainer(lstm, 6, 3)
        with self.assertRaisesRegex(Exception, "recompute_steps: 0 expected with two directions"):
            wavelstm.Trainer(lstm, 6, 3, recompute_steps=2)
        self.assert_raises(ValueError, "schedule: one of 'auto', 'serial'", wavelstm.Trainer, lstm, 6, 3, schedule="gang")
        self.assert_raises(ValueError, "effort: one of 'default', 'estimate'", wavelstm.Trainer, lstm, 6, 3, effort="much")
        self.assertEqual(wavelstm.Trainer(lstm, 6, 3, threads=1, effort="measure").proj_size, 3)

        def loss():
            out, (_, c_n) = trainer.forward(x, hx, lengths=lengths)
            return (out * weights).sum() + (c_n * c_weights).sum()

        before = loss()
        d_x, (d_h_0, d_c_0) = trainer.backward(weights, (None, c_weights))
        gradients, parameters, delta = trainer.gradients.copy(), trainer.parameters, 1e-6
        self.assertEqual(before, loss())
        for array, found in ((parameters, gradients), (x, d_x), (hx[0], d_h_0), (hx[1], d_c_0)):
            flat, found = array.reshape(-1), found.reshape(-1)
            for k in generator.integers(0, flat.size, 30):
                value = flat[k]
                flat[k] = value + delta
                above = loss()
                flat[k] = value - delta
                below = loss()
                flat[k] = value
                self.assertAlmostEqual((above - below) / (2 * delta), found[k], delta=1e-6 * max(1, np.abs(found).max()))

    def test_forward_is_the_lstms(self):
        lstm = wavelstm.LSTM(5, 4, num_layers=2, batch_first=True)
        trainer, x = wavelstm.Trainer(lstm, 7, 3, threads=1), draw(3, 7, 5)
        out, (h_n, c_n) = trainer.forward(x)
        for got, expected in zip((out, h_n, c_n), (lstm(x)[0], *lstm(x)[1])):
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)

    def test_training_takes_the_loss_down_and_resumes(self):
        lstm, x, target = wavelstm.LSTM(3, 8), draw(20, 4, 3), draw(20, 4, 8) / 4
        trainer, losses = wavelstm.Trainer(lstm, 20, 4), []
        for _ in range(60):
            out, _ = trainer.forward(x)
            losses.append(((out - target) ** 2).sum())
            trainer.backward(2 * (out - target))
            trainer.clip_gradients(5.0)
            trainer.update("adamw", lr=1e-2, beta1=0.8)
        self.assertLess(losses[-1], 0.8 * losses[0])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trainer.safetensors"
            trainer.save(path)
            resumed = wavelstm.Trainer(lstm, 20, 4)
            resumed.load(path)
        for one in (trainer, resumed):
            out, _ = one.forward(x)
            one.backward(2 * (out - target))
            one.update("adamw", lr=1e-2)
        np.testing.assert_array_equal(trainer.parameters, resumed.parameters)
        trainer.copy_to(lstm)
        for name, values in trainer.state_dict().items():
            np.testing.assert_array_equal(getattr(lstm, name), values)
            self.assertEqual(trainer.named_gradients()[name].shape, values.shape)

    def test_dropout_and_tapes(self):
        lstm = wavelstm.LSTM(3, 4, num_layers=3, dropout=0.5)
        trainer, x = wavelstm.Trainer(lstm, 5, 6), draw(5, 6, 3)
        tapes = [trainer.tape(5, 6) for _ in range(2)]
        first, _ = trainer.forward(x, seed=1, tape=tapes[0])
        second, _ = trainer.forward(x, seed=2, tape=tapes[1])
        again, _ = trainer.forward(x, seed=1)
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first - second).max(), 0)
        mask = trainer.dropout_mask(1, tapes[0])
        self.assertEqual(set(np.unique(mask)), {0.0, 2.0})
        rows, _ = trainer.forward(x[:, 2:].copy(), seed=1, first_row=2)
        np.testing.assert_array_equal(rows, first[:, 2:])
        trainer.backward(first, tape=tapes[1])
        trainer.backward(first, tape=tapes[0], accumulate=True)
        with self.assertRaisesRegex(RuntimeError, "a forward pass before each backward pass"):
            trainer.backward(first, tape=tapes[0])
        trainer.zero_gradients()
        self.assertFalse(trainer.gradients.any())
        self.assertTrue(all(trainer.memory()))

    def test_gradients_are_told_of_while_they_come(self):
        lstm = wavelstm.LSTM(3, 4, num_layers=2)
        trainer, parts = wavelstm.Trainer(lstm, 5, 6), []
        sizes = [sum(getattr(lstm, name).size for name in trainer.state_dict() if name.endswith(layer)) for layer in ("l1", "l0")]
        out, _ = trainer.forward(draw(5, 6, 3))
        trainer.watch_gradients(parts.append)
        trainer.backward(out)
        self.assertEqual([part.size for part in parts], sizes)
        np.testing.assert_array_equal(np.concatenate(parts[::-1]), trainer.gradients)
        parts[0][:] = 7
        self.assertTrue((trainer.gradients[sizes[1]:] == 7).all())

        def fails(values):
            raise KeyError(values.size)

        for ready, told in ((fails, sizes[0]), (None, None)):
            trainer.watch_gradients(ready)
            trainer.forward(draw(5, 6, 3))
            if told:
                with self.assertRaisesRegex(KeyError, str(told)):
                    trainer.backward(out)
            else:
                trainer.backward(out)
        self.assertEqual(len(parts), 2)
        with self.assertRaisesRegex(TypeError, "ready: a function or None expected, got int"):
            trainer.watch_gradients(3)

    def test_errors(self):
        lstm = wavelstm.LSTM(3, 4)
        trainer = wavelstm.Trainer(lstm, 5, 6)
        with self.assertRaisesRegex(TypeError, "lstm: a wavelstm.LSTM expected"):
            wavelstm.Trainer(None, 5, 6)
        with self.assertRaisesRegex(ValueError, "max_batch must be greater than zero"):
            wavelstm.Trainer(lstm, 5, 0)
        with self.assertRaisesRegex(ValueError, "input: a NumPy array of 3 dimensions"):
            trainer.forward(draw(5, 3))
        with self.assertRaisesRegex(ValueError, r"input: an array of float32 \(5, 6, 3\) expected"):
            trainer.forward(draw(5, 6, 2))
        with self.assertRaisesRegex(ValueError, "max_seq_len of 5"):
            trainer.forward(draw(6, 6, 3))
        with self.assertRaisesRegex(ValueError, r"tape: one for 5 steps of 6 rows expected, got one for \(2, 6\)"):
            trainer.forward(draw(5, 6, 3), tape=trainer.tape(2, 6))
        with self.assertRaisesRegex(RuntimeError, "a forward pass before each backward pass"):
            trainer.backward()
        trainer.forward(draw(5, 6, 3))
        with self.assertRaisesRegex(ValueError, "d_out: an array of float32"):
            trainer.backward(draw(5, 6, 3))
        with self.assertRaisesRegex(ValueError, "kind: 'sgd', 'adam' or 'adamw' expected"):
            trainer.update("rprop")
        with self.assertRaisesRegex(TypeError, "momentum: a setting of adam expected"):
            trainer.update("adam", momentum=0.9)


if __name__ == "__main__":
    unittest.main()
