"""How the columns of a Jacobian go along with one step of one ball: through the air, through a contact, on a surface.

A column is the change of everything with one unknown of the launch. Columns lie side by side, C to a row, in one flat
array `s`, so that each loop below is a few vector instructions. Vectors are tuples of three.
"""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import CONSTANT_DRAG, A, B, curved_slopes, plain_slopes
from ballcast.sim.kernels.contact import ROLL, SKID, V_STOP, along, cross, dot, restitution

C = 16  # columns in a row: state (9), parameters (6), padding
# rows: of place, velocity, spin at the start of a step and at its end; of the seven stages' (ax, ay, az, q); of the
# stage at hand (u, f); and those of the parameters themselves, a one in each
P, V, W, P1, V1, W1, K, X, OWN = 0, 3, 6, 9, 12, 15, 18, 46, 50
DRAG, LIFT, RESTITUTION, FRICTION, WIND = OWN, OWN + 1, OWN + 2, OWN + 3, OWN + 4
ROWS, STAGES = OWN + 6, 7
LAST = K + 4 * (STAGES - 1)
# Dormand and Prince's rule with the end of the step as its last stage: what a stage adds of those before it
RULE = np.zeros((STAGES, STAGES))
for _i, _row in enumerate((*A, B)):
    RULE[_i + 1, : len(_row)] = _row
PLACE = RULE[-1] @ RULE  # and the place, times h^2: sum_j b_j a_ji (Nystrom)


@kernel
def unit(s):
    """Set the columns of a launch: every unknown changes by itself alone."""
    s[:] = 0.0
    for i in range(9):
        s[(P + i) * C + i] = 1.0
    for i in range(6):
        s[(OWN + i) * C + 9 + i] = 1.0


@kernel
def step(family, c, h, air, v, w, s):
    """Columns at the end of a step of length h in the air; `air` is (drag, lift, wind_x, wind_y)."""
    k = np.zeros((STAGES, 4))
    u = v[0] - air[2], v[1] - air[3], v[2]
    for i in range(STAGES):
        x, f = u, 1.0
        for j in range(C):
            s[X * C + j] = s[V * C + j] - s[WIND * C + j]
            s[(X + 1) * C + j] = s[(V + 1) * C + j] - s[(WIND + 1) * C + j]
            s[(X + 2) * C + j], s[(X + 3) * C + j] = s[(V + 2) * C + j], 0.0
        for n in range(i):
            a = h * RULE[i, n]
            if a != 0.0:
                x, f = along(x, a, (k[n, 0], k[n, 1], k[n, 2])), f + a * k[n, 3]
                for j in range(4 * C):
                    s[X * C + j] += a * s[(K + 4 * n) * C + j]
        _stage(family, c, air, x, f, w, k[i], s, K + 4 * i)
    _end(h, w, f, s)


@inlined
def _stage(family, c, air, x, f, w, k, s, row):
    """(ax, ay, az, q) of a stage at velocity x through the air and spin f w, into k; their columns into `row`."""
    wx, wy, wz = f * w[0], f * w[1], f * w[2]
    ux, uy, uz = x
    speed = math.sqrt(ux * ux + uy * uy + uz * uz + c.tiny)
    mx, my, mz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    m, ww = math.sqrt(mx * mx + my * my + mz * mz + c.tiny), math.sqrt(wx * wx + wy * wy + wz * wz + c.tiny)
    if family == CONSTANT_DRAG:
        D1, D_v, D_m, D_w, L1, L_v, L_m = plain_slopes(c, speed, m)
    else:
        D1, D_v, D_m, D_w, L1, L_v, L_m = curved_slopes(c, speed, m, ww)
    D, L, q = air[0] * D1, air[1] * L1, -c.decay * speed
    k[0], k[1], k[2], k[3] = D * ux + L * mx, D * uy + L * my, D * uz + L * mz - c.gravity, q * f
    D_v, D_m, D_w = air[0] * D_v / speed, air[0] * D_m / m, air[0] * D_w / ww
    L_v, L_m = air[1] * L_v / speed, air[1] * L_m / m
    for j in range(C):
        x, y, z, r = s[X * C + j], s[(X + 1) * C + j], s[(X + 2) * C + j], s[(X + 3) * C + j]
        a = f * s[W * C + j] + r * w[0]
        b = f * s[(W + 1) * C + j] + r * w[1]
        d = f * s[(W + 2) * C + j] + r * w[2]
        mjx, mjy, mjz = (
            b * uz + wy * z - d * uy - wz * y,
            d * ux + wz * x - a * uz - wx * z,
            a * uy + wx * y - b * ux - wy * x,
        )
        vj, mj = ux * x + uy * y + uz * z, mx * mjx + my * mjy + mz * mjz
        Dj = D_v * vj + D_m * mj + D_w * (wx * a + wy * b + wz * d) + D1 * s[DRAG * C + j]
        Lj = L_v * vj + L_m * mj + L1 * s[LIFT * C + j]
        s[row * C + j] = Dj * ux + D * x + Lj * mx + L * mjx
        s[(row + 1) * C + j] = Dj * uy + D * y + Lj * my + L * mjy
        s[(row + 2) * C + j] = Dj * uz + D * z + Lj * mz + L * mjz
        s[(row + 3) * C + j] = q * r - c.decay / speed * vj * f


