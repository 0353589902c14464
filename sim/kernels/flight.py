"""The flight of one ball: an event loop of steps through the air, contacts, and steps on the surface that supports it.

Every round takes the ball one step ahead: integrate, cut the step at its first contact, take the tangent along, deliver
the frames that fall into the step, go through the contact. The lanes (lanes.py) do the same for many balls at once.

The tangent (tangent.py) is the exact derivative of these steps by the launch. At a contact it follows the change of the
contact's moment, on edges and rings too. A jump from hit to miss has no derivative: near it the tangent is that of the
side on which the ball is.
"""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.aerodynamics import acceleration, integrate
from ballcast.sim.kernels.air_tangent import note_stages, tangent_step
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.contact import (
    REST_DURATION,
    RESTING,
    ROLLING,
    SLIDING,
    after_contact,
    gap_and_normal,
    note_contact,
    onto_surface,
    rolling_rates,
    touches,
)
from ballcast.sim.kernels.detection import MIN_ADVANCE, first_contact, time_to_edge
from ballcast.sim.kernels.dormand_prince import next_scale, step_length
from ballcast.sim.kernels.layout import (
    CONTACT_DTYPE,
    FINE,
    IN_FLIGHT,
    LAID_TO_REST,
    FlightEnd,
    Motion,
    parameters_of,
)
from ballcast.sim.kernels.quintic import (
    interpolate,
    interpolate_position,
    interpolate_velocity,
    quintic_bounds,
    quintic_coefficients,
)
from ballcast.sim.kernels.tangent import (
    aligned_tangent,
    change_phase,
    commit_step,
    position_jacobian,
    saltation,
    seed_launch,
    soft_saltation,
    state_jacobian,
    stop_tangent,
    tangent_roll,
)
from ballcast.sim.kernels.vectors import add_scaled, dot, norm, scaled

MAX_CONTACTS_FITTED = 200  # of one ball: a wedged one, as a bad guess of a fit can be, is laid to rest
GRIP_SPEED = 1e-9  # m/s, of the contact point
END_MARGIN = 1e-12  # s, and a fraction: the last step ends a little after the last frame
WHOLE, TO_CONTACT, FOR_STAGES = range(3)  # what a step through the air is made for
UNBOUNDED = (-math.inf, -math.inf, -math.inf), (math.inf, math.inf, math.inf)


@kernel
def fly_ball(sport, launch, times, tangent, trajectory, jacobian, contacts):
    """Fly one ball of a CompiledSport to times[-1]: its FlightEnd.

    launch (LAUNCH_SIZE,): see layout.py. trajectory (T, 6) gets position and velocity at times (T,), (T, 3) position
    alone, (T, 0) nothing. tangent: that of the launch, afterwards that of the state at times[-1]; jacobian
    (T, 3, COLUMNS or LAUNCH_SIZE) gets that of the positions; where tangent is empty, neither is computed. contacts
    (n,) CONTACT_DTYPE gets the first contacts.
    """
    parameters, sport, tangent = parameters_of(launch), borrowed(sport), borrowed(tangent)
    motion, support, phase = _initial_state(sport, parameters, launch, tangent)
    t, k, count, scale, status, end_time, with_tangent = 0.0, 0, 0, 1.0, FINE, times[-1], len(tangent) > 0
    first, last = math.inf, -math.inf
    while True:
        next_phase = phase
        if support >= 0:
            motion, end, h, surface, next_phase = rolling_step(sport, parameters.friction, motion, support, phase)
            if with_tangent:
                tangent_roll(sport, parameters.friction, motion, h, support, phase, next_phase, tangent)
        else:
            h = scale * step_length(sport.aero, _relative_velocity(parameters, motion.velocity))
            h = min(h, (end_time - t) * (1.0 + END_MARGIN) + END_MARGIN)
            end, h, surface, is_accepted, scale = _step_in_air(sport, parameters, motion, h, scale, tangent)
            if not is_accepted:
                continue
            if with_tangent:
                tangent_step(sport.drag_model, sport.aero, parameters[:2], motion.spin, h, tangent)
        k = _deliver(motion, end, h, t, times, k, trajectory, tangent, jacobian)
        if not t + h < end_time:  # NaN ends it too
            f = (end_time - t) / h
            position, velocity = interpolate(motion, end, f, h)
            if with_tangent:
                state_jacobian(tangent, f, h)
            spin = add_scaled(scaled(1.0 - f, motion.spin), f, end.spin)
            return FlightEnd(position, velocity, spin, count, first, last, status)
        if with_tangent:
            if support >= 0:
                change_phase(tangent)
            commit_step(tangent)
        t, motion, phase = t + h, end, next_phase
        if surface >= 0 and surface != support:
            after, support, phase = _apply_contact(sport, parameters, motion, surface, support, phase, tangent)
            note_contact(contacts, count, 0, surface, t, motion, after.velocity, after.spin)
            motion, count, first, last = after, count + 1, min(first, t), t
            if count > MAX_CONTACTS_FITTED:
                motion, support, phase, status = at_rest(motion.position), surface, RESTING, LAID_TO_REST
                stop_tangent(tangent)
        elif surface != support:
            motion, support = airborne(sport, parameters, motion), IN_FLIGHT


