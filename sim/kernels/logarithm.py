"""The natural logarithm of numbers between 0 and 1, the same bits on every processor, and in vector loops. Compiled.

It is that of Arm's Optimized Routines (S. Nagy 2018, MIT licence), which the C libraries glibc and musl have, too, with
its rounding: within 0.52 units of the last place. A library's own differs between systems and between processors, and
no loop that calls it becomes one over vectors.

x = 2^k z, and log x = k log 2 - log c + log(1 + r), where r = c z - 1 and c is near 1 / z, from a table.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ballcast.sim.kernels.strict_code import inlined_strict

LN2_HIGH, LN2_LOW = 0.6931471805598903, 5.497923018708371e-14  # their sum is log 2
# of log(1 + r) - r, r up to 1/128 from 0
_A0, _A1, _A2 = -0.5000000000000001, 0.33333333331825593, -0.2499999999622955
_A3, _A4 = 0.20000304511814496, -0.16667054827627667
# of log(1 + r) - r + r^2 / 2, r from -1/16 to 0
_B1, _B2, _B3 = 0.3333333333333352, -0.24999999999998432, 0.19999999999320328
_B4, _B5, _B6 = -0.16666666669929706, 0.14285715076560868, -0.12499997863982555
_B7, _B8, _B9, _B10 = 0.11110712032936046, -0.10000486757818193, 0.09181994006195467, -0.08328363062289341
NEAR_ONE = 0.9375  # from here on without the table, which would leave too few digits
SPLIT = 134217728.0  # 2^27: what is left of a number's upper digits can be squared without rounding
# z begins at this float64, taken as a whole number; the seven bits of z after its first are the row of the table
_FIRST, _ROW_BITS, _MANTISSA_BITS, _ROWS = 0x3FE6000000000000, 45, 52, 128
_EXPONENT = -(1 << _MANTISSA_BITS)  # the bits of sign and exponent
# c is a little beside the inverse of the middle of its row, by so many units of the last place: where log c has 43
# binary places and no more, so that k log 2 - log c is exact
_BESIDE = (
    -23142382, -57643754, -234334839, -124664804, 19045012, -123323398, -501163255, 342479926, -234593306,
    57421184, 513617488, -240891478, 85169741, 28659150, 284053799, 342563057, -68420459, -346144712, -90113766,
    -464022980, 285342708, -489548825, 376054848, 47397812, -423637851, -260988534, 336107021, 448241578,
    154177355, 447893384, 241227555, -420636714, -218426730, -96876684, -205835218, -368178198, -345128710,
    -510284502, 481763731, 209336112, 429336310, 15489329, 442353177, -417834330, 73183371, 515232680,
    507984536, 83787275, 330409952, 151596684, 377744204, 198302857, 214798271, -345957716, 356163107,
    215510022, -229897960, -131709726, 215213618, -464519207, -332821996, 385780520, -400344786, 256208139,
    478356527, 345720337, 128466877, 217515751, -162048343, 295127580, -235892775, -69369347, 93666841,
    -272860130, 91915174, 29018059, 258893229, 386009280, -241633007, 68399381, 386341370, 408940642, 65060217,
    -120872168, 189498853, -32395328, -49955913, 154042178, -346113480, 148348366, -396488327, -427431396,
    107119491, -500798201, 212184347, 305888811, -330297730, -91422864, 6707636, 273897542, -512931067,
    -500150233, 485589437, -280752730, 106848032, 30953893, -291342514, -408884927, 149302919, -107851081,
    225432558, 460497078, -452391632, -490679353, 508304210, 493208081, 336502878, 526975298, -457361038,
    -312310462, -365194252, -421357131, 362015322, 310793228, -441535439, -69145545, -528727990, 433364383,
)  # fmt: skip


def _table():
    """c (128,) and -log c (128,)."""
    middles = (_FIRST + ((2 * np.arange(_ROWS) + 1) << (_ROW_BITS - 1))).view(np.float64)
    inverses = ((1.0 / middles).view(np.int64) + np.array(_BESIDE)).view(np.float64)
    return inverses, np.round(-np.log(inverses) * 2.0**43) / 2.0**43


_INVERSES, _LOGS = _table()


@intrinsic
def _multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""
    return types.float64(a, b, c), lambda context, builder, sig, args: builder.fma(*args)


@intrinsic
def _to_bits(typing: Any, x: Any) -> Any:
    """The bits of a float64 as a whole number."""
    return types.int64(x), lambda context, builder, sig, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic
def _from_bits(typing: Any, bits: Any) -> Any:
    """The float64 of these bits."""
    return types.float64(bits), lambda context, builder, sig, args: builder.bitcast(args[0], ir.DoubleType())


@inlined_strict
def log_fraction(x):
    """The natural logarithm of a float64 between 1e-300 and 1, both left out."""
    near, far = _log_near_one(x), _log_by_table(x)  # both: a branch would end the vectors
    return near if x >= NEAR_ONE else far


@inlined_strict
def _log_by_table(x):
    bits = _to_bits(x)
    above = bits - _FIRST
    row, k = (above >> _ROW_BITS) & (_ROWS - 1), float(above >> _MANTISSA_BITS)
    r = _multiply_add(_from_bits(bits - (above & _EXPONENT)), _INVERSES[row], -1.0)
    coarse = _multiply_add(k, LN2_HIGH, _LOGS[row])
    high = coarse + r
    low = _multiply_add(k, LN2_LOW, coarse - high + r)
    rr = r * r
    tail = _multiply_add(rr, _multiply_add(r, _A4, _A3), _multiply_add(r, _A2, _A1))
    return _multiply_add(r * rr, tail, _multiply_add(rr, _A0, low)) + high


@inlined_strict
def _log_near_one(x):
    r = x - 1.0
    rr, rrr = r * r, r * (r * r)
    tail = _multiply_add(rrr, _B10, _multiply_add(rr, _B9, _multiply_add(r, _B8, _B7)))
    tail = _multiply_add(rrr, tail, _multiply_add(rr, _B6, _multiply_add(r, _B5, _B4)))
    tail = _multiply_add(rrr, tail, _multiply_add(rr, _B3, _multiply_add(r, _B2, _B1)))
    upper = r + r * SPLIT - r * SPLIT
    lower, half_square = r - upper, -0.5 * upper * upper
    high = r + half_square
    low = _multiply_add(-0.5 * lower, upper + r, r - high + half_square)
    return _multiply_add(rrr, tail, low) + high
