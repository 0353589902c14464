"""The limit `informed` for pixels: how small the error of a forecast from pixels can be.

It knows the true cameras and clocks, the true noise, the law, when the ball was launched, and how the sport launches
balls. It samples the posterior: half of the samples are drawn about fits that start at the truth, half about fits that
do not, and each has the weight of what it explains. So it finds the true flight, but does not stay with it where the
pixels leave others open. The forecast is the mean, which no other estimate beats in RMS error.
"""

import functools
from dataclasses import dataclass, field

import numpy as np
from scipy.cluster.vq import kmeans2

from ballcast import sim
from ballcast.models.contract import Forecast, compiled_arrays
from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.flight_prior import FlightPrior
from ballcast.models.estimation.pixel_fit import fit_pixels
from ballcast.models.estimation.pixel_mixture import fit_mixture, gaussian_prior, resample
from ballcast.models.estimation.pixel_posterior import weigh_flights
from ballcast.models.estimation.pixel_starts import best_of, to_pixels
from ballcast.models.estimation.posterior import keep_above
from ballcast.models.estimation.steps import finished
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.predictors.pixel_frames import check_enough
from ballcast.models.predictors.pixel_physics import predict_samples
from ballcast.sim.dataset import draw_launches
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.sim.kernels.layout import DRAG, LAUNCH_SIZE, POSITION, SPIN, VELOCITY
from ballcast.tracks import Camera, PixelTrack

LIMIT = "informed"
BALLS, COMPONENTS = 6000, 24  # launches, and Gaussians that describe them
SCALES = np.repeat([1.0, 1.0, 0.7], 3)  # of position, velocity and spin, where launches are gathered
MARGIN, MIN_SDS = 0.12, np.repeat([0.02, 0.1, 1.0], 3)  # of the standard deviations of all; m, m/s, rad/s
BROAD_SHARE, BROAD_WIDENING = 0.02, 1.5  # weight, and widening, of a Gaussian over all: people play otherwise too
STARTS, FLIGHTS = 8, 30  # Gaussians of the prior with which a fit starts at the truth; flights of each
START_MARGIN, EVIDENCE_MARGIN = 12.0, 7.0  # logarithms below the best that are dropped
SAMPLES = 400  # simulated ahead
MIN_NOISE, MIN_OUTLIER = 0.05, 1e-6  # px, fraction of the frames: what fits can take


@dataclass(frozen=True, eq=False)
class PixelTruth:
    """What the limit is given of one ball: a state of the true flight, and the cameras as they are."""

    unknowns: np.ndarray  # (16,) in the order of models/estimation/unknowns.py, at `time`
    cameras: tuple[Camera, ...]
    clock: np.ndarray  # (C,) s by which the stamps of each camera are late
    noise: float  # px, standard deviation of u and of v
    diameter_noise: float = 0.5  # px
    diameter_scale: np.ndarray = field(default_factory=lambda: np.ones(1))  # (C,) or (1,), measured over true
    outlier: float = 0.0  # fraction of the frames
    time: float = 0.0  # s
    launch: float = 0.0  # s, when the ball was launched


class PixelLimit:
    """Forecasts what cameras saw of one ball, given its PixelTruth."""

    name = LIMIT
    side_information = "the cameras, the noise, the launches"

    def __init__(self, sport: sim.Sport):
        self.sport = sport
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)

    def forecast(self, history: PixelTrack, times: np.ndarray, truth: PixelTruth) -> Forecast:
        """The Forecast at times (H,) s from a PixelTrack, given its PixelTruth."""
        check_enough(self.name, history)
        seen, model = as_seen(history, truth), camera_model(truth)
        samples = self.posterior(seen, truth, model, max(history.time[-1], seen.time[-1]))
        lead_times = compiled_arrays(times - max(history.time[-1], seen.time[-1]))[0]
        found = predict_samples(self.lane_sport, samples, lead_times)
        mean = found.positions[0].astype(float)
        keep_above(self.sport.ground, mean)
        return Forecast(mean, found.covariance, found.positions)

    def posterior(self, seen: PixelTrack, truth: PixelTruth, model: CameraModel, end: float) -> np.ndarray:
        """Samples (SAMPLES, 16) of the unknowns at `end` s, of equal weight."""
        prior = launched(self.sport, max(float(seen.time[0]) - truth.launch, 0.0))
        blind = fit_mixture(self.sport, self.compiled_sport, seen, model)
        fits, shares = self._true_fits(seen, truth, model, prior)
        fits, shares = [*fits, *blind.fits], 0.5 * np.concatenate([shares, blind.weights])
        own, _ = gaussian_prior(self.sport, prior, 0, seen.cameras, model)
        given = to_pixels(seen), fits, shares, prior, [own], np.ones(1), end - float(seen.time[0])
        flights = finished(weigh_flights((self.compiled_sport, self.lane_sport), *given, usual=0))
        return np.ascontiguousarray(resample(flights.final, flights.weights, SAMPLES))

    def _true_fits(self, seen, truth, model, prior):
        """Fits that start at the truth, and their shares by evidence."""
        pixels, state = to_pixels(seen), self._state_at(truth, float(seen.time[0]))
        found, logs = [], []
        for k in best_of(_log_densities(prior, state[:9]), START_MARGIN)[:STARTS]:
            own, x = gaussian_prior(self.sport, prior, k, seen.cameras, model)
            x[:UNKNOWNS] = state
            fit = fit_pixels(self.compiled_sport, pixels, x, own, np.int64(FLIGHTS))
            found.append(fit)
            size = np.linalg.slogdet(own.precision)[1] + np.linalg.slogdet(fit.covariance)[1]
            logs.append(np.log(prior.weights[k]) - fit.cost + 0.5 * size)
        best = best_of(np.array(logs), EVIDENCE_MARGIN)
        shares = np.exp(np.array(logs)[best] - logs[best[0]])
        return [found[i] for i in best], shares / shares.sum()

    def _state_at(self, truth, time):
        """The true unknowns (16,) at `time` s."""
        x, ahead = truth.unknowns.copy(), time - truth.time
        if ahead <= 0.0:  # of frames before the truth is known; fits only start here
            x[:3] += ahead * x[3:6]
            return x
        parameters = np.concatenate([np.exp(x[9:13]), x[13:15]])
        flight = sim.simulate(self.sport, x[None, :3], x[None, 3:6], x[None, 6:9], [ahead], parameters[None])
        x[:9] = np.concatenate([flight.position[0, 0], flight.velocity[0, 0], flight.spin[0, 0]])
        return x


