"""When a ball first touches a surface: guaranteed advancement along the quintic of one step.

From a gap g that closes at rate g', no contact can come before g + g' t - A t^2 / 2 falls to zero, where A bounds
the acceleration: the distance to a convex body is convex along a line. To walk by such times never passes a contact,
however shallow, and close to one it converges as Newton's method does. A ring is not convex: A grows by what its
curvature adds.
"""

import math

from numba.cpython.unsafe.tuple import tuple_setitem

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.contact import along, dot, gap_and_normal

TOUCH = 1e-10  # m, a gap that counts as contact
LEAST = 1e-7  # s, the least advance: a ball that touches and does not approach moves on
LOOKS = 80
SAME_MOMENT = 1e-11  # s; of contacts closer than this the first surface of the list wins


@kernel
def quintic(p0, v0, a0, p1, v1, a1, h):
    """(c2, c3, c4, c5) of p0 + v0 s + c2 s^2 + ...: place, velocity and acceleration given at s = 0 and h."""
    k = 1.0 / h
    k3, k4, k5 = k * k * k, k * k * k * k, k * k * k * k * k
    c2, c3, c4, c5 = a0, a0, a0, a0
    for i in range(3):
        d = p1[i] - p0[i] - h * (v0[i] + 0.5 * h * a0[i])
        e = h * (v1[i] - v0[i] - h * a0[i])
        f = 0.5 * h * h * (a1[i] - a0[i])
        c2 = tuple_setitem(c2, i, 0.5 * a0[i])
        c3 = tuple_setitem(c3, i, k3 * (10.0 * d - 4.0 * e + f))
        c4 = tuple_setitem(c4, i, k4 * (7.0 * e - 15.0 * d - 2.0 * f))
        c5 = tuple_setitem(c5, i, k5 * (6.0 * d - 3.0 * e + f))
    return c2, c3, c4, c5


@inlined
def place(p, v, c, s):
    """Place after time s on the path (c2, c3, c4, c5)."""
    return along(p, s, along(v, s, along(c[0], s, along(c[1], s, along(c[2], s, c[3])))))


@inlined
def slope(v, c, s):
    """Velocity after time s on the path."""
    a, b = along((0.0, 0.0, 0.0), 4.0, c[2]), along((0.0, 0.0, 0.0), 3.0, c[1])
    return along(v, s, along(along((0.0, 0.0, 0.0), 2.0, c[0]), s, along(b, s, along(a, 5.0 * s, c[3]))))


@inlined
def first_contact(rows, skip, low, high, p, v, c, h):
    """(time, surface) of the first contact before h, or (how far the path is known to be free, -1).

    low and high: a box that holds the path.
    """
    A = 1e-9 + 2.0 * _size(c[0]) + h * (6.0 * _size(c[1]) + h * (12.0 * _size(c[2]) + h * 20.0 * _size(c[3])))
    V = _size(v) + A * h
    best, hit = h, -1
    for j in range(len(rows)):
        if j == skip:
            continue
        axis = _face(rows[j], low, high)
        s, touches, sure = 0.0, False, False
        if axis >= 0:
            s, touches, sure = _fall(rows[j], p[axis], v[axis], c[0][axis], c[1][axis], c[2][axis], c[3][axis], axis, h)
        if not sure:
            s, touches = _advance(rows[j], p, v, c, best, A, V)
        if touches and s < (best if hit < 0 else best - SAME_MOMENT):
            best, hit = s, j
        elif not touches and s < best:  # the looks ran out: nothing is known beyond
            best, hit = s, -1
    return best, hit


@inlined
def _size(a):
    return math.sqrt(dot(a, a))


@inlined
def _face(s, low, high):
    """The axis across a flat surface whose face alone the path can touch, or -1."""
    if s["ring_radius"] > 0.0:
        return -1
    x, y, z = (
        (low[0] >= s["low"][0]) & (high[0] <= s["high"][0]),
        (low[1] >= s["low"][1]) & (high[1] <= s["high"][1]),
        ((low[2] >= s["low"][2]) & (high[2] <= s["high"][2])),
    )
    if x and y and s["low"][2] == s["high"][2]:
        return 2
    if x and z and s["low"][1] == s["high"][1]:
        return 1
    if y and z and s["low"][0] == s["high"][0]:
        return 0
    return -1


@inlined
def _fall(surface, p, v, c2, c3, c4, c5, axis, h):
    """(time, touches, sure) of a path that falls on a face: where the gap is concave it has one root at most.

    A concave gap open at both ends stays open; else Newton's method from where it falls cannot run away.
    """
    side = 1.0 if p > surface["low"][axis] else -1.0
    bend = 2.0 * side * c2 + h * (6.0 * abs(c3) + h * (12.0 * abs(c4) + h * 20.0 * abs(c5)))
    if bend >= 0.0:
        return 0.0, False, False
    start = side * (p - surface["low"][axis]) - surface["contact_distance"]
    if start <= TOUCH and side * v < 0.0:
        return 0.0, True, True
    v, c2, c3, c4, c5 = side * v, side * c2, side * c3, side * c4, side * c5
    if start + h * (v + h * (c2 + h * (c3 + h * (c4 + h * c5)))) >= -TOUCH:
        return h, False, True
    s = min(h, (v + math.sqrt(v * v - 4.0 * c2 * max(start, 0.0))) / (-2.0 * c2 + 1e-9))  # the parabola's root
    for _ in range(LOOKS):
        rate = v + s * (2.0 * c2 + s * (3.0 * c3 + s * (4.0 * c4 + s * 5.0 * c5)))
        if rate >= 0.0:
            return 0.0, False, False
        gap = start + s * (v + s * (c2 + s * (c3 + s * (c4 + s * c5))))
        step = gap / rate
        if abs(gap) <= TOUCH:  # one step more, but at the top of a hop as low as this it would lead anywhere
            return s - step if 0.0 <= s - step <= h else s, True, True
        s = min(max(s - step, 0.0), h)
    return 0.0, False, False


@kernel
def _advance(surface, p0, v0, c, h, A, V):
    """(time, True) of the first contact before h, or (how far the path is free, False)."""
    s = 0.0
    for _ in range(LOOKS):
        p = place(p0, v0, c, s)
        g, n = gap_and_normal(p, surface)
        if g > V * (h - s):
            return h, False
        rate = dot(slope(v0, c, s), n)
        if g <= TOUCH and rate < 0.0:
            return s, True
        g = max(g, 0.0)
        bound = A
        if surface["ring_radius"] > 0.0:
            x, y = p[0] - surface["low"][0], p[1] - surface["low"][1]
            level = math.sqrt(x * x + y * y) + 1e-12
            bound = A + 2.0 * V * V / level
        root = math.sqrt(rate * rate + 2.0 * bound * g)
        step = 2.0 * g / (root - rate) if rate < 0.0 else (rate + root) / bound
        if surface["ring_radius"] > 0.0:
            step = max(g / V, min(step, 0.5 * level / V))
        s += max(step, LEAST)
        if s >= h:
            return h, False
    return s, False


@kernel
def end_of_rectangle(s, p, v, a, h):
    """When a centre that moves at p + v t + a t^2 / 2 over the level rectangle s passes its end; h if not before."""
    for i in range(2):
        h = min(h, _reaches(p[i] - s["low"][i], v[i], a[i], h))
        h = min(h, _reaches(s["high"][i] - p[i], -v[i], -a[i], h))
    return h


@kernel
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
