"""Free flight of a filter's components as lanes: one step of their means and of their covariances. Compiled.

Midpoint rule in short steps; the Jacobian of the acceleration at the midpoint propagates the covariance.
"""

import math

from ballcast.models.estimation.mixture import DELTA, MEAN, NEAR, ROW
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.jit import inlined
from ballcast.sim.kernels.aerodynamics import (
    CONSTANT_DRAG,
    LIFT_CRISIS,
    AeroDerivatives,
    constant_drag_derivatives,
    general_drag_derivatives,
    lift_crisis_derivatives,
)
from ballcast.sim.kernels.dormand_prince import step_length
from ballcast.sim.kernels.lane_numbers import lane_max, load, same_in_all, store, where
from ballcast.sim.kernels.layout import DRAG, LIFT, WIND_X, WIND_Y
from ballcast.sim.kernels.vectors import add_scaled, cross, dot

STEPS_PER_LENGTH = 0.6  # steps in the length of step that the integrator takes: twice as many change no forecast
MAX_STEPS = 64
MARGIN = 2e-4  # m, added to the reach of surfaces: float32 rounds
TINY = 1e-18


@inlined
def predict_mean(sport, s, origin, dt):
    """Move the means of all components by dt s through the air: (number of steps, whether one comes near a surface).

    Row NEAR gets 1 for components that come near a surface, 0 for the others.
    """
    count = step_count(sport, s, dt)
    h, near = dt / count, same_in_all(0.0)
    for _ in range(count):
        p, a = _move_means(sport, s, h)
        bend = 0.125 * h * h
        q = load(s, 0), load(s, 1), load(s, 2)
        near = max(near, _near(sport.boxes, origin, p, q, (bend * abs(a[0]), bend * abs(a[1]), bend * abs(a[2]))))
    store(s, NEAR, near)
    return count, lane_max(near) > 0.5


@inlined
def step_count(sport, s, dt):
    """How many steps dt s take, so that all components turn and slow but a little in each."""
    u = load(s, 3) - load(s, WIND_X), load(s, 4) - load(s, WIND_Y), load(s, 5)
    return int(min(max(math.ceil(lane_max(STEPS_PER_LENGTH * abs(dt) / step_length(sport.aero, u))), 1.0), MAX_STEPS))


@inlined
def _near(boxes, origin, p, q, bend):
    """1 where the path from p to q, which bends by so much, comes within reach of a surface, else 0."""
    near = same_in_all(0.0)
    low = min(p[0], q[0]) - bend[0], min(p[1], q[1]) - bend[1], min(p[2], q[2]) - bend[2]
    high = max(p[0], q[0]) + bend[0], max(p[1], q[1]) + bend[1], max(p[2], q[2]) + bend[2]
    for j in range(len(boxes)):
        box = boxes[j]
        x = (low[0] < box[3] - origin[0] + MARGIN) & (high[0] > box[0] - origin[0] - MARGIN)
        y = (low[1] < box[4] - origin[1] + MARGIN) & (high[1] > box[1] - origin[1] - MARGIN)
        z = (low[2] < box[5] - origin[2] + MARGIN) & (high[2] > box[2] - origin[2] - MARGIN)
        near = where(x & y & z, 1.0, near)
    return near


@inlined
def _motion(s):
    """(position, velocity, spin, velocity through the air, factors of drag and lift, wind) of all components."""
    v, wind = (load(s, 3), load(s, 4), load(s, 5)), (load(s, WIND_X), load(s, WIND_Y))
    u = v[0] - wind[0], v[1] - wind[1], v[2]
    factors = math.exp(load(s, DRAG)), math.exp(load(s, LIFT))
    return (load(s, 0), load(s, 1), load(s, 2)), v, (load(s, 6), load(s, 7), load(s, 8)), u, factors, wind


@inlined
def _derivatives(sport, u, w):
    """(|u|, w x u, |w x u|, |w|, AeroDerivatives)"""
    c, speed = cross(w, u), math.sqrt(dot(u, u) + TINY)
    m, spin = math.sqrt(dot(c, c) + TINY), math.sqrt(dot(w, w) + TINY)
    if sport.drag_model == CONSTANT_DRAG:
        d = _as_lanes(constant_drag_derivatives(sport.aero, speed, m))
    elif sport.drag_model == LIFT_CRISIS:
        d = _as_lanes(lift_crisis_derivatives(sport.aero, speed, m))
    else:
        d = _as_lanes(general_drag_derivatives(sport.aero, speed, m, spin))
    return speed, c, m, spin, d


@inlined
def _as_lanes(d):
    """The AeroDerivatives with lanes in every field, so that all laws give one type."""
    return AeroDerivatives(
        same_in_all(d.drag), same_in_all(d.drag_speed), same_in_all(d.drag_cross), same_in_all(d.drag_spin),
        same_in_all(d.lift), same_in_all(d.lift_speed), same_in_all(d.lift_cross),
    )  # fmt: skip


