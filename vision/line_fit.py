"""A camera fitted to the painted lines of a place in a picture, from one that is near.

    lines = place_lines(sport)
    fit = fit_lines(gray, view, lines)             # LineFit: view, which samples are found; None if far too few are
    fit.problem()                                  # why it is not to be trusted, or ""

Points on each line of the place are projected. Across the line, within some pixels, the middle of the brightest stripe
with dark sides is looked for; its distance along the normal is the residual. The window becomes smaller from step to
step.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ballcast.sim import Sport
from ballcast.vision.calibration import Calibration
from ballcast.vision.pnp import FOCAL_SPREAD, K1_SPREAD, PRINCIPAL_SPREAD, USUAL_ANGLE, focal_of, rms_of
from ballcast.vision.projection import FOCAL, K1, PARAMETERS, PLACE, View

MIN_LENGTH = 0.12  # of the place's extent: shorter lines are marks
SAMPLES = 48  # on each line
WINDOWS = (12.0, 8.0, 5.0, 4.0, 3.0, 3.0, 3.0)  # px at a width of 1280, to either side, of the steps
STEP = 0.5  # px, of profiles
CONTRAST = 7.0  # of 255, of a stripe against both its sides
HUBER = 1.0  # px, residuals beyond which count less
MIN_FOUND = 0.6  # share of the samples in the picture whose stripe is found
MIN_LINES = 0.7  # share of the lines in the picture that are found
LINE_FOUND = 0.35  # share of a line's samples that make it found
MAX_RMS = 0.9  # px at a width of 1280
ENOUGH_INSIDE = 0.25  # share of a line's samples in the picture from which on it counts
PER_LINE = 3.0  # independent measurements that the samples of a line are worth
MIN_SAMPLES = 24
FIXED = 1e12  # information about what may not change
STANDS = 1e-4  # of its distance, by which a camera that stands may move
NET = 0.2  # restitution below which an upright surface is a net
TAPE = 0.6  # share of the tape, its middle, that is looked for
TAPE_WINDOW = 5.0  # px at a width of 1280: nets sag
TAPE_FOUND = 0.4  # share of its samples
BEYOND_ENDS = np.linspace(0.06, 0.2, 8)  # of a line's length beyond its ends
GOES_ON = 0.12  # share of points there with a stripe from which on the lines are those of something larger
FEW_LINES = 8  # places with fewer lines must show their net, too


@dataclass(frozen=True)
class PlaceLines:
    """The straight painted lines of a place that lie in one level plane, parallel to x or y, and the tape of its net.

    ends (N, 2, 3) m; width (N,) m; tape (2, 3) m, the middle part of it, and its width; None without a net
    """

    ends: np.ndarray
    width: np.ndarray
    tape: np.ndarray | None = None
    tape_width: float = 0.0

    @property
    def across(self) -> list[float]:
        """y of the lines along x."""
        return [float(e[0, 1]) for e in self.ends if e[0, 1] == e[1, 1]]

    @property
    def along(self) -> list[float]:
        """x of the lines along y."""
        return [float(e[0, 0]) for e in self.ends if e[0, 0] == e[1, 0]]

    @staticmethod
    def turn(side: str) -> np.ndarray:
        """The rotation (3, 3) from our frame to one with x to the right and y away from who looks from a side."""
        return np.eye(3) if side == "end" else np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])

    def seen_from(self, side: str) -> "PlaceLines":
        """The lines in the frame of a side."""
        return replace(self, ends=self.ends @ self.turn(side).T)

    def samples(self, count: int) -> np.ndarray:
        """Points (N * count, 2) m on the lines, in their plane."""
        share = (np.arange(count) + 0.5)[:, None] / count
        return np.concatenate([a + share * (b - a) for a, b in self.ends])[:, :2]

    def corners(self) -> np.ndarray:
        """The corners (4, 2) m of what the lines cover."""
        low, high = self.ends.min(axis=(0, 1)), self.ends.max(axis=(0, 1))
        return np.array([[low[0], low[1]], [high[0], low[1]], [low[0], high[1]], [high[0], high[1]]])

    @cached_property
    def points(self) -> np.ndarray:
        """Points (N * SAMPLES, 3) m on the middles of the lines, line by line."""
        share = (np.arange(SAMPLES) + 0.5)[:, None] / SAMPLES
        return np.concatenate([a + share * (b - a) for a, b in self.ends])

    @cached_property
    def directions(self) -> np.ndarray:
        """Unit vectors (N * SAMPLES, 3) along them."""
        along = self.ends[:, 1] - self.ends[:, 0]
        return np.repeat(along / np.linalg.norm(along, axis=1, keepdims=True), SAMPLES, axis=0)

    @cached_property
    def widths(self) -> np.ndarray:
        """Widths (N * SAMPLES,) m at them."""
        return np.repeat(self.width, SAMPLES)

    @cached_property
    def up(self) -> np.ndarray:
        """Unit vectors (N * SAMPLES, 3) across them, in the ground."""
        return np.cross([0.0, 0.0, 1.0], self.directions)


def place_lines(sport: Sport) -> PlaceLines:
    """The lines of a sport that a picture can be searched for."""
    found = []
    for line in sport.view.lines:
        for path in line.paths:
            for a, b in zip(path[:-1], path[1:]):
                if line.color is None and a[2] == b[2] and (a[0] == b[0] or a[1] == b[1]) and a != b:
                    found.append((a, b, line.width or sport.view.line_width or 0.05))
    if not found:
        return PlaceLines(np.empty((0, 2, 3)), np.empty(0))
    ends = np.array([[a, b] for a, b, _ in found], float)
    tape, tape_width = _tape(sport)
    heights, counts = np.unique(ends[:, 0, 2], return_counts=True)
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    chosen = (ends[:, 0, 2] == heights[np.argmax(counts)]) & (length > MIN_LENGTH * length.max())
    return PlaceLines(ends[chosen], np.array([width for *_, width in found])[chosen], tape, tape_width)


def _tape(sport):
    """The middle of the tape of a sport's net (2, 3) m and its width; None without a net."""
    for surface in sport.surfaces:
        low, high = np.array(surface.low), np.array(surface.high)
        if surface.kind == "rectangle" and low[1] == high[1] and surface.restitution.max * surface.restitution.e < NET:
            width = min(0.05, 0.1 * (high[2] - low[2]))
            middle, half = 0.5 * (low + high), np.array([0.5 * TAPE * (high[0] - low[0]), 0.0, 0.0])
            middle[2] = high[2] - 0.5 * width
            return np.array([middle - half, middle + half]), width
    return None, 0.0


