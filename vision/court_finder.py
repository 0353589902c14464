"""The camera of a picture from the painted lines of the place, without anybody's help.

    result = find_court(image, sport)          # a Calibration; CalibrationError where the lines are not found for sure

Lines of the picture (line_finder.py) are tried as lines of the place, two across and two along at a time: four lines
are a homography, a homography that a camera with square pixels can have is a camera, and a camera says where all other
lines must be. The best are refined on the pixels of all lines (line_fit.py). A camera is accepted only if most of
the lines that it should see are there, bright and with dark sides, where it puts them, and end where they should. Where
lines are few, the tape of the net must be there, too.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ballcast.sim import Sport
from ballcast.vision.calibration import Calibration
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.line_finder import CLEAR, FAINT, find_lines, ridges
from ballcast.vision.line_fit import LineFit, PlaceLines, fit_lines, place_lines
from ballcast.vision.pnp import FOCAL_SPREAD, K1_SPREAD, USUAL_ANGLE, Known, focal_of, refine, rms_of, starts
from ballcast.vision.projection import K1, PARAMETERS

LEVEL, STEEP = (
    np.radians(35.0),
    np.radians(6.0),
)  # lines across are less tilted than the one, lines along more than the other
BEYOND = 1.0  # sizes of the picture within which lines of the place may cross outside it
SMALLEST = 0.004  # of the picture, of the area between four lines
FOCALS = 0.5, 25.0  # over the picture's width
SKEWED = 0.25  # by which a homography may miss being a camera's
SAMPLES = 12  # on each line, for the first score
NEAR = 1 / 320  # of the width, from a bright pixel, counts as on the line
MISSED = 0.5  # what a sample costs that is not on a line, over what one brings that is
MIN_INSIDE = 0.5  # share of the samples that must be in the picture
REFINED = 16  # hypotheses that are refined
CHUNK = 20_000  # hypotheses at once
CLEARER = 0.15  # by which the score of the best has to be above that of another camera
APART = 0.01  # of the width, between the corners of two cameras that are not the same
SIDES = ("end", "side")


class _Hypotheses(NamedTuple):
    """Homographies from the place's plane, in the frame of one side, to the picture."""

    H: np.ndarray  # (N, 3, 3)
    focal: np.ndarray  # (N,) px


def find_court(image: np.ndarray, sport: Sport, name: str = "") -> Calibration:
    """The Calibration of the camera that took an image (H, W, 3) uint8. CalibrationError where it is not sure."""
    return find_lines_of(image, sport).calibration(name)


def find_lines_of(image: np.ndarray, sport: Sport) -> LineFit:
    """The same as a LineFit, from which the camera of the next pictures can be found (moving.py)."""
    lines = place_lines(sport)
    if len(lines.across) < 2 or len(lines.along) < 2:
        raise CalibrationError(f"{sport.name} has too few lines to be found in a picture; give --points or --window")
    found = ridges(image)
    try:
        return _sure_fit(found, lines, CLEAR, sport)
    except CalibrationError as error:
        first = error
    try:
        return _sure_fit(found, lines, FAINT, sport)
    except CalibrationError:
        raise first from None


def _sure_fit(found, lines, search, sport):
    """The LineFit that is found by one kind of search; CalibrationError where it is not sure."""
    views = _candidates(found, lines, search)
    fits = [fit for view in views if (fit := fit_lines(found.gray, view, lines)) is not None]
    if not fits:
        raise _not_found(sport, "no camera has its lines where bright lines are")
    best = max(fits, key=lambda fit: fit.score)
    problem = best.problem()
    if not problem and any(
        _is_other(fit, best) and fit.score > best.score - CLEARER and not fit.problem() for fit in fits
    ):
        problem = "two cameras fit as well as each other"
    if problem:
        raise _not_found(sport, problem)
    return best


def _not_found(sport, why):
    return CalibrationError(f"the lines of {sport.name} are not found in the picture: {why}; give --points or --window")


def _candidates(found, lines, search):
    """The Views of the best hypotheses from all sides."""
    seen, segments = find_lines(found, search)
    shape = found.gray.shape
    quads = _quads(seen, shape)
    if not len(quads):
        return []
    near = _near_segments(segments, shape)
    ranked = [(score, side, H, focal) for side in SIDES
              for H, focal, score in _best(quads, lines.seen_from(side), near, shape)]  # fmt: skip
    ranked.sort(key=lambda entry: -entry[0])
    views = [_view(side, H, lines, focal, shape) for _, side, H, focal in ranked[:REFINED]]
    return [view for view in views if view is not None]


