"""The compiled engine: LANES balls in flight side by side, each with its own clock; a ball that is done gives up its lane.

A round takes every lane one step ahead:
    evolve   one RK4 step of all lanes as vectors; its length depends on the ball alone, never on the frames asked for
    near     which lanes' paths come near a surface: the box around the cubic's control points against each surface
    resolve  of those alone: the exact moment of the contact, and the step again to that moment
    deliver  the frames that fall into the step, by its cubic
    advance  to the end of the step, and through the contact
State is rows of lanes in one flat array, so that the compiler sees that rows do not overlap. All lanes take the same
instructions whatever their neighbours do: a ball's flight is the same to the bit in any batch and on any thread.
"""

import math

import numpy as np

from sim.compiled import exact, kernel, piece
from sim.detect import cubic, end_of_rectangle, first_contact
from sim.flight import CRISIS, PLAIN, acceleration, crisis, plain, rk4, rk4_any, smooth, step_length
from sim.impact import REST, ROLL, SKID, along, dot, gap_and_normal, meet, roll

LANES = 64
CHUNK = 8  # frames delivered at once; times are padded by as many
P, V, W, DRAG, LIFT, WIND_X, WIND_Y, P1, V1, W1, H, NEAR = 0, 3, 6, 9, 10, 11, 12, 13, 16, 19, 22, 23  # rows
ROWS = 24
IDLE, AIR = -2, -1  # in place of the surface that a lane's ball rolls on
MOST_IMPACTS = 5000  # of one ball: one that is wedged and hops without end is laid to rest
FOREVER = 1e9  # s, a rest
LOG = 18  # columns of the log of impacts: ball, surface, time, place, velocity before and after, spin before and after


@piece
def _evolve(law, c, s):
    for i in range(LANES):
        windx, windy = s[WIND_X * LANES + i], s[WIND_Y * LANES + i]
        vx, vy, vz = s[V * LANES + i], s[(V + 1) * LANES + i], s[(V + 2) * LANES + i]
        wx, wy, wz = s[W * LANES + i], s[(W + 1) * LANES + i], s[(W + 2) * LANES + i]
        ux, uy = vx - windx, vy - windy
        h = step_length(c, ux, uy, vz)
        dx, dy, dz, ax, ay, az, q = rk4(law, c, h, s[DRAG * LANES + i], s[LIFT * LANES + i], ux, uy, vz, wx, wy, wz)
        s[H * LANES + i] = h
        s[P1 * LANES + i] = s[P * LANES + i] + (dx + h * windx)
        s[(P1 + 1) * LANES + i] = s[(P + 1) * LANES + i] + (dy + h * windy)
        s[(P1 + 2) * LANES + i] = s[(P + 2) * LANES + i] + dz
        s[V1 * LANES + i], s[(V1 + 1) * LANES + i], s[(V1 + 2) * LANES + i] = vx + ax, vy + ay, vz + az
        s[W1 * LANES + i], s[(W1 + 1) * LANES + i], s[(W1 + 2) * LANES + i] = q * wx, q * wy, q * wz


@piece
def _near(c, s, boxes):
    """Mark lanes whose path's control points come within reach of a surface; boxes (n, 6) are grown by that reach."""
    for i in range(LANES):
        s[NEAR * LANES + i] = c.zero
    for j in range(len(boxes)):
        for i in range(LANES):
            apart = False
            third = c.third * s[H * LANES + i]
            for k in range(3):
                a, d = s[(P + k) * LANES + i], s[(P1 + k) * LANES + i]
                b = a + third * s[(V + k) * LANES + i]
                e = d - third * s[(V1 + k) * LANES + i]
                apart |= max(max(a, b), max(d, e)) < boxes[j, k]
                apart |= min(min(a, b), min(d, e)) > boxes[j, 3 + k]
            s[NEAR * LANES + i] = s[NEAR * LANES + i] if apart else c.one


@exact
def _get(s, row, i):
    return float(s[row * LANES + i]), float(s[(row + 1) * LANES + i]), float(s[(row + 2) * LANES + i])