@dataclass(frozen=True)
class LineFit:
    """A camera and where the stripes are that it expects.

    inside, found  (M,) bool, of all samples: in the picture; with a stripe near
    offset         (M,) px, of the stripe from the projected sample, along the normal (M, 2)
    """

    view: View
    lines: PlaceLines
    size: tuple[int, int]
    inside: np.ndarray
    found: np.ndarray
    offset: np.ndarray
    normal: np.ndarray
    tape_share: float = 0.0  # of the samples of the net's tape that are found
    beyond: float = 0.0  # share of points beyond the ends of the lines at which these go on

    @property
    def scale(self) -> float:
        """Pixels for each pixel of a picture 1280 wide."""
        return self.size[0] / 1280.0

    @property
    def share(self) -> float:
        """Of the samples in the picture those whose stripe is found."""
        return float(self.found.sum() / max(self.inside.sum(), 1))

    @property
    def rms(self) -> float:
        """Of the offsets, px."""
        return float(np.sqrt((self.offset[self.found] ** 2).mean()))

    @property
    def score(self) -> float:
        """To choose among fits by: how many samples are found, less those that are missed."""
        return (
            float((2.0 * self.found.sum() - self.inside.sum()) / len(self.inside))
            + 0.5 * self.tape_share
            - self.beyond
            - 0.1 * self.rms / self.scale
        )

    def problem(self) -> str:
        """Why this is not to be trusted; "" if it is."""
        inside, found = (np.reshape(v, (-1, SAMPLES)).sum(axis=1) for v in (self.inside, self.found))
        counts = inside >= ENOUGH_INSIDE * SAMPLES
        seen = (found >= LINE_FOUND * inside) & counts
        if seen.sum() < MIN_LINES * counts.sum() or counts.sum() < 0.6 * len(counts):
            return f"only {int(seen.sum())} of {len(counts)} lines are where the best camera puts them"
        if self.share < MIN_FOUND:
            return f"only {100 * self.share:.0f} % of its lines are where the best camera puts them"
        if self.beyond > GOES_ON:
            return "its lines go on where they should end"
        if len(counts) < FEW_LINES and self.lines.tape is not None and self.tape_share < TAPE_FOUND:
            return "its net is not where the best camera puts it"
        if self.rms > MAX_RMS * self.scale:
            return f"the best camera is {self.rms:.1f} px off"
        return ""

    def calibration(self, name: str = "") -> Calibration:
        """What is found as a Calibration: its residuals are those of the samples that are found."""
        residuals = self.offset[self.found, None] * self.normal[self.found]
        covariance = self._covariance()
        spread = float(np.sqrt(covariance[FOCAL, FOCAL]))
        camera = self.view.camera(self.size, name)
        used = np.ones(len(residuals), bool)
        return Calibration(camera, residuals, used, rms_of(residuals), None, covariance, spread > 0.12)

    def _covariance(self):
        """The covariance (8, 8) of PARAMETERS, with what is not known of the principal point."""
        points, normal = self.lines.points[self.found], self.normal[self.found]
        noise = max(0.5 * self.scale, self.rms) * np.sqrt(max(SAMPLES / PER_LINE, 1.0))
        rows = np.einsum("mi,mik->mk", normal, self.view.project_with_derivatives(points)[1]) / noise
        prior = np.zeros(len(PARAMETERS))
        prior[FOCAL], prior[K1] = FOCAL_SPREAD**-2, K1_SPREAD**-2
        own = np.linalg.pinv(rows.T @ rows + np.diag(prior), hermitian=True)
        shift = own @ rows.T @ (normal / noise) * (PRINCIPAL_SPREAD * self.size[0])
        return own + shift @ shift.T


