"""The network says what it believes of the ball, the simulator flies that belief ahead: through impacts, to any time.

The running filter has a Gaussian belief; the network, which remembers how the filter was surprised, moves and reshapes
it; draws of the outcome fly in the engine's lanes.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.contract import Forecast, Landing
from ballcast.models.encoding.decoding import regression_factor
from ballcast.models.encoding.features import active_cholesky
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation.fit import UNKNOWNS
from ballcast.models.estimation.kalman import clamp
from ballcast.models.estimation.posterior import (
    CONTACTS_PER_SAMPLE,
    covariance_about_first,
    first_landings,
    fly_samples_into,
    modal_landing,
    standard_normal_samples,
)
from ballcast.models.predictors.neural import NeuralPredictor
from ballcast.models.predictors.physics import MAX_UNLANDED, MIN_LANDING_HORIZON, Estimate, to_belief
from ballcast.models.runtime.network import belief_head
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.sim.kernels.layout import CONTACT_DTYPE

SAMPLES, BALLS_PER_LANES = 18, 8  # of a ball; balls whose draws share the engine's lanes
# of B balls: belief x (B, 16) and its covariance (B, 16, 16); at H times mean (B, H, 3) m, covariance (B, H, 3, 3) and
# draws (B, K, H, 3); the landing as in recurrent.py
SimulatedForecasts = namedtuple(
    "SimulatedForecasts", "x P mean covariance positions probability landing landing_covariance"
)


class GruPhysics(NeuralPredictor):
    """The network's belief, flown ahead by the simulator. Shows the spin and the parameters it believes in."""

    name = "gru_physics"

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        self.lane_sport = compile_lanes(sport)
        self.standard_normal = np.ascontiguousarray(standard_normal_samples(SAMPLES)[:, : len(self.active_unknowns)])
        factors = self.info.get("widen", {})
        self.variance_factors = (
            np.array([1.0, *factors.get("flown", np.ones(HORIZONS))]),
            float(factors.get("flown_landing", 1.0)),
        )

    def allocate(self, count, horizons):
        return SimulatedForecasts(
            np.zeros((count, UNKNOWNS)), np.zeros((count, UNKNOWNS, UNKNOWNS)), np.empty((count, horizons, 3)),
            np.empty((count, horizons, 3, 3)), np.empty((count, SAMPLES, horizons, 3), np.float32),
            np.empty(count), np.empty((count, 4)), np.empty((count, 4, 4)),
        )  # fmt: skip

    def predict_into(self, batch, rows, times, out):
        constants = (
            self.network,
            self.lane_sport,
            self.active_unknowns,
            self.standard_normal,
            self.variance_factors,
        )
        simulate_ahead(*constants, batch.hidden[rows], batch.features[rows], batch.filter_states[rows], times, out)

    def to_forecast(self, prediction, n, last):
        landing = None
        if prediction.probability[n] >= 0.5:
            at = prediction.landing[n]
            landing = Landing(last + at[0], at[1:], prediction.landing_covariance[n], float(prediction.probability[n]))
        belief = to_belief(Estimate(prediction.x[n], prediction.P[n]))
        return Forecast(prediction.mean[n], prediction.covariance[n], prediction.positions[n], landing, belief)


@kernel
def simulate_ahead(
    network,
    lane_sport,
    active_unknowns,
    standard_normal,
    variance_factors,
    h,
    features,
    filter_states,
    times,
    out,
):
    """What is Flown, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s from their last
    frames."""
    (count, horizons), K = times.shape, len(standard_normal)
    estimates, P, mean, covariance, positions, probability, landing_mean, landing_covariance = out
    outputs = belief_head(network, features, h)
    for first in range(0, count, BALLS_PER_LANES):
        last = min(first + BALLS_PER_LANES, count)
        samples, sample_times = np.empty(((last - first) * K, UNKNOWNS)), np.empty(((last - first) * K, horizons))
        for b in range(first, last):
            ball_slice = slice((b - first) * K, (b - first + 1) * K)
            _sample_belief(
                filter_states[b], outputs[b], active_unknowns, standard_normal, estimates[b], P[b], samples[ball_slice]
            )
            sample_times[ball_slice] = times[b]
        landings = _fly_samples(
            lane_sport, samples, sample_times, positions[first:last].reshape((len(samples), horizons, 3)), K
        )
        for b in range(first, last):
            ball_slice = slice((b - first) * K, (b - first + 1) * K)
            probability[b], landing_mean[b], landing_covariance[b] = modal_landing(
                landings[ball_slice], len(lane_sport.boxes)
            )
            landing_covariance[b] *= variance_factors[1]
            mean[b], covariance[b] = positions[b, 0], covariance_about_first(positions[b])
            for k in range(horizons):
                grid_position = min(times[b, k] / HORIZON_STEP, HORIZONS - 1e-9)
                segment = int(grid_position)
                covariance[b, k] *= variance_factors[0][segment] + (grid_position - segment) * (
                    variance_factors[0][segment + 1] - variance_factors[0][segment]
                )


@kernel
def _sample_belief(state, outputs, active_unknowns, standard_normal, x, P, samples):
    """The belief x (16,), P (16, 16) that is told beside the filter's, and draws (K, 16) of it."""
    size = len(active_unknowns)
    L = np.empty((size, size))
    active_cholesky(state.P, active_unknowns, L)
    factor = L @ regression_factor(outputs[size : 2 * size], outputs[2 * size :])
    shift, deviations, covariance = L @ outputs[:size].astype(np.float64), standard_normal @ factor.T, factor @ factor.T
    x[:] = state.x
    for i in range(size):
        x[active_unknowns[i]] += shift[i]
        for j in range(size):
            P[active_unknowns[i], active_unknowns[j]] = covariance[i, j]
    for n in range(len(samples)):
        samples[n] = x
        for i in range(size):
            samples[n, active_unknowns[i]] += deviations[n, i]
        clamp(samples[n])
    x[:] = samples[0]


@kernel
def _fly_samples(lane_sport, samples, times, positions, K):
    """Fly the draws of B balls, K each, into places (B K, H, 3) m at times (B K, H) s; their first landings (B K, 5).

    Where too many of a ball's draws have not landed by the last time, those fly on.
    """
    contacts = np.empty(CONTACTS_PER_SAMPLE * len(samples), CONTACT_DTYPE)
    used = fly_samples_into(lane_sport, samples, times, positions, contacts)
    landings, late = first_landings(lane_sport, contacts, used, samples, 0.0), np.zeros(len(samples), np.bool_)
    for first in range(0, len(samples), K):
        ball_slice = slice(first, first + K)
        if times[first, -1] < MIN_LANDING_HORIZON and (landings[ball_slice, 0] == np.inf).mean() > MAX_UNLANDED:
            late[ball_slice] = landings[ball_slice, 0] == np.inf
    if late.any():
        remaining = samples[late]
        used = fly_samples_into(
            lane_sport,
            remaining,
            np.full((1, 1), MIN_LANDING_HORIZON),
            np.empty((len(remaining), 1, 3), np.float32),
            contacts,
        )
        landings[late] = first_landings(lane_sport, contacts, used, remaining, 0.0)
    return landings