@exact
def _put(s, row, i, a):
    s[row * LANES + i], s[(row + 1) * LANES + i], s[(row + 2) * LANES + i] = a


@exact
def _resolve(family, c64, rows, s, i):
    """Shorten the lane's step to its first contact: the surface hit, or -1."""
    p, v, w = _get(s, P, i), _get(s, V, i), _get(s, W, i)
    h = float(s[H * LANES + i])
    c2, c3 = cubic(p, v, _get(s, P1, i), _get(s, V1, i), h)
    tau, hit = first_contact(rows, -1, p, v, c2, c3, h)
    if tau >= h:
        return -1
    wx, wy = float(s[WIND_X * LANES + i]), float(s[WIND_Y * LANES + i])
    drag, lift = float(s[DRAG * LANES + i]), float(s[LIFT * LANES + i])
    ux, uy = v[0] - wx, v[1] - wy
    dx, dy, dz, ax, ay, az, q = rk4_any(family, c64, tau, drag, lift, ux, uy, v[2], w[0], w[1], w[2])
    p1, v1 = (p[0] + dx + tau * wx, p[1] + dy + tau * wy, p[2] + dz), (v[0] + ax, v[1] + ay, v[2] + az)
    if hit >= 0:  # the cubic is a little off the step: one Newton step to the surface
        g, n = gap_and_normal(p1, rows[hit])
        rate = dot(v1, n)
        if rate < 0.0:
            a = acceleration(family, c64, drag, lift, v1[0] - wx, v1[1] - wy, v1[2], w[0] * q, w[1] * q, w[2] * q)
            more = max(min(max(-g / rate, -1e-4), 1e-4), -tau)
            p1, v1, tau = along(along(p1, more, v1), 0.5 * more * more, a), along(v1, more, a), tau + more
        else:  # it grazes by less than the cubic can tell
            hit = -1
    s[H * LANES + i] = tau
    _put(s, P1, i, p1)
    _put(s, V1, i, v1)
    _put(s, W1, i, along((0.0, 0.0, 0.0), q, w))
    return hit


@exact
def _roll_on(c64, rows, inertia, mu_factor, s, i, ground, phases):
    """A step of a lane whose ball is on a surface: to the end of its phase, a contact, or the rectangle's end (AIR)."""
    p, v, w = _get(s, P, i), _get(s, V, i), _get(s, W, i)
    a, dw, lasts = roll(rows[ground], v, w, c64.R, inertia, c64.gravity, mu_factor, phases[i])
    upright = -w[2] / dw[2] if dw[2] != 0.0 else FOREVER
    h = min(min(lasts, upright), FOREVER)
    hit = ground
    if phases[i] != REST and h > 0.0:
        c2 = (0.5 * a[0], 0.5 * a[1], 0.5 * a[2])
        end = end_of_rectangle(rows[ground], p, v, a, h)
        h, other = first_contact(rows, ground, p, v, c2, (0.0, 0.0, 0.0), end)
        hit = other if other >= 0 else AIR if h == end and end < min(lasts, upright) else ground
    p1, v1, w1 = along(along(p, h, v), 0.5 * h * h, a), along(v, h, a), along(w, h, dw)
    if h >= upright:
        w1 = (w1[0], w1[1], 0.0)
    if hit == ground and h >= lasts:
        phases[i] += 1
        v1 = v1 if phases[i] == ROLL else (0.0, 0.0, 0.0)
        w1 = (-v1[1] / c64.R, v1[0] / c64.R, w1[2])
    s[H * LANES + i] = h
    _put(s, P1, i, p1)
    _put(s, V1, i, v1)
    _put(s, W1, i, w1)
    return hit


