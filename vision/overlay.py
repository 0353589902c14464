"""The place drawn over a picture, as a calibrated camera sees it: whether the calibration fits, at a glance.

drawn = draw_place(image, camera, sport)
drawn = draw_points(drawn, pixels, projected, used)
"""

import numpy as np

from ballcast.sim import Sport
from ballcast.tracks import Camera

LINE_COLOR = 60, 230, 255  # blue, green, red
NET_COLOR = 255, 190, 60
POINT_COLOR = 90, 255, 90
WRONG_COLOR = 60, 60, 255
PIECES = 64  # straight pieces of a line of the place: a lens bends it
REACH = 3.0  # times the size of the picture beyond which nothing is drawn


def draw_place(image: np.ndarray, camera: Camera, sport: Sport) -> np.ndarray:
    """A copy of the image (H, W, 3) uint8 with the sport's lines, nets and posts over it."""
    import cv2

    drawn = image.copy()
    for run, color in place_lines(camera, sport):
        cv2.polylines(drawn, [_rounded(run)], False, color, _thickness(image), cv2.LINE_AA)
    return drawn


def place_lines(camera: Camera, sport: Sport) -> list[tuple[np.ndarray, tuple[int, int, int]]]:
    """The sport's lines, nets and posts as the camera sees them: (N, 2) px and a colour (blue, green, red) each."""
    paths = [(np.array(path), LINE_COLOR) for line in sport.view.lines for path in line.paths]
    for surface in sport.surfaces:
        if surface.kind == "rectangle":
            paths.append((_outline(surface), LINE_COLOR if surface.supports else NET_COLOR))
    paths += [(np.array(rod), NET_COLOR) for rods in sport.view.rods for rod in rods.rods]
    return [(run, color) for path, color in paths for run in _seen(camera, path)]


def draw_points(image: np.ndarray, pixels: np.ndarray, projected: np.ndarray, used: np.ndarray) -> np.ndarray:
    """A copy of the image with the given pixels (N, 2) as rings and a line from each to where the fit puts it."""
    import cv2

    drawn, thick = image.copy(), _thickness(image)
    for pixel, other, is_used in zip(_rounded(pixels), _rounded(projected), used):
        color = POINT_COLOR if is_used else WRONG_COLOR
        cv2.line(drawn, tuple(pixel), tuple(other), color, thick, cv2.LINE_AA)
        cv2.circle(drawn, tuple(pixel), 5 * thick, color, thick, cv2.LINE_AA)
    return drawn


def _seen(camera, path):
    """The parts (N, 2) px of a path (N, 3) m that are in front of the camera."""
    share = np.linspace(0.0, 1.0, PIECES + 1)[:, None]
    points = np.concatenate([a + share * (b - a) for a, b in zip(path[:-1], path[1:])])
    flat = camera.project(points)
    seen = np.isfinite(flat).all(axis=1) & (np.abs(flat) < REACH * max(camera.size)).all(axis=1)
    runs = (run[seen[run]] for run in np.split(np.arange(len(points)), np.flatnonzero(~seen)))
    return [flat[run] for run in runs if len(run) > 1]


def _outline(surface):
    """The corners (5, 3) of a flat rectangle, the first one twice."""
    low, high = np.array(surface.low), np.array(surface.high)
    flat = int(np.argmin(high - low))
    a, b = (k for k in range(3) if k != flat)
    corners = np.tile(low, (5, 1))
    corners[1:3, a] = high[a]
    corners[2:4, b] = high[b]
    return corners


def _thickness(image):
    return max(1, round(image.shape[1] / 900))


def _rounded(pixels):
    return np.round(pixels).astype(np.int32)
