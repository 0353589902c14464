"""The frames that fall into a lane's step, by its path."""

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.frame_block import write_frames
from ballcast.sim.kernels.lane_rows import CURVE, CURVE_SIZE, END_SPIN, LANES, POSITION, SPIN, STEP
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.quintic import unit_velocity_coefficients


@inlined
def write_positions(s, i, span, frames, position):
    """Write the positions at the frames that fall into lane i's step; the number of the first frame after it.

    span: start and end of the step, s. frames: (times (N, T), row of them, first frame, how many frames are asked for,
    where the ball's rows begin in the flat positions).
    """
    times, row, k, count, base = frames
    path, more = (_axis(s, i, 0), _axis(s, i, 1), _axis(s, i, 2)), 1
    while more:
        at = times, row * times.shape[1] + k, count - k
        written, more = write_frames(position, base + 3 * k, *at, (*span, _per_step(s, i)), path)
        k += written
    return k


@kernel
def write_velocity_and_spin(s, i, span, frames, velocity, spin):
    """As write_positions, the derivative of the path, and the line through the spins."""
    times, row, k, count, base = frames
    span, more = (*span, _per_step(s, i)), 1
    rates = _velocity(s, i, 0), _velocity(s, i, 1), _velocity(s, i, 2)
    lines = _line(s, i, 0), _line(s, i, 1), _line(s, i, 2)
    while more:
        at = times, row * times.shape[1] + k, count - k, span
        write_frames(velocity, base + 3 * k, *at, rates)
        written, more = write_frames(spin, base + 3 * k, *at, lines)
        k += written


@inlined
def _per_step(s, i):
    """One over the step's length, 1/s."""
    n = literals(s[0])
    return n.one / (s[STEP * LANES + i] + n.tiny)


@inlined
def _axis(s, i, axis):
    """The six coefficients of the lane's path in one axis, over the unit interval."""
    m = (CURVE + CURVE_SIZE * axis) * LANES + i
    return (
        s[(POSITION + axis) * LANES + i], s[m], s[m + LANES], s[m + 2 * LANES], s[m + 3 * LANES], s[m + 4 * LANES]
    )  # fmt: skip


@inlined
def _velocity(s, i, axis):
    """Those of the derivative by time."""
    a, b, c, d, e = unit_velocity_coefficients(literals(s[0]), _axis(s, i, axis))
    k = _per_step(s, i)
    return k * a, k * b, k * c, k * d, k * e


@inlined
def _line(s, i, axis):
    """Those of the line between the spins at start and end."""
    first = s[(SPIN + axis) * LANES + i]
    return first, s[(END_SPIN + axis) * LANES + i] - first
