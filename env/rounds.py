"""B rounds of the game side by side: discs, balls, and what happens in a step. No gymnasium, no pictures.

A step lasts from one frame of the tracker to the next. The disc moves with constant acceleration in it. The episode
ends in the step in which the ball truly crosses the plane, and at that moment it is caught or not.
"""

from typing import NamedTuple

import numpy as np

from ballcast.env.supply import Episodes, Supply
from ballcast.env.task import Task


class Outcome(NamedTuple):
    """What a step brought, of B rounds."""

    reward: np.ndarray  # (B,)
    is_over: np.ndarray  # (B,)
    is_caught: np.ndarray  # (B,) of those that are over
    miss: np.ndarray  # (B,) m from the disc's centre to the true crossing


class Rounds:
    """The state of B rounds.

    place, velocity  (B, 2) m, m/s: of the disc, in the plane
    step             (B,) steps since the first frame
    is_over          (B,) whether the ball has crossed the plane
    episodes         Episodes: the ball of each round. Only rewards and pictures use its true crossing
    """

    def __init__(self, task: Task, count: int):
        self.task, self.count, self.supply = task, count, Supply(task, 0)
        self.padding = task.options.frames - 1  # rows before the first frame
        table, number = np.zeros((count, self.padding + task.steps, 4), np.float32), np.zeros(count, np.int64)
        self.episodes = Episodes(table, np.zeros((count, 3)), np.zeros((count, 2)), number, np.zeros(count))
        self.place, self.velocity = np.zeros((count, 2)), np.zeros((count, 2))
        self.step, self.distance = np.zeros(count, int), np.zeros(count)
        self.is_over = np.zeros(count, bool)

    def begin(self, rows: np.ndarray, seed: int | None = None) -> None:
        """New balls for rounds `rows` (n,); with a seed, from its first ball on."""
        if seed is not None:
            self.supply = Supply(self.task, seed)
        new = self.supply.take(len(rows))
        self.episodes.frames[rows, self.padding :] = new.frames
        for own, drawn in zip(self.episodes[1:], new[1:]):
            own[rows] = drawn
        self.place[rows], self.velocity[rows], self.step[rows] = new.start, 0.0, 0
        self.is_over[rows] = False
        self.distance[rows] = np.hypot(*(new.crossing[:, 1:] - new.start).T)

    @property
    def time(self) -> np.ndarray:
        """(B,) s since the first frame."""
        return self.step / self.task.rate

    def move(self, action: np.ndarray) -> Outcome:
        """A step of all rounds by actions (B, 2): accelerations over the largest one; one longer than 1 counts as 1.
        ValueError if they are not finite."""
        task, interval = self.task, 1.0 / self.task.rate
        action = np.asarray(action, float)
        if action.shape != (self.count, 2) or not np.isfinite(action).all():
            raise ValueError(f"an action is two finite numbers for each of {self.count} discs, not {action!r:.60}")
        length = np.sqrt(np.einsum("bi,bi->b", action, action))
        acceleration = action * (task.options.acceleration / np.maximum(length, 1.0))[:, None]
        left = self.episodes.crossing[:, 0] - self.time
        is_over = left <= interval
        seconds = np.where(is_over, np.maximum(left, 0.0), interval)[:, None]
        self.place += seconds * (self.velocity + 0.5 * seconds * acceleration)
        self.velocity += seconds * acceleration
        self.step += ~is_over
        off = self.place - self.episodes.crossing[:, 1:]
        distance = np.sqrt(np.einsum("bi,bi->b", off, off))
        is_caught = is_over & (distance <= task.radius)
        reward = is_caught.astype(float)
        if task.options.reward == "dense":
            reward += self.distance - distance
        self.distance, self.is_over = distance, is_over
        return Outcome(reward, is_over, is_caught, distance)

    @property
    def frame(self) -> np.ndarray:
        """What the tracker measured at this step, (B, 4): x, y, z in m and 1, or zeros if it saw no ball."""
        return self.episodes.frames[np.arange(self.count), self.padding + self.step]

    def recent_frames(self) -> np.ndarray:
        """The last frames (B, frames, 4), the newest last; zeros where the ball was not seen, and before the first."""
        columns = self.step[:, None] + np.arange(self.padding + 1)
        return self.episodes.frames[np.arange(self.count)[:, None], columns]
