"""Where the balls of the window come from: live throws of the simulator, or recorded tracks.

    source = Throws(sport, seed=0)      # endless
    source = Replays(sport, tracks)     # round and round
    ball = source.ball(i)

A Ball holds both what a tracker saw and what then happened. Only the session decides who is told which.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ballcast import sim
from ballcast.tracks import Track
from ballcast.viewer.playback import overrides as rules

PAUSE = 1.2  # s that a ball is shown after its last frame
TRUTH_STEP = 1e-3  # s between the true places kept of a live ball: straight lines between them err by micrometres
MAX_GAP = 0.05  # s; across a longer gap of a recording nobody knows where the ball was
VELOCITY_FRAMES = 4  # frames on either side that a recording's speed is taken over
MOTION, LANDINGS = ("time", "position", "velocity", "spin"), ("landing_time", "landing_position")
ARC_FRAMES = 6  # frames on either side of a bounce that its two quadratics are laid through


@dataclass(frozen=True, eq=False)
class BallRecord:
    """One ball: what was seen of it, and where it was.

    name    what to call it
    seen    Track: what a tracker saw, all that a predictor may be told (frame by frame)
    time (N,) s, position (N, 3) m, velocity (N, 3) m/s, spin (N, 3) rad/s or None: where it was, on the track's clock
    landing_time (L,) s, landing_place (L, 3) m: its landings, the ball's centre
    measured  True where "where it was" is itself a measurement
    end     s; how long it is shown
    eras    (since s, (6,)): from when on which parameters were true, in the terms of the sport that predictors know
    """

    name: str
    track: Track
    time: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    spin: np.ndarray | None
    landing_time: np.ndarray
    landing_position: np.ndarray
    is_recorded: bool
    end: float
    parameter_history: tuple = ()

    @property
    def start(self):
        return float(self.time[0])

    def state_at(self, time):
        """Position, velocity and spin (or None) at one time, (3,) each; held still before and after what is known."""
        right = min(max(int(np.searchsorted(self.time, time)), 1), len(self.time) - 1)
        a, b = self.time[right - 1], self.time[right]
        fraction = min(max(float((time - a) / (b - a)), 0.0), 1.0)
        values = (self.position, self.velocity, self.spin)
        return [None if v is None else v[right - 1] + fraction * (v[right] - v[right - 1]) for v in values]

    def positions_at(self, times):
        """Those of times (T,) s at which the place is known, and the places then (N, 3) m."""
        right = np.clip(np.searchsorted(self.time, times), 1, len(self.time) - 1)
        is_known = (not self.is_recorded) | (self.time[right] - self.time[right - 1] <= MAX_GAP)
        times = times[is_known & (times >= self.time[0]) & (times <= self.time[-1])]
        return times, np.column_stack([np.interp(times, self.time, axis) for axis in self.position.T])

    def parameters(self, time):
        """The true parameters (6,) at this time, in the order of sim.PARAMETERS, or None."""
        return next((values for since, values in reversed(self.parameter_history) if since <= time), None)

    def is_known_at(self, time):
        """Whether the ball's place at this time is known: not after its end, not in a gap of a recording."""
        right = int(np.searchsorted(self.time, time))
        if right == len(self.time) or time < self.time[0]:
            return False
        return not self.is_recorded or right == 0 or self.time[right] - self.time[right - 1] <= MAX_GAP


class LiveSource:
    """Endless seeded throws of a sport: ball i of seed s is the same on every day and machine.

    world   rule -> value (see rules.py): by which balls fly from now on, where not by the sport
    kind    which of the sport's throws is thrown; None: as play launches
    """

    live = True

    def __init__(self, sport, seed=0):
        self.sport, self.seed, self.world, self.throw_kind = sport, seed, {}, None
        self._hand_launches, self._throw_kinds = {}, {}  # index -> launched (3, 3), or which of the sport's throws

    def throw(self, index, position, velocity, spin):
        """Let ball `index` be launched so, (3,) m, m/s, rad/s, as this ball and seen by this tracker."""
        self._hand_launches[index] = np.array([position, velocity, spin], float)

    @cached_property
    def typical_speed(self):
        """The median speed of the sport's launches, m/s."""
        launched = sim.draw(self.sport, 64, seed=self.seed, purpose="play", duration=0.1).launch_velocity
        return float(np.median(np.linalg.norm(launched, axis=1)))

    def ball(self, index):
        """Ball `index`, by the rules of now; thrown as it was when it was first asked for."""
        if index not in self._throw_kinds:
            self._throw_kinds = {index: self.throw_kind}
        hand_launch, throw_kind = self._hand_launches.get(index), self._throw_kinds[index]
        launch = self.sport.launches if throw_kind is None else (self.sport.throws[throw_kind][1],)
        label = (
            "by hand"
            if hand_launch is not None
            else f"seed {self.seed}"
            if throw_kind is None
            else self.sport.throws[throw_kind][0]
        )
        sport = dataclasses.replace(self.sport, launches=launch)
        return self._simulate(sport, index, f"throw {index + 1}, {label}", 0.0, hand_launch)

    def branch(self, ball, index, now):
        """The ball as it goes on from `now` by the rules of now: what was stays as it was."""
        remaining = max(ball.end - PAUSE - now, 0.1)
        new = self._simulate(self.sport, index, ball.name, now, np.array(ball.state_at(now)), remaining)
        is_past, is_observed, has_landed = ball.time < now, ball.track.time <= now, ball.landing_time <= now

        def join(before, after):
            return np.concatenate([before, after])

        track = Track(
            join(ball.track.time[is_observed], new.track.time),
            join(ball.track.position[is_observed], new.track.position),
            ball.name,
        )
        return dataclasses.replace(
            new,
            track=track,
            **{name: join(getattr(ball, name)[is_past], getattr(new, name)) for name in MOTION},
            **{name: join(getattr(ball, name)[has_landed], getattr(new, name)) for name in LANDINGS},
            parameter_history=tuple(entry for entry in ball.parameter_history if entry[0] < now)
            + new.parameter_history,
        )

    def _simulate(self, sport, index, name, since, launched, duration=None):
        """The Ball `index` from a launch at `since` s on, watched for `duration` s."""
        sport, draw_options = rules.apply(sport, self.world)
        duration = duration or sport.sensor.duration
        balls = sim.draw(sport, 1, index, self.seed, "play", duration=duration, launch_state=launched, **draw_options)
        track = Track(since + balls.time, balls.position, name)
        times = np.arange(0.0, duration + PAUSE + TRUTH_STEP, TRUTH_STEP)
        flight = balls.flight(times)
        is_landing = np.isin(flight.impacts.surface, self.sport.landing_surfaces)
        return BallRecord(
            name=name,
            track=track,
            time=since + times,
            position=flight.position[0],
            velocity=flight.velocity[0],
            spin=flight.spin[0],
            landing_time=since + flight.impacts.time[is_landing],
            landing_position=flight.impacts.position[is_landing],
            is_recorded=False,
            end=since + duration + PAUSE,
            parameter_history=((since, rules.parameters_relative_to(self.sport, sport, balls.parameters[0])),),
        )


