"""The Python package on the library installed below the folder that is the argument."""
import sys

import numpy
import wavelstm

out, (h_n, c_n) = wavelstm.LSTM(4, 3)(numpy.ones((2, 1, 4), numpy.float32))
with open("/proc/self/maps") as maps:
    assert any(sys.argv[1] + "/" in line and "libwavelstm.so" in line for line in maps), "not the installed library"
assert out.shape == (2, 1, 3) and numpy.array_equal(out[-1], h_n[0])
print(f"h_n = {h_n[0, 0, 0]:.6f} by wavelstm {wavelstm.__version__}")
