"""Acceleration from velocity and spin: gravity, drag, Magnus force, wind; spin decay. One Runge-Kutta step of them.

    u = v - wind,  S = R |w x u| / |u|^2,  Re = 2 R |u| / nu,  K = rho pi R^2 / (2 m)
    dv/dt = g - K Cd |u| u + K CL |u|^2 (w x u) / |w x u|,   dw/dt = -decay |u| w

A sport names a form of Cd and of CL, and its numbers. A form is a row of `Air`; the rows fall into four families, and
a kernel picks the family outside its lane loop. The pieces take scalars, so they serve a lane in any precision.
"""

import math
from collections import namedtuple

import numpy as np

from ballcast.sim.jit import inlined

DRAG_FORMS = {
    "constant": ("cd",),
    "spin": ("base", "per_krpm"),  # base + per_krpm |w| in thousands of rpm
    "logistic": ("sub", "super", "centre", "width"),  # super + (sub - super) / (1 + exp((|u| - centre) / width))
    # logistic; a ball that spins, S > spin, and is faster than centre: factor S^power, at least super; the passage from
    # one to the other is smooth, over 0.02 in S and 0.5 m/s
    "goff": ("sub", "super", "centre", "width", "spin", "factor", "power"),
    "polynomial": ("constant", "s", "s2", "re", "re_at", "min", "max"),  # constant + s S + s2 S^2 + re (Re/1e5 - re_at)
}
LIFT_FORMS = {
    "none": (),
    "saturating": ("a", "b"),  # S / (a + b S)
    "polynomial": ("constant", "s", "s2", "max"),  # constant + s S + s2 S^2, between 0 and max
}
CONSTANT_DRAG, POLYNOMIAL_DRAG, DRAG_CRISIS, SPIN_DRAG = range(4)  # the last: goff