@inlined
def _end(h, w, f, s):
    """The state's columns at the end of a step, from those of its last stage (whose velocity is the step's)."""
    for i in range(3):
        for j in range(C):
            s[(P1 + i) * C + j] = s[(P + i) * C + j] + h * s[(V + i) * C + j]
            s[(W1 + i) * C + j] = f * s[(W + i) * C + j] + s[(X + 3) * C + j] * w[i]
    for j in range(C):
        s[V1 * C + j] = s[X * C + j] + s[WIND * C + j]
        s[(V1 + 1) * C + j] = s[(X + 1) * C + j] + s[(WIND + 1) * C + j]
        s[(V1 + 2) * C + j] = s[(X + 2) * C + j]
    for n in range(STAGES - 1):
        a = h * h * PLACE[n]
        for j in range(3 * C):
            s[P1 * C + j] += a * s[(K + 4 * n) * C + j]


@kernel
def _normal(surface, p, n, distance, j, s):
    """Column j of the unit vector from a surface's closest point to a ball that touches it at p."""
    x, y, z = s[P * C + j], s[(P + 1) * C + j], s[(P + 2) * C + j]
    low, high = surface["low"], surface["high"]
    if surface["ring_radius"] > 0.0:
        a, b = p[0] - low[0], p[1] - low[1]
        level = math.sqrt(a * a + b * b) + 1e-12
        k, kj = 1.0 - surface["ring_radius"] / level, surface["ring_radius"] * (a * x + b * y) / (level * level * level)
        x, y = kj * a + k * x, kj * b + k * y
    else:  # the closest point goes along where the ball is above a face
        x = 0.0 if low[0] < p[0] < high[0] else x
        y = 0.0 if low[1] < p[1] < high[1] else y
        z = 0.0 if low[2] < p[2] < high[2] else z
    away = n[0] * x + n[1] * y + n[2] * z
    return (x - away * n[0]) / distance, (y - away * n[1]) / distance, (z - away * n[2]) / distance


