"""The flight of one ball as one thread of a GPU: the event loop of kernels/flight.py, bent to a GPU's needs.

The threads of a warp take the same instruction at a time, and write fast only side by side. So a thread takes turns:
it makes the steps of the next frames, one after the other, then writes these frames. In the first part all threads of a
warp are at steps, however long these are; every round is one step through the air, and a contact costs its ball a round
more, not the whole warp a stop. In the second part all are at the same frame: memory has frames first and balls last.
The paths of the steps wait in the thread's own memory in between.

A time is a number of whole blocks and a rest: float32 alone would be coarse after some seconds. A step works with
displacements from its start, so that far from the origin it loses nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ballcast.sim.cuda.device_functions import device
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.kernels.contact import RESTING, SLIDING, after_contact, onto_surface, touches
from ballcast.sim.kernels.detection import MIN_ADVANCE, first_contact
from ballcast.sim.kernels.dormand_prince import next_scale, step_length
from ballcast.sim.kernels.flight import air_step, airborne, at_rest, onto_contact, rolling_step
from ballcast.sim.kernels.lane_contacts import MAX_CONTACTS_SIMULATED
from ballcast.sim.kernels.layout import FINE, IN_FLIGHT, LAID_TO_REST, Motion, parameters_of
from ballcast.sim.kernels.quintic import quintic_bounds, quintic_coefficients, quintic_position, quintic_velocity
from ballcast.sim.kernels.vectors import add_scaled, scaled

BLOCK = 0.1875  # s: a few binary digits, so that multiples of it are exact
MANY_BLOCKS = 64.0
FAR = 1e6  # s, of a step that nothing ends
ZERO = 0.0, 0.0, 0.0
TURN_FRAMES, TURN_STEPS = 64, 16  # of a turn: frames, and steps at most
ROW_SIZE = 25  # position, velocity, four coefficients, length; spin at start and end
NO_CUT = -1.0
# set where a kernel is compiled: there is one of each drag model, and of what is written
DRAG_MODEL, WITH_VELOCITY, REAL = 0, True, np.float64


class Frames(NamedTuple):
    """The times asked for, each a number of blocks and a rest (s); N is 1 or B."""

    blocks: Any  # (T, N) whole numbers as floats: whole numbers beside float32 give float64
    rests: Any  # (T, N) s
    counts: Any  # (N,) how many of the times are asked for


class Written(NamedTuple):
    """What the kernel writes of B balls."""

    position: Any  # (T, 3, B) m
    velocity: Any  # (T, 3, B) m/s; the positions' array, if velocity and spin are not asked for
    spin: Any  # (T, 3, B) rad/s
    status: Any  # (B,)
    contact_counts: Any  # (B,)


class Contacts(NamedTuple):
    """Room for N contacts, which are noted or only counted."""

    are_noted: int
    first: Any  # (B,) where those of each ball begin
    ball: Any  # (N,)
    surface: Any  # (N,)
    numbers: Any  # (16, N) time, position, velocity before and after, spin before and after


class Ball(NamedTuple):
    """A ball between two steps."""

    motion: Motion
    support: int
    phase: int
    contacts: int
    status: int
    block: float  # whole blocks
    clock: float  # s since
    scale: float  # of the next step
    cut: float  # s: the step is known to end there, at a contact; NO_CUT: nothing is known of it
    met: int  # the surface of that contact


class Step(NamedTuple):
    """What comes of a step."""

    is_done: bool  # a step may have to be made again, shorter
    end: Motion
    length: float  # s
    surface: int  # met at the end; IN_FLIGHT, or the supporting one, for none
    phase: int  # at the end


class Path(NamedTuple):
    """The path of a step that is being written."""

    block: float  # when it starts: see Ball
    clock: float
    length: float  # s
    start: Motion
    curve: tuple  # (c2, c3, c4, c5): see quintic_coefficients
    end_spin: tuple  # rad/s


def fly_balls(given: CompiledSport, launches: Any, frames: Frames, written: Written, contacts: Contacts) -> None:
    """Kernel. Fly ball number `thread` of launches (LAUNCH_SIZE, B); given: a CompiledSport in the precision."""
    b = cuda.grid(1)
    if b >= launches.shape[1]:
        return
    # with a constant drag model the compiler drops the others
    sport = CompiledSport(DRAG_MODEL, given.aero, given.radius, given.inertia, given.surfaces, given.boxes,
                          given.is_landing)  # fmt: skip
    launch, rows = launches[:, b], cuda.local.array((TURN_STEPS, ROW_SIZE), REAL)
    parameters = parameters_of(launch)
    ball = _launched(sport, parameters, launch, b, contacts)
    path = Path(0.0, 0.0, 0.0, ball.motion, (ZERO, ZERO, ZERO, ZERO), ball.motion.spin)  # it has ended
    row = b if frames.blocks.shape[1] > 1 else 0
    count = frames.counts[row]
    last = _frame_time(frames, count - 1, row)
    for first in range(0, count, TURN_FRAMES):
        k, turn_end = first, min(first + TURN_FRAMES, count)
        turn_last = _frame_time(frames, turn_end - 1, row)
        while k < turn_end:
            n, steps = 0, 0
            while steps < TURN_STEPS and _time_until(turn_last, ball.block, ball.clock) >= 0.0:
                ball, is_done = _round(sport, parameters, ball, rows, steps, last, contacts, b)
                steps += is_done
            while k < turn_end:
                t = _time_until(_frame_time(frames, k, row), path.block, path.clock)
                while t >= path.length and n < steps:
                    t -= path.length
                    path = _load(rows, n, path)
                    n += 1
                if t >= path.length and steps > 0:  # there was no room for more
                    break
                _write(written, k, b, path, t)
                k += 1
    written.status[b], written.contact_counts[b] = ball.status, ball.contacts


@device
def _round(sport, parameters, ball, rows, n, last, contacts, b):
    """(Ball, whether the step is done) after a step, whose path becomes row n, and the contact that ends it; last: the
    time of the last frame."""
    if ball.support >= 0:
        step = _roll(sport, parameters, ball, rows, n)
        scale, cut, met = ball.scale, NO_CUT, IN_FLIGHT
    else:
        step, scale, cut, met = _fly(sport, parameters, ball, rows, n)
    motion, support, phase, count, status, block, clock = ball[:7]
    if step.is_done:
        _store_end(rows, n, step)
        block, clock = _later(block, clock + step.length)
        motion, phase, surface = step.end, step.phase, step.surface
        if surface >= 0 and surface != support:
            motion, support, phase = _apply_contact(sport, parameters, motion, surface, support, phase)
            if _time_until(last, block, clock) >= 0.0:  # nothing after it counts
                _note_contact(contacts, b, count, surface, block * BLOCK + clock, step.end, motion)
                count += 1
            if count > MAX_CONTACTS_SIMULATED:
                motion, support, phase, status = at_rest(motion.position), surface, RESTING, LAID_TO_REST
        elif surface != support:
            motion, support = airborne(sport, parameters, motion), IN_FLIGHT
    return Ball(motion, support, phase, count, status, block, clock, scale, cut, met), step.is_done


@device
def _frame_time(frames, k, row):
    """The time of frame k, blocks and rest."""
    return frames.blocks[k, row], frames.rests[k, row]


@device
def _time_until(time, block, clock):
    """The time from a moment to a later one, blocks and rest."""
    return (time[0] - block) * BLOCK + (time[1] - clock)


@device
def _launched(sport, parameters, launch, b, contacts):
    """The Ball at t = 0, after contacts with what it touches."""
    position = onto_surface(sport, (launch[0], launch[1], launch[2]))
    velocity, spin = (launch[3], launch[4], launch[5]), (launch[6], launch[7], launch[8])
    motion = airborne(sport, parameters, Motion(position, velocity, spin, ZERO))
    support, phase, count = IN_FLIGHT, SLIDING, 0
    for j in range(len(sport.surfaces)):
        if touches(sport.surfaces[j], motion):
            before = motion
            motion, support, phase = _apply_contact(sport, parameters, motion, j, support, phase)
            _note_contact(contacts, b, count, j, 0.0, before, motion)
            count += 1
    return Ball(motion, support, phase, count, FINE, 0.0, 0.0, 1.0, NO_CUT, IN_FLIGHT)


@device
def _apply_contact(sport, parameters, motion, surface, support, phase):
    """(Motion, support, phase) after contact with a surface."""
    velocity, spin, support, phase, _ = after_contact(sport, parameters, motion, surface, support, phase)
    return airborne(sport, parameters, Motion(motion.position, velocity, spin, ZERO)), support, phase


@device
def _later(block, clock):
    """The time with less than a block in `clock`."""
    if clock >= FAR:
        return block + FAR, 0.0
    while clock >= MANY_BLOCKS * BLOCK:
        block, clock = block + MANY_BLOCKS, clock - MANY_BLOCKS * BLOCK
    while clock >= BLOCK:
        block, clock = block + 1.0, clock - BLOCK
    return block, clock


@device
def _fly(sport, parameters, ball, rows, n):
    """(Step through the air, scale of the next step, cut, surface met): see Ball. The path of a whole step goes into
    row n; one that is cut at a contact has the path of the whole one, which was made the round before."""
    motion, is_cut = ball.motion, ball.cut >= 0.0
    v, start = motion.velocity, Motion(ZERO, motion.velocity, motion.spin, motion.acceleration)
    u = v[0] - parameters.wind_x, v[1] - parameters.wind_y, v[2]
    h = max(ball.cut, MIN_ADVANCE) if is_cut else ball.scale * step_length(sport.aero, u)
    end, error = air_step(sport, parameters, start, h)
    there = Motion(add_scaled(motion.position, 1.0, end.position), *end[1:])
    if is_cut:
        there, h, surface = onto_contact(sport, there, h, ball.met)
        return Step(True, there, h, surface, ball.phase), ball.scale, NO_CUT, IN_FLIGHT
    is_done, scale = next_scale(sport.aero, ball.scale, error)
    cut, met = NO_CUT, IN_FLIGHT
    if is_done:
        path, (low, high) = quintic_coefficients(start, end, h), quintic_bounds(start, end, h)
        low, high = add_scaled(motion.position, 1.0, low), add_scaled(motion.position, 1.0, high)
        _store_path(rows, n, motion, path)
        if _is_near(sport.boxes, low, high):
            t, met = first_contact(sport.surfaces, sport.boxes, IN_FLIGHT, (low, high), motion, path, h)
            if t < h:
                cut, is_done = t, False
    return Step(is_done, there, h, IN_FLIGHT, ball.phase), scale, cut, met


@device
def _is_near(boxes, low, high):
    """Whether a box comes near a surface; boxes (S, 6)."""
    is_near = False
    for j in range(len(boxes)):
        is_apart = (low[0] > boxes[j, 3]) | (low[1] > boxes[j, 4]) | (low[2] > boxes[j, 5])
        is_apart |= (high[0] < boxes[j, 0]) | (high[1] < boxes[j, 1]) | (high[2] < boxes[j, 2])
        is_near |= not is_apart
    return is_near


@device
def _roll(sport, parameters, ball, rows, n):
    """The Step on a surface, its path in row n."""
    rolled = rolling_step(sport, parameters.friction, ball.motion, ball.support, ball.phase)
    start, end, h, surface, phase = rolled
    _store_path(rows, n, start, (scaled(0.5, start.acceleration), ZERO, ZERO, ZERO))
    return Step(True, end, h, surface, phase)


@device
def _store_path(rows, n, start, curve):
    """Store the path of a step in row n."""
    for i in range(3):
        rows[n, i], rows[n, 3 + i] = start.position[i], start.velocity[i]
        rows[n, 6 + i], rows[n, 9 + i], rows[n, 12 + i] = curve[0][i], curve[1][i], curve[2][i]
        rows[n, 15 + i] = curve[3][i]
        if WITH_VELOCITY:
            rows[n, 19 + i] = start.spin[i]


@device
def _store_end(rows, n, step):
    """Store in row n where the step ends."""
    rows[n, 18] = step.length
    if WITH_VELOCITY:
        for i in range(3):
            rows[n, 22 + i] = step.end.spin[i]


@device
def _load(rows, n, before):
    """The Path of row n, which follows another."""
    block, clock = _later(before.block, before.clock + before.length)
    curve = _vector(rows, n, 6), _vector(rows, n, 9), _vector(rows, n, 12), _vector(rows, n, 15)
    spins = (_vector(rows, n, 19), _vector(rows, n, 22)) if WITH_VELOCITY else (ZERO, ZERO)
    start = Motion(_vector(rows, n, 0), _vector(rows, n, 3), spins[0], ZERO)
    return Path(block, clock, rows[n, 18], start, curve, spins[1])


@device
def _vector(rows, n, i):
    """Numbers i, i + 1 and i + 2 of row n."""
    return rows[n, i], rows[n, i + 1], rows[n, i + 2]


@device
def _write(written, k, b, path, t):
    """Write frame number k, at time t of a step."""
    position = quintic_position(path.start, path.curve, t)
    for i in range(3):
        written.position[k, i, b] = position[i]
    if WITH_VELOCITY:
        velocity, spin = quintic_velocity(path.start, path.curve, t), path.start.spin
        spin = add_scaled(spin, t / path.length, add_scaled(path.end_spin, -1.0, spin))
        for i in range(3):
            written.velocity[k, i, b], written.spin[k, i, b] = velocity[i], spin[i]


@device
def _note_contact(contacts, b, count, surface, time, before, after):
    """Note contact number `count` of ball b: the Motions before and after."""
    if contacts.are_noted:
        n, numbers = contacts.first[b] + count, contacts.numbers
        contacts.ball[n], contacts.surface[n], numbers[0, n] = b, surface, time
        for i in range(3):
            numbers[1 + i, n] = before.position[i]
            numbers[4 + i, n], numbers[7 + i, n] = before.velocity[i], after.velocity[i]
            numbers[10 + i, n], numbers[13 + i, n] = before.spin[i], after.spin[i]
