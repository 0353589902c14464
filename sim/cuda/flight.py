"""The flight of one ball as one thread of a GPU: the event loop of kernels/flight.py, bent to a GPU's needs.

The threads of a warp take the same instruction at a time, and write fast only side by side. So the loop goes from frame
to frame, and all balls write a frame together: memory has frames first and balls last. Steps end on a common grid of
times (block time steps, as in N-body codes: McMillan 1986), a step's length being a power of two of the block: balls
that fly alike step together. A ball that meets a surface steps to the moment of the contact, then back to the grid.

A time is a number of whole blocks and a rest: float32 alone would be coarse after some seconds. A step works with
displacements from its start, so that far from the origin it loses nothing.
"""

from typing import Any, NamedTuple

from numba import cuda

from ballcast.sim.cuda.device_functions import device
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.kernels.contact import RESTING, SLIDING, after_contact, onto_surface, touches
from ballcast.sim.kernels.detection import MIN_ADVANCE, first_contact
from ballcast.sim.kernels.dormand_prince import next_scale, step_length
from ballcast.sim.kernels.flight import air_step, airborne, at_rest, rolling_step, step_to_contact
from ballcast.sim.kernels.lanes import MAX_CONTACTS_SIMULATED
from ballcast.sim.kernels.layout import FINE, IN_FLIGHT, LAID_TO_REST, Motion, parameters_of
from ballcast.sim.kernels.quintic import quintic_bounds, quintic_coefficients, quintic_position, quintic_velocity
from ballcast.sim.kernels.vectors import add_scaled, scaled

BLOCK = 0.125  # s: a few binary digits, so that its halves, and sums of them, are exact
ZERO = 0.0, 0.0, 0.0
DRAG_MODEL = 0  # set where the kernel is compiled: each drag model has a kernel of its own


class Frames(NamedTuple):
    """The times asked for, each a number of blocks and a rest (s); N is 1 or B."""

    blocks: Any  # (T, N) whole numbers as floats: whole numbers beside float32 give float64
    rests: Any  # (T, N) s
    counts: Any  # (N,) how many of the times are asked for


class Written(NamedTuple):
    """What the kernel writes of B balls; velocity and spin may have no frames."""

    position: Any  # (T, 3, B) m
    velocity: Any  # (T or 0, 3, B) m/s
    spin: Any  # (T or 0, 3, B) rad/s
    status: Any  # (B,)
    contact_counts: Any  # (B,)


class Contacts(NamedTuple):
    """Room for N contacts, or for none: then they are only counted."""

    first: Any  # (B,) where those of each ball begin
    ball: Any  # (N,)
    surface: Any  # (N,)
    numbers: Any  # (16, N) time, position, velocity before and after, spin before and after


def fly_balls(given, launches, frames, written, contacts):
    """Kernel. Fly ball number `thread` of launches (LAUNCH_SIZE, B); given: a CompiledSport in the precision."""
    b = cuda.grid(1)
    if b >= launches.shape[1]:
        return
    # with a constant drag model the compiler drops the others
    sport = CompiledSport(DRAG_MODEL, given.aero, given.radius, given.inertia, given.surfaces, given.boxes,
                          given.is_landing)  # fmt: skip
    launch = launches[:, b]
    parameters = parameters_of(launch)
    motion, support, phase, count = _initial_state(sport, parameters, launch, b, contacts)
    status, block, clock, scale, h = FINE, 0.0, 0.0, 1.0, 0.0  # a first step of length 0 has ended
    end, surface, next_phase, path = motion, support, phase, (ZERO, ZERO, ZERO, ZERO)
    row = b if frames.blocks.shape[1] > 1 else 0
    for k in range(frames.counts[row]):
        t = (frames.blocks[k, row] - block) * BLOCK + (frames.rests[k, row] - clock)  # from the start of the step
        while t >= h:  # NaN ends it too
            t -= h
            block, clock = _later(block, clock + h)
            motion, phase = end, next_phase
            if surface != support and surface >= 0:
                before = motion
                motion, support, phase = _apply_contact(sport, parameters, motion, surface, support, phase)
                _note_contact(contacts, b, count, surface, block * BLOCK + clock, before, motion)
                count += 1
                if count > MAX_CONTACTS_SIMULATED:
                    motion, support, phase, status = at_rest(motion.position), surface, RESTING, LAID_TO_REST
            elif surface != support:
                support = IN_FLIGHT
                motion = airborne(sport, parameters, motion)
            if support >= 0:
                path, end, h, surface, next_phase = _roll(sport, parameters, motion, support, phase)
            else:
                path, end, h, surface, scale = _fly(sport, parameters, motion, scale, clock)
        _write(written, k, b, motion, end, path, t, h)
    written.status[b], written.contact_counts[b] = status, count


