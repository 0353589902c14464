"""Where fits of pixels start: flights of a sport that pass near the rays of the first frames.

A parabola is fitted to the first frames' rays with each Gaussian of flight_prior.py as the prior. Flights about each
are flown past all frames, through bounces; the one that passes them best is where a fit starts.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.flight_prior import FlightPrior
from ballcast.models.estimation.pixel_fit import Pixels, misfits
from ballcast.models.estimation.pixels import camera_row
from ballcast.sim.kernels.compiled_sport import compile_lanes
from ballcast.sim.sport import Sport
from ballcast.tracks.pixel_track import PixelTrack

FIRST_SPAN, FIRST_FRAMES, MIN_FIRST_FRAMES = 0.13, 16, 3  # s and frames that starts are made from
SAMPLES = 32  # flights of each Gaussian, of which one is a start
MISFIT_FRAMES, MISFIT_NOISE = 24, 8.0  # that these are weighed by; of the noise in pixels
START_ROUNDS = 3  # of the depth that turns pixels into metres
START_NOISE = 3.0  # of the noise in pixels, where a parabola stands for a flight
START_MARGIN = 14.0  # logarithms of evidence below the best that are dropped
DEPTH_SPREAD = 0.15  # fraction of the distance that a diameter leaves open
MIN_DISTANCE = 0.3  # m, of a ball from a camera


def best_starts(
    sport: Sport, track: PixelTrack, prior: FlightPrior, model: CameraModel
) -> tuple[np.ndarray, np.ndarray]:
    """Of each Gaussian of a FlightPrior, the state (K, 9) at the first frame of the best of some flights that pass the
    first frames of a track, and how well that passes all frames (K,), a logarithm."""
    q, covariance, evidence = _arcs(sport, track, prior, model)
    states, rank = np.zeros((len(q), 9)), np.full(len(q), -np.inf)
    rows = best_of(evidence, START_MARGIN)
    part = FlightPrior(*(a[rows] for a in prior))
    samples = _sample_states(part, q[rows], covariance[rows])  # (K, N, 9)
    misfit = _misfit(compile_lanes(sport), to_pixels(track), samples.reshape(-1, 9), model).reshape(samples.shape[:2])
    best = misfit.argmin(axis=1)
    states[rows] = samples[np.arange(len(rows)), best]
    rank[rows] = evidence[rows] - misfit[np.arange(len(rows)), best]
    return states, rank


def _sample_states(prior, q, covariance):
    """Samples (K, N, 9) of states whose positions and velocities have mean q (K, 6) and this covariance (K, 6, 6); the
    spin goes with them as each Gaussian says. The first is the mean."""
    normal = np.random.default_rng(1).standard_normal((len(q), SAMPLES, 9))
    normal[:, 0] = 0.0
    jitter = 1e-10 * np.eye(6)
    arcs = q[:, None] + np.einsum("kij,knj->kni", np.linalg.cholesky(covariance + jitter), normal[..., :6])
    joint = prior.covariances
    gain = np.linalg.solve(joint[:, :6, :6], joint[:, :6, 6:]).transpose(0, 2, 1)
    rest = joint[:, 6:, 6:] - gain @ joint[:, :6, 6:]
    spin = prior.means[:, None, 6:] + np.einsum("kij,knj->kni", gain, arcs - prior.means[:, None, :6])
    spin += np.einsum("kij,knj->kni", np.linalg.cholesky(rest), normal[..., 6:])
    return np.concatenate([arcs, spin], axis=2)


def _misfit(lane_sport, pixels, states, model):
    """How badly flights from states (N, 9) pass the frames, (N,)."""
    rows = np.unique(np.linspace(0, len(pixels.time) - 1, MISFIT_FRAMES).astype(int))
    few = Pixels(*(np.ascontiguousarray(a[rows]) for a in pixels[:3]), pixels.cameras)
    return misfits(lane_sport, few, np.ascontiguousarray(states), MISFIT_NOISE * model.noise)


def to_pixels(track: PixelTrack) -> Pixels:
    """The Pixels of a track; times from its first frame."""
    image = np.full((len(track), 3), np.nan)
    image[:, :2] = track.pixel
    if track.diameter is not None:
        image[:, 2] = track.diameter
    cameras = np.array([camera_row(camera) for camera in track.cameras])
    return Pixels(np.array(track.time - track.time[0]), image, np.array(track.camera, np.int64), cameras)


def _arcs(sport, track, prior, model):
    """Positions and velocities at the first frame of parabolas that the first frames and each Gaussian leave: mean
    (K, 6), covariance (K, 6, 6), and the logarithms (K,) of their evidence.

    Rays leave what is along them open: the equations are linear, but for the distance that turns pixels into metres.
    """
    rays, t = _first_rays(sport, track)
    goal = rays.centre.copy()  # p + v t is this, or further along the ray
    goal[:, 2] += 0.5 * sport.world.gravity * t**2
    means = prior.means[:, :6]
    precision = np.linalg.inv(prior.covariances[:, :6, :6])
    along = np.concatenate([rays.along, rays.along * t[:, None]], axis=1)  # (N, 6)
    across = np.concatenate([rays.across, rays.across * t[:, None, None]], axis=2)  # (N, 2, 6)
    sized = np.isfinite(rays.depth)
    weight = 1.0 / (DEPTH_SPREAD * rays.depth[sized])
    D, d = weight[:, None] * along[sized], weight * (rays.depth + (rays.along * goal).sum(axis=1))[sized]
    q = means
    for _ in range(START_ROUNDS):
        distance = np.maximum(q @ along.T - (rays.along * goal).sum(axis=1), MIN_DISTANCE)
        scale = rays.focal / (START_NOISE * model.noise * distance)  # (K, N) 1 / m
        A = scale[:, :, None, None] * across
        b = scale[:, :, None] * np.einsum("nji,ni->nj", rays.across, goal)
        hessian = precision + np.einsum("knji,knjl->kil", A, A) + D.T @ D
        right = np.einsum("kij,kj->ki", precision, means) + np.einsum("knji,knj->ki", A, b) + D.T @ d
        q = np.linalg.solve(hessian, right[..., None])[..., 0]
    square = np.einsum("ki,kij,kj->k", q - means, precision, q - means) + ((q @ D.T - d) ** 2).sum(axis=1)
    square += ((np.einsum("knji,ki->knj", A, q) - b) ** 2).sum(axis=(1, 2))
    volume = np.linalg.slogdet(precision)[1] - np.linalg.slogdet(hessian)[1]
    evidence = np.log(prior.weights) - 0.5 * square + 0.5 * volume + 2.0 * np.log(scale).sum(axis=1)
    return q, np.linalg.inv(hessian), evidence


class _Rays(NamedTuple):
    """Rays of N frames."""

    across: np.ndarray  # (N, 2, 3) two directions across each
    along: np.ndarray  # (N, 3)
    centre: np.ndarray  # (N, 3) m, of the camera
    focal: np.ndarray  # (N,) px
    depth: np.ndarray  # (N,) m, by the diameter; NaN without one


def _first_rays(sport, track):
    """The _Rays of the first frames of a track, and their times (N,) s; frames without a ray are left out."""
    count = max(int(np.searchsorted(track.time, track.time[0] + FIRST_SPAN, side="right")), MIN_FIRST_FRAMES)
    rows = np.unique(np.linspace(0, min(count, len(track)) - 1, FIRST_FRAMES).astype(int))
    rays = _rays(sport, track[rows])
    has_ray = np.isfinite(rays.along).all(axis=1)
    return _Rays(*(a[has_ray] for a in rays)), track.time[rows][has_ray] - track.time[0]


def _rays(sport, track):
    along, centre, focal = np.empty((len(track), 3)), np.empty((len(track), 3)), np.empty(len(track))
    for c, camera in enumerate(track.cameras):
        own = track.camera == c
        if own.any():
            centre[own], along[own] = camera.rays(track.pixel[own])
            focal[own] = math.sqrt(camera.K[0, 0] * camera.K[1, 1])
    helper = np.where(abs(along[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    side = np.cross(along, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    across = np.stack([side, np.cross(along, side)], axis=1)
    depth = np.full(len(track), np.nan)
    if track.diameter is not None:
        depth = 2.0 * sport.ball.radius * focal / track.diameter
    return _Rays(across, along, centre, focal, depth)


def best_of(logs: np.ndarray, margin: float) -> np.ndarray:
    """The indices of the largest of some logarithms (K,), within a margin, the largest first."""
    logs = np.where(np.isfinite(logs), logs, -np.inf)
    order = np.argsort(-logs)
    return order[logs[order] >= logs[order[0]] - margin]