@piece
def _deliver(c, s, i, t, finish, times, k, out, base, count, theta, xyz):
    """Write the positions at times[k:] before `finish`; the number of the first frame that is left."""
    h = s[H * LANES + i]
    x0, y0, z0 = s[P * LANES + i], s[(P + 1) * LANES + i], s[(P + 2) * LANES + i]
    dx, dy, dz = s[P1 * LANES + i] - x0, s[(P1 + 1) * LANES + i] - y0, s[(P1 + 2) * LANES + i] - z0
    ax, ay, az = h * s[V * LANES + i], h * s[(V + 1) * LANES + i], h * s[(V + 2) * LANES + i]
    bx, by, bz = h * s[V1 * LANES + i], h * s[(V1 + 1) * LANES + i], h * s[(V1 + 2) * LANES + i]
    bx, by, bz = bx + ax - dx - dx, by + ay - dy - dy, bz + az - dz - dz
    ex, ey, ez = dx - ax - bx, dy - ay - by, dz - az - bz
    inverse = c.one / (h + c.tiny)
    while k < count and times[k] < finish:
        for j in range(CHUNK):
            theta[j] = times[k + j] - t
        for j in range(CHUNK):
            f = theta[j] * inverse
            xyz[3 * j] = x0 + f * (ax + f * (ex + f * bx))
            xyz[3 * j + 1] = y0 + f * (ay + f * (ey + f * by))
            xyz[3 * j + 2] = z0 + f * (az + f * (ez + f * bz))
        inside = 0
        for j in range(CHUNK):
            inside += times[k + j] < finish
        if k + CHUNK <= count:  # frames beyond the step are written again by the next
            for m in range(3 * CHUNK):
                out[base + 3 * k + m] = xyz[m]
        else:
            for m in range(3 * min(inside, count - k)):
                out[base + 3 * k + m] = xyz[m]
        k += min(inside, count - k)
    return k


@exact
def _deliver_motion(family, c64, s, i, t, times, begin, end, b, flies, velocity, spin):
    """Velocity and spin of frames begin..end: the cubic through velocities and accelerations, the line through spins."""
    h = float(s[H * LANES + i])
    v, v1, w, w1 = _get(s, V, i), _get(s, V1, i), _get(s, W, i), _get(s, W1, i)
    wx, wy = float(s[WIND_X * LANES + i]), float(s[WIND_Y * LANES + i])
    drag, lift = float(s[DRAG * LANES + i]), float(s[LIFT * LANES + i])
    c2 = c3 = (0.0, 0.0, 0.0)
    a = (0.0, 0.0, 0.0)
    if flies and h > 0.0:
        a = acceleration(family, c64, drag, lift, v[0] - wx, v[1] - wy, v[2], w[0], w[1], w[2])
        a1 = acceleration(family, c64, drag, lift, v1[0] - wx, v1[1] - wy, v1[2], w1[0], w1[1], w1[2])
        c2, c3 = cubic(v, a, v1, a1, h)
    elif h > 0.0:
        a = ((v1[0] - v[0]) / h, (v1[1] - v[1]) / h, 0.0)
    for k in range(begin, end):
        x = times[k] - t
        f = x / h if h > 0.0 else 0.0
        now = along(along(along(v, x, a), x * x, c2), x * x * x, c3)
        for m in range(3):
            velocity[b, k, m] = now[m]
            spin[b, k, m] = w[m] + f * (w1[m] - w[m])


@exact
def _through(rows, j, R, inertia, factors, s, i, t, b, ground, phases, log, used):
    """Take the lane's ball, at the end of its step, through contact with surface j; note the impact."""
    p, v, w = _get(s, P, i), _get(s, V, i), _get(s, W, i)
    _, n = gap_and_normal(p, rows[j])
    after, spin, stays = meet(rows[j], v, w, n, R, inertia, factors[0], factors[1])
    if stays:
        ground[i], phases[i] = j, SKID
    elif ground[i] >= 0 and after[2] <= 0.0:  # what it rolls on holds it
        after, phases[i] = (after[0], after[1], 0.0), SKID
    else:
        ground[i] = AIR
    if used < len(log):
        row = log[used]
        row[0], row[1], row[2] = b, j, t
        for m in range(3):
            row[3 + m], row[6 + m], row[9 + m], row[12 + m], row[15 + m] = p[m], v[m], after[m], w[m], spin[m]
    _put(s, V, i, after)
    _put(s, W, i, spin)


