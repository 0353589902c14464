"""What was identified as rows of a table: each number before and after, with its 95 % interval.

A bound that is not known is infinite.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from ballcast.models.estimation.identification import Identified
from ballcast.models.estimation.prior import sport_prior
from ballcast.models.estimation.track_messages import SHARED
from ballcast.sim.kernels.aerodynamics import DRAG_FORMS, LIFT_FORMS
from ballcast.sim.sport import Sport

COVERAGE = 0.95


class Row(NamedTuple):
    """One number."""

    name: str
    unit: str
    before: float
    after: float
    low: float  # of the 95 % interval; -inf or inf where only one bound is known
    high: float
    balls: float  # how balls of this place differ: a standard deviation, as a fraction for factors; nan: not said


def half_width(found: Identified) -> np.ndarray:
    """Half of the 95 % intervals of the SHARED numbers, (8,): by Student's t, for the number of balls."""
    balls = max(float(found.population.weights.sum()), 3.0)
    return stats.t.ppf(0.5 + 0.5 * COVERAGE, balls - 1.0) * np.sqrt(np.diag(found.population.covariance))


def rows(before: Sport, found: Identified, after: Sport) -> list[Row]:
    """The rows of what was found, of a Sport before and that of the place."""
    half, tau = half_width(found), found.population.tau
    width, own = (dict(zip(SHARED, values.tolist())) for values in (half, tau))
    out = []
    laws = ("drag", DRAG_FORMS), ("lift", LIFT_FORMS)
    for name, forms in laws:
        old, new = getattr(before, name), getattr(after, name)
        if new.values:  # the first of them scales with the force
            a, b, key = old.values[0], new.values[0], forms[new.form][0]
            low, high = sorted(b * math.exp(sign * width[name]) for sign in (-1, 1))
            out.append(Row(f"{name} {key}", "", a, b, low, high, own[name]))
    if before.surfaces:
        out += _surface_rows(before.surfaces[found.surface], after.surfaces[found.surface], width, own, found.friction)
    out += _frame_rows(before, after, width)
    return out + _sensor_rows(before, found)


def _surface_rows(old, new, width, own, friction):
    a, b = old.restitution, new.restitution
    factors = [(f"{new.name} restitution", f"at {b.at:g} m/s", a.e, b.e, "restitution"),
               (f"{new.name} friction", "", old.friction, new.friction, "friction")]  # fmt: skip
    found = [Row(name, unit, x, y, y * math.exp(-width[k]), y * math.exp(width[k]), own[k])
             for name, unit, x, y, k in factors]  # fmt: skip
    slope = Row("its slope", "per m/s", a.slope, b.slope, b.slope - width["slope"], b.slope + width["slope"], math.nan)
    if not friction:
        return []
    low, high = (new.friction * math.exp(end - friction.middle) for end in (friction.low, friction.high))
    return [found[0], slope, found[1]._replace(low=low if low else -math.inf, high=high, balls=friction.tau)]


def _frame_rows(before, after, width):
    turned = (("frame tilt x", "deg", 1.0, math.degrees(width["tilt_x"])),
              ("frame tilt y", "deg", 1.0, math.degrees(width["tilt_y"])))  # fmt: skip
    scales = (("frame height", "mm", 1e3, 1e3 * width["height"]), *turned)
    offsets = zip(scales, before.sensor.frame.offset, after.sensor.frame.offset)
    return [Row(name, unit, s * a, s * b, s * b - w, s * b + w, math.nan) for (name, unit, s, w), a, b in offsets]


def _sensor_rows(before, found):
    """Noise of the axes and jitter."""
    usual, out, noise = sport_prior(before).noise, [], found.noise
    half = stats.t.ppf(0.5 + 0.5 * COVERAGE, max(len(found.fits) - 1, 2)) * noise.error
    names = (("noise x", "mm"), ("noise y", "mm"), ("noise z", "mm"), ("jitter", "ms"))
    for k, (name, unit) in enumerate(names):
        middle, low, high = (1e3 * noise.sd[k] * math.exp(s * min(half[k], 9.0)) for s in (0, -1, 1))
        out.append(Row(name, unit, 1e3 * math.sqrt(usual[k]), middle, low, high, float(noise.between[k])))
    return out
