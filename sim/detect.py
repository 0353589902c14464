"""When a ball first touches a surface: guaranteed advancement along the cubic of one step.

From a gap g that closes at rate g', no contact can come before g + g' t - A t^2 / 2 falls to zero, where A bounds the
acceleration: the distance to a convex body is convex along a line. To walk by such times never passes a contact, however
shallow, and close to one it converges as Newton's method does. A ring is not convex: A grows by what its curvature adds.
"""

import math

from sim.compiled import exact
from sim.impact import along, dot, gap_and_normal

TOUCH = 1e-10  # m, a gap that counts as contact
LEAST = 1e-7  # s, the least advance: a ball that touches and does not approach moves on
LOOKS = 80
SAME_MOMENT = 1e-11  # s; of contacts closer than this the first surface of the list wins


@exact
def cubic(p0, v0, p1, v1, h):
    """(c2, c3) of p0 + v0 s + c2 s^2 + c3 s^3 with value p1 and slope v1 at s = h."""
    k = 1.0 / h
    d = ((p1[0] - p0[0]) * k, (p1[1] - p0[1]) * k, (p1[2] - p0[2]) * k)
    c2 = (
        (3.0 * d[0] - 2.0 * v0[0] - v1[0]) * k,
        (3.0 * d[1] - 2.0 * v0[1] - v1[1]) * k,
        (3.0 * d[2] - 2.0 * v0[2] - v1[2]) * k,
    )
    k2 = k * k
    c3 = (
        (v0[0] + v1[0] - 2.0 * d[0]) * k2,
        (v0[1] + v1[1] - 2.0 * d[1]) * k2,
        (v0[2] + v1[2] - 2.0 * d[2]) * k2,
    )
    return c2, c3


@exact
def first_contact(rows, skip, p, v, c2, c3, h):
    """(time, surface) of the first contact before h, or (how far the path is known to be free, -1)."""
    start, finish = along((0.0, 0.0, 0.0), 2.0, c2), along(along((0.0, 0.0, 0.0), 2.0, c2), 6.0 * h, c3)
    A = math.sqrt(max(dot(start, start), dot(finish, finish))) + 1e-9
    V = math.sqrt(dot(v, v)) + A * h
    best, hit = h, -1
    for j in range(len(rows)):
        if j != skip:
            s, touches = _advance(rows[j], p, v, c2, c3, best, A, V)
            if touches and (hit < 0 or s < best - SAME_MOMENT):
                best, hit = s, j
            elif not touches and s < best:  # the looks ran out: nothing is known beyond
                best, hit = s, -1
    return best, hit


@exact
def _advance(surface, p0, v0, c2, c3, h, A, V):
    s = 0.0
    for _ in range(LOOKS):
        p = along(along(along(p0, s, v0), s * s, c2), s * s * s, c3)
        g, n = gap_and_normal(p, surface)
        if g > V * (h - s):
            return h, False
        v = along(along(v0, 2.0 * s, c2), 3.0 * s * s, c3)
        rate = dot(v, n)
        if g <= TOUCH and rate < 0.0:
            return s, True
        g = max(g, 0.0)
        bound = A
        if surface.ring > 0.0:
            x, y = p[0] - surface.low[0], p[1] - surface.low[1]
            level = math.sqrt(x * x + y * y) + 1e-12
            bound = A + 2.0 * V * V / level
        step = 2.0 * g / (math.sqrt(rate * rate + 2.0 * bound * g) - rate) if rate < 0.0 else (
            rate + math.sqrt(rate * rate + 2.0 * bound * g)
        ) / bound  # fmt: skip
        if surface.ring > 0.0:
            step = max(g / V, min(step, 0.5 * level / V))
        s += max(step, LEAST)
        if s >= h:
            return h, False
    return s, False


@exact
def end_of_rectangle(s, p, v, a, h):
    """When a centre that moves at p + v t + a t^2 / 2 over the level rectangle s passes its end; h if not before."""
    for i in range(2):
        h = min(h, _reaches(p[i] - s.low[i], v[i], a[i], h))
        h = min(h, _reaches(s.high[i] - p[i], -v[i], -a[i], h))
    return h


@exact
def _reaches(room, v, a, h):
    """The first t in [0, h] at which room + v t + a t^2 / 2 falls through zero, or h."""
    if room <= 0.0:
        return 0.0 if v < 0.0 or (v == 0.0 and a < 0.0) else h
    disc = v * v - 2.0 * a * room
    if disc < 0.0:
        return h
    root = math.sqrt(disc)
    if v < 0.0:
        t = 2.0 * room / (root - v)
    elif a < 0.0:
        t = (v + root) / -a
    else:
        return h
    return min(t, h)
