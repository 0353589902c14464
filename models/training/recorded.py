"""Recorded balls to learn from. Their future is what was measured later; their spin and landing are not known.

    training, kept = split_tracks(tracks)
    recorded = RecordedSet(training, sport, "filter", VIEWS, seed=0)   # features of all views, computed once
    batch = recorded.batch(rows)                                       # the Batch of some views

A view is a track as another tracker might have seen it: from another frame on, with fewer frames, mirrored. What the
networks read of a view does not change as they learn, so it is computed once. The future is the flight fitted to all
frames (whole_flight.py) plus the mean of the residuals about it: single frames are noisier.
"""

import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from rich import progress
from rich.console import Console

from ballcast import sim
from ballcast.models import held_out
from ballcast.models.encoding.features import make_frontend
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.training import later_frames
from ballcast.models.training.batches import TARGET_LIMIT, Batch, Batches, Later, Sequences, Targets, assemble
from ballcast.models.training.batches import spread_frames as spread
from ballcast.models.training.whole_flight import MAX_MISFIT, Flights, fit_flights, positions_after, states_and_path
from ballcast.sim.sensor import known_frame, to_sport_frame
from ballcast.tracks import Track

MIN_KEPT_SHARE, MIN_KEPT = 0.1, 3  # where the rule keeps a smaller share, another one keeps tracks, so many at least
MIN_TRACK_LENGTH = 8  # frames
MAX_GAP = 0.04  # s between the frames that a position is interpolated from
MAX_VIEW_FRAMES, LOSS_FRAMES = 256, 32  # of a view: frames at most, and frames with a loss
VIEWS, MAX_VIEWS = 6, 4000  # of a track; in all
CHUNK, THREADS = 32, 2  # views whose features are computed at once; threads that do it
EARLY, EARLY_SHARE = 0.06, 0.5  # s: so late begin at most half of the views; the others begin anywhere
MOVED_SHARE, CLEAR_RADII = 0.3, 2.0  # of the views are of the other place; so far from its surfaces
MIN_KEPT_FRAMES, THIN_SHARE = 0.6, 0.25  # of the frames of a view, at least; of the views have every second frame
TWIN_NEIGHBOURS, TWIN_SHARE = 8, (0.1, 0.9)  # balls launched alike; share of the way to one of them
SMOOTHING = 0.015  # s on either side, over which residuals to the flight are averaged
MIN_NOISE = 0.003  # m, of a measurement
MIRROR = np.array([-1.0, 1, 1, -1, 1, 1, 1, -1, -1, 1, 1, 1, 1, -1, 1, 1])  # signs of the unknowns seen in a mirror, x


