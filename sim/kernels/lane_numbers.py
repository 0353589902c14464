"""A number type for compiled code: LANES float32 numbers side by side, one vector register of the processor.

    a = load(rows, k)               # the lanes of row k of a float32 array (R, LANES), C-contiguous
    b = where(a > 0.5, a, 2.0 * a)  # +, -, *, /, comparisons, min, max, abs, math.sqrt, math.exp, math.log
    store(rows, k, b)
    total = lane_sum(a)             # float32

Code that is written for plain numbers runs on lanes too, if it chooses by `where` and not by `if`. Plain numbers beside
lanes are taken for all of them. A graphics processor runs the same code with one lane as one thread's plain number.
"""

import functools
import math
import operator
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, overload, register_model

from ballcast.sim.jit import inlined

LANES = 16
FLOAT, BITS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(32), LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)
ROW_BYTES = 4 * LANES
ROW_ALIGNMENT = 4  # bytes: a row of an array may begin at any float32


class _Lanes(types.Type):
    """The type of LANES float32 numbers."""

    def unify(self, typing, other):
        """A variable that is lanes here and a plain number there is lanes."""
        return self if isinstance(other, (types.Float, types.Integer)) else None

    def can_convert_from(self, typing, other):
        return Conversion.promote if isinstance(other, (types.Float, types.Integer)) else None


class _Mask(types.Type):
    """The type of LANES truth values."""


def _model(vector):
    """A data model that keeps values as vectors of that kind."""

    class Model(models.PrimitiveModel):
        def __init__(self, manager, kind):
            super().__init__(manager, kind, vector)

    return Model


lanes, mask = _Lanes(f"lanes{LANES}"), _Mask(f"mask{LANES}")
register_model(_Lanes)(_model(FLOAT))
register_model(_Mask)(_model(MASK))


