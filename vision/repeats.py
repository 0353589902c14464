"""Frames that repeat the one before, and how they come.

Broadcasts of 25 frames/s are often stored as 30: every sixth frame shows what the fifth has shown. Compression makes
the copy a little different. So a frame is quiet if nothing moves in it and it differs much less from the one before
than frames usually do. A quiet frame is a repeat if things move again in the next frame, or if quiet frames come
regularly. A frame that is the same to the bit is always a repeat.

Where repeats come regularly, the frames between them were taken at equal times, not at those of the file: frames 0, 1,
2, 3, 4 of 6 at 0, 1.2, 2.4, 3.6, 4.8 intervals. `Cadence` knows by how much each is late.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SHRINK = 8  # pixels along the side of the blocks whose means are compared
QUIET_PEAK = 10.0  # of 255: the largest difference of a block that compression may make in a copy
QUIET_MEAN = 0.5  # of the usual difference between frames: a copy differs less
LOUD_PEAK = 16.0  # of 255: from this largest difference on something moves
RECENT = 7  # frames with motion that say what is usual
RUN = 3  # quiet frames in a row; more are a picture that stands still
LONGEST_PERIOD = 12  # frames
CYCLES = 3  # that a cadence must be seen for
AGREE = 0.7  # share of the frames in each place of a period that follow it
EVEN = 0.2  # by which intervals may differ, over their mean, where the rate does not vary


class Change(NamedTuple):
    """What is new in a frame."""

    same: bool  # nothing, to the bit
    quiet: bool  # it may be a copy
    loud: bool  # something moves


class RepeatFinder:
    """Compares the frames that it is shown, one after the other."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None
        self._usual: deque[float] = deque(maxlen=RECENT)  # mean differences of the last frames in which something moved
        self._since = 0  # frames since the last of them

    def change(self, image: np.ndarray) -> Change:
        """What an image (H, W, 3) uint8 has that the one before had not."""
        import cv2

        size = max(1, image.shape[1] // SHRINK), max(1, image.shape[0] // SHRINK)
        small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY).astype(np.int16)
        last, self._last = self._last, small
        if last is None or last.shape != small.shape:
            return Change(False, False, True)
        difference = np.abs(small - last)
        mean, peak = float(difference.mean()), float(difference.max())
        is_loud = peak >= LOUD_PEAK
        self._since = 0 if is_loud else self._since + 1
        quiet = peak <= QUIET_PEAK and 0 < self._since <= RUN and bool(self._usual)
        quiet = quiet and mean < QUIET_MEAN * float(np.median(self._usual))
        if is_loud:
            self._usual.append(mean)
        return Change(peak == 0.0, quiet, is_loud)


class Cadence:
    """Repeats that come with a period of frames: where they are, and how late the other frames are.

    period   frames
    fresh    (period,) bool: which frames of a period, from frame 0 of the file on, are no repeats
    """

    def __init__(self, fresh: Sequence[bool]):
        self.period, self.fresh = len(fresh), tuple(map(bool, fresh))
        self._delays = self._late()
        self._shift = 0  # frames by which the place of the repeats has moved since the beginning
        self._elsewhere = -1  # the last repeat that was not in its place

    def expects(self, number: int) -> bool:
        """Whether frame `number` is a repeat, as far as the cadence goes on."""
        return not self.fresh[(number + self._shift) % self.period]

    def delay(self, number: int) -> float:
        """By how many intervals of the file frame `number` was taken after the file's time."""
        return float(self._delays[(number + self._shift) % self.period])

    def saw_repeat(self, number: int) -> None:
        """Follow the repeats where their place changes, as after a cut: two of them, a period apart, say so."""
        if self.expects(number) or sum(self.fresh) != self.period - 1:
            return
        if number - self._elsewhere == self.period:
            self._shift = (self.fresh.index(False) - number) % self.period
        self._elsewhere = number

    def note(self, name: str, rate: float) -> str:
        """What it means for a file, in one line."""
        left = sum(self.fresh)
        what = f"{self.period - left} of {self.period} frames repeat the one before"
        return f"{name}: {what} and are left out; {rate * left / self.period:.4g} frames/s are left, at equal intervals"

    def _late(self):
        """Delays (period,) in intervals, 0 in the mean; a repeat that is kept stands between its neighbours."""
        first = next(i for i in range(self.period) if self.fresh[i] and not self.fresh[i - 1])
        step, seen, delays = self.period / sum(self.fresh), 0, np.zeros(self.period)
        for k in range(self.period):
            is_fresh = self.fresh[(first + k) % self.period]
            delays[(first + k) % self.period] = (seen if is_fresh else seen - 0.5) * step - k
            seen += is_fresh
        return delays - delays[list(self.fresh)].mean()


def find_cadence(repeats: Sequence[bool], stamps: Sequence[float]) -> Cadence | None:
    """The Cadence of the frames at the beginning of a file; None if there is none, or the file's rate varies.

    repeats   (n,) whether each frame may repeat the one before
    stamps    (n,) the file's times
    """
    flags, intervals = np.asarray(repeats, bool), np.diff(np.asarray(stamps, float))
    if not flags.any() or np.ptp(intervals) > EVEN * intervals.mean():
        return None
    for period in range(2, LONGEST_PERIOD + 1):
        cycles = (len(flags) - 1) // period  # the first frame repeats nothing
        if cycles < CYCLES:
            return None
        share = flags[-cycles * period :].reshape(cycles, period).mean(axis=0)
        pattern = np.roll(share > 0.5, len(flags) % period)  # from frame 0 on
        if 0 < pattern.sum() < period and np.maximum(share, 1.0 - share).min() >= AGREE:
            return Cadence(~pattern)
    return None