@inlined
def _acceleration(sport, factors, u, w):
    """(acceleration, what _derivatives returns) at velocity u through the air and spin w."""
    speed, c, m, spin, d = parts = _derivatives(sport, u, w)
    D, L = factors[0] * d.drag, factors[1] * d.lift
    return (D * u[0] + L * c[0], D * u[1] + L * c[1], D * u[2] + L * c[2] - sport.aero.gravity), parts


@inlined
def _middle(sport, h, u, w, a):
    """((velocity through the air, spin) in the middle of a step, factor of the spin at its end)."""
    middle = add_scaled(u, 0.5 * h, a)
    decay = sport.aero.spin_decay * math.sqrt(dot(middle, middle))
    half, f = math.exp(-0.5 * h * decay), math.exp(-h * decay)
    return (middle, (half * w[0], half * w[1], half * w[2])), f


@inlined
def propagate(sport, s, scratch, dt, count):
    """Move means and covariances by dt s through the air, in `count` steps. Backwards too.

    Row DELTA and those after it, deviations from the mean, go along as the covariance does, where there are such rows.
    """
    h = dt / count
    for _ in range(count):
        p, v, w, u, factors, _ = _motion(s)
        a, _ = _acceleration(sport, factors, u, w)
        middle, f = _middle(sport, h, u, w, a)
        m, parts = _acceleration(sport, factors, *middle)
        A = _jacobian(factors, *middle, parts)
        _propagate_covariance(s, scratch, A, f, h)
        if len(s) > DELTA:
            _propagate_deviation(s, A, f, h)
        _move(s, p, v, w, a, m, f, h)


@inlined
def move_back(sport, s, dt, count):
    """Move the means alone by dt s (negative: back) through the air."""
    h = dt / count
    for _ in range(count):
        _move_means(sport, s, h)


@inlined
def _move_means(sport, s, h):
    """Move the means by one step of h s: (position, acceleration) at its start."""
    p, v, w, u, factors, _ = _motion(s)
    a, _ = _acceleration(sport, factors, u, w)
    middle, f = _middle(sport, h, u, w, a)
    m, _ = _acceleration(sport, factors, *middle)
    _move(s, p, v, w, a, m, f, h)
    return p, a


@inlined
def _move(s, p, v, w, a, m, f, h):
    """The means at the end of a step: a, m are the accelerations at its start and in its middle."""
    for k in range(3):
        store(s, MEAN + k, p[k] + h * (v[k] + h * (a[k] + 2.0 * m[k]) / 6.0))
        store(s, MEAN + 3 + k, v[k] + h * m[k])
        store(s, MEAN + 6 + k, f * w[k])


@inlined
def add_process_noise(s, process_noise, dt):
    """Widen the covariances by what the unknowns may have changed in dt s.

    The noise of HEIGHT is that of a tilted frame of reference. The ball's height gains it with the opposite sign, so
    that their sum, which is measured, is as well known as before.
    """
    for k in range(UNKNOWNS):
        store(s, ROW[k, k], load(s, ROW[k, k]) + process_noise[k] * dt)
    store(s, ROW[2, 2], load(s, ROW[2, 2]) + process_noise[HEIGHT] * dt)
    store(s, ROW[HEIGHT, 2], load(s, ROW[HEIGHT, 2]) - process_noise[HEIGHT] * dt)


@inlined
def _propagate_deviation(s, A, f, h):
    """Deviations from the mean at the end of a step."""
    p, v = (
        (load(s, DELTA), load(s, DELTA + 1), load(s, DELTA + 2)),
        (load(s, DELTA + 3), load(s, DELTA + 4), load(s, DELTA + 5)),
    )
    w = load(s, DELTA + 6), load(s, DELTA + 7), load(s, DELTA + 8)
    motion = v[0] - load(s, DELTA + WIND_X), v[1] - load(s, DELTA + WIND_Y), v[2], w[0], w[1], w[2]
    rest = load(s, DELTA + DRAG), load(s, DELTA + LIFT)
    g = _rate(A[0], *motion, *rest), _rate(A[1], *motion, *rest), _rate(A[2], *motion, *rest)
    for k in range(3):
        store(s, DELTA + k, p[k] + h * v[k] + 0.5 * h * h * g[k])
        store(s, DELTA + 3 + k, v[k] + h * g[k])
        store(s, DELTA + 6 + k, f * w[k])


@inlined
def mean_acceleration(sport, s):
    """The accelerations of the components' means, m/s2."""
    _, _, w, u, factors, _ = _motion(s)
    a, _ = _acceleration(sport, factors, u, w)
    return a