def _splat(builder, value, kind):
    """A vector of equal elements."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), ir.Constant(BITS, [0] * LANES))


def _constant(kind, value):
    return ir.Constant(kind, [value] * LANES)


@lower_cast(types.Float, _Lanes)
@lower_cast(types.Integer, _Lanes)
@lower_cast(types.Boolean, _Lanes)
def _from_number(context, builder, source, target, value):
    return _splat(builder, context.cast(builder, value, source, types.float32), FLOAT)


def _is_number(kind):
    return isinstance(kind, (types.Float, types.Integer, _Lanes))


def _typed(function, result, count):
    """Teach numba the type of a function of `count` numbers of which one or more are lanes."""

    class Template(AbstractTemplate):
        key = function

        def generic(self, args, kws):
            if len(args) == count and any(isinstance(a, _Lanes) for a in args) and all(map(_is_number, args)):
                return signature(result, *[lanes] * count)

    infer_global(function)(Template)


def _binary(function, emit, result=lanes):
    _typed(function, result, 2)
    lower_builtin(function, _Lanes, _Lanes)(lambda context, builder, sig, args: emit(builder, *args))


def _unary(function, emit):
    _typed(function, lanes, 1)
    lower_builtin(function, _Lanes)(lambda context, builder, sig, args: emit(builder, *args))


def _call(builder, name, *args):
    """Call an intrinsic of LLVM on vectors."""
    kind = ir.FunctionType(FLOAT, [FLOAT] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32"), args)


def _compare(sign):
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)


for _names, _emit in (
    ((operator.add, operator.iadd), lambda b, x, y: b.fadd(x, y)),
    ((operator.sub, operator.isub), lambda b, x, y: b.fsub(x, y)),
    ((operator.mul, operator.imul), lambda b, x, y: b.fmul(x, y)),
    ((operator.truediv, operator.itruediv), lambda b, x, y: b.fdiv(x, y)),
    ((max,), lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y)),
    ((min,), lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y)),
):
    for _name in _names:
        _binary(_name, _emit)
for _name, _sign in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
):
    _binary(_name, _compare(_sign), mask)
_unary(operator.neg, lambda b, x: b.fneg(x))
_unary(operator.pos, lambda b, x: x)
_unary(abs, lambda b, x: _call(b, "fabs", x))
_unary(math.sqrt, lambda b, x: _call(b, "sqrt", x))


def _exp(b, x):
    """exp by 2^n times a polynomial (Cephes): relative error 2e-7; clamped at +-87."""
    c = functools.partial(_constant, FLOAT)
    x = b.select(b.fcmp_ordered(">", x, c(87.0)), c(87.0), x)
    x = b.select(b.fcmp_ordered("<", x, c(-87.0)), c(-87.0), x)
    n = _call(b, "floor", b.fadd(b.fmul(x, c(1.44269504088896341)), c(0.5)))
    x = b.fsub(b.fsub(x, b.fmul(n, c(0.693359375))), b.fmul(n, c(-2.12194440e-4)))
    y = c(1.9875691500e-4)
    for k in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        y = b.fadd(b.fmul(y, x), c(k))
    y = b.fadd(b.fadd(b.fmul(y, b.fmul(x, x)), x), c(1.0))
    bits = b.shl(b.add(b.fptosi(n, BITS), _constant(BITS, 127)), _constant(BITS, 23))
    return b.fmul(y, b.bitcast(bits, FLOAT))


def _log(b, x):
    """log by the exponent's bits and a polynomial (Cephes): relative error 1e-7; x > 0, normal."""
    c, bits = functools.partial(_constant, FLOAT), b.bitcast(x, BITS)
    exponent = b.sitofp(b.sub(b.lshr(bits, _constant(BITS, 23)), _constant(BITS, 126)), FLOAT)
    m = b.bitcast(b.or_(b.and_(bits, _constant(BITS, 0x007FFFFF)), _constant(BITS, 0x3F000000)), FLOAT)
    low = b.fcmp_ordered("<", m, c(0.707106781186547524))
    exponent = b.select(low, b.fsub(exponent, c(1.0)), exponent)
    m = b.fsub(b.select(low, b.fadd(m, m), m), c(1.0))
    z, y = b.fmul(m, m), c(7.0376836292e-2)
    for k in (-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
              -2.4999993993e-1, 3.3333331174e-1):  # fmt: skip
        y = b.fadd(b.fmul(y, m), c(k))
    y = b.fadd(b.fmul(b.fmul(y, m), z), b.fmul(exponent, c(-2.12194440e-4)))
    y = b.fadd(b.fsub(y, b.fmul(z, c(0.5))), m)
    return b.fadd(y, b.fmul(exponent, c(0.693359375)))


_unary(math.exp, _exp)
_unary(math.log, _log)
for _name, _emit in ((operator.and_, "and_"), (operator.or_, "or_"), (operator.xor, "xor")):

    class _Template(AbstractTemplate):
        key = _name

        def generic(self, args, kws):
            if len(args) == 2 and all(isinstance(a, _Mask) for a in args):
                return signature(mask, mask, mask)

    infer_global(_name)(_Template)
    lower_builtin(_name, _Mask, _Mask)(lambda context, builder, sig, args, emit=_emit: getattr(builder, emit)(*args))


def _row_pointer(context, builder, array_type, array, row, kind):
    data = context.make_array(array_type)(context, builder, array).data
    offset = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(data, [offset]), kind.as_pointer())


def _is_lane_array(rows):
    return isinstance(rows, types.Array) and rows.dtype == types.float32 and rows.ndim == 2


@intrinsic
def load(typing: Any, rows: Any, k: Any) -> Any:
    """The lanes of row k of a float32 array (R, LANES)."""
    if _is_lane_array(rows) and isinstance(k, types.Integer):

        def generate(context, builder, sig, args):
            row = context.cast(builder, args[1], sig.args[1], types.intp)
            pointer = _row_pointer(context, builder, sig.args[0], args[0], row, FLOAT)
            loaded = builder.load(pointer)
            loaded.align = ROW_ALIGNMENT
            return loaded

        return lanes(rows, k), generate


