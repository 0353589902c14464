"""Numbers that stand in formulas, in the precision at hand: a plain literal would turn float32 into float64.

n = literals(x)      # in compiled code, x a float of either precision
"""

from collections import namedtuple

from ballcast.sim.jit import by_precision

LITERALS = {"zero": 0.0, "tiny": 1e-18, "twentieth": 0.05, "fifth": 0.2, "half": 0.5, "one": 1.0, "two": 2.0,
            "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "ten": 10.0, "fifteen": 15.0}  # fmt: skip
Literals = namedtuple("Literals", LITERALS)  # type: ignore[misc]
literals = by_precision(lambda dtype: Literals(*map(dtype, LITERALS.values())))
