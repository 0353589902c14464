"""Camera: where a calibrated camera sees a point in space, and what ray a pixel is.

    camera = Camera(K, distortion, R, t, (1280, 720), "side")      # checked here, and nowhere else
    pixel = camera.project([0.0, 0.0, 0.1])                        # (2,) px; points (..., 3) m give (..., 2)
    origin, direction = camera.rays(pixel)                         # the camera's centre, and a unit vector

OpenCV's model: a point X (m, in our frame) is at R X + t in the camera's frame, whose x points to the right, y down and
z forwards. Divided by z, distorted by the lens (distortion.py) and multiplied by K it is a pixel. Pixel centres are
whole numbers: the upper left pixel covers -0.5 to 0.5.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from ballcast.tracks.distortion import COEFFICIENTS, determinant, distort, fold_radius, undistort
from ballcast.tracks.track import TrackError

LENGTHS = (0, 4, 5, 8)  # of a list of distortion coefficients
MAX_SKEW_OF_AXES = 1e-3  # by which R R^T may differ from 1: files round R
EXACT = 1e-9  # R is kept to the bit if it is as close
MIN_INVERTIBLE = 0.6  # share of the image whose pixels must have a ray: real calibrations fail towards the corners
GRID = 25  # pixels along each side at which that is checked


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera. The arrays are read-only copies.

    K           (3, 3) px, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    distortion  (0,), (4,), (5,) or (8,): k1, k2, p1, p2, k3, k4, k5, k6; None is no distortion
    R           (3, 3) turns our frame into the camera's; the nearest rotation is taken if R is rounded
    t           (3,) m, our origin in the camera's frame
    size        (width, height) of the image, px
    name        tells several cameras apart

    Raises TrackError, one line: a matrix of a wrong shape, a singular or left-handed R, a distortion that does not
    invert within the image.
    """

    K: np.ndarray
    distortion: np.ndarray
    R: np.ndarray
    t: np.ndarray
    size: tuple[int, int]
    name: str = ""

    def __post_init__(self):
        distortion = _numbers("distortion", [] if self.distortion is None else self.distortion)
        values = {
            "K": _checked_intrinsics(_numbers("K", self.K)),
            "distortion": _checked_distortion(distortion.ravel()),
            "R": _checked_rotation(_numbers("R", self.R)),
            "t": _checked_translation(_numbers("t", self.t)),
            "size": _checked_size(self.size),
            "name": str(self.name),
        }
        for key, value in values.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, key, value)
        self._check_that_it_inverts()

    def __repr__(self) -> str:
        return f"Camera({self.name!r}, {self.size[0]} x {self.size[1]}, at {np.round(self.centre, 2).tolist()})"

    @property
    def centre(self) -> np.ndarray:
        """Where the camera is, (3,) m."""
        return -self.R.T @ self.t

    @cached_property
    def fold(self) -> float:
        """The radius at depth 1 (hypot(X, Y) / Z) beyond which the distortion means nothing; infinite if nowhere."""
        return fold_radius(self.coefficients)

    @cached_property
    def coefficients(self) -> np.ndarray:
        """The distortion as OpenCV's first eight coefficients (8,), zeros where it has fewer."""
        coefficients = np.zeros(COEFFICIENTS)
        coefficients[: len(self.distortion)] = self.distortion
        coefficients.flags.writeable = False
        return coefficients

    def project(self, points: ArrayLike) -> np.ndarray:
        """Pixels (..., 2) of points (..., 3) m; NaN for a point that is not in front of the camera.

        A pixel may be outside the image, and beyond the fold of the distortion it is OpenCV's number, which means
        nothing: `sees` says where it does.
        """
        distorted, _ = distort(self._at_depth_1(points)[0], self.coefficients)
        return distorted * self._focal + self.K[:2, 2]

    def jacobian(self, points: ArrayLike) -> np.ndarray:
        """Derivatives (..., 2, 3) px/m of `project` by the points (..., 3) m; NaN behind the camera."""
        flat, depth = self._at_depth_1(points)
        _, by_flat = distort(flat, self.coefficients)
        pinhole = np.zeros((*depth.shape, 2, 3))  # d (x, y) / d point in the camera's frame
        pinhole[..., 0, 0] = pinhole[..., 1, 1] = 1.0 / depth
        pinhole[..., :, 2] = -flat / depth[..., None]
        return self._focal[:, None] * (by_flat @ pinhole @ self.R)

    def rays(self, pixels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """The camera's centre (3,) m and unit directions (..., 3) in our frame of pixels (..., 2).

        The distortion is inverted to 1e-9 px. NaN where a pixel has no ray: the distortion reaches no such pixel.
        """
        distorted = (_points("pixels", pixels, 2) - self.K[:2, 2]) / self._focal
        flat = undistort(distorted, self.coefficients, self.fold)
        directions = np.concatenate([flat, np.ones((*flat.shape[:-1], 1))], axis=-1)
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        return self.centre, directions @ self.R

    def sees(self, points: ArrayLike) -> np.ndarray:
        """Which (...) of the points (..., 3) m are in the image: in front of the camera, and nothing hides them."""
        flat, _ = self._at_depth_1(points)
        pixels = distort(flat, self.coefficients)[0] * self._focal + self.K[:2, 2]
        with np.errstate(invalid="ignore"):
            return self.holds(pixels) & (np.hypot(flat[..., 0], flat[..., 1]) < self.fold)

    def holds(self, pixels: ArrayLike) -> np.ndarray:
        """Which (...) of the pixels (..., 2) are in the image."""
        pixels = _points("pixels", pixels, 2)
        return ((pixels >= -0.5) & (pixels <= np.array(self.size) - 0.5)).all(axis=-1)

    def diameters(self, points: ArrayLike, diameter: float) -> np.ndarray:
        """Apparent diameters (...) px of balls of `diameter` m at points (..., 3) m; NaN behind the camera.

        The image of a ball is close to an ellipse. This is the diameter of the circle of the same area, to first order
        in the size of the ball.
        """
        flat, depth = self._at_depth_1(points)
        _, by_flat = distort(flat, self.coefficients)
        stretch = np.abs(determinant(by_flat)) * self._focal.prod() * np.sqrt(1.0 + (flat**2).sum(axis=-1))
        return diameter * np.sqrt(stretch) / depth

    @cached_property
    def _focal(self):
        return np.array([self.K[0, 0], self.K[1, 1]])

    def _at_depth_1(self, points):
        """Points (..., 2) at depth 1 in the camera's frame, and depths (...) m; NaN behind the camera."""
        inside = _points("points", points, 3) @ self.R.T + self.t
        depth = np.where(inside[..., 2] > 0.0, inside[..., 2], np.nan)
        return inside[..., :2] / depth[..., None], depth

    def _check_that_it_inverts(self):
        """TrackError if too many of the image's pixels have no ray."""
        if not self.distortion.any():
            return
        columns, rows = (np.linspace(0.0, side - 1.0, GRID) for side in self.size)
        grid = np.stack(np.meshgrid(columns, rows), axis=-1)
        share = np.isfinite(self.rays(grid)[1]).all(axis=-1).mean()
        if share < MIN_INVERTIBLE:
            order = "k1, k2, p1, p2, k3, k4, k5, k6"
            problem = f"only {100 * share:.0f} % of the image's pixels have a ray"
            raise TrackError(f"the distortion does not invert: {problem}; check its order ({order}), K and the size")


def rotation_of(rotation_vector: ArrayLike) -> np.ndarray:
    """The rotation matrix (3, 3) of a rotation vector (3,) rad: OpenCV's rvec, by Rodrigues' formula."""
    vector = _numbers("rvec", rotation_vector).ravel()
    if vector.shape != (3,):
        raise TrackError(f"rvec must be (3,) finite numbers in rad; got {vector.shape}")
    angle = float(np.linalg.norm(vector))
    x, y, z = vector / angle if angle else vector
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def _numbers(what, values):
    """A new float64 array of finite numbers."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrackError(f"{what} must be an array of numbers ({str(error).splitlines()[0]})") from error
    if not np.isfinite(array).all():
        raise TrackError(f"{what} has numbers that are not finite: {array.tolist()}")
    return array


def _points(what, values, width):
    """An array (..., width) of numbers, perhaps NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape[-1:] != (width,):
        raise TrackError(f"{what} must be (..., {width}); got {array.shape}")
    return array


def _checked_intrinsics(K):
    if K.shape != (3, 3):
        raise TrackError(f"K must be (3, 3), [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]; got {K.shape}")
    if not (K[0, 0] > 0.0 and K[1, 1] > 0.0):
        raise TrackError(f"K: the focal lengths must be above 0 px; got fx = {K[0, 0]:g}, fy = {K[1, 1]:g}")
    if K[0, 1] or K[1, 0] or K[2].tolist() != [0.0, 0.0, 1.0]:
        raise TrackError(f"K must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], without skew; got {K.tolist()}")
    return K


def _checked_distortion(distortion):
    if len(distortion) not in LENGTHS:
        known = ", ".join(map(str, LENGTHS))
        raise TrackError(f"{len(distortion)} distortion coefficients; there are {known} (k1, k2, p1, p2, k3, ...)")
    return distortion


def _checked_rotation(R):
    """The rotation nearest to R, which must be close to one."""
    if R.shape != (3, 3):
        raise TrackError(f"R must be a rotation matrix (3, 3); got {R.shape}")
    determinant = float(np.linalg.det(R))
    if abs(determinant) < MAX_SKEW_OF_AXES:
        raise TrackError(f"R is singular (its determinant is {determinant:.3g}); give a rotation matrix, or rvec")
    error = float(np.abs(R @ R.T - np.eye(3)).max())
    if error > MAX_SKEW_OF_AXES:
        raise TrackError(f"R is no rotation: its rows must be perpendicular, of length 1 (R R^T is {error:.2g} off)")
    if determinant < 0.0:
        raise TrackError("R is left-handed (its determinant is -1), a mirror image; give a rotation matrix, or rvec")
    if error <= EXACT:
        return R
    left, _, right = np.linalg.svd(R)
    return left @ right


def _checked_translation(t):
    if t.size != 3:
        raise TrackError(f"t must be (3,) m; got {t.shape}")
    return t.reshape(3)


def _checked_size(size):
    try:
        width, height = (int(side) for side in size)
        if width != size[0] or height != size[1] or min(width, height) < 1:
            raise ValueError
    except (TypeError, ValueError):
        raise TrackError(f"size must be (width, height) in whole pixels; got {size!r}") from None
    return width, height