@device
def _initial_state(sport, parameters, launch, b, contacts):
    """(Motion, support, phase, number of contacts) at t = 0, after contacts with what the ball touches."""
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
    return motion, support, phase, count


@device
def _apply_contact(sport, parameters, motion, surface, support, phase):
    """(Motion, support, phase) after contact with a surface."""
    velocity, spin, support, phase, _ = after_contact(sport, parameters, motion, surface, support, phase)
    return airborne(sport, parameters, Motion(motion.position, velocity, spin, ZERO)), support, phase


@device
def _later(block, clock):
    """The time with less than a block in `clock`."""
    while clock >= BLOCK:
        block, clock = block + 1.0, clock - BLOCK
    return block, clock


@device
def _fly(sport, parameters, motion, scale, clock):
    """A step through the air: (path, Motion at its end, length, surface met or IN_FLIGHT, scale of the next step)."""
    start, wind = Motion(ZERO, motion.velocity, motion.spin, motion.acceleration), ZERO
    v = motion.velocity
    wind = v[0] - parameters.wind_x, v[1] - parameters.wind_y, v[2]
    is_accepted = False
    while not is_accepted:
        h = _to_grid(scale * step_length(sport.aero, wind), clock)
        end, error = air_step(sport, parameters, start, h)
        is_accepted, scale = next_scale(sport.aero, scale, error)
    path, bounds = quintic_coefficients(start, end, h), quintic_bounds(start, end, h)
    low, high = add_scaled(motion.position, 1.0, bounds[0]), add_scaled(motion.position, 1.0, bounds[1])
    end = Motion(add_scaled(motion.position, 1.0, end.position), end.velocity, end.spin, end.acceleration)
    surface = IN_FLIGHT
    if _is_near(sport.boxes, low, high):
        t, met = first_contact(sport.surfaces, sport.boxes, IN_FLIGHT, (low, high), motion, path, h)
        if t < h:
            end, h, surface = step_to_contact(sport, parameters, motion, met, t)
    return path, end, h, surface, scale


@device
def _to_grid(length, clock):
    """The time from `clock` to the end of a step on the grid of times, a little later where that is now."""
    tick, end = BLOCK, BLOCK
    while tick > length:
        tick *= 0.5
        if end - tick > clock:
            end -= tick
    h = end - clock
    return h if h > MIN_ADVANCE else h + tick


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
def _roll(sport, parameters, motion, support, phase):
    """A step on a surface: (path, Motion at its end, length, surface met, IN_FLIGHT or `support`, phase then)."""
    start, end, h, surface, phase = rolling_step(sport, parameters.friction, motion, support, phase)
    return (scaled(0.5, start.acceleration), ZERO, ZERO, ZERO), end, h, surface, phase


@device
def _write(written, k, b, motion, end, path, t, h):
    """Write frame number k, at time t of a step of length h."""
    position = quintic_position(motion, path, t)
    for i in range(3):
        written.position[k, i, b] = position[i]
    if len(written.velocity) > 0:
        velocity, spin = quintic_velocity(motion, path, t), add_scaled(end.spin, -1.0, motion.spin)
        spin = add_scaled(motion.spin, t / h, spin)
        for i in range(3):
            written.velocity[k, i, b], written.spin[k, i, b] = velocity[i], spin[i]


@device
def _note_contact(contacts, b, count, surface, time, before, after):
    """Note contact number `count` of ball b: the Motions before and after."""
    if len(contacts.ball) > 0:
        n, numbers = contacts.first[b] + count, contacts.numbers
        contacts.ball[n], contacts.surface[n], numbers[0, n] = b, surface, time
        for i in range(3):
            numbers[1 + i, n] = before.position[i]
            numbers[4 + i, n], numbers[7 + i, n] = before.velocity[i], after.velocity[i]
            numbers[10 + i, n], numbers[13 + i, n] = before.spin[i], after.spin[i]
