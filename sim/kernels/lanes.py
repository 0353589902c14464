"""The engine of many balls: LANES of them side by side, each with its own clock; a ball that is done makes room.

A round takes every lane one step ahead:
    integrate      one Runge-Kutta step of all lanes as vectors; its length depends on the ball, never on the frames
    broad phase    which lanes come near a surface: the box around the quintic's control points against each surface
    narrow phase   of those alone: the exact moment of the contact, and the step again to that moment
    write          the frames that fall into the step, by its quintic
    commit         the end of the step is the start of the next, after the contact if there is one
What is done ball by ball is that of flight.py. State is rows of lanes in one flat array, so that the compiler sees that
rows do not overlap. All lanes take the same instructions whatever their neighbours do: a ball's flight is the same to
the bit in any batch and on any thread.
"""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import (
    DRAG_MODELS,
    constant_drag,
    drag_crisis,
    lift_crisis,
    polynomial_drag,
    spin_drag,
)
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.compiled_sport import LaneSport
from ballcast.sim.kernels.contact import RESTING, SLIDING, after_contact, note_contact, onto_surface, touches
from ballcast.sim.kernels.detection import first_contact
from ballcast.sim.kernels.dormand_prince import dormand_prince_step, next_scale, step_length
from ballcast.sim.kernels.flight import airborne, rolling_step, step_to_contact
from ballcast.sim.kernels.layout import FINE, IN_FLIGHT, LAID_TO_REST, LAUNCH_SIZE, PARAMETER_ROWS, Motion, Parameters
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.quintic import quintic_coefficients, quintic_velocity, unit_coefficients, unit_position

CONSTANT_DRAG, _, DRAG_CRISIS, SPIN_DRAG, LIFT_CRISIS = DRAG_MODELS
LANES = 64
CHUNK = 16  # frames written at once; times are padded by as many
# rows of lanes: a launch (layout.py), acceleration; the end of the step, its length, whether it is near a surface, the
# box around it, the scale of the next step and the error of this one
POSITION, VELOCITY, SPIN, ACCELERATION = 0, 3, 6, 15
DRAG, LIFT, RESTITUTION, FRICTION, WIND_X, WIND_Y = PARAMETER_ROWS
END_POSITION, END_VELOCITY, END_SPIN, END_ACCELERATION = 18, 21, 24, 27
STEP, NEAR, BOX_LOW, BOX_HIGH, STEP_SCALE, STEP_ERROR = 30, 31, 32, 35, 38, 39
FRAME_OFFSETS = 40 * LANES  # then a chunk of frames: their time in the step, and their positions, axis by axis
FRAME_POSITIONS = FRAME_OFFSETS + CHUNK
BUFFER_SIZE = FRAME_POSITIONS + 3 * CHUNK
NO_BALL = -2  # in place of a lane's supporting surface, as IN_FLIGHT is
MAX_CONTACTS_SIMULATED = 5000  # of one ball: one that is wedged and hops without end is laid to rest
# rows of whole numbers: of each lane; the last four, of the run, in lane 0
BALL, TIME_ROW, FRAME, SUPPORT, PHASE, CONTACT_COUNT, NEXT_BALL, BALLS_PER_ROW, BUSY_LANES, CONTACTS_FOUND = range(10)
INT_ROWS = CONTACTS_FOUND + 1


class LaneTask(NamedTuple):
    """What a run of the lanes works on."""

    lane_sport: LaneSport
    launches: np.ndarray  # (B, LAUNCH_SIZE)
    times: np.ndarray  # (N, T + CHUNK) s, inf from T on: each row is of B / N balls that follow one another
    counts: np.ndarray  # (B,) how many of the times are asked for
    position: np.ndarray  # flat (B T 3) m, in the lanes' precision: written
    velocity: np.ndarray  # (B, T, 3) m/s, or empty: written
    spin: np.ndarray  # (B, T, 3) rad/s, or empty: written
    status: np.ndarray  # (B,) FINE or LAID_TO_REST: written
    contacts: np.ndarray  # (N,) CONTACT_DTYPE: the first N of all balls are written


