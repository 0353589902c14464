"""Where balls come from: live throws of the simulator, recorded tracks, or recorded pixels."""

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ballcast import sim
from ballcast.sim.umpire import BallPath, judge
from ballcast.tracks import PixelTrack, Track, read_track, recorded_landings
from ballcast.viewer.playback import overrides, sight
from ballcast.viewer.playback.ball import BallRecord

PAUSE = 1.2  # s that a ball is shown after its last frame
TRUTH_STEP = 1e-3  # s between the true positions of a live ball; linear interpolation errs by micrometres
RALLIED = ("table_tennis", "tennis", "volleyball")  # sports in which play is a rally
SINGLE = -1  # in place of the number of a throw
VELOCITY_FRAMES = 4  # frames on either side over which a recording's velocity is taken
MOTION, LANDINGS = ("time", "position", "velocity", "spin"), ("landing_time", "landing_position")


class SourceChoice(NamedTuple):
    """A source to choose from: its name, a line about it, and make(sport) -> the source, perhaps of its own sport."""

    label: str
    note: str
    make: Callable


class LiveSource:
    """Endless seeded throws or rallies of a sport: ball i of seed s is the same on every day and machine.

    rallies   whether play is rallies, in a sport that has them, and not single launches
    world     override -> value (see overrides.py), for balls from now on
    throw_kind  number of the sport's throw that is thrown; None: as in play; SINGLE: one launch of play, no rally
    ready     False while the simulator is compiled elsewhere: until then every ball is the BallRecord `stand_in`
    seen_by   one of sight.SEEN_BY: what predictors see of balls from now on
    """

    live = True

    def __init__(self, sport, seed=0, stand_in=None, ready=True, rallies=False):
        self.sport, self.seed, self.world, self.throw_kind = sport, seed, {}, None
        self.rallies = rallies and bool(sport.strokes)
        self.stand_in, self.ready, self.seen_by = stand_in, ready, sight.TRACKER
        self._hand_launches, self._throw_kinds = {}, {}  # index -> launch (3, 3), or number of the sport's throw

    @property
    def throw_kinds(self):
        """The kinds to choose from, and their names."""
        kinds = {None: "rallies" if self.rallies else "as in play"}
        kinds |= {number: name for number, (name, _) in enumerate(self.sport.throws)}
        return kinds | ({SINGLE: "single balls"} if self.rallies else {})

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
        return self.seen(self._ball(index), index) if self.ready else self.stand_in

    def seen(self, ball, index, known=None, until=-np.inf):
        """The ball with what the cameras see of it, if predictors get that; up to `until`, s, what is `known`."""
        if self.seen_by == sight.TRACKER:
            return dataclasses.replace(ball, pixels=None)
        miss = self.world["missed"] / 100 if "missed" in self.world else None
        rig = sight.rig_of(self.sport, 1 + (self.seen_by == sight.TWO_CAMERAS), self.world.get("rate"), miss)

        def path(times):
            return np.column_stack([np.interp(times, ball.time, axis) for axis in ball.position.T])

        pixels = sight.look_at(self.sport, rig, path, float(ball.track.time[-1]), index, self.seed)
        return dataclasses.replace(ball, pixels=pixels if known is None else sight.joined(known, pixels, until))

    def _ball(self, index):
        if index not in self._throw_kinds:
            self._throw_kinds = {index: self.throw_kind}
        hand_launch, throw_kind = self._hand_launches.get(index), self._throw_kinds[index]
        if self.rallies and throw_kind is None and hand_launch is None:
            return self._play(index)
        in_play = throw_kind in (None, SINGLE)
        launch = self.sport.launches if in_play else (self.sport.throws[throw_kind][1],)
        label = f"seed {self.seed}" if in_play else self.sport.throws[throw_kind][0]
        label = label if hand_launch is None else "by hand"
        sport = dataclasses.replace(self.sport, launches=launch)
        word = "shot" if self.sport.name == "golf" and hand_launch is None else "throw"
        return self._simulate(sport, index, f"{word} {index + 1}, {label}", 0.0, hand_launch)

    def branch(self, ball, index, now):
        """The ball that continues from `now` with the current overrides; its past stays. Nobody hits it any more."""
        remaining = max(ball.end - PAUSE - now, 0.1)
        new = self._simulate(self.sport, index, ball.name, now, np.array(ball.state_at(now)), remaining)
        is_past, is_observed, has_landed = ball.time < now, ball.track.time <= now, ball.landing_time <= now
        times = np.append(ball.track.time[is_observed], new.track.time)
        track = Track(times, np.append(ball.track.position[is_observed], new.track.position, axis=0), ball.name)
        motion = {name: np.append(getattr(ball, name)[is_past], getattr(new, name), axis=0) for name in MOTION}
        landings = {name: np.append(getattr(ball, name)[has_landed], getattr(new, name), axis=0) for name in LANDINGS}
        history = tuple(entry for entry in ball.parameter_history if entry[0] < now) + new.parameter_history
        calls = tuple(call for call in ball.calls if call[0] <= now)
        hits = tuple(hit for hit in ball.hits if hit <= now)
        new = dataclasses.replace(
            new, track=track, **motion, **landings, calls=calls, hits=hits, parameter_history=history
        )
        return self.seen(new, index, ball.pixels, now)

    def _play(self, index):
        """Rally `index`."""
        sport, draw_options = overrides.apply(self.sport, self.world)
        rally = sim.rally(sport, self.seed, index, draw_options["wind"])
        measured = sim.measure_path(sport, rally.position, rally.end, index, self.seed, rate=draw_options["rate"])
        times = np.arange(0.0, rally.end, TRUTH_STEP)
        position, velocity, spin = rally.state(times)
        impacts = [stroke.impacts for stroke in rally.strokes]
        is_landing = np.isin(np.concatenate([i.surface for i in impacts]), sport.landing_surfaces)
        landings = (np.concatenate([getattr(i, name) for i in impacts])[is_landing] for name in ("time", "position"))
        landing_time, landing_position = landings
        held = PAUSE if rally.ended_by == "catch" else 0.0  # s that a ball is shown in the hands that caught it
        name = f"{'rally' if self.sport.name in RALLIED else 'ball'} {index + 1}, seed {self.seed}"
        return BallRecord(
            name=name, track=Track(*measured, name), is_recorded=False, end=rally.end + held, time=times,
            position=position, velocity=velocity, spin=spin, landing_time=landing_time,
            landing_position=landing_position, calls=_calls(rally), hits=tuple(stroke.time for stroke in rally.strokes),
            parameter_history=((0.0, overrides.parameters_relative_to(self.sport, sport, rally.parameters)),),
        )  # fmt: skip

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
            calls=tuple((since + time, text, at) for time, text, at in _single_call(sport, times, flight)),
            parameter_history=((since, parameters),),
        )  # fmt: skip


