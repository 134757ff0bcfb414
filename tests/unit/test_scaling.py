#!/usr/bin/env python3
"""bench/scaling.py and bench/wavefront.py: what they read of wlstm-bench, what they reckon, and what they write.

    python3 tests/unit/test_scaling.py"""

import argparse
import html.parser
import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import charts  # noqa: E402
import runs  # noqa: E402
import scaling  # noqa: E402
import wavefront  # noqa: E402

SIMULATION = """Simulated: plans for more threads, with costs measured on this machine's cores (bench/simulate.c).
plan: gangs of layers x directions x parts x units; lost, % of the time: idle, bandwidth, sync

Two threads, nanoseconds: parallel region 1000, barrier of a gang 245, wait for another gang 156, task 5370

problem                  threads   used  plan                                us speed-up  limited by       lost
t4b3i2h1l4                     1      1  1 x 1 x 1 x 1, chunk 10         1000.0     0.99  work               0   0   0
t4b3i2h1l4                     2      2  2 x 1 x 1 x 1, chunk 4           550.5     1.80  critical path     39   0  12   measured 1.50, \
predicted/measured 1.20
t4b3i2h1l4                     4      3  wavefront, chunk 2               300.0     3.30  no more to share   0   0   0
"""


def report(names: dict, **more) -> str:
    """wlstm-bench's JSON of {name: [real times]}, in microseconds"""
    entries = [{"name": name, "run_name": name, "run_type": "iteration", "real_time": time, "time_unit": "us"} | more
               for name, times in names.items() for time in times]
    entries += [{"name": f"{name}_mean", "run_name": name, "run_type": "aggregate", "real_time": 0.0, "time_unit": "us"}
                for name in names]
    return json.dumps({"context": {"wavelstm": "wavelstm 9.8, avx2 kernels"}, "benchmarks": entries})


class Reading(unittest.TestCase):
    def test_the_fastest_repetition(self):
        seconds, build = runs.read_times(report({"forward/a/threads:1": [12.0, 10.0, 11.0], "b": [1.0]}))
        self.assertEqual(seconds, {"forward/a/threads:1": 10.0 * 1e-6, "b": 1e-6})
        self.assertEqual(build, "wavelstm 9.8, avx2 kernels")

    def test_a_wrong_result_is_no_time(self):
        with self.assertRaisesRegex(runs.BenchError, "a: wrong result"):
            runs.read_times(report({"a": [1.0]}, error_occurred=True, error_message="wrong result"))

    def test_predictions(self):
        found = runs.read_predictions(SIMULATION)
        self.assertEqual(list(found), [("t4b3i2h1l4", 1), ("t4b3i2h1l4", 2), ("t4b3i2h1l4", 4)])
        self.assertEqual(found["t4b3i2h1l4", 2], {"seconds": 550.5 * 1e-6, "speed_up": 1.8,
                                                  "plan": "2 x 1 x 1 x 1, chunk 4", "limited_by": "critical path"})
        self.assertEqual(found["t4b3i2h1l4", 4]["plan"], "wavefront, chunk 2")
        self.assertEqual(found["t4b3i2h1l4", 4]["limited_by"], "no more to share")
        with self.assertRaisesRegex(runs.BenchError, "a line a problem"):
            runs.read_predictions("Simulated:\n")

    def test_thread_lists(self):
        self.assertEqual(runs.thread_list("8,2,2"), [1, 2, 8])
        for wrong in ("0", "2,-1"):
            with self.assertRaises(argparse.ArgumentTypeError):
                runs.thread_list(wrong)
        with self.assertRaises(ValueError):
            runs.thread_list("two")
        self.assertEqual(scaling.doublings(1), [1])
        self.assertEqual(scaling.doublings(8), [1, 2, 4, 8])
        self.assertEqual(scaling.doublings(12), [1, 2, 4, 8, 12])