@kernel
def contact(surface, p, n, before, after, stays, R, inertia, e_factor, mu_factor, s):
    """Columns through a contact at p with normal n; before and after: (velocity, spin, acceleration, change of spin).

    The moment of the contact changes with each unknown too: columns are taken to it, through it, and back (saltation).
    """
    v, w, a, rate = before
    v1, w1, a1, rate1 = after
    vn = dot(v, n)
    speed = -vn
    e = restitution(surface, e_factor, speed)
    leave, leave_v, leave_e = e * speed, 0.0, speed * e / e_factor
    if leave < V_STOP:
        leave, leave_e = (0.0 if stays else V_STOP), 0.0
    else:
        leave_v = e + speed * (restitution(surface, e_factor, speed + 1e-6) - e) * 1e6
    leave_e *= e < 1.0
    arm, jn = (-R * n[0], -R * n[1], -R * n[2]), leave - vn
    u = along(along(v, -vn, n), 1.0, cross(w, arm))
    slip = math.sqrt(dot(u, u)) + 1e-12
    grip, mu = (1.0 + surface["tangential_restitution"]) * inertia / (1.0 + inertia), mu_factor * surface["friction"]
    grips = grip * slip <= mu * jn
    size = grip if grips else mu * jn / slip  # the impulse is -size u
    push = (-size * u[0], -size * u[1], -size * u[2])
    turn, distance = 1.0 / (inertia * R * R), surface["contact_distance"]
    for j in range(C):
        dp = s[P * C + j], s[(P + 1) * C + j], s[(P + 2) * C + j]
        dv = s[V * C + j], s[(V + 1) * C + j], s[(V + 2) * C + j]
        dw = s[W * C + j], s[(W + 1) * C + j], s[(W + 2) * C + j]
        tau = -dot(n, dp) / vn if vn < -1e-9 else 0.0
        dp, dv, dw = along(dp, tau, v), along(dv, tau, a), along(dw, tau, rate)
        s[P * C + j], s[(P + 1) * C + j], s[(P + 2) * C + j] = dp
        dn = _normal(surface, p, n, distance, j, s)
        dvn = dot(dv, n) + dot(v, dn)
        djn = -leave_v * dvn + leave_e * s[RESTITUTION * C + j] - dvn
        du = along(along(dv, -dvn, n), -vn, dn)
        du = along(along(du, 1.0, cross(dw, arm)), -R, cross(w, dn))
        dsize = 0.0
        if not grips:
            dsize = (surface["friction"] * s[FRICTION * C + j] * jn + mu * djn) / slip
            dsize -= size * dot(u, du) / (slip * slip)
        dpush = (-size * du[0] - dsize * u[0], -size * du[1] - dsize * u[1], -size * du[2] - dsize * u[2])
        dv = along(along(along(dv, djn, n), jn, dn), 1.0, dpush)
        dw = along(along(dw, turn, cross(arm, dpush)), -turn * R, cross(dn, push))
        dp, dv, dw = along(dp, -tau, v1), along(dv, -tau, a1), along(dw, -tau, rate1)
        if v1[2] == 0.0:  # it is carried
            dv = dv[0], dv[1], 0.0
        for i in range(3):
            s[(P + i) * C + j], s[(V + i) * C + j], s[(W + i) * C + j] = dp[i], dv[i], dw[i]


@kernel
def roll(surface, c, inertia, mu_factor, phase, then, h, v, w, s):
    """Columns at the end of a step of length h on a level surface; `then` is the phase that follows: see `settle`."""
    g, R = c.gravity, c.R
    mu, brake = mu_factor * surface["friction"], surface["rolling_resistance"] * g
    ux, uy = (v[0] - R * w[1], v[1] + R * w[0]) if phase == SKID else (v[0], v[1])
    speed = math.sqrt(ux * ux + uy * uy) + 1e-12
    ex, ey = ux / speed, uy / speed
    pull = mu * g if phase == SKID else brake if phase == ROLL else 0.0
    lasts = speed / (mu * g * (1.0 + 1.0 / inertia) + 1e-12)
    for j in range(C):
        x, y = s[V * C + j], s[(V + 1) * C + j]
        a, b, d = s[W * C + j], s[(W + 1) * C + j], s[(W + 2) * C + j]
        sx, sy = (x - R * b, y + R * a) if phase == SKID else (x, y)
        own = surface["friction"] * g * s[FRICTION * C + j] if phase == SKID else 0.0
        head = ex * sx + ey * sy
        ax = -own * ex - pull * (sx - head * ex) / speed
        ay = -own * ey - pull * (sy - head * ey) / speed
        s[P1 * C + j] = s[P * C + j] + h * x + 0.5 * h * h * ax
        s[(P1 + 1) * C + j] = s[(P + 1) * C + j] + h * y + 0.5 * h * h * ay
        s[(P1 + 2) * C + j] = s[(P + 2) * C + j]
        x, y = x + h * ax, y + h * ay
        s[V1 * C + j], s[(V1 + 1) * C + j], s[(V1 + 2) * C + j] = x, y, 0.0
        if phase == SKID and then == ROLL:  # it rolls sooner or later: what it brakes with changes
            sooner = head / (speed + 1e-12) * lasts - lasts * own / (pull + 1e-12)
            v1 = v[0] - h * pull * ex, v[1] - h * pull * ey
            fast = math.sqrt(v1[0] * v1[0] + v1[1] * v1[1]) + 1e-12
            x += sooner * (brake * v1[0] / fast - pull * ex)
            y += sooner * (brake * v1[1] / fast - pull * ey)
        if then == SKID:
            a, b = a + h * ay / (inertia * R), b - h * ax / (inertia * R)
        elif then == ROLL:
            a, b = -y / R, x / R
        else:
            x = y = a = b = 0.0
        s[(W1 + 2) * C + j] = d
        s[X * C + j], s[(X + 1) * C + j], s[(X + 2) * C + j], s[(X + 3) * C + j] = x, y, a, b
        for row in (K, LAST):
            s[row * C + j], s[(row + 1) * C + j], s[(row + 2) * C + j] = ax, ay, 0.0


