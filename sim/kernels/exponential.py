"""exp and log that the compiler turns into vector instructions, where a loop over plain numbers calls them.

    y = exponential(x)      # float32 or float64, as x; x beyond +-87 (float32) or +-708 counts as that
    y = logarithm(x)        # x > 0, not below the smallest normal number

Both are within 1.1 units of the last place. Those of the C library are calls, made for one number after the other, and
a loop that holds a call stays scalar. These have neither branch nor table: arithmetic alone, on the number and on its
bits. Lanes (lane_numbers.py) and graphics processors have a `math.exp` of their own: there, `exponential` is that.
"""

import math
from collections import namedtuple
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

# Of one precision: the types of a number and of its bits; how many bits the fraction has, and what is added to the
# exponent; the largest argument of exp; log 2 in two parts, the first of so few digits that whole numbers times it are
# exact; the bits of the root of a half; coefficients of the polynomials of exp and log, the highest power first
_Precision = namedtuple("_Precision", "kind bits fraction_bits bias largest ln2_high ln2_low root_half exp log")
# exp: Cephes (S. Moshier) in float32, SLEEF (N. Shibata) in float64; log: FreeBSD's (Sun Microsystems), both
_FLOAT32 = _Precision(
    ir.FloatType(), ir.IntType(32), 23, 127, 87.0, 0.693359375, -2.12194440e-4, 0x3F3504F3,
    (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1),
    (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693),
)  # fmt: skip
_FLOAT64 = _Precision(
    ir.DoubleType(), ir.IntType(64), 52, 1023, 708.0, 0.693147180559662956511601805687, 2.8235290563031577122588448e-13,
    0x3FE6A09E667F3BCD,
    (2.08860621107283687536341e-09, 2.51112930892876518610661e-08, 2.75573911234900471893338e-07,
     2.75572362911928827629423e-06, 2.4801587159235472998791e-05, 0.000198412698960509205564975,
     0.00138888888889774492207962, 0.00833333333331652721664984, 0.0416666666666665047591422,
     0.166666666666666851703837, 0.5),
    (1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01,
     2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01),
)  # fmt: skip
_PRECISIONS = {types.float32: _FLOAT32, types.float64: _FLOAT64}


class _Code:
    """Writes instructions for numbers of one precision.

    They may be fused, but are otherwise made as they stand: numba gives its own flags to those that have none, by which
    the two parts of log 2 would be added up.
    """

    def __init__(self, builder: Any, precision: _Precision) -> None:
        self.builder, self.kind, self.bits = builder, precision.kind, precision.bits

    def number(self, value: Any) -> Any:
        return ir.Constant(self.kind, value) if isinstance(value, float) else value

    def whole(self, value: int) -> ir.Constant:
        return ir.Constant(self.bits, value)

    def add(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(self.number(a), self.number(b), flags=("contract",))

    def subtract(self, a: Any, b: Any) -> Any:
        return self.builder.fsub(self.number(a), self.number(b), flags=("contract",))

    def multiply(self, a: Any, b: Any) -> Any:
        return self.builder.fmul(self.number(a), self.number(b), flags=("contract",))

    def divide(self, a: Any, b: Any) -> Any:
        return self.builder.fdiv(self.number(a), self.number(b), flags=("contract",))

    def polynomial(self, x: Any, coefficients: tuple[float, ...]) -> Any:
        """By pairs (Estrin): fewer operations wait for one another than in Horner's scheme."""
        terms = [self.number(k) for k in reversed(coefficients)]
        while len(terms) > 1:
            odd = terms[len(terms) // 2 * 2 :]
            terms = [self.add(self.multiply(b, x), a) for a, b in zip(terms[::2], terms[1::2])] + odd
            x = self.multiply(x, x)
        return terms[0]

    def clamp(self, x: Any, largest: float) -> Any:
        top, bottom = self.number(largest), self.number(-largest)
        x = self.builder.select(self.builder.fcmp_ordered(">", x, top), top, x)
        return self.builder.select(self.builder.fcmp_ordered("<", x, bottom), bottom, x)

    def to_bits(self, x: Any) -> Any:
        return self.builder.bitcast(x, self.bits)

    def from_bits(self, bits: Any) -> Any:
        return self.builder.bitcast(bits, self.kind)


def _exponential_code(builder, p, x):
    """x = n log 2 + r: 2^n (1 + r + r^2 P(r)), n whole, r up to log 2 / 2 from 0."""
    c, round_whole = _Code(builder, p), 1.5 * 2.0**p.fraction_bits  # beside which nothing is left below the one
    x = c.clamp(x, p.largest)
    shifted = c.add(c.multiply(x, 1.0 / math.log(2.0)), round_whole)  # its last bits are those of n
    n = c.subtract(shifted, round_whole)
    r = c.subtract(c.subtract(x, c.multiply(n, p.ln2_high)), c.multiply(n, p.ln2_low))
    y = c.add(c.add(c.multiply(c.polynomial(r, p.exp), c.multiply(r, r)), r), 1.0)
    exponent = builder.add(c.to_bits(shifted), c.whole(p.bias))
    return c.multiply(y, c.from_bits(builder.shl(exponent, c.whole(p.fraction_bits))))


def _logarithm_code(builder, p, x):
    """x = 2^k (1 + f), 1 + f from the root of a half to that of two: with s = f / (2 + f), log(1 + f) = 2 atanh s."""
    c = _Code(builder, p)
    above = builder.add(c.to_bits(x), c.whole((p.bias << p.fraction_bits) - p.root_half))
    fraction = builder.and_(above, c.whole((1 << p.fraction_bits) - 1))
    f = c.subtract(c.from_bits(builder.add(fraction, c.whole(p.root_half))), 1.0)
    exponent = builder.lshr(above, c.whole(p.fraction_bits))
    unit = p.bias + p.fraction_bits << p.fraction_bits  # the bits of the number whose last place is worth one
    k = c.subtract(c.from_bits(builder.or_(exponent, c.whole(unit))), 2.0**p.fraction_bits + p.bias)
    s, half = c.divide(f, c.add(f, 2.0)), c.multiply(c.multiply(f, 0.5), f)
    ss = c.multiply(s, s)
    tail = c.multiply(ss, c.polynomial(ss, p.log))
    low = c.add(c.multiply(s, c.add(half, tail)), c.multiply(k, p.ln2_low))
    return c.add(c.multiply(k, p.ln2_high), c.subtract(f, c.subtract(half, low)))


def _compiled(code):
    """An intrinsic of one float."""

    @intrinsic
    def function(typing, x):
        if x in _PRECISIONS:
            return x(x), lambda context, builder, sig, args: code(builder, _PRECISIONS[x], *args)

    return function


_exponential, _logarithm = _compiled(_exponential_code), _compiled(_logarithm_code)


def exponential(x: Any) -> Any:
    """exp(x): of a float32 or float64, or of another number that has a `math.exp`."""
    return math.exp(x)


def logarithm(x: Any) -> Any:
    """log(x), x > 0: of a float32 or float64, or of another number that has a `math.log`."""
    return math.log(x)


# inlined as source, so that the arithmetic of other numbers has the flags of the caller, as if it called math itself
@overload(exponential, inline="always")
def _(x):
    return (lambda x: _exponential(x)) if x in _PRECISIONS else lambda x: math.exp(x)


@overload(logarithm, inline="always")
def _(x):
    return (lambda x: _logarithm(x)) if x in _PRECISIONS else lambda x: math.log(x)
