"""Where balls come from: live throws of the simulator, or recorded tracks."""

import dataclasses
from functools import cached_property

import numpy as np

from ballcast import sim
from ballcast.tracks import Track, recorded_landings
from ballcast.viewer.playback import overrides
from ballcast.viewer.playback.ball import BallRecord

PAUSE = 1.2  # s that a ball is shown after its last frame
TRUTH_STEP = 1e-3  # s between the true positions of a live ball; linear interpolation errs by micrometres
VELOCITY_FRAMES = 4  # frames on either side over which a recording's velocity is taken
MOTION, LANDINGS = ("time", "position", "velocity", "spin"), ("landing_time", "landing_position")


class LiveSource:
    """Endless seeded throws of a sport: ball i of seed s is the same on every day and machine.

    world     override -> value (see overrides.py), for balls from now on
    throw_kind  number of the sport's throw that is thrown; None: as play launches
    ready     False while the simulator is compiled elsewhere: until then every ball is the BallRecord `stand_in`
    """

    live = True

    def __init__(self, sport, seed=0, stand_in=None, ready=True):
        self.sport, self.seed, self.world, self.throw_kind = sport, seed, {}, None
        self.stand_in, self.ready = stand_in, ready
        self._hand_launches, self._throw_kinds = {}, {}  # index -> launch (3, 3), or number of the sport's throw

    def throw(self, index, position, velocity, spin):
        """Launch ball `index` like this: (3,) m, m/s, rad/s."""
        self._hand_launches[index] = np.array([position, velocity, spin], float)

    @cached_property
    def typical_speed(self):
        """The median speed of the sport's launches, m/s."""
        launched = sim.draw(self.sport, 64, seed=self.seed, purpose="play", duration=0.1).launch_velocity
        return float(np.median(np.linalg.norm(launched, axis=1)))

    def ball(self, index):
        """Ball `index` with the current overrides, and the kind of throw of its first call."""
        if not self.ready:
            return self.stand_in
        if index not in self._throw_kinds:
            self._throw_kinds = {index: self.throw_kind}
        hand_launch, throw_kind = self._hand_launches.get(index), self._throw_kinds[index]
        launch = self.sport.launches if throw_kind is None else (self.sport.throws[throw_kind][1],)
        label = f"seed {self.seed}" if throw_kind is None else self.sport.throws[throw_kind][0]
        label = label if hand_launch is None else "by hand"
        sport = dataclasses.replace(self.sport, launches=launch)
        return self._simulate(sport, index, f"throw {index + 1}, {label}", 0.0, hand_launch)

    def branch(self, ball, index, now):
        """The ball that continues from `now` with the current overrides; its past stays."""
        remaining = max(ball.end - PAUSE - now, 0.1)
        new = self._simulate(self.sport, index, ball.name, now, np.array(ball.state_at(now)), remaining)
        is_past, is_observed, has_landed = ball.time < now, ball.track.time <= now, ball.landing_time <= now
        times = np.append(ball.track.time[is_observed], new.track.time)
        track = Track(times, np.append(ball.track.position[is_observed], new.track.position, axis=0), ball.name)
        motion = {name: np.append(getattr(ball, name)[is_past], getattr(new, name), axis=0) for name in MOTION}
        landings = {name: np.append(getattr(ball, name)[has_landed], getattr(new, name), axis=0) for name in LANDINGS}
        history = tuple(entry for entry in ball.parameter_history if entry[0] < now) + new.parameter_history
        return dataclasses.replace(new, track=track, **motion, **landings, parameter_history=history)

    def _simulate(self, sport, index, name, since, launched, duration=None):
        """Ball `index` from a launch at `since` s on, measured for `duration` s."""
        sport, draw_options = overrides.apply(sport, self.world)
        duration = duration or sport.sensor.duration
        balls = sim.draw(sport, 1, index, self.seed, "play", duration=duration, launch_state=launched, **draw_options)
        track = Track(since + balls.time, balls.position, name)
        times = np.arange(0.0, duration + PAUSE + TRUTH_STEP, TRUTH_STEP)
        flight = balls.flight(times)
        is_landing = np.isin(flight.impacts.surface, self.sport.landing_surfaces)
        parameters = overrides.parameters_relative_to(self.sport, sport, balls.parameters[0])
        return BallRecord(
            name=name, track=track, is_recorded=False, end=since + duration + PAUSE, time=since + times,
            position=flight.position[0], velocity=flight.velocity[0], spin=flight.spin[0],
            landing_time=since + flight.impacts.time[is_landing], landing_position=flight.impacts.position[is_landing],
            parameter_history=((since, parameters),),
        )  # fmt: skip


class RecordedSource:
    """Recorded tracks, one after the other, then from the first again."""

    live, ready, stand_in = False, True, None

    def __init__(self, sport, tracks):
        self.sport, self.tracks = sport, tracks

    def ball(self, index):
        track = self.tracks[index % len(self.tracks)]
        number = f" ({index % len(self.tracks) + 1} of {len(self.tracks)})" if len(self.tracks) > 1 else ""
        surfaces = [s for s in self.sport.surfaces if s.landing]
        times, positions = recorded_landings(track, surfaces, self.sport.ball.radius)
        before = np.maximum(np.arange(len(track)) - VELOCITY_FRAMES, 0)
        after = np.minimum(np.arange(len(track)) + VELOCITY_FRAMES, len(track) - 1)
        velocity = (track.position[after] - track.position[before]) / (track.time[after] - track.time[before])[:, None]
        return BallRecord(
            name=track.name + number, track=track, is_recorded=True, end=float(track.time[-1]) + PAUSE,
            time=track.time, position=track.position, velocity=velocity, spin=None,
            landing_time=times, landing_position=positions,
        )  # fmt: skip
