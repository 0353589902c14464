"""The running filter on pixels: the Gaussian sum of gaussian_sum.py, started from fits of the first frames.

    running = PixelFilter(sport)
    running.observe(state, t, pixel, camera)       # state: a record of FILTER_STATE_DTYPE
    running.finish(state)                          # at the end of a track: no fit is under way any more

A frame costs what a frame of positions does. At a few frames the last RING frames are fitted anew, all at once
(pixel_mixture.py), and the filter goes on from that posterior: at the start, since one camera does not see depth, each
time there are some times more frames than at the last fit, just after a bounce, which decides between depths, and when
nothing explains the frames. The fits take the place of the passes of smoothing.py. They estimate the errors of the
cameras and their clocks too. Between fits the filter takes these as they are: its components are given them. What they
leave open is kept beside the components, `common` (16, 16), as in Schmidt's consider filter, and is added to the
covariance that others read.

A fit starts from the modes of the one before, where these explain the frames. It is made in steps, for SHARE of the
time between frames: no frame waits for a whole fit but that of the first forecast. Meanwhile the filter goes on; when
the fit is there, the filter starts from it and takes the frames since once more.
"""

import math
from collections import deque
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.filter_state import HISTORY_FRAMES
from ballcast.models.estimation.flight_prior import FlightPrior, flight_prior, near
from ballcast.models.estimation.pixel_fit import state_at
from ballcast.models.estimation.pixel_measurement import PixelConstants, SeenBy, observe_pixel, start_filter
from ballcast.models.estimation.pixel_mixture import PixelMixture, flight_steps, learn_cameras, weigh_steps
from ballcast.models.estimation.pixel_posterior import WeightedFlights
from ballcast.models.estimation.pixels import (
    CAMERA_SIZE,
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
from ballcast.models.estimation.steps import Steps, finished
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.kernels.compiled_sport import CompiledSport, compile_sport
from ballcast.sim.kernels.packed import pack
from ballcast.sim.sport import Sport
from ballcast.tracks.camera import Camera, rotation_of
from ballcast.tracks.pixel_track import PixelTrack

RING = 300  # frames kept; of a flight with more the filter follows the others without fits
COLD_FRAMES = 60  # the last ones, from which it starts anew then
MIN_FRAMES, GROWTH = 3, 2.0  # frames of the first fit; times more frames for the next
FRAMES_AFTER_BOUNCE = (1, 3, 6)  # frames after a contact at which the frames are fitted anew
MIN_GAP = 0.035  # s from fit to fit
MAX_MODES = 12  # of the components; the others are room for splits
HEIGHT_VARIANCE = 1e-8  # m2: cameras are in the place's frame
SHARE = 0.5  # of the time between frames that a fit may take
LOST_SHARE = 1.0  # that, while nothing explains the frames
SAMPLES = 400  # flights by which the modes of a fit are weighed
MODE_WORK = 0.15  # ms, of the moments of a mode
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
        self.common, self.image = np.zeros((UNKNOWNS, UNKNOWNS)), np.zeros(3)
        self._pack()
        self.restart()

    def restart(self) -> None:
        """Forget the ball; the cameras are kept."""
        self._ring: deque = deque(maxlen=RING)
        self._frames, self._next_fit, self._since_contact = 0, MIN_FRAMES, 0
        self._last_contact, self._last_time, self.fits = -math.inf, -math.inf, 0
        self._job: _Job | None = None  # the fit that is under way
        self._is_due, self._is_lost = False, False
        self.mixture, self._earliest = None, -math.inf  # s, of the next fit
        self._flights: FlightPrior | None = None  # of this ball, if more is known of it than of others
        self.common[:] = 0.0
        self._forget_errors()

    def expect_near(self, position: np.ndarray, covariance: np.ndarray, probability: float = 1.0) -> None:
        """Know where the ball will be first seen: near a position (3,) m, with a covariance (3, 3) m2, with this
        probability; else anywhere."""
        self._flights = near(flight_prior(self.sport), position, covariance, probability)

    def observe(self, state: np.record, t: float, pixel: np.ndarray, camera: Camera, diameter: float | None) -> bool:
        """Update the filter by a frame; whether it has a belief."""
        index = self.index(camera)
        self.add(t, float(pixel[0]), float(pixel[1]), index, diameter)
        is_lost = self.has_started and observe_pixel(self.packed, state, t, self.image, index)
        self.work(state, is_lost)
        return self.has_started

    def index(self, camera: Camera) -> int:
        """The number of a camera, which may be new."""
        for i, known in enumerate(self.cameras):
            if known is camera:
                return i
        self.cameras.append(camera)
        self._pack()
        return len(self.cameras) - 1

    @property
    def has_started(self) -> bool:
        """Whether there was a fit: then the filter follows the frames."""
        return self.mixture is not None

    def add(self, t: float, u: float, v: float, index: int, diameter: float | None) -> None:
        """Keep a frame of the camera of that number; its `image` (3,) is what observe_pixel of the kernels takes."""
        self._ring.append((t, u, v, index, math.nan if diameter is None else diameter))
        if self._job is not None:
            self._job.since += 1
        image = self.image
        image[0], image[1], image[2] = u, v, diameter or 0.0
        self._frames += 1

    def work(self, state: np.record, is_lost: bool) -> None:
        """After a frame was added and followed: begin the fit that is due, go on with it, or start from it."""
        t, count = self._ring[-1][0], len(self._ring)
        if self.mixture is None:
            if count >= MIN_FRAMES:
                self._begin(state)
                self.finish(state)
        else:
            self._is_lost |= is_lost
            self._is_due |= self._is_fit_due(float(state["last_contact_time"]))
            if is_lost and self._job is not None and not self._job.is_of_lost:
                self._job = None  # what it fits is over
            if self._job is None and (self._is_lost or self._is_due and t >= self._earliest):
                self._begin(state)
            if self._job is not None:
                share = LOST_SHARE if self._job.is_of_lost else SHARE
                self._go_on(state, 1e3 * share * (t - self._last_time))
        self._last_time = t

    def finish(self, state: np.record) -> None:
        """Finish the fit that is under way."""
        if self._job is not None:
            self._go_on(state, math.inf)

    @property
    def is_lost(self) -> bool:
        """Whether nothing explains the last frames: the mixture may have no component left until a fit is finished."""
        return self._is_lost or self._job is not None and self._job.is_of_lost

    @property
    def frames_kept(self) -> int:
        """The number of frames that a fit would use."""
        return len(self._ring)

    def learned(self) -> CameraModel:
        """What is known of the cameras now that the ball has been seen."""
        if len(self._ring) < MIN_FRAMES:
            return self.model
        track = self._track()
        steps = flight_steps(self.sport, self.compiled_sport, track, self.model, self.mixture, prior=self._flights)
        mixture, first = finished(steps)
        return learn_cameras(self.sport, self.compiled_sport, track[first:], mixture, self.model)

    def _track(self):
        """The frames that are kept."""
        rows = np.array(self._ring)
        diameter = rows[:, 4] if np.isfinite(rows[:, 4]).any() else None
        return PixelTrack(rows[:, 0], rows[:, 1:3], rows[:, 3], self.cameras, diameter)

    def _pack(self):
        """Pack what the kernels take."""
        count, low_high = len(self.cameras), np.array(self.model.noise_range) ** 2
        usual = np.array([self.model.noise**2, self.model.diameter_noise**2])
        rows = np.array([camera_row(camera) for camera in self.cameras]).reshape(count, CAMERA_SIZE)
        before, zeros = getattr(self, "seen", None), np.zeros((count, 2))
        self.seen = SeenBy(rows, np.zeros(count), zeros + usual, zeros.copy(), zeros.copy(),
                            np.outer(usual, low_high), float(self.model.pseudo_frames))  # fmt: skip
        for old, new in zip(before[:5] if before else (), self.seen[:5], strict=False):
            new[: len(old)] = old
        ball = 2.0 * self.sport.ball.radius
        self.packed = pack(PixelConstants(self.compiled_sport, self.prior, self.seen, self.common, ball))

    def _forget_errors(self):
        """Take the cameras as they are given."""
        seen = self.seen
        seen.rows[:] = np.array([camera_row(camera) for camera in self.cameras]).reshape(-1, CAMERA_SIZE)
        seen.late[:], seen.sums[:], seen.counts[:] = 0.0, 0.0, 0.0
        seen.usual[:] = self.model.noise**2, self.model.diameter_noise**2

    def _is_fit_due(self, last_contact):
        if last_contact > self._last_contact + 0.03:
            self._last_contact, self._since_contact = last_contact, 0
        if self._last_contact > -math.inf:
            self._since_contact += 1
        if self._frames > RING:
            return False
        return self._frames >= self._next_fit or self._since_contact in FRAMES_AFTER_BOUNCE

    def _begin(self, state):
        """Begin a fit of the frames in the ring."""
        if self.mixture is not None and self.mixture.epoch != self._ring[0][0]:  # the first frames have left
            while len(self._ring) > COLD_FRAMES:
                self._ring.popleft()
            self._frames = len(self._ring)
        track = self._track()
        known = self.model, self.mixture, self._is_lost, self._flights
        steps = _fit_steps(self.sport, self.compiled_sport, track, *known)
        self._earliest = track.time[-1] + MIN_GAP
        self._job, self._is_due = _Job(steps, len(track), int(state["frames"]), self._is_lost), False
        self._is_lost = False
        self._plan()

    def _plan(self):
        """Say at how many frames the next fit is."""
        self._next_fit = max(int(GROWTH * self._frames) + 1, self._frames + 2)

    def _go_on(self, state, budget):
        """Spend about `budget` ms on the fit that is under way; start from it when it is there."""
        job = self._job
        job.left = min(job.left, 0.0) + budget
        while job.left > 0.0:
            try:
                job.left -= next(job.steps)
            except StopIteration as end:
                self._job = None
                self._start_from(state, job, end.value)
                return

    def _start_from(self, state, job, fit):
        """Start the filter from a _FilterStart, and take the frames since once more."""
        later = [self._ring[k - job.since] for k in range(job.since)]
        while len(self._ring) > job.frames - fit.first + job.since:
            self._ring.popleft()
        if fit.first:
            self._frames = len(self._ring)
            self._plan()
        self.mixture, self.fits, modes = fit.mixture, self.fits + 1, fit.modes
        self._correct(fit.errors, fit.mixture.fits[0].noise)
        state["frames"] = max(job.count - 1, 0)
        start_filter(
            self.prior, state, fit.times, fit.path, modes.means, modes.covariances, modes.log_weights, fit.contacts
        )
        self.common[:] = modes.common
        state["P"] += self.common
        is_lost = False
        for t, u, v, index, diameter in later:
            self.image[:] = u, v, 0.0 if math.isnan(diameter) else diameter
            is_lost = observe_pixel(self.packed, state, t, self.image, index)
        self._is_lost = is_lost

    def _correct(self, errors, noise):
        """Take the cameras' errors (8 C,) and noise (C, 2) px2 as found by a fit."""
        seen = self.seen
        for c, camera in enumerate(self.cameras[: len(noise)]):
            own, row = errors[ERRORS * c : ERRORS * (c + 1)], camera_row(camera)
            turn = rotation_of(own[:SHIFT])
            row[ROTATION : ROTATION + 9] = (turn @ camera.R).ravel()
            row[TRANSLATION : TRANSLATION + 3] = turn @ camera.t + own[SHIFT : SHIFT + 3]
            row[FOCAL : FOCAL + 2] *= math.exp(own[LOG_FOCAL])
            seen.rows[c], seen.late[c], seen.usual[c] = row, own[CLOCK], noise[c]
            seen.sums[c], seen.counts[c] = 0.0, 0.0


class _Job:
    """A fit under way: its steps, of how many frames, and how many the filter had had; frames and ms since."""

    def __init__(self, steps: "Steps[_FilterStart]", frames: int, count: int, is_of_lost: bool):
        self.steps, self.frames, self.count, self.is_of_lost = steps, frames, count, is_of_lost
        self.since, self.left = 0, 0.0


class _FilterStart(NamedTuple):
    """What a filter starts from."""

    mixture: PixelMixture
    first: int  # frame used
    modes: "Modes"
    contacts: np.ndarray  # (M,) s, of the last contacts
    times: np.ndarray  # (T,) s, of the last frames, and where the ball was, path (T, 3) m
    path: np.ndarray
    errors: np.ndarray  # (8 C,) of the cameras


def _fit_steps(sport, compiled, track, model, before, is_lost, prior):
    """The _FilterStart after the frames of a track, in steps; `before`: the PixelMixture of the fit before."""
    mixture, first = yield from flight_steps(sport, compiled, track, model, before, is_lost, prior)
    track = track[first:]
    flights = yield from weigh_steps(sport, compiled, track, mixture, model, True, SAMPLES)
    modes = mode_moments(compiled, mixture, flights, float(track.time[-1]))
    contacts = np.array([mixture.epoch + mixture.fits[i].last_contact for i in modes.origin])
    path = np.einsum("n,nti->ti", flights.weights, flights.paths[:, -HISTORY_FRAMES:, :3])
    times = np.array(track.time[-HISTORY_FRAMES:])
    yield MODE_WORK * len(modes.origin)
    return _FilterStart(mixture, first, modes, contacts, times, path, flights.weights @ flights.errors)


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
