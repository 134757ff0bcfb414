#!/usr/bin/env python3
"""bench/tables.py: the figures in the documentation are those of bench/results, and another run can take their place.
Of what is not measured the pages say so.

    python3 tests/unit/test_tables.py"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tables(root: pathlib.Path, *arguments: str) -> tuple:
    done = subprocess.run([sys.executable, "-B", str(root / "bench" / "tables.py"), *arguments], capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stdout, done.stderr


class Committed(unittest.TestCase):
    def test_pages_are_what_is_written(self):
        self.assertEqual(tables(ROOT, "--check"), (0, "", ""))


class Copied(unittest.TestCase):
    """In a copy of what the program reads and writes."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copytree(ROOT / "bench", self.root / "bench", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "docs" / "images", self.root / "docs" / "images")
        for page in ("README.md", "docs/benchmarks.md"):
            shutil.copy(ROOT / page, self.root / page)
        self.page = self.root / "docs" / "benchmarks.md"

    def test_an_edited_table(self):
        written = self.page.read_text()
        edited = written.replace("geometric mean 1", "geometric mean 9", 1)
        self.assertNotEqual(edited, written)
        self.page.write_text(edited)
        code, out, _ = tables(self.root, "--check")
        self.assertEqual((code, out), (1, "docs/benchmarks.md: not what bench/tables.py writes\n"))
        self.assertEqual(tables(self.root), (0, "", ""))
        self.assertEqual(self.page.read_text(), written)

    def run_of(self, results: list, **more: str) -> str:
        path = self.root / "peers.json"
        path.write_text(json.dumps({
            "machine": {"cpu": "Some CPU", "cores": 2, "isa": [], "date": "2027-01-02T03:04:05+00:00"},
            "versions": {"onednn-pypi": "4.0", "wavelstm": "0.2.0"} | more, "absent": {}, "passes": 1,
            "results": results}))
        return str(path)

    def test_a_new_run(self):
        engines = [{"engine": "wavelstm", "ways": ["C"], "max_error": 0.0, "min": 1.5e-5, "turns": [[1.5e-5, 2e-5]]},
                   {"engine": "onednn-pypi", "ways": ["C"], "max_error": 0.0, "min": 3e-5, "turns": [[3e-5, 4e-5]]}]
        result = {"problem": "t1b2i3h4l5", "threads": 1, "flops": 1, "engines": engines, "errors": {},
                  "best_peer": "onednn-pypi", "ratio": 2.0, "round_median": 2.1, "middle_half": [2.0, 2.2]}
        self.assertEqual(tables(self.root, "grid=" + self.run_of([result])), (0, "", ""))
        self.assertNotIn("turns", (self.root / "bench" / "results" / "grid.json").read_text())
        text = self.page.read_text()
        self.assertIn("Some CPU, 2 cores, 2027-01-02; microseconds a call:", text)
        self.assertIn("| 15.0 | 30.0 | oneDNN 4.0 | 2.00 | 2.10 (2.00 to 2.20) |", " ".join(text.split()))
        self.assertIn("Some CPU", (self.root / "README.md").read_text())
        # Once stored, a result goes in again as it is.
        grid = self.root / "bench" / "results" / "grid.json"
        stored = grid.read_text()
        self.assertEqual(tables(self.root, f"grid={grid}"), (0, "", ""))
        self.assertEqual(grid.read_text(), stored)

    def store(self, name: str, results: list) -> str:
        """The page once they are stored; they must go in again as they are."""
        self.assertEqual(tables(self.root, f"{name}=" + self.run_of(results, onnxruntime="5.0", pytorch="6.0")),
                         (0, "", ""))
        stored = self.root / "bench" / "results" / f"{name}.json"
        before = stored.read_text()
        self.assertEqual(tables(self.root, f"{name}={stored}"), (0, "", ""))
        self.assertEqual(stored.read_text(), before)
        self.assertEqual(tables(self.root, "--check"), (0, "", ""))
        return " ".join(self.page.read_text().split())

    def drop(self, name: str) -> str:
        (self.root / "bench" / "results" / f"{name}.json").unlink(missing_ok=True)
        self.assertEqual(tables(self.root), (0, "", ""))
        return " ".join(self.page.read_text().split())

    def test_what_is_not_measured_says_so(self):
        for name in ("precision int8", "models", "wavefront", "scaling"):
            page = self.drop(name.split()[0])
            self.assertIn(f"<!-- bench/tables.py: {name} --> Not measured yet. <!-- to here -->", page)

    def test_precisions(self):
        def result(problem: str, ours: float, peer: float) -> dict:
            engines = [{"engine": engine, "ways": ["C"], "min": seconds, "turns": [[seconds]], "max_error": error,
                        "mean_error": error / 8} for engine, seconds, error in (("wavelstm", ours, 0.25),
                                                                               ("onnxruntime", peer, 0.5))]
            return {"problem": problem, "threads": 1, "flops": 1, "engines": engines, "errors": {},
                    "best_peer": "onnxruntime", "ratio": peer / ours, "round_median": 1.0, "middle_half": [1.0, 1.0]}

        page = self.store("precision", [result("t1b2i3h256l5", 6e-5, 9e-5), result("t1b2i3h256l5-int8", 2e-5, 3e-5)])
        table = page.split("tables.py: precision int8 -->")[1].split("<!-- to here")[0]
        self.assertIn("| t1b2i3h256l5-int8 | 1 | 20.0 | 30.0 | ONNX Runtime 5.0 | 1.50 | 1.00 (1.00 to 1.00) | 3.00 |",
                      table)
        self.assertIn("All 1 problems: - threads 1: geometric mean 1.50, worst 1.50 (t1b2i3h256l5-int8), faster on 1 "
                      "of 1 - threads 1, against our own f32 from 256 units on: geometric mean 3.00", table)
        errors = page.split("tables.py: precision int8-errors -->")[1].split("<!-- to here")[0]
        self.assertIn("| t1b2i3h256l5-int8 | 1 | 2.50e-01, 3.12e-02 | 5.00e-01, 6.25e-02 |", errors)
        self.assertIn("- int8: the largest error at most ONNX Runtime's on 1 of 1, the mean on 1 of 1", errors)

    def test_training(self):
        def result(threads: int, ours: float, **errors: float) -> dict:
            engines = [{"engine": engine, "min": seconds, **errors} for engine, seconds in (("wavelstm", ours),
                                                                                             ("pytorch", 9e-5))]
            return {"problem": "train/t1b2i3h256l5", "threads": threads, "flops": 4e7, "engines": engines, "errors": {},
                    "best_peer": "pytorch", "ratio": 9e-5 / ours, "round_median": 1.0, "middle_half": [1.0, 1.0]}

        errors = {"max_error": 2e-7, "mean_error": 1e-8}
        page = self.store("training", [result(1, 6e-5, **errors), result(2, 3e-5, **errors)])
        self.assertIn("microseconds a step:", page)
        self.assertIn("| train/t1b2i3h256l5 | 2 | 30.0 | 90.0 | PyTorch 6.0 | 3.00 | 1.00 (1.00 to 1.00) | 2.00 |",
                      page)
        self.assertIn("from 30 MFLOP on: geometric mean 2.00, least 2.00 (train/t1b2i3h256l5)", page)
        table = page.split("tables.py: training gradients -->")[1].split("<!-- to here")[0]
        self.assertIn("| train/t1b2i3h256l5 | 1 | 2.00e-07, 1.00e-08 | 2.00e-07, 1.00e-08 |", table)
        page = self.store("training", [result(1, 6e-5)])
        self.assertIn("<!-- bench/tables.py: training gradients --> Not measured yet. <!-- to here -->", page)

    def test_memory_of_training(self):
        page = self.store("training-memory", [{"problem": "train/t1b2i3h256l5", "threads": 1, "least": 0, "errors": {},
                                               "model": 1_000_000, "kept": 1280.0,
                                               "bytes": {"wavelstm": 5_000_000, "pytorch": 9_000_000}}])
        self.assertIn("| train/t1b2i3h256l5 | 1 | 1280 (5.00 H) | 1.0 | 4 | 8 | 2.00 |", page)

    def test_loads(self):
        together = {"pss": 8e6, "own": 7e6}
        result = {"problem": "t1b2i3h4l1", "processes": 4, "engine": "wavelstm", "has": "f32, compact", "least": 1e7,
                  "resident": {"loading": 12e6, "loaded": 11e6, "called": 15e6, "together": together}}
        page = self.store("loads", [result | {"resident": result["resident"] | {"forked": {"pss": 5e6, "own": 4e6}}},
                                    result | {"engine": "onnxruntime", "has": "int8"}])
        self.assertIn("t1b2i3h4l1, whose f32 parameters are 10 MB:", page)
        self.assertIn("| wavelstm 0.2.0 | f32, compact | 12 (1.20) | 11 (1.10) | 15 (1.50) | 8 | 7 | 5 |", page)
        self.assertIn("| ONNX Runtime 5.0 | int8 | 12 (1.20) | 11 (1.10) | 15 (1.50) | 8 | 7 | - |", page)

    def test_models(self):
        page = self.store("models", [
            {"precision": precision, "engine": engine, "least_cosine": 0.75, "largest": 0.5, "mean": 0.125,
             "changed": 3, "decisions": 40} for precision, engine in (("full", "wavelstm"), ("int8", "onnxruntime"))])
        self.assertIn("| f32 | wavelstm | 5.0e-01 | 1.2e-01 | 3 of 40 | 2.5e-01 |", page)
        self.assertIn("| int8 | ONNX Runtime | 5.0e-01 |", page)

    def test_charts(self):
        predicted = {"threads": 2, "speed_up": 1.5, "plan": "2 x 1 x 1 x 1, chunk 4", "limited_by": "work"}
        measured = [{"backend": "native", "schedule": schedule, "threads": threads, "seconds": seconds}
                    for schedule, threads, seconds in (("serial", 1, 4e-5), ("gangs", 2, 2e-5))]
        page = self.store("wavefront", [{"problem": "t1b2i3h4l5", "measured": measured,
                                         "predicted": [predicted | {"schedule": "gangs"}]}])
        self.assertIn("| t1b2i3h4l5 | native | 40.0 | 20.0 (2.00) |", page)
        self.assertIn("(images/wavefront.svg)", page)
        drawn = self.root / "docs" / "images" / "wavefront.svg"
        self.assertIn("gangs, native, measured", drawn.read_text())
        drawn.write_text("<svg/>")
        self.assertEqual(tables(self.root, "--check"),
                         (1, "docs/images/wavefront.svg: not what bench/tables.py writes\n", ""))
        page = self.store("scaling", [{"problem": "t1b2i3h4l5", "seconds": 4e-5, "sequences": 5e4, "predicted": 1.5,
                                       "threads": 2, "speed_up": 1.75, "plan": "wavefront, chunk 2",
                                       "limited_by": "sync"}])
        self.assertIn("| t1b2i3h4l5 | 2 | 40.0 | 5e+04 | 1.75 | 88 % | 1.50 | 1.17 | wavefront, chunk 2 | sync |", page)
        self.assertTrue((self.root / "docs" / "images" / "scaling.svg").is_file())

    def test_what_is_refused(self):
        code, _, error = tables(self.root, "grit=peers.json")
        self.assertEqual(code, 2)
        self.assertIn("grid", error)
        (self.root / "peers.json").write_text("[]")
        code, _, error = tables(self.root, "grid=" + str(self.root / "peers.json"))
        self.assertEqual(code, 2)
        self.assertIn("machine, versions and results expected", error)
        self.assertEqual(tables(self.root, "--check"), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