def _is_other(fit, best):
    """Whether a fit is not the best one again."""
    corners = np.column_stack([fit.lines.corners(), np.full(4, fit.lines.ends[0, 0, 2])])
    apart = np.abs(fit.view.project(corners) - best.view.project(corners)).max()
    turned = np.abs(fit.view.project(corners * [-1.0, -1.0, 1.0]) - best.view.project(corners)).max()
    return min(apart, turned) > APART * fit.size[0]


def _quads(lines, shape):
    """Crossings (N, 4, 2) px of two lines across and two along: far left, far right, near left, near right."""
    size = np.array([shape[1], shape[0]])
    tilt = np.arctan2(np.abs(lines[:, 0]), np.abs(lines[:, 1]))
    level = list(itertools.combinations(np.flatnonzero(tilt < LEVEL), 2))
    steep = list(itertools.combinations(np.flatnonzero(tilt > STEEP), 2))
    pairs = np.array([(*a, *b) for a, b in itertools.product(level, steep) if not set(a) & set(b)], int).reshape(-1, 4)
    points = _crossings(lines)[pairs[:, [0, 0, 1, 1]], pairs[:, [2, 3, 2, 3]]]
    points = np.where((points[:, :1, 1] > points[:, 2:3, 1])[..., None], points[:, [2, 3, 0, 1]], points)
    points = np.where((points[:, :1, 0] > points[:, 1:2, 0])[..., None], points[:, [1, 0, 3, 2]], points)
    inside = ((points >= -BEYOND * size) & (points <= (1.0 + BEYOND) * size)).all(axis=(1, 2))
    above = (points[:, :2, 1] < points[:, 2:, 1]).all(axis=1)
    beside = (points[:, [0, 2], 0] < points[:, [1, 3], 0]).all(axis=1)
    return points[inside & above & beside & (_areas(points) > SMALLEST * size.prod())]


def _crossings(lines):
    """Where all pairs of lines (N, 3) cross, (N, N, 2) px; NaN for parallel ones."""
    n, d = lines[:, :2], lines[:, 2]
    cross = n[:, None, 0] * n[None, :, 1] - n[:, None, 1] * n[None, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (d[:, None] * n[None, :, 1] - d[None, :] * n[:, None, 1]) / cross
        v = (n[:, None, 0] * d[None, :] - n[None, :, 0] * d[:, None]) / cross
    return np.where((np.abs(cross) > 0.02)[..., None], np.stack([u, v], axis=-1), np.nan)


def _areas(quads):
    """Of quadrilaterals (N, 4, 2), by their diagonals."""
    a, b = quads[:, 3] - quads[:, 0], quads[:, 2] - quads[:, 1]
    return 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])


def _near_segments(segments, shape):
    """Which pixels (H, W) are near a segment of a line."""
    import cv2

    mask = np.zeros(shape, np.uint8)
    for u, v, end_u, end_v in np.round(segments).astype(int):
        cv2.line(mask, (int(u), int(v)), (int(end_u), int(end_v)), 255, 2 * max(2, round(NEAR * shape[1])) + 1)
    return mask > 0


def _best(quads, lines, near, shape):
    """[(H, focal, score)] of the best hypotheses of one side, apart from each other."""
    found = []
    of_picture = _bases(quads)
    for near_line, far_line in itertools.combinations(sorted(set(lines.across)), 2):
        for left, right in itertools.combinations(sorted(set(lines.along)), 2):
            corners = np.array([[left, far_line], [right, far_line], [left, near_line], [right, near_line]])
            H = of_picture @ np.linalg.inv(_bases(corners[None])[0])
            focal = _focals(H, shape)
            chosen = np.isfinite(focal)
            if chosen.any():
                found.append(_Hypotheses(H[chosen], focal[chosen]))
    if not found:
        return []
    H, focal = np.concatenate([f.H for f in found]), np.concatenate([f.focal for f in found])
    scores = np.concatenate([_scores(H[k : k + CHUNK], lines, near) for k in range(0, len(H), CHUNK)])
    kept: list[int] = []
    corners = _apply(H, lines.corners())
    for k in np.argsort(-scores):
        if len(kept) == REFINED or not np.isfinite(scores[k]):
            break
        if all(np.abs(corners[k] - corners[j]).max() > 2 * NEAR * shape[1] for j in kept):
            kept.append(int(k))
    return [(H[k], focal[k], scores[k]) for k in kept]


