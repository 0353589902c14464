"""Networks that output the future themselves: positions and covariances at a grid of horizons, and the next landing.

Outputs are residuals to the running filter's own forecast, in its standard deviations. `mlp` and `gru_raw`, which have
no filter, output residuals to a straight line, in metres.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ballcast.models.encoding import nominal
from ballcast.models.encoding.decoding import PATH_OUTPUTS, decode_landing, decode_path, position_factor
from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.predictors.neural import BatchForecast, NeuralPredictor
from ballcast.models.runtime.network import belief_head, path_head
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.packed import Packed, pack


class OutputScaling(NamedTuple):
    """The units of a network's outputs, in standard deviations of the nominal trajectory."""

    mean: np.ndarray  # (20, 3)
    scale: np.ndarray  # (20, 3)
    variance_factor: np.ndarray  # (21,) calibration of the covariances, at the last frame and at the horizons
    landing_mean: np.ndarray  # (4,)
    landing_scale: np.ndarray  # (4,)
    landing_variance_factor: float
    belief_inputs: int  # number of outputs of the belief's head that the path's head reads


class Direct(NeuralPredictor):
    """The network itself outputs the future."""

    def __init__(self, sport: Sport, path: Path | str | None = None):
        super().__init__(sport, path)
        count = 2 * self.info["shape"]["unknowns"]  # of the belief's head, the other outputs are not computed
        weight, bias = np.ascontiguousarray(self.network.belief_out_weight[:, :count]), self.network.belief_out_bias
        self.network = self.network._replace(belief_out_weight=weight, belief_out_bias=bias[:count].copy())
        self.use_factors(self.factors)

    def leave_means(self) -> None:
        rows = (PATH_OUTPUTS * np.arange(HORIZONS)[:, None] + np.arange(3)).ravel()
        weight, bias = self.network.path_out_weight.copy(), self.network.path_out_bias.copy()
        weight[:, rows], bias[rows] = 0.0, 0.0
        self.network = self.network._replace(path_out_weight=weight, path_out_bias=bias)
        self.tensors = self.tensors | {"path_mean": np.zeros_like(self.tensors["path_mean"])}

    def use_factors(self, factors: dict) -> None:
        t, path_factors = self.tensors, [factors.get("path_now", 1.0), *factors.get("path", np.ones(HORIZONS))]
        scale = (np.where(np.isfinite(t[name]), t[name], 0.0) for name in ("path_scale", "landing_scale"))
        self.output_scaling = OutputScaling(
            t["path_mean"], next(scale), np.array(path_factors, float), t["landing_mean"], next(scale),
            float(factors.get("landing", 1.0)), 2 * self.info["shape"]["unknowns"],
        )  # fmt: skip
        self.constants = pack(self.output_scaling)

    def predict_into(self, balls: Packed, times: np.ndarray, out: BatchForecast) -> None:
        forecast_paths(balls, self.constants, times, out)


@kernel
def forecast_paths(balls, constants, times, out):
    """Fill the BatchForecast of the balls of a packed Memory at times (B, H) s after their last frames."""
    (frontend, network, memory), scaling = borrowed(balls.value), borrowed(constants.value)
    feature_set, sport, scales = frontend.feature_set, frontend.sport, frontend.scales
    (count, horizons), h, features = times.shape, memory.hidden, memory.features
    contact_features = np.empty(nominal.CONTACT_FEATURES)
    belief_outputs = np.empty((count, 0), np.float32)
    if scaling.belief_inputs:
        belief_outputs = belief_head(network, features, h)
    starts, variances = np.empty((count, UNKNOWNS)), np.empty((count, 3, 3))
    landings, landing_sds = np.empty((count, 4)), np.empty((count, 4))
    positions, horizon_positions = np.empty((count, horizons, 3)), np.empty((HORIZONS, 3))
    nominal_features, now = np.empty((count, len(network.nominal_mean))), np.empty((3, 3))
    for b in range(count):
        nominal.fill_nominal_start(feature_set, memory.filter_states[b], starts[b], variances[b])
        nominal.nominal_trajectories(
            feature_set, sport, starts[b], variances[b], times[b],
            positions[b], horizon_positions, landings[b], landing_sds[b], contact_features,
        )  # fmt: skip
        if nominal_features.shape[1] > 0:  # else the network reads none
            nominal.fill_nominal_features(
                scales, sport, starts[b], variances[b], horizon_positions, landings[b], contact_features,
                nominal_features[b],
            )  # fmt: skip
    outputs = path_head(network, features, h, nominal_features, belief_outputs).astype(np.float64)
    for b in range(count):
        path_scaling = scaling.mean, scaling.scale, scaling.variance_factor
        landing_scaling = scaling.landing_mean, scaling.landing_scale, scaling.landing_variance_factor
        path = positions[b], out.mean[b], out.covariance[b]
        position_factor(feature_set, memory.filter_states[b], now)
        decode_path(outputs[b], *path_scaling, now, variances[b], times[b], *path)
        out.probability[b], out.landing[b], out.landing_covariance[b] = decode_landing(
            outputs[b], *landing_scaling, landings[b], landing_sds[b]
        )


class Gru(Direct):
    name = "gru"


class GruRaw(Direct):
    """A GRU that reads the measured positions themselves: no filter runs before it."""

    name = "gru_raw"


class Lstm(Direct):
    name = "lstm"


class Rnn(Direct):
    name = "rnn"


class MinGru(Direct):
    """Its gates depend on the frame alone, so that it is trained on all frames at once."""

    name = "mingru"


class Transformer(Direct):
    """Attention to the last frames, by their times."""

    name = "transformer"


class Mlp(Direct):
    """Feed-forward on the last frames: no memory of earlier ones."""

    name = "mlp"
