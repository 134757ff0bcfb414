#!/usr/bin/env python3
"""bench/tables.py: the figures in the documentation are those of bench/results, and another run can take their place.

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
        shutil.copytree(ROOT / "bench", self.root / "bench")
        (self.root / "docs").mkdir()
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

    def run_of(self, results: list) -> str:
        path = self.root / "peers.json"
        path.write_text(json.dumps({
            "machine": {"cpu": "Some CPU", "cores": 2, "isa": [], "date": "2027-01-02T03:04:05+00:00"},
            "versions": {"onednn-pypi": "4.0", "wavelstm": "0.2.0"}, "absent": {}, "passes": 1, "results": results}))
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
