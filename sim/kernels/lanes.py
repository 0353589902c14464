"""The compiled engine: LANES balls in flight side by side, each with its own clock; a ball that is done makes room.

A round takes every lane one step ahead:
    evolve   one Runge-Kutta step of all lanes as vectors; its length depends on the ball, never on the frames asked
    near     which lanes' paths come near a surface: the box around the quintic's control points against each surface
    resolve  of those alone: the exact moment of the contact, and the step again to that moment
    deliver  the frames that fall into the step, by its quintic
    advance  to the end of the step, and through the contact
State is rows of lanes in one flat array, so that the compiler sees that rows do not overlap. All lanes take the same
instructions whatever their neighbours do: a ball's flight is the same to the bit in any batch and on any thread.
"""

from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import (
    CONSTANT_DRAG,
    DRAG_CRISIS,
    SPIN_DRAG,
    acceleration,
    crisis,
    plain,
    rk5,
    smooth,
    spinning,
    step_length,
)
from ballcast.sim.kernels.compiled_sport import LaneSport
from ballcast.sim.kernels.contact import REST, SKID, dot, gap_and_normal, meet, note_contact
from ballcast.sim.kernels.detection import TOUCH, first_contact, quintic, slope
from ballcast.sim.kernels.layout import DRAG, FRICTION, LAUNCH_SIZE, LIFT, RESTITUTION, WIND_X, WIND_Y
from ballcast.sim.kernels.step import AIR, FOREVER, roll_on, step_to

LANES = 64
CHUNK = 8  # frames delivered at once; times are padded by as many
# rows: a launch (layout.py); acceleration; then the end of the step, its length, the box around it
P, V, W, A, P1, V1, W1, A1, H, NEAR, LOW, HIGH, SCALE, ERROR = 0, 3, 6, 15, 18, 21, 24, 27, 30, 31, 32, 35, 38, 39
THETA = 40 * LANES  # then a chunk of frames: their time in the step
SCRATCH = THETA + CHUNK
IDLE = -2  # as AIR, in place of the surface that a lane's ball rolls on
MOST_IMPACTS = 5000  # of one ball: one that is wedged and hops without end is laid to rest
BALL, FRAME, GROUND, PHASE, HITS, NEXT, BUSY, USED, MARKS = range(9)  # of each lane; the last three of the run


class LaneTask(NamedTuple):
    """What a run of the lanes works on."""

    lane_sport: LaneSport
    launch: np.ndarray  # (B, LAUNCH_SIZE)
    times: np.ndarray  # (1 or B, T + CHUNK) s, inf from T on
    counts: np.ndarray  # (B,) how many of the times are asked for
    position: np.ndarray  # flat (B T 3) m, in the lanes' precision
    velocity: np.ndarray  # (B, T, 3) m/s, or empty
    spin: np.ndarray  # (B, T, 3) rad/s, or empty
    contacts: np.ndarray  # (N,) CONTACT_DTYPE: the first N


@inlined
def _evolve(law, c, s):
    for i in range(LANES):
        windx, windy = s[WIND_X * LANES + i], s[WIND_Y * LANES + i]
        vx, vy, vz = s[V * LANES + i], s[(V + 1) * LANES + i], s[(V + 2) * LANES + i]
        wx, wy, wz = s[W * LANES + i], s[(W + 1) * LANES + i], s[(W + 2) * LANES + i]
        ax, ay, az = s[A * LANES + i], s[(A + 1) * LANES + i], s[(A + 2) * LANES + i]
        ux, uy = vx - windx, vy - windy
        h = s[SCALE * LANES + i] * step_length(c, ux, uy, vz)
        dx, dy, dz, bx, by, bz, q, ax, ay, az, error = rk5(
            law, c, h, s[DRAG * LANES + i], s[LIFT * LANES + i], ax, ay, az, ux, uy, vz, wx, wy, wz
        )
        s[H * LANES + i], s[ERROR * LANES + i] = h, error
        s[P1 * LANES + i] = s[P * LANES + i] + (dx + h * windx)
        s[(P1 + 1) * LANES + i] = s[(P + 1) * LANES + i] + (dy + h * windy)
        s[(P1 + 2) * LANES + i] = s[(P + 2) * LANES + i] + dz
        s[V1 * LANES + i], s[(V1 + 1) * LANES + i], s[(V1 + 2) * LANES + i] = vx + bx, vy + by, vz + bz
        s[W1 * LANES + i], s[(W1 + 1) * LANES + i], s[(W1 + 2) * LANES + i] = q * wx, q * wy, q * wz
        s[A1 * LANES + i], s[(A1 + 1) * LANES + i], s[(A1 + 2) * LANES + i] = ax, ay, az


