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

from ballcast.models.contract import WEIGHTS_OF, Predictor, Stream, weights_path
from ballcast.models.encoding.features import FEATURE_SETS, FEATURE_SIZES, extract
from ballcast.models.estimation.kalman import HISTORY_FRAMES, make_filter_prior, new_filter_states
from ballcast.models.runtime import weights
from ballcast.models.runtime.network import TRUNK_KINDS, advance, pack_weights, standardise, state_size
from ballcast.sim.engine import run_in_threads
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_sport

MIN_BALLS_PER_THREAD = 64  # balls, below which a second thread costs more than it gains
# what reads frames: the set of features, the CompiledSport, the filter's start, 1 where the optional surfaces are away
FeatureFrontend = namedtuple("FeatureFrontend", "feature_set sport filter_prior surfaces_absent")


class NeuralPredictor(Predictor):
    """A network made by train.py. One of a sport's own weights, or of a file of them."""

    side_information = "sport, by its weights"
    window = HISTORY_FRAMES  # frames that are kept as they came

    def __init__(self, sport, path=None):
        super().__init__(sport)
        path = path or require_weights(self.name, sport)
        self.info, tensors = weights.read(path)
        check_weights(self.info, WEIGHTS_OF[self.name], sport, path)
        self.tensors = {name: a.astype(float) for name, a in tensors.items()}
        self.network = pack_weights(self.info["shape"], tensors)
        surfaces_absent = float(len(self.info["surfaces"]) > len(sport.surfaces))
        self.frontend = FeatureFrontend(
            FEATURE_SETS[self.info["kind"]], compile_sport(sport), make_filter_prior(sport), surfaces_absent
        )
        self.active_unknowns = np.array(self.info["unknowns"])

    def forecast(self, history, times):
        times = self.check_times(history.time, times)
        batch = self.streams(1)
        batch.observe_tracks(history.time[None], history.position[None], np.array([len(history)]))
        return batch.forecasts(times[None])[0]

    def forecast_batch(self, tracks, times):
        times = np.asarray(times, float)
        times = times if times.ndim == 2 else np.broadcast_to(times, (len(tracks), len(times)))
        for track, row in zip(tracks, times, strict=True):
            self.check_times(track.time, row)
        counts = np.array([len(track) for track in tracks])
        time, position = np.full((len(tracks), counts.max()), np.nan), np.full((len(tracks), counts.max(), 3), np.nan)
        for n, track in enumerate(tracks):
            time[n, : counts[n]], position[n, : counts[n]] = track.time, track.position
        batch = self.streams(len(tracks))
        batch.observe_tracks(time, position, counts)
        return batch.forecasts(times)

    def stream(self):
        return NeuralStream(self)

    def streams(self, count):
        """A Watch over so many balls at once."""
        return StreamBatch(self, count)

    @property
    def has_gates(self):
        """Whether this is a GRU, which has gates to be looked at."""
        return TRUNK_KINDS[self.network.trunk_kind] == "gru"

    def gates(self, features, hidden):
        """A GRU's update and reset gates (T, 2, H) at frames of `features` (T, F), from the `memory` (T, H) before
        each. Update is the share of the new; reset 1 where the old is read in full."""
        a, b = (
            features @ self.network.input_weight + self.network.input_bias,
            hidden @ self.network.hidden_weight + self.network.hidden_bias,
        )
        reset, retain = np.split(1 / (1 + np.exp(-(a + b)[:, : 2 * hidden.shape[1]])), 2, axis=1)
        return np.stack([1 - retain, reset], axis=1)

    def allocate(self, count, horizons):
        """Room for forecasts of so many balls at so many times: a tuple of arrays, the balls first."""
        raise NotImplementedError

    def predict_into(self, batch, rows, times, out):
        """Forecasts of balls `rows` (slice) of a Watch at times (B, H) s after their last frames, into `out`."""
        raise NotImplementedError

    def to_forecast(self, prediction, n, last):
        """The Forecast of ball n among what `ahead` returned, its last frame at `last` s."""
        raise NotImplementedError


class StreamBatch:
    """What is remembered of B balls: constant time and memory per frame, however long they are watched."""

    def __init__(self, predictor, count):
        self.predictor, units = predictor, predictor.info["shape"]["units"]
        self.filter_states = new_filter_states(count)
        self.hidden = np.zeros((count, units), np.float32)  # what the heads read
        self.cell_state = np.zeros((count, state_size(predictor.network)), np.float32)  # what else is remembered
        self.features = np.zeros((count, len(predictor.network.feature_mean)), np.float32)
        self.raw_features = np.zeros(self.features.shape)

    def observe(self, time, position):
        """Take in a frame of each ball: time (B,) s, position (B, 3) m; NaN where a ball was not seen."""
        time, position = np.asarray(time, float), np.ascontiguousarray(position, float)
        rows = np.flatnonzero(np.isfinite(time) & np.isfinite(position).all(axis=1))
        if (
            time[rows]
            <= np.where(self.filter_states["frames"], self.filter_states["recent_frames"][:, 0, 0], -math.inf)[rows]
        ).any():
            raise ValueError("a frame does not come after the one before")
        arguments = (
            self.predictor.frontend,
            self.predictor.network,
            self.filter_states,
            self.hidden,
            self.cell_state,
            self.features,
            self.raw_features,
        )

        def work_chunk(first, last):
            observe_frame(*arguments, rows[first:last], time, position)

        run_in_threads(work_chunk, len(rows), MIN_BALLS_PER_THREAD)

    def observe_tracks(self, time, position, counts):
        """Take in the first counts[b] frames of each row: time (B, T) s, position (B, T, 3) m."""
        arguments = (
            self.predictor.frontend,
            self.predictor.network,
            self.filter_states,
            self.hidden,
            self.cell_state,
            self.features,
            self.raw_features,
        )
        order = np.argsort(-counts, kind="stable")
        time, position = np.ascontiguousarray(time, float), np.ascontiguousarray(position, float)

        def work_chunk(first, last):
            observe_tracks(*arguments, order[first:last], counts, time, position)

        run_in_threads(work_chunk, len(counts), MIN_BALLS_PER_THREAD)

    def forecast(self, times):
        """What is ahead of every ball at times (H,) or (B, H) s: the predictor's arrays, the balls first."""
        times = np.broadcast_to(np.asarray(times, float), (len(self.hidden), np.shape(times)[-1]))
        lead_times = times - self.filter_states["recent_frames"][:, :1, 0]

        whole = self.predictor.allocate(*lead_times.shape)

        def work_chunk(first, last):
            part = type(whole)(*(a[first:last] for a in whole))
            self.predictor.predict_into(self, slice(first, last), np.ascontiguousarray(lead_times[first:last]), part)

        run_in_threads(work_chunk, len(lead_times), MIN_BALLS_PER_THREAD)
        return whole

    def forecasts(self, times):
        """One Forecast a ball."""
        prediction, last = self.forecast(times), self.filter_states["recent_frames"][:, 0, 0]
        return [self.predictor.to_forecast(prediction, n, last[n]) for n in range(len(last))]


