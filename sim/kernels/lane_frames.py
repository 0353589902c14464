"""The frames that fall into a lane's step, by its path."""

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.frame_block import write_block
from ballcast.sim.kernels.lane_rows import CURVE, CURVE_SIZE, END_SPIN, LANES, POSITION, SPIN, STEP
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.quintic import unit_velocity_coefficients


@inlined
def write_positions(n, s, i, t, end, times, row, k, out, base, count):
    """Write the positions at times[row, k:count] before `end`; the number of the first frame after. n: the Literals.

    out: (B, T, 3), flat; base: where the ball's begin.
    """
    span = t, end, n.one / (s[STEP * LANES + i] + n.tiny)
    path, more = (_axis(s, i, 0), _axis(s, i, 1), _axis(s, i, 2)), 1
    while more:
        written, more = write_block(out, base + 3 * k, times, row * times.shape[1] + k, count - k, span, path)
        k += written
    return k


@kernel
def write_velocity_and_spin(inverse, s, i, t, end, times, row, k, velocity, spin, base, count):
    """As write_positions, the derivative of the path, and the line through the spins."""
    span, more = (t, end, inverse), 1
    rates = _velocity(s, i, 0, inverse), _velocity(s, i, 1, inverse), _velocity(s, i, 2, inverse)
    lines = _line(s, i, 0), _line(s, i, 1), _line(s, i, 2)
    while more:
        frames = times, row * times.shape[1] + k, count - k, span
        write_block(velocity, base + 3 * k, *frames, rates)
        written, more = write_block(spin, base + 3 * k, *frames, lines)
        k += written


@inlined
def _axis(s, i, axis):
    """The six coefficients of the lane's path in one axis, over the unit interval."""
    m = (CURVE + CURVE_SIZE * axis) * LANES + i
    return (
        s[(POSITION + axis) * LANES + i], s[m], s[m + LANES], s[m + 2 * LANES], s[m + 3 * LANES], s[m + 4 * LANES]
    )  # fmt: skip


@inlined
def _velocity(s, i, axis, inverse):
    """Those of the derivative by time."""
    a, b, c, d, e = unit_velocity_coefficients(literals(inverse), _axis(s, i, axis))
    return inverse * a, inverse * b, inverse * c, inverse * d, inverse * e


@inlined
def _line(s, i, axis):
    """Those of the line between the spins at start and end."""
    first = s[(SPIN + axis) * LANES + i]
    return first, s[(END_SPIN + axis) * LANES + i] - first
