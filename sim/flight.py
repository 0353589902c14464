"""Acceleration from velocity and spin: gravity, drag, Magnus force, wind; spin decay. One Runge-Kutta step of them.

    u = v - wind,  S = R |w x u| / |u|^2,  Re = 2 R |u| / nu,  K = rho pi R^2 / (2 m)
    dv/dt = g - K Cd |u| u + K CL |u|^2 (w x u) / |w x u|,   dw/dt = -decay |u| w

A sport names a form of Cd and of CL, and its numbers. A form is a row of `Air`; the rows fall into three families, and
a kernel picks the family outside its lane loop. The pieces take scalars, so they serve a lane in any precision.
"""

import math
from collections import namedtuple

import numpy as np

from sim.compiled import kernel, piece

DRAG_FORMS = {
    "constant": ("cd",),
    "spin": ("base", "per_krpm"),  # base + per_krpm |w| in thousands of rpm
    "logistic": ("sub", "super", "centre", "width"),  # super + (sub - super) / (1 + exp((|u| - centre) / width))
    "polynomial": ("constant", "s", "s2", "re", "re_at", "min", "max"),  # constant + s S + s2 S^2 + re (Re/1e5 - re_at)
}
LIFT_FORMS = {
    "none": (),
    "saturating": ("a", "b"),  # S / (a + b S)
    "polynomial": ("constant", "s", "s2", "max"),  # constant + s S + s2 S^2, between 0 and max
}
PLAIN, SMOOTH, CRISIS = range(3)  # constant Cd and saturating CL; polynomials too; a drag crisis too

Air = namedtuple(
    "Air",
    "gravity K R decay drag drag_s drag_s2 drag_v drag_w drag_min drag_max sub centre width "
    "lift lift_s lift_s2 lift_max sat a b stiffness longest tiny half third sixth one zero",
)
RPM = 60.0 / (2.0 * math.pi)
ETA = 0.05  # a step may turn or slow the ball by about this share: cubic Hermite then errs by some um
LONGEST = 0.06  # s, a step of a slow ball


def air(sport, dtype):
    """The sport's laws as (family, Air row of numbers in `dtype`)."""
    R, K = sport.ball.radius, sport.aerodynamic
    row = dict.fromkeys(Air._fields, 0.0)
    row.update(drag_min=-math.inf, drag_max=math.inf, lift_max=math.inf, width=1.0, a=1.0)
    row.update(_drag(sport.drag, 2.0 * R / sport.world.nu / 1e5), **_lift(sport.lift))
    row.update(gravity=sport.world.gravity, K=K, R=R, decay=sport.decay)
    row.update(stiffness=K * (_largest_drag(row) + _largest_lift(row)) / ETA, longest=LONGEST, tiny=1e-18)
    row.update(half=0.5, third=1 / 3, sixth=1 / 6, one=1.0)
    plain = sport.drag.form == "constant" and sport.lift.form in ("none", "saturating")
    family = PLAIN if plain else CRISIS if sport.drag.form == "logistic" else SMOOTH
    return family, Air(*(dtype(row[name]) for name in Air._fields))


def _drag(law, re_per_speed):
    v = dict(zip(DRAG_FORMS[law.form], law.values, strict=True))
    if law.form == "constant":
        return {"drag": v["cd"]}
    if law.form == "spin":
        return {"drag": v["base"], "drag_w": v["per_krpm"] * RPM / 1000.0}
    if law.form == "logistic":
        return {"drag": v["super"], "sub": v["sub"] - v["super"], "centre": v["centre"], "width": v["width"]}
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


