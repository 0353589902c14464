"""The arc of a ball in empty space, through the last frames: gravity is told; no air, no spin, no bounce."""

from functools import lru_cache

import numpy as np

from ballcast.models.contract import Forecast, Predictor

BOUNCE_RATIO = 2.0  # a longer arc this many times worse than a shorter one has a bounce or a hit in it
OUTLIER = 3.0  # robust standard deviations
MIN_SCALE = 1e-4  # m, no tracker is better


class Parabola(Predictor):
    """Robust least squares arc through the last 24 frames, or fewer where a bounce lies among them. No landing."""

    name = "parabola"
    side_information = "gravity"
    min_frames = 3
    window = 24

    def predict(self, time, position, times):
        last = time[-1]
        start, velocity = last_arc(time - last, position, self.sport.world.gravity)
        return Forecast(arc(start, velocity, self.sport.world.gravity, times - last))


def arc(start, velocity, gravity, t):
    """Positions (T, 3) m at t (T,) s of a ball that leaves `place` (3,) m with `velocity` (3,) m/s in empty space."""
    path = start + np.multiply.outer(t, velocity)
    path[:, 2] -= 0.5 * gravity * t**2
    return path


def last_arc(t, position, gravity):
    """Place (3,) m and velocity (3,) m/s at t = 0 of the longest arc that fits the last frames t (T,) s, (T, 3) m.

    Tries all frames, the last half, the last quarter: a longer arc yields to a shorter one that fits far better.
    """
    without_gravity = position.copy()
    without_gravity[:, 2] += 0.5 * gravity * t**2
    count = len(t)
    fits = [robust_line(t[-n:], without_gravity[-n:]) for n in (count, count // 2, count // 4) if n >= min(count, 6)]
    best = min(scale for _, _, scale in fits)
    return next(fit[:2] for fit in fits if fit[2] <= BOUNCE_RATIO * best)


def robust_line(t, position):
    """Robust line: place (3,) at t = 0, velocity (3,), and the robust standard deviation about it in m.

    Theil-Sen (the median slope over all pairs) stands up to outliers; least squares over the rest is then precise.
    """
    i, j = frame_pairs(len(t))
    velocity = median((position[j] - position[i]) / (t[j] - t[i])[:, None])
    start = median(position - np.multiply.outer(t, velocity))
    residuals = position - start - np.multiply.outer(t, velocity)
    distance = np.sqrt((residuals * residuals).sum(axis=1))
    scale = max(1.4826 * median(distance), MIN_SCALE)
    good = distance <= OUTLIER * scale
    t, position = t[good], position[good]
    middle, centre = t.mean(), position.mean(axis=0)
    velocity = (t - middle) @ (position - centre) / ((t - middle) @ (t - middle))
    return centre - middle * velocity, velocity, scale


def median(values):
    """The median over the first axis: np.median without its overhead, which would be most of the time spent here."""
    values = np.sort(values, axis=0)
    return 0.5 * (values[(len(values) - 1) // 2] + values[len(values) // 2])


@lru_cache
def frame_pairs(count):
    """All pairs i < j of so many frames."""
    return np.triu_indices(count, 1)
