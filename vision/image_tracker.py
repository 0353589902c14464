"""Which candidate of each frame is the ball in play, and where it goes: in the image alone, without a camera.

tracker = ImageTracker((1280, 720))
seen = tracker.observe(number, time, candidates, probability, shift)
forecast = tracker.forecast(times)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.vision import hypotheses as hyp
from ballcast.vision.candidates import Candidates
from ballcast.vision.image_forecast import forecast
from ballcast.vision.laws import Ground, Laws

NOISE = 0.0017, 0.1  # heights, and share of a streak's length, standard deviations of a candidate's place
ODDS = 5.0  # the logarithm of the odds by looks is at most so large
SURE = 0.5  # probability from which on a candidate is the ball
PAN_NOISE = 0.0007  # heights
MAX_STEP = 0.5  # s between frames, above which everything begins anew
LONGEST_DELAY = 16  # frames
PROPOSALS = 20000


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
        self._aspect = size[0] / size[1]
        self._scores = np.empty(PROPOSALS)
        self._integers = np.empty((3, PROPOSALS), np.int64)
        self._means = np.empty((3, hyp.CAPACITY, 6))
        self._covariances = np.empty((3, hyp.CAPACITY, 6, 6))
        self.restart()

    def restart(self):
        self._hypotheses = np.zeros(0, hyp.HYPOTHESIS)
        self._candidates = np.zeros(0, hyp.CANDIDATE)
        self._nothing, self._time, self._frame = 0.0, None, -1
        self._past = []
        self._flight, self._origin = -1, None
        self.laws, self.ground = Laws(), Ground()
        self._flown = None
        self._drift = np.zeros(2)

    def observe(
        self, number: int, time: float, candidates: Candidates, probability: np.ndarray,
        shift: tuple[float, float] = (0.0, 0.0),
    ) -> Seen:  # fmt: skip
        """Take a frame. probability (N,): of each candidate, by its looks; shift: px by which the picture moved."""
        rows = self._rows(candidates, probability)
        dt = 0.0 if self._time is None else time - self._time
        if self._time is None or not 0.0 < dt < MAX_STEP:
            dt = 0.04
        move = np.asarray(shift, float) / self.size[1]
        self.ground.shift(move[1])
        self._frame, self._time = self._frame + 1, time
        hyp.fill_clutter(rows, self._candidates, move[0], move[1], dt, self._aspect)
        old = self._hypotheses
        old["mean"][:, :2] += move
        if move.any():
            old["covariance"][:, [0, 1], [0, 1]] += PAN_NOISE**2
        self._drift += 0.3 * (move / dt - self._drift)
        parents, numbers, kinds = self._integers
        count = hyp.propose(old, rows, self._nothing, dt, self.laws.values, self._aspect, self._means, self._covariances,
                            self._scores, parents, numbers, kinds)  # fmt: skip
        new = np.zeros(hyp.CAPACITY, hyp.HYPOTHESIS)
        kept = hyp.select(old, rows, self.laws.values, self._frame, dt, self._means, self._covariances,
                          self._scores[:count], parents[:count], numbers[:count], kinds[:count], new)  # fmt: skip
        die = np.log(hyp.DEATH_RATE * dt)
        self._nothing = np.logaddexp(self._nothing + np.log(1.0 - hyp.BIRTH_RATE * dt),
                                     np.logaddexp.reduce(old["total"]) + die if len(old) else -np.inf)  # fmt: skip
        self._hypotheses, self._candidates = new[:kept], rows
        base = max(self._nothing, new["total"][:kept].max() if kept else -np.inf)
        new["total"][:kept] -= base
        self._nothing -= base
        self._past.append(
            (
                number,
                time,
                candidates,
                self._hypotheses["parent"].copy(),
                self._hypotheses["candidate"].copy(),
                self._hypotheses["mean"][:, :2] * self.size[1],
            )
        )
        self._past = self._past[-LONGEST_DELAY - 1 :]
        self._learn()
        return self.settled(0)

    def _learn(self):
        """Learn from the best hypothesis when a flight of it has ended."""
        best = self._hypotheses[0] if len(self._hypotheses) and self._hypotheses["total"][0] > self._nothing else None
        if best is None:
            return
        turned = best["turned"]
        if self._flown is not None and turned != self._flown[0] and best["since"] >= 2:
            if self._flown[3] >= 4:
                self.laws.learn(self._flown[1], self._flown[2])
            if best["bounced"] == turned and best["birth"] == self._flown[5]:
                self.ground.learn(max(self._flown[4], best["mean"][1] - best["mean"][3] * 0.04))
            self._flown = None
        if self._flown is None or turned == self._flown[0]:
            lowest = best["mean"][1] if self._flown is None else best["mean"][1]
            if best["candidate"] >= 0:
                self._flown = (
                    turned,
                    best["mean"].copy(),
                    best["covariance"].copy(),
                    best["since"],
                    lowest,
                    best["birth"],
                )

    def settled(self, delay=0):
        """What is known now of the frame `delay` frames ago."""
        weights = np.exp(self._hypotheses["total"])
        total = weights.sum() + np.exp(self._nothing)
        at = np.arange(len(weights))
        for k in range(1, delay + 1):
            at = np.append(self._past[-k][3], -1)[at]
        number, time, candidates, _, cands, _ = self._past[-1 - delay]
        which = np.append(cands, -1)[at]
        mass = np.bincount(which[which >= 0], weights[which >= 0], minlength=max(len(candidates), 1)) / total
        best = int(mass.argmax()) if len(candidates) else -1
        if best < 0 or mass[best] < SURE:
            return Seen(
                number,
                time,
                None,
                None,
                0.0 if best < 0 else mass[best],
                0.0,
                0.0,
                0.0,
                candidates,
                max(self._flight, 0),
                "",
                "",
            )
        h = np.flatnonzero(which == best)[0]
        if delay == 0:
            origin = self._hypotheses["origin"][h]
            if origin != self._origin:
                self._flight, self._origin = self._flight + 1, origin
        cov = self._hypotheses["covariance"][h][:2, :2] * self.size[1] ** 2
        shape = (float(values[best]) for values in candidates[2:])
        return Seen(number, time, candidates.pixel[best], cov, mass[best], *shape, candidates, self._flight, "", "")

    def _rows(self, candidates, probability):
        rows = np.zeros(len(candidates), hyp.CANDIDATE)
        if not len(candidates):
            return rows
        H = self.size[1]
        rows["u"], rows["v"] = candidates.pixel.T / H
        rows["streak"], rows["angle"] = (candidates.length - candidates.diameter) / H, candidates.angle
        rows["size"] = np.log(np.maximum(candidates.diameter, 1.0) / H)
        along = (NOISE[1] * rows["streak"]) ** 2
        x, y = np.cos(rows["angle"]), np.sin(rows["angle"])
        rows["noise"][:, 0] = NOISE[0] ** 2 + along * x * x
        rows["noise"][:, 1] = along * x * y
        rows["noise"][:, 2] = NOISE[0] ** 2 + along * y * y
        rows["looks"] = np.clip(np.log(probability / (1.0 - probability)), -ODDS, ODDS)
        return rows

    def forecast(self, times: ArrayLike) -> ImageForecast | None:
        """Where the ball will be at times (H,) s; None if none is followed."""
        if not len(self._hypotheses) or self._hypotheses["total"][0] < self._nothing:
            return None
        best = self._hypotheses[self._hypotheses["total"] > self._hypotheses["total"][0] - 3.0][:5]
        weights = np.exp(best["total"])
        ahead = np.ascontiguousarray(np.asarray(times, float) - self._time)
        mean, covariance = np.empty((len(ahead), 2)), np.empty((len(ahead), 2, 2))
        forecast(
            best,
            weights / weights.sum(),
            self.laws.values,
            self.ground.rows,
            self.ground.chance,
            ahead,
            mean,
            covariance,
        )
        H = self.size[1]
        return ImageForecast((mean + ahead[:, None] * self._drift) * H, covariance * H * H)
