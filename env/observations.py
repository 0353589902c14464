"""What an agent sees: the disc, and the measured track or the forecast at the plane. The true flight is not here.

Each observer gives numbers of B rounds by name, and the bounds of each, from which catch.py makes spaces.
"""

from collections.abc import Callable

import numpy as np

from ballcast import models
from ballcast.env.crossing import crossings
from ballcast.env.rounds import Rounds
from ballcast.env.task import Task
from ballcast.models.predictors.neural import NeuralPredictor
from ballcast.sim.sensor import to_tracker_frame

COUNT = 32  # times of a forecast, evenly until the last time at which a ball of the task may cross
MIN_FRAMES = 3  # seen, before a forecast is made
MAX_SPAN = 500.0  # m: what is further away is given as this
MAX_VARIANCE = MAX_SPAN**2  # m2, s2


def disc_bounds(task: Task) -> np.ndarray:
    """The largest values of `disc` (4,): it cannot move further with its acceleration."""
    seconds, acceleration = task.steps / task.rate, task.options.acceleration
    place = np.abs(task.start).max(axis=1) + 0.5 * acceleration * seconds**2
    return np.concatenate([place, [acceleration * seconds] * 2])


class Observer:
    """What all observers do. `bounds` are the largest absolute values of an observation, by name."""

    bounds: dict[str, np.ndarray]

    def begin(self, rounds: Rounds, rows: np.ndarray) -> None:
        """New balls in rounds `rows`, before their first frame."""

    def advance(self, rounds: Rounds, rows: np.ndarray) -> None:
        """A new frame in rounds `rows`."""

    def observe(self, rounds: Rounds) -> dict[str, np.ndarray]:
        """The observation of all rounds, float32."""
        raise NotImplementedError


class TrackObserver(Observer):
    """disc (B, 4), frames (B, F, 4)."""

    def __init__(self, task: Task, count: int):
        self.bounds = {"disc": disc_bounds(task), "frames": np.tile([*[MAX_SPAN] * 3, 1.0], (task.options.frames, 1))}

    def begin(self, rounds: Rounds, rows: np.ndarray) -> None:
        seen = rounds.episodes.frames
        seen[rows] = np.clip(seen[rows], -MAX_SPAN, MAX_SPAN)

    def observe(self, rounds: Rounds) -> dict[str, np.ndarray]:
        return {"disc": _disc(rounds), "frames": rounds.recent_frames()}


class ForecastObserver(Observer):
    """disc (B, 4), crossing (B, 3), covariance (B, 3, 3), crosses (B, 1)."""

    def __init__(self, task: Task, count: int):
        self.task, self.count = task, count
        predictor = models.load(task.options.predictor, sport=task.sport)
        if not isinstance(predictor, NeuralPredictor):
            raise ValueError(f"predictor={task.options.predictor!r}: a network, which follows many balls at once")
        self.predictor, self.streams = predictor, predictor.streams(count)
        self._seen = np.zeros(count, int)
        self.bounds = {
            "disc": disc_bounds(task),
            "crossing": np.array([task.times[1] + 1.0, MAX_SPAN, MAX_SPAN]),
            "covariance": np.full((3, 3), MAX_VARIANCE),
            "crosses": np.ones(1),
        }

    def begin(self, rounds: Rounds, rows: np.ndarray) -> None:
        self.streams.restart(rows)
        self._seen[rows] = 0

    def advance(self, rounds: Rounds, rows: np.ndarray) -> None:
        frame = rounds.frame.astype(float)
        is_seen = np.zeros(self.count, bool)
        is_seen[rows] = frame[rows, 3] > 0.0
        frame[~is_seen] = np.nan
        self._seen += is_seen
        self.streams.observe(rounds.time, frame[:, :3])

    def paths(self, rounds: Rounds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The forecast of all rounds: times (B, H) s since the first frame, mean (B, H, 3) m, covariance m2."""
        task, now = self.task, rounds.time
        span = np.maximum(task.times[1] - now, 2.0 / task.rate) / COUNT
        times = now[:, None] + span[:, None] * np.arange(1, COUNT + 1)
        batch, frame = self.streams.forecast(times), self.predictor.tracker_frame
        return times, batch.mean if frame is None else to_tracker_frame(frame, batch.mean), batch.covariance

    def observe(self, rounds: Rounds) -> dict[str, np.ndarray]:
        task, now = self.task, rounds.time
        times, mean, covariance = self.paths(rounds)
        value, spread, found = crossings(times, mean, covariance, task.axis, task.offset, task.direction)
        value[:, 0] -= now
        found &= (self._seen >= MIN_FRAMES) & np.isfinite(value).all(axis=1) & np.isfinite(spread).all(axis=(1, 2))
        value[~found], spread[~found] = 0.0, 0.0
        bounds = self.bounds
        return {
            "disc": _disc(rounds),
            "crossing": np.clip(value, -bounds["crossing"], bounds["crossing"]).astype(np.float32),
            "covariance": np.clip(spread, -MAX_VARIANCE, MAX_VARIANCE).astype(np.float32),
            "crosses": found[:, None].astype(np.float32),
        }


def _disc(rounds):
    return np.concatenate([rounds.place, rounds.velocity], axis=1).astype(np.float32)


OBSERVERS: dict[str, Callable[[Task, int], Observer]] = {"track": TrackObserver, "forecast": ForecastObserver}
