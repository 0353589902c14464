"""A frame of a clip in 3D: the place, the camera, the ball and its forecast, for the painter of the viewer.

scene = Scene(sport, camera_size)
scene.paint(surface, result, camera)
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pygame

from ballcast.render.camera import OrbitCamera
from ballcast.render.painter import Painter
from ballcast.sim import Sport
from ballcast.tracks import Camera
from ballcast.viewer.clip.results import Result
from ballcast.viewer.screen import draw_pixels

WIDEST = 0.4  # of the picture's distance
FARTHER = 1.25  # than the viewer's camera, which follows the ball: this one stands still
UNKNOWN = np.full(3, np.nan)


class SpaceForecast(NamedTuple):
    """A forecast as the painter takes it."""

    times: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray | None
    landing: object


class OneForecast:
    """A forecaster as the painter takes it: it has one forecast."""

    number = 0

    def __init__(self, forecast: SpaceForecast):
        self._forecast = forecast

    def forecast(self, now: float) -> SpaceForecast:
        return self._forecast


class Moment:
    """A Result as a session that the painter takes: the ball, where a camera saw it, and the forecast."""

    orientation = np.eye(3)
    lead_times = np.empty(0)

    def __init__(self, result: Result | None, camera: Camera | None, widest: float = np.inf):
        """widest: m, standard deviation of the place of the ball from which on its region is not drawn."""
        self.now = 0.0 if result is None else result.time
        path = None if result is None else result.path
        position = UNKNOWN if path is None or path.position is None else path.position
        seen = result.pixel if result is not None else None
        pixel = UNKNOWN[None, :2] if seen is None else seen[None]
        pixels = SimpleNamespace(camera=np.zeros(1, int), time=np.array([self.now]), pixel=pixel)
        self.ball = SimpleNamespace(state_at=lambda time: (position, UNKNOWN, None), pixels=pixels)
        self.observed_frames = np.arange(int(seen is not None))
        self.cameras = [] if camera is None else [(0, camera)]
        self.forecasters = []
        if path is not None and path.mean is not None:
            spread = None if path.spread is None else path.spread.astype(float)
            if spread is not None and np.sqrt(np.trace(spread[0])) > widest:
                spread = None  # it would fill the picture
            forecast = SpaceForecast(path.times, path.mean.astype(float), spread, path.space_landing)
            self.forecasters = [OneForecast(forecast)]


class Scene:
    """Paints a sport's place with a ball in it. view: the OrbitCamera, which keys and the mouse turn."""

    def __init__(self, sport: Sport):
        self.sport, self._painter = sport, Painter(sport)
        self.view = OrbitCamera.of(sport.view, (16, 9)).zoomed(1 / FARTHER)

    def paint(self, surface: pygame.Surface, result: Result | None, camera: Camera | None) -> None:
        """Fill the surface with this moment."""
        if self.view.size != surface.get_size():
            self.view = OrbitCamera(
                self.view.target, self.view.azimuth, self.view.elevation, self.view.distance, self.view.field_of_view,
                surface.get_size(),
            )  # fmt: skip
        draw_pixels(surface, self._painter.paint, Moment(result, camera, WIDEST * self.view.distance), self.view)
