"""The Python package out of a wheel: its own library, which computes, tunes and keeps what it found; one OpenMP runtime."""
import os
import pathlib
import sys
import tempfile

import numpy as np

with tempfile.TemporaryDirectory() as cache:
    os.environ.update(WLSTM_CACHE=cache, WLSTM_EFFORT="measure")
    import wavelstm

    lstm = wavelstm.LSTM(64, 64, num_layers=2)
    x = np.ones((20, 2, 64), np.float32)
    out, (h_n, c_n) = lstm(x)
    assert out.shape == (20, 2, 64) and np.array_equal(out[-1], h_n[1])
    tuned = [path.name for path in pathlib.Path(cache).iterdir()]
    assert tuned, "no file of the plan cache"

package = pathlib.Path(wavelstm.__file__).parent
loaded = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
assert str(package / "libwavelstm.so.0") in loaded, loaded
runtimes = sorted(path for path in loaded if any(name in path for name in ("libgomp", "libomp", "libiomp")))
assert len(runtimes) == 1, runtimes
assert (package / "libgomp.so.1").exists(), "not a wheel of scripts/wheel.sh"
compiled = sys.implementation.name == "cpython" and sys.version_info >= (3, 11) and not sys.abiflags.count("t")
assert (wavelstm._library.calls is not None) == compiled, "the compiled module is there, or is not"
print(f"{wavelstm.build_info()}; tuned; {runtimes[0]}")
