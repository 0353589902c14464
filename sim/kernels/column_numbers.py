"""A number type for compiled code: WIDTH float64 numbers side by side, columns of a tangent.

    a = load(s, k)                   # the numbers s[k], s[k + 1], ... of a flat float64 array
    store(out, k, 2.0 * a - b)       # into an array of any shape, C-contiguous, k in its flat order; +, -, *

Plain numbers beside columns are taken for all of them. The numbers of a long formula stay in registers, where a loop
over the columns would go through memory for each of its parts. lane_numbers.py is the same for many balls in float32.
"""

import operator
from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model

WIDTH = 8
VECTOR, ORDER = ir.VectorType(ir.DoubleType(), WIDTH), ir.VectorType(ir.IntType(32), WIDTH)
ALIGNMENT = 8  # bytes: columns may begin at any float64


class _Columns(types.Type):
    """The type of WIDTH float64 numbers."""

    def can_convert_from(self, typing, other):
        return Conversion.promote if isinstance(other, types.Float) else None


@register_model(_Columns)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, VECTOR)


columns = _Columns(f"columns{WIDTH}")


@lower_cast(types.Float, _Columns)
def _from_number(context, builder, source, target, value):
    none, first = ir.Constant(VECTOR, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    return builder.shuffle_vector(builder.insert_element(none, value, first), none, ir.Constant(ORDER, [0] * WIDTH))


def _teach(function, emit):
    """Teach numba a function of two numbers of which one or both are columns."""

    class Template(AbstractTemplate):
        key = function

        def generic(self, args, kws):
            if len(args) == 2 and any(isinstance(a, _Columns) for a in args):
                if all(isinstance(a, (_Columns, types.Float)) for a in args):
                    return signature(columns, columns, columns)

    infer_global(function)(Template)
    lower_builtin(function, _Columns, _Columns)(lambda context, builder, sig, args: emit(builder, *args))


_teach(operator.add, lambda builder, a, b: builder.fadd(a, b))
_teach(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_teach(operator.mul, lambda builder, a, b: builder.fmul(a, b))


def _pointer(context, builder, kind, array, k):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [k]), VECTOR.as_pointer())


def _is_usable(array, k):
    return isinstance(array, types.Array) and array.dtype == types.float64 and isinstance(k, types.Integer)


@intrinsic
def load(typing: Any, s: Any, k: Any) -> Any:
    """The WIDTH numbers of a float64 array from its number k on."""
    if _is_usable(s, k):

        def generate(context, builder, sig, args):
            k = context.cast(builder, args[1], sig.args[1], types.intp)
            return builder.load(_pointer(context, builder, sig.args[0], args[0], k), align=ALIGNMENT)

        return columns(s, k), generate


@intrinsic
def store(typing: Any, s: Any, k: Any, value: Any) -> Any:
    """Write columns into a float64 array, from its number k on."""
    if _is_usable(s, k) and isinstance(value, _Columns):

        def generate(context, builder, sig, args):
            k = context.cast(builder, args[1], sig.args[1], types.intp)
            builder.store(args[2], _pointer(context, builder, sig.args[0], args[0], k), align=ALIGNMENT)
            return context.get_dummy_value()

        return types.void(s, k, value), generate


@intrinsic
def last_and_others(typing: Any, low: Any, high: Any) -> Any:
    """The last of the columns `low`, then those of `high` but its last."""
    if isinstance(low, _Columns) and isinstance(high, _Columns):

        def generate(context, builder, sig, args):
            return builder.shuffle_vector(*args, ir.Constant(ORDER, list(range(WIDTH - 1, 2 * WIDTH - 1))))

        return columns(low, high), generate
