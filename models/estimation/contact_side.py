"""Before a contact or after it: the velocity of a ball that may be touching a surface right now. Compiled.

A component is on one side of a contact, and knows the velocity of that side. Where its distance from the surface is
uncertain, the ball may be on the other side. Forecasts do not depend on it: both paths meet at the surface. The
velocity at this moment does. `jump` is what the mixture's covariance of velocity and spin lacks.
"""

import math

import numpy as np

from ballcast.models.estimation.mixture import COMPONENTS, DEAD, LOG_WEIGHT, ROW
from ballcast.models.estimation.unknowns import UNKNOWNS, seed_unknowns, to_launch
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.contact import gap_and_normal, note_contact, onto_surface, touches
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE, Motion
from ballcast.sim.kernels.tangent import COLUMNS, TANGENT_SIZE

MAX_GAP_SD = 5.0  # a ball is on its own side of a surface that is farther away
GAP_SD_FACTOR = 1.1  # the tails of the position are longer than a Gaussian's
MIN_SPEED, AFTER = 0.03, 2e-4  # m/s, s: a contact ahead is flown through until so long after it
MIN_FACTOR_WITH_SPREAD = 1e-3  # with less, the spread of the velocity after the contact does not count
MAX_ROLLING = 0.5  # probability: a ball that rolls touches all the time


@kernel
def note_contact_side(sport, state, before):
    """Set state.jump (6, 6), (m/s, rad/s)^2, by the velocity and spin `before`, six numbers, of the previous frame."""
    for k in range(6):
        for j in range(6):
            state.jump[k, j] = 0.0
    if state.rolling > MAX_ROLLING:
        return
    x, P, nearest_gap, smallest, normal = state.x, state.P, 0.0, MAX_GAP_SD, (0.0, 0.0, 1.0)
    reach = MAX_GAP_SD * math.sqrt(max(P[0, 0], P[1, 1], P[2, 2]))
    for j in range(len(sport.boxes)):
        box = sport.boxes[j]
        is_near = True
        for k in range(3):
            is_near &= box[k] - reach < x[k] < box[3 + k] + reach
        if is_near:
            gap, n = gap_and_normal((x[0], x[1], x[2]), sport.surfaces[j])
            distance = abs(gap) / math.sqrt(_variance_along(P, n) + 1e-12)
            if distance < smallest:
                nearest_gap, smallest, normal = gap, distance, n
    if smallest < MAX_GAP_SD:
        _fill_jump(sport, state, before, nearest_gap, normal)


@inlined
def _variance_along(P, n):
    """n^T P n of a covariance's first three rows."""
    variance = P[0, 0] * n[0] * n[0] + P[1, 1] * n[1] * n[1] + P[2, 2] * n[2] * n[2]
    return variance + 2.0 * (P[1, 0] * n[0] * n[1] + P[2, 0] * n[0] * n[2] + P[2, 1] * n[1] * n[2])


@kernel
def _fill_jump(sport, state, before, gap, n):
    """Set state.jump from the other side of a contact with a surface, whose normal is n."""
    x, jump, other = state.x, state.jump[:], np.zeros(6)
    share, probability = _after(state, gap, n)
    factor = (1.0 - 2.0 * share) * (probability - share)
    if not factor > 0.0:
        return
    if share > 0.5:  # the mean is after the contact: the velocity before it is that of the previous frame
        if before[0] * n[0] + before[1] * n[1] + before[2] * n[2] > 0.0:
            return
        for k in range(6):
            other[k] = before[k]
    elif not _bounce(sport, state, gap, n, factor > MIN_FACTOR_WITH_SPREAD, other, jump):
        return
    for k in range(6):
        for j in range(6):
            jump[k, j] = factor * (jump[k, j] + (other[k] - x[3 + k]) * (other[j] - x[3 + j]))


@kernel
def _bounce(sport, state, gap, n, with_spread, other, covariance):
    """Fill velocity and spin after the contact ahead, other (6,), and their covariance (6, 6), which is left as it is
    without spread. Returns False if there is no contact."""
    x, times, contacts = np.empty(UNKNOWNS), np.empty(1), np.empty(1, CONTACT_DTYPE)
    tangent = np.zeros(TANGENT_SIZE)[: TANGENT_SIZE if with_spread else 0]
    for k in range(UNKNOWNS):
        x[k] = state.x[k]
    times[0] = max(gap, 0.0) / max(-(x[3] * n[0] + x[4] * n[1] + x[5] * n[2]), MIN_SPEED) + AFTER
    launch = to_launch(x)
    if with_spread:
        seed_unknowns(tangent, launch)
    paths = np.empty((1, 6)), np.empty((1, 3, UNKNOWNS))
    flight = fly_ball(sport, launch, times, tangent, *paths, contacts)
    for k in range(3):
        other[k], other[3 + k] = flight.velocity[k], flight.spin[k]
    if with_spread:
        motion_covariance(tangent, state.P, covariance)
    return flight.contact_count > 0 or touches_at_start(sport, x, contacts)


@inlined
def motion_covariance(tangent, P, covariance):
    """Fill the covariance (6, 6) of velocity and spin that a tangent makes of a covariance P (16, 16)."""
    F = tangent[3 * COLUMNS : 9 * COLUMNS].reshape(6, COLUMNS)[:, :UNKNOWNS].copy()
    covariance[:] = F @ P.copy() @ F.T


@kernel
def touches_at_start(sport, x, contacts):
    """Whether a flight from x (16,) begins with a contact, which fly_ball does not count; contacts (1,) gets it."""
    for j in range(len(sport.boxes)):
        box, is_near = sport.boxes[j], True
        for k in range(3):
            is_near &= box[k] - sport.radius < x[k] < box[3 + k] + sport.radius
        if is_near:
            velocity, spin, none = (x[3], x[4], x[5]), (x[6], x[7], x[8]), (0.0, 0.0, 0.0)
            motion = Motion(onto_surface(sport, (x[0], x[1], x[2])), velocity, spin, none)
            if touches(sport.surfaces[j], motion):
                note_contact(contacts, 0, 0, j, 0.0, motion, velocity, spin)
                return True
    return False


@kernel
def _after(state, gap, n):
    """(weight of the components that move away from the surface, probability that the contact is over)."""
    s, x, total, share, probability = state.components[:], state.x, 0.0, 0.0, 0.0
    origin = state.origin
    for i in range(COMPONENTS):
        if s[LOG_WEIGHT, i] > DEAD:
            weight, variance, distance = math.exp(s[LOG_WEIGHT, i]), 0.0, gap
            for k in range(3):
                distance += n[k] * (s[k, i] + origin[k] - x[k])
                for j in range(3):
                    variance += n[k] * n[j] * s[ROW[k, j], i]
            sd = GAP_SD_FACTOR * math.sqrt(max(variance, 1e-12))
            own_side = 0.5 * math.erfc(-distance / sd * math.sqrt(0.5))
            is_after = s[3, i] * n[0] + s[4, i] * n[1] + s[5, i] * n[2] > 0.0
            total += weight
            share += weight if is_after else 0.0
            probability += weight * (own_side if is_after else 1.0 - own_side)
    return share / total, probability / total