@piece
def plain(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """(ax, ay, az) of the air, and d|w|/dt over |w|: constant Cd, CL = S / (a + b S)."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    speed = math.sqrt(uu)
    mx, my, mz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
    m = math.sqrt(mx * mx + my * my + mz * mz + c.tiny)
    d = -drag * c.K * c.drag * speed
    k = lift * c.sat * c.K * c.R * uu / (c.a * uu + c.b * c.R * m)
    return d * ux + k * mx, d * uy + k * my, d * uz + k * mz, -c.decay * speed


@piece
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


@piece
def smooth(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """As `plain`, with Cd a polynomial in S, |u| and |w|, and CL a polynomial in S."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    return _curved(c, drag, lift, c.zero, uu, math.sqrt(uu), ux, uy, uz, wx, wy, wz)


@piece
def crisis(c, drag, lift, ux, uy, uz, wx, wy, wz):
    """As `smooth`, with a logistic fall of Cd with speed."""
    uu = ux * ux + uy * uy + uz * uz + c.tiny
    speed = math.sqrt(uu)
    extra = c.sub / (c.one + math.exp((speed - c.centre) / c.width))
    return _curved(c, drag, lift, extra, uu, speed, ux, uy, uz, wx, wy, wz)


@piece
def step_length(c, ux, uy, uz):
    """How long a step may be, s: a fixed share of the time in which the air turns or slows the ball."""
    return min(c.longest, c.one / (c.stiffness * math.sqrt(ux * ux + uy * uy + uz * uz) + c.tiny))


@piece
def rk4(law, c, h, drag, lift, ux, uy, uz, wx, wy, wz):
    """One step of length h from air-relative velocity u: (displacement, change of u, factor of spin), the classic RK4.

    No force depends on the place, so the displacement (beyond the wind's h W) needs no stages of its own (Nystrom).
    """
    hh = c.half * h
    ax, ay, az, q1 = law(c, drag, lift, ux, uy, uz, wx, wy, wz)
    az -= c.gravity
    f = c.one + hh * q1
    bx, by, bz, q2 = law(c, drag, lift, ux + hh * ax, uy + hh * ay, uz + hh * az, f * wx, f * wy, f * wz)
    bz -= c.gravity
    q2 *= f
    f = c.one + hh * q2
    dx, dy, dz, q3 = law(c, drag, lift, ux + hh * bx, uy + hh * by, uz + hh * bz, f * wx, f * wy, f * wz)
    dz -= c.gravity
    q3 *= f
    f = c.one + h * q3
    ex, ey, ez, q4 = law(c, drag, lift, ux + h * dx, uy + h * dy, uz + h * dz, f * wx, f * wy, f * wz)
    ez -= c.gravity
    q4 *= f
    g, s = h * h * c.sixth, h * c.sixth
    return (
        h * ux + g * (ax + bx + dx),
        h * uy + g * (ay + by + dy),
        h * uz + g * (az + bz + dz),
        s * (ax + bx + bx + dx + dx + ex),
        s * (ay + by + by + dy + dy + ey),
        s * (az + bz + bz + dz + dz + ez),
        c.one + s * (q1 + q2 + q2 + q3 + q3 + q4),
    )


@piece
def rk4_any(family, c, h, drag, lift, ux, uy, uz, wx, wy, wz):
    """`rk4` of a family known only when it runs, for a ball alone."""
    if family == PLAIN:
        return rk4(plain, c, h, drag, lift, ux, uy, uz, wx, wy, wz)
    if family == SMOOTH:
        return rk4(smooth, c, h, drag, lift, ux, uy, uz, wx, wy, wz)
    return rk4(crisis, c, h, drag, lift, ux, uy, uz, wx, wy, wz)


@piece
def acceleration(family, c, drag, lift, ux, uy, uz, wx, wy, wz):
    """(ax, ay, az) with gravity, of a family known only when it runs."""
    if family == PLAIN:
        ax, ay, az, _ = plain(c, drag, lift, ux, uy, uz, wx, wy, wz)
    elif family == SMOOTH:
        ax, ay, az, _ = smooth(c, drag, lift, ux, uy, uz, wx, wy, wz)
    else:
        ax, ay, az, _ = crisis(c, drag, lift, ux, uy, uz, wx, wy, wz)
    return ax, ay, az - c.gravity


def accelerations(sport, velocity, spin, parameters=None):
    """Acceleration (B, 3) m/s2 in flight of balls of velocity (B, 3) and spin (B, 3): the law itself, for checks."""
    family, c = air(sport, np.float64)
    parameters = np.zeros((len(velocity), 6)) + [1, 1, 1, 1, 0, 0] if parameters is None else parameters
    rows = np.hstack([parameters[:, :2], velocity - np.pad(parameters[:, 4:6], ((0, 0), (0, 1))), spin])
    return _accelerations(family, c, np.ascontiguousarray(rows))


@kernel
def _accelerations(family, c, rows):
    out = np.empty((len(rows), 3))
    for i in range(len(rows)):
        r = rows[i]
        out[i, 0], out[i, 1], out[i, 2] = acceleration(family, c, r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
    return out
