"""Frames since the last contact, linearised anew about what is known now: it takes the place of fits of all frames.

The flight is not linear in the spin: what early frames said was linearised where the belief was then. Frames are kept
as at most MAX_POINTS normal points, means of neighbours, so that time and memory are constant. Every PASS_EVERY frames
all components are moved back along their flights to the anchor, where the belief was what no frame since has changed,
and filtered forward again about these flights. After a contact the present belief is the next anchor.
"""

from ballcast.models.estimation.filter_state import MAX_POINTS
from ballcast.models.estimation.free_flight import (
    add_process_noise,
    mean_acceleration,
    move_back,
    propagate,
    step_count,
)
from ballcast.models.estimation.measurement import (
    add_scaled6,
    clamp_components,
    correct,
    frame_noise,
    inverse6,
    position_columns,
    times6,
)
from ballcast.models.estimation.mixture import (
    COMPONENTS,
    DEAD,
    DELTA,
    KEPT_ROWS,
    LAST_CONTACT,
    LOG_WEIGHT,
    MEAN,
    ON_SURFACE,
    PASS_ROWS,
    ROW,
    ROWS,
    likeliest,
)
from ballcast.models.estimation.prior import FILTER_DEGREES
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.lane_numbers import empty_rows, load, store, where
from ballcast.sim.kernels.vectors import add_scaled

PASS_EVERY, MIN_PASS_FRAMES = 12, 5  # frames between two passes, and before the first
FIRST_PASSES = 4  # not all balls make their first pass in the same frame
MAX_POINT_GAP = 0.5  # s, between frames of one normal point: over more a path bends other than a parabola does
MAX_NUMBER = 1e6  # m, m/s, rad/s: more is an accident of rounding
PASS_NOISE = 0.1  # of the process noise, in a pass


@inlined
def set_anchor(state, t):
    """Let the present belief be the prior of all frames to come: those before are not linearised anew."""
    for k in range(KEPT_ROWS):
        store(state.anchor, k, load(state.components, k))
    state.anchor_time, state.point_count, state.frames_since_anchor = t, 0, 0
    state.frames_per_point = 1


@inlined
def is_pass_due(state):
    n, first = state.frames_since_anchor, MIN_PASS_FRAMES + state.phase % FIRST_PASSES
    return n == first or (n > first and (n + state.phase) % PASS_EVERY == 0)


@kernel
def note_point(state, s, before, t, y):
    """Add a frame to the normal points since the anchor; after a contact, or a gap, the next frame is an anchor."""
    in_contact = False
    for i in range(COMPONENTS):
        in_contact |= s[LOG_WEIGHT, i] > DEAD and s[LAST_CONTACT, i] > before - state.start_time
    is_gap = t - before > MAX_POINT_GAP
    if is_gap or (not in_contact and s[LAST_CONTACT, likeliest(s)] > state.anchor_time - state.start_time):
        set_anchor(state, t)
        return
    n, points = state.point_count, state.points
    state.frames_since_anchor += 1
    if n == 0 or points[n - 1, 0] >= state.frames_per_point - 1e-9:
        if n == MAX_POINTS:  # two neighbours become one
            for k in range(MAX_POINTS // 2):
                for j in range(points.shape[1]):
                    points[k, j] = points[2 * k, j] + points[2 * k + 1, j]
            n = MAX_POINTS // 2
            state.frames_per_point *= 2
        points[n] = 0.0
        n += 1
    state.point_count = n
    point, dt = points[n - 1], t - state.anchor_time
    point[0] += 1.0
    weight = 1.0 / state.inflation
    point[1] += weight
    point[2] += weight * dt
    for k in range(3):
        point[3 + k] += weight * (y[k] - state.origin[k])
    point[6] += weight * dt * dt


@kernel
def linearise_anew(sport, filter_prior, state, scratch, t):
    """Filter all frames since the anchor again, about the flight that each component's present mean comes from."""
    s, q = state.components[:], empty_rows(PASS_ROWS)
    for k in range(ROWS):
        store(q, k, load(s, k))
    back = state.anchor_time - t
    move_back(sport, q, back, step_count(sport, q, back))
    for k in range(UNKNOWNS):
        store(q, DELTA + k, load(state.anchor, MEAN + k) - load(q, MEAN + k))
    for k in range(UNKNOWNS, KEPT_ROWS):
        store(q, k, load(state.anchor, k))
    now = 0.0
    for n in range(state.point_count):
        weight = state.points[n, 1]
        dt = state.points[n, 2] / weight - now
        _step(sport, filter_prior, q, scratch, dt)
        now += dt
        _assimilate(sport, state, q, scratch, n, weight)
    _step(sport, filter_prior, q, scratch, t - state.anchor_time - now)
    keep = (load(s, LAST_CONTACT) > state.anchor_time - state.start_time) | (load(s, ON_SURFACE) > 0.5)
    is_sound = load(q, ROW[0, 0]) > 0.0
    for k in range(1, UNKNOWNS):
        is_sound = is_sound & (load(q, ROW[k, k]) > 0.0)
    for k in range(UNKNOWNS):
        is_sound = is_sound & (abs(load(q, MEAN + k) + load(q, DELTA + k)) < MAX_NUMBER)  # NaN is not
    keep = keep | (where(is_sound, 0.0, 1.0) > 0.5)
    for k in range(UNKNOWNS):
        store(s, MEAN + k, where(keep, load(s, MEAN + k), load(q, MEAN + k) + load(q, DELTA + k)))
    for k in range(UNKNOWNS, KEPT_ROWS):
        store(s, k, where(keep, load(s, k), load(q, k)))
    clamp_components(s)


@inlined
def _step(sport, filter_prior, q, scratch, dt):
    propagate(sport, q, scratch, dt, step_count(sport, q, dt))
    add_process_noise(q, filter_prior.process_noise, PASS_NOISE * dt)


@inlined
def _assimilate(sport, state, q, U, n, weight):
    """Correct the deviations of a pass by normal point n, which counts less if it is far off.

    A path that bends is not at the mean of its positions at the mean of their times: half the acceleration times the
    variance of the times lies between.
    """
    point, noise = state.points[n], state.noise
    bend = 0.5 * (point[6] / weight - (point[2] / weight) ** 2)
    p = add_scaled((load(q, 0), load(q, 1), load(q, 2)), bend, mean_acceleration(sport, q))
    p = add_scaled(p, 1.0, (load(q, DELTA), load(q, DELTA + 1), load(q, DELTA + 2)))
    height = load(q, HEIGHT) + load(q, DELTA + HEIGHT)
    h = position_columns(q, U)
    part = state.noise_factor / weight
    R = frame_noise(
        noise[0] * part, noise[1] * part, noise[2] * part, noise[3] * part, load(q, 3), load(q, 4), load(q, 5)
    )
    inverse, _ = inverse6(add_scaled6(h, R, 1.0))
    rx, ry, rz = point[3] / weight - p[0], point[4] / weight - p[1], point[5] / weight - p[2] - height
    a, b, c = times6(inverse, rx, ry, rz)
    square = rx * a + ry * b + rz * c
    inflation = max(1.0, (FILTER_DEGREES + square) / (FILTER_DEGREES + 3.0))
    inverse, _ = inverse6(add_scaled6(h, R, inflation))
    correct(q, DELTA, U, inverse, times6(inverse, rx, ry, rz))
