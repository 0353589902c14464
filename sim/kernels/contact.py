"""A ball on a surface: where it touches, velocity and spin after a contact, when it stops bouncing, how it rolls.

The rigid-sphere impulse model: the normal impulse reverses the speed of approach by e, friction is at most mu times it
and at most what makes the contact point's speed -e_x times what it was (Garwin 1969, Brody 1984, Cross 2002).
Turf gives: it turns towards a fast ball, which meets it more squarely (Penner 2002).
A surface is a record of SURFACE_DTYPE (compiled_sport.py).
"""

import math

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.layout import IN_FLIGHT
from ballcast.sim.kernels.vectors import add_scaled, cross, dot, norm, scaled

SLIDING, ROLLING, RESTING = range(3)  # phases of a supported ball
MIN_REBOUND_SPEED = 0.03  # m/s: a ball that would leave more slowly does not bounce (a hop of 0.05 mm)
MIN_REBOUND_SPEED_SOFT = 0.3  # m/s: the same on a surface that gives (a hop of 5 mm: Penner)
CONTACT_TOLERANCE = 1e-10  # m, a gap that counts as contact
REST_DURATION = 1e9  # s
MIN_DEPTH = 1e-4  # m, by which a ball must be below the place where it lies to be put there


@inlined
def gap_and_normal(p, surface):
    """Distance from centre p to touching the surface, and the unit vector from the surface's closest point to p."""
    low, high, ring_radius = surface["low"], surface["high"], surface["ring_radius"]
    if ring_radius > 0.0:
        x, y = p[0] - low[0], p[1] - low[1]
        level = math.sqrt(x * x + y * y)
        k = 1.0 - ring_radius / level if level > 1e-12 else 1.0
        d = (k * x, k * y, p[2] - low[2]) if level > 1e-12 else (-ring_radius, 0.0, p[2] - low[2])
    else:
        d = (
            p[0] - min(max(p[0], low[0]), high[0]),
            p[1] - min(max(p[1], low[1]), high[1]),
            p[2] - min(max(p[2], low[2]), high[2]),
        )
    distance = norm(d)
    if distance < 1e-12:  # the centre is in the surface itself, which has no outward side: up
        return -surface["contact_distance"], (0.0, 0.0, 1.0)
    return distance - surface["contact_distance"], (d[0] / distance, d[1] / distance, d[2] / distance)


@inlined
def restitution(surface, factor, speed):
    """e at a speed of approach in m/s."""
    x = speed - surface["reference_speed"]
    e = surface["e"] + x * (surface["slope"] + x * surface["curvature"])
    return min(1.0, factor * min(max(e, surface["min"]), surface["max"]))


@inlined
def impulse_response(velocity, spin, n, R, inertia, rebound_speed, friction, tangential_restitution):
    """(velocity, spin) of a ball of radius R after contact with a surface of normal n."""
    vn = dot(velocity, n)
    arm = (-R * n[0], -R * n[1], -R * n[2])
    slip = add_scaled(add_scaled(velocity, -vn, n), 1.0, cross(spin, arm))
    speed = norm(slip)
    normal_impulse = rebound_speed - vn
    after = add_scaled(velocity, normal_impulse, n)
    if speed < 1e-12:
        return after, spin
    grip = (1.0 + tangential_restitution) * inertia / (1.0 + inertia) * speed
    impulse = scaled(-(min(grip, friction * normal_impulse) / speed), slip)
    return add_scaled(after, 1.0, impulse), add_scaled(spin, 1.0 / (inertia * R * R), cross(arm, impulse))


@inlined
def turned_normal(give, velocity, n):
    """The normal of a surface that gives, n where it does not: turned against the ball's motion along the surface.

    The angle is `give` (s/m) times the speed times the angle of incidence, and never more than that angle.
    """
    vn, speed = dot(velocity, n), norm(velocity)
    along = add_scaled(velocity, -vn, n)
    size = norm(along)
    if size < 1e-9:
        return n
    angle = min(give * speed, 1.0) * math.atan2(size, -vn)
    return add_scaled(scaled(math.cos(angle), n), -math.sin(angle) / size, along)


@inlined
def after_contact(sport, parameters, motion, surface, support, phase):
    """(velocity, spin, support, phase) after contact with surface number `surface`, and the surface's normal.

    The ball bounces; or is captured, and slides; or stays on what supports it; or leaves an edge with the least hop.
    """
    if sport.surfaces[surface]["give"] > 0.0:
        return _after_soft_contact(sport, parameters, motion, surface, support, phase)
    return _after_hard_contact(sport, parameters, motion, surface, support, phase)


@kernel
def _after_soft_contact(sport, parameters, motion, surface, support, phase):
    """See after_contact: on a surface that gives.

    Backspin may drive the ball into the ground that has turned: then it leaves the surface with the least hop.
    """
    record = sport.surfaces[surface]
    _, n = gap_and_normal(motion.position, record)
    factors = parameters.restitution, parameters.friction
    velocity, spin = soft_impulse(sport, record, factors, motion.velocity, motion.spin, n)
    if dot(velocity, n) < MIN_REBOUND_SPEED_SOFT and record["supports"] > 0.0 and n[2] > 1.0 - 1e-6:
        if _is_above_face(record, add_scaled(motion.position, 1e-6, motion.velocity)):
            return (velocity[0], velocity[1], 0.0), spin, surface, SLIDING, n
    velocity = add_scaled(velocity, max(0.0, MIN_REBOUND_SPEED - dot(velocity, n)), n)
    if support >= 0 and velocity[2] <= 0.0:
        return (velocity[0], velocity[1], 0.0), spin, support, SLIDING, n
    return velocity, spin, IN_FLIGHT, phase, n


