"""What is drawn over a frame of a clip: the ball, its way, the forecast with its region, the landing, the court.

marks = Marks(surface, place)              # place: a Placement, where the frame stands on the surface
marks.ball(result); marks.forecast(result, ring); marks.paint()
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pygame

from ballcast.render import raster
from ballcast.render.draw_list import paint_region
from ballcast.render.image_region import CHI_90_2DOF, image_region
from ballcast.render.palette import FORECAST_COLOR, SHADOW_COLOR, TRACK_COLOR
from ballcast.viewer.clip.results import Result
from ballcast.viewer.screen import draw_pixels

CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 65)) for f in (np.cos, np.sin)], axis=1)
HEIGHT = 720.0  # px of a picture in which the sizes below are px; others are larger or smaller with it
RING, RING_WIDTH = 10.0, 1.7  # the ring round the ball has at least this radius
RING_ROOM = 1.7  # radii of the ball at which the ring stands
LINE, THIN = 1.7, 1.0  # radii of the discs that make a line
OUTLINE, OUTLINE_ALPHA = 1.3, 0.5  # round lines of the forecast, so that they are seen on any picture
TRAIL_ALPHA, TRAIL_TIME = 0.85, 0.5  # of the newest frame; s over which it fades
FAR = 0.2  # of the picture's height: no ball moves so far from frame to frame
MARK = 11.0  # radius of a landing mark where the camera does not say it
EVENT = 6.0
EVENT_COLORS = {"hit": (255, 159, 64), "bounce": (255, 235, 110)}
COURT_ALPHA = 0.3
REGION_ALPHAS = 0.16, 0.5  # at its rim, where densest: pictures are busier than the scene of the viewer
CANDIDATE_COLOR = (255, 120, 120)


class Placement(NamedTuple):
    """Where a frame stands on a surface: px of the surface that a px of the frame takes, and the left upper corner."""

    scale: float
    left: int
    top: int
    size: tuple[int, int]  # (width, height) px on the surface

    def of(self, pixel: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of the frame on the surface; pixel centres are whole numbers in both."""
        return (np.asarray(pixel, float) + 0.5) * self.scale - 0.5 + (self.left, self.top)


