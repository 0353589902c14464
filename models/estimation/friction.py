"""What a fit may claim of friction. Where a ball grips, every friction above a border gives the same flight.

A fit that ends just below the border, where the ball slips, sees all of the slip's information and none of this. So the
frames are fitted once more with a friction that surely grips. Both fits are weighed by their evidence; above the border
the posterior is the prior, cut off at the border.
"""

import math

import numpy as np

from ballcast.models.estimation.fit import Fit, map_fit
from ballcast.models.estimation.prior import Prior
from ballcast.models.estimation.unknowns import UNKNOWNS, to_launch
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import CompiledSport
from ballcast.sim.kernels.contact import gap_and_normal, turned_normal
from ballcast.sim.kernels.flight import fly_ball
from ballcast.sim.kernels.layout import CONTACT_DTYPE, FRICTION
from ballcast.sim.kernels.vectors import add_scaled, dot, norm

INFORMED = 0.7  # of the prior's standard deviation: a fit that leaves friction less than this claims to know it
GRIPS = 0.98  # the same: a fit that leaves more than this saw no slip
GRIP_SDS = 1.5  # of the prior above its mean, or above the fit: a friction that grips, if any likely one does
GRIP_FLIGHTS = 8  # of the second fit
PIN_SD = 1e-3  # of the logarithm of friction in the second fit
MIN_SHARE = 1e-3  # of the evidence, below which the second fit says nothing
MAX_CONTACTS = 8


def release_friction(sport: CompiledSport, t: np.ndarray, y: np.ndarray, fit: Fit, prior: Prior) -> Fit:
    """The Fit to frames t (T,) s, y (T, 3) m that claims of friction only what these frames tell."""
    if fit.first_contact > t[-1] - t[0]:
        return fit
    mean, sd = prior.mean[FRICTION], math.sqrt(np.linalg.inv(prior.precision)[FRICTION, FRICTION])
    if _left_open(fit, sd) > INFORMED:
        return fit
    known = prior._replace(noise=fit.noise, pseudo_frames=0.0)
    x = fit.x.copy()
    x[FRICTION] = max(mean, x[FRICTION]) + GRIP_SDS * sd
    x = map_fit(sport, t, y, x, pinned(known, x[FRICTION]), GRIP_FLIGHTS).x
    slips, grips = (map_fit(sport, t, y, at, known, 0) for at in (fit.x, x))
    if _left_open(grips, sd) < GRIPS:
        return fit  # it slips even so, or slides along the ground
    border = (grip_border(sport, t[-1] - t[0], x) - mean) / sd
    mode, variance = fit.x[FRICTION], fit.covariance[FRICTION, FRICTION]
    above, below = _tail(border), _tail((mode - mean - sd * border) / math.sqrt(variance))
    offset = (x[FRICTION] - mean) / sd
    log_ratio = slips.cost - (grips.cost - 0.5 * offset * offset) + math.log((above + 1e-300) / (below + 1e-300))
    log_ratio += 0.5 * (np.linalg.slogdet(grips.covariance)[1] - np.linalg.slogdet(slips.covariance)[1])
    share = 1.0 / (1.0 + math.exp(min(max(-log_ratio, -50.0), 50.0)))
    if share < MIN_SHARE:
        return fit
    parts = (mode, variance), _above(border, mean, sd)
    return _with_friction(grips if share > 0.5 else fit, parts, share)


def _left_open(fit, sd):
    """The fraction of the prior's standard deviation of friction that a Fit leaves; fits widen for Student's t."""
    widening = (fit.noise[4] + 5.0) / (fit.noise[4] + 3.0)
    return math.sqrt(fit.covariance[FRICTION, FRICTION] / widening) / sd


def _above(border, mean, sd):
    """Mean and variance of the prior above a border that is given in its standard deviations."""
    offset, variance = truncated_normal(border)
    return mean + sd * offset, sd * sd * variance


def _with_friction(fit, parts, share):
    """A Fit with the friction of two parts, (mean, variance) each; the second has `share` of the evidence."""
    chosen = parts[share > 0.5][0]
    variance = sum(w * (v + (m - chosen) ** 2) for w, (m, v) in zip((1.0 - share, share), parts))
    x, final, covariances = fit.x.copy(), fit.final.copy(), [fit.covariance.copy(), fit.final_covariance.copy()]
    x[FRICTION] = final[FRICTION] = chosen
    for covariance in covariances:
        if share > 0.5:
            covariance[FRICTION, :] = covariance[:, FRICTION] = 0.0
        covariance[FRICTION, FRICTION] = variance
    return fit._replace(x=x, final=final, covariance=covariances[0], final_covariance=covariances[1])


def pinned(prior: Prior, friction: float) -> Prior:
    """The Prior given a logarithm of friction."""
    precision = prior.precision.copy()
    precision[FRICTION, FRICTION] += PIN_SD**-2
    moment = prior.precision @ prior.mean
    moment[FRICTION] += friction * PIN_SD**-2
    return prior._replace(mean=np.linalg.solve(precision, moment), precision=precision)


def _tail(low):
    """The probability that a standard normal number is above `low`."""
    return 0.5 * math.erfc(low / math.sqrt(2.0))


def truncated_normal(low: float) -> tuple[float, float]:
    """Mean and variance of a standard normal number that is above `low`."""
    if low < -5.0:
        return 0.0, 1.0
    if low > 20.0:
        return low + 1.0 / low, 1.0 / low**2
    density = math.exp(-0.5 * low * low) / math.sqrt(2.0 * math.pi)
    hazard = density / _tail(low)
    return hazard, 1.0 + low * hazard - hazard * hazard


@kernel
def grip_border(sport, duration, x):
    """The logarithm of the friction factor above which unknowns x (16,) grip in all contacts within `duration` s.

    x itself grips. Without a contact it is -inf. The impulses of a gripping contact are those that friction must give.
    """
    contacts, none = np.empty(MAX_CONTACTS, CONTACT_DTYPE), np.empty(0)
    trajectory, jacobian, times = np.empty((1, 6)), np.empty((1, 3, UNKNOWNS)), np.full(1, duration)
    flight = fly_ball(sport, to_launch(x), times, none, trajectory, jacobian, contacts)
    border = -np.inf
    for k in range(min(flight.contact_count, MAX_CONTACTS)):
        surface, p, v = sport.surfaces[contacts[k]["surface"]], contacts[k]["position"], contacts[k]["velocity_before"]
        v1, velocity = contacts[k]["velocity_after"], (v[0], v[1], v[2])
        _, n = gap_and_normal((p[0], p[1], p[2]), surface)
        if surface["give"] > 0.0:
            n = turned_normal(surface["give"], velocity, n)
        impulse = v1[0] - v[0], v1[1] - v[1], v1[2] - v[2]
        along = dot(impulse, n)
        border = max(border, math.log(norm(add_scaled(impulse, -along, n)) / (along * surface["friction"]) + 1e-30))
    return border
