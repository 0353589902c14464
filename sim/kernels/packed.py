"""Constant arguments of kernels, packed once: numba reads every field of a record from Python at each call otherwise.

constants = pack((sport, network))      # once, 20 us
@kernel
def step(constants, t):
    sport, network = constants.value    # 0.3 us in place of 0.1 us for each number and array in them
"""

from numba.core import types
from numba.experimental import structref

from ballcast.sim.jit import kernel


@structref.register
class _PackedType(types.StructRef):  # type: ignore[name-defined, misc]
    """The type of a Packed value."""

    def preprocess_fields(self, fields):
        return tuple((name, types.unliteral(kind)) for name, kind in fields)


class Packed(structref.StructRefProxy):
    """A value in memory that compiled code takes by its address; from Python it cannot be looked into."""


structref.define_proxy(Packed, _PackedType, ["value"])


@kernel
def pack(value):
    """A Packed value: a record or tuple of what kernels take."""
    return Packed(value)
