"""Trained networks as predictors: what they watch, what they remember, and how many balls are watched at once.

    predictor = load("gru", sport="table_tennis")
    watch = predictor.streams(1000)             # many balls at once
    watch.observe(time, position)               # (B,) s and (B, 3) m; NaN where a ball was not seen
    forecast = watch.forecast(times)            # one Forecast of arrays with the balls first

Everything between the frames and the forecast is compiled; torch is not imported.
"""

import math
from collections import namedtuple

import numpy as np
from ballcast.models.contract import TRAINED, Predictor, Stream, shipped
from ballcast.models.encoding.features import SETS, SIZES, read
from ballcast.models.estimation.kalman import RECENT, fresh, start_of
from ballcast.models.runtime import weights
from ballcast.models.runtime.network import CELLS, brain_of, measured, remember, size_of
from ballcast.sim.engine import shared
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.flight import surroundings

LEAST_SHARE = 64  # balls, below which a second thread costs more than it gains
# what reads frames: the set of features, the place, the filter's start, 1 where the optional surfaces are away
Eye = namedtuple("Eye", "kind place start without")


class Neural(Predictor):
    """A network made by train.py. One of a sport's own weights, or of a file of them."""

    told = "sport, by its weights"
    window = RECENT  # frames that are kept as they came

    def __init__(self, sport, path=None):
        super().__init__(sport)
        path = path or weights_of(self.name, sport)
        self.info, tensors = weights.read(path)
        check(self.info, TRAINED[self.name], sport, path)
        self.tensors = {name: a.astype(float) for name, a in tensors.items()}
        self.brain = brain_of(self.info["shape"], tensors)
        without = float(len(self.info["surfaces"]) > len(sport.surfaces))
        self.eye = Eye(SETS[self.info["kind"]], surroundings(sport), start_of(sport), without)
        self.active = np.array(self.info["unknowns"])
        self.landing = np.array([s.landing for s in sport.surfaces], bool)

    def forecast(self, history, times):
        times = self.checked(history.time, times)
        watch = self.streams(1)
        watch.follow(history.time[None], history.position[None], np.array([len(history)]))
        return watch.forecasts(times[None])[0]

    def forecast_batch(self, tracks, times):
        times = np.asarray(times, float)
        times = times if times.ndim == 2 else np.broadcast_to(times, (len(tracks), len(times)))
        for track, row in zip(tracks, times, strict=True):
            self.checked(track.time, row)
        counts = np.array([len(track) for track in tracks])
        time, position = np.full((len(tracks), counts.max()), np.nan), np.full((len(tracks), counts.max(), 3), np.nan)
        for n, track in enumerate(tracks):
            time[n, : counts[n]], position[n, : counts[n]] = track.time, track.position
        watch = self.streams(len(tracks))
        watch.follow(time, position, counts)
        return watch.forecasts(times)

    def stream(self):
        return NeuralStream(self)

    def streams(self, count):
        """A Watch over so many balls at once."""
        return Watch(self, count)

    @property
    def gated(self):
        """Whether this is a GRU, which has gates to be looked at."""
        return CELLS[self.brain.cell] == "gru"

    def gates(self, features, memory):
        """A GRU's update and reset gates (T, 2, H) at frames of `features` (T, F), from the `memory` (T, H) before
        each. Update is the share of the new; reset 1 where the old is read in full."""
        a, b = features @ self.brain.Wx + self.brain.bx, memory @ self.brain.Wh + self.brain.bh
        reset, keep = np.split(1 / (1 + np.exp(-(a + b)[:, : 2 * memory.shape[1]])), 2, axis=1)
        return np.stack([1 - keep, reset], axis=1)

    def blank(self, count, asked):
        """Room for forecasts of so many balls at so many times: a tuple of arrays, the balls first."""
        raise NotImplementedError

    def ahead(self, watch, rows, times, out):
        """Forecasts of balls `rows` (slice) of a Watch at times (B, H) s after their last frames, into `out`."""
        raise NotImplementedError

    def said(self, ahead, n, last):
        """The Forecast of ball n among what `ahead` returned, its last frame at `last` s."""
        raise NotImplementedError


