#!/usr/bin/env python3
"""bench/ranks.py: what it reads of wlstm-bench and wlstm-bench-ranks, and the tables that it makes of them.

    python3 tests/unit/test_ranks.py"""

import pathlib
import sys
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import ranks  # noqa: E402
import runs  # noqa: E402

SIMULATION = """Simulated: ranks of 1 threads, 2 on a machine, on a network of 2 us and 10 GB/s a link, ...
Speed-ups are over one rank.

problem                   ranks    rows, us speed-up  layers, us speed-up
t9b1i8h8l4                    2      1000.0     0.99       612.5     1.63  2 ranks, chunks of 2
t9b1i8h8l4                    4      1000.0     0.99       400.0     2.50  4 ranks, chunks of 1
t9b8i8h8l1-bi                 2       500.0     1.90         0.0     0.00  two directions
t9b8i8h8l1-bi                 4       250.0     3.80         0.0     0.00  two directions
"""
MEASURED = """messages: 0.412 us, 5.204 GB/s
t9b1i8h8l4: one process 1.000 ms; 2 ranks: rows 1.010 ms, 0.99 times as fast; layers 0.625 ms, 1.60 times as fast; the same bits; stage 1
t9b8i8h8l1-bi: one process 1.000 ms; 2 ranks: rows 0.510 ms, 1.96 times as fast; the same bits; 
"""


class Ranks(unittest.TestCase):
    def test_what_is_read(self):
        self.assertEqual(ranks.read_predictions(SIMULATION)["t9b1i8h8l4", 4], {"rows": 0.99, "layers": 2.5, "how": "4 ranks, chunks of 1"})
        self.assertEqual(ranks.read_measured(MEASURED), ({"t9b1i8h8l4": {"rows": 0.99, "layers": 1.6},
                                                          "t9b8i8h8l1-bi": {"rows": 1.96, "layers": 0.0}}, (0.412, 5.204)))
        for read, written in ((ranks.read_predictions, "problem"), (ranks.read_measured, MEASURED.replace("the same", "other"))):
            with self.assertRaises(runs.BenchError):
                read(written)

    def test_medians(self):
        passes = [{"p": {"rows": 1.0, "layers": 3.0}}, {"p": {"rows": 5.0, "layers": 2.0}}, {"p": {"rows": 2.0, "layers": 9.0}}]
        self.assertEqual(ranks.medians(passes), {"p": {"rows": 2.0, "layers": 3.0}})

    def test_tables(self):
        predicted = [{"problem": problem, "ranks": count, "predicted": one}
                     for (problem, count), one in ranks.read_predictions(SIMULATION).items()]
        measured = {"problem": "t9b1i8h8l4", "ranks": 2, "measured": {"rows": 1.0, "layers": 1.6},
                    "predicted": {"rows": 0.9, "layers": 1.76}}
        text = " ".join(ranks.table([measured, *predicted]).split())
        self.assertIn("| `t9b1i8h8l4` | 1.00 | 0.90 | -10 % | 1.60 | 1.76 | +10 % |", text)
        self.assertIn("| `t9b1i8h8l4` | layers | 1.63 | 2.50 | 4 ranks, chunks of 1 |", text)
        self.assertIn("| `t9b8i8h8l1-bi` | rows | 1.90 | 3.80 | |", text)
        self.assertNotIn("| `t9b8i8h8l1-bi` | layers", text)
        self.assertNotIn("| `t9b1i8h8l4` | rows", text)
        self.assertIn("| problem | over ranks | 2 | 4 | of 4: used |", text)


if __name__ == "__main__":
    unittest.main()
