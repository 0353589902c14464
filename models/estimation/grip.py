"""Grip or slip: a component whose ball may do either at a contact is split into both. Compiled.

The tangential impulse of a contact is what lets the contact point grip, at most friction's. Their difference D is taken
to be linear in the unknowns: the halves are the component given that D is below zero, and given that it is above.
"""

import math

import numpy as np

from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.contact import gap_and_normal, restitution
from ballcast.sim.kernels.layout import FRICTION, RESTITUTION
from ballcast.sim.kernels.vectors import add_scaled, cross, dot, norm, scaled

MIN_SLIP = 1e-6  # m/s
MAX_Z = 1.9  # standard deviations of D: a component whose mean is farther from zero is not split


@kernel
def split_by_grip(sport, contact, launch, P, covariance):
    """How a component whose mean grips or slips at a contact (CONTACT_DTYPE) is split: (probability that it does the
    other, shift, less, shift of the other, less of the other); see condition. The probability is 0 where it is small.

    launch: the component's parameters; P (16, 16): its covariance before the contact; covariance (16,) gets that of the
    unknowns with D
    """
    derivative = np.zeros(UNKNOWNS)
    mean, variance = _difference(sport, contact, launch, derivative), 0.0
    for k in range(UNKNOWNS):
        covariance[k] = np.dot(P[k], derivative)
        variance += derivative[k] * covariance[k]
    sd = math.sqrt(max(variance, 1e-18))
    if not mean > -MAX_Z * sd:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    z = -mean / sd
    share, density = 0.5 * math.erfc(z * math.sqrt(0.5)), math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    r, q = density / (1.0 - share), density / share
    return share, -r / sd, (z * r + r * r) / variance, q / sd, (q * q - z * q) / variance


@inlined
def condition(x, P, covariance, shift, less):
    """Condition x (16,), P (16, 16) on D: `shift` and `less` are factors of their covariance (16,) with it."""
    for k in range(UNKNOWNS):
        x[k] += shift * covariance[k]
        for j in range(UNKNOWNS):
            P[k, j] -= less * covariance[k] * covariance[j]


@inlined
def _difference(sport, contact, launch, derivative):
    """D of the mean, m/s, signed so that it is negative: -inf where there is none. Fills its derivatives (16,)."""
    surface, R, inertia = sport.surfaces[contact["surface"]], sport.radius, sport.inertia
    p, v, w = contact["position"], contact["velocity_before"], contact["spin_before"]
    v, w = (v[0], v[1], v[2]), (w[0], w[1], w[2])
    _, n = gap_and_normal((p[0], p[1], p[2]), surface)
    speed, arm = -dot(v, n), (-R * n[0], -R * n[1], -R * n[2])
    u = add_scaled(add_scaled(v, speed, n), 1.0, cross(w, arm))
    slip = norm(u)
    if surface["give"] > 0.0 or slip < MIN_SLIP or speed < MIN_SLIP:
        return -math.inf
    u, e = scaled(1.0 / slip, u), restitution(surface, launch[RESTITUTION], speed)
    turn = cross(arm, u)
    grip = (1.0 + surface["tangential_restitution"]) * inertia / (1.0 + inertia)
    mu = launch[FRICTION] * surface["friction"]
    excess = grip * slip - mu * (1.0 + e) * speed  # of the impulse that grips over friction's
    sign = 1.0 if excess < 0.0 else -1.0
    for k in range(3):
        derivative[3 + k] = sign * (grip * u[k] + mu * (1.0 + e) * n[k])
        derivative[6 + k] = sign * grip * turn[k]
    derivative[RESTITUTION], derivative[FRICTION] = -sign * mu * e * speed, -sign * mu * (1.0 + e) * speed
    return -abs(excess)
