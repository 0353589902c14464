"""What is to be done: the plane in which a disc moves, the disc, and which balls are played to it.

task = Task.of(CatchOptions(sport="tennis", radius=0.2))
"""

import math
import tomllib
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ballcast import sim
from ballcast.sim.rng import PURPOSES
from ballcast.sim.sport import Sport

TASKS = Path(__file__).parent / "tasks.toml"
SETTINGS = ("plane", "falling", "radius", "start", "times")  # of tasks.toml
OBSERVED, REWARDS = ("track", "forecast"), ("dense", "sparse")
MAX_FRAMES = 64  # that an observation may hold


@dataclass(frozen=True)
class CatchOptions:
    """The options of the environment. What is None is as in tasks.toml; a sport of your own needs all of those."""

    sport: str = "table_tennis"  # a name, or a .toml file of your own
    observe: str = "track"  # "track": the last measured frames; "forecast": where and when the ball crosses the plane
    reward: str = "dense"  # "dense": also the approach to the crossing; "sparse": 1 for a catch
    acceleration: float = 20.0  # m/s2, what the disc can do
    frames: int = 8  # frames in an observation of the track
    predictor: str = "gru"  # whose forecast is observed: a network of models.PREDICTORS, or a file of weights
    purpose: str = "train"  # whose balls: train, validation, test, play; they never share one
    rate: float | None = None  # Hz, of the tracker and of the steps; None: the sport's
    plane: str | None = None  # as in y=1.6: an axis and m
    falling: bool | None = None  # whether balls cross it towards lower values
    radius: float | None = None  # m, of the disc
    start: Any = None  # ((low, high), (low, high)) m, where the disc starts, along the plane's two axes
    times: tuple[float, float] | None = None  # s from the first frame to the crossing: shortest, longest

    @classmethod
    def of(cls, **options: Any) -> "CatchOptions":
        """CatchOptions from keywords. ValueError for one that does not exist, or a value that cannot be."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise ValueError(f"Catch has no option {name!r}; there are {', '.join(known)}")
        chosen = cls(**options)
        chosen.check()
        return chosen

    def check(self) -> None:
        """ValueError, with one line, for a value that cannot be."""
        for name, known in (("observe", OBSERVED), ("reward", REWARDS), ("purpose", PURPOSES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}: there are {', '.join(known)}")
        for name in ("acceleration", "rate", "radius"):
            value = getattr(self, name)
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError(f"{name}={value!r}: a number above 0")
        if not (isinstance(self.frames, int) and 1 <= self.frames <= MAX_FRAMES):
            raise ValueError(f"frames={self.frames!r}: a whole number from 1 to {MAX_FRAMES}")


@dataclass(frozen=True)
class Task:
    """A disc in a plane, and the balls that are played to it; in the frame of the tracker, which is the sport's up to
    a tracker's own errors."""

    sport: Sport
    options: CatchOptions
    axis: int  # 0, 1 or 2: the plane is where this coordinate is `offset`
    offset: float  # m
    direction: float  # 1 or -1: how balls cross it
    radius: float  # m, of the disc
    start: np.ndarray  # (2, 2) m, low and high of the disc's start along the plane's two axes
    times: tuple[float, float]  # s from the first frame to the crossing: shortest, longest

    @classmethod
    def of(cls, options: CatchOptions) -> "Task":
        """The Task of options. ValueError, with one line, for what cannot be."""
        sport = sim.load(options.sport)
        rows = tomllib.loads(TASKS.read_text(encoding="utf-8"))
        row = {"falling": False} | rows.get(sport.name, {})
        row |= {name: value for name in SETTINGS if (value := getattr(options, name)) is not None}
        if lacking := [name for name in SETTINGS if name not in row]:
            raise ValueError(f"nothing is known of catching in {sport.name}: give {', '.join(lacking)}, too")
        axis, offset = parse_plane(row["plane"])
        start, times = np.array(row["start"], float), tuple(np.ravel(row["times"]).tolist())
        if start.shape != (2, 2) or not (np.isfinite(start).all() and (start[:, 0] < start[:, 1]).all()):
            raise ValueError(f"start={row['start']!r}: ((low, high), (low, high)) in m, low below high")
        if not (len(times) == 2 and 0.0 < times[0] < times[1] < math.inf):
            raise ValueError(f"times={row['times']!r}: (shortest, longest) in s, the shorter one first")
        return cls(sport, options, axis, offset, -1.0 if row["falling"] else 1.0, float(row["radius"]), start, times)

    @property
    def rate(self) -> float:
        """Frames, and steps, per second."""
        return float(self.options.rate or self.sport.sensor.rate)

    @property
    def steps(self) -> int:
        """More steps than any episode has."""
        return math.ceil(self.times[1] * self.rate) + 1

    @cached_property
    def axes(self) -> np.ndarray:
        """The two axes in the plane, in the order x, y, z."""
        return np.array([k for k in range(3) if k != self.axis])

    def point(self, place: np.ndarray) -> np.ndarray:
        """Points (..., 3) m in space of places (..., 2) m in the plane."""
        return np.insert(np.asarray(place, float), self.axis, self.offset, axis=-1)


def parse_plane(text: str) -> tuple[int, float]:
    """(axis, offset m) of a plane as in "y=1.6". ValueError for anything else."""
    name, _, number = str(text).partition("=")
    try:
        axis, offset = "xyz".index(name.strip() or "?"), float(number)
    except ValueError:
        axis, offset = 0, math.nan
    if not math.isfinite(offset):
        raise ValueError(f"plane={text!r}: an axis and a distance in m, as in y=1.6")
    return axis, offset
