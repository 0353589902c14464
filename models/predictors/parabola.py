"""The ballistic arc through the last frames: gravity is known; no air, no spin, no bounce."""

from functools import lru_cache

import numpy as np

from ballcast.models.contract import Forecast, Predictor
from ballcast.models.estimation.arc import BOUNCE_RATIO, MIN_SCALE

OUTLIER = 3.0  # robust standard deviations


class Parabola(Predictor):
    """Robust least-squares arc through the last 24 frames, or fewer after a bounce. No landing."""

    name = "parabola"
    side_information = "gravity"
    min_frames = 3
    window = 24

    def predict(self, time: np.ndarray, position: np.ndarray, times: np.ndarray) -> Forecast:
        last = time[-1]
        start, velocity = last_arc(time - last, position, self.sport.world.gravity)
        gravity, path_velocity = self.sport.world.gravity, np.tile(velocity, (len(times), 1))
        path_velocity[:, 2] -= gravity * (times - last)
        return Forecast(arc(start, velocity, gravity, times - last), velocity=path_velocity)


def arc(start: np.ndarray, velocity: np.ndarray, gravity: float, t: np.ndarray) -> np.ndarray:
    """Positions (T, 3) m at t (T,) s of a ball that leaves start (3,) m with velocity (3,) m/s, without air."""
    path = start + np.multiply.outer(t, velocity)
    path[:, 2] -= 0.5 * gravity * t**2
    return path


def last_arc(t: np.ndarray, position: np.ndarray, gravity: float) -> tuple[np.ndarray, np.ndarray]:
    """Position (3,) m and velocity (3,) m/s at t = 0 of the longest arc that fits the last frames t (T,) s, (T, 3) m.
    Tries all frames, the last half, the last quarter; a shorter arc replaces a longer one if it fits far better."""
    without_gravity = position.copy()
    without_gravity[:, 2] += 0.5 * gravity * t**2
    count = len(t)
    fits = [robust_line(t[-n:], without_gravity[-n:]) for n in (count, count // 2, count // 4) if n >= min(count, 6)]
    best = min(scale for _, _, scale in fits)
    return next(fit[:2] for fit in fits if fit[2] <= BOUNCE_RATIO * best)


def robust_line(t: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """A robust line: position (3,) m at t = 0, velocity (3,) m/s, and the robust standard deviation about it, m.
    Theil-Sen (the median slope over all pairs) finds the outliers; least squares over the rest is precise."""
    i, j = frame_pairs(len(t))
    velocity = median((position[j] - position[i]) / (t[j] - t[i])[:, None])
    start = median(position - np.multiply.outer(t, velocity))
    residuals = position - start - np.multiply.outer(t, velocity)
    distance = np.sqrt((residuals * residuals).sum(axis=1))
    scale = max(float(1.4826 * median(distance)), MIN_SCALE)
    good = distance <= OUTLIER * scale
    t, position = t[good], position[good]
    middle, centre = t.mean(), position.mean(axis=0)
    velocity = (t - middle) @ (position - centre) / ((t - middle) @ (t - middle))
    return centre - middle * velocity, velocity, scale


def median(values: np.ndarray) -> np.ndarray:
    """The median over the first axis, without the overhead of np.median."""
    values = np.sort(values, axis=0)
    return 0.5 * (values[(len(values) - 1) // 2] + values[len(values) // 2])


@lru_cache
def frame_pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs i < j of that many frames."""
    return np.triu_indices(count, 1)
