"""The tangent of a flight: how position, velocity and spin change with each unknown of the launch.

The columns of a Jacobian go along with the steps of one ball: through the air, through a contact, on a surface. Column
j is the change of everything with unknown j of the launch (layout.py). Columns stand side by side, COLUMNS to a row, in
one flat array `tangent` of TANGENT_SIZE, so that each loop below is a few vector instructions.
"""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import (
    CONSTANT_DRAG,
    LIFT_CRISIS,
    constant_drag_derivatives,
    general_drag_derivatives,
    lift_crisis_derivatives,
)
from ballcast.sim.kernels.contact import MIN_REBOUND_SPEED, ROLLING, SLIDING, restitution, soft_impulse
from ballcast.sim.kernels.dormand_prince import A_MATRIX, POSITION_WEIGHTS, STAGES
from ballcast.sim.kernels.layout import LAUNCH_SIZE
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.quintic import hermite_velocity_weights, hermite_weights
from ballcast.sim.kernels.vectors import add_scaled, cross, dot, norm, scaled

COLUMNS = C = 16  # in a row: LAUNCH_SIZE, and padding
# rows: of position, velocity and spin at the start of a step and at its end; of the stages' (ax, ay, az, spin rate); of
# the stage at hand (u, spin factor); and of the parameters themselves, a one in each
P, V, W, P1, V1, W1, STAGE, STATE, PARAMETERS = 0, 3, 6, 9, 12, 15, 18, 46, 50
DRAG, LIFT, RESTITUTION, FRICTION, WIND = range(PARAMETERS, PARAMETERS + 5)
LAST_STAGE = STAGE + 4 * (STAGES - 1)
TANGENT_SIZE = (PARAMETERS + 6) * C
DIFFERENCES = (1e-6, 1e-6, 1e-6, 1e-5, 1e-5, 1e-5, 1e-7, 1e-7)  # m/s, rad/s, factors


@inlined
def seed_launch(tangent):
    """Set the tangent of a launch: every unknown changes by itself alone."""
    tangent[:] = 0.0
    for i in range(9):
        tangent[(P + i) * C + i] = 1.0
    for i in range(9, LAUNCH_SIZE):
        tangent[(PARAMETERS + i - 9) * C + i] = 1.0


@kernel
def tangent_step(sport, parameters, motion, h, tangent):
    """Tangent at the end of a step of length h in the air."""
    s, w, k = tangent, motion.spin, np.zeros((STAGES, 4))
    u = motion.velocity[0] - parameters.wind_x, motion.velocity[1] - parameters.wind_y, motion.velocity[2]
    for i in range(STAGES):
        x, f = u, 1.0
        for j in range(C):
            s[STATE * C + j] = s[V * C + j] - s[WIND * C + j]
            s[(STATE + 1) * C + j] = s[(V + 1) * C + j] - s[(WIND + 1) * C + j]
            s[(STATE + 2) * C + j], s[(STATE + 3) * C + j] = s[(V + 2) * C + j], 0.0
        for n in range(i):
            a = h * A_MATRIX[i, n]
            if a != 0.0:
                x, f = add_scaled(x, a, (k[n, 0], k[n, 1], k[n, 2])), f + a * k[n, 3]
                for j in range(4 * C):
                    s[STATE * C + j] += a * s[(STAGE + 4 * n) * C + j]
        _stage(sport, parameters, x, f, w, k[i], s, STAGE + 4 * i)
    _finish_step(h, w, f, s)


