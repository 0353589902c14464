"""The pose of a camera from points of the place and their pixels: the fit behind calibration.py.

    view, used = robust_fit(Problem(points, pixels, size, principal, noise, focal=None, has_k1=False))
    covariance = covariance_of(problem.of(used), view)

Least squares on the pixels over rotation, place, focal length and perhaps k1. Fits start from closed-form poses
(OpenCV's SQPnP, IPPE for points of one plane) of all points and of subsets of them, at several focal lengths.
"""

import itertools
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.projection import FOCAL, K1, PARAMETERS, View

USUAL_ANGLE = 60.0  # degrees, horizontal field of view of a usual lens: 28-35 mm at full frame
FOCAL_SPREAD = (
    0.7  # standard deviation of the logarithm of a lens's focal length about it: from wide angles to TV lenses
)
K1_SPREAD = 0.15  # standard deviation of k1 of a lens
PRINCIPAL_SPREAD = 0.01  # standard deviation of the principal point about the middle, over the picture's width
ANGLES = (4.0, 7.0, 12.0, 20.0, 30.0, 42.0, 55.0, 70.0, 90.0, 115.0)  # degrees, that fits start from
SUBSETS = 40  # of the points, that fits start from
SUBSET = 5  # points in each
STARTS = 4  # of the best, that are fitted
CUT = 8.0  # residual over the noise beyond which a point counts no more, in the choice of a start
WRONG = 5.0  # residual over that of the others from which on a point is wrong
MAX_WRONG = 1 / 3  # of the points
FLAT = 1e-6  # thickness over extent of points that lie in one plane
LINE = 0.02  # width over extent of points that are too near a line to say how the camera is turned


class Known(NamedTuple):
    """What is known of a lens before a point is seen: the logarithm of its focal length in px, and k1 about 0."""

    log_focal: float
    focal_spread: float  # standard deviations
    k1_spread: float


@dataclass(frozen=True)
class Problem:
    """Points and what is asked of the fit.

    points (N, 3) m; pixels (N, 2); size (width, height) px; principal (2,) px
    noise   px, standard deviation of a pixel
    focal   px, if it is known; None: it is fitted
    has_k1  whether k1 is fitted
    principal_is_known  else it is the middle of the picture, near which the true one is
    """

    points: np.ndarray
    pixels: np.ndarray
    size: tuple[int, int]
    principal: np.ndarray
    noise: float
    focal: float | None = None
    has_k1: bool = False
    principal_is_known: bool = False

    @property
    def free(self) -> np.ndarray:
        """Which PARAMETERS are fitted, (8,) bool."""
        free = np.ones(len(PARAMETERS), bool)
        free[FOCAL], free[K1] = self.focal is None, self.has_k1
        return free

    @property
    def known(self) -> Known:
        """What is known of the lens."""
        return Known(float(np.log(focal_of(USUAL_ANGLE, self.size))), FOCAL_SPREAD, K1_SPREAD)

    def of(self, chosen: np.ndarray) -> "Problem":
        """The problem with some of the points."""
        return replace(self, points=self.points[chosen], pixels=self.pixels[chosen])


def focal_of(angle: float, size: tuple[int, int]) -> float:
    """The focal length, px, of a horizontal field of view in degrees; of the longer side in an upright picture."""
    return 0.5 * max(size) / float(np.tan(np.radians(0.5 * angle)))


