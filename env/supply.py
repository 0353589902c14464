"""Balls to be caught: drawn in blocks, kept if they cross the plane and the disc can be there in time.

A ball is fair if a disc that knows the true crossing from the first frame on, and starts at rest, can catch it with its
acceleration. Others are not drawn. Balls and starts depend on (purpose, seed) and their number alone.
"""

from typing import NamedTuple

import numpy as np

from ballcast import sim
from ballcast.env.task import Task
from ballcast.sim.rng import PURPOSES

BLOCK = 256  # balls drawn at once
STARTS = 4711  # seed of the starts
STEP = 0.002  # s between the points of a true flight, between which it is straight
MAX_EMPTY_BLOCKS = 8  # in a row, after which a task is taken as impossible


class Episodes(NamedTuple):
    """N balls, each with the start of the disc. Times in s from the first frame, positions in the tracker's frame."""

    frames: np.ndarray  # (N, K, 4) float32: x, y, z in m as measured and 1, or zeros where the ball was not seen
    crossing: np.ndarray  # (N, 3): the true time, s, and the place in the plane, m
    start: np.ndarray  # (N, 2) m
    number: np.ndarray  # (N,) of the ball in its set
    begin: np.ndarray  # (N,) s from the launch to the first frame

    def __len__(self) -> int:
        return len(self.number)


class Supply:
    """Episodes one after the other: the balls of the set (purpose, seed), and where the disc starts."""

    def __init__(self, task: Task, seed: int):
        self.task, self.seed, self._next = task, seed, 0
        self._ready = [_none(task)]

    def take(self, count: int) -> Episodes:
        """The next `count` Episodes. ValueError if no ball of the sport can be caught in this way."""
        empty = 0
        while sum(map(len, self._ready)) < count:
            self._ready.append(self._draw())
            empty = 0 if len(self._ready[-1]) else empty + 1
            if empty == MAX_EMPTY_BLOCKS:
                raise ValueError(f"of {empty * BLOCK} balls of {self.task.sport.name} none crosses the plane in time")
        if len(self._ready) > 1:
            self._ready = [Episodes(*map(np.concatenate, zip(*self._ready)))]
        whole = self._ready[0]
        self._ready = [Episodes(*(a[count:] for a in whole))]
        return Episodes(*(a[:count] for a in whole))

    def balls(self, number: int, count: int = 1) -> sim.Balls:
        """Balls `number` on of the set, as they are drawn here."""
        task, duration = self.task, (self.task.steps + 1) / self.task.rate
        seed, purpose = self.seed, task.options.purpose
        return sim.draw(task.sport, count, number, seed, purpose, rate=task.rate, duration=duration)

    def _draw(self):
        """The fair balls among the next BLOCK."""
        task, balls = self.task, self.balls(self._next, BLOCK)
        key = STARTS, PURPOSES.index(task.options.purpose), self.seed, self._next
        start = np.random.default_rng(key).uniform(task.start[:, 0], task.start[:, 1], (BLOCK, 2))
        number, self._next = self._next + np.arange(BLOCK), self._next + BLOCK
        frames, begin = frame_table(task, balls)
        crossing = true_crossings(task, balls)
        crossing[:, 0] -= begin
        seconds = np.nan_to_num(crossing[:, 0], nan=-1.0)
        reach = task.radius + 0.5 * task.options.acceleration * seconds**2
        is_fair = (seconds >= task.times[0]) & (seconds <= task.times[1]) & frames[..., 3].any(axis=1)
        is_fair &= np.hypot(*(crossing[:, 1:] - start).T) <= reach
        return Episodes(*(a[is_fair] for a in (frames, crossing, start, number, begin)))


def _none(task):
    """No Episodes."""
    frames, number = np.empty((0, task.steps, 4), np.float32), np.empty(0, np.int64)
    return Episodes(frames, np.empty((0, 3)), np.empty((0, 2)), number, np.empty(0))


def frame_table(task: Task, balls: sim.Balls) -> tuple[np.ndarray, np.ndarray]:
    """What the tracker measured of B balls as the rows of Episodes.frames (B, K, 4), and the times (B,) s of the first
    row, seen or not, from the launch."""
    frames, begin = np.zeros((len(balls), task.steps, 4), np.float32), np.zeros(len(balls))
    counts = np.diff(balls.offsets)
    ball = np.repeat(np.arange(len(balls)), counts)
    first = balls.time[np.minimum(balls.offsets[:-1], len(balls.time) - 1)]
    missed = np.floor(first * task.rate + 1e-6)  # before the first frame that was seen
    begin[:] = first - missed / task.rate
    row = np.rint((balls.time - begin[ball]) * task.rate).astype(int)
    kept = row < task.steps
    frames[ball[kept], row[kept], :3], frames[ball[kept], row[kept], 3] = balls.position[kept], 1.0
    return frames, begin


def true_crossings(task: Task, balls: sim.Balls) -> np.ndarray:
    """When, s from the launch, and where (m, in the plane) B balls truly first cross the plane in the direction of the
    task: (B, 3); NaN if they do not."""
    times = np.arange(0.0, task.times[1] + 1.0 / task.rate + STEP, STEP)
    position = balls.flight(times).position
    side = task.direction * (position[..., task.axis] - task.offset)
    crosses = (side[:, :-1] < 0.0) & (side[:, 1:] >= 0.0)
    rows, k = np.arange(len(balls)), crosses.argmax(axis=1)
    before, after = side[rows, k], side[rows, k + 1]
    fraction = (before / (before - after))[:, None]
    points = (1.0 - fraction) * position[rows, k] + fraction * position[rows, k + 1]
    out = np.column_stack([times[k] + STEP * fraction[:, 0], points[:, task.axes]])
    out[~crosses.any(axis=1)] = np.nan
    return out
