"""The running filter on pixels: the Gaussian sum of gaussian_sum.py, started from fits of the first frames.

    running = PixelFilter(sport)
    running.observe(state, t, pixel, camera)       # state: a record of FILTER_STATE_DTYPE

A frame costs what a frame of positions does. At a few frames the last RING frames are fitted anew, all at once
(pixel_mixture.py), and the filter goes on from that posterior: at the start, since one camera does not see depth, each
time there are some times more frames than at the last fit, just after a bounce, which decides between depths, and when
nothing explains the frames. The fits take the place of the passes of smoothing.py. They estimate the errors of the
cameras and their clocks too. Between fits the filter takes these as they are: its components are given them. What they
leave open is kept beside the components, `common` (16, 16), as in Schmidt's consider filter, and is added to the
covariance that others read.
"""

import math
from collections import deque

import numpy as np

from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.filter_state import HISTORY_FRAMES
from ballcast.models.estimation.pixel_fit import state_at
from ballcast.models.estimation.pixel_measurement import CAMERA, FRAME_SIZE, observe_pixel, start_filter
from ballcast.models.estimation.pixel_mixture import PixelMixture, fit_last_flight, weigh
from ballcast.models.estimation.pixel_posterior import WeightedFlights
from ballcast.models.estimation.pixels import (
    CLOCK,
    ERRORS,
    FOCAL,
    LOG_FOCAL,
    ROTATION,
    SHIFT,
    TRANSLATION,
    camera_row,
)
from ballcast.models.estimation.prior import FilterPrior, make_filter_prior
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.kernels.compiled_sport import CompiledSport, compile_sport
from ballcast.sim.kernels.packed import pack
from ballcast.sim.sport import Sport
from ballcast.tracks.camera import Camera, rotation_of
from ballcast.tracks.pixel_track import PixelTrack

RING = 300  # frames kept
MIN_FRAMES, GROWTH = 3, 1.5  # frames of the first fit; times more frames for the next
FRAMES_AFTER_BOUNCE = (1, 3, 6)  # frames after a contact at which the frames are fitted anew
MAX_MODES = 12  # of the components; the others are room for splits
HEIGHT_VARIANCE = 1e-8  # m2: cameras are in the place's frame
SINGULAR = 1e-2  # fraction of the variances: a covariance that is nearly singular divides by no less
SHARE_OF_FIT = 20.0  # samples that the covariance of a mode's fit counts for beside those of its weighted flights


def pixel_filter_prior(sport: Sport) -> FilterPrior:
    """The FilterPrior of a filter whose frames are pixels: no tracker's frame that is too high or tilted."""
    prior = make_filter_prior(sport)
    process_noise, covariance = prior.process_noise.copy(), prior.covariance.copy()
    process_noise[HEIGHT], covariance[HEIGHT, HEIGHT] = 0.0, HEIGHT_VARIANCE
    return prior._replace(process_noise=process_noise, covariance=covariance, noise_factor=1.0)


