"""The same flight with its Jacobian: how positions change with the state at launch and with the ball's parameters.

    flight, jacobian = simulate_with_jacobian(sport, position, velocity, spin, times)   # (B, T, 3, 15)

One ball at a time, its columns side by side (columns.py). They are the exact derivative of the Runge-Kutta steps, and
at a contact they follow the change of its moment, through every surface, edges and rings too. A jump from hit to miss
has no derivative: near it the columns speak for the side the ball is on.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.sim import engine
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels import tangent as columns
from ballcast.sim.kernels.aerodynamics import acceleration, rk5_any, step_length
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.kernels.contact import REST, ROLL, SKID, along, dot, gap_and_normal, meet, note_contact, roll
from ballcast.sim.kernels.detection import TOUCH, first_contact, quintic
from ballcast.sim.kernels.layout import CONTACT_DTYPE, DRAG, FRICTION, LAUNCH_SIZE, LIFT, RESTITUTION, WIND_X, WIND_Y
from ballcast.sim.kernels.step import AIR, FOREVER, roll_on, step_to
from ballcast.sim.kernels.tangent import C

MOST_IMPACTS = 200  # of one ball: one that is wedged, as only a guess can be, is laid to rest
STILL = 1e-9  # m/s, of the contact point
PAST, TINY = 1.0 + 1e-12, 1e-12  # the last step ends a hair after the last frame
LEAST_SHARE = 32  # balls, below which a second thread costs more than it gains


def simulate_with_jacobian(sport, position, velocity, spin, times, parameters=None, out=None):
    """The Flight, as `simulate` has it, and the Jacobian (B, T, 3, 15) of its positions, float64.

    Columns: position (m/m), velocity (m per m/s) and spin (m per rad/s) at launch, then sim.PARAMETERS. With `out` of
    that shape the Jacobian is written there and the flight is None: the fast way. ValueError says what does not fit.
    """
    flight = None if out is not None else engine.simulate(sport, position, velocity, spin, times, parameters)
    launch = engine.pack_launches(position, velocity, spin, parameters)
    times = engine.check_times(times, len(launch))
    shape = (len(launch), times.shape[1], 3, LAUNCH_SIZE)
    if out is None:
        out = np.empty(shape)
    if out.shape != shape or out.dtype != np.float64 or not out.flags.c_contiguous:
        raise ValueError(f"out must be a contiguous float64 array of shape {shape}, not {out.dtype} {out.shape}")
    compiled = compile_sport(sport)

    def share(first, last):
        own = times if len(times) == 1 else times[first:last]
        _batch(compiled, launch[first:last], own, out[first:last])

    engine.run_in_threads(share, len(launch), LEAST_SHARE)
    return flight, out


@kernel
def _batch(sport, launch, times, out):
    s, count = np.zeros(columns.ROWS * C), times.shape[1]
    path, jacobian, met = np.empty((count, 6)), np.empty((count, 3, C)), np.empty(0, CONTACT_DTYPE)
    for b in range(len(launch)):
        columns.unit(s)
        fly_ball(sport, launch[b], times[b if len(times) > 1 else 0], s, path, jacobian, met)
        for k in range(count):
            for i in range(3):
                for j in range(LAUNCH_SIZE):
                    out[b, k, i, j] = jacobian[k, i, j]


class FlightEnd(NamedTuple):
    """One ball's state at the last time asked for, and what it met until then."""

    position: tuple  # m
    velocity: tuple  # m/s
    spin: tuple  # rad/s
    contact_count: int
    first_contact_time: float  # s; inf without a contact
    last_contact_time: float  # s; -inf without a contact