@inlined
def _stage(sport, parameters, u, f, w, k, s, row):
    """A stage at velocity u through the air and spin f w: acceleration and spin rate into k, tangent into `row`."""
    aero, tiny = sport.aero, literals(sport.aero.gravity).tiny
    ux, uy, uz = u
    wx, wy, wz = fw = scaled(f, w)
    mx, my, mz = mv = cross(fw, u)
    speed, m, ww = math.sqrt(dot(u, u) + tiny), math.sqrt(dot(mv, mv) + tiny), math.sqrt(dot(fw, fw) + tiny)
    if sport.drag_model == CONSTANT_DRAG:
        d = constant_drag_derivatives(aero, speed, m)
    elif sport.drag_model == LIFT_CRISIS:
        d = lift_crisis_derivatives(aero, speed, m)
    else:
        d = general_drag_derivatives(aero, speed, m, ww)
    D, L, q = parameters.drag * d.drag, parameters.lift * d.lift, -aero.spin_decay * speed
    k[0], k[1], k[2], k[3] = D * ux + L * mx, D * uy + L * my, D * uz + L * mz - aero.gravity, q * f
    drag, lift = parameters.drag, parameters.lift
    D_v, D_m, D_w = drag * d.drag_speed / speed, drag * d.drag_cross / m, drag * d.drag_spin / ww
    L_v, L_m = lift * d.lift_speed / speed, lift * d.lift_cross / m
    for j in range(C):
        x, y, z, r = s[STATE * C + j], s[(STATE + 1) * C + j], s[(STATE + 2) * C + j], s[(STATE + 3) * C + j]
        a = f * s[W * C + j] + r * w[0]
        b = f * s[(W + 1) * C + j] + r * w[1]
        c = f * s[(W + 2) * C + j] + r * w[2]
        mjx = b * uz + wy * z - c * uy - wz * y
        mjy = c * ux + wz * x - a * uz - wx * z
        mjz = a * uy + wx * y - b * ux - wy * x
        vj, mj = ux * x + uy * y + uz * z, mx * mjx + my * mjy + mz * mjz
        Dj = D_v * vj + D_m * mj + D_w * (wx * a + wy * b + wz * c) + d.drag * s[DRAG * C + j]
        Lj = L_v * vj + L_m * mj + d.lift * s[LIFT * C + j]
        s[row * C + j] = Dj * ux + D * x + Lj * mx + L * mjx
        s[(row + 1) * C + j] = Dj * uy + D * y + Lj * my + L * mjy
        s[(row + 2) * C + j] = Dj * uz + D * z + Lj * mz + L * mjz
        s[(row + 3) * C + j] = q * r - aero.spin_decay / speed * vj * f


@inlined
def _finish_step(h, w, f, s):
    """The state's tangent at the end of a step, from that of its last stage, whose velocity is the step's."""
    for i in range(3):
        for j in range(C):
            s[(P1 + i) * C + j] = s[(P + i) * C + j] + h * s[(V + i) * C + j]
            s[(W1 + i) * C + j] = f * s[(W + i) * C + j] + s[(STATE + 3) * C + j] * w[i]
    for j in range(C):
        s[V1 * C + j] = s[STATE * C + j] + s[WIND * C + j]
        s[(V1 + 1) * C + j] = s[(STATE + 1) * C + j] + s[(WIND + 1) * C + j]
        s[(V1 + 2) * C + j] = s[(STATE + 2) * C + j]
    for n in range(STAGES - 1):
        a = h * h * POSITION_WEIGHTS[n]
        for j in range(3 * C):
            s[P1 * C + j] += a * s[(STAGE + 4 * n) * C + j]


@kernel
def _normal_tangent(surface, p, n, dp):
    """Change of the normal n at a ball that touches the surface at p, where p changes by dp."""
    x, y, z = dp
    low, high, ring_radius = surface["low"], surface["high"], surface["ring_radius"]
    if ring_radius > 0.0:
        a, b = p[0] - low[0], p[1] - low[1]
        level = math.sqrt(a * a + b * b) + 1e-12
        k, kj = 1.0 - ring_radius / level, ring_radius * (a * x + b * y) / (level * level * level)
        x, y = kj * a + k * x, kj * b + k * y
    else:  # over a face the closest point moves with the ball
        x = 0.0 if low[0] < p[0] < high[0] else x
        y = 0.0 if low[1] < p[1] < high[1] else y
        z = 0.0 if low[2] < p[2] < high[2] else z
    away, distance = n[0] * x + n[1] * y + n[2] * z, surface["contact_distance"]
    return (x - away * n[0]) / distance, (y - away * n[1]) / distance, (z - away * n[2]) / distance


