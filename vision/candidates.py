"""Candidates for the ball in a frame, without a network: small things that move.

    finder = CandidateFinder()
    for frame in video:                           # frames without repeats, as vision/video.py gives them
        found = finder.find(frame.image)          # Candidates of this frame, the best first; none in the first two

A pixel moves if it differs from two other frames: the smaller of the differences, so what moved there in only one of
them does not count. By default these are the two frames before, so a frame is searched as soon as it is there. A pan of
the camera is taken out first, in whole pixels, and a difference counts only beyond what a shift by one pixel explains.
Connected pixels above several thresholds are components: a ball that touches a brighter line or a player stands alone
at one of them. The score prefers what moves alone: players are many components side by side. Most candidates are no
balls. A filter that knows how balls fly weighs them.

A ball that rests, or that crosses a moving player, is not found. Background (class) finds the former.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import strict

THRESHOLDS = 12, 24, 48, 96  # of 255, differences from which on pixels are connected
MAX_COUNT = 60  # candidates of a frame
MIN_AREA = 3  # px of a component
MAX_DIAMETER = 0.06  # of the picture's height
MAX_STREAK = 0.25  # of the picture's height, its length
MIN_FILL = 0.5  # area of a component over that of a streak of its length and diameter
FULL_AREA = 100.0  # px from which on a larger area does not raise the score
SOFTEN = 1.0  # px, standard deviation of the Gaussian that joins what noise has torn
MARGIN = 6.0, 1.0  # px, and in diameters: how far round a component the motion is compared with its own
FULL_MOTION = 32  # of 255, motion that counts wholly there: the edges of a player count as his middle
SEPARATE = 3.0  # px between two candidates; of nearer ones the better is kept
CONSIDERED = 600  # components with the best scores that are compared with each other
COARSE = 320  # px, width of the pictures in which a pan is measured
MIN_PAN, MAX_PAN = 0.4, 0.1  # px, smaller ones are not taken out; of the width, larger ones are not believed
MIN_RESPONSE = 0.1  # of the phase correlation, below which it says nothing
BACKGROUND_EVERY, BACKGROUND_FRAMES = 4, 9  # frames between those of which the median is taken, and how many


class Candidates(NamedTuple):
    """What may be the ball in one frame: N candidates, the best first. Pixel centres are whole numbers."""

    pixel: np.ndarray  # (N, 2) px, the middle of the streak
    score: np.ndarray  # (N,) above 0, larger for what looks more like a ball
    diameter: np.ndarray  # (N,) px, across the streak
    length: np.ndarray  # (N,) px, of the whole streak, at least its diameter
    angle: np.ndarray  # (N,) rad, of the streak from u towards v, from -pi/2 to pi/2

    def __len__(self) -> int:
        return len(self.pixel)


NONE = Candidates(np.empty((0, 2)), *(np.empty(0) for _ in range(4)))


class CandidateFinder:
    """Finds candidates frame by frame.

    delay     frames after the searched one that it is compared with: 0 (both are before it) or 1 (one on each side).
              With 1, `find` gives the candidates of the frame before the one it is shown
    background  whether to look, too, at what differs from the median of older frames: finds slow and resting balls
                where the camera stands still
    """

    def __init__(self, delay: int = 0, background: bool = False, max_count: int = MAX_COUNT):
        if delay not in (0, 1):
            raise ValueError(f"delay = {delay} must be 0 or 1 frame")
        self._frames: deque[_Prepared] = deque(maxlen=3)
        self._searched, self._max_count = 2 - delay, max_count
        self._background = Background() if background else None

    def find(self, image: np.ndarray) -> Candidates:
        """The candidates of an image (H, W, 3) uint8, or of the one before. Images of another size start again."""
        prepared = _Prepared(image)
        if self._frames and self._frames[-1].image.shape != image.shape:
            self._frames.clear()
        self._frames.append(prepared)
        if len(self._frames) < 3:
            return NONE
        frame = self._frames[self._searched]
        others = [other for other in self._frames if other is not frame]
        motion = difference(frame, others)
        if self._background is not None:
            self._background.add(frame)
            motion = self._background.raise_motion(frame, motion)
        return components(motion, self._max_count)


class _Prepared:
    """An image with what comparisons need of it, computed once: its coarse picture, and its range within a pixel."""

    def __init__(self, image):
        import cv2

        self.image = np.ascontiguousarray(image)
        square = np.ones((3, 3), np.uint8)
        self.low, self.high = cv2.erode(self.image, square), cv2.dilate(self.image, square)
        height, width = self.image.shape[:2]
        size = COARSE, max(1, round(COARSE * height / width))
        coarse = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        self.coarse = cv2.cvtColor(coarse, cv2.COLOR_BGR2GRAY).astype(np.float32)


def difference(frame: _Prepared, others: Sequence[_Prepared]) -> np.ndarray:
    """How much each pixel moves, (H, W) uint8: the smallest of its differences to the others, largest over colours."""
    motion = np.full(frame.image.shape[:2], 255, np.uint8)
    for other in others:
        across, down = pan(frame.coarse, other.coarse, frame.image.shape[1])
        lower_motion(motion, frame.image, other.low, other.high, across, down)
    return motion


def pan(coarse: np.ndarray, other: np.ndarray, width: int) -> tuple[int, int]:
    """By how many px (right, down) the picture of the other is shifted; both are coarse pictures, float32."""
    import cv2

    window = cv2.createHanningWindow(coarse.shape[::-1], cv2.CV_32F)
    shift, response = cv2.phaseCorrelate(coarse, other, window)
    across, down = (width / coarse.shape[1] * float(part) for part in shift)
    size = np.hypot(across, down)
    if response < MIN_RESPONSE or not MIN_PAN < size < MAX_PAN * width:
        return 0, 0
    return round(across), round(down)


@strict
def lower_motion(motion, image, low, high, across, down):
    """Lower `motion` (H, W) to the difference of an image to another one's range, shifted by (across, down) px.

    The image and the range low ... high are (H, W, 3) uint8. Pixels without a partner keep their motion.
    """
    height, width = motion.shape
    for j in range(max(0, -down), min(height, height - down)):
        first, last = max(0, -across), min(width, width - across)
        row, below = image[j].reshape(-1), low[j + down].reshape(-1)
        above, out = high[j + down].reshape(-1), motion[j]
        buffer = np.empty(3 * (last - first), np.uint8)
        offset = 3 * across
        for n in range(len(buffer)):
            value = np.int16(row[3 * first + n])
            over = np.int16(value - np.int16(above[3 * first + n + offset]))
            under = np.int16(np.int16(below[3 * first + n + offset]) - value)
            buffer[n] = np.uint8(max(max(over, under), np.int16(0)))
        for i in range(last - first):
            largest = max(max(buffer[3 * i], buffer[3 * i + 1]), buffer[3 * i + 2])
            out[first + i] = min(out[first + i], largest)


def components(motion: np.ndarray, max_count: int = MAX_COUNT) -> Candidates:
    """The components of a picture of motion (H, W) uint8 that may be balls, at all thresholds, the best first."""
    import cv2

    motion, found = cv2.GaussianBlur(motion, (0, 0), SOFTEN), []
    for threshold in THRESHOLDS:
        _, mask = cv2.threshold(motion, threshold, 1, cv2.THRESH_BINARY)
        count, labels = cv2.connectedComponents(mask, connectivity=8, ltype=cv2.CV_32S)
        if count > 1:
            found.append(describe(labels, motion, count))
    if not found:
        return NONE
    return _selected(np.concatenate(found), motion, max_count)


@strict
def describe(labels, motion, count):
    """Rows (count - 1, 7) u, v, diameter, length, angle, area, mean difference of the components labelled 1 to count.

    From moments weighted by the difference: a streak of one brightness has the variance of a line along it, and that
    of a disc across.
    """
    sums = np.zeros((count, 7))
    for j in range(labels.shape[0]):
        for i in range(labels.shape[1]):
            label = labels[j, i]
            if label:
                weight, row = float(motion[j, i]), sums[label]
                row[0] += 1.0
                row[1] += weight
                row[2] += weight * i
                row[3] += weight * j
                row[4] += weight * i * i
                row[5] += weight * j * j
                row[6] += weight * i * j
    rows = np.empty((count - 1, 7))
    for k in range(1, count):
        area, total = sums[k, 0], sums[k, 1]
        u, v = sums[k, 2] / total, sums[k, 3] / total
        xx = sums[k, 4] / total - u * u + 1.0 / 12.0  # a pixel is a square
        yy, xy = sums[k, 5] / total - v * v + 1.0 / 12.0, sums[k, 6] / total - u * v
        spread = np.hypot(0.5 * (xx - yy), xy)
        along, across = 0.5 * (xx + yy) + spread, max(0.5 * (xx + yy) - spread, 1.0 / 16.0)
        diameter = 4.0 * np.sqrt(across)
        length = np.sqrt(12.0 * (along - across)) + diameter if along > across else diameter
        rows[k - 1] = np.array([u, v, diameter, length, 0.5 * np.arctan2(2.0 * xy, xx - yy), area, total / area])
    return rows


def _selected(rows, motion, max_count):
    """Candidates of the rows of `describe`."""
    height = motion.shape[0]
    diameter, length, area = rows[:, 2], rows[:, 3], rows[:, 5]
    fill = area / (diameter * (length - diameter) + 0.25 * np.pi * diameter**2)
    is_possible = (area >= MIN_AREA) & (fill >= MIN_FILL)
    is_possible &= (diameter <= MAX_DIAMETER * height) & (length <= MAX_STREAK * height)
    rows, fill = rows[is_possible], fill[is_possible]
    size = np.sqrt(np.minimum(rows[:, 5], FULL_AREA))
    score = rows[:, 6] * size * (np.minimum(fill, 1.0) * isolation(rows, motion)) ** 2
    order = np.argsort(-score, kind="stable")[:CONSIDERED]
    kept = order[_apart(np.ascontiguousarray(rows[order, :2]), SEPARATE)][:max_count]
    return Candidates(rows[kept, :2], score[kept], rows[kept, 2], rows[kept, 3], rows[kept, 4])


def isolation(rows: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """The share (N,) of the motion in a box round each component, rows of `describe`, that is its own: 0 to 1."""
    import cv2

    integral = cv2.integral(np.minimum(motion, FULL_MOTION))
    u, v, diameter, length, angle, area, mean = rows.T
    margin = 0.5 * diameter + np.maximum(MARGIN[0], MARGIN[1] * diameter)
    half = 0.5 * (length - diameter)
    (left, right), (top, bottom) = (
        np.clip(np.round([middle - reach, middle + reach + 1.0]), 0, side).astype(int)
        for middle, reach, side in (
            (u, half * np.abs(np.cos(angle)) + margin, motion.shape[1]),
            (v, half * np.abs(np.sin(angle)) + margin, motion.shape[0]),
        )
    )
    total = integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left]
    return np.minimum(1.0, area * np.minimum(mean, FULL_MOTION) / np.maximum(total, 1))


@strict
def _apart(pixels, distance):
    """Which (N,) of the pixels (N, 2) are not nearer than a distance to an earlier one that is kept."""
    is_kept = np.ones(len(pixels), np.bool_)
    for n in range(len(pixels)):
        for k in range(n):
            if is_kept[k] and np.hypot(pixels[n, 0] - pixels[k, 0], pixels[n, 1] - pixels[k, 1]) < distance:
                is_kept[n] = False
                break
    return is_kept


class Background:
    """The median of older frames of a camera that stands still."""

    def __init__(self) -> None:
        self._images: deque[np.ndarray] = deque(maxlen=BACKGROUND_FRAMES)
        self._count = 0
        self._median: _Prepared | None = None

    def add(self, frame: _Prepared) -> None:
        """Take every BACKGROUND_EVERY-th frame. Another size, or a camera that pans, starts again."""
        if self._images and self._images[-1].shape != frame.image.shape:
            self._images.clear()
        if self._count % BACKGROUND_EVERY == 0:
            self._images.append(frame.image)
            self._median = _Prepared(_median(list(self._images))) if len(self._images) >= 3 else None
        self._count += 1

    def raise_motion(self, frame: _Prepared, motion: np.ndarray) -> np.ndarray:
        """The larger of the motion (H, W) and the difference to the median: a new array, or the motion itself."""
        if self._median is None or pan(frame.coarse, self._median.coarse, frame.image.shape[1]) != (0, 0):
            return motion
        still = np.full(motion.shape, 255, np.uint8)
        lower_motion(still, frame.image, self._median.low, self._median.high, 0, 0)
        return np.maximum(motion, still)


def _median(images):
    """The median (H, W, 3) uint8 of images."""
    return np.median(np.stack(images), axis=0).astype(np.uint8)