def refine(points: np.ndarray, pixels: np.ndarray, view: View, noise: float | np.ndarray, free: np.ndarray,
           known: Known | None = None) -> View:  # fmt: skip
    """The View that fits pixels (N, 2) of points (N, 3), found from one that is near; large residuals count less.

    noise  px, standard deviation of a pixel, or (N,)
    free   (8,) which PARAMETERS change
    known  what is known of the lens; None: nothing
    """
    chosen = np.flatnonzero(free)
    scale = np.broadcast_to(noise, len(points))[:, None]
    known = known or Known(0.0, np.inf, np.inf)
    spread = np.full(len(PARAMETERS), np.inf)
    spread[FOCAL], spread[K1] = known.focal_spread, known.k1_spread

    def step_of(values):
        step = np.zeros(len(PARAMETERS))
        step[chosen] = values
        return step

    def residuals(values):
        moved, off = view.moved(step_of(values)), np.zeros(len(PARAMETERS))
        off[FOCAL], off[K1] = np.log(moved.focal) - known.log_focal, moved.k1
        error = (moved.project(points) - pixels) / scale
        return np.concatenate([error.ravel(), (off / spread)[chosen]])

    def derivatives(values):
        by_view = view.moved(step_of(values)).project_with_derivatives(points)[1][:, :, chosen] / scale[:, :, None]
        return np.concatenate([by_view.reshape(-1, len(chosen)), np.diag(1.0 / spread[chosen])])

    start = np.zeros(len(chosen))
    found = least_squares(residuals, start, derivatives, loss="soft_l1", f_scale=2.0, x_scale="jac", max_nfev=60)
    return view.moved(step_of(found.x))


def starts(points: np.ndarray, pixels: np.ndarray, focal: float, principal: np.ndarray) -> list[View]:
    """Closed-form Views (no distortion) of at least four points (N, 3) m at a focal length; perhaps none."""
    import cv2

    K = np.array([[focal, 0.0, principal[0]], [0.0, focal, principal[1]], [0.0, 0.0, 1.0]])
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    flags = cv2.SOLVEPNP_IPPE if extent[2] < FLAT * extent[0] else cv2.SOLVEPNP_SQPNP
    try:
        found, turns, shifts, _ = cv2.solvePnPGeneric(points, pixels, K, None, flags=flags)
    except cv2.error:
        return []
    views = []
    for turn, shift in zip(turns, shifts) if found else ():
        R = cv2.Rodrigues(turn)[0]
        view = View(R, -R.T @ shift.ravel(), focal, 0.0, principal)
        if np.isfinite(view.centre).all() and (view.depth(points) > 0.0).all():
            views.append(view)
    return views


def robust_fit(problem: Problem, start: View | None = None) -> tuple[View, np.ndarray]:
    """The View, and which points (N,) are right. CalibrationError if no camera sees the points like this.

    start  a View that is near: the fit begins there, and nowhere else
    """
    if start is not None and not problem.has_k1:
        start = start._replace(k1=0.0)
    view = _fit(problem, _best_starts(problem) if start is None else [start])
    used = np.ones(len(problem.points), bool)
    for _ in range(4):
        now = _right(problem, view, used)
        if (now == used).all():
            break
        used = now
        view = _fit(problem.of(used), [view])
    return view, used


def _best_starts(problem):
    """The Views that most points agree with, over focal lengths and subsets of the points."""
    focals = [problem.focal] if problem.focal is not None else [focal_of(angle, problem.size) for angle in ANGLES]
    views = [
        view
        for chosen, focal in itertools.product(_subsets(problem.points), focals)
        for view in starts(problem.points[chosen], problem.pixels[chosen], focal, problem.principal)
    ]
    if not views:
        raise CalibrationError("no camera sees these points in these places; check the names and the pixels")
    views.sort(key=lambda view: _cost(problem, view))
    return views[:STARTS]


def _cost(problem, view):
    """How badly a View fits; a wrong point counts no more than CUT."""
    error = np.linalg.norm(problem.pixels - view.project(problem.points), axis=1) / problem.noise
    lens = 0.0 if problem.focal is not None else (np.log(view.focal) - problem.known.log_focal) / FOCAL_SPREAD
    return np.log1p((error / CUT) ** 2).sum() + (lens / CUT) ** 2