@inlined
def saltation(sport, parameters, surface, is_captured, n, before, after, tangent):
    """Take the tangent through a contact with normal n; before, after: (Motion, rate of change of spin).

    The moment of the contact changes with each unknown too: the tangent is taken to it, through it, and back.
    """
    s, R, inertia = tangent, sport.radius, sport.inertia
    (p, v, w, a), spin_rate = before
    (_, v1, _, a1), spin_rate1 = after
    vn = dot(v, n)
    speed = -vn
    e = restitution(surface, parameters.restitution, speed)
    rebound, rebound_v, rebound_e = e * speed, 0.0, speed * e / parameters.restitution
    if rebound < MIN_REBOUND_SPEED:
        rebound, rebound_e = (0.0 if is_captured else MIN_REBOUND_SPEED), 0.0
    else:
        rebound_v = e + speed * (restitution(surface, parameters.restitution, speed + 1e-6) - e) * 1e6
    rebound_e *= e < 1.0
    arm, jn = (-R * n[0], -R * n[1], -R * n[2]), rebound - vn
    u = add_scaled(add_scaled(v, -vn, n), 1.0, cross(w, arm))
    slip = norm(u) + 1e-12
    grip = (1.0 + surface["tangential_restitution"]) * inertia / (1.0 + inertia)
    mu = parameters.friction * surface["friction"]
    sticks = grip * slip <= mu * jn
    size = grip if sticks else mu * jn / slip  # the tangential impulse is -size u
    impulse, turn = scaled(-size, u), 1.0 / (inertia * R * R)
    for j in range(C):
        dp = s[P * C + j], s[(P + 1) * C + j], s[(P + 2) * C + j]
        dv = s[V * C + j], s[(V + 1) * C + j], s[(V + 2) * C + j]
        dw = s[W * C + j], s[(W + 1) * C + j], s[(W + 2) * C + j]
        time_shift = -dot(n, dp) / vn if vn < -1e-9 else 0.0
        dp, dv, dw = add_scaled(dp, time_shift, v), add_scaled(dv, time_shift, a), add_scaled(dw, time_shift, spin_rate)
        dn = _normal_tangent(surface, p, n, dp)
        dvn = dot(dv, n) + dot(v, dn)
        djn = -rebound_v * dvn + rebound_e * s[RESTITUTION * C + j] - dvn
        du = add_scaled(add_scaled(dv, -dvn, n), -vn, dn)
        du = add_scaled(add_scaled(du, 1.0, cross(dw, arm)), -R, cross(w, dn))
        dsize = 0.0
        if not sticks:
            d_mu = surface["friction"] * s[FRICTION * C + j]
            dsize = (d_mu * jn + mu * djn) / slip - size * dot(u, du) / (slip * slip)
        d_impulse = (-size * du[0] - dsize * u[0], -size * du[1] - dsize * u[1], -size * du[2] - dsize * u[2])
        dv = add_scaled(add_scaled(add_scaled(dv, djn, n), jn, dn), 1.0, d_impulse)
        dw = add_scaled(add_scaled(dw, turn, cross(arm, d_impulse)), -turn * R, cross(dn, impulse))
        dp, dv = add_scaled(dp, -time_shift, v1), add_scaled(dv, -time_shift, a1)
        dw = add_scaled(dw, -time_shift, spin_rate1)
        if v1[2] == 0.0:  # it is supported
            dv = dv[0], dv[1], 0.0
        for i in range(3):
            s[(P + i) * C + j], s[(V + i) * C + j], s[(W + i) * C + j] = dp[i], dv[i], dw[i]