class PixelFilter:
    """One ball seen by cameras."""

    def __init__(self, sport: Sport, model: CameraModel | None = None):
        self.sport, self.compiled_sport, self.model = sport, compile_sport(sport), model or CameraModel()
        self.prior, self.cameras = pixel_filter_prior(sport), []
        self._constants = pack((self.compiled_sport, self.prior))
        self._moments, self._frame = np.zeros(3), np.zeros(FRAME_SIZE)
        self._frame[6] = 2.0 * sport.ball.radius
        self.restart()

    def restart(self) -> None:
        """Forget the ball; the cameras are kept."""
        self._ring: deque = deque(maxlen=RING)
        self._frames, self._next_fit, self._since_contact = 0, MIN_FRAMES, 0
        self._last_contact, self.fits = -math.inf, 0
        self.common = np.zeros((UNKNOWNS, UNKNOWNS))
        for camera in self.cameras:
            camera.forget(self.model)

    def observe(self, state: np.record, t: float, pixel: np.ndarray, camera: Camera, diameter: float | None) -> bool:
        """Update the filter by a frame; whether it has a belief."""
        index = self._index(camera)
        self._ring.append((t, pixel[0], pixel[1], index, math.nan if diameter is None else diameter))
        self._frames += 1
        if state["frames"] and not self._is_fit_due(state) and not self._follow(state, t, pixel, index, diameter):
            return True
        if len(self._ring) < MIN_FRAMES:
            return bool(state["frames"])
        self._fit_anew(state)
        return True

    def _index(self, camera):
        for i, known in enumerate(self.cameras):
            if known.camera is camera:
                return i
        self.cameras.append(_SeenBy(camera, self.model))
        return len(self.cameras) - 1

    def _is_fit_due(self, state):
        last = float(state["last_contact_time"])
        if last > self._last_contact + 0.03:
            self._last_contact, self._since_contact = last, 0
        if self._last_contact > -math.inf:
            self._since_contact += 1
        return self._frames >= self._next_fit and self._frames <= RING or self._since_contact in FRAMES_AFTER_BOUNCE

    def _follow(self, state, t, pixel, index, diameter):
        """Take a frame by the filter alone; whether it is lost."""
        seen = self.cameras[index]
        seen.fill(self._frame, pixel, diameter or 0.0)
        is_lost = observe_pixel(self._constants, state, t, self._frame, self.common, self._moments)
        seen.note(self._moments, diameter is not None)
        return is_lost

    def _fit_anew(self, state):
        """Start the filter from a fit of the frames in the ring."""
        rows = np.array(self._ring)
        cameras = [seen.camera for seen in self.cameras]
        diameter = rows[:, 4] if np.isfinite(rows[:, 4]).any() else None
        track = PixelTrack(rows[:, 0], rows[:, 1:3], rows[:, 3], cameras, diameter)
        mixture, first = fit_last_flight(self.sport, self.compiled_sport, track, self.model)
        for _ in range(first):
            self._ring.popleft()
        if first:
            self._frames = len(self._ring)
        track = track[first:]
        flights = weigh(self.sport, self.compiled_sport, track, mixture, self.model, True)
        modes = mode_moments(self.compiled_sport, mixture, flights, float(track.time[-1]))
        contacts = np.array([mixture.epoch + mixture.fits[i].last_contact for i in modes.origin])
        path = np.einsum("n,nti->ti", flights.weights, flights.paths[:, -HISTORY_FRAMES:, :3])
        times = np.array(track.time[-HISTORY_FRAMES:])
        errors = flights.weights @ flights.errors
        for c, seen in enumerate(self.cameras):
            seen.correct(errors[ERRORS * c : ERRORS * (c + 1)], mixture.fits[0].noise[c])
        start_filter(self.prior, state, times, path, modes.means, modes.covariances, modes.log_weights, contacts)
        self.common = modes.common
        state["P"] += self.common
        self._next_fit, self.fits = max(int(GROWTH * self._frames) + 1, self._frames + 2), self.fits + 1


class _SeenBy:
    """A camera, as corrected by the fits, and its noise."""

    def __init__(self, camera: Camera, model: CameraModel):
        self.camera = camera
        self.forget(model)

    def forget(self, model: CameraModel) -> None:
        self.row, self.late, self._model = camera_row(self.camera), 0.0, model
        self._sums, self._counts = [0.0, 0.0], [0, 0]
        self._usual = [model.noise**2, model.diameter_noise**2]
        low, high = np.array(model.noise_range) ** 2
        self._bounds = [(low * usual, high * usual) for usual in self._usual]

    def correct(self, errors: np.ndarray, noise: np.ndarray) -> None:
        """Take a camera's errors (8,) and noise (2,) px2 as found by a fit."""
        turn, row = rotation_of(errors[:SHIFT]), camera_row(self.camera)
        row[ROTATION : ROTATION + 9] = (turn @ self.camera.R).ravel()
        row[TRANSLATION : TRANSLATION + 3] = turn @ self.camera.t + errors[SHIFT : SHIFT + 3]
        row[FOCAL : FOCAL + 2] *= math.exp(errors[LOG_FOCAL])
        self.row, self.late = row, float(errors[CLOCK])
        self._usual, self._sums, self._counts = noise.tolist(), [0.0, 0.0], [0, 0]

    def variance(self, k: int) -> float:
        """The variance of a pixel's coordinate (k = 0) or of a diameter (1), px2."""
        pseudo, (low, high) = self._model.pseudo_frames, self._bounds[k]
        return min(max((pseudo * self._usual[k] + self._sums[k]) / (pseudo + self._counts[k]), low), high)

    def fill(self, frame: np.ndarray, pixel: np.ndarray, diameter: float) -> None:
        """Fill a frame, see pixel_measurement.py; but for the ball's own diameter."""
        frame[0], frame[1], frame[2] = pixel[0], pixel[1], diameter
        frame[3], frame[4], frame[7] = self.variance(0), self.variance(1), self.late
        frame[CAMERA:] = self.row

    def note(self, moments: np.ndarray, with_diameter: bool) -> None:
        """Count a frame's squared residuals."""
        for k in range(2 if with_diameter else 1):
            self._sums[k] += float(moments[2] * moments[k])
            self._counts[k] += 1


