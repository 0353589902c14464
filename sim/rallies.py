"""Rallies: strokes of play one after the other, until somebody misses.

    rally = sim.rally(sport, seed=0)
    rally.position([0.0, 0.5])               # (2, 3) m, anywhere in the rally
    for stroke in rally.strokes:             # how and when it was hit, and what became of it
        print(stroke.time, stroke.name, stroke.outcome)

Which strokes there are, in which order and what they have to reach is data of the sport (strokes.py). shooting.py finds
strokes that reach it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ballcast.sim import engine, rng
from ballcast.sim.dataset import SHORT, draw
from ballcast.sim.kernels.layout import POSITION, SPIN, VELOCITY
from ballcast.sim.shooting import Shot, Task, look_for
from ballcast.sim.strokes import Stroke

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

RALLY_PURPOSE = 1000  # beside rng.PURPOSES: no rally has the random stream of a ball
MAX_DURATION = 1.5  # of the sensor's duration: how long the ball of one stroke is followed
AFTERMATH = 1.0  # s that a rally lasts after its last stroke was decided
MAX_STROKES = 60


@dataclass(frozen=True, eq=False)
class PlayedStroke:
    """One stroke of a rally. Times are s from the start of the rally."""

    name: str  # of the sport's [[stroke]] table
    role: str
    time: float  # of the hit
    end: float  # of the next hit, or of the rally
    position: np.ndarray  # (3,) m
    velocity: np.ndarray  # (3,) m/s, after the hit
    spin: np.ndarray  # (3,) rad/s
    impacts: engine.Impacts  # from the hit to the end
    outcome: str  # the last of the zones that it had to reach, or what is called when it misses
    outcome_time: float  # when that was decided; after the end if the ball is met before, as in volleyball
    outcome_position: np.ndarray  # (3,) m, where
    counts: bool
    is_missed: bool  # it was played to miss, and did


@dataclass(frozen=True, eq=False)
class Rally:
    """The path of one ball over several strokes."""

    sport: "Sport"
    parameters: np.ndarray  # (6,) of this ball, in the order of sim.PARAMETERS
    strokes: tuple[PlayedStroke, ...]
    ended_by: str  # "miss", "catch": a player holds it, "winner": nobody reached it, or "limit": MAX_STROKES

    @property
    def end(self) -> float:
        """When it ends, s."""
        return self.strokes[-1].end

    @cached_property
    def hits(self) -> np.ndarray:
        """Times (S,) s of all strokes; the first is at 0."""
        return np.array([stroke.time for stroke in self.strokes])

    def position(self, times: ArrayLike) -> np.ndarray:
        """Positions (T, 3) m at times (T,) s, in any order. Before the start and after the end the ball stands."""
        return self.state(times)[0]

    def state(self, times: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position (m), velocity (m/s) and spin (rad/s) at times (T,) s, (T, 3) each; at a hit, after it."""
        times = np.clip(np.asarray(times, float), 0.0, self.end)
        position, velocity, spin = (np.empty((len(times), 3)) for _ in range(3))
        number = np.searchsorted(self.hits, times, side="right") - 1
        for k in np.unique(number):
            stroke, rows = self.strokes[k], np.flatnonzero(number == k)
            own_times, where = np.unique(times[rows] - stroke.time, return_inverse=True)
            p, v, w = stroke.position[None], stroke.velocity[None], stroke.spin[None]
            flight = engine.simulate(self.sport, p, v, w, own_times, self.parameters[None])
            assert flight.velocity is not None and flight.spin is not None
            position[rows], velocity[rows], spin[rows] = (
                values[0][where] for values in (flight.position, flight.velocity, flight.spin)
            )
        return position, velocity, spin


def rally(sport: "Sport", seed: int = 0, number: int = 0, wind: ArrayLike = (0.0, 0.0)) -> Rally:
    """Rally `number` of a seed, which depends on the sport and these alone, to the bit.

    Its ball is ball `number` of the set ("play", seed). wind (2,) m/s is added to that of the ball. ValueError for a
    sport without strokes, and for what `draw` refuses.
    """
    if not sport.strokes:
        raise ValueError(f"{sport.name} has no rallies; a sport needs [[zone]] and [[stroke]] tables to have them")
    parameters = draw(sport, 1, number, seed, "play", duration=SHORT, wind=wind).parameters[0]
    stream = np.empty(4, np.uint64)
    rng.seed_stream(stream, RALLY_PURPOSE, seed, number)
    stroke = _choose(stream, [s for s in sport.strokes if not s.after])
    mirrored, start, time, played = bool(rng.uniform(stream) < stroke.launch.mirror), None, 0.0, []
    while True:
        followers = [s for s in sport.strokes if stroke.role in s.after]
        follower = _choose(stream, followers) if followers and len(played) < MAX_STROKES - 1 else None
        is_missed = bool(rng.uniform(stream) < stroke.miss)
        wanted = None if is_missed else follower
        task = Task(sport, parameters, MAX_DURATION * sport.sensor.duration, stroke, mirrored, start, wanted, is_missed)
        shot = look_for(task, stream)
        played.append(_played(task, shot, time))
        if wanted is None or shot.met_at is None or wanted.holds:
            break
        time, mirrored, start, stroke = played[-1].end, task.follower_mirrored, _met_where(task, shot), wanted
    is_caught = wanted is not None and wanted.holds and shot.met_at is not None
    return Rally(sport, parameters, tuple(played), _ended_by(played, is_caught))


def _ended_by(played, is_caught):
    """Why the rally of these PlayedStrokes is over."""
    if not played[-1].counts:
        return "miss"
    return "catch" if is_caught else "limit" if len(played) == MAX_STROKES else "winner"


def _choose(stream, strokes: Sequence[Stroke]) -> Stroke:
    """One of the strokes, by their weights."""
    ends = np.cumsum([stroke.launch.weight for stroke in strokes])
    return strokes[min(int(np.searchsorted(ends, rng.uniform(stream) * ends[-1])), len(strokes) - 1)]


def _met_where(task: Task, shot: Shot) -> np.ndarray:
    """Where the ball is when it is met, (3,) m."""
    assert shot.met_at is not None
    p, v, w = (shot.launch[part][None] for part in (POSITION, VELOCITY, SPIN))
    return engine.simulate(task.sport, p, v, w, [shot.met_at], task.parameters[None]).position[0, 0]


def _played(task: Task, shot: Shot, time: float) -> PlayedStroke:
    """The stroke as part of the rally, hit at a time (s)."""
    verdict, stroke = shot.verdict, task.stroke
    duration = min(verdict.time + AFTERMATH, task.duration) if shot.met_at is None else shot.met_at
    position, velocity, spin = (shot.launch[part].copy() for part in (POSITION, VELOCITY, SPIN))
    return PlayedStroke(
        stroke.name, stroke.role, time, time + duration, position, velocity, spin,
        shot.impacts_until(duration, time),
        stroke.zones[-1] if verdict.counts else stroke.fault, time + verdict.time, verdict.position,
        verdict.counts, task.is_missed and not verdict.counts,
    )  # fmt: skip
