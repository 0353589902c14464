"""The events of match play as a suite: the landing is measured, the history is made.

suite, notes = events_suite(recorded_sets()["sony"], data_folder(), "test")

A shot or a bounce was measured as a state: position, velocity and spin (match_play.py). No frames were published. So
the frames that a predictor gets are made: the state is flown through the air by the law that ships, and measured with
the noise and the time-stamp errors of a usual tracker of the sport. The random numbers depend on the event's name
alone, so that everybody gets the same frames. The bounce that follows was measured; its place and time are the truth.

`state` is the row of the measured state itself, flown by the law that ships until it lands. It is given the true
velocity and spin, which no predictor is: its error is the floor that the law and the measured states allow.
"""

import zlib
from pathlib import Path

import numpy as np

from ballcast import sim
from ballcast.evaluation.match_play import Pairs, is_held_out, read_pairs, velocity_at_start
from ballcast.evaluation.splits import RecordedSet, split_of
from ballcast.evaluation.suites import Events, Suite
from ballcast.sim.dataset import measure_path
from ballcast.sim.sport import Drift, DropoutBurst, Outlier, Sensor
from ballcast.tracks import Track

SEED = 20  # of the made frames
MIN_LEAD = 0.1  # s, from the last made frame to the measured bounce
LONGEST = 2.0  # s, of a flight


def events_suite(chosen: RecordedSet, data: Path, split: str, sport: sim.Sport | None = None) -> tuple[Suite, int]:
    """(the Suite of the events of a split or of "all", the number of events of all splits), of the rallies that no law
    was fitted on. `sport` is what predictors get, by default the set's own; the frames are made by the set's own."""
    (path,) = chosen.paths(data)
    pairs = read_pairs(path)
    pairs = Pairs(*(a[is_held_out(pairs)] for a in pairs))
    kept = np.array([split in ("all", split_of(name)) for name in pairs.rally])
    own = sim.load(chosen.sport).without(*chosen.without)
    count, pairs = len(kept), Pairs(*(a[kept] for a in pairs))
    tracks = made_tracks(own, pairs)
    landing = np.column_stack([pairs.duration, pairs.bounce])
    landing[:, 3] = own.ball.radius  # on the table; the measured height is that of a frame beside the bounce
    events = Events(landing, state_landings(own, pairs), pairs.duration - MIN_LEAD)
    return Suite(chosen.name, sport or own, tracks, events=events), count


def made_tracks(sport: sim.Sport, pairs: Pairs) -> list[Track]:
    """Frames of each flight from its event on, until MIN_LEAD before its bounce; the event is at 0 s."""
    air, tracker = sport.replace(surfaces=()), sport.replace(sensor=usual_tracker(sport.sensor))
    velocity, tracks = velocity_at_start(sport, pairs), []
    for n, name in enumerate(event_names(pairs)):
        state = pairs.position[n : n + 1], velocity[n : n + 1], pairs.spin[n : n + 1]

        def path(times, state=state):
            return sim.simulate(air, *state, np.maximum(times, 0.0)).position[0]

        duration = max(pairs.duration[n] - MIN_LEAD, 0.0)
        times, frames = np.empty(0), np.empty((0, 3))
        if duration * sport.sensor.rate >= 2.0:
            times, frames = measure_path(tracker, path, duration, zlib.crc32(name.encode()), SEED)
        tracks.append(Track(times, frames, name))
    return tracks


def event_names(pairs: Pairs) -> list[str]:
    """The name of each pair's event: its rally's, and its number in the rally."""
    return [f"{rally}/event{number}" for rally, number in zip(pairs.rally, pairs.number)]


def usual_tracker(sensor: Sensor) -> Sensor:
    """A tracker with the usual noise and the mean jitter of the sport's trackers, which misses nothing."""
    noise, jitter = sensor.usual_noise, float(np.mean(sensor.jitter))
    return Sensor(
        rate=sensor.rate, train_rate=sensor.train_rate, duration=sensor.duration, noise=(noise, noise),
        jitter=(jitter, jitter), miss=(0.0,), burst=DropoutBurst(0.0, (1, 1)), drift=Drift(0.0),
        outlier=Outlier(0.0, (0.0, 0.0), (0.0, 0.0)), frame=sensor.frame,
    )  # fmt: skip


def state_landings(sport: sim.Sport, pairs: Pairs) -> np.ndarray:
    """Time (s) and position (m) at which each measured state lands, (N, 4); NaN where it does not within LONGEST."""
    state = pairs.position, velocity_at_start(sport, pairs), pairs.spin
    impacts = sim.simulate(sport, *state, [LONGEST]).impacts
    landed = np.isin(impacts.surface, sport.landing_surfaces)
    balls, first = np.unique(impacts.ball[landed], return_index=True)
    landings = np.full((len(pairs.rally), 4), np.nan)
    landings[balls] = np.column_stack([impacts.time, impacts.position])[landed][first]
    return landings
