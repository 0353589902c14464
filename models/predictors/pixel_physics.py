"""The physics forecast from pixels: the mixture of fits that explains them, simulated ahead. pixel_mixture.py fits."""

import math

import numpy as np

from ballcast.models.contract import Forecast, compiled_arrays, expected_landing
from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.fit_spread import read_fit_spread
from ballcast.models.estimation.pixel_mixture import (
    PixelMixture,
    fit_last_flight,
    resample,
    weigh,
)
from ballcast.models.estimation.pixel_posterior import WeightedFlights
from ballcast.models.estimation.posterior import (
    Prediction,
    covariance_about_first,
    keep_above,
    median_landing_first,
    modal_landing,
    simulate_samples,
    standard_normal_samples,
    transform_samples,
)
from ballcast.models.estimation.unknowns import to_belief
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.tracks.pixel_track import PixelTrack

SAMPLES = 200  # simulated ahead
KEPT = 400  # frames
SPAN = 2.0  # s: no more is looked at


class PixelForecaster:
    """Fits pixels and simulates ahead, for one sport."""

    def __init__(self, sport: Sport, next_contact: np.ndarray, model: CameraModel | None = None):
        self.sport, self.model = sport, model or CameraModel()
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)
        self.next_contact, self.spread = next_contact, read_fit_spread(sport.name)

    def widening(self, frames: int, has_contact: bool, speed: float) -> float:
        """By how much deviations are too small after so many frames; see fit_spread.py."""
        return math.sqrt(self.spread.factor(frames, has_contact, speed))

    def fit(self, track: PixelTrack, model: CameraModel) -> tuple[PixelMixture, PixelTrack]:
        """The PixelMixture of the last flight in a track, and its frames."""
        recent = track[max(0, len(track) - KEPT) :]
        recent = recent[int(np.searchsorted(recent.time, recent.time[-1] - SPAN)) :]
        mixture, first = fit_last_flight(self.sport, self.compiled_sport, recent, model)
        return mixture, recent[first:]

    def fit_whole(self, track: PixelTrack) -> tuple[PixelMixture, int, WeightedFlights]:
        """(PixelMixture, first frame used, WeightedFlights with paths) of the last flight in a track, however long."""
        mixture, first = fit_last_flight(self.sport, self.compiled_sport, track, self.model)
        return mixture, first, weigh(self.sport, self.compiled_sport, track[first:], mixture, self.model, True)

    def forecast(self, track: PixelTrack, times: np.ndarray, model: CameraModel | None = None) -> Forecast:
        """The Forecast of a PixelTrack at times (H,) s, after its last frame."""
        model = model or self.model
        mixture, track = self.fit(track, model)
        last = float(track.time[-1])
        flights = weigh(self.sport, self.compiled_sport, track, mixture, model)
        x = flights.weights @ flights.final
        widening = self.widening(len(track), mixture.fits[0].last_contact > -math.inf, float(np.linalg.norm(x[3:6])))
        samples = x + widening * (resample(flights.final, flights.weights, SAMPLES) - x)
        normal = standard_normal_samples(len(samples), 99)
        samples = np.ascontiguousarray(samples + transform_samples(np.zeros(16), self.next_contact, normal))
        lead_times = compiled_arrays(times - last)[0]
        prediction = predict_samples(self.lane_sport, samples, lead_times)
        offset = widening * (flights.final - x)
        covariance = offset.T @ (flights.weights[:, None] * offset)
        landing = expected_landing(last, prediction.probability, prediction.landing, prediction.landing_covariance)
        mean = prediction.positions[0].astype(float)
        keep_above(self.sport.ground, mean)
        belief = to_belief(x, covariance + self.next_contact)
        moving, spread = prediction.velocity, prediction.velocity_covariance
        return Forecast(mean, prediction.covariance, prediction.positions, landing, belief, moving, spread, times)


@kernel
def predict_samples(lane_sport, samples, times):
    """The Prediction of samples (K, 16) at times (H,) s after the last frame. The first of its positions are means, its
    landing is the median of theirs: where depth is not known, single samples land metres from the others."""
    positions = np.empty((len(samples), len(times), 3), lane_sport.boxes.dtype)
    velocities, row = np.empty_like(positions), times.reshape((1, len(times)))
    landings = simulate_samples(lane_sport, samples, row, len(samples), positions, velocities)
    for k in range(len(times)):
        for i in range(3):
            positions[0, k, i] = positions[:, k, i].mean()
            velocities[0, k, i] = velocities[:, k, i].mean()
    landing = modal_landing(median_landing_first(landings), len(lane_sport.boxes))
    moving = velocities[0].astype(np.float64), covariance_about_first(velocities)
    return Prediction(positions, covariance_about_first(positions), *landing, *moving)