Aero = namedtuple(
    "Aero",
    "gravity K R decay drag drag_s drag_s2 drag_v drag_w drag_min drag_max sub centre width "
    "spin factor power steep_v steep_s "
    "lift lift_s lift_s2 lift_max sat a b stiffness tolerance longest tiny half one zero fifth twentieth tableau",
)
# Dormand and Prince (1980): the rows of a (15 numbers), b without its zero (5), sum_j b_j a_ji for the place (5), and
# b less the b of fourth order (6)
A = ((1 / 5,), (3 / 40, 9 / 40), (44 / 45, -56 / 15, 32 / 9), (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
     (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656))  # fmt: skip
B = (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
TABLEAU = (
    *(a for row in A for a in row),
    *(b for b in B if b),
    *(sum(b * row[i] for b, row in zip(B[1:], A, strict=True) if i < len(row)) for i in range(5)),
    *(71 / 57600, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
)
RPM = 60.0 / (2.0 * math.pi)
ETA = 0.16  # a step may turn or slow the ball by about this share
TOLERANCE = {np.float64: 5e-7, np.float32: 5e-6}  # m/s, of the fourth-order rule inside: the fifth errs far less
CORNERS = 0.02  # of it where a law has corners (least and greatest values), which hide from the estimate
BLEND_V, BLEND_S = 0.5, 0.02  # m/s, and in S: how wide the passage of `goff` is
LONGEST = 0.12  # s, a step of a slow ball


def aero_coefficients(sport, dtype) -> tuple[int, Aero]:
    """The sport's laws as (drag model, Aero row of numbers in `dtype`)."""
    R, K = sport.ball.radius, sport.aerodynamic_constant
    row: dict = dict.fromkeys(Aero._fields, 0.0)
    row.update(drag_min=-math.inf, drag_max=math.inf, lift_max=math.inf, width=1.0, a=1.0)
    row.update(_drag(sport.drag, 2.0 * R / sport.world.nu / 1e5), **_lift(sport.lift))
    row.update(gravity=sport.world.gravity, K=K, R=R, decay=sport.spin_decay_rate)
    row.update(
        stiffness=K * (_largest_drag(row) + _largest_lift(row)) / ETA,
        longest=LONGEST,
        tiny=1e-18,
    )
    row.update(steep_v=1.0 / BLEND_V, steep_s=1.0 / BLEND_S)
    row.update(half=0.5, one=1.0, fifth=0.2, twentieth=0.05)
    plain = sport.drag.form == "constant" and sport.lift.form in ("none", "saturating")
    family = {"logistic": DRAG_CRISIS, "goff": SPIN_DRAG}.get(sport.drag.form, POLYNOMIAL_DRAG)
    family = CONSTANT_DRAG if plain else family
    row["tolerance"] = TOLERANCE[dtype] * (1.0 if plain else CORNERS)
    row["tableau"] = tuple(dtype(x) for x in TABLEAU)
    return family, Aero(*(row[n] if n == "tableau" else dtype(row[n]) for n in Aero._fields))


def _drag(law, re_per_speed):
    v = dict(zip(DRAG_FORMS[law.form], law.values, strict=True))
    if law.form == "constant":
        return {"drag": v["cd"]}
    if law.form == "spin":
        return {"drag": v["base"], "drag_w": v["per_krpm"] * RPM / 1000.0}
    if law.form in ("logistic", "goff"):
        row = {"drag": v["super"], "sub": v["sub"] - v["super"], "centre": v["centre"], "width": v["width"]}
        return row | {key: v[key] for key in ("spin", "factor", "power") if key in v}
    return {"drag": v["constant"] - v["re"] * v["re_at"], "drag_s": v["s"], "drag_s2": v["s2"],
            "drag_v": v["re"] * re_per_speed, "drag_min": v["min"], "drag_max": v["max"]}  # fmt: skip


def _lift(law):
    v = dict(zip(LIFT_FORMS[law.form], law.values, strict=True))
    if law.form == "saturating":
        return {"sat": 1.0, "a": v["a"], "b": v["b"]}
    if law.form == "polynomial":
        return {"lift": v["constant"], "lift_s": v["s"], "lift_s2": v["s2"], "lift_max": v["max"]}
    return {}


def _largest_drag(row):
    return min(
        row["drag_max"], abs(row["drag"]) + abs(row["sub"]) + abs(row["drag_s"]) * 0.5 + 5e2 * abs(row["drag_w"])
    )


def _largest_lift(row):
    saturating = row["sat"] / (row["a"] + row["b"]) if row["a"] + row["b"] > 0 else 0.0
    return saturating + min(row["lift_max"], abs(row["lift"]) + abs(row["lift_s"]) * 0.5)


@inlined
def plain(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """(ax, ay, az) of the air, and d|w|/dt over |w|: constant Cd, CL = S / (a + b S)."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    speed = math.sqrt(uu)
    mx, my, mz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    m = math.sqrt(mx * mx + my * my + mz * mz + c.tiny)
    d = -drag * c.K * c.drag * speed
    k = lift * c.sat * c.K * c.R * uu / (c.a * uu + c.b * c.R * m)
    return d * ux + k * mx, d * uy + k * my, d * uz + k * mz, -c.decay * speed


@inlined
def _curved(c, drag, lift, extra, uu, speed, ux, uy, uz, wx, wy, wz):
    mx, my, mz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    m = math.sqrt(mx * mx + my * my + mz * mz + c.tiny)
    S = c.R * m / uu
    w = math.sqrt(wx * wx + wy * wy + wz * wz)
    Cd = c.drag + S * (c.drag_s + S * c.drag_s2) + c.drag_v * speed + c.drag_w * w + extra
    Cd = min(max(Cd, c.drag_min), c.drag_max)
    CL = min(max(c.lift + S * (c.lift_s + S * c.lift_s2), c.zero), c.lift_max) + c.sat * S / (c.a + c.b * S)
    d = -drag * c.K * Cd * speed
    k = lift * c.K * CL * uu / (m + c.tiny)
    return d * ux + k * mx, d * uy + k * my, d * uz + k * mz, -c.decay * speed


@inlined
def smooth(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """As `plain`, with Cd a polynomial in S, |u| and |w|, and CL a polynomial in S."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    return _curved(c, drag, lift, c.zero, uu, math.sqrt(uu), ux, uy, uz, wx, wy, wz)


@inlined
def crisis(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """As `smooth`, with a logistic fall of Cd with speed."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    speed = math.sqrt(uu)
    extra = c.sub / (c.one + math.exp((speed - c.centre) / c.width))
    return _curved(c, drag, lift, extra, uu, speed, ux, uy, uz, wx, wy, wz)


@inlined
def spinning(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """As `crisis`, but a ball that spins has drag that grows with its spin."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    speed = math.sqrt(uu)
    mx, my, mz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    S = c.R * math.sqrt(mx * mx + my * my + mz * mz + c.tiny) / uu
    extra, _, _ = _goff(c, speed, S)
    return _curved(c, drag, lift, extra, uu, speed, ux, uy, uz, wx, wy, wz)


@inlined
def _goff(c, speed, S):
    """What `goff` adds to its least Cd; its slopes by speed and by S."""
    two = c.one + c.one
    z = c.one / (c.one + math.exp((speed - c.centre) / c.width))
    still, still_v = c.sub * z, -c.sub * z * (c.one - z) / c.width
    turning = c.factor * math.exp(c.power * math.log(S + c.tiny))
    turning_s = c.power * turning / (S + c.tiny) if turning > c.drag else c.zero
    turning = max(turning - c.drag, c.zero)
    x = min(max((speed - c.centre) * c.steep_v + c.half, c.zero), c.one)
    y = min(max((S - c.spin) * c.steep_s + c.half, c.zero), c.one)
    a, b = x * x * (two + c.one - two * x), y * y * (two + c.one - two * y)
    a_v = (two + two + two) * x * (c.one - x) * c.steep_v
    b_s = (two + two + two) * y * (c.one - y) * c.steep_s
    over = turning - still
    return still + a * b * over, still_v * (c.one - a * b) + a_v * b * over, a * b * turning_s + a * b_s * over


@inlined
def plain_slopes(c, speed, m):
    """D and L of dv/dt = g + drag D u + lift L (w x u) with their slopes, for the Jacobian: constant Cd, S / (a + b S).

    (D, by |u|, by |w x u|, by |w|; L, by |u|, by |w x u|), at speed |u| and m = |w x u|.
    """
    L, L_v, L_m = _saturating_slopes(c, speed, m)
    return -c.K * c.drag * speed, -c.K * c.drag, c.zero, c.zero, L, L_v, L_m


@inlined
def curved_slopes(c, speed, m, w):
    """As `plain_slopes` for every other law; w = |w|."""
    uu, R = speed * speed, c.R
    S = R * m / uu
    extra, extra_v, extra_s = _goff(c, speed, S)
    if c.factor == c.zero:
        z = c.one / (c.one + math.exp((speed - c.centre) / c.width))
        extra, extra_v, extra_s = c.sub * z, -c.sub * z * (c.one - z) / c.width, c.zero
    whole = c.drag + S * (c.drag_s + S * c.drag_s2) + c.drag_v * speed + c.drag_w * w + extra
    Cd = min(max(whole, c.drag_min), c.drag_max)
    free = c.one if Cd == whole else c.zero
    curve = free * (c.drag_s + 2.0 * S * c.drag_s2 + extra_s)
    Cd_v = free * (c.drag_v + extra_v) - 2.0 * curve * S / speed
    L, L_v, L_m = _saturating_slopes(c, speed, m)
    whole = c.lift + S * (c.lift_s + S * c.lift_s2)
    CL = min(max(whole, c.zero), c.lift_max)
    bend = (c.lift_s + 2.0 * S * c.lift_s2) * S if CL == whole else c.zero
    k = c.K / (m + c.tiny)
    return (
        -c.K * Cd * speed, -c.K * (Cd + speed * Cd_v), -c.K * curve * R / speed, -c.K * speed * free * c.drag_w,
        L + k * CL * uu, L_v + 2.0 * k * speed * (CL - bend), L_m + k * uu * (bend - CL) / (m + c.tiny),
    )  # fmt: skip


@inlined
def _saturating_slopes(c, speed, m):
    uu = speed * speed
    below = c.a * uu + c.b * c.R * m
    top = c.sat * c.K * c.R
    return (
        top * uu / below,
        2.0 * top * speed * c.b * c.R * m / (below * below),
        -top * uu * c.b * c.R / (below * below),
    )


@inlined
def step_length(c, ux, uy, uz):
    """How long a step may be, s: a share of the time in which the air turns or slows the ball."""
    return min(c.longest, c.one / (c.stiffness * math.sqrt(ux * ux + uy * uy + uz * uz) + c.tiny))


@inlined
def rk5(law, c, h, drag, lift, ax, ay, az, ux, uy, uz, wx, wy, wz):
    """One step of length h from air-relative velocity u and acceleration a: Dormand and Prince's fifth-order rule.

    (displacement, change of u, factor of spin, acceleration at the end, error of u of the fourth-order rule). No force
    depends on the place, so the displacement (beyond the wind's h W) needs no stages of its own (Nystrom); the last
    acceleration starts the next step.
    """
    g = c.tableau
    aq = -c.decay * math.sqrt(ux * ux + uy * uy + uz * uz)
    k = h * g[0]
    f = c.one + k * aq
    bx, by, bz, bq = law(c, drag, lift, ux + k * ax, uy + k * ay, uz + k * az, f * wx, f * wy, f * wz)
    bz, bq = bz - c.gravity, bq * f
    x, y = ux + h * (g[1] * ax + g[2] * bx), uy + h * (g[1] * ay + g[2] * by)
    z, f = uz + h * (g[1] * az + g[2] * bz), c.one + h * (g[1] * aq + g[2] * bq)
    dx, dy, dz, dq = law(c, drag, lift, x, y, z, f * wx, f * wy, f * wz)
    dz, dq = dz - c.gravity, dq * f
    x, y = ux + h * (g[3] * ax + g[4] * bx + g[5] * dx), uy + h * (g[3] * ay + g[4] * by + g[5] * dy)
    z, f = uz + h * (g[3] * az + g[4] * bz + g[5] * dz), c.one + h * (g[3] * aq + g[4] * bq + g[5] * dq)
    ex, ey, ez, eq = law(c, drag, lift, x, y, z, f * wx, f * wy, f * wz)
    ez, eq = ez - c.gravity, eq * f
    x = ux + h * (g[6] * ax + g[7] * bx + g[8] * dx + g[9] * ex)
    y = uy + h * (g[6] * ay + g[7] * by + g[8] * dy + g[9] * ey)
    z = uz + h * (g[6] * az + g[7] * bz + g[8] * dz + g[9] * ez)
    f = c.one + h * (g[6] * aq + g[7] * bq + g[8] * dq + g[9] * eq)
    lx, ly, lz, lq = law(c, drag, lift, x, y, z, f * wx, f * wy, f * wz)
    lz, lq = lz - c.gravity, lq * f
    x = ux + h * (g[10] * ax + g[11] * bx + g[12] * dx + g[13] * ex + g[14] * lx)
    y = uy + h * (g[10] * ay + g[11] * by + g[12] * dy + g[13] * ey + g[14] * ly)
    z = uz + h * (g[10] * az + g[11] * bz + g[12] * dz + g[13] * ez + g[14] * lz)
    f = c.one + h * (g[10] * aq + g[11] * bq + g[12] * dq + g[13] * eq + g[14] * lq)
    mx, my, mz, mq = law(c, drag, lift, x, y, z, f * wx, f * wy, f * wz)
    mz, mq = mz - c.gravity, mq * f
    vx = h * (g[15] * ax + g[16] * dx + g[17] * ex + g[18] * lx + g[19] * mx)
    vy = h * (g[15] * ay + g[16] * dy + g[17] * ey + g[18] * ly + g[19] * my)
    vz = h * (g[15] * az + g[16] * dz + g[17] * ez + g[18] * lz + g[19] * mz)
    f = c.one + h * (g[15] * aq + g[16] * dq + g[17] * eq + g[18] * lq + g[19] * mq)
    hh = h * h
    px = h * ux + hh * (g[20] * ax + g[21] * bx + g[22] * dx + g[23] * ex + g[24] * lx)
    py = h * uy + hh * (g[20] * ay + g[21] * by + g[22] * dy + g[23] * ey + g[24] * ly)
    pz = h * uz + hh * (g[20] * az + g[21] * bz + g[22] * dz + g[23] * ez + g[24] * lz)
    nx, ny, nz, _ = law(c, drag, lift, ux + vx, uy + vy, uz + vz, f * wx, f * wy, f * wz)
    nz -= c.gravity
    x = g[25] * ax + g[26] * dx + g[27] * ex + g[28] * lx + g[29] * mx + g[30] * nx
    y = g[25] * ay + g[26] * dy + g[27] * ey + g[28] * ly + g[29] * my + g[30] * ny
    z = g[25] * az + g[26] * dz + g[27] * ez + g[28] * lz + g[29] * mz + g[30] * nz
    return px, py, pz, vx, vy, vz, f, nx, ny, nz, h * (abs(x) + abs(y) + abs(z))


@inlined
def rk5_any(family, c, h, drag, lift, ax, ay, az, ux, uy, uz, wx, wy, wz):
    """`rk5` of a family known only when it runs, for a ball alone."""
    if family == CONSTANT_DRAG:
        return rk5(plain, c, h, drag, lift, ax, ay, az, ux, uy, uz, wx, wy, wz)
    if family == POLYNOMIAL_DRAG:
        return rk5(smooth, c, h, drag, lift, ax, ay, az, ux, uy, uz, wx, wy, wz)
    if family == SPIN_DRAG:
        return rk5(spinning, c, h, drag, lift, ax, ay, az, ux, uy, uz, wx, wy, wz)
    return rk5(crisis, c, h, drag, lift, ax, ay, az, ux, uy, uz, wx, wy, wz)


@inlined
def acceleration(family, c, drag, lift, ux, uy, uz, wx, wy, wz):
    """(ax, ay, az) with gravity, of a family known only when it runs."""
    if family == CONSTANT_DRAG:
        ax, ay, az, _ = plain(c, drag, lift, ux, uy, uz, wx, wy, wz)
    elif family == POLYNOMIAL_DRAG:
        ax, ay, az, _ = smooth(c, drag, lift, ux, uy, uz, wx, wy, wz)
    elif family == SPIN_DRAG:
        ax, ay, az, _ = spinning(c, drag, lift, ux, uy, uz, wx, wy, wz)
    else:
        ax, ay, az, _ = crisis(c, drag, lift, ux, uy, uz, wx, wy, wz)
    return ax, ay, az - c.gravity