def fit_lines(
    gray: np.ndarray, view: View, lines: PlaceLines, windows: tuple[float, ...] = WINDOWS, stands: bool = False
) -> LineFit | None:
    """The LineFit of a grey picture (H, W) uint8 near a View; None if hardly any line is found.

    windows  px at a width of 1280, in which stripes are looked for, one step after the other
    stands   whether the camera is where the View has it, with the same lens: it may turn and zoom
    """
    size = gray.shape[1], gray.shape[0]
    scale, start_k1, first = size[0] / 1280.0, len(windows) // 2, view
    for k, window in enumerate(windows):
        fit = _measured(gray, view, lines, size, window * scale)
        if fit.found.sum() < MIN_SAMPLES:
            return None
        view = _improved(fit, first if stands else None, has_k1=k >= start_k1)
        if view is None:
            return None
    fit = _measured(gray, view, lines, size, windows[-1] * scale)
    if fit.found.sum() < MIN_SAMPLES:
        return None
    return replace(fit, tape_share=_tape_share(gray, view, lines, scale), beyond=_beyond(gray, view, lines, scale))


def _beyond(gray, view, lines, scale):
    """The share of points just beyond the ends of the lines at which these go on: near 0 where the place is right."""
    spans = lines.ends[:, 1] - lines.ends[:, 0]
    shares = np.concatenate([-BEYOND_ENDS[::-1], 1.0 + BEYOND_ENDS])
    points = (lines.ends[:, :1] + shares[:, None] * spans[:, None]).reshape(-1, 3)
    along = np.repeat(spans / np.linalg.norm(spans, axis=1, keepdims=True), len(shares), axis=0)
    up, width = np.cross([0.0, 0.0, 1.0], along), np.repeat(lines.width, len(shares))
    inside, found, offset, _ = stripes(gray, view, points, along, up, width, TAPE_WINDOW * scale)
    return float((found & (np.abs(offset) < 2.0 * scale)).sum() / max(inside.sum(), 1))


