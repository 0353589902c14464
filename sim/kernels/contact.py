"""Velocity and spin after a contact: slip or grip; when a ball stops bouncing; how it rolls.

The rigid-sphere impulse model: the normal impulse reverses the speed of approach by e, friction is at most mu times it
and at most what makes the contact point's speed -e_x times what it was (Garwin 1969, Brody 1984, Cross 2002).
Vectors are tuples of three. Here too: the surfaces as rows for compiled code, and the place where a ball touches one.
"""

import math

from ballcast.sim.jit import inlined, kernel

SKID, ROLL, REST = range(3)
V_STOP = 0.03  # m/s: a ball that would leave more slowly than this does not bounce (a hop of 0.05 mm)


@inlined
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@inlined
def along(a, k, b):
    """a + k b"""
    return a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2]


@inlined
def gap_and_normal(p, s):
    """Distance from centre p to touching surface s, and the unit vector from the surface's closest point to p."""
    if s["ring_radius"] > 0.0:
        x, y = p[0] - s["low"][0], p[1] - s["low"][1]
        level = math.sqrt(x * x + y * y)
        k = 1.0 - s["ring_radius"] / level if level > 1e-12 else 1.0
        d = (k * x, k * y, p[2] - s["low"][2]) if level > 1e-12 else (-s["ring_radius"], 0.0, p[2] - s["low"][2])
    else:
        d = (
            p[0] - min(max(p[0], s["low"][0]), s["high"][0]),
            p[1] - min(max(p[1], s["low"][1]), s["high"][1]),
            p[2] - min(max(p[2], s["low"][2]), s["high"][2]),
        )
    distance = math.sqrt(dot(d, d))
    if distance < 1e-12:  # the centre is in the surface itself: no side to push to but up
        return -s["contact_distance"], (0.0, 0.0, 1.0)
    return distance - s["contact_distance"], (d[0] / distance, d[1] / distance, d[2] / distance)


@inlined
def restitution(s, factor, vn):
    """e at speed of approach vn."""
    x = vn - s["reference_speed"]
    return min(1.0, factor * min(max(s["e"] + x * (s["slope"] + x * s["curvature"]), s["min"]), s["max"]))


@inlined
def bounce(v, w, n, R, inertia, leave, mu, e_x):
    """(v', w') of a ball that meets a surface of normal n and leaves along it at speed `leave` = e |v.n|."""
    vn = dot(v, n)
    arm = (-R * n[0], -R * n[1], -R * n[2])
    u = along(along(v, -vn, n), 1.0, cross(w, arm))
    speed = math.sqrt(dot(u, u))
    jn = leave - vn
    after = along(v, jn, n)
    if speed < 1e-12:
        return after, w
    jt = min((1.0 + e_x) * inertia / (1.0 + inertia) * speed, mu * jn) / speed
    impulse = (-jt * u[0], -jt * u[1], -jt * u[2])
    return along(after, 1.0, impulse), along(w, 1.0 / (inertia * R * R), cross(arm, impulse))


@inlined
def note_contact(contacts, n, ball, surface, time, position, velocity, after, spin, spin_after):
    """Fill record n of contacts (CONTACT_DTYPE), if there are so many."""
    if n < len(contacts):
        c = contacts[n]
        c["ball"], c["surface"], c["time"] = ball, surface, time
        for k in range(3):
            c["position"][k], c["velocity_before"][k], c["velocity_after"][k] = position[k], velocity[k], after[k]
            c["spin_before"][k], c["spin_after"][k] = spin[k], spin_after[k]


@kernel
def _over(s, p):
    """Whether a centre is above the face: one at the very end and on its way out is not carried any more."""
    return (s["low"][0] <= p[0] <= s["high"][0]) and (s["low"][1] <= p[1] <= s["high"][1])


@inlined
def meet(s, p, v, w, n, R, inertia, e_factor, mu_factor):
    """(v', w', stays) after contact with surface s: a bounce, the start of rolling, or the least hop off an edge."""
    vn = max(0.0, -dot(v, n))
    leave = restitution(s, e_factor, vn) * vn
    stays = False
    if leave < V_STOP:
        stays = s["supports"] > 0.0 and n[2] > 1.0 - 1e-6 and _over(s, along(p, 1e-6, v))
        leave = 0.0 if stays else V_STOP
    after, spin = bounce(v, w, n, R, inertia, leave, mu_factor * s["friction"], s["tangential_restitution"])
    if stays:
        after = (after[0], after[1], 0.0)
    return after, spin, stays


@kernel
def roll(s, v, w, R, inertia, gravity, mu_factor, phase):
    """(acceleration, rate of change of spin, how long the phase lasts) of a ball on a level surface.

    SKID until its lowest point stands still, ROLL until it stops, REST. Spin about the upright dies out all the while.
    """
    brake = s["rolling_resistance"] * gravity
    rate_z = -math.copysign(brake / (inertia * R), w[2]) if w[2] != 0.0 else 0.0
    if phase == SKID:
        ux, uy = v[0] - R * w[1], v[1] + R * w[0]
        slip, friction = math.sqrt(ux * ux + uy * uy), mu_factor * s["friction"] * gravity
        if slip == 0.0:
            return (0.0, 0.0, 0.0), (0.0, 0.0, rate_z), 0.0
        ax, ay = -friction * ux / slip, -friction * uy / slip
        lasts = slip / (friction * (1.0 + 1.0 / inertia)) if friction > 0.0 else math.inf
        return (ax, ay, 0.0), (ay / (inertia * R), -ax / (inertia * R), rate_z), lasts
    speed = math.sqrt(v[0] * v[0] + v[1] * v[1])
    if phase == ROLL and speed > 0.0:
        ax, ay = -brake * v[0] / speed, -brake * v[1] / speed
        return (ax, ay, 0.0), (-ay / R, ax / R, rate_z), speed / brake if brake > 0.0 else math.inf
    return (0.0, 0.0, 0.0), (0.0, 0.0, rate_z), 0.0 if phase == ROLL else math.inf
