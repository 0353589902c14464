"""The frames of one vector register, by vector instructions: numba makes none of such a loop.

A register has 64 bytes, so BLOCK numbers are 16 in float32 and 8 in float64; where registers are smaller, LLVM splits.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

REGISTER_BITS = 512
AHEAD, LOCALITY = 6, 3
MAX_BLOCK = REGISTER_BITS // 32  # times are padded by as many
INDEX, SHORT = ir.IntType(64), ir.IntType(32)


@intrinsic
def write_block(typing: Any, out: Any, begin: Any, times: Any, first: Any, count: Any, span: Any, axes: Any) -> Any:
    """Write the rows (x, y, z) of times.flat[first : first + count] to out.flat[begin:], as far as one register goes.

    out, times: C-contiguous; times float64 (s). span: (start, end, 1 / length) of the step, the last in the precision
    of `out`; only times before its end count. axes: the coefficients of x, y and z, polynomials in the fraction of the
    step, the constant first. Returns (how many rows were written, whether more may follow).
    """
    if isinstance(out, types.Array) and isinstance(times, types.Array) and isinstance(axes, types.UniTuple):
        return types.UniTuple(types.int64, 2)(out, begin, times, first, count, span, axes), _generate


def _generate(context, builder, signature, arguments):
    out, begin, times, first, count, span, axes = arguments
    begin, first, count = (context.cast(builder, arguments[k], signature.args[k], types.int64) for k in (1, 3, 4))
    number, size = context.get_data_type(signature.args[0].dtype), REGISTER_BITS // signature.args[0].dtype.bitwidth
    start, end, inverse = (builder.extract_value(span, k) for k in range(3))
    time = builder.load(_pointer(context, builder, signature.args[2], times, first, ir.DoubleType(), size), align=8)
    count = builder.select(builder.icmp_signed("<", count, ir.Constant(INDEX, size)), count, ir.Constant(INDEX, size))
    is_asked = builder.icmp_signed("<", _numbers(range(size)), _splat(builder, builder.trunc(count, SHORT), size))
    is_inside = builder.and_(builder.fcmp_ordered("<", time, _splat(builder, end, size)), is_asked)
    f = builder.fsub(time, _splat(builder, start, size))
    f = f if number == ir.DoubleType() else builder.fptrunc(f, ir.VectorType(number, size))
    f = builder.fmul(f, _splat(builder, inverse, size))
    rows = builder.zext(_bit_count(builder, is_inside, size), SHORT)
    values = [_polynomial(builder, builder.extract_value(axes, k), f, size) for k in range(3)]
    parts = [
        (row, _pointer(context, builder, signature.args[0], out, builder.add(begin, ir.Constant(INDEX, k * size)), number, size))
        for k, row in enumerate(_interleave(builder, values, size))
    ]
    with builder.if_else(builder.icmp_signed(">=", count, ir.Constant(INDEX, size))) as (whole, tail):
        with whole:  # later steps write over what is beyond the end
            for row, pointer in parts:
                builder.store(row, pointer, align=4)
        with tail:
            limit = _splat(builder, builder.mul(rows, ir.Constant(SHORT, 3)), size)
            for k, (row, pointer) in enumerate(parts):
                places = _numbers(range(k * size, (k + 1) * size))
                _masked_store(builder, row, pointer, builder.icmp_signed("<", places, limit))
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, SHORT, SHORT, SHORT])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    for k in range(AHEAD):
        at = builder.add(begin, ir.Constant(INDEX, (3 * size + k * size)))
        pointer = builder.bitcast(_pointer(context, builder, signature.args[0], out, at, number, size), byte)
        builder.call(prefetch, [pointer, *(ir.Constant(SHORT, x) for x in (1, LOCALITY, 1))])
    more = builder.icmp_signed("==", rows, ir.Constant(SHORT, size))
    return context.make_tuple(builder, signature.return_type, [builder.zext(x, INDEX) for x in (rows, more)])


def _pointer(context, builder, kind, array, index, number, size):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(number, size).as_pointer())


def _splat(builder, value, size):
    undefined = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(SHORT, 0))
    return builder.shuffle_vector(first, undefined, _numbers([0] * size))


def _numbers(values):
    return ir.Constant(ir.VectorType(SHORT, len(values)), list(values))


def _bit_count(builder, mask, size):
    kind = ir.IntType(size)
    count = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), f"llvm.ctpop.i{size}")
    return builder.call(count, [builder.bitcast(mask, kind)])


def _suffix(kind):
    return f"v{kind.count}{'f32' if kind.element == ir.FloatType() else 'f64'}"


def _polynomial(builder, coefficients, f, size):
    """By Horner's rule at the vector f."""
    terms = [_splat(builder, builder.extract_value(coefficients, k), size) for k in range(coefficients.type.count)]
    kind = ir.FunctionType(f.type, [f.type] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.{_suffix(f.type)}")
    value = terms.pop()
    while terms:
        value = builder.call(multiply_add, [value, f, terms.pop()])
    return value


def _interleave(builder, axes, size):
    """Three vectors as x0 y0 z0 x1 y1 z1 ...: each part takes x and y first, then z."""
    for part in range(3):
        places = [divmod(part * size + j, 3) for j in range(size)]
        xy = builder.shuffle_vector(axes[0], axes[1], _numbers([j + size * (axis == 1) for j, axis in places]))
        both = [size + j if axis == 2 else k for k, (j, axis) in enumerate(places)]
        yield builder.shuffle_vector(xy, axes[2], _numbers(both))


def _masked_store(builder, value, pointer, mask):
    kind = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, SHORT, mask.type])
    name = f"llvm.masked.store.{_suffix(value.type)}.p0"
    store = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.call(store, [value, pointer, ir.Constant(SHORT, 4), mask])
