"""One step of one ball: through the air to the moment of a contact, or on the surface that carries it.

Vectors are tuples of three. The lanes and the sensitivities both step with these.
"""

import math

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import rk5_any
from ballcast.sim.kernels.contact import REST, ROLL, along, dot, gap_and_normal, roll
from ballcast.sim.kernels.detection import LEAST, end_of_rectangle, first_contact

AIR = -1  # in place of the surface that a ball rolls on or has hit
NOWHERE, EVERYWHERE = (-math.inf, -math.inf, -math.inf), (math.inf, math.inf, math.inf)
FOREVER = 1e9  # s, a rest


@inlined
def step_to(family, c, rows, hit, tau, p, v, w, a, air):
    """Step to contact with surface `hit`, which a path put at tau: (hit, tau, place, velocity, spin, acceleration).

    air: drag, lift, wind_x, wind_y. A path that only grazes has hit AIR.
    """
    drag, lift, wx, wy = air
    tau = max(tau, LEAST)  # a path that grazes at its very start moves on; a true contact there is stepped back to
    dx, dy, dz, bx, by, bz, q, ax, ay, az, _ = rk5_any(
        family, c, tau, drag, lift, a[0], a[1], a[2], v[0] - wx, v[1] - wy, v[2], w[0], w[1], w[2]
    )
    p1, v1 = (p[0] + dx + tau * wx, p[1] + dy + tau * wy, p[2] + dz), (v[0] + bx, v[1] + by, v[2] + bz)
    if hit >= 0:  # the quintic is a hair off the step: one Newton step to the surface
        g, n = gap_and_normal(p1, rows[hit])
        rate = dot(v1, n)
        if rate < 0.0:
            more = max(min(max(-g / rate, -1e-4), 1e-4), -tau)
            half = along(v1, 0.5 * more, (ax, ay, az))
            p1, v1, tau = along(p1, more, half), along(v1, more, (ax, ay, az)), tau + more
        else:  # it grazes by less than the quintic can tell
            hit = AIR
    return hit, tau, p1, v1, (q * w[0], q * w[1], q * w[2]), (ax, ay, az)


@kernel
def roll_on(c, rows, inertia, mu_factor, ground, phase, p, v, w, longest):
    """A step on surface `ground` to the end of the phase, to a contact, or to the rectangle's end (AIR).

    (what is hit, its length, the phase then, place, velocity, spin, acceleration all the while)
    """
    a, dw, lasts = roll(rows[ground], v, w, c.R, inertia, c.gravity, mu_factor, phase)
    upright = -w[2] / dw[2] if dw[2] != 0.0 else FOREVER
    h = min(min(lasts, upright), longest)
    hit = ground
    if phase != REST and h > 0.0:
        c2 = (0.5 * a[0], 0.5 * a[1], 0.5 * a[2])
        end = end_of_rectangle(rows[ground], p, v, a, h)
        none = (0.0, 0.0, 0.0)
        h, other = first_contact(rows, ground, NOWHERE, EVERYWHERE, p, v, (c2, none, none, none), end)
        hit = other if other >= 0 else AIR if h == end and end < min(lasts, upright) else ground
    p1, v1, w1 = along(along(p, h, v), 0.5 * h * h, a), along(v, h, a), along(w, h, dw)
    if h >= upright:
        w1 = (w1[0], w1[1], 0.0)
    if hit == ground and h >= lasts:
        phase += 1
        v1 = v1 if phase == ROLL else (0.0, 0.0, 0.0)
        w1 = (-v1[1] / c.R, v1[0] / c.R, w1[2])
    return hit, h, phase, p1, v1, w1, a
