"""Detections of a frame as candidates for the ball: what a filter on pixels makes of them. association.py weighs them.

    associator = Associator()
    found = associator.weigh(running, state, t, index, frame)      # frame: Candidates; running: a started PixelFilter
    associator.take(running, state, t, index, follow)              # follow(): the kernel that takes running.image

Probabilities by looks alone are turned into those of a place: a candidate of probability p that may be anywhere in the
picture is p times the area times the density of the ball there. Where those of a frame sum to more than 1, they are
scaled, so that many candidates are the density of clutter: their number over the area.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.estimation.association import join, predict_frame, take_candidate, weigh_candidates
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.pixel_filter import PixelFilter

DETECTION = 0.9  # probability that a visible ball is among the candidates
MIN_SHARE = 0.03  # probability of a hypothesis that is kept
MAX_HYPOTHESES = 4  # kept
IN_FITS = 0.6  # probability from which on fits use a candidate


class Association(NamedTuple):
    """What a filter made of the candidates of a frame."""

    best: int  # index of the likeliest candidate; -1: none is plausible, and the filter stays as it was
    probability: float  # that this one is the ball; with -1: that none of them is
    pixel: np.ndarray  # (2,) px, where the filter expected the ball
    covariance: np.ndarray  # (2, 2) px2, of that


class Candidates(NamedTuple):
    """The candidates of one frame, checked."""

    images: np.ndarray  # (N, 3) px: u, v, diameter (0: not measured)
    prior: np.ndarray  # (N,) probabilities by their looks, with a sum of at most DETECTION


def check_candidates(
    time: float, pixels: ArrayLike, scores: ArrayLike, diameters: ArrayLike | None = None
) -> Candidates:
    """The Candidates of pixels (N, 2), scores (N,) and diameters (N,) or None; ValueError if they are none."""
    if not (isinstance(time, int | float) and math.isfinite(time)):
        raise ValueError(f"a frame has a finite time, s, not {time!r}")
    place, score = _numbers("pixels", pixels), _numbers("scores", scores)
    place = place.reshape(0, 2) if not place.size else place
    if place.ndim != 2 or place.shape[1] != 2 or not np.isfinite(place).all():
        raise ValueError(f"pixels of candidates must be (N, 2) finite numbers, px; got {place.shape}")
    if score.shape != (len(place),) or not ((score > 0.0) & (score <= 1.0)).all():
        raise ValueError(f"scores must be {len(place)} probabilities above 0 and up to 1, one for each candidate")
    images = np.zeros((len(place), 3))
    images[:, :2] = place
    if diameters is not None:
        size = _numbers("diameters", diameters)
        if size.shape != (len(place),) or not (np.isnan(size) | (size > 0.0) & np.isfinite(size)).all():
            raise ValueError(f"diameters must be {len(place)} numbers above 0 px, NaN where one was not measured")
        images[:, 2] = np.nan_to_num(size)
    return Candidates(images, DETECTION * score / max(1.0, float(score.sum())))


def _numbers(what, values):
    try:
        return np.asarray(values, float)
    except (TypeError, ValueError):
        raise ValueError(f"{what} of candidates must be numbers") from None


class Associator:
    """Weighs the candidates of frames by the filter of one ball."""

    def __init__(self) -> None:
        self._copies = new_filter_states(2)
        self._expected = np.zeros(5)
        self._frame, self._probability = Candidates(np.zeros((0, 3)), np.zeros(0)), np.ones(1)

    def weigh(self, running: PixelFilter, state: np.record, t: float, index: int, frame: Candidates) -> Association:
        """The Association of a frame at t s of the camera of that number. The filter stays as it was."""
        self._copies[0] = state
        predicted, width_height = self._copies[0], running.cameras[index].size
        predict_frame(running.packed, predicted, t)
        self._frame, self._probability = frame, np.empty(len(frame.images) + 1)
        area = float(width_height[0] * width_height[1])
        weigh_candidates(running.packed, predicted, index, *frame, area, self._probability, self._expected)
        u, v, uu, uv, vv = self._expected.tolist()
        pixel, covariance, own = np.array([u, v]), np.array([[uu, uv], [uv, vv]]), self._probability[:-1]
        if not self.has_plausible:
            return Association(-1, float(self._probability[-1]), pixel, covariance)
        best = int(np.argmax(own))
        return Association(best, float(own[best]), pixel, covariance)

    @property
    def has_plausible(self) -> bool:
        """Whether the frame that was weighed last has a candidate that `take` would take."""
        return bool((self._probability[:-1] > MIN_SHARE).any())

    def take(self, running: PixelFilter, state: np.record, t: float, index: int, follow: Callable[[], bool]) -> bool:
        """Let the filter take the frame that was weighed last. follow: takes the frame in running.image, as
        observe_pixel of the kernels does, and says whether the filter is lost. Returns whether the filter has changed
        since `follow`: others that read it read it again."""
        own = self._probability[:-1]
        kept = [int(n) for n in np.argsort(-own, kind="stable")[: MAX_HYPOTHESES - 1] if own[n] > MIN_SHARE]
        if not kept:
            return False
        share, fits = float(own[kept[0]]), running.fits
        u, v, size = self._frame.images[kept[0]].tolist()
        if share > IN_FITS:
            running.add(t, u, v, index, size or None)
        running.image[:] = u, v, size
        is_lost = self._follow(running, index, share, follow)
        is_joined = self._join_others(running, state, index, kept)
        if share > IN_FITS:
            running.work(state, is_lost)
        return is_lost or is_joined or running.fits != fits

    def _follow(self, running, index, share, follow):
        """Let `follow` take the likeliest candidate; the noise of the camera learns by its share."""
        seen = running.seen
        before = seen.sums[index].copy(), seen.counts[index].copy()
        is_lost = follow()
        for now, then in zip((seen.sums[index], seen.counts[index]), before, strict=True):
            now[:] = then + share * (now - then)
        return is_lost

    def _join_others(self, running, state, index, kept):
        """Join what remains plausible beside the likeliest candidate; whether there is something."""
        total, predicted, other = float(self._probability[kept[0]]), self._copies[0], self._copies[1]
        for n in kept[1:]:
            self._copies[1] = predicted
            take_candidate(running.packed, other, index, self._frame.images[n])
            total = self._join(running, state, other, total, n)
        if self._probability[-1] > MIN_SHARE:
            self._join(running, state, predicted, total, -1)
            return True
        return len(kept) > 1

    def _join(self, running, state, other, total, n):
        """Join hypothesis n to those of probability `total`; the new total."""
        share = float(self._probability[n])
        join(running.packed, state, other, share / (total + share))
        return total + share
