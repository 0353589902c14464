"""The tangent of a flight: how position, velocity and spin change with each unknown of the launch.

The columns of a Jacobian go along with the steps of one ball: through the air, through a contact, on a surface. Column
j is the change of everything with unknown j of the launch (layout.py). Columns stand side by side, COLUMNS to a row, in
one flat array `tangent` of TANGENT_SIZE, so that each loop below is a few vector instructions. The step through the air
is in air_tangent.py.
"""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.column_numbers import WIDTH, last_and_others, load, store
from ballcast.sim.kernels.contact import MIN_REBOUND_SPEED, ROLLING, SLIDING, restitution, soft_impulse
from ballcast.sim.kernels.layout import LAUNCH_SIZE
from ballcast.sim.kernels.quintic import hermite_velocity_weights, hermite_weights
from ballcast.sim.kernels.vectors import add_scaled, cross, dot, norm, scaled

COLUMNS = C = 16  # in a row: LAUNCH_SIZE, and padding
# rows: of position, velocity, spin and acceleration at the start of a step and at its end; of what a rolling step hands
# to the phase that follows; and of the parameters themselves, a one in each
P, V, W, P1, V1, W1, A, A1, STATE, PARAMETERS = 0, 3, 6, 9, 12, 15, 18, 21, 24, 28
DRAG, LIFT, RESTITUTION, FRICTION, WIND = range(PARAMETERS, PARAMETERS + 5)
# then numbers of the stages of a step through the air, each in a row of one vector: see air_tangent.py
STAGE_STATES = (PARAMETERS + 6) * C
STAGE_RATES = STAGE_STATES + 4 * WIDTH
TANGENT_SIZE = STAGE_RATES + 31 * WIDTH
DIFFERENCES = (1e-6, 1e-6, 1e-6, 1e-5, 1e-5, 1e-5, 1e-7, 1e-7)  # m/s, rad/s, factors


@inlined
def aligned_tangent():
    """A tangent, of any numbers, whose rows begin at multiples of a vector's size in memory."""
    flat = np.empty(TANGENT_SIZE + WIDTH)
    first = (-flat.ctypes.data % (8 * WIDTH)) // 8
    return flat[first : first + TANGENT_SIZE]


@inlined
def seed_launch(tangent):
    """Set the tangent of a launch: every unknown changes by itself alone."""
    tangent[:] = 0.0
    for i in range(9):
        tangent[(P + i) * C + i] = 1.0
    for i in range(9, LAUNCH_SIZE):
        tangent[(PARAMETERS + i - 9) * C + i] = 1.0


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
        for row in (A, A1):
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
    for m in range((A - P1) * C):
        tangent[m] = tangent[P1 * C + m]


@inlined
def stop_tangent(tangent):
    """The tangent of a ball that is laid to rest: its position alone changes."""
    tangent[V * C : (W + 3) * C] = 0.0


@inlined
def position_jacobian(tangent, f, h, out, k):
    """The position's tangent at the fraction f of a step of length h, into out[k]; out (T, 3, COLUMNS or one less)."""
    weights, width = hermite_weights(f, h), out.shape[2]
    for i in range(3):
        low = _position_row(tangent, i * C, weights)
        high = _position_row(tangent, i * C + WIDTH, weights)
        first = (3 * k + i) * width
        store(out, first, low)
        if width == C:
            store(out, first + WIDTH, high)
        else:
            store(out, first + WIDTH - 1, last_and_others(low, high))


@inlined
def _position_row(s, m, weights):
    """The columns from number m on, in the rows P, of the position's tangent."""
    p, v, a, p1, v1, a1 = weights
    start = p * load(s, P * C + m) + v * load(s, V * C + m) + a * load(s, A * C + m)
    return start + p1 * load(s, P1 * C + m) + v1 * load(s, V1 * C + m) + a1 * load(s, A1 * C + m)


@inlined
def state_jacobian(tangent, f, h):
    """Set the tangent to that of the state at the fraction f of a step of length h."""
    s, weights = tangent, hermite_weights(f, h)
    d, v, a, v1, a1 = hermite_velocity_weights(f, h)
    for m in range(0, 3 * C, WIDTH):
        position, p, p1 = _position_row(s, m, weights), load(s, P * C + m), load(s, P1 * C + m)
        velocity = d * (p1 - p) + v * load(s, V * C + m) + a * load(s, A * C + m)
        velocity = velocity + v1 * load(s, V1 * C + m) + a1 * load(s, A1 * C + m)
        spin = load(s, W * C + m)
        store(s, P * C + m, position)
        store(s, V * C + m, velocity)
        store(s, W * C + m, spin + f * (load(s, W1 * C + m) - spin))