@inlined
def _near(c, s, boxes):
    """Mark lanes whose path's control points come within reach of a surface; boxes (n, 6) are grown by that reach."""
    for i in range(LANES):
        s[NEAR * LANES + i] = c.zero
    for k in range(3):  # the control points of the quintic: its path lies within their hull
        for i in range(LANES):
            h = c.fifth * s[H * LANES + i]
            hh = c.twentieth * s[H * LANES + i] * s[H * LANES + i]
            first, last = s[(P + k) * LANES + i], s[(P1 + k) * LANES + i]
            step, back = h * s[(V + k) * LANES + i], h * s[(V1 + k) * LANES + i]
            second, third = first + step, first + step + step + hh * s[(A + k) * LANES + i]
            fifth, fourth = last - back, last - back - back + hh * s[(A1 + k) * LANES + i]
            s[(LOW + k) * LANES + i] = min(min(min(first, second), min(third, fourth)), min(fifth, last))
            s[(HIGH + k) * LANES + i] = max(max(max(first, second), max(third, fourth)), max(fifth, last))
    for j in range(len(boxes)):
        x0, y0, z0, x1, y1, z1 = boxes[j, 0], boxes[j, 1], boxes[j, 2], boxes[j, 3], boxes[j, 4], boxes[j, 5]
        for i in range(LANES):
            apart = (s[HIGH * LANES + i] < x0) | (s[LOW * LANES + i] > x1)
            apart |= (s[(HIGH + 1) * LANES + i] < y0) | (s[(LOW + 1) * LANES + i] > y1)
            apart |= (s[(HIGH + 2) * LANES + i] < z0) | (s[(LOW + 2) * LANES + i] > z1)
            s[NEAR * LANES + i] = s[NEAR * LANES + i] if apart else c.one


@kernel
def _get(s, row, i):
    return float(s[row * LANES + i]), float(s[(row + 1) * LANES + i]), float(s[(row + 2) * LANES + i])


@kernel
def _put(s, row, i, a):
    s[row * LANES + i], s[(row + 1) * LANES + i], s[(row + 2) * LANES + i] = a


@kernel
def _path(s, i):
    """Place, velocity and (c2, c3, c4, c5) of the lane's step."""
    p, v, h = _get(s, P, i), _get(s, V, i), float(s[H * LANES + i])
    return p, v, quintic(p, v, _get(s, A, i), _get(s, P1, i), _get(s, V1, i), _get(s, A1, i), h)


@inlined
def _resolve(family, c64, rows, s, i):
    """Shorten the lane's step to its first contact: the surface hit, or AIR."""
    h = float(s[H * LANES + i])
    p, v, c = _path(s, i)
    tau, hit = first_contact(rows, AIR, _get(s, LOW, i), _get(s, HIGH, i), p, v, c, h)
    if tau >= h:
        return AIR
    air = (
        float(s[DRAG * LANES + i]),
        float(s[LIFT * LANES + i]),
        float(s[WIND_X * LANES + i]),
        float(s[WIND_Y * LANES + i]),
    )
    hit, tau, p1, v1, w1, a1 = step_to(family, c64, rows, hit, tau, p, v, _get(s, W, i), _get(s, A, i), air)
    _take(s, i, tau, p1, v1, w1)
    _put(s, A1, i, a1)
    return hit


@kernel
def _roll_on(c64, rows, inertia, mu_factor, s, m, i):
    """A step of a lane whose ball is on a surface: to the end of its phase, a contact, or the rectangle's end (AIR)."""
    p, v, w = _get(s, P, i), _get(s, V, i), _get(s, W, i)
    ground, phase = m[GROUND, i], m[PHASE, i]
    hit, h, m[PHASE, i], p1, v1, w1, a = roll_on(c64, rows, inertia, mu_factor, ground, phase, p, v, w, FOREVER)
    _take(s, i, h, p1, v1, w1)
    _put(s, A, i, a)
    _put(s, A1, i, a)
    return hit


@inlined
def _take(s, i, h, p1, v1, w1):
    s[H * LANES + i] = h
    _put(s, P1, i, p1)
    _put(s, V1, i, v1)
    _put(s, W1, i, w1)