@kernel
def fly_ball(sport, launch, times, s, path, jacobian, contacts):
    """Fly one ball of a CompiledSport to times[-1]: its FlightEnd.

    launch (LAUNCH_SIZE,): see layout.py. trajectory (T, 6) gets position and velocity at times (T,). tangent: columns
    of the launch (tangent.py), afterwards those of the state at times[-1], and jacobian (T, 3, C) gets those of the
    position; where tangent is empty, neither is computed. contacts (n,) CONTACT_DTYPE gets the first contacts.
    """
    family, c, rows, boxes, inertia = sport.drag_model, sport.aero, sport.surfaces, sport.boxes, sport.inertia
    air = launch[DRAG], launch[LIFT], launch[WIND_X], launch[WIND_Y], launch[RESTITUTION], launch[FRICTION]
    p, v, w = (launch[0], launch[1], launch[2]), (launch[3], launch[4], launch[5]), (launch[6], launch[7], launch[8])
    ground, phase, scale, t, k, end = AIR, SKID, 1.0, 0.0, 0, times[-1]
    first, last, moving, count = math.inf, -math.inf, len(s) > 0, 0
    for j in range(len(rows)):
        g, n = gap_and_normal(p, rows[j])
        if g <= TOUCH and dot(v, n) <= 0.0:
            v, w, ground, phase = _through(family, c, rows, inertia, air, j, ground, phase, p, v, w, s)
    while True:
        hit, then = AIR, phase
        if ground >= 0:
            hit, h, then, p1, v1, w1, a = roll_on(c, rows, inertia, air[5], ground, phase, p, v, w, FOREVER)
            if moving:
                columns.roll(rows[ground], c, inertia, air[5], phase, then, h, v, w, s)
            a1 = a
        else:
            a = acceleration(family, c, air[0], air[1], v[0] - air[2], v[1] - air[3], v[2], w[0], w[1], w[2])
            h = min(scale * step_length(c, v[0] - air[2], v[1] - air[3], v[2]), (end - t) * PAST + TINY)
            error, p1, v1, w1, a1 = _step(family, c, h, air, p, v, w, a)
            if error > c.tolerance and scale > 0.0025:
                scale *= 0.5
                continue
            scale = min(1.0, 2.0 * scale) if error < 0.025 * c.tolerance else scale
            hit, h, p1, v1, w1, a1 = _contact(family, c, rows, boxes, h, p, v, w, a, p1, v1, w1, a1, air)
            if moving:
                columns.step(family, c, h, air, v, w, s)
        while k < len(times) and times[k] <= t + h:
            f = (times[k] - t) / h if h > 0.0 else 0.0
            at, fast = _at(f, h, p, v, a, p1, v1, a1)
            for i in range(3):
                path[k, i], path[k, 3 + i] = at[i], fast[i]
            if moving:
                columns.place(f, h, s, jacobian[k])
            k += 1
        if not t + h < end:  # a NaN ends too
            f = (end - t) / h
            at, fast = _at(f, h, p, v, a, p1, v1, a1)
            if moving:
                columns.stop(f, h, s)
            return FlightEnd(at, fast, along(along((0.0, 0.0, 0.0), 1.0 - f, w), f, w1), count, first, last)
        if moving:
            if ground >= 0:
                columns.settle(s)
            columns.go_on(s)
        t, p, v, w, phase = t + h, p1, v1, w1, then
        if hit >= 0 and hit != ground:
            first, last = min(first, t), t
            v1, w1, ground, phase = _through(family, c, rows, inertia, air, hit, ground, phase, p, v, w, s)
            note_contact(contacts, count, 0, hit, t, p, v, v1, w, w1)
            v, w, count = v1, w1, count + 1
            if count > MOST_IMPACTS:
                v = w = (0.0, 0.0, 0.0)
                ground, phase = hit, REST
                s[columns.V * C : (columns.W + 3) * C] = 0.0
        elif hit == AIR:
            ground = AIR


@inlined
def _step(family, c, h, air, p, v, w, a):
    """(error, place, velocity, spin, acceleration) after a step of length h in the air."""
    ux, uy = v[0] - air[2], v[1] - air[3]
    dx, dy, dz, bx, by, bz, q, ax, ay, az, error = rk5_any(
        family, c, h, air[0], air[1], a[0], a[1], a[2], ux, uy, v[2], w[0], w[1], w[2]
    )
    p1, v1 = (p[0] + dx + h * air[2], p[1] + dy + h * air[3], p[2] + dz), (v[0] + bx, v[1] + by, v[2] + bz)
    return error, p1, v1, (q * w[0], q * w[1], q * w[2]), (ax, ay, az)


