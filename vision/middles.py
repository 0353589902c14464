"""Where the middle of a ball's streak is in a frame, from how it differs from what stands still behind it.

    middles = Middles()
    for frame in video:
        candidates = middles.refined(frame.image, frame.time, candidates, shift)   # shift: PanMeter's, px

The network sees where a ball is in its last frame by what differs from the two before. If the ball has moved by less
than twice its own width, it says a place up to 4 px behind. Where the camera stands still, the median of earlier frames
is the picture without the ball, and what differs from it is the ball of this frame alone. Its middle is taken, if
nothing else differs near it: not where a player is behind the ball.
"""

from collections import deque

import numpy as np

from ballcast.vision.candidates import Candidates

EVERY, KEPT, FEWEST = 0.045, 5, 3  # s between earlier frames, how many are kept, and needed
STANDS = 0.5  # px by which the picture may have moved since an earlier frame
MIN_SCORE, MAX_COUNT = 0.15, 4  # candidates that are refined: their score by looks, and how many of a frame
MARGIN, MAX_HALF = 6.0, 48  # px round a candidate, and from its middle at the farthest, that are looked at
CORE, PEAK = 1.5, 90.0  # px round the middle, and the percentile there, of the difference that counts as the ball's
MIN_PEAK = 20.0  # of 255
LOW, HIGH = 0.2, 0.45  # of that difference: what counts not, and what counts wholly, since a side of a ball is darker
ROUND = 1.5  # px beyond a streak's edge that count as it
RING = 2.5, 6.5  # px beyond its edge, in which nothing may differ,
MAX_ROUND = 0.3  # of what differs within
MAX_MOVE = 0.5, 1.5  # of the streak's length, and px
ROUNDS = 3
APART = 2.0  # px between two candidates


class Middles:
    """Remembers earlier frames of one video."""

    def __init__(self) -> None:
        self._earlier: deque[tuple[float, np.ndarray, np.ndarray]] = deque(maxlen=KEPT)  # time, image, how far moved
        self._moved = np.zeros(2)  # px since the first frame

    def refined(self, image: np.ndarray, time: float, candidates: Candidates, shift: np.ndarray) -> Candidates:
        """The Candidates of an image (H, W, 3) uint8, with better pixels where these are known.

        shift (2,): px by which the picture has moved since the frame before. The image is kept, not copied.
        """
        self._moved = self._moved + shift
        still = [one for _, one, moved in self._earlier
                 if one.shape == image.shape and np.abs(moved - self._moved).max() < STANDS]  # fmt: skip
        if not self._earlier or not 0.0 <= time - self._earlier[-1][0] < EVERY:
            self._earlier.append((time, image, self._moved))
        if len(still) < FEWEST:
            return candidates
        pixel = candidates.pixel.copy()
        for n in range(min(MAX_COUNT, int((candidates.score >= MIN_SCORE).sum()))):
            middle = middle_of(image, still, pixel[n], *(float(values[n]) for values in candidates[2:]))
            others = np.delete(pixel, n, axis=0)
            if middle is not None and not (np.hypot(*(others - middle).T) < APART).any():
                pixel[n] = middle
        return Candidates(pixel, *candidates[1:])


def middle_of(
    image: np.ndarray, earlier: list[np.ndarray], pixel: np.ndarray, diameter: float, length: float, angle: float
) -> np.ndarray | None:
    """The middle (2,) px of what differs from the median of earlier images near a streak at a pixel (2,); None if that
    is not one ball. diameter, length: px; angle: rad."""
    half = min(int(0.5 * (length + diameter) + MARGIN) + 1, MAX_HALF)
    u, v = (int(round(float(at))) for at in pixel)
    left, top = max(0, u - half), max(0, v - half)
    part = slice(top, v + half + 1), slice(left, u + half + 1)
    behind = np.sort(np.stack([one[part] for one in earlier]), axis=0)[len(earlier) // 2]
    differs = np.abs(image[part].astype(np.int16) - behind).max(axis=2).astype(np.float32)
    y, x = np.mgrid[top : top + differs.shape[0], left : left + differs.shape[1]]
    streak = float(np.cos(angle)), float(np.sin(angle)), 0.5 * (length - diameter), 0.5 * diameter
    near = differs[_beyond(x, y, pixel, streak) < CORE]
    peak = float(np.percentile(near, PEAK)) if near.size else 0.0
    if peak < MIN_PEAK:
        return None
    weight = np.clip(differs / peak - LOW, 0.0, HIGH - LOW)
    middle = np.array(pixel, float)
    for _ in range(ROUNDS):
        own = np.where(_beyond(x, y, middle, streak) < ROUND, weight, 0.0)
        total = float(own.sum())
        if total <= 0.0:
            return None
        middle = np.array([(own * x).sum(), (own * y).sum()]) / total
    beyond = _beyond(x, y, middle, streak)
    ring, within = weight[(beyond > RING[0]) & (beyond < RING[1])], weight[beyond < 0.0]
    is_alone = ring.size and within.size and ring.mean() < MAX_ROUND * within.mean()
    is_near = np.hypot(*(middle - pixel)) < MAX_MOVE[0] * length + MAX_MOVE[1]
    return middle if is_alone and is_near else None


def _beyond(x, y, middle, streak):
    """How far (px) points are beyond the edge of a streak; below 0 within it."""
    cosine, sine, reach, radius = streak
    along = np.abs((x - middle[0]) * cosine + (y - middle[1]) * sine)
    across = (y - middle[1]) * cosine - (x - middle[0]) * sine
    return np.hypot(np.maximum(along - reach, 0.0), across) - radius
