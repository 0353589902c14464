"""What is forecast: simulated balls, recorded tracks or generated sets, as tracks; and the truth if it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ballcast import sim
from ballcast.evaluation.limits import Truth
from ballcast.tracks import Track, read_tracks

PATH_SAMPLES = 600  # positions of a path that are checked
EDGE_MARGIN = 0.01  # m from an edge or the net: a ball this close may go either way


@dataclass(frozen=True, eq=False)
class Events:
    """B events of match play: the landing that follows each, as measured and as its measured state is flown."""

    landing: np.ndarray  # (B, 4) s and m, measured
    flown: np.ndarray  # (B, 4) s and m, NaN where the flown state does not land
    end: np.ndarray  # (B,) s, until which frames are made


@dataclass(frozen=True, eq=False)
class Suite:
    """Tracks (B,) of one sport, and the simulated balls they measure (None for recorded ones)."""

    name: str
    sport: sim.Sport
    tracks: list[Any]  # (B,) of Track; of a PixelSuite, of PixelTrack
    balls: sim.Balls | None = None
    events: Events | None = None  # if the tracks are made frames after events, whose landings are known

    def full_name(self, i: int) -> str:
        """The name of track i among those of all suites."""
        return f"{self.name}/{self.tracks[i].name}"

    def truth_of(self, i: int) -> Any:
        """What a limit is given of track i: a limits.Truth, of pixels a PixelTruth."""
        b = self.balls
        launch = b.launch_position[i], b.launch_velocity[i], b.launch_spin[i]
        scalars = float(b.jitter[i]), float(b.rate[i]), float(b.outlier[i])
        return Truth(*launch, b.parameters[i], b.noise[i], *scalars, b.drift[i], b.frame[i])

    def flight(self, rows: np.ndarray, times: np.ndarray) -> sim.Flight:
        """The true Flight of tracks `rows` (N,) at times (N, T) s, in the frames of their trackers."""
        b = self.balls
        launch = b.launch_position[rows], b.launch_velocity[rows], b.launch_spin[rows]
        return sim.in_tracker_frames(sim.simulate(b.sport, *launch, times, b.parameters[rows]), b.frame[rows])


def simulated(sport: sim.Sport, count: int, seed: int, first: int = 0) -> Suite:
    """The Suite of `count` balls of the sport's test set, from ball number `first` on."""
    balls = sim.draw(sport, count, first=first, seed=seed, purpose="test")
    return from_balls(f"sim:{sport.name}", sport, balls, first)


def group_files(sources: Sequence[str]) -> list[str | list[str]]:
    """The sources of suites: each folder and each HDF5 file is one; other files of the same folder are one together."""
    groups: dict[str, list[str]] = {}
    for source in sources:
        is_alone = Path(source).is_dir() or Path(source).suffix.lower() in (".hdf5", ".h5")
        groups.setdefault(source if is_alone else str(Path(source).resolve().parent), []).append(source)
    return [files[0] if len(files) == 1 else files for files in groups.values()]


def recorded(source: str | Path | Sequence[str], sport: sim.Sport, **reader_options: Any) -> Suite:
    """The Suite of a track file, a folder of them, or several files; options as for tracks.read_track."""
    tracks = read_tracks(source if isinstance(source, (str, Path)) else list(source), ground=sport.ground,
                         **reader_options)  # fmt: skip
    if not tracks:
        raise ValueError(f"{source}: contains no track; name a file or a folder with .csv files")
    place = Path(source) if isinstance(source, (str, Path)) else Path(source[0]).parent
    return Suite("/".join(place.resolve().parts[-2:]), sport, tracks)


def unseen(suite: Suite) -> tuple[Suite, str]:
    """The Suite of recorded tracks without those that its sport's file was fitted to, and a note on these, or "".
    ValueError if no track is left."""
    tracks = [track for track in suite.tracks if track.name not in suite.sport.identified]
    count = len(suite.tracks) - len(tracks)
    if not tracks:
        raise ValueError(
            f"{suite.name}: the sport's file was identified from all of these tracks: name others to score"
        )
    note = f"{suite.name}: {count} of {len(suite.tracks)} tracks left out: the sport's file was identified from them"
    return (replace(suite, tracks=tracks), note) if count else (suite, "")


def generated(path: str | Path, count: int, first: int = 0) -> Suite:
    """The Suite of at most `count` balls of a generated set (`python -m ballcast.sim`), from ball number `first` on.
    ValueError if the set has no such ball."""
    found = sim.open_set(path)
    if first >= len(found):
        raise ValueError(f"--first {first}: {path} holds {len(found)} balls; name one of them, from 0 on")
    return from_balls(Path(path).name, found.sport, found.balls(first, min(count, len(found) - first)), first)


def from_balls(name: str, sport: sim.Sport, balls: sim.Balls, first: int = 0) -> Suite:
    """The Suite of balls of sim.draw, which are numbered from `first` on."""
    cut = balls.offsets
    slices = [slice(cut[i], cut[i + 1]) for i in range(len(balls))]
    tracks = [Track(balls.time[s], balls.position[s], str(first + i)) for i, s in enumerate(slices)]
    return Suite(name, sport, tracks, balls)


def is_clear_of_edges(suite: Suite, rows: np.ndarray, until: np.ndarray) -> np.ndarray:
    """Which of the balls `rows` (N,) stay away from edges and nets until `until` (N,) s.

    Close to one, a millimetre decides where the ball goes. A ball is not clear if it hits a flat surface within
    EDGE_MARGIN of its end, if it touches a net, bar or ring, or if it passes an edge or one of these by less than
    EDGE_MARGIN.
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
