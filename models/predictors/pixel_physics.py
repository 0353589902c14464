"""The physics forecast from pixels: the mixture of fits that explains them, simulated ahead. pixel_mixture.py fits."""

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import Forecast, HistoryTooShort, compiled_arrays, expected_landing
from ballcast.models.estimation.pixel_mixture import (
    CameraModel,
    PixelMixture,
    draw_samples,
    fit_last_flight,
    state_moments,
)
from ballcast.models.estimation.posterior import (
    Prediction,
    covariance_about_first,
    keep_above,
    modal_landing,
    simulate_samples,
    transform_samples,
)
from ballcast.models.estimation.posterior import standard_normal_samples
from ballcast.models.estimation.unknowns import to_belief
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_lanes, compile_sport
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack, check_names

SAMPLES = 200  # simulated ahead
WINDOW, SPAN = 400, 2.0  # frames, s: no more is looked at
MIN_FRAMES = 3


class PixelForecaster:
    """Fits pixels and simulates ahead, for one sport."""

    def __init__(self, sport: Sport, next_contact: np.ndarray, model: CameraModel | None = None):
        self.sport, self.model = sport, model or CameraModel()
        self.compiled_sport, self.lane_sport = compile_sport(sport), compile_lanes(sport)
        self.next_contact = next_contact

    def fit(self, track: PixelTrack) -> PixelMixture:
        """The PixelMixture of the last flight in a track."""
        recent = track[max(0, len(track) - WINDOW) :]
        recent = recent[int(np.searchsorted(recent.time, recent.time[-1] - SPAN)) :]
        return fit_last_flight(self.sport, self.compiled_sport, recent, self.model)[0]

    def fit_whole(self, track: PixelTrack) -> tuple[PixelMixture, int]:
        """(PixelMixture, first frame used) of the last flight in a track, however long it is."""
        return fit_last_flight(self.sport, self.compiled_sport, track, self.model)

    def forecast(self, mixture: PixelMixture, last: float, times: np.ndarray) -> Forecast:
        """The Forecast of a PixelMixture at times (H,) s, after the last frame at `last` s."""
        samples = draw_samples(self.compiled_sport, mixture, last, SAMPLES)
        normal = standard_normal_samples(len(samples), 99)
        samples = np.ascontiguousarray(samples + transform_samples(np.zeros(16), self.next_contact, normal))
        lead_times = compiled_arrays(times - last)[0]
        prediction = predict_samples(self.lane_sport, samples, lead_times)
        x, covariance = state_moments(self.compiled_sport, mixture, last)
        landing = expected_landing(last, prediction.probability, prediction.landing, prediction.landing_covariance)
        mean = prediction.positions[0].astype(float)
        keep_above(self.sport.ground, mean)
        belief = to_belief(x, covariance + self.next_contact)
        return Forecast(mean, prediction.covariance, prediction.positions, landing, belief)


@kernel
def predict_samples(lane_sport, samples, times):
    """The Prediction of samples (K, 16) at times (H,) s after the last frame. The first of its positions are means."""
    positions = np.empty((len(samples), len(times), 3), lane_sport.boxes.dtype)
    landings = simulate_samples(lane_sport, samples, times.reshape((1, len(times))), len(samples), positions)
    for k in range(len(times)):
        for i in range(3):
            positions[0, k, i] = positions[:, k, i].mean()
    return Prediction(positions, covariance_about_first(positions), *modal_landing(landings, len(lane_sport.boxes)))


class PixelFrames:
    """The last frames of cameras, in the order of their times."""

    def __init__(self) -> None:
        self.cameras: list[Camera] = []
        self.rows: list[tuple[float, float, float, int, float]] = []

    def add(self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None) -> None:
        """Add a frame; ValueError if it is none, or comes too late."""
        u_v = np.asarray(pixel, float)
        if u_v.shape != (2,) or not np.isfinite([time, *u_v]).all():
            raise ValueError(f"a frame is a finite time and pixel (2,), not {time!r}, {pixel!r}")
        if diameter is not None and not 0.0 < diameter < np.inf:
            raise ValueError(f"diameter {diameter!r} px must be above 0; leave it out where it was not measured")
        if not isinstance(camera, Camera):
            raise ValueError(f"camera must be a Camera, not {type(camera).__name__}; read_cameras reads them")
        if self.rows and time < self.rows[-1][0]:
            raise ValueError(f"frame at {time:g} s comes before the last one, at {self.rows[-1][0]:g} s")
        index = next((i for i, known in enumerate(self.cameras) if known is camera), -1)
        if index < 0:
            check_names([*self.cameras, camera])
            index = len(self.cameras)
            self.cameras.append(camera)
        if any(row[0] == time and row[3] == index for row in self.rows[-len(self.cameras) :]):
            raise ValueError(f"camera {camera.name!r} has two frames at {time:g} s")
        self.rows.append((time, u_v[0], u_v[1], index, np.nan if diameter is None else diameter))
        if len(self.rows) > 2 * WINDOW:
            del self.rows[:-WINDOW]

    def track(self) -> PixelTrack:
        """The frames as a PixelTrack."""
        rows = np.array(self.rows).reshape(-1, 5)
        diameter = rows[:, 4] if np.isfinite(rows[:, 4]).any() else None
        return PixelTrack(rows[:, 0], rows[:, 1:3], rows[:, 3], self.cameras, diameter)


def check_enough(name: str, track: PixelTrack) -> None:
    """HistoryTooShort if a track has too few frames for a fit."""
    if len(track) < MIN_FRAMES:
        raise HistoryTooShort(f"{name} needs {MIN_FRAMES} frames; {len(track)} were seen")