@kernel
def linearise_flights(sport, launches, times, out, status):
    """Jacobians of positions, out (B, T, 3, LAUNCH_SIZE), of B flights at times (1 or B, T); status (B,)."""
    tangent, trajectory, contacts = aligned_tangent(), np.empty((times.shape[1], 0)), np.empty(0, CONTACT_DTYPE)
    for b in range(len(launches)):
        seed_launch(tangent)
        row = times[b if len(times) > 1 else 0]
        status[b] = fly_ball(sport, launches[b], row, tangent, trajectory, out[b], contacts).status


@inlined
def _initial_state(sport, parameters, launch, tangent):
    """(Motion, support, phase) at t = 0, after contacts with what the ball touches and does not leave."""
    position = onto_surface(sport, (launch[0], launch[1], launch[2]))
    velocity, spin = (launch[3], launch[4], launch[5]), (launch[6], launch[7], launch[8])
    motion = Motion(position, velocity, spin, (0.0, 0.0, 0.0))
    support, phase = np.int64(IN_FLIGHT), np.int64(SLIDING)  # a literal would be another type to numba
    for j in range(len(sport.surfaces)):
        if touches(sport.surfaces[j], motion):
            motion, support, phase = _apply_contact(sport, parameters, motion, j, support, phase, tangent)
    return airborne(sport, parameters, motion), support, phase


@inlined
def air_step(sport, parameters, start, h):
    """(Motion at the end, error of the velocity) of a step of length h through the air."""
    end, error, _ = air_step_stages(sport, parameters, start, h)
    return end, error


@inlined
def air_step_stages(sport, parameters, start, h):
    """What `air_step` returns, and the stages of the step: see dormand_prince_step."""
    drag, lift, wx, wy = parameters.drag, parameters.lift, parameters.wind_x, parameters.wind_y
    u = _relative_velocity(parameters, start.velocity)
    d, dv, spin_factor, a, error, stages = integrate(sport, h, drag, lift, start.acceleration, u, start.spin)
    p = start.position
    position = p[0] + d[0] + h * wx, p[1] + d[1] + h * wy, p[2] + d[2]
    end = Motion(position, add_scaled(start.velocity, 1.0, dv), scaled(spin_factor, start.spin), a)
    return end, error, stages


@inlined
def step_to_contact(sport, parameters, start, surface, t):
    """(Motion at the end, length, surface or IN_FLIGHT) of a step to a contact, which the quintic put at time t.

    surface: the one met; IN_FLIGHT where the path is only known to be free until t, or grazes.
    """
    h = max(t, MIN_ADVANCE)  # a path that grazes at its very start moves on; a true contact there is stepped back to
    end, _ = air_step(sport, parameters, start, h)
    return onto_contact(sport, end, h, surface)