@inlined
def _jacobian(factors, u, w, parts):
    """Rows of the derivative of the acceleration by velocity, spin, and the logarithms of drag and lift."""
    speed, c, m, spin, d = parts
    D, L = factors[0] * d.drag, factors[1] * d.lift
    k, i = 1.0 / speed, 1.0 / m
    D_v, D_m, D_w = factors[0] * d.drag_speed * k, factors[0] * d.drag_cross * i, factors[0] * d.drag_spin / spin
    L_v, L_m = factors[1] * d.lift_speed * k, factors[1] * d.lift_cross * i
    cw, uc = cross(c, w), cross(u, c)
    a = D_v * u[0] + D_m * cw[0], D_v * u[1] + D_m * cw[1], D_v * u[2] + D_m * cw[2]  # derivatives of D by u
    b = L_v * u[0] + L_m * cw[0], L_v * u[1] + L_m * cw[1], L_v * u[2] + L_m * cw[2]  # of L by u
    e = D_m * uc[0] + D_w * w[0], D_m * uc[1] + D_w * w[1], D_m * uc[2] + D_w * w[2]  # of D by w
    g = L_m * uc[0], L_m * uc[1], L_m * uc[2]  # of L by w
    x = (D + u[0] * a[0] + c[0] * b[0], u[0] * a[1] + c[0] * b[1] - L * w[2], u[0] * a[2] + c[0] * b[2] + L * w[1],
         u[0] * e[0] + c[0] * g[0], u[0] * e[1] + c[0] * g[1] + L * u[2], u[0] * e[2] + c[0] * g[2] - L * u[1],
         D * u[0], L * c[0])  # fmt: skip
    y = (u[1] * a[0] + c[1] * b[0] + L * w[2], D + u[1] * a[1] + c[1] * b[1], u[1] * a[2] + c[1] * b[2] - L * w[0],
         u[1] * e[0] + c[1] * g[0] - L * u[2], u[1] * e[1] + c[1] * g[1], u[1] * e[2] + c[1] * g[2] + L * u[0],
         D * u[1], L * c[1])  # fmt: skip
    z = (u[2] * a[0] + c[2] * b[0] - L * w[1], u[2] * a[1] + c[2] * b[1] + L * w[0], D + u[2] * a[2] + c[2] * b[2],
         u[2] * e[0] + c[2] * g[0] + L * u[1], u[2] * e[1] + c[2] * g[1] - L * u[0], u[2] * e[2] + c[2] * g[2],
         D * u[2], L * c[2])  # fmt: skip
    return x, y, z


@inlined
def _rate(A, vx, vy, vz, wx, wy, wz, drag, lift):
    return (A[0] * vx + A[1] * vy + A[2] * vz) + (A[3] * wx + A[4] * wy + A[5] * wz) + (A[6] * drag + A[7] * lift)


@inlined
def _propagate_covariance(s, scratch, A, f, h):
    """P <- F P F^T of a step: position and velocity by the acceleration's derivatives A, spin by the factor f."""
    half = 0.5 * h * h
    for j in range(UNKNOWNS):  # scratch = the first nine rows of F P
        vx, vy, vz = load(s, ROW[3, j]), load(s, ROW[4, j]), load(s, ROW[5, j])
        wx, wy, wz = load(s, ROW[6, j]), load(s, ROW[7, j]), load(s, ROW[8, j])
        motion = vx - load(s, ROW[WIND_X, j]), vy - load(s, ROW[WIND_Y, j]), vz, wx, wy, wz
        rest = load(s, ROW[DRAG, j]), load(s, ROW[LIFT, j])
        gx, gy, gz = _rate(A[0], *motion, *rest), _rate(A[1], *motion, *rest), _rate(A[2], *motion, *rest)
        px, py, pz = load(s, ROW[0, j]), load(s, ROW[1, j]), load(s, ROW[2, j])
        row = px + h * vx + half * gx, py + h * vy + half * gy, pz + h * vz + half * gz
        more = vx + h * gx, vy + h * gy, vz + h * gz
        for k in range(3):
            store(scratch, k * UNKNOWNS + j, row[k])
            store(scratch, (3 + k) * UNKNOWNS + j, more[k])
        store(scratch, 6 * UNKNOWNS + j, f * wx)
        store(scratch, 7 * UNKNOWNS + j, f * wy)
        store(scratch, 8 * UNKNOWNS + j, f * wz)
    for j in range(9, UNKNOWNS):
        for k in range(9):
            store(s, ROW[j, k], load(scratch, k * UNKNOWNS + j))
    for k in range(9):
        b = k * UNKNOWNS
        vx, vy, vz = load(scratch, b + 3), load(scratch, b + 4), load(scratch, b + 5)
        wx, wy, wz = load(scratch, b + 6), load(scratch, b + 7), load(scratch, b + 8)
        motion = vx - load(scratch, b + WIND_X), vy - load(scratch, b + WIND_Y), vz, wx, wy, wz
        rest = load(scratch, b + DRAG), load(scratch, b + LIFT)
        gx, gy, gz = _rate(A[0], *motion, *rest), _rate(A[1], *motion, *rest), _rate(A[2], *motion, *rest)
        store(s, ROW[k, 0], load(scratch, b) + h * vx + half * gx)
        store(s, ROW[k, 1], load(scratch, b + 1) + h * vy + half * gy)
        store(s, ROW[k, 2], load(scratch, b + 2) + h * vz + half * gz)
        store(s, ROW[k, 3], vx + h * gx)
        store(s, ROW[k, 4], vy + h * gy)
        store(s, ROW[k, 5], vz + h * gz)
        store(s, ROW[k, 6], f * wx)
        store(s, ROW[k, 7], f * wy)
        store(s, ROW[k, 8], f * wz)