@kernel
def fly_lanes(task, first, last):
    """Fly balls first..last of a LaneTask to their last frame; how many contacts there were."""
    # unpacked once: numba counts references on every look into a tuple of arrays
    lane_sport, launches, times, counts, out, velocity, spin, status, contacts = borrowed(task)
    sport, aero, boxes = lane_sport
    frame_capacity = times.shape[1] - CHUNK
    s, m, clock = np.zeros(BUFFER_SIZE, out.dtype), np.zeros((INT_ROWS, LANES), np.int64), np.zeros(LANES)
    m[NEXT_BALL, 0], m[BUSY_LANES, 0], m[BALLS_PER_ROW, 0] = first, LANES, max(len(launches) // len(times), 1)
    for i in range(LANES):
        s[VELOCITY * LANES + i] = s[STEP_SCALE * LANES + i] = 1  # an idle lane computes with harmless numbers
        _load_next_ball(sport, launches, status, contacts, s, m, clock, i, last)
    while m[BUSY_LANES, 0] > 0:
        if sport.drag_model == CONSTANT_DRAG:
            _integrate(constant_drag, aero, s)
        elif sport.drag_model == DRAG_CRISIS:
            _integrate(drag_crisis, aero, s)
        elif sport.drag_model == SPIN_DRAG:
            _integrate(spin_drag, aero, s)
        elif sport.drag_model == LIFT_CRISIS:
            _integrate(lift_crisis, aero, s)
        else:
            _integrate(polynomial_drag, aero, s)
        _broad_phase(aero, s, boxes)
        for i in range(LANES):
            support = m[SUPPORT, i]
            if support == NO_BALL or (support == IN_FLIGHT and _reject_step(aero, s, i)):
                continue
            surface, b, t, k = support, m[BALL, i], clock[i], m[FRAME, i]
            if support >= 0:
                surface = _rolling_step(sport, launches[b, FRICTION], s, m, i)
            elif s[NEAR * LANES + i] > literals(aero.gravity).half:
                surface = _narrow_phase(sport, launches, b, s, i)
            end, row = t + s[STEP * LANES + i], m[TIME_ROW, i]
            frame = _write_positions(
                literals(aero.gravity), s, i, t, end, times, row, k, out, b * frame_capacity * 3, counts[b]
            )
            if velocity.size > 0:
                _write_velocity_and_spin(s, i, t, times[row], k, frame, velocity[b], spin[b])
            clock[i], m[FRAME, i] = end, frame
            _commit_step(s, i)
            if frame >= counts[b]:  # nothing after the last frame counts
                _load_next_ball(sport, launches, status, contacts, s, m, clock, i, last)
            elif surface != support:
                if surface == IN_FLIGHT:  # past the edge of what it rolled on
                    m[SUPPORT, i] = IN_FLIGHT
                else:
                    _apply_contact(sport, launches, status, contacts, surface, s, m, i, end)
                _set_acceleration(sport, launches, b, s, i)
    return m[CONTACTS_FOUND, 0]


@inlined
def _integrate(drag_function, aero, s):
    for i in range(LANES):
        wx, wy = s[WIND_X * LANES + i], s[WIND_Y * LANES + i]
        v, w, a = _vector(s, VELOCITY, i), _vector(s, SPIN, i), _vector(s, ACCELERATION, i)
        u = v[0] - wx, v[1] - wy, v[2]
        h = s[STEP_SCALE * LANES + i] * step_length(aero, u)
        d, dv, spin_factor, a, error = dormand_prince_step(
            drag_function, aero, h, s[DRAG * LANES + i], s[LIFT * LANES + i], a, u, w
        )
        s[STEP * LANES + i], s[STEP_ERROR * LANES + i] = h, error
        s[END_POSITION * LANES + i] = s[POSITION * LANES + i] + (d[0] + h * wx)
        s[(END_POSITION + 1) * LANES + i] = s[(POSITION + 1) * LANES + i] + (d[1] + h * wy)
        s[(END_POSITION + 2) * LANES + i] = s[(POSITION + 2) * LANES + i] + d[2]
        for k in range(3):
            s[(END_VELOCITY + k) * LANES + i] = v[k] + dv[k]
            s[(END_SPIN + k) * LANES + i] = spin_factor * w[k]
            s[(END_ACCELERATION + k) * LANES + i] = a[k]


@inlined
def _vector(s, row, i):
    """A vector in the lanes' precision."""
    return s[row * LANES + i], s[(row + 1) * LANES + i], s[(row + 2) * LANES + i]


@inlined
def _broad_phase(aero, s, boxes):
    """Mark lanes whose paths' control points come within reach of a surface; boxes (S, 6) are grown by that reach."""
    n = literals(aero.gravity)
    for i in range(LANES):
        s[NEAR * LANES + i] = n.zero
    for k in range(3):  # as quintic_bounds, in one axis of all lanes
        for i in range(LANES):
            h = n.fifth * s[STEP * LANES + i]
            hh = n.twentieth * s[STEP * LANES + i] * s[STEP * LANES + i]
            first, last = s[(POSITION + k) * LANES + i], s[(END_POSITION + k) * LANES + i]
            step, back = h * s[(VELOCITY + k) * LANES + i], h * s[(END_VELOCITY + k) * LANES + i]
            second, third = first + step, first + step + step + hh * s[(ACCELERATION + k) * LANES + i]
            fifth, fourth = last - back, last - back - back + hh * s[(END_ACCELERATION + k) * LANES + i]
            s[(BOX_LOW + k) * LANES + i] = min(min(min(first, second), min(third, fourth)), min(fifth, last))
            s[(BOX_HIGH + k) * LANES + i] = max(max(max(first, second), max(third, fourth)), max(fifth, last))
    for j in range(len(boxes)):
        x0, y0, z0, x1, y1, z1 = boxes[j, 0], boxes[j, 1], boxes[j, 2], boxes[j, 3], boxes[j, 4], boxes[j, 5]
        for i in range(LANES):
            is_apart = (s[BOX_HIGH * LANES + i] < x0) | (s[BOX_LOW * LANES + i] > x1)
            is_apart |= (s[(BOX_HIGH + 1) * LANES + i] < y0) | (s[(BOX_LOW + 1) * LANES + i] > y1)
            is_apart |= (s[(BOX_HIGH + 2) * LANES + i] < z0) | (s[(BOX_LOW + 2) * LANES + i] > z1)
            s[NEAR * LANES + i] = s[NEAR * LANES + i] if is_apart else n.one


@inlined
def _read(s, row, i):
    """A vector of a lane, in float64: so that the kernels of one ball have one type."""
    return _number(s, row, i), _number(s, row + 1, i), _number(s, row + 2, i)


@inlined
def _number(s, row, i):
    return np.float64(s[row * LANES + i])


@inlined
def _write(s, row, i, a):
    s[row * LANES + i], s[(row + 1) * LANES + i], s[(row + 2) * LANES + i] = a


@inlined
def _start(s, i):
    """The lane's Motion at the start of its step."""
    return Motion(_read(s, POSITION, i), _read(s, VELOCITY, i), _read(s, SPIN, i), _read(s, ACCELERATION, i))


@inlined
def _end(s, i):
    """The lane's Motion at the end of its step."""
    spin = _read(s, END_SPIN, i)
    return Motion(_read(s, END_POSITION, i), _read(s, END_VELOCITY, i), spin, _read(s, END_ACCELERATION, i))


@inlined
def _set_end(s, i, end, h):
    s[STEP * LANES + i] = h
    _write(s, END_POSITION, i, end.position)
    _write(s, END_VELOCITY, i, end.velocity)
    _write(s, END_SPIN, i, end.spin)
    _write(s, END_ACCELERATION, i, end.acceleration)


@inlined
def _parameters(launches, b, s, i):
    """The ball's Parameters; those of the air as the lanes have them."""
    drag, lift, wind_x, wind_y = _number(s, DRAG, i), _number(s, LIFT, i), _number(s, WIND_X, i), _number(s, WIND_Y, i)
    return Parameters(drag, lift, launches[b, RESTITUTION], launches[b, FRICTION], wind_x, wind_y)


@inlined
def _reject_step(aero, s, i):
    """Whether the lane's step errs too much and must be tried again; set the scale of the next."""
    is_accepted, s[STEP_SCALE * LANES + i] = next_scale(aero, s[STEP_SCALE * LANES + i], s[STEP_ERROR * LANES + i])
    return not is_accepted


@inlined
def _narrow_phase(sport, launches, b, s, i):
    """Cut the lane's step at its first contact: the surface met, or IN_FLIGHT."""
    start, h, bounds = _start(s, i), _number(s, STEP, i), (_read(s, BOX_LOW, i), _read(s, BOX_HIGH, i))
    c = quintic_coefficients(start, _end(s, i), h)
    t, surface = first_contact(sport.surfaces, sport.boxes, IN_FLIGHT, bounds, start, c, h)
    if t >= h:
        return IN_FLIGHT
    end, h, surface = step_to_contact(sport, _parameters(launches, b, s, i), start, surface, t)
    _set_end(s, i, end, h)
    return surface


@kernel
def _rolling_step(sport, friction_factor, s, m, i):
    """A step of a lane whose ball is on a surface: the surface met, IN_FLIGHT at the edge, or what supports it."""
    start, end, h, surface, m[PHASE, i] = rolling_step(sport, friction_factor, _start(s, i), m[SUPPORT, i], m[PHASE, i])
    _set_end(s, i, end, h)
    _write(s, ACCELERATION, i, start.acceleration)
    return surface


@inlined
def _write_positions(n, s, i, t, end, times, row, k, out, base, count):
    """Write the positions at times[row, k:] before `end`; the number of the first frame after. n: the Literals."""
    h = s[STEP * LANES + i]
    x, y, z = _unit_axis(n, s, i, h, 0), _unit_axis(n, s, i, h, 1), _unit_axis(n, s, i, h, 2)
    inverse = n.one / (h + n.tiny)
    while k < count and times[row, k] < end:
        inside = 0
        while inside < CHUNK and k + inside < count and times[row, k + inside] < end:
            s[FRAME_OFFSETS + inside] = times[row, k + inside] - t
            inside += 1
        for j in range(CHUNK):  # a whole chunk, so that the loop is vectorised
            f = s[FRAME_OFFSETS + j] * inverse
            s[FRAME_POSITIONS + j] = unit_position(x, f)
            s[FRAME_POSITIONS + CHUNK + j] = unit_position(y, f)
            s[FRAME_POSITIONS + 2 * CHUNK + j] = unit_position(z, f)
        for j in range(inside):
            m = base + 3 * (k + j)
            out[m], out[m + 1] = s[FRAME_POSITIONS + j], s[FRAME_POSITIONS + CHUNK + j]
            out[m + 2] = s[FRAME_POSITIONS + 2 * CHUNK + j]
        k += inside
    return k


@inlined
def _unit_axis(n, s, i, h, axis):
    """The quintic of the lane's step in one axis, over the unit interval."""
    hh = n.half * h * h
    v, v1 = h * s[(VELOCITY + axis) * LANES + i], h * s[(END_VELOCITY + axis) * LANES + i]
    a, a1 = hh * s[(ACCELERATION + axis) * LANES + i], hh * s[(END_ACCELERATION + axis) * LANES + i]
    return unit_coefficients(n, s[(POSITION + axis) * LANES + i], v, a, s[(END_POSITION + axis) * LANES + i], v1, a1)


@kernel
def _write_velocity_and_spin(s, i, t, times, begin, end, velocity, spin):
    """Velocity and spin of frames begin..end: the derivative of the quintic, the line through the spins."""
    if begin == end:
        return
    start, stop, h = _start(s, i), _end(s, i), _number(s, STEP, i)
    c = quintic_coefficients(start, stop, h)
    for k in range(begin, end):
        v, f = quintic_velocity(start, c, times[k] - t), (times[k] - t) / h
        for j in range(3):
            velocity[k, j] = v[j]
            spin[k, j] = start.spin[j] + f * (stop.spin[j] - start.spin[j])


@inlined
def _commit_step(s, i):
    for k in range(9):
        s[(POSITION + k) * LANES + i] = s[(END_POSITION + k) * LANES + i]
    for k in range(3):
        s[(ACCELERATION + k) * LANES + i] = s[(END_ACCELERATION + k) * LANES + i]


@inlined
def _set_acceleration(sport, launches, b, s, i):
    """Set the lane's acceleration to that in the air."""
    _write(s, ACCELERATION, i, airborne(sport, _parameters(launches, b, s, i), _start(s, i)).acceleration)


@inlined
def _apply_contact(sport, launches, status, contacts, surface, s, m, i, t):
    """Take the lane's ball through contact with a surface, and note the contact."""
    b, before = m[BALL, i], _start(s, i)
    velocity, spin, m[SUPPORT, i], m[PHASE, i], _ = after_contact(
        sport, _parameters(launches, b, s, i), before, surface, m[SUPPORT, i], m[PHASE, i]
    )
    note_contact(contacts, m[CONTACTS_FOUND, 0], b, surface, t, before, velocity, spin)
    m[CONTACTS_FOUND, 0] += 1
    m[CONTACT_COUNT, i] += 1
    if m[CONTACT_COUNT, i] > MAX_CONTACTS_SIMULATED:
        m[SUPPORT, i], m[PHASE, i], status[b] = surface, RESTING, LAID_TO_REST
        velocity = spin = (0.0, 0.0, 0.0)
    _write(s, VELOCITY, i, velocity)
    _write(s, SPIN, i, spin)


@kernel
def _load_next_ball(sport, launches, status, contacts, s, m, clock, i, last):
    """Put the next ball into lane i, if there is one; what it touches and does not leave is a contact at t = 0."""
    b = m[NEXT_BALL, 0]
    if b >= last:
        m[SUPPORT, i] = NO_BALL
        m[BUSY_LANES, 0] -= 1
        return
    m[NEXT_BALL, 0], m[TIME_ROW, i] = b + 1, b // m[BALLS_PER_ROW, 0]
    for k in range(LAUNCH_SIZE):
        s[k * LANES + i] = launches[b, k]
    _write(s, POSITION, i, onto_surface(sport, _read(s, POSITION, i)))
    clock[i], s[STEP_SCALE * LANES + i], status[b] = 0.0, 1, FINE
    m[BALL, i], m[FRAME, i], m[SUPPORT, i], m[PHASE, i], m[CONTACT_COUNT, i] = b, 0, IN_FLIGHT, SLIDING, 0
    for j in range(len(sport.surfaces)):
        if touches(sport.surfaces[j], _start(s, i)):
            _apply_contact(sport, launches, status, contacts, j, s, m, i, 0.0)
    _set_acceleration(sport, launches, b, s, i)
