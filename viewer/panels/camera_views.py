"""What the cameras see that see the ball: a small picture for each, in the upper right corner.

The place, the ball and its forecast are painted as through the camera, without the distortion of its lens; the dots are
the pixels that it measured, at the same places. `places` says where the pictures are.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pygame

from ballcast.render.camera import FixedCamera
from ballcast.render.painter import Painter
from ballcast.render.palette import FAINT_COLOR, TEXT_COLOR, TRACK_COLOR
from ballcast.viewer.panels.layout import GAP, MARGIN, MIDDLE, WIDTH
from ballcast.viewer.screen import draw_pixels

if TYPE_CHECKING:
    from ballcast.sim import Sport
    from ballcast.tracks import Camera
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

MAX_HEIGHT = 152  # units of a picture
BALL_PIXELS = 2.5  # px: a ball is no smaller
DOTS, FADE_TIME, DOT_RADIUS = 120, 0.8, 1.6  # pixels that are drawn, s over which they fade, units


def places(canvas: "Canvas", cameras: "Sequence[Camera]", has_room: bool) -> list[tuple[float, float, float, float]]:
    """(left, top, width, height) of the picture of each camera, units.

    has_room  whether nothing else stands in the right column: then they stand beside each other, along the upper edge
    """
    columns = len(cameras) if has_room else 2 if len(cameras) > 1 else 1
    room = canvas.width - MARGIN - MIDDLE if has_room else WIDTH
    top, boxes = float(MARGIN), []
    for k in range(0, len(cameras), max(columns, 1)):
        row, right = cameras[k : k + columns], canvas.width - MARGIN
        widest = min(WIDTH, (room - GAP * (columns - 1)) / columns)
        widths = [min(widest, MAX_HEIGHT * camera.size[0] / camera.size[1]) for camera in row]
        heights = [width * camera.size[1] / camera.size[0] for width, camera in zip(widths, row)]
        lefts = right - np.cumsum(widths[::-1])[::-1] - GAP * np.arange(len(row))[::-1]
        boxes += [(float(left), top, width, height) for left, width, height in zip(lefts, widths, heights)]
        top += max(heights) + GAP
    return boxes


def bottom(canvas: "Canvas", cameras: "Sequence[Camera]", has_room: bool) -> float:
    """Where the next thing in the right column begins, units."""
    return max((top + height + GAP for _, top, _, height in places(canvas, cameras, has_room)), default=float(MARGIN))


class CameraViews:
    """Paints these pictures for one sport. It keeps what is painted once per camera."""

    def __init__(self, sport: "Sport"):
        self.sport = sport
        self._painters: dict[Any, tuple[Painter, FixedCamera]] = {}

    def paint(self, canvas: "Canvas", session: "Session", has_room: bool, truth: bool) -> None:
        """Paint a picture for each camera; has_room: whether nothing else stands in the column."""
        boxes = places(canvas, [camera for _, camera in session.cameras], has_room)
        for numbered, box in zip(session.cameras, boxes):
            self._paint_one(canvas, session, numbered, box, truth)

    def _paint_one(self, canvas, session, numbered, box, truth):
        number, camera = numbered
        corner = [round(a * canvas.scale) for a in box]
        inset = canvas.surface.subsurface(pygame.Rect(corner).clip(canvas.surface.get_rect()))
        painter, view = self._painter(camera, inset.get_size())
        draw_pixels(inset, painter.paint, session, view, truth)
        pygame.draw.rect(inset, FAINT_COLOR, inset.get_rect(), 1)
        canvas.taken.append(box)
        canvas.text(box[0] + 8, box[1] + 6, canvas.fitted(camera.name or "camera", 17, box[2] - 16), 17, TEXT_COLOR)
        xy, age = seen_pixels(session, number, camera, view)
        inside = (xy > 1).all(axis=1) & (xy < np.array(view.size) - 2).all(axis=1)
        for place, alpha in zip(xy[inside], 0.2 + 0.7 * np.exp(-age[inside] / FADE_TIME)):
            canvas.dots(box[:2] + place[None] / canvas.scale, DOT_RADIUS, TRACK_COLOR, float(alpha))

    def _painter(self, camera, size):
        """The Painter of a camera and the camera of the picture; new ones for another camera or size."""
        if len(self._painters) > 8:
            self._painters = {}
        key = id(camera), size
        if key not in self._painters:
            painter = Painter(self.sport, BALL_PIXELS, is_seen=True)
            self._painters[key] = painter, through(camera, size, self.sport)
        return self._painters[key]


def through(camera: "Camera", size: tuple[int, int], sport: "Sport") -> FixedCamera:
    """The camera whose image fills a picture of `size` px, without distortion."""
    scale = min(np.divide(size, camera.size))
    middle = (camera.K[:2, 2] - 0.5 * (np.array(camera.size) - 1)) * scale + 0.5 * (np.array(size) - 1)
    distance = float(np.linalg.norm(camera.centre - sport.view.target))
    return FixedCamera(
        np.array(camera.centre), np.array(camera.R), float(camera.K[0, 0] * scale), middle, size, distance
    )  # fmt: skip


def seen_pixels(session: "Session", number: int, camera: "Camera", view: FixedCamera) -> tuple[np.ndarray, np.ndarray]:
    """The last pixels of a camera that the predictors got, (N, 2) px of the picture, and their ages (N,) s."""
    pixels, rows = session.ball.pixels, session.observed_frames
    rows = rows[pixels.camera[rows] == number][-DOTS:]
    origin, directions = camera.rays(pixels.pixel[rows])
    xy = view.project(origin + directions)[0] if len(rows) else np.empty((0, 2))
    return xy, session.now - pixels.time[rows]