@inlined
def _deliver(c, s, i, t, finish, times, row, k, out, base, count):
    """Write the positions at times[row, k:] before `finish`; the number of the first frame that is left."""
    h = s[H * LANES + i]
    hh = c.half * h * h
    x0, y0, z0 = s[P * LANES + i], s[(P + 1) * LANES + i], s[(P + 2) * LANES + i]
    x1, y1, z1 = h * s[V * LANES + i], h * s[(V + 1) * LANES + i], h * s[(V + 2) * LANES + i]
    x2, y2, z2 = hh * s[A * LANES + i], hh * s[(A + 1) * LANES + i], hh * s[(A + 2) * LANES + i]
    x3, x4, x5 = _quintic(c, s[P1 * LANES + i] - x0 - x1 - x2, h * s[V1 * LANES + i] - x1, hh * s[A1 * LANES + i], x2)
    y3, y4, y5 = _quintic(
        c, s[(P1 + 1) * LANES + i] - y0 - y1 - y2, h * s[(V1 + 1) * LANES + i] - y1, hh * s[(A1 + 1) * LANES + i], y2
    )
    z3, z4, z5 = _quintic(
        c, s[(P1 + 2) * LANES + i] - z0 - z1 - z2, h * s[(V1 + 2) * LANES + i] - z1, hh * s[(A1 + 2) * LANES + i], z2
    )
    inverse = c.one / (h + c.tiny)
    while k < count and times[row, k] < finish:
        fits = k + CHUNK <= count  # then frames beyond the step are written too, and again by the next
        inside = 0
        for j in range(CHUNK):
            s[THETA + j] = times[row, k + j] - t
            inside += times[row, k + j] < finish
        inside = min(inside, count - k)
        for j in range(CHUNK if fits else inside):
            f, m = s[THETA + j] * inverse, base + 3 * (k + j)
            out[m] = x0 + f * (x1 + f * (x2 + f * (x3 + f * (x4 + f * x5))))
            out[m + 1] = y0 + f * (y1 + f * (y2 + f * (y3 + f * (y4 + f * y5))))
            out[m + 2] = z0 + f * (z1 + f * (z2 + f * (z3 + f * (z4 + f * z5))))
        k += inside
    return k


@inlined
def _quintic(c, d, e, f, f0):
    """Its last three coefficients over the unit interval, from what is left of place, velocity, half acceleration."""
    e, f = e - f0 - f0, f - f0
    two = c.one + c.one
    four = two + two
    three = two + c.one
    return (
        (four + four + two) * d - four * e + f,
        (four + three) * e - three * (four + c.one) * d - two * f,
        (three * (d + d - e) + f),
    )


@kernel
def _deliver_motion(s, i, t, times, row, begin, end, b, velocity, spin):
    """Velocity and spin of frames begin..end: the slope of the quintic, the line through the spins."""
    if begin == end:
        return
    h = float(s[H * LANES + i])
    w, w1 = _get(s, W, i), _get(s, W1, i)
    _, v, c = _path(s, i)
    for k in range(begin, end):
        now, f = slope(v, c, times[row, k] - t), (times[row, k] - t) / h
        for m in range(3):
            velocity[b, k, m] = now[m]
            spin[b, k, m] = w[m] + f * (w1[m] - w[m])


@inlined
def _accelerate(family, c64, s, i):
    """Set the lane's acceleration from its velocity and spin."""
    v, w = _get(s, V, i), _get(s, W, i)
    ux, uy = v[0] - float(s[WIND_X * LANES + i]), v[1] - float(s[WIND_Y * LANES + i])
    drag, lift = float(s[DRAG * LANES + i]), float(s[LIFT * LANES + i])
    _put(s, A, i, acceleration(family, c64, drag, lift, ux, uy, v[2], w[0], w[1], w[2]))


@inlined
def _through(c64, rows, inertia, launch, log, j, s, m, i, t):
    """Take the lane's ball through contact with surface j; note the impact."""
    p, v, w = _get(s, P, i), _get(s, V, i), _get(s, W, i)
    b, surface, R = m[BALL, i], rows[j], c64.R
    _, n = gap_and_normal(p, surface)
    after, spin, stays = meet(surface, p, v, w, n, R, inertia, launch[b, RESTITUTION], launch[b, FRICTION])
    if stays:
        m[GROUND, i], m[PHASE, i] = j, SKID
    elif m[GROUND, i] >= 0 and after[2] <= 0.0:  # what it rolls on holds it
        after, m[PHASE, i] = (after[0], after[1], 0.0), SKID
    else:
        m[GROUND, i] = AIR
    note_contact(log, m[USED, 0], b, j, t, p, v, after, w, spin)
    m[USED, 0] += 1
    m[HITS, i] += 1
    if m[HITS, i] > MOST_IMPACTS:
        m[GROUND, i], m[PHASE, i] = j, REST
        after = spin = (0.0, 0.0, 0.0)
    _put(s, V, i, after)
    _put(s, W, i, spin)


