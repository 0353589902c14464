"""The network corrects the filter's estimate, the simulator predicts from it: through impacts, to any time.

The running filter's belief is a Gaussian sum, read here as one Gaussian of the same mean and covariance. The network,
which remembers the innovations, moves and reshapes it; samples of the result are simulated in the engine's lanes.
"""

from pathlib import Path

import numpy as np

from ballcast.models.encoding.decoding import active_outputs, regression_factor
from ballcast.models.encoding.features import active_cholesky
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation import posterior
from ballcast.models.estimation.filter_state import summary
from ballcast.models.estimation.unknowns import UNKNOWNS, clamp
from ballcast.models.predictors.neural import BatchForecast, NeuralPredictor
from ballcast.models.runtime.network import belief_head
from ballcast.sim import Sport
from ballcast.sim.jit import inlined, kernel
from ballcast.sim.kernels.borrowed import borrowed
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.sim.kernels.packed import Packed, pack

SAMPLES, BALLS_PER_LANES = 18, 8  # samples of a ball; balls whose samples share the engine's lanes


class GruPhysics(NeuralPredictor):
    """The network's belief, simulated ahead. Its forecasts hold spin and parameters."""

    name = "gru_physics"
    sample_count, sample_dtype, has_belief = SAMPLES, np.float32, True
    has_velocity_covariance = True

    def __init__(self, sport: Sport, path: Path | str | None = None):
        super().__init__(sport, path)
        self.lane_sport = compile_lanes(sport)
        samples = posterior.standard_normal_samples(SAMPLES)
        self.standard_normal = np.ascontiguousarray(samples[:, : len(self.active_unknowns)])
        self.use_factors(self.factors)

    def leave_means(self) -> None:
        weight, bias = self.network.belief_out_weight.copy(), self.network.belief_out_bias.copy()
        weight[:, :UNKNOWNS], bias[:UNKNOWNS] = 0.0, 0.0
        self.network = self.network._replace(belief_out_weight=weight, belief_out_bias=bias)

    def use_factors(self, factors: dict) -> None:
        path_factors = np.array([factors.get("flown_now", 1.0), *factors.get("flown", np.ones(HORIZONS))], float)
        self.variance_factors = path_factors, float(factors.get("flown_landing", 1.0))
        samples = self.active_unknowns, np.ascontiguousarray(self.standard_normal.T), self.variance_factors
        self.constants = pack((self.lane_sport, *samples))

    def predict_into(self, balls: Packed, times: np.ndarray, out: BatchForecast) -> None:
        simulate_ahead(balls, self.constants, times, out)


@kernel
def simulate_ahead(balls, constants, times, out):
    """Fill the BatchForecast of the balls of a packed Memory at times (B, H) s after their last frames."""
    _, network, memory = borrowed(balls.value)
    lane_sport, active_unknowns, standard_normal, variance_factors = borrowed(constants.value)
    (count, horizons), K = times.shape, standard_normal.shape[1]
    outputs = belief_head(network, memory.features, memory.hidden).astype(np.float64)
    buffer = np.empty((BALLS_PER_LANES * K, horizons, 3), out.samples.dtype)  # stays in the cache, as `out` does not
    velocity_buffer = np.empty_like(buffer)
    for first in range(0, count, BALLS_PER_LANES):
        last = min(first + BALLS_PER_LANES, count)
        samples = np.empty(((last - first) * K, UNKNOWNS))
        for b in range(first, last):
            rows = slice((b - first) * K, (b - first + 1) * K)
            belief = out.x[b], out.P[b]
            _sample_belief(
                memory.filter_states[b], outputs[b], active_unknowns, standard_normal, *belief, samples[rows]
            )
            out.P[b, 3:9, 3:9] += memory.filter_states[b].jump  # the samples do without: both sides fly the same path
        positions, velocities = buffer[: (last - first) * K], velocity_buffer[: (last - first) * K]
        landings = posterior.simulate_samples(lane_sport, samples, times[first:last], K, positions, velocities)
        for b in range(first, last):
            rows = slice((b - first) * K, (b - first + 1) * K)
            probability, landing, landing_covariance = posterior.modal_landing(landings[rows], len(lane_sport.boxes))
            out.probability[b], out.landing[b] = probability, landing
            out.landing_covariance[b] = variance_factors[1] * landing_covariance
            flat, copy = positions[rows].reshape(-1), out.samples[b].reshape(-1)
            for m in range(len(flat)):
                copy[m] = flat[m]
            out.mean[b], out.velocity[b] = positions[rows.start], velocities[rows.start]
            posterior.fill_covariance_about_first(positions[rows], out.covariance[b])
            posterior.fill_covariance_about_first(velocities[rows], out.velocity_covariance[b])
            for k in range(horizons):
                factor = _interpolate(variance_factors[0], times[b, k] / HORIZON_STEP)
                for i in range(3):
                    for j in range(3):
                        out.covariance[b, k, i, j] *= factor
                        out.velocity_covariance[b, k, i, j] *= factor


@kernel
def _interpolate(factors, grid_position):
    """A variance factor between the horizons, whose factors are (21,)."""
    grid_position = min(grid_position, HORIZONS - 1e-9)
    segment = int(grid_position)
    return factors[segment] + (grid_position - segment) * (factors[segment + 1] - factors[segment])


@kernel
def _sample_belief(state, outputs, active_unknowns, standard_normal, x, P, samples):
    """Fill the belief x (16,), P (16, 16): the filter's, corrected by the outputs; and samples (K, 16) of it.

    standard_normal (D, K): of the active unknowns.
    """
    known, size = summary(state), len(active_unknowns)
    L = np.empty((size, size))
    active_cholesky(known.covariance, active_unknowns, L)
    mean, scales, regressions = active_outputs(outputs, active_unknowns)
    factor = _lower_product(L, regression_factor(scales, regressions))
    deviations = np.zeros((size, len(samples)))
    x[:] = known.mean
    for i in range(size):
        a = active_unknowns[i]
        for k in range(i + 1):
            x[a] += L[i, k] * mean[k]
            for n in range(len(samples)):
                deviations[i, n] += factor[i, k] * standard_normal[k, n]
        for j in range(i + 1):
            covariance = 0.0
            for k in range(j + 1):
                covariance += factor[i, k] * factor[j, k]
            P[a, active_unknowns[j]] = P[active_unknowns[j], a] = covariance
    for n in range(len(samples)):
        samples[n] = x
        for i in range(size):
            samples[n, active_unknowns[i]] += deviations[i, n]
        clamp(samples[n])
    x[:] = samples[0]


@inlined
def _lower_product(left, right):
    """The product of two lower triangular matrices (D, D). Loops: they are too small for BLAS."""
    product = np.zeros(left.shape)
    for i in range(len(left)):
        for j in range(i + 1):
            for k in range(j + 1):
                product[i, k] += left[i, j] * right[j, k]
    return product
