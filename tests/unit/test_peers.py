#!/usr/bin/env python3
"""bench/peers/ratios.py, steal.py, sessions.py, precisions.py, training.py and gradients.py, how a dead engine is
stopped, the names of problems, and what bench/compare.py says of two runs of bench/peers.py.

    python3 tests/unit/test_peers.py"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from peers import precisions, ratios, sessions, steal, training, workers  # noqa: E402

try:
    import numpy
    from peers import engine_onednn, gradients, reference, rounds, tasks
except ModuleNotFoundError:
    numpy = None


class Ratios(unittest.TestCase):
    def test_of_the_fastest_turns(self):
        # Each engine was left alone for a moment, each in another pass; the first pass was disturbed from end to end.
        ours = [[1.5, 1.6, 1.4], [1.0, 1.3], [1.1]]
        peer = [[3.9, 3.6, 3.6], [2.4, 2.6], [2.0]]
        concluded = ratios.conclude({"ours": ours, "peer": peer, "other": [[9.0] * 3, [9.0] * 2, [9.0]]}, "ours")
        self.assertEqual(concluded["best_peer"], "peer")
        self.assertAlmostEqual(concluded["ratio"], 2.0)

    def test_of_the_rounds(self):
        # The machine is slower in every other round, by far more than the engines differ.
        ours = [[1.0, 3.0, 1.0], [5.0, 1.0]]
        peer = [[1.25, 3.75, 1.25], [6.25, 1.25]]
        concluded = ratios.conclude({"ours": ours, "peer": peer}, "ours")
        self.assertAlmostEqual(concluded["round_median"], 1.25)
        self.assertAlmostEqual(concluded["middle_half"][0], 1.25)
        self.assertAlmostEqual(concluded["middle_half"][1], 1.25)
        concluded = ratios.conclude({"ours": [[1.0] * 2, [1.0] * 3], "peer": [[5.0, 1.0], [4.0, 2.0, 3.0]]}, "ours")
        self.assertEqual((concluded["round_median"], *concluded["middle_half"]), (3.0, 2.0, 4.0))
        self.assertEqual(ratios.quartiles([1.5]), (1.5, 1.5))

    def test_without_ours_or_peers_there_is_no_ratio(self):
        self.assertEqual(ratios.conclude({"peer": [[1.0]]}, "ours"), {"best_peer": "peer"})
        self.assertEqual(ratios.conclude({"ours": [[1.0]]}, "ours"), {"best_peer": None})
        self.assertEqual(ratios.conclude({}, "ours"), {"best_peer": None})

    def test_settled(self):
        again, once = [[1.005, 1.3], [1.0], [1.2]], [[1.02, 1.3], [1.0], [1.2]]
        peer, slow = [[2.0], [2.0], [2.0]], [[3.0], [4.0], [5.0]]
        self.assertTrue(ratios.settled({"ours": again, "peer": peer}, "ours"))
        self.assertFalse(ratios.settled({"ours": once, "peer": peer}, "ours"))
        self.assertFalse(ratios.settled({"ours": peer, "peer": once}, "ours"))
        self.assertTrue(ratios.settled({"ours": again, "peer": peer, "slow": slow}, "ours"))
        self.assertFalse(ratios.settled({"ours": [[1.0, 1.0]], "peer": [[2.0, 2.0]]}, "ours"))
        self.assertTrue(ratios.settled({"peer": again}, "ours"))

    def test_geometric_mean(self):
        self.assertAlmostEqual(ratios.geometric_mean([1.0, 4.0]), 2.0)


class Precisions(unittest.TestCase):
    """Of two problems in three precisions: our f32 takes 8, bf16 4 and 5, int8 2 and 2.5 times a unit."""
    VERSIONS = {"wavelstm": "1.0 (avx2)", "onnxruntime": "2.0", "pytorch": "3.0"}

    @staticmethod
    def result(problem, ours, peers, errors=(0.01, 0.001)):
        def record(engine, least, scale):
            return {"engine": engine, "min": least, "max_error": errors[0] * scale, "mean_error": errors[1] * scale}

        engines = [record("wavelstm", ours, 1.0), *(record(*peer) for peer in peers)]
        best = min(peers, key=lambda peer: peer[1])
        return {"problem": problem, "threads": 1, "engines": engines, "errors": {}, "best_peer": best[0],
                "ratio": best[1] / ours, "round_median": best[1] / ours, "middle_half": [1.0, 2.0]}

    def setUp(self):
        self.results = [self.result("t1b1i9h256l1", 8e-6, [("onnxruntime", 9e-6, 1.0)]),
                        self.result("t1b1i9h256l1-bf16", 4e-6, [("pytorch", 6e-6, 1.0)]),
                        self.result("t1b1i9h256l1-int8", 2e-6, [("onnxruntime", 3e-6, 2.0), ("pytorch", 5e-6, 1.0)]),
                        self.result("t1b1i9h20l1", 8e-6, [("onnxruntime", 9e-6, 1.0)]),
                        self.result("t1b1i9h20l1-int8", 6.4e-6, [("onnxruntime", 3.2e-6, 0.5)])]

    def test_table(self):
        text = " ".join(precisions.precision_table(self.results, "int8", list(self.VERSIONS), self.VERSIONS).split())
        self.assertIn("| wavelstm 1.0 | ONNX Runtime 2.0 | PyTorch 3.0 |", text)
        self.assertIn("| t1b1i9h256l1-int8 | 1 | 2.00 | 3.00 | 5.00 | ONNX Runtime 2.0 | 1.50 | 1.50 (1.00 to 2.00) "
                      "| 4.00 |", text)
        self.assertIn("| t1b1i9h20l1-int8 | 1 | 6.40 | 3.20 | - | ONNX Runtime 2.0 | 0.50 | 0.50 (1.00 to 2.00) "
                      "| 1.25 |", text)
        self.assertNotIn("bf16", text)

    def test_an_engine_without_the_precision_has_no_column(self):
        self.assertNotIn("ONNX", precisions.precision_table(self.results, "bf16", list(self.VERSIONS), self.VERSIONS))

    def test_gains_are_of_wide_problems(self):
        self.assertEqual(precisions.gains_summary(self.results, "int8"),
                         "threads 1, against our own f32 from 256 units on: geometric mean 4.00, least 4.00 "
                         "(t1b1i9h256l1-int8)")
        self.assertEqual(precisions.gains_summary(self.results[2:3], "int8"), "")

    def test_errors(self):
        text = " ".join(precisions.errors_table(self.results, "int8", list(self.VERSIONS), self.VERSIONS).split())
        self.assertIn("| t1b1i9h256l1-int8 | 1 | 1.00e-02, 1.00e-03 | 2.00e-02, 2.00e-03 | 1.00e-02, 1.00e-03 |", text)
        self.assertIn("| t1b1i9h20l1-int8 | 1 | 1.00e-02, 1.00e-03 | 5.00e-03, 5.00e-04 | - |", text)
        self.assertNotIn("bf16", text)
        self.assertEqual(precisions.errors_summary(self.results),
                         "int8: the largest error at most ONNX Runtime's on 1 of 2, the mean on 1 of 2")
        self.assertEqual(precisions.errors_summary(self.results[:2]), "")


class Sessions(unittest.TestCase):
    RESULTS = [{"problem": problem, "threads": threads, "engines": [{"engine": engine, "min": least} for engine, least in times]}
               for problem, threads, times in (
                   ("sessions/t1b16i128h128l1", 1, [("wavelstm", 1e-4), ("pytorch", 4e-4)]),
                   ("sessions/t1b256i128h128l1", 1, [("wavelstm", 1e-3)]),
                   ("sessions/t1b256i128h128l1-int8", 2, [("wavelstm", 5e-4)]),
                   ("t1b16i128h128l1", 1, [("wavelstm", 1.0)]))]

    def test_panels(self):
        self.assertEqual(sessions.panels(self.RESULTS), {
            "i128h128l1, 1 thread": {"wavelstm": [(16, 160.0), (256, 256.0)], "PyTorch": [(16, 40.0)]},
            "i128h128l1-int8, 2 threads": {"wavelstm": [(256, 512.0)]}})

    def test_plot(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(sessions.save_plot(self.RESULTS[-1:], pathlib.Path(folder)), [])
            path, = sessions.save_plot(self.RESULTS, pathlib.Path(folder))
            self.assertIn("i128h128l1-int8, 2 threads", path.read_text())


class Training(unittest.TestCase):
    VERSIONS = {"wavelstm": "1.0 (avx2)", "pytorch": "2.0", "jax": "3.0"}

    @staticmethod
    def result(problem, threads, flops, ours, pytorch):
        engines = [{"engine": engine, "min": least, "max_error": largest, "mean_error": mean}
                   for engine, least, largest, mean in (("wavelstm", ours, 2e-7, 3e-8),
                                                        ("pytorch", pytorch, 4e-7, 2e-8))]
        return {"problem": problem, "threads": threads, "flops": flops, "engines": engines, "errors": {},
                "best_peer": "pytorch", "ratio": pytorch / ours, "round_median": 1.0, "middle_half": [1.0, 2.0]}

    def setUp(self):
        self.results = [self.result("train/t1b1i9h256l1", 1, 9e7, 8e-5, 9e-5),
                        self.result("train/t1b1i9h20l1", 1, 9e3, 3e-6, 9e-6),
                        self.result("train/t1b1i9h256l1", 2, 9e7, 5e-5, 9e-5),
                        self.result("train/t1b1i9h20l1", 2, 9e3, 4e-6, 9e-6)]

    def test_a_second_thread(self):
        text = " ".join(training.table(self.results, list(self.VERSIONS), self.VERSIONS).split())
        self.assertIn("| wavelstm 1.0 | PyTorch 2.0 | best peer |", text)  # nothing of JAX's
        self.assertIn("| train/t1b1i9h256l1 | 2 | 50.0 | 90.0 | PyTorch 2.0 | 1.80 | 1.00 (1.00 to 2.00) | 1.60 |",
                      text)
        self.assertIn("| train/t1b1i9h20l1 | 1 | 3.00 | 9.00 | PyTorch 2.0 | 3.00 | 1.00 (1.00 to 2.00) | - |", text)
        self.assertEqual(training.gains_summary(self.results),
                         "threads 2, against our own 1 from 30 MFLOP on: geometric mean 1.60, least 1.60 "
                         "(train/t1b1i9h256l1)")
        self.assertEqual(training.gains_summary(self.results[:2]), "")

    def test_errors_are_of_one_thread_count(self):
        text = " ".join(training.errors_table(self.results, list(self.VERSIONS), self.VERSIONS).split())
        self.assertEqual(text.count("| train/t1b1i9h256l1 | 1 | 2.00e-07, 3.00e-08 | 4.00e-07, 2.00e-08 |"), 1)
        self.assertNotIn("| 2 |", text)
        self.results[1]["engines"][1]["mean_error"] = 1e-8
        self.assertEqual(training.errors_summary(self.results),
                         "largest error of ours at most twice PyTorch's on 2 of 2, geometric mean 0.50 of it, worst "
                         "0.50 (train/t1b1i9h256l1)\n"
                         "mean error of ours at most twice PyTorch's on 1 of 2, geometric mean 2.12 of it, worst 3.00 "
                         "(train/t1b1i9h20l1)")

    def test_memory_is_told_without_the_parameters(self):
        result = {"problem": "train/t1b1i9h256l1", "threads": 1, "model": 10_000_000, "kept": 1312.0, "least": 0,
                  "bytes": {"wavelstm": 30_000_000, "pytorch": 60_000_000}, "errors": {}}
        text = " ".join(training.memory_table([result], ["wavelstm", "pytorch"], self.VERSIONS).split())
        self.assertIn("| train/t1b1i9h256l1 | 1 | 1312 (5.12 H) | 10.0 | 20 | 50 | 2.50 |", text)

    def test_who_trains(self):
        self.assertEqual(workers.engines_for({"train"}), ["wavelstm", "pytorch", "jax"])
        self.assertNotIn("jax", workers.engines_for({"forward", "cell"}))
        self.assertEqual(workers.engines_for({"forward", "train"}), list(workers.MODULES))


@unittest.skipUnless(numpy, "needs NumPy")
class Gradients(unittest.TestCase):
    """Of bench/peers/gradients.py."""
    STEP = 1e-5

    def test_are_central_differences(self):
        for name in ("t4b3i2h3l2-f64", "t3b2i3h4l2p2-bi-f64", "t5b4i2h3l2-bi-nobias-f64-ragged",
                     "t5b3i2h3l2p2-f64-ragged"):
            with self.subTest(name):
                task = tasks.Task.train(name)
                data = tasks.make_data(task, 3)
                arrays = [data.x, *(values for param in data.params for values in param.values())]
                found = gradients.gradients(task, data)
                self.assertEqual([values.shape for values in found], [values.shape for values in arrays])
                for array, gradient in zip(arrays, found):
                    expected = numpy.empty_like(array)
                    for place in numpy.ndindex(array.shape):
                        expected[place] = self.difference(task, data, array, place)
                    self.assertLess(numpy.max(numpy.abs(gradient - expected)), 1e-6 * numpy.max(numpy.abs(expected)))

    def difference(self, task, data, array, place):
        def loss(value):
            array[place] = value
            return float(numpy.sum(reference.reference(task, data)[0] * data.d_out))

        value = array[place]
        slope = (loss(value + self.STEP) - loss(value - self.STEP)) / (2.0 * self.STEP)
        array[place] = value
        return slope

    def test_are_judged_by_the_largest_of_each_array(self):
        task = tasks.Task.train("t1b1i1h1l1")
        expected = (numpy.array([1e3, 0.0]), numpy.array([1e-3]))
        found = (numpy.array([1e3, 0.09]), numpy.array([1e-3]))
        close, largest, mean = rounds.judge("pytorch", task, found, expected)
        self.assertTrue(close)
        self.assertAlmostEqual(largest, 9e-5)
        self.assertAlmostEqual(mean, 3e-5)
        self.assertFalse(rounds.judge("pytorch", task, found, (expected[0], expected[1] * 1.001))[0])
        self.assertFalse(rounds.judge("pytorch", task, found[:1], expected)[0])


@unittest.skipUnless(numpy, "needs NumPy")
class Problems(unittest.TestCase):
    def test_sessions_are_one_step_in_another_order(self):
        for task in tasks.SESSIONS:
            self.assertEqual((task.problem.seq_len, str(task)), (1, f"sessions/{task.problem}"))
        data = tasks.make_data(tasks.SESSIONS[2], 7)
        self.assertEqual(sorted(data.order), list(range(16)))
        self.assertIsNone(tasks.make_data(tasks.Task.forward("t1b2i3h4l5"), 7).order)

    def test_names_come_back(self):
        for name in ("t10b3i100h20l4", "t1b2i3h4l5p2-bi-nobias-f64", "t1b2i3h4l5-bi-bf16", "t1b2i3h4l5-nobias-int8",
                     "t1b2i3h4l5-bf16arrays"):
            self.assertEqual(str(tasks.Problem.parse(name)), name)
        for name in ("t1b2i3h4l5-bf16-int8", "t1b2i3h4l5-int8-bi", "t1b2i3h4l5-full", "t1b2i3h4l5-f64-int8"):
            with self.assertRaises(ValueError):
                tasks.Problem.parse(name)

    def test_of_training(self):
        for name in ("t1b2i3h4l5p2-bi-nobias-f64-ragged-recompute7", "t1b2i3h4l5-recompute10", "t1b2i3h4l5-ragged"):
            task = tasks.Task.train(name)
            self.assertEqual((str(task), task.in_each(["int8"])), (f"train/{name}", [task]))
            self.assertEqual(tasks.make_data(task, 7).lengths is not None, "ragged" in name)
        for name in ("t1b2i3h4l5-bf16", "t1b2i3h4l5-recompute0", "t1b2i3h4l5-recompute2-ragged"):
            with self.assertRaises(ValueError):
                tasks.Task.train(name)
        self.assertEqual(tasks.Task.train("t1b2i3h4l5").flops(), 3 * tasks.Task.forward("t1b2i3h4l5").flops())
        names = list(map(str, tasks.trained_of(["t1b2i3h1024l5", "t1b2i3h1025l5"])))
        self.assertEqual(names[:2], ["train/t1b2i3h1024l5", "train/t365b256i32h64l1"])

    def test_precisions(self):
        def names(task):
            return [str(one) for one in task.in_each(["full", "int8", "bf16arrays"])]

        self.assertEqual(names(tasks.Task.forward("t1b2i3h4l5")),
                         ["t1b2i3h4l5", "t1b2i3h4l5-int8", "t1b2i3h4l5-bf16arrays"])
        self.assertEqual(names(tasks.Task.forward("t1b2i3h4l5-bf16")), ["t1b2i3h4l5-bf16"])
        self.assertEqual(names(tasks.Task.forward("t1b2i3h4l5-f64")), ["t1b2i3h4l5-f64"])
        self.assertEqual(names(tasks.CELLS[-1]), ["steps/t10b3i100h30h20", "steps/t10b3i100h30h20-int8"])

    def test_a_precision_has_the_same_numbers_and_its_own_tolerance(self):
        full, int8 = tasks.Task.forward("t2b2i3h4l1").in_each(["full", "int8"])
        own, other = (tasks.make_data(task, 7) for task in (full, int8))
        self.assertTrue(numpy.array_equal(own.x, other.x))
        self.assertTrue(numpy.array_equal(own.params[0]["weight_hh"], other.params[0]["weight_hh"]))
        self.assertEqual(other.x.dtype, numpy.float32)
        self.assertEqual(rounds.tolerance("wavelstm", full), (1.3e-6, 1e-5))
        self.assertEqual(rounds.tolerance("wavelstm", int8), rounds.tolerance("onnxruntime", int8))

    def test_errors_are_of_all_elements(self):
        expected = (numpy.zeros((2, 2)), numpy.zeros(4))
        found = (numpy.full((2, 2), 0.25), numpy.array([0.0, 0.0, 0.0, -1.0]))
        self.assertEqual(reference.compare(found, expected, 0.0, 0.5), (False, 1.0, 0.25))
        self.assertEqual(reference.compare(found, expected, 0.0, 1.0), (True, 1.0, 0.25))
        self.assertFalse(reference.compare((found[0], found[1] * numpy.nan), expected, 0.0, 1.0)[0])

    def test_bf16(self):
        ones = numpy.array([1.0, 1.0 + 2.0**-8, 1.0 + 3 * 2.0**-8, 1.0 + 2.0**-8 + 2.0**-20, -3.0], numpy.float32)
        rounded = engine_onednn.from_bf16(engine_onednn.to_bf16(ones))
        self.assertEqual(rounded.tolist(), [1.0, 1.0, 1.0 + 2.0**-6, 1.0 + 2.0**-7, -3.0])


class DeadEngine(unittest.TestCase):
    def test_is_stopped_with_a_request_on_its_way(self):
        worker = workers.Worker.__new__(workers.Worker)
        worker.process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(worker.process.stdout.close)
        worker.process.wait()
        with self.assertRaises(workers.EngineError):
            worker.send("version")
        worker.stop()


class Steal(unittest.TestCase):
    STAT = "cpu  100 1 20 1000 5 0 4 {} 7 7\ncpu0 50 0 10 500 2 0 2 1 0 0\n"

    def test_share(self):
        before = steal.ticks(self.STAT.format(10))
        self.assertEqual(before, (10, 1140))  # guests are part of user and nice
        self.assertEqual(steal.share(before, (10, 1240)), 0.0)
        self.assertAlmostEqual(steal.share(before, (13, 1240)), 0.03)
        self.assertEqual(steal.share(before, before), 0.0)

    @unittest.skipUnless(pathlib.Path("/proc/stat").exists(), "needs /proc")
    def test_of_this_machine(self):
        stolen, all_ticks = steal.ticks()
        self.assertLessEqual(0, stolen)
        self.assertLess(stolen, all_ticks)


class Agreement(unittest.TestCase):
    def compare(self, old, new):
        """What compare.py says of two runs of these {(problem, threads): ratio}."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / name for name in ("old.json", "new.json")]
            for path, run in zip(paths, (old, new)):
                results = [{"problem": problem, "threads": threads, "ratio": ratio} if ratio else
                           {"problem": problem, "threads": threads} for (problem, threads), ratio in run.items()]
                path.write_text(json.dumps({"passes": 5, "results": results}))
            done = subprocess.run([sys.executable, "-B", str(BENCH / "compare.py"), *map(str, paths)],
                                  capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr

    def test_nine_in_ten(self):
        old = {(f"t{number}", 1): 1.0 for number in range(10)}
        code, out, _ = self.compare(old, old | {("t3", 1): 0.94})
        self.assertEqual(code, 0)
        self.assertIn("9 of 10 ratios agree within 5 %", out)
        self.assertRegex(out, r"t3, 1 thread +1\.00 +0\.94 +6\.4 %")
        code, out, _ = self.compare(old, old | {("t3", 1): 0.94, ("t4", 1): 1.051})
        self.assertEqual(code, 1)
        self.assertIn("8 of 10 ratios agree within 5 %", out)

    def test_problem_and_threads_name_a_ratio(self):
        code, out, _ = self.compare({("a", 1): 1.0, ("a", 2): 2.0, ("b", 2): None}, {("a", 2): 2.09, ("b", 2): 1.0})
        self.assertEqual(code, 0)
        self.assertIn("1 of 1 ratios agree within 5 %", out)

    def test_nothing_in_common(self):
        code, _, err = self.compare({("a", 1): 1.0}, {("a", 2): 1.0})
        self.assertEqual(code, 2)
        self.assertIn("nothing in common", err)


if __name__ == "__main__":
    unittest.main()
