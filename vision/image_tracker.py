"""Which candidate of each frame is the ball in play, and where it goes: in the image alone, without a camera.

tracker = ImageTracker((1280, 720))
seen = tracker.observe(number, time, candidates, probability, shift)
forecast = tracker.forecast(times)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.vision.candidates import Candidates

GATE = 0.06  # of the picture's height: how far from its forecast a ball is looked for


class Seen(NamedTuple):
    """What is known of the ball in one frame, when that frame is the last."""

    number: int  # of the frame
    time: float  # s
    pixel: np.ndarray | None  # (2,) px; None: not seen in this frame
    covariance: np.ndarray | None  # (2, 2) px^2
    probability: float  # that this is the ball in play
    diameter: float  # px, across the streak
    length: float  # px, of the streak
    angle: float  # rad, of the streak from u towards v, from -pi/2 to pi/2
    candidates: Candidates  # all of this frame
    flight: int  # its number, from 0; rises when a hit or a new ball begins one
    event: str  # "", "hit", "bounce" or "lost"
    note: str  # "" or one line


class ImageForecast(NamedTuple):
    """Where the ball will be in the image."""

    pixel: np.ndarray  # (H, 2) px
    covariance: np.ndarray  # (H, 2, 2) px^2


class ImageTracker:
    """Follows the ball in play. size: (width, height) px of the picture."""

    def __init__(self, size: tuple[int, int]):
        self.size = size
        self._flight = -1
        self._time, self._pixel, self._velocity, self._missed = 0.0, None, np.zeros(2), 0

    def observe(
        self, number: int, time: float, candidates: Candidates, probability: np.ndarray,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> Seen:  # fmt: skip
        """Take a frame. probability (N,): of each candidate, by its looks; shift: px by which the picture moved."""
        if self._pixel is not None:
            ahead = self._pixel + self._velocity * (time - self._time) + shift
            distance = np.hypot(*(candidates.pixel - ahead).T)
            near = np.flatnonzero(distance < GATE * self.size[1])
            best = near[np.argmin(distance[near] / GATE - 100.0 * probability[near])] if len(near) else None
        else:
            best = int(np.argmax(probability)) if len(candidates) else None
        if best is None:
            self._missed += 1
            if self._missed > 5:
                self._pixel = None
            return Seen(number, time, None, None, 0.0, 0.0, 0.0, 0.0, candidates, max(self._flight, 0), "", "")
        place = candidates.pixel[best]
        if self._pixel is None:
            self._velocity, self._flight = np.zeros(2), self._flight + 1
        else:
            self._velocity = (place - self._pixel) / (time - self._time)
        self._time, self._pixel, self._missed = time, place, 0
        shape = (float(values[best]) for values in candidates[2:])
        return Seen(number, time, place, np.eye(2), float(probability[best]), *shape, candidates, self._flight, "", "")

    def forecast(self, times: ArrayLike) -> ImageForecast | None:
        """Where the ball will be at times (H,) s; None if none is followed."""
        if self._pixel is None:
            return None
        ahead = np.asarray(times, float)[:, None] - self._time
        spread = (2.0 + 0.5 * self.size[1] * ahead[..., None] ** 2) ** 2
        return ImageForecast(self._pixel + ahead * self._velocity, spread * np.eye(2))