class Watch:
    """What is remembered of B balls: constant time and memory per frame, however long they are watched."""

    def __init__(self, predictor, count):
        self.predictor, units = predictor, predictor.info["shape"]["units"]
        self.memories = fresh(count)
        self.h = np.zeros((count, units), np.float32)  # what the heads read
        self.state = np.zeros((count, size_of(predictor.brain)), np.float32)  # what else is remembered
        self.x = np.zeros((count, len(predictor.brain.mean)), np.float32)
        self.raw = np.zeros(self.x.shape)

    def observe(self, time, position):
        """Take in a frame of each ball: time (B,) s, position (B, 3) m; NaN where a ball was not seen."""
        time, position = np.asarray(time, float), np.ascontiguousarray(position, float)
        rows = np.flatnonzero(np.isfinite(time) & np.isfinite(position).all(axis=1))
        if (time[rows] <= np.where(self.memories["frames"], self.memories["recent"][:, 0, 0], -math.inf)[rows]).any():
            raise ValueError("a frame does not come after the one before")
        told = self.predictor.eye, self.predictor.brain, self.memories, self.h, self.state, self.x, self.raw

        def share(first, last):
            see(*told, rows[first:last], time, position)

        shared(share, len(rows), LEAST_SHARE)

    def follow(self, time, position, counts):
        """Take in the first counts[b] frames of each row: time (B, T) s, position (B, T, 3) m."""
        told = self.predictor.eye, self.predictor.brain, self.memories, self.h, self.state, self.x, self.raw
        order = np.argsort(-counts, kind="stable")
        time, position = np.ascontiguousarray(time, float), np.ascontiguousarray(position, float)

        def share(first, last):
            follow(*told, order[first:last], counts, time, position)

        shared(share, len(counts), LEAST_SHARE)

    def forecast(self, times):
        """What is ahead of every ball at times (H,) or (B, H) s: the predictor's arrays, the balls first."""
        times = np.broadcast_to(np.asarray(times, float), (len(self.h), np.shape(times)[-1]))
        ahead = times - self.memories["recent"][:, :1, 0]

        whole = self.predictor.blank(*ahead.shape)

        def share(first, last):
            part = type(whole)(*(a[first:last] for a in whole))
            self.predictor.ahead(self, slice(first, last), np.ascontiguousarray(ahead[first:last]), part)

        shared(share, len(ahead), LEAST_SHARE)
        return whole

    def forecasts(self, times):
        """One Forecast a ball."""
        ahead, last = self.forecast(times), self.memories["recent"][:, 0, 0]
        return [self.predictor.said(ahead, n, last[n]) for n in range(len(last))]


class NeuralStream(Stream):
    """One ball watched live."""

    def __init__(self, predictor):
        self.predictor, self.watch, self._seen = predictor, predictor.streams(1), 0
        self._row, self._time, self._place = np.zeros(1, int), np.zeros(1), np.zeros((1, 3))

    @property
    def seen(self):
        recent = self.watch.memories["recent"][0, : min(self._seen, RECENT)][::-1]
        return recent[:, 0], recent[:, 1:]

    @property
    def memory(self):
        """What is remembered now, (H,)."""
        return self.watch.h[0].copy()

    @property
    def features(self):
        """What was read of the last frame, (F,), in the network's own measure."""
        return self.watch.x[0].copy()

    def observe(self, time, position):
        frame = self.checked_frame(time, position)
        if self._seen and frame[0] <= (before := self.watch.memories["recent"][0, 0, 0]):
            raise ValueError(f"frame at {frame[0]:g} s does not come after the one before, at {before:g} s")
        self._time[0], self._place[0] = frame[0], frame[1:]
        w, p = self.watch, self.predictor
        see(p.eye, p.brain, w.memories, w.h, w.state, w.x, w.raw, self._row, self._time, self._place)
        self._seen += 1

    def forecast(self, times):
        seen = self.watch.memories["recent"][0, : min(self._seen, 2), 0][::-1]
        times = self.predictor.checked(seen, times)
        ahead = self.predictor.blank(1, len(times))
        self.predictor.ahead(self.watch, slice(0, 1), times[None] - seen[-1], ahead)
        return self.predictor.said(ahead, 0, seen[-1])


@kernel
def see(eye, brain, memories, h, state, x, raw, rows, time, position):
    """Take in a frame of balls `rows` (n,)."""
    n, alone = len(rows), len(rows) == len(h)
    for k in range(n):
        b = rows[k]
        read(eye.kind, eye.place, eye.start, memories[b], time[b], position[b], raw[b, :-1])
        raw[b, -1] = eye.without
    if alone:
        x[:] = measured(raw, brain.mean, brain.inverse)
        remember(brain, x, time, h, state, np.arange(n))
        return
    mine, kept = measured(raw[rows], brain.mean, brain.inverse), h[rows]
    remember(brain, mine, time[rows], kept, state, rows)
    for k in range(n):
        x[rows[k]], h[rows[k]] = mine[k], kept[k]


@kernel
def follow(eye, brain, memories, h, state, x, raw, rows, counts, time, position):
    """Take in the first counts[b] frames of balls `rows` (n,), those with most frames first."""
    left = len(rows)
    for k in range(counts[rows[0]]):
        while counts[rows[left - 1]] <= k:
            left -= 1
        see(eye, brain, memories, h, state, x, raw, rows[:left], time[:, k], position[:, k])


def weights_of(name, sport):
    """The path of a network's weights for a Sport. ValueError in one line with the sports that have some."""
    path = shipped(name, sport)
    if not path.exists():
        end = path.name.removeprefix(sport.name)
        there = ", ".join(sorted(p.name.removesuffix(end) for p in path.parent.glob(f"*{end}"))) or "no sport"
        command = f"python train.py --model {name} --sport {sport.name}"
        raise ValueError(f"{name} has no weights for {sport.name}, but for {there}; train some: {command}")
    return path


def check(info, model, sport, path):
    """Refuse weights of another model or sport. Raises ValueError."""
    if info["model"] != model:
        raise ValueError(
            f"{path}: weights of {info['model']}, not of {model}; train some: python train.py --model {model}"
        )
    if (info["sport"], info["version"]) != (sport.name, sport.version):
        theirs, ours = f"{info['sport']} version {info['version']}", f"{sport.name} version {sport.version}"
        raise ValueError(
            f"{path}: weights for {theirs}, not for {ours}; train some: python train.py --sport {sport.name}"
        )
    if info["shape"]["features"] != SIZES[info["kind"]] + 1:
        raise ValueError(f"{path}: weights of an older Ballcast, which read other features; train them anew")
