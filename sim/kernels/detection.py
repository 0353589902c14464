"""When a ball first touches a surface: conservative advancement along the path of one step.

From a gap g that closes at rate g', no contact can come before g + g' t - A t^2 / 2 falls to zero, where A bounds
the acceleration: the distance to a convex body is convex along a line. To advance by such times never passes a contact,
however shallow, and close to one it converges as Newton's method does. A ring is not convex: A grows by what its
curvature adds.
"""

import math

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.contact import CONTACT_TOLERANCE, gap_and_normal
from ballcast.sim.kernels.quintic import quintic_position, quintic_velocity
from ballcast.sim.kernels.vectors import dot, norm

MIN_ADVANCE = 1e-7  # s: a ball that touches and does not approach moves on
MAX_ITERATIONS = 80
BOX_MARGIN = 1e-4  # m: more than a lane's numbers are rounded by
SIMULTANEITY_TOLERANCE = 1e-11  # s; of contacts closer than this the first surface of the list wins


@inlined
def first_contact(surfaces, boxes, excluded, bounds, start, c, h):
    """(time, surface) of the first contact before h on the path with coefficients c, or (how far it is free, -1).

    boxes (S, 6): those that a centre must enter to touch the surfaces; excluded: a surface that does not count; bounds:
    low and high corners of a box that holds the path.
    """
    A = 1e-9 + 2.0 * norm(c[0]) + h * (6.0 * norm(c[1]) + h * (12.0 * norm(c[2]) + h * 20.0 * norm(c[3])))
    V = norm(start.velocity) + A * h
    best, contact_surface = h, -1
    for j in range(len(surfaces)):
        if j == excluded or _is_apart(boxes[j], bounds[0], bounds[1]):
            continue
        axis = _exposed_face_axis(surfaces[j], bounds[0], bounds[1])
        t, has_contact, is_decided = 0.0, False, False
        if axis >= 0:
            t, has_contact, is_decided = _face_contact_time(surfaces[j], start, c, axis, h)
        if not is_decided:
            t, has_contact = _conservative_advancement(surfaces[j], start, c, best, A, V)
        if has_contact and t < (best if contact_surface < 0 else best - SIMULTANEITY_TOLERANCE):
            best, contact_surface = t, j
        elif not has_contact and t < best:  # the iterations ran out: nothing is known beyond
            best, contact_surface = t, -1
    return best, contact_surface


@inlined
def _is_apart(box, low, high):
    """Whether two boxes are further apart than the rounding of a lane's numbers."""
    is_apart = (low[0] > box[3] + BOX_MARGIN) | (low[1] > box[4] + BOX_MARGIN) | (low[2] > box[5] + BOX_MARGIN)
    is_apart |= (high[0] < box[0] - BOX_MARGIN) | (high[1] < box[1] - BOX_MARGIN) | (high[2] < box[2] - BOX_MARGIN)
    return is_apart


@inlined
def _exposed_face_axis(surface, low, high):
    """The axis across a flat surface whose face alone the path can touch, or -1."""
    if surface["ring_radius"] > 0.0:
        return -1
    below, above = surface["low"], surface["high"]
    x = (low[0] >= below[0]) & (high[0] <= above[0])
    y = (low[1] >= below[1]) & (high[1] <= above[1])
    z = (low[2] >= below[2]) & (high[2] <= above[2])
    if x and y and below[2] == above[2]:
        return 2
    if x and z and below[1] == above[1]:
        return 1
    if y and z and below[0] == above[0]:
        return 0
    return -1


@inlined
def face_axis(surface, low, high):
    """(the axis across a flat surface, or -1; whether a path within low and high corners can touch its face alone)."""
    axis = _exposed_face_axis(surface, low, high)
    if axis >= 0 or surface["ring_radius"] > 0.0:
        return axis, axis >= 0
    for k in range(3):
        if surface["low"][k] == surface["high"][k]:
            axis = k
    return axis, False