class Pinning(unittest.TestCase):
    def test_cores_before_their_second_threads(self):
        # Two packages of two cores, numbered as Linux does: first threads 0 to 3, second ones 4 to 7.
        place = {0: (0, 0), 1: (0, 1), 2: (1, 0), 3: (1, 1), 4: (0, 0), 5: (0, 1), 6: (1, 0), 7: (1, 1)}
        self.assertEqual(runs.core_order(range(8), place.get), [0, 1, 2, 3, 4, 5, 6, 7])
        # A core's two threads side by side.
        place = {processor: (0, processor // 2) for processor in range(6)}
        self.assertEqual(runs.core_order([5, 1, 0, 4, 2], place.get), [0, 2, 4, 1, 5])
        self.assertEqual(runs.pinned([0, 2, 1])["OMP_PLACES"], "{0},{2},{1}")

    @unittest.skipUnless(hasattr(os, "sched_getaffinity"), "needs Linux")
    def test_here(self):
        self.assertEqual(sorted(runs.processors()), sorted(os.sched_getaffinity(0)))


class Scaling(unittest.TestCase):
    RESULTS = scaling.results_of(["t4b3i2h1l4"], [1, 2, 4], {("t4b3i2h1l4", 1): 1e-3, ("t4b3i2h1l4", 2): 5e-4,
                                                            ("t4b3i2h1l4", 4): 4e-4}, runs.read_predictions(SIMULATION))
    RUN = {"machine": {"cpu": "<Some> CPU", "cores": 4, "date": "2027-01-02"}, "versions": {"wavelstm": "9.8"},
           "results": RESULTS}

    def test_what_is_reckoned(self):
        last = self.RESULTS[-1]
        self.assertEqual((last["threads"], last["seconds"], last["speed_up"]), (4, 4e-4, 2.5))
        self.assertAlmostEqual(last["sequences"], 3 / 4e-4)
        text = " ".join(scaling.table(self.RESULTS).split())
        self.assertIn("| t4b3i2h1l4 | 2 | 500.0 | 6000 | 2.00 | 100 % | 1.80 | 1.11 | 2 x 1 x 1 x 1, chunk 4 "
                      "| critical path |", text)
        self.assertIn("| t4b3i2h1l4 | 4 | 400.0 | 7500 | 2.50 | 62 % | 3.30 | 0.76 | wavefront, chunk 2 |", text)

    def test_the_page_has_it_all(self):
        class Texts(html.parser.HTMLParser):
            texts = []

            def handle_data(self, data):
                self.texts.append(data)

        parser = Texts()
        parser.feed(scaling.page(self.RUN))
        self.assertIn("cpu: <Some> CPU", parser.texts)
        self.assertIn("critical path", parser.texts)
        self.assertEqual(json.loads(next(text for text in parser.texts if text.startswith("{"))), self.RUN)
        self.assertIn("<svg", scaling.page(self.RUN))

    @unittest.skipUnless(os.name == "posix", "needs a shell")
    def test_one_command(self):
        """By a wlstm-bench that says what the real one would."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "simulation").write_text(SIMULATION)
            (root / "times").write_text(report({"forward/t4b3i2h1l4/threads:1": [20.0, 10.0]}))
            program = root / "wlstm-bench"
            program.write_text(f'#!/bin/sh\ncase "$*" in *simulate*) cat {root}/simulation ;; *) cat {root}/times ;; '
                               f'esac\necho "$OMP_PLACES $WLSTM_CACHE $*" >> {root}/said\n')
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            command = [sys.executable, "-B", str(BENCH / "scaling.py"), "t4b3i2h1l4", "--threads", "1", "--passes", "2",
                       "--bench", str(program), "--out", str(root / "out")]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            run = json.loads((root / "out" / "scaling.json").read_text())
            self.assertAlmostEqual(run["results"][0]["seconds"] * 1e5, 1.0)
            self.assertEqual(run["versions"], {"wavelstm": "wavelstm 9.8, avx2 kernels"})
            self.assertIn("<table>", (root / "out" / "scaling.html").read_text())
            said = (root / "said").read_text().splitlines()
            self.assertEqual(len(said), 3)
            self.assertTrue(all(line.startswith("{") and " off t4b3i2h1l4 --" in line for line in said), said)
            program.write_text("#!/bin/sh\necho no such problem >&2\nexit 2\n")
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("exit status 2\nno such problem", done.stderr)


class Wavefront(unittest.TestCase):
    SECONDS = {f"forward/t4b3i2h1l4/backend:{backend}/schedule:{schedule}/threads:{threads}": seconds
               for backend, times in (("native", (8e-6, 8e-6, 8e-6, 8e-6, 5e-6, 4e-6)), ("onednn", (16e-6,) * 6))
               for (schedule, threads), seconds in zip(((schedule, threads) for threads in (1, 2)
                                                        for schedule in ("serial", "wavefront", "gangs")), times)}
    RESULTS = [{"problem": "t4b3i2h1l4", "measured": wavefront.measured_of("t4b3i2h1l4", SECONDS),
                "predicted": wavefront.predicted_of("t4b3i2h1l4", {"wavefront": runs.read_predictions(SIMULATION)})}]

    def test_of_its_problem_only(self):
        self.assertEqual(len(self.RESULTS[0]["measured"]), 12)
        self.assertEqual(wavefront.measured_of("t4b3i2h1l44", self.SECONDS), [])

    def test_tables(self):
        text = " ".join(wavefront.table(self.RESULTS).split())
        self.assertIn("| backend | layer by layer, 1 thread | wavefront, 2 threads | gangs, 2 threads |", text)
        self.assertIn("| t4b3i2h1l4 | native | 8.00 | 5.00 (1.60) | 4.00 (2.00) |", text)
        self.assertIn("| t4b3i2h1l4 | onednn | 16.0 | 16.0 (1.00) | 16.0 (1.00) |", text)
        self.assertIn("| t4b3i2h1l4 | wavefront | 0.99 | 1.80 | 3.30 | wavefront, chunk 2 | no more to share |", text)

    def test_the_plot(self):
        text = wavefront.chart(self.RESULTS)
        for label in ("wavefront, native, predicted", "gangs, native, measured", "wavefront, onednn, measured"):
            self.assertIn(label, text)


class Charts(unittest.TestCase):
    def test_ticks(self):
        self.assertEqual(charts.powers(1, 1), [1.0, 2.0])
        self.assertEqual(charts.powers(0.7, 5), [0.5, 1.0, 2.0, 4.0, 8.0])
        self.assertEqual(charts.powers(1, 8), [1.0, 2.0, 4.0, 8.0])

    def test_points_lie_where_they_should(self):
        picture = xml.etree.ElementTree.fromstring(
            charts.lines("A < B", {"one": {"x": [(1, 1.0), (4, 2.0), (2, 2.0)]}, "two": {"y": [(1, 0.5)]}}, "n", "s"))
        space = "{http://www.w3.org/2000/svg}"
        points = [[tuple(map(float, point.split(","))) for point in line.get("points").split()]
                  for line in picture.iter(f"{space}polyline")]
        left, right = charts.LEFT, charts.WIDTH - charts.RIGHT
        top, bottom = charts.TOP, charts.HEIGHT - charts.BOTTOM
        self.assertEqual(points[0], [(left, bottom), ((left + right) / 2, top), (right, top)])
        self.assertEqual(points[1], [(left, bottom)])
        self.assertIn("A < B", [text.text for text in picture.iter(f"{space}text")])


if __name__ == "__main__":
    unittest.main()
