"""The Python package beside torch, either imported first: one OpenMP runtime, as threadpoolctl sees it."""
import subprocess
import sys

PROGRAM = """
import {first}, {second}
import threadpoolctl, torch, wavelstm
x = torch.randn(50, 8, 64)
lstm = torch.nn.LSTM(64, 64)
with torch.no_grad():
    torch.testing.assert_close(wavelstm.LSTM.from_torch(lstm)(x), lstm(x))
runtimes = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "openmp"]
assert len(runtimes) == 1, runtimes
print("{first}, {second}:", runtimes[0]["filepath"])
"""

for first, second in (("torch", "wavelstm"), ("wavelstm", "torch")):
    subprocess.run([sys.executable, "-c", PROGRAM.format(first=first, second=second)], check=True)