def _single_call(sport, times, flight):
    """((time, text, position),) of what is called of a Flight of one ball that no rally has; perhaps none.

    It is judged as the stroke that begins play, where that has to pass a window, as a goal or a basket. In golf, the
    carry is called.
    """
    impacts = flight.impacts
    is_landing = np.isin(impacts.surface, sport.landing_surfaces)
    if sport.name == "golf":
        landed = impacts.position[is_landing][:1]
        carry = np.linalg.norm(landed[:, :2] - flight.position[0, 0, :2], axis=1)
        return tuple((float(t), f"carry {c:.0f} m", at) for t, c, at in zip(impacts.time[is_landing], carry, landed))
    first = next((stroke for stroke in sport.strokes if not stroke.after), None)
    windows = [zone for zone in sport.zones if first and zone.name in first.zones and not zone.surface]
    if not windows or any(w.axis < 2 and flight.velocity[0, 0, w.axis] * w.towards <= 0 for w in windows):
        return ()  # it does not fly there
    path = BallPath(times, flight.position[0], impacts.time, impacts.position, impacts.surface, is_landing)
    verdict = judge(first, sport, path, np.ones(3))
    is_decided = verdict.time < times[-1]
    return ((verdict.time, first.zones[-1] if verdict.counts else first.fault, verdict.position),) if is_decided else ()


def _calls(rally):
    """(time, text, position) of what is called of its strokes, unless they are met before it is decided."""
    quiet = {zone.name for zone in rally.sport.zones if zone.quiet}
    decided = [s for s in rally.strokes if s.outcome_time <= s.end and s.outcome not in quiet]
    return tuple((s.outcome_time, s.outcome, s.outcome_position) for s in decided)


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


class PixelSource:
    """Recorded pixels, one ball after the other, then from the first again. Where the balls truly are is not known."""

    live, ready, stand_in = False, True, None

    def __init__(self, sport: sim.Sport, tracks: list[PixelTrack]):
        self.sport, self.tracks = sport, tracks

    def ball(self, index):
        track = self.tracks[index % len(self.tracks)]
        number = f" ({index % len(self.tracks) + 1} of {len(self.tracks)})" if len(self.tracks) > 1 else ""
        time, unknown = track.time[[0, -1]], np.full((2, 3), np.nan)
        return BallRecord(
            name=track.name + number, track=Track(np.empty(0), np.empty((0, 3))), pixels=track, is_recorded=True,
            end=float(time[1]) + PAUSE, time=time, position=unknown, velocity=unknown, spin=None,
            landing_time=np.empty(0), landing_position=np.empty((0, 3)),
        )  # fmt: skip


def sample_source():
    """The recorded source of the sample that ships."""
    return RecordedSource(sim.load("table_tennis"), [read_track("rally")])
