"""Finds a stroke that reaches its zones, by trial.

The stroke's distributions give a speed and a spin, and GROUP directions for them. All are simulated. The first
candidate is taken whose ball reaches the zones of the stroke, and then comes to where the next player meets it. So
there is no table of solutions that would have to follow the physics.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ballcast.sim import engine
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE, POSITION, SPIN, VELOCITY
from ballcast.sim.launch import AIMED, NUMBER, VELOCITY_FORMS, draw_launch, draw_number, launch_records
from ballcast.sim.strokes import Stroke
from ballcast.sim.umpire import BallPath, Verdict, judge, meeting_time

if TYPE_CHECKING:
    from ballcast.sim.sport import Sport

GROUP = 32  # directions tried for one speed and spin
CANDIDATES, ROUNDS = 64, 10  # strokes simulated at once, and how often
FRAME_TIME = 0.01  # s between the positions by which a candidate is judged
MIRROR, SPIN_MIRROR, NOT_MIRRORED = np.array([1.0, -1.0, 1.0]), np.array([-1.0, 1.0, -1.0]), np.ones(3)
DIRECTED = (list(VELOCITY_FORMS).index("polar"), AIMED)  # velocities by speed, azimuth and elevation


@dataclass(frozen=True, eq=False)
class Task:
    """What is asked of a stroke."""

    sport: "Sport"
    parameters: np.ndarray  # (6,) of the ball
    duration: float  # s that its ball is followed
    stroke: Stroke
    mirrored: bool  # played from the other end
    start: np.ndarray | None  # (3,) m, where the ball is; None: where the stroke's launch is
    follower: Stroke | None  # the stroke of a player who is to reach its ball
    is_missed: bool  # it is to miss

    @property
    def follower_mirrored(self) -> bool:
        """Whether the follower plays from the other end."""
        meet = self.follower.meet if self.follower else None
        return self.mirrored != (meet is not None and meet.other_side)


@dataclass(frozen=True, eq=False)
class Shot:
    """A candidate, and what becomes of it. Times are s from its launch; positions are in the sport's frame."""

    launch: np.ndarray  # (LAUNCH_SIZE,)
    verdict: Verdict
    met_at: float | None  # when the follower meets the ball
    impacts: engine.Impacts  # of all candidates
    ball: int  # its number among them

    def impacts_until(self, time: float, since: float = 0.0) -> engine.Impacts:
        """Its own impacts up to a time (s), their times moved by `since` s."""
        of = self.impacts
        rows = np.flatnonzero((of.ball == self.ball) & (of.time <= time))
        parts = {name: values[rows] for name, values in vars(of).items()}
        return engine.Impacts(**parts | {"ball": np.zeros(len(rows), int), "time": parts["time"] + since})


def look_for(task: Task, stream: np.ndarray) -> Shot:
    """The first candidate that does what is wanted; without one, the first that counts; without one, the first."""
    fallback = None
    for _ in range(ROUNDS):
        for shot in _judged(task, *_candidates(task, stream)):
            if shot.verdict.counts != task.is_missed and (task.follower is None or shot.met_at is not None):
                return shot
            if fallback is None or (shot.verdict.counts and not fallback.verdict.counts and not task.is_missed):
                fallback = shot
    assert fallback is not None
    return fallback


def _candidates(task, stream):
    """Launches (CANDIDATES, LAUNCH_SIZE), and where (CANDIDATES,) the follower wants to meet each of them, m."""
    launches, meet_at = np.empty((CANDIDATES, LAUNCH_SIZE)), np.zeros(CANDIDATES)
    for first in range(0, CANDIDATES, GROUP):
        record = _narrowed_launch(task, stream)
        if task.follower is not None and task.follower.meet is not None:
            distribution = _record(task.follower)[0]["distributions"][task.follower.meet.axis]
            meet_at[first : first + GROUP] = draw_number(stream, distribution)
        for launch in launches[first : first + GROUP]:
            draw_launch(stream, record, float(task.sport.world.gravity), launch)
    if task.mirrored:
        launches[:, POSITION] *= MIRROR
        launches[:, VELOCITY] *= MIRROR
        launches[:, SPIN] *= SPIN_MIRROR
    launches[:, DRAG:] = task.parameters
    return launches, meet_at


def _record(stroke):
    """The stroke's launch as a LAUNCH_DTYPE record (1,)."""
    return launch_records(SimpleNamespace(launches=(stroke.launch,)))


def _narrowed_launch(task, stream):
    """The stroke's launch as a record (1,) in which all but its direction is drawn already.

    A form of velocity without a speed stays free as a whole.
    """
    record = _record(task.stroke)
    distributions, first_free = record[0]["distributions"], 3 + (record[0]["velocity_form"] in DIRECTED)
    for k in range(9):
        if not first_free <= k < 6:
            distributions[k] = (NUMBER, draw_number(stream, distributions[k]), 0.0, 0.0, 0.0)
    record[0]["mirror"] = 0.0
    if task.start is not None:
        record[0]["position_form"] = 0
        for k, x in enumerate(task.start * MIRROR if task.mirrored else task.start):
            distributions[k] = (NUMBER, x, 0.0, 0.0, 0.0)
    return record


def _judged(task, launches, meet_at) -> Iterator[Shot]:
    """The Shot of each launch, in order."""
    times = np.arange(0.0, task.duration, FRAME_TIME)
    position, velocity, spin = launches[:, POSITION], launches[:, VELOCITY], launches[:, SPIN]
    flight = engine.simulate(task.sport, position, velocity, spin, times, launches[:, DRAG:])
    assert flight.impacts is not None
    impacts, own, following = flight.impacts, _mirror(task.mirrored), _mirror(task.follower_mirrored)
    is_landing = np.isin(impacts.surface, task.sport.landing_surfaces)
    ends = np.searchsorted(impacts.ball, np.arange(len(launches) + 1))
    for b, launch in enumerate(launches):
        rows = slice(ends[b], ends[b + 1])
        contacts = impacts.time[rows], impacts.position[rows], impacts.surface[rows], is_landing[rows]
        path = BallPath(times, flight.position[b], *contacts)
        verdict, met_at = judge(task.stroke, task.sport, path, own), None
        if verdict.counts and task.follower is not None and task.follower.meet is not None:
            met_at = meeting_time(task.follower.meet, meet_at[b], path, following, verdict.time)
        yield Shot(launch, verdict, met_at, impacts, b)


def _mirror(mirrored):
    return MIRROR if mirrored else NOT_MIRRORED
