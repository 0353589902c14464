"""Networks that say the future themselves: place and spread on a grid of horizons, and the next landing.

What they say stands beside the running filter's own forecast, in its standard deviations; `mlp`, which has no filter,
says it beside a straight line.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.contract import Forecast, Landing
from ballcast.models.encoding.decoding import decode_landing, decode_path
from ballcast.models.encoding.nominal import (
    HORIZONS,
    NOMINAL_FEATURES,
    fill_nominal_features,
    fill_nominal_start,
    nominal_trajectories,
)
from ballcast.models.estimation.fit import UNKNOWNS
from ballcast.models.predictors.neural import NeuralPredictor
from ballcast.models.runtime.network import belief_head, path_head
from ballcast.sim.jit import kernel

# of B balls at H times: mean (B, H, 3) m, covariance (B, H, 3, 3), probability of a landing (B,), its time (s from the
# last frame) and place (B, 4), their covariance (B, 4, 4)
PathForecasts = namedtuple("PathForecasts", "mean covariance probability landing landing_covariance")
# what a path is told in, beside the baseline: mean and scale (KNOTS, 3), widening (KNOTS,); of the landing (4,), (4,),
# one number; numbers of the belief that the path's head reads
OutputScaling = namedtuple(
    "OutputScaling", "mean scale variance_factor landing_mean landing_scale landing_variance_factor belief_inputs"
)


class Direct(NeuralPredictor):
    """The network itself says the future."""

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        t, widen = self.tensors, self.info.get("widen", {})
        scale = (np.where(np.isfinite(t[name]), t[name], 0.0) for name in ("path_scale", "landing_scale"))
        self.output_scaling = OutputScaling(
            t["path_mean"], next(scale), np.array(widen.get("path", np.ones(HORIZONS))), t["landing_mean"], next(scale),
            float(widen.get("landing", 1.0)), 2 * self.info["shape"]["unknowns"],
        )  # fmt: skip

    def allocate(self, count, horizons):
        shapes = (count, horizons, 3), (count, horizons, 3, 3), (count,), (count, 4), (count, 4, 4)
        return PathForecasts(*map(np.empty, shapes))

    def predict_into(self, batch, rows, times, out):
        state = batch.hidden[rows], batch.features[rows], batch.raw_features[rows], batch.filter_states[rows]
        forecast_paths(
            self.network,
            self.frontend.feature_set,
            self.frontend.sport,
            self.output_scaling,
            *state,
            times,
            out,
        )

    def to_forecast(self, prediction, n, last):
        landing = None
        if prediction.probability[n] >= 0.5:
            at = prediction.landing[n]
            landing = Landing(last + at[0], at[1:], prediction.landing_covariance[n], float(prediction.probability[n]))
        return Forecast(prediction.mean[n], prediction.covariance[n], landing=landing)


@kernel
def forecast_paths(network, feature_set, sport, scaling, h, features, raw_features, filter_states, times, out):
    """The Paths, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s ahead."""
    count, horizons = times.shape
    mean, covariance, probability, landings, landing_covariance = out
    belief_outputs = np.empty((count, 0), np.float32)
    if scaling.belief_inputs:
        belief_outputs = np.ascontiguousarray(belief_head(network, features, h)[:, : scaling.belief_inputs])
    nominal_starts, variances, nominal_landings, landing_sds = (
        np.empty((count, UNKNOWNS)),
        np.empty((count, 3, 3)),
        np.empty((count, 4)),
        np.empty((count, 4)),
    )
    positions, horizon_positions, nominal_features = (
        np.empty((count, horizons, 3)),
        np.empty((HORIZONS, 3)),
        np.empty((count, NOMINAL_FEATURES)),
    )
    for b in range(count):
        fill_nominal_start(feature_set, filter_states[b], raw_features[b], nominal_starts[b], variances[b])
        nominal_trajectories(
            feature_set,
            sport,
            nominal_starts[b],
            variances[b],
            times[b],
            positions[b],
            horizon_positions,
            nominal_landings[b],
            landing_sds[b],
        )
        fill_nominal_features(horizon_positions, nominal_landings[b], nominal_starts[b], nominal_features[b])
    outputs = path_head(network, features, h, nominal_features, belief_outputs).astype(np.float64)
    for b in range(count):
        arguments = (
            outputs[b],
            scaling.mean,
            scaling.scale,
            scaling.variance_factor,
            variances[b],
            times[b],
            positions[b],
        )
        mean[b], covariance[b] = decode_path(*arguments)
        arguments = (
            outputs[b],
            scaling.landing_mean,
            scaling.landing_scale,
            scaling.landing_variance_factor,
            nominal_landings[b],
            landing_sds[b],
        )
        probability[b], landings[b], landing_covariance[b] = decode_landing(*arguments)


class Gru(Direct):
    name = "gru"


class Lstm(Direct):
    name = "lstm"


class Rnn(Direct):
    name = "rnn"


class MinGru(Direct):
    """Gates that see the frame alone, so that it is trained on all frames at once."""

    name = "mingru"


class Transformer(Direct):
    """Attention to the last frames, known by their times."""

    name = "transformer"


class Mlp(Direct):
    """Feed-forward on the last frames: no memory of what was before them."""

    name = "mlp"