@inlined
def settle(s):
    """Take the columns of a rolling step into the phase that follows it."""
    for j in range(C):
        s[V1 * C + j], s[(V1 + 1) * C + j] = s[X * C + j], s[(X + 1) * C + j]
        s[W1 * C + j], s[(W1 + 1) * C + j] = s[(X + 2) * C + j], s[(X + 3) * C + j]


@inlined
def go_on(s):
    """The end of a step is the start of the next."""
    for m in range((K - P1) * C):
        s[m] = s[P1 * C + m]


@inlined
def path(f, h):
    """Weights of (place, velocity, acceleration) at the start and at the end of a step, at its share f: the quintic."""
    f3, hh = f * f * f, h * h
    end = f3 * (10.0 - f * (15.0 - 6.0 * f))
    fast = -h * f3 * (4.0 - f * (7.0 - 3.0 * f))
    bent = hh * f3 * (0.5 - f * (1.0 - 0.5 * f))
    return 1.0 - end, h * f - h * end - fast, 0.5 * hh * f * f - 0.5 * hh * end - h * fast - bent, end, fast, bent


@inlined
def path_slope(f, h):
    """Weights of (what is covered, velocity, acceleration, velocity and acceleration at the end) for the velocity."""
    f2, k = f * f, 1.0 / (h + 1e-18)
    end = 30.0 * f2 * (1.0 - f) * (1.0 - f) * k
    fast = -f2 * (12.0 - f * (28.0 - 15.0 * f))
    bent = h * f2 * (1.5 - f * (4.0 - 2.5 * f))
    return end, 1.0 - h * end - fast, h * f - 0.5 * h * h * end - h * fast - bent, fast, bent


@inlined
def place(f, h, s, out):
    """Columns of the place at the share f of a step, into out (3, C)."""
    p, v, a, p1, v1, a1 = path(f, h)
    for i in range(3):
        for j in range(C):
            start = p * s[(P + i) * C + j] + v * s[(V + i) * C + j] + a * s[(K + i) * C + j]
            end = p1 * s[(P1 + i) * C + j] + v1 * s[(V1 + i) * C + j] + a1 * s[(LAST + i) * C + j]
            out[i, j] = start + end


@kernel
def stop(f, h, s):
    """Set the columns of the state to those at the share f of a step."""
    now = np.empty((3, C))
    place(f, h, s, now)
    way, v, a, v1, a1 = path_slope(f, h)
    for i in range(3):
        for j in range(C):
            m = i * C + j
            start = way * (s[P1 * C + m] - s[P * C + m]) + v * s[V * C + m] + a * s[K * C + m]
            s[V * C + m] = start + v1 * s[V1 * C + m] + a1 * s[LAST * C + m]
            s[W * C + m] += f * (s[W1 * C + m] - s[W * C + m])
            s[P * C + m] = now[i, j]
