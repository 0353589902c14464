"""A number type for compiled code: LANES whole numbers of 64 bits side by side, or the float64 of these bits.

    a = load_words(rows, k)         # the lanes of row k of an array (R, LANES) of uint64 or float64, C-contiguous
    b = (a ^ (a << 17)) + a         # +, ^, |, and shifts by a plain number
    store_words(rows, k, b)

Code that is written for plain uint64 runs on lanes too. See lane_numbers.py for the lanes of float32.
"""

import operator
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 8
WORDS, NUMBERS = ir.VectorType(ir.IntType(64), LANES), ir.VectorType(ir.DoubleType(), LANES)
NUMBER_BYTES = 8  # a row of an array may begin at any number
ROW_BYTES = NUMBER_BYTES * LANES


class _Words(types.Type):
    """The type of LANES whole numbers."""


@register_model(_Words)
class _Model(models.PrimitiveModel):
    """A data model that keeps them as a vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, WORDS)


words = _Words(f"words{LANES}")


def _splat(builder, value):
    """A vector of equal elements."""
    undefined, i32 = ir.Constant(WORDS, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, value, ir.Constant(i32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(i32, LANES), [0] * LANES))


def _operator(function, emit):
    """Teach numba an operator of words with words, or with one number for all of them."""

    class Template(AbstractTemplate):
        key = function

        def generic(self, args, kws):
            if len(args) == 2 and args[0] is words and (args[1] is words or isinstance(args[1], types.Integer)):
                return signature(words, *args)

    def with_number(context, builder, sig, args):
        number = context.cast(builder, args[1], sig.args[1], types.uint64)
        return getattr(builder, emit)(args[0], _splat(builder, number))

    infer_global(function)(Template)
    lower_builtin(function, _Words, _Words)(lambda context, builder, sig, args: getattr(builder, emit)(*args))
    lower_builtin(function, _Words, types.Integer)(with_number)


for _functions, _emit in (
    ((operator.add, operator.iadd), "add"),
    ((operator.xor, operator.ixor), "xor"),
    ((operator.or_, operator.ior), "or_"),
    ((operator.lshift,), "shl"),
    ((operator.rshift,), "lshr"),
):
    for _function in _functions:
        _operator(_function, _emit)


def _row_pointer(context, builder, sig, args):
    array, row = context.make_array(sig.args[0])(context, builder, args[0]), args[1]
    row = context.cast(builder, row, sig.args[1], types.intp)
    place = builder.gep(array.data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(place, WORDS.as_pointer())


def _has_rows(rows):
    return isinstance(rows, types.Array) and rows.ndim == 2 and rows.dtype in (types.uint64, types.float64)


@intrinsic
def load_words(typing: Any, rows: Any, k: Any) -> Any:
    """The lanes of row k of an array (R, LANES)."""

    def generate(context, builder, sig, args):
        loaded = builder.load(_row_pointer(context, builder, sig, args))
        loaded.align = NUMBER_BYTES
        return loaded

    if _has_rows(rows) and isinstance(k, types.Integer):
        return words(rows, k), generate


@intrinsic
def store_words(typing: Any, rows: Any, k: Any, value: Any) -> Any:
    """Write lanes into row k of an array (R, LANES)."""

    def generate(context, builder, sig, args):
        builder.store(args[2], _row_pointer(context, builder, sig, args), align=NUMBER_BYTES)
        return context.get_dummy_value()

    if _has_rows(rows) and isinstance(k, types.Integer) and value is words:
        return types.void(rows, k, value), generate


def zero_rows(count: int, dtype: type) -> np.ndarray:
    """An array (count, LANES) of zeros, uint64 or float64, whose rows begin at multiples of their size in memory."""
    flat = np.zeros((count + 1) * LANES, dtype)
    first = -flat.ctypes.data % ROW_BYTES // NUMBER_BYTES
    return flat[first : first + count * LANES].reshape(count, LANES)


@intrinsic
def zero_words(typing: Any) -> Any:
    """Lanes of zeros."""
    return words(), lambda context, builder, sig, args: ir.Constant(WORDS, [0] * LANES)


@intrinsic
def to_centred(typing: Any, bits: Any) -> Any:
    """Of random bits, the float64 in [-1, 1) that are twice a uniform number of rng.py, less one."""

    def generate(context, builder, sig, args):
        upper = builder.uitofp(builder.lshr(args[0], ir.Constant(WORDS, [11] * LANES)), NUMBERS)
        scaled = builder.fmul(upper, ir.Constant(NUMBERS, [2.0**-52] * LANES))
        return builder.bitcast(builder.fsub(scaled, ir.Constant(NUMBERS, [1.0] * LANES)), WORDS)

    if bits is words:
        return words(bits), generate


@intrinsic
def mark_inside(typing: Any, x: Any, y: Any, mark: Any) -> Any:
    """The whole number `mark` in those lanes where the point of the float64 (x, y) lies in the unit circle, else 0."""

    def generate(context, builder, sig, args):
        x, y = (builder.bitcast(a, NUMBERS) for a in args[:2])
        rr = builder.fadd(builder.fmul(x, x), builder.fmul(y, y))
        low, high = (ir.Constant(NUMBERS, [v] * LANES) for v in (0.0, 1.0))
        is_inside = builder.and_(builder.fcmp_ordered(">", rr, low), builder.fcmp_ordered("<", rr, high))
        return builder.select(is_inside, _splat(builder, args[2]), ir.Constant(WORDS, [0] * LANES))

    if x is words and y is words and mark == types.uint64:
        return words(x, y, mark), generate


@intrinsic
def trailing_zeros(typing: Any, bits: Any) -> Any:
    """How many of the lowest bits of a plain uint64, which is not 0, are 0."""
    if bits == types.uint64:
        is_never_zero = ir.Constant(ir.IntType(1), 1)
        return bits(bits), lambda context, builder, sig, args: builder.cttz(args[0], is_never_zero)