@kernel
def _load(family, c64, rows, inertia, launch, log, s, m, clock, i, last):
    """Put the next ball into lane i, if there is one; what it touches and does not leave is a contact at t = 0."""
    b = m[NEXT, 0]
    if b >= last:
        m[GROUND, i] = IDLE
        m[BUSY, 0] -= 1
        return
    m[NEXT, 0] = b + 1
    for k in range(LAUNCH_SIZE):
        s[k * LANES + i] = launch[b, k]
    clock[i], s[SCALE * LANES + i] = 0.0, 1
    m[BALL, i], m[FRAME, i], m[GROUND, i], m[PHASE, i], m[HITS, i] = b, 0, AIR, SKID, 0
    for j in range(len(rows)):
        g, n = gap_and_normal(_get(s, P, i), rows[j])
        if g <= TOUCH and dot(_get(s, V, i), n) <= 0.0:
            _through(c64, rows, inertia, launch, log, j, s, m, i, 0.0)
    _accelerate(family, c64, s, i)


@inlined
def _too_long(c, s, i):
    """Whether the lane's step errs too much and must be tried again at half its length; a very good one lengthens."""
    scale, error = s[SCALE * LANES + i], s[ERROR * LANES + i]
    if error > c.tolerance and scale > c.twentieth * c.twentieth:
        s[SCALE * LANES + i] = c.half * scale
        return True
    if error < c.half * c.twentieth * c.tolerance:
        s[SCALE * LANES + i] = min(c.one, scale + scale)
    return False


@inlined
def _advance(s, i):
    for k in range(9):
        s[(P + k) * LANES + i] = s[(P1 + k) * LANES + i]
    for k in range(3):
        s[(A + k) * LANES + i] = s[(A1 + k) * LANES + i]


@kernel
def fly_lanes(task, first, last):
    """Fly balls first..last of the task to their last frame; how long the log of impacts would have had to be."""
    # what every step touches stands by itself here: each look into the tuple would count references
    lane_sport, launch, times, counts, out, velocity, spin, log = task
    sport, c, boxes = lane_sport
    family, c64, rows, inertia = sport.drag_model, sport.aero, sport.surfaces, sport.inertia
    each, longest = len(times) > 1, times.shape[1] - CHUNK
    s = np.zeros(SCRATCH, out.dtype)
    clock, m = np.zeros(LANES), np.zeros((MARKS, LANES), np.int64)
    m[NEXT, 0], m[BUSY, 0] = first, LANES
    for i in range(LANES):
        s[V * LANES + i] = s[SCALE * LANES + i] = 1  # a lane that stays idle flies along with numbers that do no harm
        _load(family, c64, rows, inertia, launch, log, s, m, clock, i, last)
    while m[BUSY, 0] > 0:
        if family == CONSTANT_DRAG:
            _evolve(plain, c, s)
        elif family == DRAG_CRISIS:
            _evolve(crisis, c, s)
        elif family == SPIN_DRAG:
            _evolve(spinning, c, s)
        else:
            _evolve(smooth, c, s)
        _near(c, s, boxes)
        for i in range(LANES):
            ground = m[GROUND, i]
            if ground == IDLE:
                continue
            if ground == AIR and _too_long(c, s, i):
                continue
            hit, b, t, k = ground, m[BALL, i], clock[i], m[FRAME, i]
            if ground >= 0:
                hit = _roll_on(c64, rows, inertia, launch[b, FRICTION], s, m, i)
            elif s[NEAR * LANES + i] > c.half:
                hit = _resolve(family, c64, rows, s, i)
            finish, row = t + s[H * LANES + i], b if each else 0
            frame = _deliver(c, s, i, t, finish, times, row, k, out, b * longest * 3, counts[b])
            if velocity.size > 0:
                _deliver_motion(s, i, t, times, row, k, frame, b, velocity, spin)
            clock[i], m[FRAME, i] = finish, frame
            _advance(s, i)
            if frame >= counts[b]:  # what comes after the last frame is not told
                _load(family, c64, rows, inertia, launch, log, s, m, clock, i, last)
            elif hit != ground:
                if hit == AIR:  # off the end of what it rolled on
                    m[GROUND, i] = AIR
                else:
                    _through(c64, rows, inertia, launch, log, hit, s, m, i, finish)
                _accelerate(family, c64, s, i)
    return m[USED, 0]