@inlined
def onto_contact(sport, end, h, surface):
    """(Motion, length, surface or IN_FLIGHT) of a step of length h that ends close to a surface, taken to it."""
    if surface >= 0:  # the quintic differs a little from the step: one Newton step to the surface
        gap, n = gap_and_normal(end.position, sport.surfaces[surface])
        rate = dot(end.velocity, n)
        if rate < 0.0:
            more = max(min(max(-gap / rate, -1e-4), 1e-4), -h)
            mean_velocity = add_scaled(end.velocity, 0.5 * more, end.acceleration)
            velocity = add_scaled(end.velocity, more, end.acceleration)
            end = Motion(add_scaled(end.position, more, mean_velocity), velocity, end.spin, end.acceleration)
            h += more
        else:  # it grazes by less than the quintic can resolve
            surface = IN_FLIGHT
    return end, h, surface


@kernel
def rolling_step(sport, friction_factor, motion, support, phase):
    """A step on surface `support` to the end of the phase, to a contact, or to the surface's edge.

    (Motion at its start, with the acceleration throughout; at its end; its length; the surface met, IN_FLIGHT at the
    edge, else `support`; the phase then)
    """
    p, v, w, surfaces, R = motion.position, motion.velocity, motion.spin, sport.surfaces, sport.radius
    ball = surfaces[support], R, sport.inertia, sport.aero.gravity
    a, dw, phase_duration = rolling_rates(*ball, friction_factor, phase, v, w)
    spin_down_time = -w[2] / dw[2] if dw[2] != 0.0 else REST_DURATION
    h = min(min(phase_duration, spin_down_time), REST_DURATION)
    start, surface = Motion(p, v, w, a), support
    if phase != RESTING and h > 0.0:
        none = (0.0, 0.0, 0.0)
        edge = time_to_edge(surfaces[support], p, v, a, h)
        path = start, (scaled(0.5, a), none, none, none)
        h, other = first_contact(surfaces, sport.boxes, support, UNBOUNDED, *path, edge)
        if other >= 0:
            surface = other
        elif h == edge and edge < min(phase_duration, spin_down_time):
            surface = IN_FLIGHT
    velocity, spin = add_scaled(v, h, a), add_scaled(w, h, dw)
    if h >= spin_down_time:
        spin = (spin[0], spin[1], 0.0)
    if surface == support and h >= phase_duration:
        phase += 1
        velocity = velocity if phase == ROLLING else (0.0, 0.0, 0.0)
        spin = (-velocity[1] / R, velocity[0] / R, spin[2])
    return start, Motion(add_scaled(add_scaled(p, h, v), 0.5 * h * h, a), velocity, spin, a), h, surface, phase


@inlined
def airborne(sport, parameters, motion):
    """The Motion with the acceleration that it has in the air."""
    a = acceleration(sport, parameters, motion.velocity, motion.spin)
    return Motion(motion.position, motion.velocity, motion.spin, a)


