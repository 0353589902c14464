"""Which frames a live stream takes: a frame that measures nothing, comes too late or cannot be true is left out.

    status = stream.observe(time, position)        # a FrameStatus; a text too: status == "late"

Nothing is raised for what a tracker may send. A stream goes on after a clock that was set wrong for a moment, and after
a ball was taken away: as soon as MIN_AGREEING frames in a row are late, or far off, and fit one another, a new ball
begins with the last of them.
"""

import enum
import math
from typing import Any

from numpy.typing import ArrayLike

from ballcast.tracks.held import RepeatFilter

MAX_SPEED, MARGIN = 120.0, 0.5  # m/s, m: no ball of a sport is farther off after a time
MIN_AGREEING = 4  # frames in a row, as many as the filter needs to start anew
MAX_TIME = 1e11  # s: three thousand years. Above it numbers no longer resolve 10 us
MAX_GAP = 0.5  # s between late frames that count as one sequence


class FrameStatus(enum.StrEnum):
    """What became of a frame."""

    TAKEN = "taken"
    RESTARTED = "restarted"  # taken, as the first frame of a new ball
    NOT_FINITE = "not finite"  # left out: NaN or infinite, as where the ball was not seen
    NOT_SECONDS = "not seconds"  # left out: a time beyond MAX_TIME, as clocks that count milli- or nanoseconds have
    LATE = "late"  # left out: its time is not after that of the last frame
    HELD = "held"  # left out: the position before, repeated; or (0, 0, 0). See tracks/held.py
    FAR_OFF = "far off"  # left out or given little weight: the ball cannot be there, or is most unlikely to be


TAKEN, RESTARTED, NOT_FINITE, NOT_SECONDS, LATE, HELD, FAR_OFF = FrameStatus
ACCEPTED = (TAKEN, RESTARTED)


class FrameGate:
    """Decides, frame by frame, what the stream of one ball takes. Remembers a few numbers."""

    __slots__ = ("_count", "_other", "_repeats", "_taken")

    def __init__(self) -> None:
        self._repeats = RepeatFilter()
        self.restart()

    def restart(self) -> None:
        """Forget the frames: a new ball begins."""
        self._taken: tuple[float, ...] | None = None  # t, x, y, z of the last frame that was taken
        self._other = (-math.inf, 0.0, 0.0, 0.0)  # the last one that was late or far off
        self._count = 0  # how many of those agree
        self._repeats.restart()

    def check(self, t: float, x: float, y: float, z: float) -> FrameStatus:
        """What becomes of the frame at t s and (x, y, z) m."""
        if not math.isfinite(t + x + y + z):
            return NOT_FINITE
        if abs(t) > MAX_TIME:
            return NOT_SECONDS
        frame, last = (t, x, y, z), self._taken
        if last is None or (t > last[0] and _can_follow(last, frame)):
            if not self._repeats.is_measured(*frame):
                return HELD
            self._taken, self._count = frame, 0
            return TAKEN
        if not (x or y or z):  # where no ball was seen; none of these agree
            return HELD
        status = FAR_OFF if t > last[0] else LATE
        return RESTARTED if self._agrees(frame) else status

    def _agrees(self, frame):
        """Whether enough frames that were left out fit one another, this one the last of them."""
        other, self._other = self._other, frame
        is_held = frame[1:] == other[1:]
        does_follow = 0.0 < frame[0] - other[0] <= MAX_GAP and not is_held and _can_follow(other, frame)
        self._count = self._count + 1 if does_follow and self._count else 1
        return self._count >= MIN_AGREEING


def _can_follow(before, after):
    """Whether a ball can be where a later frame shows it."""
    return math.dist(before[1:], after[1:]) <= MARGIN + MAX_SPEED * (after[0] - before[0])


def four_numbers(time: float, position: ArrayLike) -> tuple[float, float, float, float]:
    """A frame as t, x, y, z. ValueError if it is none."""
    values: Any = position
    try:
        x, y, z = values
        return float(time), float(x), float(y), float(z)
    except (TypeError, ValueError):
        raise ValueError(f"a frame is a time and a position (3,), not {time!r}, {position!r}") from None
