"""Arrays whose references are not counted: for kernels that hand the same tuple of arrays to many functions. Compiled.

Numba counts a reference to every array of a tuple whenever a function takes the tuple, with an atomic instruction. An
array that is borrowed has no count. Whoever borrows one keeps the original until the borrowed one is used no more.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def borrowed(typing: Any, value: Any) -> Any:
    """The same value; arrays, and those in tuples, without a count of references."""
    return value(value), lambda context, builder, sig, args: _without_count(context, builder, sig.args[0], args[0])


def _without_count(context, builder, kind, value):
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        for name in ("meminfo", "parent"):
            setattr(array, name, ir.Constant(getattr(array, name).type, None))
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for i, part in enumerate(kind):
            field = _without_count(context, builder, part, builder.extract_value(value, i))
            value = builder.insert_value(value, field, i)
    return value