def _tape_share(gray, view, lines, scale):
    """The share of the net's tape that is where a View puts it."""
    if lines.tape is None:
        return 0.0
    points = lines.tape[0] + np.linspace(0.0, 1.0, SAMPLES)[:, None] * (lines.tape[1] - lines.tape[0])
    along = np.tile([1.0, 0.0, 0.0], (SAMPLES, 1))
    up = np.cross(along, view.R[2])
    inside, found, _, _ = stripes(gray, view, points, along, up, lines.tape_width, TAPE_WINDOW * scale)
    return float(found.sum() / max(inside.sum(), SAMPLES // 2))


def _measured(gray, view, lines, size, window):
    """Where the stripes are near the lines of a View."""
    return LineFit(
        view, lines, size, *stripes(gray, view, lines.points, lines.directions, lines.up, lines.widths, window)
    )


def stripes(
    gray: np.ndarray,
    view: View,
    points: np.ndarray,
    along: np.ndarray,
    up: np.ndarray,
    width: np.ndarray,
    window: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where bright stripes with dark sides are near points (M, 3) m on lines of the place.

    along, up  (M, 3) unit vectors along the lines and across them; width (M,) m across
    window     px to either side

    Returns inside, found (M,) bool, offset (M,) px along normal (M, 2): see LineFit.
    """
    import cv2

    size, width = (gray.shape[1], gray.shape[0]), np.broadcast_to(width, len(points))
    pixels = view.project(points)
    tangent = view.project(points + 0.01 * along) - pixels
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    half = 0.5 * up * width[:, None]
    thick = np.abs(((view.project(points + half) - view.project(points - half)) * normal).sum(axis=1))
    inside = (view.depth(points) > 0.05) & ((pixels > window) & (pixels < np.array(size) - 1 - window)).all(axis=1)
    reach = np.clip(0.5 * thick + 1.5, 2.0, window + 2.0)
    shifts = np.arange(-window, window + 0.5 * STEP, STEP)

    def profile(offset):
        at = (pixels[:, None] + (shifts[None] + offset[:, None])[..., None] * normal[:, None]).astype(np.float32)
        return cv2.remap(gray, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(float)

    stripe = profile(np.zeros(len(points))) - np.maximum(profile(reach), profile(-reach))  # (M, S)
    peak = stripe.argmax(axis=1)
    near = np.abs(shifts[None] - shifts[peak][:, None]) <= reach[:, None]
    weight = np.where(near, np.maximum(stripe, 0.0), 0.0)
    offset = (weight * shifts).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
    found = inside & (stripe[np.arange(len(points)), peak] > CONTRAST) & (thick < 2 * window)
    return inside, found, np.where(found, offset, 0.0), normal


def _improved(fit, standing, has_k1):
    """The View after one step of Gauss and Newton, robust; None if it fails. standing: a View whose place it keeps."""
    points, normal, offset = fit.lines.points[fit.found], fit.normal[fit.found], fit.offset[fit.found]
    rows = np.einsum("mi,mik->mk", normal, fit.view.project_with_derivatives(points)[1])
    weight = 1.0 / np.maximum(1.0, np.abs(offset - np.median(offset)) / (HUBER * fit.scale))
    prior, off = np.zeros(len(PARAMETERS)), np.zeros(len(PARAMETERS))
    if standing is None:
        prior[FOCAL], prior[K1] = FOCAL_SPREAD**-2, K1_SPREAD**-2 if has_k1 else FIXED
        off[FOCAL], off[K1] = np.log(focal_of(USUAL_ANGLE, fit.size) / fit.view.focal), -fit.view.k1
    else:
        distance = np.linalg.norm(standing.centre - points.mean(axis=0))
        prior[PLACE], prior[K1] = (STANDS * distance) ** -2, FIXED
        off[PLACE], off[K1] = standing.centre - fit.view.centre, standing.k1 - fit.view.k1
    information = rows.T @ (weight[:, None] * rows) + np.diag(prior)
    gradient = rows.T @ (weight * offset) + prior * off
    scales = np.sqrt(np.maximum(np.diag(information), 1e-12))
    try:
        step = np.linalg.solve(information / np.outer(scales, scales) + 1e-9 * np.eye(8), gradient / scales) / scales
        view = fit.view.moved(step)
    except (np.linalg.LinAlgError, ValueError):
        return None
    return view if np.isfinite(view.centre).all() and 10.0 < view.focal < 1e6 else None
