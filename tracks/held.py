"""Frames that measure nothing: repeated positions, and (0, 0, 0) where no ball was found.

    repeats = RepeatFilter()                       # live: one for each ball
    if repeats.is_measured(t, x, y, z): ...        # s, m; well under a microsecond
    batch = RepeatFilters(1000)                    # live, many balls at once
    mask = measured_frames(time, position)         # all frames of a track at once, by the same rule

Many trackers repeat the last position, or write zeros, while they do not see the ball.

Repeats. A frame with exactly the position of the last measured frame is *held*, and measures nothing, if the ball
moved faster than REST_SPEED before: no ball stops from one frame to the next. A slower ball may well rest, and a feed
that rounds to centimetres then repeats its position for good reasons: its frames count. So do those of a ball that has
stayed for longer than REST_TIME: it was stopped. The speed is that from one measured frame to the next, so that a slow
ball whose position is rounded coarsely is not taken for a fast one.

Zeros. (0, 0, 0) measures nothing unless the ball was within NEAR_ORIGIN of it in the frame before.
"""

import math

import numpy as np

REST_SPEED = 0.5  # m/s; at 25 Hz a last step of two centimetres, at 180 Hz of three millimetres
REST_TIME = 0.5  # s; trackers hold a lost ball for a few frames
NEAR_ORIGIN = 0.05  # m
NO_FRAME = (math.nan,) * 4


class RepeatFilter:
    """Tells, frame by frame, whether a frame of one ball is a measurement. Remembers two frames."""

    __slots__ = ("_before", "_last")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget the frames: a new ball begins."""
        self._before = self._last = NO_FRAME

    def is_measured(self, t: float, x: float, y: float, z: float) -> bool:
        """Whether the frame at t s and (x, y, z) m is a measurement. Times increase."""
        last = self._last
        if x == last[1] and y == last[2] and z == last[3]:
            if t - last[0] <= REST_TIME and self._was_moving():
                return False
        elif x == 0.0 and y == 0.0 and z == 0.0 and not max(map(abs, last[1:])) <= NEAR_ORIGIN:
            return False
        self._before, self._last = last, (t, x, y, z)
        return True

    def _was_moving(self):
        before, last = self._before, self._last
        return math.dist(before[1:], last[1:]) > REST_SPEED * (last[0] - before[0])


class RepeatFilters:
    """The RepeatFilter of many balls at once."""

    def __init__(self, count: int):
        self._before, self._last = np.full((count, 4), np.nan), np.full((count, 4), np.nan)

    def restart(self, rows: np.ndarray | slice) -> None:
        """Forget the frames of balls `rows`."""
        self._before[rows] = self._last[rows] = np.nan

    def measured(self, rows: np.ndarray, time: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Which (n,) of the frames of balls `rows` (n,) are measurements: time (n,) s, position (n, 3) m."""
        before, last = self._before[rows], self._last[rows]
        is_repeat = (position == last[:, 1:]).all(axis=1)
        was_moving = np.linalg.norm(last[:, 1:] - before[:, 1:], axis=1) > REST_SPEED * (last[:, 0] - before[:, 0])
        is_held = is_repeat & was_moving & (time - last[:, 0] <= REST_TIME)
        was_near = np.abs(last[:, 1:]).max(axis=1) <= NEAR_ORIGIN
        is_measured = ~is_held & (is_repeat | was_near | position.any(axis=1))
        kept = rows[is_measured]
        self._before[kept], self._last[kept] = last[is_measured], np.column_stack([time, position])[is_measured]
        return is_measured


def measured_frames(time: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Which frames (T,) of a track are measurements: time (T,) s that increases, position (T, 3) m."""
    is_repeat = (position[1:] == position[:-1]).all(axis=1)
    if not is_repeat.any() and position.any(axis=1).all():  # the usual case, without a loop
        return np.ones(len(time), bool)
    repeats = RepeatFilter()
    rows = zip(time.tolist(), *position.T.tolist())
    return np.array([repeats.is_measured(*row) for row in rows], bool)