def _bases(quads):
    """The matrices (N, 3, 3) that take the projective basis to four points (N, 4, 2)."""
    points = np.concatenate([quads, np.ones((*quads.shape[:2], 1))], axis=-1).transpose(0, 2, 1)  # (N, 3, 4)
    weights = np.linalg.solve(points[:, :, :3], points[:, :, 3:])  # (N, 3, 1)
    return points[:, :, :3] * weights.transpose(0, 2, 1)


def _focals(H, shape):
    """The focal lengths (N,) px with which homographies (N, 3, 3) are a camera's; NaN where none is."""
    height, width = shape
    to_middle = np.array([[1.0, 0.0, -0.5 * (width - 1)], [0.0, 1.0, -0.5 * (height - 1)], [0.0, 0.0, 1.0]])
    a, b = (to_middle @ H)[:, :, 0], (to_middle @ H)[:, :, 1]
    u, v = a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1], a[:, 2] * b[:, 2]  # s u + v = 0: perpendicular, s = 1 / focal^2
    p = (a[:, :2] ** 2).sum(1) - (b[:, :2] ** 2).sum(1)
    q = a[:, 2] ** 2 - b[:, 2] ** 2  # s p + q = 0: of one length
    with np.errstate(divide="ignore", invalid="ignore"):
        s = -(u * v + 0.25 * p * q) / (u**2 + 0.25 * p**2)
        focal = 1.0 / np.sqrt(s)
        size = s * ((a[:, :2] ** 2).sum(1) + (b[:, :2] ** 2).sum(1)) + a[:, 2] ** 2 + b[:, 2] ** 2
        skewed = 2.0 * np.hypot(s * u + v, 0.5 * (s * p + q)) / size
    fine = (s > 0) & (focal > FOCALS[0] * width) & (focal < FOCALS[1] * width) & (skewed < SKEWED)
    return np.where(fine, focal, np.nan)


def _apply(H, points):
    """Pixels (N, M, 2) of points (M, 2) by homographies (N, 3, 3); NaN behind the camera."""
    flat = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ H.transpose(0, 2, 1)  # (N, M, 3)
    depth = flat[..., 2:]
    middle = H @ np.array([*points.mean(axis=0), 1.0])
    depth = np.where(np.sign(depth) == np.sign(middle[:, None, 2:]), depth, np.nan)
    return flat[..., :2] / depth


def _scores(H, lines, near):
    """How well the lines of the place are on lines of the picture, (N,); -inf where too little is in it."""
    samples = lines.samples(SAMPLES)
    pixels = _apply(H, samples)
    height, width = near.shape
    with np.errstate(invalid="ignore"):
        inside = ((pixels >= 0) & (pixels < [width, height])).all(axis=-1)
    u, v = np.where(inside[..., None], pixels, 0).astype(int).transpose(2, 0, 1)
    hits = (near[v, u] & inside).sum(axis=1)
    count = inside.sum(axis=1)
    scores = (hits - MISSED * (count - hits)) / len(samples)
    return np.where(count >= MIN_INSIDE * len(samples), scores, -np.inf)


def _view(side, H, lines, focal, shape):
    """The View of a homography of a side; None if no camera above the place has it."""
    height, width = shape
    principal = np.array([0.5 * (width - 1), 0.5 * (height - 1)])
    flat = lines.seen_from(side).samples(4)
    pixels = _apply(H[None], flat)[0]
    chosen = np.isfinite(pixels).all(axis=1)
    points = (np.column_stack([flat, np.zeros(len(flat))]) @ PlaceLines.turn(side))[chosen]
    points[:, 2] = lines.ends[0, 0, 2]
    known = Known(float(np.log(focal_of(USUAL_ANGLE, (width, height)))), FOCAL_SPREAD, K1_SPREAD)
    free = np.arange(len(PARAMETERS)) != K1
    views = [view for view in starts(points, pixels[chosen], focal, principal) if view.centre[2] > points[0, 2]]
    if not views:
        return None
    best = min(views, key=lambda view: rms_of(view.project(points) - pixels[chosen]))
    return refine(points, pixels[chosen], best, 2.0, free, known)