@inlined
def _contact(family, c, rows, boxes, h, p, v, w, a, p1, v1, w1, a1, air):
    """The step cut short at its first contact, if there is one: (hit or AIR, its length, the state then)."""
    low, high = _hull(h, p, v, a, p1, v1, a1)
    near = False
    for j in range(len(boxes)):
        box = boxes[j]
        apart = (low[0] > box[3]) | (low[1] > box[4]) | (low[2] > box[5])
        apart |= (high[0] < box[0]) | (high[1] < box[1]) | (high[2] < box[2])
        near |= not apart
    if not near:
        return AIR, h, p1, v1, w1, a1
    tau, hit = first_contact(rows, AIR, low, high, p, v, quintic(p, v, a, p1, v1, a1, h), h)
    if tau >= h:
        return AIR, h, p1, v1, w1, a1
    return step_to(family, c, rows, hit, tau, p, v, w, a, air[:4])


@inlined
def _hull(h, p, v, a, p1, v1, a1):
    """A box around the step's path: around the control points of its quintic."""
    k, kk = 0.2 * h, 0.05 * h * h
    low, high = _least(p, p1), _most(p, p1)
    for q in (
        along(p, k, v),
        along(along(p, 2.0 * k, v), kk, a),
        along(p1, -k, v1),
        along(along(p1, -2.0 * k, v1), kk, a1),
    ):
        low, high = _least(low, q), _most(high, q)
    return low, high


@inlined
def _least(a, b):
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])


@inlined
def _most(a, b):
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])


@kernel
def _through(family, c, rows, inertia, air, j, ground, phase, p, v, w, s):
    """(velocity, spin, ground, phase) after contact with surface j; the columns go along."""
    a, rate = _rates(family, c, rows, inertia, air, ground, phase, v, w)
    _, n = gap_and_normal(p, rows[j])
    after, spin, stays = meet(rows[j], p, v, w, n, c.R, inertia, air[4], air[5])
    if stays:
        ground, phase = j, SKID
    elif ground >= 0 and after[2] <= 0.0:  # what it rolls on holds it
        after, phase = (after[0], after[1], 0.0), SKID
    else:
        ground = AIR
    a1, rate1 = _rates(family, c, rows, inertia, air, ground, phase, after, spin)
    before, then = (v, w, a, rate), (after, spin, a1, rate1)
    if len(s):
        columns.contact(rows[j], p, n, before, then, stays, c.R, inertia, air[4], air[5], s)
    return after, spin, ground, phase


@kernel
def _rates(family, c, rows, inertia, air, ground, phase, v, w):
    """Acceleration and rate of change of spin, in the air or on a surface."""
    if ground >= 0:
        if phase == SKID and abs(v[0] - c.R * w[1]) + abs(v[1] + c.R * w[0]) < STILL:
            phase = ROLL  # it gripped: what is left of its slip is rounding, and has no direction
        a, rate, _ = roll(rows[ground], v, w, c.R, inertia, c.gravity, air[5], phase)
        return a, rate
    u = v[0] - air[2], v[1] - air[3], v[2]
    decay = -c.decay * math.sqrt(dot(u, u))
    a = acceleration(family, c, air[0], air[1], u[0], u[1], u[2], w[0], w[1], w[2])
    return a, (decay * w[0], decay * w[1], decay * w[2])


@inlined
def _at(f, h, p, v, a, p1, v1, a1):
    """Place and velocity at the share f of a step."""
    W, D = columns.path(f, h), columns.path_slope(f, h)
    at = along(along(along((0.0, 0.0, 0.0), W[0], p), W[1], v), W[2], a)
    fast = along(along(along((0.0, 0.0, 0.0), D[0], along(p1, -1.0, p)), D[1], v), D[2], a)
    return along(along(along(at, W[3], p1), W[4], v1), W[5], a1), along(along(fast, D[3], v1), D[4], a1)