class Modes:
    """The Gaussians that a filter starts from."""

    def __init__(self, origin, means, covariances, common, log_weights):
        self.origin, self.means, self.common = origin, means, common
        self.covariances, self.log_weights = covariances, log_weights


def mode_moments(compiled: CompiledSport, mixture: PixelMixture, flights: WeightedFlights, time: float) -> Modes:
    """The moments at `time` s of the flights about each fit, the heaviest first, at most MAX_MODES.

    Covariances are given the cameras' errors; `common` is what these leave open.
    """
    weights = np.bincount(flights.origin, flights.weights, minlength=len(mixture.fits))
    origin = np.argsort(-weights)[:MAX_MODES]
    origin = origin[weights[origin] > 1e-3 * weights.max()]
    means, covariances = np.empty((len(origin), UNKNOWNS)), np.empty((len(origin), UNKNOWNS, UNKNOWNS))
    for k, i in enumerate(origin):
        own = flights.origin == i
        w, final = flights.weights[own] / weights[i], flights.final[own]
        effective = 1.0 / (w**2).sum()
        means[k] = w @ final
        offset = final - means[k]
        whole, common = _parts(compiled, mixture.fits[i], time - mixture.epoch)
        moments = offset.T @ (w[:, None] * offset)
        moments = (effective * moments + SHARE_OF_FIT * whole) / (effective + SHARE_OF_FIT)
        covariances[k] = _scaled(moments, whole, whole - common)
        if k == 0:
            first_common = _scaled(moments, whole, common)
        covariances[k, HEIGHT] = covariances[k, :, HEIGHT] = 0.0
        covariances[k, HEIGHT, HEIGHT] = HEIGHT_VARIANCE
    return Modes(origin, means, covariances, first_common, np.log(weights[origin] / weights[origin[0]]))


def _parts(compiled, fit, time):
    """The covariance (16, 16) of the unknowns `time` s from the epoch of a fit, and the part of it that the errors of
    the cameras make."""
    covariance, size = fit.covariance, UNKNOWNS
    gain = np.linalg.solve(covariance[size:, size:], covariance[size:, :size])
    common = np.ascontiguousarray(covariance[:size, size:] @ gain)
    return tuple(state_at(compiled, fit.x, c, time)[1] for c in (covariance, common))


def _scaled(moments, whole, part):
    """A covariance that is to `moments` as `part` is to `whole`, and nowhere wider than `moments`."""
    scale = np.sqrt(np.diag(whole)) + 1e-12
    values, vectors = np.linalg.eigh(part / np.outer(scale, scale))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    mixed = root @ np.linalg.inv(np.linalg.cholesky(whole / np.outer(scale, scale) + SINGULAR * np.eye(len(scale))))
    mixed = scale[:, None] * mixed / scale
    covariance = mixed @ moments @ mixed.T
    limit = np.sqrt(np.minimum(1.0, np.diag(moments) / (np.diag(covariance) + 1e-30)))
    return covariance * np.outer(limit, limit) + np.diag(1e-9 * np.diag(moments))