class NeuralStream(Stream):
    """One ball watched live."""

    def __init__(self, predictor):
        self.predictor, self.batch, self._frame_count = predictor, predictor.streams(1), 0
        self._row, self._time, self._position = np.zeros(1, int), np.zeros(1), np.zeros((1, 3))

    @property
    def frames(self):
        recent = self.batch.filter_states["recent_frames"][0, : min(self._frame_count, HISTORY_FRAMES)][::-1]
        return recent[:, 0], recent[:, 1:]

    @property
    def hidden(self):
        """What is remembered now, (H,)."""
        return self.batch.hidden[0].copy()

    @property
    def features(self):
        """What was read of the last frame, (F,), in the network's own measure."""
        return self.batch.features[0].copy()

    def observe(self, time, position):
        frame = self.check_frame(time, position)
        if self._frame_count and frame[0] <= (before := self.batch.filter_states["recent_frames"][0, 0, 0]):
            raise ValueError(f"frame at {frame[0]:g} s does not come after the one before, at {before:g} s")
        self._time[0], self._position[0] = frame[0], frame[1:]
        batch, predictor = self.batch, self.predictor
        observe_frame(
            predictor.frontend,
            predictor.network,
            batch.filter_states,
            batch.hidden,
            batch.cell_state,
            batch.features,
            batch.raw_features,
            self._row,
            self._time,
            self._position,
        )
        self._frame_count += 1

    def forecast(self, times):
        frame_times = self.batch.filter_states["recent_frames"][0, : min(self._frame_count, 2), 0][::-1]
        times = self.predictor.check_times(frame_times, times)
        prediction = self.predictor.allocate(1, len(times))
        self.predictor.predict_into(self.batch, slice(0, 1), times[None] - frame_times[-1], prediction)
        return self.predictor.to_forecast(prediction, 0, frame_times[-1])


@kernel
def observe_frame(frontend, network, filter_states, hidden, cell_state, features, raw_features, rows, time, position):
    """Take in a frame of balls `rows` (n,)."""
    n, alone = len(rows), len(rows) == len(hidden)
    for k in range(n):
        b = rows[k]
        extract(
            frontend.feature_set,
            frontend.sport,
            frontend.filter_prior,
            filter_states[b],
            time[b],
            position[b],
            raw_features[b, :-1],
        )
        raw_features[b, -1] = frontend.surfaces_absent
    if alone:
        features[:] = standardise(raw_features, network.feature_mean, network.feature_scale_inverse)
        advance(network, features, time, hidden, cell_state, np.arange(n))
        return
    new_features, new_hidden = (
        standardise(raw_features[rows], network.feature_mean, network.feature_scale_inverse),
        hidden[rows],
    )
    advance(network, new_features, time[rows], new_hidden, cell_state, rows)
    for k in range(n):
        features[rows[k]], hidden[rows[k]] = new_features[k], new_hidden[k]


@kernel
def observe_tracks(
    frontend, network, filter_states, hidden, cell_state, features, raw_features, rows, counts, time, position
):
    """Take in the first counts[b] frames of balls `rows` (n,), those with most frames first."""
    remaining = len(rows)
    for k in range(counts[rows[0]]):
        while counts[rows[remaining - 1]] <= k:
            remaining -= 1
        observe_frame(
            frontend,
            network,
            filter_states,
            hidden,
            cell_state,
            features,
            raw_features,
            rows[:remaining],
            time[:, k],
            position[:, k],
        )


def require_weights(name, sport):
    """The path of a network's weights for a Sport. ValueError in one line with the sports that have some."""
    path = weights_path(name, sport)
    if not path.exists():
        end = path.name.removeprefix(sport.name)
        trained = ", ".join(sorted(p.name.removesuffix(end) for p in path.parent.glob(f"*{end}"))) or "no sport"
        command = f"python train.py --model {name} --sport {sport.name}"
        raise ValueError(f"{name} has no weights for {sport.name}, but for {trained}; train some: {command}")
    return path


def check_weights(info, model, sport, path):
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
    if info["shape"]["features"] != FEATURE_SIZES[info["kind"]] + 1:
        raise ValueError(f"{path}: weights of an older Ballcast, which read other features; train them anew")
