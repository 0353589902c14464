"""What is to be painted at its depth: gathered first, then painted together, behind what hides it.

    ink = Ink(camera)
    ink.line(points, 1.6, color, alpha)
    ink.ball(position, radius, color, turn)
    ink.paint(surface, backdrop)

Each thing gets the slot of the first layer of the backdrop (far to near) that hides it from the eye, and is painted
before that layer. In a slot fills come first, then lines and dots in their order, then balls.
"""

import numpy as np
import pygame
from ballcast.render import raster

EDGE = 40  # px round a layer within which a ball, as large as it is, may be hidden by it


class Ink:
    """Things to paint for one picture."""

    def __init__(self, camera):
        self.camera = camera
        self._lines, self._dots, self._fills, self._balls = [], [], [], []

    def line(self, points, radius, color, alpha, spacing=None):
        """A path through points (N, 3) m whose strength alpha (N,) may change along it."""
        self._lines.append((points, np.broadcast_to(alpha, len(points)), radius, color, spacing or radius))

    def dots(self, points, radius, color, alpha):
        """Dots at points (N, 3) m, radius px and alpha numbers or (N,)."""
        self._dots.append((points, *(np.broadcast_to(a, len(points)) for a in (alpha, radius)), color))

    def fill(self, anchor, corners, starts, color, alpha):
        """Outlines as raster.fill takes them, in px; hidden by what hides the anchor (3,) m."""
        if len(corners):
            self._fills.append((anchor, corners, starts, color, alpha))

    def ball(self, place, radius, color, turn):
        """A shaded ball of radius px at place (3,) m, turned so as raster.sphere says."""
        self._balls.append((place, radius, color, turn))

    def paint(self, surface, backdrop):
        """Fill the surface with the backdrop and all of this in it."""
        points, xy, radius, color, alpha = self._spots()
        anchors = np.array([thing[0] for thing in (*self._fills, *self._balls)]).reshape(-1, 3)
        at = self.camera.project(anchors)[0]
        slots = backdrop.hidden(np.concatenate([points, anchors]), np.concatenate([xy, at]), EDGE)
        spots, things = slots[: len(points)], slots[len(points) :]

        def pour(slot):
            pixels = pygame.surfarray.pixels2d(surface)
            for (_, corners, starts, tone, share), mine in zip(self._fills, things):
                if mine == slot:
                    raster.fill(pixels, corners, starts, np.array(tone, float), share, backdrop.room)
            raster.discs(pixels, xy, radius, color, alpha, spots, slot)
            for (_, size, tone, turn), (x, y), mine in zip(
                self._balls, at[len(self._fills) :], things[len(self._fills) :]
            ):
                if mine == slot:
                    raster.sphere(pixels, x, y, size, np.array(tone, float), turn)

        backdrop.paint(surface, set(slots.tolist()), pour)

    def _spots(self):
        """All lines and dots as dots: points (N, 3) m, xy (N, 2) px, radius, color (N, 3), alpha (N,)."""
        given = [*self._lines, *self._dots]
        if not given:
            return np.empty((0, 3)), np.empty((0, 2)), np.empty(0), np.empty((0, 3)), np.empty(0)
        values = np.concatenate([np.column_stack([thing[0], thing[1]]) for thing in given])
        xy, _ = self.camera.project(values[:, :3])
        starts = np.cumsum([0] + [len(line[0]) for line in self._lines])
        lines, loose = slice(0, starts[-1]), slice(starts[-1], None)
        styles = [(line[2], *line[3]) for line in self._lines] or [(0, 0, 0, 0)]
        spacing = np.array([line[4] for line in self._lines], float)
        far = (np.abs(xy[lines] - self.camera.centre) > self.camera.size).any(axis=1)
        xy[lines][far] = np.nan
        drawn, told, line = raster.along(xy[lines], values[lines], starts, spacing, self.camera.size)
        style = np.array(styles, float)[line]
        sizes = np.concatenate([dot[2] for dot in self._dots] or [np.empty(0)])
        tones = np.concatenate([np.tile(dot[3], (len(dot[0]), 1)) for dot in self._dots] or [np.empty((0, 3))])
        told = np.concatenate([told, values[loose]])
        return (
            told[:, :3],
            np.concatenate([drawn, xy[loose]]),
            np.append(style[:, 0], sizes),
            np.concatenate([style[:, 1:], tones.astype(float)]),
            told[:, 3],
        )