@inlined
def at_rest(position):
    """The Motion of a ball that rests there."""
    return Motion(position, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


@inlined
def _relative_velocity(parameters, velocity):
    return velocity[0] - parameters.wind_x, velocity[1] - parameters.wind_y, velocity[2]


@inlined
def _step_in_air(sport, parameters, start, h, scale, tangent):
    """A step of length h at that scale, cut at its first contact if there is one; a tangent gets its stages.

    (Motion at the end, length, surface met or IN_FLIGHT, whether the step is accepted, the next scale). One call stands
    for the whole step, the step to the contact, and that again at its final length: a step is much code to compile.
    """
    end, surface, is_accepted, attempt = start, np.int64(IN_FLIGHT), True, WHOLE
    while True:
        reached, error, stages = air_step_stages(sport, parameters, start, h)
        if len(tangent) > 0:
            note_stages(stages, tangent)
        if attempt == WHOLE:
            end = reached
            is_accepted, scale = next_scale(sport.aero, scale, error)
            t, surface = _first_contact(sport, start, end, h) if is_accepted else (h, surface)
            if t >= h:
                surface = np.int64(IN_FLIGHT)
                break
            h, attempt = max(t, MIN_ADVANCE), TO_CONTACT
        elif attempt == TO_CONTACT:
            end, h, surface = onto_contact(sport, reached, h, surface)
            if len(tangent) == 0:
                break
            attempt = FOR_STAGES
        else:
            break
    return end, h, surface, is_accepted, scale


@inlined
def _first_contact(sport, start, end, h):
    """(time, surface) of the first contact within a step of length h; h where there is none."""
    low, high = quintic_bounds(start, end, h)
    boxes, is_near = sport.boxes, False
    for j in range(len(boxes)):
        box = boxes[j]
        is_apart = (low[0] > box[3]) | (low[1] > box[4]) | (low[2] > box[5])
        is_apart |= (high[0] < box[0]) | (high[1] < box[1]) | (high[2] < box[2])
        is_near |= not is_apart
    if not is_near:
        return h, IN_FLIGHT
    path = start, quintic_coefficients(start, end, h)
    return first_contact(sport.surfaces, boxes, IN_FLIGHT, (low, high), *path, h)


@inlined
def _deliver(start, end, h, t, times, k, trajectory, tangent, jacobian):
    """Write the frames from number k on that fall into the step; the number of the first frame after it."""
    while k < len(times) and times[k] <= t + h:
        f = (times[k] - t) / h if h > 0.0 else 0.0
        if trajectory.shape[1] > 0:
            position = interpolate_position(start, end, f, h)
            for i in range(3):
                trajectory[k, i] = position[i]
        if trajectory.shape[1] > 3:
            velocity = interpolate_velocity(start, end, f, h)
            for i in range(3):
                trajectory[k, 3 + i] = velocity[i]
        if len(tangent) > 0:
            position_jacobian(tangent, f, h, jacobian, k)
        k += 1
    return k


@kernel
def _apply_contact(sport, parameters, motion, surface, support, phase, tangent):
    """(Motion, support, phase) after contact with a surface; the tangent is taken through it."""
    velocity, spin, next_support, next_phase, n = after_contact(sport, parameters, motion, surface, support, phase)
    a, spin_rate = _time_derivatives(sport, parameters, next_support, next_phase, velocity, spin)
    after = Motion(motion.position, velocity, spin, a)
    if len(tangent) > 0:
        a, rate_before = _time_derivatives(sport, parameters, support, phase, motion.velocity, motion.spin)
        before = Motion(motion.position, motion.velocity, motion.spin, a)
        record, change = sport.surfaces[surface], ((before, rate_before), (after, spin_rate))
        if record["give"] > 0.0:
            soft_saltation(sport, parameters, record, n, *change, tangent)
        else:
            saltation(sport, parameters, record, next_support == surface, n, *change, tangent)
    return after, next_support, next_phase


@kernel
def _time_derivatives(sport, parameters, support, phase, velocity, spin):
    """Acceleration and rate of change of spin, in the air or on a surface."""
    R = sport.radius
    if support >= 0:
        if phase == SLIDING and abs(velocity[0] - R * spin[1]) + abs(velocity[1] + R * spin[0]) < GRIP_SPEED:
            phase = ROLLING  # it grips: what is left of its slip is rounding, and has no direction
        ball = sport.surfaces[support], R, sport.inertia, sport.aero.gravity
        a, spin_rate, _ = rolling_rates(*ball, parameters.friction, phase, velocity, spin)
        return a, spin_rate
    decay = -sport.aero.spin_decay * norm(_relative_velocity(parameters, velocity))
    return acceleration(sport, parameters, velocity, spin), scaled(decay, spin)