@kernel
def _soft_impulse_jacobian(sport, parameters, surface, n, v, w, columns):
    """Fill columns (6, 8): derivatives of velocity and spin after a contact that gives, by both and the two factors.

    By central differences: the contact is rare, and its derivatives are long formulas.
    """
    x, values = np.empty(8), np.empty((2, 6))
    for k in range(8):
        for side in range(2):
            for i in range(3):
                x[i], x[3 + i] = v[i], w[i]
            x[6], x[7] = parameters.restitution, parameters.friction
            x[k] += (2.0 * side - 1.0) * DIFFERENCES[k]
            arguments = (x[6], x[7]), (x[0], x[1], x[2]), (x[3], x[4], x[5])
            velocity, spin = soft_impulse(sport, surface, *arguments, n)
            for i in range(3):
                values[side, i], values[side, 3 + i] = velocity[i], spin[i]
        for i in range(6):
            columns[i, k] = (values[1, i] - values[0, i]) / (2.0 * DIFFERENCES[k])


@kernel
def soft_saltation(sport, parameters, surface, n, before, after, tangent):
    """The same as saltation for a surface that gives: a face, whose normal is n all over."""
    s, d, columns = tangent, np.empty(8), np.empty((6, 8))
    (_, v, w, a), spin_rate = before
    (_, v1, _, a1), spin_rate1 = after
    _soft_impulse_jacobian(sport, parameters, surface, n, v, w, columns)
    vn = dot(v, n)
    for j in range(C):
        dp = s[P * C + j], s[(P + 1) * C + j], s[(P + 2) * C + j]
        time_shift = -dot(n, dp) / vn if vn < -1e-9 else 0.0
        for i in range(3):
            d[i] = s[(V + i) * C + j] + time_shift * a[i]
            d[3 + i] = s[(W + i) * C + j] + time_shift * spin_rate[i]
        d[6], d[7] = s[RESTITUTION * C + j], s[FRICTION * C + j]
        for i in range(3):
            s[(P + i) * C + j] = dp[i] + time_shift * (v[i] - v1[i])
            s[(V + i) * C + j], s[(W + i) * C + j] = -time_shift * a1[i], -time_shift * spin_rate1[i]
            for k in range(8):
                s[(V + i) * C + j] += columns[i, k] * d[k]
                s[(W + i) * C + j] += columns[3 + i, k] * d[k]
        if v1[2] == 0.0:  # it is supported
            s[(V + 2) * C + j] = 0.0