@inlined
def _face_contact_time(surface, start, c, axis, h):
    """(time, whether there is a contact, whether that is certain) of a path towards a face.

    Where the gap is concave it has one root at most: a concave gap that is open at both ends stays open, else Newton's
    method from above cannot run away.
    """
    p, v, level = start.position[axis], start.velocity[axis], surface["low"][axis]
    c2, c3, c4, c5 = c[0][axis], c[1][axis], c[2][axis], c[3][axis]
    side = 1.0 if p > level else -1.0
    bend = 2.0 * side * c2 + h * (6.0 * abs(c3) + h * (12.0 * abs(c4) + h * 20.0 * abs(c5)))
    if bend >= 0.0:
        return 0.0, False, False
    gap0 = side * (p - level) - surface["contact_distance"]
    if gap0 <= CONTACT_TOLERANCE and side * v < 0.0:
        return 0.0, True, True
    v, c2, c3, c4, c5 = side * v, side * c2, side * c3, side * c4, side * c5
    if gap0 + h * (v + h * (c2 + h * (c3 + h * (c4 + h * c5)))) >= -CONTACT_TOLERANCE:
        return h, False, True
    t = min(h, (v + math.sqrt(v * v - 4.0 * c2 * max(gap0, 0.0))) / (-2.0 * c2 + 1e-9))  # the parabola's root
    for _ in range(MAX_ITERATIONS):
        rate = v + t * (2.0 * c2 + t * (3.0 * c3 + t * (4.0 * c4 + t * 5.0 * c5)))
        if rate >= 0.0:
            return 0.0, False, False
        gap = gap0 + t * (v + t * (c2 + t * (c3 + t * (c4 + t * c5))))
        step = gap / rate
        if abs(gap) <= CONTACT_TOLERANCE:  # one more step; at the top of a very low hop it may go astray
            return t - step if 0.0 <= t - step <= h else t, True, True
        t = min(max(t - step, 0.0), h)
    return 0.0, False, False


@kernel
def _conservative_advancement(surface, start, c, h, A, V):
    """(time, True) of the first contact before h, or (how far the path is free, False); A, V bound its motion."""
    t, ring_radius = 0.0, surface["ring_radius"]
    for _ in range(MAX_ITERATIONS):
        p = quintic_position(start, c, t)
        gap, n = gap_and_normal(p, surface)
        if gap > V * (h - t):
            return h, False
        rate = dot(quintic_velocity(start, c, t), n)
        if gap <= CONTACT_TOLERANCE and rate < 0.0:
            return t, True
        gap = max(gap, 0.0)
        bound = A
        if ring_radius > 0.0:
            x, y = p[0] - surface["low"][0], p[1] - surface["low"][1]
            level = math.sqrt(x * x + y * y) + 1e-12
            bound = A + 2.0 * V * V / level
        root = math.sqrt(rate * rate + 2.0 * bound * gap)
        step = 2.0 * gap / (root - rate) if rate < 0.0 else (rate + root) / bound
        if ring_radius > 0.0:
            step = max(gap / V, min(step, 0.5 * level / V))
        t += max(step, MIN_ADVANCE)
        if t >= h:
            return h, False
    return t, False


@kernel
def time_to_edge(surface, p, v, a, h):
    """When a centre at p + v t + a t^2 / 2 over a level surface passes its edge; h if not before."""
    for i in range(2):
        h = min(h, _time_to_boundary(p[i] - surface["low"][i], v[i], a[i], h))
        h = min(h, _time_to_boundary(surface["high"][i] - p[i], -v[i], -a[i], h))
    return h


@kernel
def _time_to_boundary(distance, v, a, h):
    """The first t in [0, h] at which distance + v t + a t^2 / 2 falls through zero, or h."""
    if distance <= 0.0:
        return 0.0 if v < 0.0 or (v == 0.0 and a < 0.0) else h
    discriminant = v * v - 2.0 * a * distance
    if discriminant < 0.0:
        return h
    root = math.sqrt(discriminant)
    if v < 0.0:
        t = 2.0 * distance / (root - v)
    elif a < 0.0:
        t = (v + root) / -a
    else:
        return h
    return min(t, h)
