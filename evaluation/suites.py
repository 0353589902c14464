"""What is forecast: simulated balls, recorded tracks, generated sets; as tracks, and the truth where there is one."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ballcast import sim
from ballcast.evaluation.limits import Truth
from ballcast.tracks import Track, read_tracks

PATH_SAMPLES = 600  # of the path that is looked at
EDGE_MARGIN = 0.01  # m from an edge or the net: which way the ball goes is then a matter of chance


@dataclass(frozen=True, eq=False)
class Suite:
    """Tracks (B,) of one sport, and the simulated balls that were seen so, or None for recorded ones."""

    name: str
    sport: sim.Sport
    tracks: list
    balls: sim.Balls | None = None

    def truth_of(self, i):
        """What a limit is told of track i."""
        b = self.balls
        launch = b.launch_position[i], b.launch_velocity[i], b.launch_spin[i]
        return Truth(*launch, b.parameters[i], b.noise[i], float(b.jitter[i]), float(b.rate[i]), float(b.outlier[i]))

    def flight(self, rows, times):
        """The true Flight of tracks `rows` (N,) at times (N, T) s."""
        b = self.balls
        launch = b.launch_position[rows], b.launch_velocity[rows], b.launch_spin[rows]
        return sim.simulate(b.sport, *launch, times, b.parameters[rows])


def simulated(sport, count, seed):
    """The Suite of so many balls of the sport's test set."""
    return _from_balls(f"sim:{sport.name}", sport, sim.draw(sport, count, seed=seed, purpose="test"))


def recorded(source, sport, **reader_options):
    """The Suite of a track file or a folder of them; placement: see tracks.read_track."""
    tracks = read_tracks(source, **reader_options)
    if not tracks:
        raise ValueError(f"{source}: no track in it; name a file or a folder with .csv files")
    return Suite("/".join(Path(source).resolve().parts[-2:]), sport, tracks)


def generated(path, count):
    """The Suite of the first balls of a generated set, see `python -m ballcast.sim`."""
    found = sim.open_set(path)
    return _from_balls(Path(path).name, found.sport, found.balls(0, min(count, len(found))))


def _from_balls(name, sport, balls):
    cut = balls.offsets
    slices = [slice(cut[i], cut[i + 1]) for i in range(len(balls))]
    return Suite(name, sport, [Track(balls.time[s], balls.position[s], str(i)) for i, s in enumerate(slices)], balls)


def is_clear_of_edges(suite, rows, until):
    """Which of tracks `rows` (N,) keep off edges and nets until `until` (N,) s: one a hair off would go elsewhere.

    An impact counts as on an edge within NEAR of the end of a flat surface; every touch of a net, bar or ring counts.
    So does a path that passes beside either by less than NEAR.
    """
    ok, sport = np.ones(len(rows), bool), suite.balls.sport
    flight = suite.flight(rows, np.linspace(0.0, 1.0, PATH_SAMPLES) * until[:, None])
    impacts = flight.impacts
    within = impacts.time < until[impacts.ball]
    for j, surface in enumerate(sport.surfaces):
        hit = within & (impacts.surface == j)
        low, high = np.array(surface.low), np.array(surface.high)
        if surface.supports or surface.kind == "plane":
            spare = np.minimum(impacts.position - low, high - impacts.position)[:, low < high].min(axis=1)
            ok[impacts.ball[hit & (spare < EDGE_MARGIN)]] = False
        else:
            ok[impacts.ball[hit]] = False
        if surface.kind == "plane" or surface.kind == "ring":
            continue
        off = flight.position - np.clip(flight.position, low, high)
        gap = np.linalg.norm(off, axis=2) - sport.ball.radius - surface.rod
        beside = (off[..., low < high] != 0.0).any(axis=2) if surface.supports else np.ones(gap.shape, bool)
        ok[((np.abs(gap) < EDGE_MARGIN) & beside).any(axis=1)] = False
    return ok
