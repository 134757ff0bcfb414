"""The library's tolerances, for Python: src/reference/compare.c has them."""
import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src/reference/compare.c"
ROW = re.compile(r"\[WLSTM_(\w+)\] = \{ ([-+.e\d]+), ([-+.e\d]+) \}")

# {"f32": (rtol, atol), ...}, a type each
TOLERANCE = {name.lower(): (float(rtol), float(atol)) for name, rtol, atol in ROW.findall(SOURCE.read_text())}