class Marks:
    """Gathers lines and dots, and paints them together: in the part of the surface that shows the frame."""

    def __init__(self, surface: pygame.Surface, place: Placement):
        self.place = place
        area = pygame.Rect(place.left, place.top, *place.size).clip(surface.get_rect())
        self._surface, self._corner = surface.subsurface(area), np.array(area.topleft, float)
        self.unit = max(0.45, place.size[1] / HEIGHT) if place.size[0] >= place.size[1] else place.size[0] / HEIGHT
        self._lines, self._dots, self._regions = [], [], []

    def court(self, lines: Sequence[tuple[np.ndarray, tuple[int, int, int]]], alpha: float) -> None:
        """The lines (N, 2) px of the court, each with a colour (blue, green, red)."""
        for line, color in lines:
            self._line(line, THIN, color[::-1], COURT_ALPHA * alpha)

    def candidates(self, result: Result) -> None:
        """Everything in the frame that may be the ball."""
        if len(result.candidates):
            self._dot(result.candidates, 2.5, CANDIDATE_COLOR, 0.8)

    def trail(self, results: Sequence[Result]) -> None:
        """The way of the ball in the last frames, the last one the newest; hits and bounces on it."""
        if not results:
            return
        now, flight = results[-1].time, results[-1].flight
        seen = [result for result in results if result.pixel is not None and result.flight == flight]
        pixel = np.array([result.pixel for result in seen]).reshape(-1, 2)
        fade = np.array([1.0 - (now - result.time) / TRAIL_TIME for result in seen]).clip(0.0, 1.0)
        far = np.linalg.norm(np.diff(pixel, axis=0), axis=1) * self.place.scale > FAR * self.place.size[1]
        for part in np.split(np.arange(len(seen)), np.flatnonzero(far) + 1):  # no line between two balls
            self._line(pixel[part], THIN, TRACK_COLOR, TRAIL_ALPHA * fade[part])
        for result in results:
            if result.event in EVENT_COLORS and result.pixel is not None:
                fade = 1.0 - (now - result.time) / TRAIL_TIME
                self._ring(result.pixel, EVENT * self.unit / self.place.scale, EVENT_COLORS[result.event], fade)

    def ball(self, result: Result) -> None:
        """A ring round the ball."""
        if result.pixel is not None:
            radius = max(RING * self.unit / self.place.scale, RING_ROOM * 0.5 * result.diameter)
            self._ring(result.pixel, radius, FORECAST_COLOR, 0.95, RING_WIDTH)

    def forecast(self, result: Result, ring: np.ndarray | None = None) -> None:
        """The path ahead, its region, and where the ball lands.

        ring: (N, 2) px of the frame, the landing mark as it lies on its surface; without it a circle
        """
        path = result.path
        if path is None:
            return
        until = self._region(result.time, path)
        pixel = path.pixel.astype(float)
        times = path.times
        if (start := _start(result)) is not None:
            times, pixel = np.append(result.time, times), np.vstack([start, pixel])
        near = times <= (until if until is not None else np.inf)
        count = max(2, int(near.sum()))
        self._outlined(pixel[:count], LINE, np.linspace(0.95, 0.6, min(count, len(pixel))))
        if len(pixel) > count:
            self._outlined(pixel[count - 1 :], THIN, np.linspace(0.6, 0.15, len(pixel) - count + 1))
        if path.landing is not None:
            self._landing(path.landing, ring)

    def paint(self) -> None:
        """Paint everything that was gathered: regions first."""
        for region in self._regions:
            draw_pixels(self._surface, paint_region, region, FORECAST_COLOR, REGION_ALPHAS)
        if not (self._lines or self._dots):
            return
        draw_pixels(self._surface, self._paint_discs)

    def _paint_discs(self, pixels):
        xy, radius, color, alpha = self._sampled()
        raster.discs(pixels, xy, radius, color, alpha, np.zeros(len(xy), np.int64), 0)

    def _region(self, now, path):
        """The region of a path; the time until which it is drawn, or None."""
        pixel = self.place.of(path.pixel) - self._corner
        covariance = path.covariance.astype(float) * self.place.scale**2
        if not np.isfinite(covariance).all():
            return None
        region = image_region(self._surface.get_size(), now, path.times, pixel, covariance)
        if region is not None:
            self._regions.append(region)
        return None if region is None else region.until

    def _landing(self, landing, ring):
        """The mark where the ball lands, and the outline of the region where it may."""
        if ring is None:
            radius = MARK * self.unit / self.place.scale
            ring = landing.pixel + CIRCLE * (radius, 0.6 * radius)
        middle = ring.mean(axis=0)
        for size in (1.0, 0.3):
            self._outlined(middle + size * (ring - middle), LINE, 0.9)
        if landing.covariance is not None:
            values, vectors = np.linalg.eigh(landing.covariance)
            axes = vectors * np.sqrt(np.maximum(values, 0.0))
            self._line(landing.pixel + CHI_90_2DOF * CIRCLE @ axes.T, THIN, FORECAST_COLOR, 0.7)

    def _outlined(self, pixel, radius, alpha):
        self._line(pixel, radius + OUTLINE, SHADOW_COLOR, OUTLINE_ALPHA * np.asarray(alpha))
        self._line(pixel, radius, FORECAST_COLOR, alpha)

    def _ring(self, centre, radius, color, alpha, width=THIN):
        ring = np.asarray(centre) + CIRCLE * radius
        self._line(ring, width + OUTLINE, SHADOW_COLOR, OUTLINE_ALPHA * alpha)
        self._line(ring, width, color, alpha)

    def _line(self, pixel, radius, color, alpha):
        """A line through pixels (N, 2) of the frame, of discs; radius in px of a picture of HEIGHT."""
        xy = self.place.of(pixel) - self._corner
        self._lines.append((xy, np.broadcast_to(alpha, len(xy)), radius * self.unit, color))

    def _dot(self, pixel, radius, color, alpha):
        self._dots.append((self.place.of(pixel) - self._corner, radius * self.unit, color, alpha))

    def _sampled(self):
        """All lines and dots as discs: xy (N, 2) px, radius (N,), color (N, 3), alpha (N,)."""
        parts = [_along(*line, self._surface.get_size()) for line in self._lines]
        for xy, radius, color, alpha in self._dots:
            parts.append((xy, *_style(len(xy), radius, color), np.full(len(xy), alpha)))
        return tuple(np.concatenate(values) for values in zip(*parts))


def _start(result):
    """Where the path begins, (2,) px: where the forecast has the ball, else where it was seen; None if nowhere."""
    if result.path.position is None or result.camera is None:
        return result.pixel
    pixel = result.camera.project(result.path.position)
    return pixel if np.isfinite(pixel).all() else None


def _along(xy, alpha, radius, color, size):
    """A line as discs: xy (N, 2) px, radius (N,), color (N, 3), alpha (N,)."""
    values, starts = np.array(alpha, float)[:, None], np.array([0, len(xy)])
    spacing = np.array([max(0.7, radius)])
    places, alphas, _ = raster.resample_polylines(np.array(xy, float), values, starts, spacing, size)
    return places, *_style(len(places), radius, color), alphas[:, 0].copy()


def _style(count, radius, color):
    """The radius (count,) and the color (count, 3) of discs that are alike."""
    return np.full(count, float(radius)), np.tile(np.array(color, float), (count, 1))