@kernel
def tangent_roll(sport, friction_factor, motion, h, support, phase, next_phase, tangent):
    """Tangent at the end of a step of length h on a level surface; see `change_phase` for the phase that follows."""
    s, g, R, inertia, surface = tangent, sport.aero.gravity, sport.radius, sport.inertia, sport.surfaces[support]
    v, w = motion.velocity, motion.spin
    mu, rolling_deceleration = friction_factor * surface["friction"], surface["rolling_resistance"] * g
    ux, uy = (v[0] - R * w[1], v[1] + R * w[0]) if phase == SLIDING else (v[0], v[1])
    speed = math.sqrt(ux * ux + uy * uy) + 1e-12
    ex, ey = ux / speed, uy / speed
    deceleration = mu * g if phase == SLIDING else rolling_deceleration if phase == ROLLING else 0.0
    duration = speed / (mu * g * (1.0 + 1.0 / inertia) + 1e-12)
    for j in range(C):
        x, y = s[V * C + j], s[(V + 1) * C + j]
        a, b, d = s[W * C + j], s[(W + 1) * C + j], s[(W + 2) * C + j]
        sx, sy = (x - R * b, y + R * a) if phase == SLIDING else (x, y)
        friction_term = surface["friction"] * g * s[FRICTION * C + j] if phase == SLIDING else 0.0
        radial = ex * sx + ey * sy
        ax = -friction_term * ex - deceleration * (sx - radial * ex) / speed
        ay = -friction_term * ey - deceleration * (sy - radial * ey) / speed
        s[P1 * C + j] = s[P * C + j] + h * x + 0.5 * h * h * ax
        s[(P1 + 1) * C + j] = s[(P + 1) * C + j] + h * y + 0.5 * h * h * ay
        s[(P1 + 2) * C + j] = s[(P + 2) * C + j]
        x, y = x + h * ax, y + h * ay
        s[V1 * C + j], s[(V1 + 1) * C + j], s[(V1 + 2) * C + j] = x, y, 0.0
        if phase == SLIDING and next_phase == ROLLING:  # the moment at which it begins to roll changes too
            time_shift = radial / (speed + 1e-12) * duration - duration * friction_term / (deceleration + 1e-12)
            vx, vy = v[0] - h * deceleration * ex, v[1] - h * deceleration * ey
            fast = math.sqrt(vx * vx + vy * vy) + 1e-12
            x += time_shift * (rolling_deceleration * vx / fast - deceleration * ex)
            y += time_shift * (rolling_deceleration * vy / fast - deceleration * ey)
        if next_phase == SLIDING:
            a, b = a + h * ay / (inertia * R), b - h * ax / (inertia * R)
        elif next_phase == ROLLING:
            a, b = -y / R, x / R
        else:
            x = y = a = b = 0.0
        s[(W1 + 2) * C + j] = d
        s[STATE * C + j], s[(STATE + 1) * C + j], s[(STATE + 2) * C + j], s[(STATE + 3) * C + j] = x, y, a, b
        for row in (STAGE, LAST_STAGE):
            s[row * C + j], s[(row + 1) * C + j], s[(row + 2) * C + j] = ax, ay, 0.0


@inlined
def change_phase(tangent):
    """Take the tangent of a rolling step into the phase that follows it."""
    s = tangent
    for j in range(C):
        s[V1 * C + j], s[(V1 + 1) * C + j] = s[STATE * C + j], s[(STATE + 1) * C + j]
        s[W1 * C + j], s[(W1 + 1) * C + j] = s[(STATE + 2) * C + j], s[(STATE + 3) * C + j]


@inlined
def commit_step(tangent):
    """The end of a step is the start of the next."""
    for m in range((STAGE - P1) * C):
        tangent[m] = tangent[P1 * C + m]


@inlined
def stop_tangent(tangent):
    """The tangent of a ball that is laid to rest: its position alone changes."""
    tangent[V * C : (W + 3) * C] = 0.0


@inlined
def position_jacobian(tangent, f, h, out):
    """The position's tangent at the fraction f of a step of length h, into out (3, COLUMNS)."""
    s = tangent
    p, v, a, p1, v1, a1 = hermite_weights(f, h)
    for i in range(3):
        for j in range(C):
            start = p * s[(P + i) * C + j] + v * s[(V + i) * C + j] + a * s[(STAGE + i) * C + j]
            end = p1 * s[(P1 + i) * C + j] + v1 * s[(V1 + i) * C + j] + a1 * s[(LAST_STAGE + i) * C + j]
            out[i, j] = start + end


@kernel
def state_jacobian(tangent, f, h):
    """Set the tangent to that of the state at the fraction f of a step of length h."""
    s, position = tangent, np.empty((3, C))
    position_jacobian(tangent, f, h, position)
    d, v, a, v1, a1 = hermite_velocity_weights(f, h)
    for i in range(3):
        for j in range(C):
            m = i * C + j
            start = d * (s[P1 * C + m] - s[P * C + m]) + v * s[V * C + m] + a * s[STAGE * C + m]
            s[V * C + m] = start + v1 * s[V1 * C + m] + a1 * s[LAST_STAGE * C + m]
            s[W * C + m] += f * (s[W1 * C + m] - s[W * C + m])
            s[P * C + m] = position[i, j]