def split_tracks(tracks: Sequence[Track]) -> tuple[list[Track], list[Track]]:
    """Tracks for training and for validation, split by their names. Where the rule keeps too few, or most, another one
    of the same kind does: it keeps the fifth of the tracks whose names have the lowest checksums."""
    long = [track for track in tracks if len(track) >= MIN_TRACK_LENGTH]
    is_kept = np.array([held_out.is_kept(track.name) for track in long], bool)
    if len(long) >= 2 and not MIN_KEPT_SHARE < is_kept.mean() < 1.0 - MIN_KEPT_SHARE:
        order = np.argsort([zlib.crc32(f"kept {track.name}".encode()) for track in long], kind="stable")
        is_kept[:] = False
        is_kept[order[: max(round(len(long) / held_out.KEPT_PERIOD), min(MIN_KEPT, len(long) // 2))]] = True
    parts = [t for t, k in zip(long, is_kept) if not k], [t for t, k in zip(long, is_kept) if k]
    if not all(parts):
        raise ValueError(f"--tracks: {len(long)} tracks of at least {MIN_TRACK_LENGTH} frames are too few")
    return parts


def in_sport_frame(sport: sim.Sport, tracks: Sequence[Track]) -> list[Track]:
    """Tracks in the sport's frame of reference, by what its file says of the tracker's (`sensor.frame.offset`)."""
    frame = known_frame(sport.sensor)
    return [Track(t.time, to_sport_frame(frame, t.position), t.name) if frame.any() else t for t in tracks]


class View(NamedTuple):
    """A track as a network is shown it."""

    track: int  # its number
    rows: np.ndarray  # (T,) frames of the track
    mirrored: bool
    place: int = 0  # 0: where it was recorded; 1: with what was not there, or without what was


def make_views(
    tracks: Sequence[Track], count: int, seed: int, can_mirror: bool, can_move: Sequence[bool]
) -> list[View]:
    """`count` views of every track: the first is the track itself from its first frame on, the others vary.

    can_move: of which tracks views may be of the other place, see other_place.
    """
    views = []
    for number, track in enumerate(tracks):
        generator = np.random.default_rng((seed, number, zlib.crc32(track.name.encode())))
        views.append(View(number, np.arange(min(len(track), MAX_VIEW_FRAMES)), False))
        varied = [_varied_view(generator, number, track, can_mirror) for _ in range(count - 1)]
        views += [v._replace(place=int(can_move[number] and generator.random() < MOVED_SHARE)) for v in varied]
    return views


def _varied_view(generator, number, track, can_mirror):
    """A View from another frame on, with frames missing."""
    early, fraction, is_thin = generator.random() < EARLY_SHARE, generator.random(), generator.random() < THIN_SHARE
    latest = np.searchsorted(track.time, track.time[0] + EARLY) if early else len(track) - 2 * MIN_TRACK_LENGTH
    first = int(fraction * max(min(latest, len(track) - 2 * MIN_TRACK_LENGTH), 0))
    rows = np.arange(first, len(track))
    if is_thin and len(rows) >= 4 * MIN_TRACK_LENGTH:
        rows = rows[::2]
    is_seen = generator.random(len(rows)) < generator.uniform(MIN_KEPT_FRAMES, 1.0)
    is_mirrored = bool(can_mirror and generator.random() < 0.5)
    if is_seen.sum() >= MIN_TRACK_LENGTH:
        rows = rows[is_seen]
    return View(number, rows[:MAX_VIEW_FRAMES], is_mirrored)


def other_place(sport: sim.Sport, recorded: sim.Sport) -> sim.Sport:
    """The sport with its optional surfaces if they were not there when balls were recorded, else without them."""
    if len(recorded.surfaces) < len(sport.surfaces):
        return sport
    return sport.without(*(surface.name for surface in sport.surfaces if surface.optional))


def is_clear(sport: sim.Sport, track: Track) -> bool:
    """Whether a ball keeps away from the sport's optional surfaces, so that it flew as it would have without them."""
    margin = CLEAR_RADII * sport.ball.radius
    for surface in (s for s in sport.surfaces if s.optional):
        low, high = np.array(surface.low) - margin, np.array(surface.high) + margin
        steps = np.linspace(0.0, 1.0, 5)[:, None, None]
        path = track.position[:-1] + steps * np.diff(track.position, axis=0)  # (5, T - 1, 3)
        if ((path > low) & (path < high)).all(axis=-1).any():
            return False
    return True


def is_symmetric(sport: sim.Sport) -> bool:
    """Whether the place looks the same in a mirror across x."""
    sides = np.array([[s.low[0], s.high[0]] for s in sport.surfaces])
    return bool(np.allclose(sides[:, 0], -sides[:, 1]))


class Target(NamedTuple):
    """What was measured of a track, smoothed: at any time within it."""

    track: Track
    flights: Flights
    residual: np.ndarray  # (T, 3) m, mean residual about the flight at the frames; of the position where it is unknown
    variance: np.ndarray  # (3,) m2 of the residuals

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (N, 3) m at times (N,) s, and whether they are known (N,): between frames that are near."""
        time = self.track.time
        after = np.clip(np.searchsorted(time, times), 1, len(time) - 1)
        known = (times <= time[-1]) & (times >= time[0]) & (time[after] - time[after - 1] < MAX_GAP)
        order = np.argsort(times, kind="stable")
        path = np.zeros((len(times), 3))
        _, path[order], _ = states_and_path(self.flights, np.minimum(times[order], time[-1]))
        residual = np.column_stack([np.interp(times, time, self.residual[:, i]) for i in range(3)])
        return path + residual, known


def smooth_target(sport: sim.Sport, track: Track) -> Target:
    """The Target of a track."""
    flights = fit_flights(sport, track)
    _, path, is_known = states_and_path(flights, track.time)
    residual = track.position - path
    mean = smooth(track.time, residual, is_known)
    rows = residual[is_known] if is_known.any() else np.zeros((1, 3))
    variance = (np.median(np.abs(rows), axis=0) / 0.6745) ** 2 + MIN_NOISE**2
    return Target(track, flights, np.where(is_known[:, None], mean, residual), variance)


def smooth(time: np.ndarray, residual: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """The means (T, 3) of the known residuals (T, 3) within SMOOTHING s of each frame at time (T,) s."""
    low, high = (np.searchsorted(time, time + side) for side in (-SMOOTHING, SMOOTHING))
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(np.where(is_known[:, None], residual, 0.0), axis=0)])
    counts = np.concatenate([[0], np.cumsum(is_known)])
    return (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)[:, None]


def make_twins(targets: Sequence[Target], count: int, seed: int) -> list[Target]:
    """`count` balls for each track that might have been recorded in its place: it flies as a ball between it and one
    that was launched alike, and is measured with the same residuals about its flight. Targets of such tracks."""
    usable = [t for t in targets if t.flights.windows and t.flights.windows[0].misfit <= MAX_MISFIT]
    if len(usable) < 2:
        return []
    x = np.array([t.flights.windows[0].x for t in usable])
    scale = np.maximum(x[:, :9].std(axis=0), 1e-3)
    distance = np.square((x[:, None, :9] - x[None, :, :9]) / scale).sum(-1)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, 1 : 1 + TWIN_NEIGHBOURS]
    twins = []
    for n, target in enumerate(usable):
        generator = np.random.default_rng((seed, 1, zlib.crc32(target.track.name.encode())))
        for _ in range(count):
            other = x[nearest[n, generator.integers(nearest.shape[1])]]
            twin = _twin(target, x[n] + generator.uniform(*TWIN_SHARE) * (other - x[n]))
            if twin is not None:
                twins.append(twin)
    return twins


def _twin(target, x):
    """The Target of the track of a flight from x (16,), with the residuals of another about its own; None if it flies
    where nothing is known."""
    window, sport, track = target.flights.windows[0], target.flights.sport, target.track
    track = track.until(window.end)
    since = track.time - window.start
    before, after = (positions_after(sport, start, since) for start in (window.x, x))
    position = track.position + after - before
    if not np.isfinite(position).all():
        return None
    flights = Flights(sport, [window._replace(x=x)])
    residual = smooth(track.time, track.position - before, np.ones(len(track), bool))
    return Target(Track(track.time, position, track.name), flights, residual, target.variance)


class RecordedSet:
    """Views of recorded tracks, with all that a network reads of them: Batches by the rows of the views."""

    def __init__(self, tracks: Sequence[Track], sport: sim.Sport, feature_set: str, views: int = VIEWS, seed: int = 0,
                 twins: int = 0, whole: sim.Sport | None = None):  # fmt: skip
        """sport: as it was where the tracks were recorded. whole: with all of its surfaces, if views may be of the
        other place too."""
        self.sport, self.feature_set = sport, feature_set
        self.targets = [smooth_target(sport, track) for track in in_sport_frame(sport, tracks)]
        self.originals = len(self.targets)
        self.targets += make_twins(self.targets, twins, seed)
        self.tracks = [target.track for target in self.targets]
        self.places = [sport, *([other_place(whole, sport)] if whole else [])]
        can_move = [whole is not None and is_clear(whole, track) for track in self.tracks]
        self.views_per_track = max(1, min(views, MAX_VIEWS // len(self.targets)))
        self.views = make_views(self.tracks, self.views_per_track, seed, is_symmetric(sport), can_move)
        self.lengths = np.array([len(view.rows) for view in self.views])
        place = np.array([view.place for view in self.views])
        groups = [np.flatnonzero(place == n) for n in range(len(self.places))]
        chunks = [rows[n : n + CHUNK] for rows in groups for n in range(0, len(rows), CHUNK)]
        with ThreadPoolExecutor(THREADS) as pool:
            parts = progress.track(pool.map(self._assemble, chunks), "recorded balls", len(chunks), transient=True,
                          console=Console(stderr=True), disable=not sys.stderr.isatty())  # fmt: skip
            self.all = _join(list(parts), np.argsort(np.concatenate(chunks)))

    def __len__(self) -> int:
        return len(self.views)

    def batch(self, rows: np.ndarray) -> Batch:
        """The Batch of these views."""
        frames = int(self.lengths[rows].max())
        fields = {name: None if a is None else a[rows] for name, a in self.all._asdict().items()
                  if name not in ("later", "paths", "frame_count")}  # fmt: skip
        fields |= {name: getattr(self.all, name)[rows, :frames] for name in ("features", "times")}
        later = None if self.all.later is None else Later(*(a[rows] for a in self.all.later))
        return Batch(**fields, paths=None, frame_count=int(self.lengths[rows].sum()), later=later)

    def _assemble(self, chunk):
        """The Batch of a chunk of views."""
        views = [self.views[n] for n in chunk]
        count = np.array([len(view.rows) for view in views])
        generator = np.random.default_rng((7, chunk[0]))
        sequences, loss_times = self._sequences(views, count, generator)
        grid = HORIZON_STEP * np.arange(1, HORIZONS + 1)
        future, known = np.zeros((*loss_times.shape, HORIZONS, 3)), np.zeros((*loss_times.shape, HORIZONS), np.float32)
        for b, view in enumerate(views):
            position, is_known = self.targets[view.track].at((loss_times[b][:, None] + grid).ravel())
            future[b], known[b] = position.reshape(future[b].shape), is_known.reshape(known[b].shape)
            future[b, ..., 0] *= -1.0 if view.mirrored else 1.0
        measured, shape = future.copy(), loss_times.shape
        targets = Targets(None, future, known, np.full(shape, -1.0), np.zeros((*shape, 4)))
        frontend = make_frontend(self.places[views[0].place], self.feature_set)
        batch, starts, _, _ = assemble(frontend, sequences, targets, TARGET_LIMIT, int(self.lengths.max()))
        if self.feature_set != "filter":
            return batch
        states, is_good = self._states(views, loss_times)
        variance = np.array([self.targets[view.track].variance for view in views])
        references = later_frames.References(states, is_good, variance)
        return batch._replace(later=later_frames.linearise(self.sport, frontend, references, starts, measured, known))

    def _sequences(self, views, count, generator):
        """The Sequences of some views, and the times of their loss frames (B, n) s of the track."""
        time = [self.tracks[view.track].time[view.rows] for view in views]
        position = [self.tracks[view.track].position[view.rows] * ((-1.0, 1, 1) if view.mirrored else (1.0, 1, 1))
                    for view in views]  # fmt: skip
        ends = [self.tracks[view.track].time[-1] - HORIZON_STEP for view in views]
        usable = np.array([max(np.searchsorted(t, end), min(MIN_TRACK_LENGTH, len(t))) for t, end in zip(time, ends)])
        loss_frames = spread(generator.random((len(views), LOSS_FRAMES)), np.minimum(usable, count))
        offsets = np.concatenate([[0], np.cumsum(count)])[:-1]
        flat = np.ascontiguousarray(np.concatenate(time)), np.ascontiguousarray(np.concatenate(position))
        return Sequences(*flat, offsets, count, loss_frames), flat[0][offsets[:, None] + loss_frames]

    def _states(self, views, loss_times):
        """The unknowns (B, n, 16) of the fitted flights at the loss frames, and whether they are known (B, n)."""
        states, good = [], []
        for view, times in zip(views, loss_times):
            x, _, is_known = states_and_path(self.targets[view.track].flights, times)
            states.append(x * MIRROR if view.mirrored else x)
            good.append(is_known)
        return np.array(states), np.array(good)


def _join(parts, order):
    """One Batch of several, its rows in another order."""
    fields = {name: _rows([getattr(part, name) for part in parts], order)
              for name in Batch._fields if name not in ("later", "paths", "frame_count")}  # fmt: skip
    later = parts[0].later and Later(*(_rows(a, order) for a in zip(*(p.later for p in parts))))
    return Batch(**fields, paths=None, frame_count=sum(int(p.frame_count) for p in parts), later=later)


def _rows(arrays, order):
    """Arrays one after the other, in another order; None if there are none."""
    return None if arrays[0] is None else np.concatenate(arrays)[order]


class MixedBatches:
    """Batches of simulated balls at even numbers, of views of recorded tracks at odd numbers."""

    def __init__(self, batches: Batches, recorded: RecordedSet, seed: int, recorded_batch: int, twin_share: float):
        self.simulated, self.recorded, self.seed, self.recorded_batch = batches, recorded, seed, recorded_batch
        self.twin_share = twin_share if len(recorded.tracks) > recorded.originals else 0.0
        self.feature_set, self.size, self.pool = batches.feature_set, batches.size, batches.pool

    def __getitem__(self, step: int) -> Batch:
        if step % 2 == 0 or step >= 2**40:
            return self.simulated[step]
        generator = np.random.default_rng((self.seed, step, self.simulated.rank))
        originals, count, size = self.recorded.originals, len(self.recorded.tracks), self.recorded_batch
        tracks = generator.integers(originals, size=size)
        twins, is_twin = generator.random(size), generator.random(size) < self.twin_share
        tracks = np.where(is_twin, originals + (twins * (count - originals)).astype(int), tracks)
        views = generator.integers(self.recorded.views_per_track, size=self.recorded_batch)
        return self.recorded.batch(tracks * self.recorded.views_per_track + views)