@exact
def _load(rows, R, inertia, launch, b, s, i, clock, ball, frame, ground, phases, hits, log, used):
    """Put ball b into lane i; what it touches and does not leave at launch is a contact at t = 0. The log's new length."""
    for m in range(13):
        s[m * LANES + i] = launch[b, m]
    clock[i], ball[i], frame[i], ground[i], phases[i], hits[i] = 0.0, b, 0, AIR, SKID, 0
    for j in range(len(rows)):
        g, n = gap_and_normal(_get(s, P, i), rows[j])
        if g <= 1e-12 and dot(_get(s, V, i), n) <= 0.0:
            _through(rows, j, R, inertia, launch[b, 13:], s, i, 0.0, b, ground, phases, log, used)
            used += 1
    return used


@kernel
def run(family, c, c64, rows, boxes, inertia, launch, times, counts, first, last, out, velocity, spin, log):
    """Fly balls first..last of `launch` (B, 15: state, drag, lift, wind, restitution, friction) to their last frame.

    times (1 or B, T + CHUNK) s, of which a ball's first counts[b] are asked for, inf after the last; out flat (B T 3) of c's precision; velocity and spin (B, T, 3) or empty.
    Fills the log of impacts and returns how long it would have had to be.
    """
    longest = times.shape[1] - CHUNK
    s = np.zeros(ROWS * LANES, out.dtype)
    theta, xyz = np.zeros(CHUNK, out.dtype), np.zeros(3 * CHUNK, out.dtype)
    clock, ball, frame = np.zeros(LANES), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    ground, phases, hits = np.full(LANES, IDLE), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    used, following, busy = 0, first, 0
    for i in range(LANES):
        s[V * LANES + i] = 1
        if following < last:
            used = _load(rows, c64.R, inertia, launch, following, s, i, clock, ball, frame, ground, phases, hits, log,
                         used)  # fmt: skip
            following, busy = following + 1, busy + 1
    while busy > 0:
        if family == PLAIN:
            _evolve(plain, c, s)
        elif family == CRISIS:
            _evolve(crisis, c, s)
        else:
            _evolve(smooth, c, s)
        _near(c, s, boxes)
        for i in range(LANES):
            if ground[i] == IDLE:
                continue
            hit, b, t, k = -1, ball[i], clock[i], frame[i]
            count = counts[b]
            flies = ground[i] == AIR
            if not flies:
                hit = _roll_on(c64, rows, inertia, launch[b, 14], s, i, ground[i], phases)
            elif s[NEAR * LANES + i] > c.half:
                hit = _resolve(family, c64, rows, s, i)
            finish = t + s[H * LANES + i]
            when = times[b if len(times) > 1 else 0]
            frame[i] = _deliver(c, s, i, t, finish, when, k, out, b * longest * 3, count, theta, xyz)
            if velocity.size > 0:
                _deliver_motion(family, c64, s, i, t, when, k, frame[i], b, flies, velocity, spin)
            clock[i] = finish
            for m in range(9):
                s[(P + m) * LANES + i] = s[(P1 + m) * LANES + i]
            if frame[i] >= count:
                hit = -1  # what comes after the last frame is not told
            if not flies and hit == AIR:
                ground[i] = AIR
            elif hit >= 0 and (flies or hit != ground[i]):
                _through(rows, hit, c64.R, inertia, launch[b, 13:], s, i, finish, b, ground, phases, log, used)
                used, hits[i] = used + 1, hits[i] + 1
                if hits[i] > MOST_IMPACTS:
                    ground[i], phases[i] = hit, REST
                    _put(s, V, i, (0.0, 0.0, 0.0))
                    _put(s, W, i, (0.0, 0.0, 0.0))
            if frame[i] >= count:
                if following < last:
                    used = _load(rows, c64.R, inertia, launch, following, s, i, clock, ball, frame, ground, phases, hits,
                                 log, used)  # fmt: skip
                    following += 1
                else:
                    ground[i], busy = IDLE, busy - 1
    return used