@intrinsic
def store(typing: Any, rows: Any, k: Any, value: Any) -> Any:
    """Write lanes, or one number for all of them, into row k of a float32 array (R, LANES)."""
    if _is_lane_array(rows) and isinstance(k, types.Integer):

        def generate(context, builder, sig, args):
            row = context.cast(builder, args[1], sig.args[1], types.intp)
            value = context.cast(builder, args[2], sig.args[2], lanes)
            builder.store(value, _row_pointer(context, builder, sig.args[0], args[0], row, FLOAT), align=ROW_ALIGNMENT)
            return context.get_dummy_value()

        return types.void(rows, k, value), generate


@inlined
def empty_rows(count):
    """A float32 array (count, LANES) of any numbers, whose rows begin at multiples of their size in memory."""
    flat = np.empty((count + 1) * LANES, np.float32)
    first = (-flat.ctypes.data % ROW_BYTES) // 4
    return flat[first : first + count * LANES].reshape((count, LANES))


@intrinsic
def prefetch(typing: Any, records: Any, n: Any, begin: Any, end: Any) -> Any:
    """Ask for bytes begin..end of record n of an array (B,), so that they are in the cache when they are needed."""

    def generate(context, builder, sig, args):
        array = context.make_array(sig.args[0])(context, builder, args[0])
        number, first, last = (context.cast(builder, a, t, types.intp) for a, t in zip(args[1:], sig.args[1:]))
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        start = builder.bitcast(builder.gep(array.data, [number]), byte)
        with cgutils.for_range_slice(builder, first, last, ir.Constant(first.type, ROW_BYTES)) as (offset, _):
            read, second_cache, data = (ir.Constant(i32, k) for k in (0, 2, 1))
            builder.call(function, [builder.gep(start, [offset]), read, second_cache, data])
        return context.get_dummy_value()

    if isinstance(records, types.Array) and isinstance(records.dtype, types.Record):
        return types.void(records, n, begin, end), generate


@intrinsic
def same_in_all(typing: Any, value: Any) -> Any:
    """Lanes that all hold one number."""
    return lanes(value), lambda context, builder, sig, args: context.cast(builder, args[0], sig.args[0], lanes)


@intrinsic
def _select(typing, condition, a, b):
    def generate(context, builder, sig, args):
        a, b = (context.cast(builder, x, t, lanes) for x, t in zip(args[1:], sig.args[1:]))
        return builder.select(args[0], a, b)

    return lanes(condition, a, b), generate


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b: of lanes, and of plain numbers."""
    return a if condition else b


@overload(where, jit_options={"forceinline": True, "error_model": "numpy"})
def _(condition, a, b):
    if isinstance(condition, _Mask):
        return lambda condition, a, b: _select(condition, a, b)
    return lambda condition, a, b: a if condition else b


def _reduction(name, initial):
    @intrinsic
    def reduce(typing, value):
        def generate(context, builder, sig, args):
            arguments = ([ir.FloatType()] if initial is not None else []) + [FLOAT]
            kind = ir.FunctionType(ir.FloatType(), arguments)
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.{name}.v{LANES}f32")
            first = [ir.Constant(ir.FloatType(), initial)] if initial is not None else []
            return builder.call(function, [*first, *args], fastmath=("fast",))

        if isinstance(value, _Lanes):
            return types.float32(value), generate

    return reduce


lane_sum, lane_max = _reduction("fadd", 0.0), _reduction("fmax", None)


@intrinsic
def any_lane(typing: Any, condition: Any) -> Any:
    """Whether a condition holds in one lane or more."""

    def generate(context, builder, sig, args):
        bits = builder.bitcast(args[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    if isinstance(condition, _Mask):
        return types.boolean(condition), generate


def new_rows(count: int) -> np.ndarray:
    """A float32 array (count, LANES) of zeros."""
    return np.zeros((count, LANES), np.float32)