def _subsets(points):
    """Indices of points: all of them, all but one, and some few of them."""
    count = len(points)
    chosen = [np.arange(count)]
    if count > 5:
        chosen += [np.delete(np.arange(count), k) for k in range(count)]
    if count > 6:
        draw = np.random.default_rng(count)
        chosen += [np.sort(draw.permutation(count)[:SUBSET]) for _ in range(SUBSETS)]
    return [c for c in chosen if not on_a_line(points[c])]


def on_a_line(points: np.ndarray) -> bool:
    """Whether points (N, 3) are too near a line."""
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(extent[1] < LINE * extent[0])


def _fit(problem, views):
    """The best View that is found from several."""
    found = [refine(problem.points, problem.pixels, view, problem.noise, problem.free, problem.known) for view in views]
    return min(found, key=lambda view: _cost(problem, view))


def _right(problem, view, used):
    """Which points (N,) are right: their residuals are not far larger than those of the others."""
    error = np.linalg.norm(problem.pixels - view.project(problem.points), axis=1)
    spare = 2 * used.sum() - problem.free.sum()
    usual = max(problem.noise, float(np.median(error)) * np.sqrt(2 * used.sum() / max(spare, 1)))
    wrong = error > WRONG * usual
    limit = min(int(MAX_WRONG * len(error)), (2 * len(error) - int(problem.free.sum()) - 1) // 2)
    if wrong.sum() > limit:
        wrong = np.zeros(len(error), bool)
        wrong[np.argsort(error)[len(error) - limit :]] = limit > 0
        wrong &= error > WRONG * usual
    return ~wrong


def covariance_of(problem: Problem, view: View) -> np.ndarray:
    """The covariance (8, 8) of PARAMETERS as robust_fit finds them.

    Besides the noise of the pixels it holds what the fit does not estimate: where the principal point is, and k1 if it
    is not fitted. These turn and move the camera by more than the noise does, though its picture hardly changes.
    """
    fitted = np.flatnonzero(problem.free)
    by_view = view.project_with_derivatives(problem.points)[1].reshape(-1, len(PARAMETERS)) / _noise(problem, view)
    prior = np.zeros(len(PARAMETERS))
    prior[FOCAL], prior[K1] = FOCAL_SPREAD**-2, K1_SPREAD**-2
    J = by_view[:, fitted]
    own = np.linalg.pinv(J.T @ J + np.diag(prior[fitted]), hermitian=True)
    by_others = np.tile(np.eye(2), (len(problem.points), 1)) / _noise(problem, view)
    spreads = [0.0 if problem.principal_is_known else PRINCIPAL_SPREAD * problem.size[0]] * 2
    if not problem.has_k1:
        by_others, spreads = np.column_stack([by_others, by_view[:, K1]]), [*spreads, K1_SPREAD]
    shift = own @ J.T @ by_others * spreads
    covariance = np.zeros((len(PARAMETERS), len(PARAMETERS)))
    covariance[np.ix_(fitted, fitted)] = own + shift @ shift.T
    return covariance


def _noise(problem, view):
    """The standard deviation of a pixel, px: as given, or as the residuals are."""
    residuals = problem.pixels - view.project(problem.points)
    spare = max(2 * len(residuals) - int(problem.free.sum()), 1)
    return max(problem.noise, float(np.sqrt((residuals**2).sum() / spare)))


def predicted_rms_of(problem: Problem, view: View) -> float | None:
    """The RMS of every point against its prediction from the others, px; None with too few of them."""
    count = len(problem.points)
    if 2 * (count - 1) <= problem.free.sum():
        return None
    errors = []
    for k in range(count):
        others = np.delete(np.arange(count), k)
        if on_a_line(problem.points[others]):
            return None
        fitted = _fit(problem.of(others), [view])
        errors.append(problem.pixels[k] - fitted.project(problem.points[k : k + 1])[0])
    return rms_of(np.array(errors))


def rms_of(residuals: np.ndarray) -> float:
    """The RMS of the lengths of residuals (N, 2)."""
    return float(np.sqrt((residuals**2).sum(axis=1).mean()))
