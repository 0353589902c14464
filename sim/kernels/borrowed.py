"""Arrays whose references are not counted: for kernels that hand the same tuple of arrays to many functions. Compiled.

Numba counts a reference to every array of a tuple whenever a function takes the tuple, with an atomic instruction. An
array that is borrowed has no count. Whoever borrows one keeps the original until the borrowed one is used no more.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ballcast.sim.jit import inlined
from ballcast.sim.kernels.compiled_sport import CompiledSport


@intrinsic
def borrowed(typing: Any, array: Any) -> Any:
    """The same array, without a count of references."""
    if not isinstance(array, types.Array):
        return None

    def generate(context, builder, sig, args):
        copy = context.make_array(sig.args[0])(context, builder, args[0])
        for name in ("meminfo", "parent"):
            setattr(copy, name, ir.Constant(getattr(copy, name).type, None))
        return copy._getvalue()

    return array(array), generate


@inlined
def borrowed_sport(sport):
    """The CompiledSport with borrowed arrays."""
    return CompiledSport(
        sport.drag_model, sport.aero, sport.radius, sport.inertia,
        borrowed(sport.surfaces), borrowed(sport.boxes), borrowed(sport.is_landing),
    )  # fmt: skip