def launched(sport: sim.Sport, age: float) -> FlightPrior:
    """The FlightPrior of balls that were launched `age` s ago, to the millisecond."""
    return _launched(sport, round(1e3 * age))


@functools.lru_cache(256)
def _launched(sport, age):
    launches, labels = _gathered(sport)
    state = launches[:, POSITION], launches[:, VELOCITY], launches[:, SPIN]
    flight = sim.simulate(sport, *state, [1e-3 * age], launches[:, DRAG:LAUNCH_SIZE])
    states = np.concatenate([flight.position, flight.velocity, flight.spin], axis=2)[:, 0]
    sd = np.maximum(states.std(axis=0), MIN_SDS)
    parts = [states[labels == k] for k in range(COMPONENTS) if (labels == k).sum() > len(sd)]
    weights = [(1.0 - BROAD_SHARE) * len(part) / len(states) for part in parts] + [BROAD_SHARE]
    covariances = [np.cov(part.T) + np.diag((MARGIN * sd) ** 2) for part in parts]
    covariances.append(BROAD_WIDENING**2 * (np.cov(states.T) + np.diag(MIN_SDS**2)))
    means = [*(part.mean(axis=0) for part in parts), states.mean(axis=0)]
    return FlightPrior(np.array(weights) / np.sum(weights), np.array(means), np.array(covariances))


@functools.lru_cache(8)
def _gathered(sport):
    """Launches (BALLS, LAUNCH_SIZE) of a sport, and which of them are alike (BALLS,)."""
    launches = draw_launches(sport, BALLS)
    states = np.hstack([launches[:, part] for part in (POSITION, VELOCITY, SPIN)])
    scaled = (states - states.mean(axis=0)) / np.maximum(states.std(axis=0), MIN_SDS) * SCALES
    return launches, kmeans2(scaled, COMPONENTS, seed=1, minit="++")[1]


def camera_model(truth: PixelTruth) -> CameraModel:
    """A CameraModel in which everything is known."""
    return CameraModel(
        noise=max(truth.noise, MIN_NOISE), diameter_noise=max(truth.diameter_noise, MIN_NOISE), noise_range=(1.0, 1.0),
        pseudo_frames=0.0, outlier_rate=max(truth.outlier, MIN_OUTLIER), turn=0.0, shift=0.0, focal=0.0, clock=0.0,
        scales=(1.0,), scale_shares=(1.0,), far_turn=0.0,
    )  # fmt: skip


def as_seen(history: PixelTrack, truth: PixelTruth) -> PixelTrack:
    """The frames with the true cameras, at their true times, and with diameters that are true in the mean."""
    late = truth.clock[history.camera]
    order = np.argsort(history.time - late, kind="stable")
    scale = np.broadcast_to(truth.diameter_scale, len(truth.cameras))[history.camera]
    diameter = None if history.diameter is None else (history.diameter / scale)[order]
    return PixelTrack(
        (history.time - late)[order], history.pixel[order], history.camera[order], truth.cameras, diameter
    )


def _log_densities(prior: FlightPrior, state: np.ndarray) -> np.ndarray:
    """Logarithms (K,) of each Gaussian's density at a state (9,), with its weight."""
    L = np.linalg.cholesky(prior.covariances)
    white = np.linalg.solve(L, (state - prior.means)[..., None])[..., 0]
    volume = np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    return np.log(prior.weights) - volume - 0.5 * (white**2).sum(axis=1)
