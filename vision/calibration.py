"""Where a camera stands, how it is turned and how it zooms, from points of the place in one of its pictures.

    result = calibrate(points, pixels, (1280, 720))          # (N, 3) m and (N, 2) px, N >= 4
    side, result = calibrate_place(read_points("points.csv"), sport, (1280, 720))
    result.camera, result.rms, result.covariance             # Camera, px, (8, 8) of projection.PARAMETERS

pnp.py fits. A point that is far from where the others put it is left out and named. The principal point is the middle
of the picture unless it is known.

Points of one plane seen from straight above, or from far away, do not tell the focal length: distance and zoom look the
same. So the fit knows what lenses are like, and what the points say has the more weight the more they say. Where that
is little, a note says so, and the covariance contains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ballcast.sim import Sport
from ballcast.tracks import Camera, TrackError
from ballcast.vision.landmarks import CalibrationError, NamedPoints, places
from ballcast.vision.pnp import (
    FOCAL_SPREAD,
    USUAL_ANGLE,
    Problem,
    covariance_of,
    focal_of,
    on_a_line,
    predicted_rms_of,
    rms_of,
    robust_fit,
)
from ballcast.vision.projection import FOCAL, PLACE, TURN, View

NOISE = 1.0 / 1280.0  # standard deviation of a point that is set by hand, over the picture's width
FOCAL_KNOWN = 0.12  # relative standard deviation from which on the view does not tell the focal length
K1_POINTS = 8  # from so many points on k1 is fitted, too
FAR = 8.0  # times the noise that a wrong point is off, at most, where sides are compared
FITS = 0.012  # RMS over the picture's width up to which points fit at all
CLEARER = 12.0  # by which -2 log likelihood has to be better from one side than from another
BELOW = 0.02  # of the extent of the points, by which a camera may stand below the lowest


@dataclass(frozen=True)
class Calibration:
    """A calibrated camera and how well it is known.

    camera          the Camera
    residuals       (N, 2) px, of the pixels against the projected points, the wrong ones too
    used            (N,) bool; the others are wrong and left out
    rms             px, of the distances of the used points
    predicted_rms   px, the same with every point predicted from the others; None with too few points
    covariance      (8, 8) of projection.PARAMETERS: turns in rad about the camera's axes, place in m, log focal, k1
    focal_is_vague  whether the view does not tell the focal length: then it is near that of a usual lens
    notes           what was remarkable, one line each
    """

    camera: Camera
    residuals: np.ndarray
    used: np.ndarray
    rms: float
    predicted_rms: float | None
    covariance: np.ndarray
    focal_is_vague: bool
    notes: tuple[str, ...] = ()

    @property
    def misfit(self) -> float:
        """-2 log likelihood of all points and of the focal length; a wrong point counts as one that is far off."""
        error = np.linalg.norm(self.residuals, axis=1) / max(1.0, NOISE * self.camera.size[0])
        lens = np.log(self.camera.K[0, 0] / focal_of(USUAL_ANGLE, self.camera.size)) / FOCAL_SPREAD
        return float((np.minimum(error, FAR) ** 2).sum() + lens**2)

    @property
    def focal_spread(self) -> float:
        """Relative standard deviation of the focal length."""
        return float(np.sqrt(self.covariance[FOCAL, FOCAL]))

    @property
    def turn_spread(self) -> float:
        """Standard deviation of the direction, rad: that about the worst of the camera's axes."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance[TURN, TURN])[-1]))

    @property
    def place_spread(self) -> float:
        """Standard deviation of the place, m: that along the worst direction."""
        return float(np.sqrt(np.linalg.eigvalsh(self.covariance[PLACE, PLACE])[-1]))


def calibrate(
    points: np.ndarray,
    pixels: np.ndarray,
    size: tuple[int, int],
    *,
    names: Sequence[str] = (),
    focal: float | None = None,
    principal: np.ndarray | None = None,
    distortion: bool | None = None,
    name: str = "",
    start: View | None = None,
) -> Calibration:
    """The Calibration of a camera from points (N, 3) m of the place and their pixels (N, 2).

    size        (width, height) px
    names       (N,) of the points, for messages
    focal       px, if it is known
    principal   (2,) px, if it is known; else the middle of the picture
    distortion  whether k1 is fitted, too; None: if there are at least K1_POINTS
    name        of the Camera
    start       a View that is near: the fit begins there alone, which takes milliseconds in place of a second

    Raises CalibrationError, one line: too few points, on one line, that do not fit the place.
    """
    points, pixels = np.array(points, float), np.array(pixels, float)
    names = tuple(names) or tuple(f"point {k + 1}" for k in range(len(points)))
    _check(points, pixels, size, names, distortion, focal)
    middle = np.array([0.5 * (size[0] - 1), 0.5 * (size[1] - 1)]) if principal is None else np.array(principal, float)
    has_k1 = len(points) >= K1_POINTS if distortion is None else distortion
    noise = max(1.0, NOISE * size[0])
    problem = Problem(points, pixels, size, middle, noise, focal, has_k1, principal is not None)
    view, used = robust_fit(problem, start)
    _check_fit(problem, view, used, names)
    residuals = pixels - view.project(points)
    covariance = covariance_of(problem.of(used), view)
    notes = _wrong_notes(residuals, used, names)
    is_vague = float(np.sqrt(covariance[FOCAL, FOCAL])) > FOCAL_KNOWN
    if is_vague:
        notes.append(_vague_focal(view.focal, covariance))
    try:
        camera = view.camera(size, name)
    except TrackError as error:
        raise CalibrationError(f"{error}; calibrate without the distortion") from None
    return Calibration(camera, residuals, used, rms_of(residuals[used]), predicted_rms_of(problem.of(used), view),
                       covariance, is_vague, tuple(notes))  # fmt: skip


