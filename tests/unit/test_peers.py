#!/usr/bin/env python3
"""bench/peers/ratios.py and steal.py, how a dead engine is stopped, and what bench/compare.py says of two runs of bench/peers.py.

    python3 tests/unit/test_peers.py"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from peers import ratios, steal, workers  # noqa: E402


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
