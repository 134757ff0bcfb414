"""What the tests of the Python package share: random arrays, printed seeds, assertions."""
import os
import sys
import unittest

import numpy as np

from tolerances import TOLERANCE

SEED = int(os.environ.get("WLSTM_TEST_SEED", "11"))


def setUpModule():
    print(f"WLSTM_TEST_SEED={SEED}", file=sys.stderr)


generator = np.random.default_rng(SEED)


def draw(*shape, dtype=np.float32):
    return generator.standard_normal(shape).astype(dtype)


class Base(unittest.TestCase):
    def assert_close(self, actual, expected, message=""):
        rtol, atol = TOLERANCE[f"f{8 * actual.itemsize}"]
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol, err_msg=message)

    def assert_raises(self, exception, text, function, *arguments, **keywords):
        with self.assertRaises(exception) as caught:
            function(*arguments, **keywords)
        self.assertIn(text, str(caught.exception))
