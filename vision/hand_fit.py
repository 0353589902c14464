"""The camera that fits points placed by hand, while they are being placed.

    fit = live_fit(named, size, view)              # milliseconds, from a View that is near
    both = fits_of_sides(placed, options)          # a second: from every side that has the names, the best first

A live fit follows a point that is dragged. The full fit finds wrong points, and says how well all is known.
"""

from dataclasses import dataclass

import numpy as np

from ballcast.sim import Sport
from ballcast.tracks import Camera
from ballcast.vision.calibration import CLEARER, K1_POINTS, Calibration, calibrate
from ballcast.vision.landmarks import CalibrationError, NamedPoints
from ballcast.vision.line_fit import fit_lines, place_lines
from ballcast.vision.placed_points import PlacedPoints
from ballcast.vision.pnp import Problem, refine
from ballcast.vision.projection import View

NEEDED = 4  # points
SURE = 0.05  # relative standard deviation up to which the focal length is well known


@dataclass(frozen=True)
class LensOptions:
    """What is asked of the lens: focal px if it is known, distortion as in calibration.calibrate."""

    focal: float | None = None
    distortion: bool | None = None


@dataclass(frozen=True)
class SideFit:
    """A Calibration of the camera with the points meant as one side names them."""

    seen_from: str
    names: tuple[str, ...]
    result: Calibration

    @property
    def view(self) -> View:
        return View.of(self.result.camera)

    @property
    def errors(self) -> dict[str, float]:
        """name -> px from where the camera puts it."""
        return dict(zip(self.names, np.linalg.norm(self.result.residuals, axis=1)))

    @property
    def worst(self) -> str:
        """The point that is the farthest off."""
        return max(self.errors, key=lambda name: self.errors[name])


def live_fit(named: NamedPoints, size: tuple[int, int], view: View, lens: LensOptions = LensOptions()) -> View:
    """The View that fits points with places, found from one that is near; the same without enough points."""
    if len(named.names) < NEEDED:
        return view
    has_k1 = len(named.names) >= K1_POINTS if lens.distortion is None else lens.distortion
    problem = Problem(named.places, named.pixels, size, view.principal, max(1.0, size[0] / 1280), lens.focal, has_k1)
    start = view if has_k1 else view._replace(k1=0.0)
    return refine(problem.points, problem.pixels, start, problem.noise, problem.free, problem.known)


def fit(named: NamedPoints, size: tuple[int, int], lens: LensOptions, name: str = "") -> Calibration:
    """The Calibration of points that bring their places: what `ballcast calibrate --points` finds from their file."""
    return calibrate(named.places, named.pixels, size, names=named.names, focal=lens.focal,
                     distortion=lens.distortion, name=name)  # fmt: skip


def fits_of_sides(placed: PlacedPoints, lens: LensOptions, name: str = "") -> list[SideFit]:
    """The fits from all sides that have the names of the points, the own side first.

    CalibrationError: why they fit from none.
    """
    named, found, error = placed.named(), [], None
    own = placed.side.seen_from
    for side in sorted(placed.sides, key=lambda side: side.seen_from != own):
        places = side.places | placed.own
        if any(name not in places for name in named.names):
            continue
        points = np.array([places[name] for name in named.names], float).reshape(-1, 3)
        try:
            result = calibrate(points, named.pixels, placed.size, names=named.names, focal=lens.focal,
                               distortion=lens.distortion, name=name)  # fmt: skip
        except CalibrationError as refused:
            error = error or refused
        else:
            found.append(SideFit(side.seen_from, named.names, result))
    if not found:
        raise error or CalibrationError("no points")
    return found


def rivals(fits: list[SideFit], own: str) -> list[SideFit]:
    """Of the fits from several sides those that fit about as well as the best, if the own one is not clearly it."""
    best = min(each.result.misfit for each in fits)
    near = [each for each in fits if each.result.misfit < best + CLEARER]
    return [] if len(near) == 1 and near[0].seen_from == own else near


def by_lines(image: np.ndarray, sport: Sport, view: View) -> Camera:
    """The Camera whose painted lines are where those of an image (H, W, 3) are, near a View.

    CalibrationError: why the lines do not say it.
    """
    import cv2

    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    lines = place_lines(sport)
    found = fit_lines(gray, view, lines) if len(lines.ends) else None
    problem = "hardly any line is found near the fitted ones" if found is None else found.problem()
    if found is None or problem:
        raise CalibrationError(f"The painted lines do not correct it: {problem}")
    return found.calibration().camera


def words_on_focal(result: Calibration, is_given: bool = False) -> str:
    """How well the focal length is known, in plain words."""
    focal, share = result.camera.K[0, 0], result.focal_spread
    if is_given:
        return f"focal length {focal:.0f} px, as given"
    if result.focal_is_vague:
        return (
            f"The points hardly tell the focal length: {focal:.0f} px, give or take {100 * min(share, 1):.0f} %. "
            "The camera could as well stand farther away and zoom. A point above the ground helps."
        )
    grade = "well known" if share <= SURE else "roughly known"
    return f"focal length {focal:.0f} px, {grade}: give or take {100 * share:.1f} %"