@kernel
def soft_impulse(sport, surface, factors, velocity, spin, n):
    """(velocity, spin) after contact with a surface of normal n that gives; factors: of restitution, of friction."""
    turned = turned_normal(surface["give"], velocity, n)
    speed = max(0.0, -dot(velocity, turned))
    rebound_speed, friction = restitution(surface, factors[0], speed) * speed, factors[1] * surface["friction"]
    ball = velocity, spin, turned, sport.radius, sport.inertia
    return impulse_response(*ball, rebound_speed, friction, surface["tangential_restitution"])


@inlined
def _after_hard_contact(sport, parameters, motion, surface, support, phase):
    """See after_contact: on a surface that does not give."""
    record = sport.surfaces[surface]
    _, n = gap_and_normal(motion.position, record)
    speed = max(0.0, -dot(motion.velocity, n))
    rebound_speed = restitution(record, parameters.restitution, speed) * speed
    is_captured = False
    if rebound_speed < MIN_REBOUND_SPEED:
        is_level = record["supports"] > 0.0 and n[2] > 1.0 - 1e-6
        is_captured = is_level and _is_above_face(record, add_scaled(motion.position, 1e-6, motion.velocity))
        rebound_speed = 0.0 if is_captured else MIN_REBOUND_SPEED
    friction, grip = parameters.friction * record["friction"], record["tangential_restitution"]
    ball = motion.velocity, motion.spin, n, sport.radius, sport.inertia
    velocity, spin = impulse_response(*ball, rebound_speed, friction, grip)
    if is_captured:
        return (velocity[0], velocity[1], 0.0), spin, surface, SLIDING, n
    if support >= 0 and velocity[2] <= 0.0:
        return (velocity[0], velocity[1], 0.0), spin, support, SLIDING, n
    return velocity, spin, IN_FLIGHT, phase, n


@inlined
def _is_above_face(surface, p):
    """Whether a centre is above a level surface; one at the very end and on its way out is not."""
    low, high = surface["low"], surface["high"]
    return (low[0] <= p[0] <= high[0]) and (low[1] <= p[1] <= high[1])


@inlined
def onto_surface(sport, p):
    """The position p, or that on a level surface that supports a ball, where p is up to a radius below it.

    Trackers put balls on the ground a few centimetres too low, or at z = 0.
    """
    z = p[2]
    for j in range(len(sport.surfaces)):
        surface = sport.surfaces[j]
        if surface["supports"] > 0.0 and _is_above_face(surface, p):
            level = surface["high"][2]
            if level - sport.radius <= z < level + surface["contact_distance"] - MIN_DEPTH:
                z = level + surface["contact_distance"]
    return p[0], p[1], z


@inlined
def touches(surface, motion):
    """Whether a ball touches a surface and does not move away from it."""
    gap, n = gap_and_normal(motion.position, surface)
    return gap <= CONTACT_TOLERANCE and dot(motion.velocity, n) <= 0.0


@inlined
def note_contact(contacts, n, ball, surface, time, before, velocity, spin):
    """Fill record n of contacts (CONTACT_DTYPE), if there is one: the Motion before, velocity and spin after."""
    if n < len(contacts):
        contact = contacts[n]
        contact["ball"], contact["surface"], contact["time"] = ball, surface, time
        for k in range(3):
            contact["position"][k] = before.position[k]
            contact["velocity_before"][k], contact["velocity_after"][k] = before.velocity[k], velocity[k]
            contact["spin_before"][k], contact["spin_after"][k] = before.spin[k], spin[k]


@kernel
def rolling_rates(surface, R, inertia, gravity, friction_factor, phase, velocity, spin):
    """(acceleration, rate of change of spin, how long the phase lasts) of a ball of radius R on a level surface.

    SLIDING until its lowest point stands still, ROLLING until it stops, RESTING. Spin about the vertical decays
    throughout.
    """
    rolling_deceleration = surface["rolling_resistance"] * gravity
    rate_z = -math.copysign(rolling_deceleration / (inertia * R), spin[2]) if spin[2] != 0.0 else 0.0
    if phase == SLIDING:
        ux, uy = velocity[0] - R * spin[1], velocity[1] + R * spin[0]
        slip, friction = math.sqrt(ux * ux + uy * uy), friction_factor * surface["friction"] * gravity
        if slip == 0.0:
            return (0.0, 0.0, 0.0), (0.0, 0.0, rate_z), 0.0
        ax, ay = -friction * ux / slip, -friction * uy / slip
        duration = slip / (friction * (1.0 + 1.0 / inertia)) if friction > 0.0 else math.inf
        return (ax, ay, 0.0), (ay / (inertia * R), -ax / (inertia * R), rate_z), duration
    speed = math.sqrt(velocity[0] * velocity[0] + velocity[1] * velocity[1])
    if phase == ROLLING and speed > 0.0:
        ax, ay = -rolling_deceleration * velocity[0] / speed, -rolling_deceleration * velocity[1] / speed
        duration = speed / rolling_deceleration if rolling_deceleration > 0.0 else math.inf
        return (ax, ay, 0.0), (-ay / R, ax / R, rate_z), duration
    return (0.0, 0.0, 0.0), (0.0, 0.0, rate_z), 0.0 if phase == ROLLING else math.inf
