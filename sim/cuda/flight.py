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

BLOCK = 0.1875  # s: a few binary digits, so that its halves, and sums of them, are exact
STRETCH = 1.5  # a step may be longer than its due by this factor: so powers of two are near it from both sides
ZERO = 0.0, 0.0, 0.0
# set where a kernel is compiled: there is one of each drag model, and of what is written
DRAG_MODEL, WITH_VELOCITY = 0, True


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


class Step(NamedTuple):
    """One step of a ball."""

    start: Motion
    path: tuple  # (c2, c3, c4, c5): see quintic_coefficients
    end: Motion
    length: float  # s
    surface: int  # met at the end; IN_FLIGHT, or the supporting one, for none
    phase: int  # at the end


def fly_balls(given: CompiledSport, launches: Any, frames: Frames, written: Written, contacts: Contacts) -> None:
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
    status, block, clock, scale, row = FINE, 0.0, 0.0, 1.0, b if frames.blocks.shape[1] > 1 else 0
    step = earlier = Step(motion, (ZERO, ZERO, ZERO, ZERO), motion, 0.0, support, phase)  # it has ended
    for k in range(frames.counts[row]):
        t = _time_until(frames, k, row, block, clock)  # from the start of the step
        # a step to a contact is followed at once by the next: balls that met a surface take it together
        while t >= step.length or (t >= 0.0 and step.surface >= 0 and step.surface != support):
            t -= step.length
            block, clock = _later(block, clock + step.length)
            earlier, motion, phase, surface = step, step.end, step.phase, step.surface
            if surface >= 0 and surface != support:
                motion, support, phase = _apply_contact(sport, parameters, motion, surface, support, phase)
                if _time_until(frames, frames.counts[row] - 1, row, block, clock) >= 0.0:  # nothing after it counts
                    _note_contact(contacts, b, count, surface, block * BLOCK + clock, step.end, motion)
                    count += 1
                if count > MAX_CONTACTS_SIMULATED:
                    motion, support, phase, status = at_rest(motion.position), surface, RESTING, LAID_TO_REST
            elif surface != support:
                motion, support = airborne(sport, parameters, motion), IN_FLIGHT
            if support >= 0:
                step = _roll(sport, parameters, motion, support, phase)
            else:
                step, scale = _fly(sport, parameters, motion, phase, scale, clock)
        if t < 0.0:
            _write(written, k, b, earlier, t + earlier.length)
        else:
            _write(written, k, b, step, t)
    written.status[b], written.contact_counts[b] = status, count


@device
def _time_until(frames, k, row, block, clock):
    """The time from a moment to frame k."""
    return (frames.blocks[k, row] - block) * BLOCK + (frames.rests[k, row] - clock)


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
def _fly(sport, parameters, motion, phase, scale, clock):
    """(Step through the air, scale of the next step)."""
    v, start = motion.velocity, Motion(ZERO, motion.velocity, motion.spin, motion.acceleration)
    u, is_accepted = (v[0] - parameters.wind_x, v[1] - parameters.wind_y, v[2]), False
    while not is_accepted:
        h = _to_grid(scale * step_length(sport.aero, u), clock)
        end, error = air_step(sport, parameters, start, h)
        is_accepted, scale = next_scale(sport.aero, scale, error)
    path, (low, high) = quintic_coefficients(start, end, h), quintic_bounds(start, end, h)
    low, high = add_scaled(motion.position, 1.0, low), add_scaled(motion.position, 1.0, high)
    end, surface = Motion(add_scaled(motion.position, 1.0, end.position), *end[1:]), IN_FLIGHT
    if _is_near(sport.boxes, low, high):
        t, met = first_contact(sport.surfaces, sport.boxes, IN_FLIGHT, (low, high), motion, path, h)
        if t < h:
            end, h, surface = step_to_contact(sport, parameters, motion, met, t)
    return Step(motion, path, end, h, surface, phase), scale


@device
def _to_grid(length, clock):
    """The time from `clock` to the end of a step on the grid of times, a little later where that is now."""
    tick, end = BLOCK, BLOCK
    while tick > STRETCH * length:
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
    """The Step on a surface."""
    start, end, h, surface, phase = rolling_step(sport, parameters.friction, motion, support, phase)
    return Step(start, (scaled(0.5, start.acceleration), ZERO, ZERO, ZERO), end, h, surface, phase)


@device
def _write(written, k, b, step, t):
    """Write frame number k, at time t of a step."""
    position = quintic_position(step.start, step.path, t)
    for i in range(3):
        written.position[k, i, b] = position[i]
    if WITH_VELOCITY:
        velocity, spin = quintic_velocity(step.start, step.path, t), add_scaled(step.end.spin, -1.0, step.start.spin)
        spin = add_scaled(step.start.spin, t / step.length, spin)
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
