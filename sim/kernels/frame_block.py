"""The frames that one vector register holds, by vector instructions: numba makes none of such a loop.

A register has 64 bytes: 16 frames in float32, 8 in float64. Where registers are smaller, LLVM splits them.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

REGISTER_BITS = 512
MAX_FRAMES = REGISTER_BITS // 32  # times are padded by as many
PREFETCHED = 6  # registers of the next frames whose memory is asked for: it is far away in every lane
INDEX, SHORT, FLOAT, DOUBLE = ir.IntType(64), ir.IntType(32), ir.FloatType(), ir.DoubleType()


@intrinsic
def write_frames(typing: Any, out: Any, begin: Any, times: Any, first: Any, count: Any, span: Any, axes: Any) -> Any:
    """Write polynomials (x, y, z) at times.flat[first : first + count] to out.flat[begin:], one register's frames.

    out, times: C-contiguous; times float64 (s). span: (start, end, 1 / length) of the step, the last in the precision
    of `out`; only times before its end count. axes: the coefficients of x, y and z, polynomials in the fraction of the
    step, the constant first. Returns (how many frames were written, whether more may follow). Where as many are asked
    for, a whole register is written: what is beyond the end is for the next step to write again.
    """
    if isinstance(out, types.Array) and isinstance(times, types.Array) and isinstance(axes, types.UniTuple):
        return types.UniTuple(types.int64, 2)(out, begin, times, first, count, span, axes), _generate


def _generate(context, builder, signature, arguments):
    out, begin, times, first, count, span, axes = arguments
    begin, first, count = (context.cast(builder, arguments[k], signature.args[k], types.int64) for k in (1, 3, 4))
    number = context.get_data_type(signature.args[0].dtype)
    size = REGISTER_BITS // signature.args[0].dtype.bitwidth
    start = builder.gep(context.make_array(signature.args[2])(context, builder, times).data, [first])
    target = builder.gep(context.make_array(signature.args[0])(context, builder, out).data, [begin])
    f, is_inside = _fractions(builder, start, span, number, size)
    is_whole = builder.icmp_signed(">=", count, ir.Constant(INDEX, size))
    asked = builder.select(is_whole, ir.Constant(SHORT, size), builder.trunc(count, SHORT))
    is_asked = builder.icmp_signed("<", _numbers(range(size)), _splat(builder, asked, size))
    rows = _bit_count(builder, builder.and_(is_inside, is_asked), size)
    values = [_polynomial(builder, builder.extract_value(axes, k), f, size) for k in range(3)]
    _store(builder, [*_interleave(builder, values, size)], target, is_whole, rows)
    _prefetch(builder, target, size)
    more = builder.icmp_signed("==", rows, ir.Constant(SHORT, size))
    return context.make_tuple(builder, signature.return_type, [builder.zext(x, INDEX) for x in (rows, more)])


def _fractions(builder, times, span, number, size):
    """A register of times as fractions of the step, in the precision at hand, and which of them are before its end."""
    time = builder.load(builder.bitcast(times, ir.VectorType(DOUBLE, size).as_pointer()), align=8)
    start, end, inverse = (_splat(builder, builder.extract_value(span, k), size) for k in range(3))
    f = builder.fsub(time, start)
    f = f if number == DOUBLE else builder.fptrunc(f, ir.VectorType(number, size))
    return builder.fmul(f, inverse), builder.fcmp_ordered("<", time, end)


def _polynomial(builder, coefficients, f, size):
    """By Horner's rule at the vector f."""
    terms = [_splat(builder, builder.extract_value(coefficients, k), size) for k in range(coefficients.type.count)]
    multiply_add = _intrinsic(builder, f"llvm.fmuladd.{_suffix(f.type)}", f.type, [f.type] * 3)
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


def _store(builder, parts, target, is_whole, rows):
    """Write the parts one after the other; of all of them only so many rows, if they are not asked for as a whole."""
    size, pointer = parts[0].type.count, parts[0].type.as_pointer()
    targets = [builder.bitcast(builder.gep(target, [ir.Constant(INDEX, k * size)]), pointer) for k in range(len(parts))]
    with builder.if_else(is_whole) as (whole, rest):
        with whole:
            for part, place in zip(parts, targets):
                builder.store(part, place, align=4)
        with rest:
            limit = _splat(builder, builder.mul(rows, ir.Constant(SHORT, 3)), size)
            kinds = [parts[0].type, pointer, SHORT, ir.VectorType(ir.IntType(1), size)]
            store = _intrinsic(builder, f"llvm.masked.store.{_suffix(parts[0].type)}.p0", ir.VoidType(), kinds)
            for k, (part, place) in enumerate(zip(parts, targets)):
                mask = builder.icmp_signed("<", _numbers(range(k * size, (k + 1) * size)), limit)
                builder.call(store, [part, place, ir.Constant(SHORT, 4), mask])


def _prefetch(builder, target, size):
    byte = ir.IntType(8).as_pointer()
    prefetch = _intrinsic(builder, "llvm.prefetch.p0", ir.VoidType(), [byte, SHORT, SHORT, SHORT])
    for_writing, first_cache, data = (ir.Constant(SHORT, k) for k in (1, 3, 1))
    for k in range(3, 3 + PREFETCHED):
        place = builder.bitcast(builder.gep(target, [ir.Constant(INDEX, k * size)]), byte)
        builder.call(prefetch, [place, for_writing, first_cache, data])


def _intrinsic(builder, name, result, arguments):
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


def _suffix(kind):
    return f"v{kind.count}{'f32' if kind.element == FLOAT else 'f64'}"


def _splat(builder, value, size):
    undefined = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(SHORT, 0))
    return builder.shuffle_vector(first, undefined, _numbers([0] * size))


def _numbers(values):
    return ir.Constant(ir.VectorType(SHORT, len(values)), list(values))


def _bit_count(builder, mask, size):
    """How many of the mask's lanes hold, as a SHORT."""
    kind = ir.IntType(size)
    count = _intrinsic(builder, f"llvm.ctpop.i{size}", kind, [kind])
    return builder.zext(builder.call(count, [builder.bitcast(mask, kind)]), SHORT)