class RecordedSource:
    """Recorded tracks, one after the other and again from the first."""

    live = False

    def __init__(self, sport, tracks):
        self.sport, self.tracks = sport, tracks

    def ball(self, index):
        track = self.tracks[index % len(self.tracks)]
        number = f" ({index % len(self.tracks) + 1} of {len(self.tracks)})" if len(self.tracks) > 1 else ""
        times, positions = recorded_landings(track, self.sport)
        return BallRecord(
            name=track.name + number,
            track=track,
            time=track.time,
            position=track.position,
            velocity=finite_difference_velocity(track),
            spin=None,
            landing_time=times,
            landing_position=positions,
            is_recorded=True,
            end=float(track.time[-1]) + PAUSE,
        )


def finite_difference_velocity(track):
    """Velocity (T, 3) m/s of a recorded track, over REACH frames on either side."""
    rows = np.arange(len(track))
    before, after = np.maximum(rows - VELOCITY_FRAMES, 0), np.minimum(rows + VELOCITY_FRAMES, len(track) - 1)
    return (track.position[after] - track.position[before]) / (track.time[after] - track.time[before])[:, None]


def recorded_landings(track, sport):
    """The landings of a recorded track: times (L,) s and places (L, 3) m.

    A landing is a low point within two radii of a landing surface, where the quadratics through ARC frames on either
    side cross; where there are fewer frames there is none (DESIGN.md 8).
    """
    z, landings = track.position[:, 2], []
    lows = np.flatnonzero((z[1:-1] <= z[:-2]) & (z[1:-1] < z[2:])) + 1
    lows = lows[(lows >= ARC_FRAMES) & (lows + ARC_FRAMES < len(z))]
    if len(lows):
        around = lows[:, None] + np.arange(-ARC_FRAMES, ARC_FRAMES + 1)
        lows = lows[(z[around].min(axis=1) == z[lows]) & _near_ground(track.position[lows], sport)]
    for low in lows:
        if (crossing := _crossing(track, low)) is not None:
            landings.append(crossing)
    return np.array([t for t, _ in landings]), np.array([p for _, p in landings]).reshape(-1, 3)


def _near_ground(points, sport):
    """Which of the points (N, 3) are a ball's centre within two radii of touching a landing surface from above."""
    near = np.zeros(len(points), bool)
    for surface in (sport.surfaces[i] for i in sport.landing_surfaces):
        inside = (points[:, :2] >= np.array(surface.low[:2])) & (points[:, :2] <= np.array(surface.high[:2]))
        gap = points[:, 2] - surface.high[2] - sport.ball.radius
        near |= inside.all(axis=1) & (np.abs(gap) <= 2 * sport.ball.radius)
    return near


def _crossing(track, low):
    """Time and place where the arcs before and after frame `low` cross in height, or None."""
    reference_time = track.time[low]
    sides = [slice(low - ARC_FRAMES, low), slice(low + 1, low + 1 + ARC_FRAMES)]
    arcs = [
        np.polyfit(track.time[side] - reference_time, track.position[side], 2) for side in sides
    ]  # (3, 3): power, axis
    gap = track.time[low + 1] - track.time[low - 1]
    roots = np.roots((arcs[1] - arcs[0])[:, 2])
    roots = roots[np.isreal(roots) & (np.abs(roots) <= gap)].real
    if not len(roots):
        return None
    time = roots[np.abs(roots).argmin()]
    position = np.mean([np.array([time**2, time, 1.0]) @ arc for arc in arcs], axis=0)
    return reference_time + time, position
