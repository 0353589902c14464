"""OpenCV's lens distortion, from a point at depth 1 to where the lens puts it, and back.

    distorted, jacobian = distort(points, coefficients)       # (..., 2) and (..., 2, 2)
    points = undistort(distorted, coefficients, fold_radius(coefficients))    # NaN where there is none

With x, y = X / Z, Y / Z in the camera's frame and r^2 = x^2 + y^2:

    s  = (1 + k1 r^2 + k2 r^4 + k3 r^6) / (1 + k4 r^2 + k5 r^4 + k6 r^6)
    x' = s x + 2 p1 x y + p2 (r^2 + 2 x^2)
    y' = s y + p1 (r^2 + 2 y^2) + 2 p2 x y

The order of the coefficients is OpenCV's: k1, k2, p1, p2, k3, k4, k5, k6. Beyond some radius the radial part s r may no
longer grow with r: the picture folds over. What lies beyond this *fold* is outside the lens's model.
"""

import numpy as np

COEFFICIENTS = 8  # shorter lists end with zeros
MAX_RADIUS = 10.0  # of a point that is looked for: 84 degrees off the axis
RADII = np.linspace(0.0, MAX_RADIUS, 20001)
STEPS = 50  # of Newton's method; it takes three to six, more just inside the fold
TOLERANCE = 1e-12  # in units of the focal length: 1e-9 px


def distort(points: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distorted points (..., 2) of points (..., 2) at depth 1, and the derivative (..., 2, 2) by the point.

    coefficients (8,). New arrays. Non-finite points give NaN.
    """
    _, _, p1, p2, *_ = coefficients
    x, y = points[..., 0], points[..., 1]
    square = x * x + y * y
    scale, slope = _radial(square, coefficients)  # slope: d scale / d square
    distorted = np.stack([
        scale * x + 2.0 * p1 * x * y + p2 * (square + 2.0 * x * x),
        scale * y + p1 * (square + 2.0 * y * y) + 2.0 * p2 * x * y,
    ], axis=-1)  # fmt: skip
    cross = 2.0 * (slope * x * y + p1 * x + p2 * y)
    jacobian = np.empty((*x.shape, 2, 2))
    jacobian[..., 0, 0] = scale + 2.0 * slope * x * x + 2.0 * p1 * y + 6.0 * p2 * x
    jacobian[..., 0, 1] = jacobian[..., 1, 0] = cross
    jacobian[..., 1, 1] = scale + 2.0 * slope * y * y + 6.0 * p1 * y + 2.0 * p2 * x
    return distorted, jacobian


def undistort(distorted: np.ndarray, coefficients: np.ndarray, fold: float) -> np.ndarray:
    """Points (..., 2) at depth 1 that the lens puts at distorted points (..., 2); NaN where there is none.

    coefficients (8,); fold: their fold_radius. Newton's method, from the inverse of the radial part alone.
    """
    target = np.asarray(distorted, float)
    if not coefficients.any():
        return target.copy()
    with np.errstate(all="ignore"):
        points = _inside(target, coefficients, fold)
        for _ in range(STEPS):
            reached, jacobian = distort(points, coefficients)
            missing = reached - target
            if not (np.abs(missing) > TOLERANCE).any():  # NaN is no longer looked for
                break
            points = points - _solve(jacobian, missing)
        reached, jacobian = distort(points, coefficients)
        is_found = (np.abs(reached - target) <= 10.0 * TOLERANCE).all(axis=-1) & (determinant(jacobian) > 0.0)
        is_found &= np.hypot(points[..., 0], points[..., 1]) <= fold
    return np.where(is_found[..., None], points, np.nan)


def fold_radius(coefficients: np.ndarray) -> float:
    """The radius at depth 1 from which on the distorted radius no longer grows; infinite if there is none."""
    with np.errstate(all="ignore"):
        square = RADII * RADII
        scale, slope = _radial(square, coefficients)
        growth = scale + 2.0 * square * slope  # d (scale r) / d r
        is_over = ~(growth > 0.0) | ~(scale > 0.0)
    return float(RADII[is_over.argmax()]) if is_over.any() else np.inf


def _radial(square, coefficients):
    """The radial scale, and its derivative by the squared radius."""
    k1, k2, _, _, k3, k4, k5, k6 = coefficients
    above, below = 1.0 + square * (k1 + square * (k2 + square * k3)), 1.0 + square * (k4 + square * (k5 + square * k6))
    above_slope, below_slope = (k + square * (2.0 * m + square * 3.0 * n) for k, m, n in ((k1, k2, k3), (k4, k5, k6)))
    scale = above / below
    return scale, (above_slope - scale * below_slope) / below


def _inside(target, coefficients, fold):
    """Points whose radial part is where the targets are; of a target beyond all, NaN."""
    radii = RADII[: np.searchsorted(RADII, fold)]
    reached = radii * _radial(radii * radii, coefficients)[0]
    radius = np.hypot(target[..., 0], target[..., 1])
    found = np.interp(radius, reached, radii, right=np.nan)
    edge = radii[-1] * (radius <= 1.1 * reached[-1])  # tangential distortion may reach a little farther
    found = np.where(np.isnan(found) & (edge > 0.0), edge, found)
    return target * (np.where(radius > 0.0, found / np.where(radius > 0.0, radius, 1.0), 1.0))[..., None]


def determinant(matrix: np.ndarray) -> np.ndarray:
    """The determinants (...) of matrices (..., 2, 2); NaN, without a warning, for NaN."""
    return matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]


def _solve(matrix, vector):
    """The solutions (..., 2) of matrices (..., 2, 2), without an error where one is singular."""
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    x, y = vector[..., 0], vector[..., 1]
    return np.stack([d * x - b * y, a * y - c * x], axis=-1) / determinant(matrix)[..., None]