def calibrate_place(
    named: NamedPoints,
    sport: Sport,
    size: tuple[int, int],
    *,
    seen_from: str | None = None,
    focal: float | None = None,
    distortion: bool | None = None,
    name: str = "",
) -> tuple[str, Calibration]:
    """From which side a place is seen ("" if the points bring their places) and the Calibration of the camera.

    seen_from   the side as whose near, far, left and right the names are meant; None: the one that fits
    Otherwise as `calibrate`. CalibrationError, too, if the names are not known or two sides fit.
    """
    found: list[tuple[str, Calibration]] = []
    errors = []
    for side, points in places(named, sport, seen_from):
        try:
            result = calibrate(
                points, named.pixels, size, names=named.names, focal=focal, distortion=distortion, name=name
            )
        except CalibrationError as error:
            errors.append(error)
        else:
            found.append((side, result))
    if not found:
        raise errors[0]
    found.sort(key=lambda pair: pair[1].misfit)
    if len(found) > 1:
        (side, best), (other, second) = found[:2]
        if second.misfit - best.misfit < CLEARER:
            raise CalibrationError(
                f"the names fit {sport.name} seen from {side} ({best.rms:.1f} px) and from {other} "
                f"({second.rms:.1f} px): add points, or say which with --seen-from; --window shows both"
            )
    return found[0]


def _check(points, pixels, size, names, distortion, focal):
    if points.ndim != 2 or points.shape[1:] != (3,) or pixels.shape != (len(points), 2) or len(names) != len(points):
        raise CalibrationError(f"points must be (N, 3) and pixels (N, 2); got {points.shape} and {pixels.shape}")
    needed = 6 if distortion else 4
    if len(points) < needed:
        what = " for the distortion" if distortion else ""
        raise CalibrationError(
            f"{len(points)} points are too few{what}: give {needed} or more, the farther apart the better"
        )
    if focal is not None and not (np.isfinite(focal) and focal > 0.0):
        raise CalibrationError(f"the focal length must be above 0 px; got {focal:g}")
    outside = ~((pixels >= -0.5) & (pixels <= np.array(size) - 0.5)).all(axis=1)
    if outside.any():
        k = int(np.argmax(outside))
        where = f"({pixels[k, 0]:g}, {pixels[k, 1]:g})"
        raise CalibrationError(f"{names[k]} at {where} is outside the picture of {size[0]} x {size[1]} px")
    if on_a_line(points):
        raise CalibrationError("all points lie near one line, which does not say how the camera is turned: add others")


def _check_fit(problem, view, used, names):
    """CalibrationError if the points do not fit the place."""
    error = np.linalg.norm(problem.pixels - view.project(problem.points), axis=1)
    limit = FITS * problem.size[0]
    if rms_of((problem.pixels - view.project(problem.points))[used]) > limit:
        worst = names[int(np.argmax(np.where(used, error, 0.0)))]
        raise CalibrationError(
            f"the points do not fit the place: they are {np.sqrt((error[used] ** 2).mean()):.0f} px off, {worst} the "
            "most; check the names (left and right as the camera sees them) and the sport"
        )

    if view.centre[2] < problem.points[:, 2].min() - BELOW * np.linalg.norm(np.ptp(problem.points, axis=0)):
        raise CalibrationError(
            "the points fit a camera below the ground: left and right, or near and far, are exchanged in their names"
        )


def _vague_focal(focal, covariance):
    spread = 100 * min(float(np.sqrt(covariance[FOCAL, FOCAL])), 9.99)
    return (
        f"the view does not tell the focal length: {focal:.0f} px is good to {spread:.0f} %, and so is the distance; "
        "give --focal if you know it, or points above the ground"
    )


def _wrong_notes(residuals, used, names):
    error = np.linalg.norm(residuals, axis=1)
    return [f"{names[k]} is left out: it is {error[k]:.0f} px off from where the others put it"
            for k in np.flatnonzero(~used)]  # fmt: skip
