"""What is to be painted at its depth: gathered first, then painted together, behind what hides it.

    ink = Ink(camera)
    ink.line(points, 1.6, color, alpha)
    ink.ball(position, radius, color, turn)
    ink.paint(surface, backdrop)

Each thing gets the slot of the first layer of the backdrop (far to near) that hides it from the eye, and is painted
before that layer. In a slot fills come first, then lines and dots in their order, then balls.
"""

import numpy as np

from ballcast.render import raster

LAYER_MARGIN = 40  # px round a layer within which a ball, as large as it is, may be hidden by it


class DrawList:
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

    def ball(self, position, radius, color, orientation):
        """A shaded ball of radius px at place (3,) m, turned so as raster.sphere says."""
        self._balls.append((position, radius, color, orientation))

    def paint(self, pixels, backdrop):
        """Fill the surface with the backdrop and all of this in it."""
        points, xy, radius, color, alpha = self._sample_points()
        anchors = np.array([item[0] for item in (*self._fills, *self._balls)]).reshape(-1, 3)
        anchor_pixels = self.camera.project(anchors)[0]
        layers = backdrop.occluding_layer(
            np.concatenate([points, anchors]), np.concatenate([xy, anchor_pixels]), LAYER_MARGIN
        )
        point_layers, anchor_layers = layers[: len(points)], layers[len(points) :]

        def draw_layer(layer):
            for (_, corners, starts, tone, opacity), item_layer in zip(self._fills, anchor_layers):
                if item_layer == layer:
                    raster.fill(pixels, corners, starts, np.array(tone, float), opacity, backdrop.coverage_buffer)
            raster.discs(pixels, xy, radius, color, alpha, point_layers, layer)
            for (_, size, tone, orientation), (x, y), item_layer in zip(
                self._balls, anchor_pixels[len(self._fills) :], anchor_layers[len(self._fills) :]
            ):
                if item_layer == layer:
                    raster.sphere(pixels, x, y, size, np.array(tone, float), orientation)

        backdrop.paint(pixels, set(layers.tolist()), draw_layer)

    def _sample_points(self):
        """All lines and dots as dots: points (N, 3) m, xy (N, 2) px, radius, color (N, 3), alpha (N,)."""
        entries = [*self._lines, *self._dots]
        if not entries:
            return np.empty((0, 3)), np.empty((0, 2)), np.empty(0), np.empty((0, 3)), np.empty(0)
        values = np.concatenate([np.column_stack([entry[0], entry[1]]) for entry in entries])
        xy, _ = self.camera.project(values[:, :3])
        starts = np.cumsum([0] + [len(line[0]) for line in self._lines])
        lines, dots = slice(0, starts[-1]), slice(starts[-1], None)
        styles = [(line[2], *line[3]) for line in self._lines] or [(0, 0, 0, 0)]
        spacing = np.array([line[4] for line in self._lines], float)
        off_screen = (np.abs(xy[lines] - self.camera.principal_point) > self.camera.size).any(axis=1)
        xy[lines][off_screen] = np.nan
        sample_pixels, samples, line = raster.resample_polylines(
            xy[lines], values[lines], starts, spacing, self.camera.size
        )
        style = np.array(styles, float)[line]
        sizes = np.concatenate([dot[2] for dot in self._dots] or [np.empty(0)])
        tones = np.concatenate([np.tile(dot[3], (len(dot[0]), 1)) for dot in self._dots] or [np.empty((0, 3))])
        samples = np.concatenate([samples, values[dots]])
        return (
            samples[:, :3],
            np.concatenate([sample_pixels, xy[dots]]),
            np.append(style[:, 0], sizes),
            np.concatenate([style[:, 1:], tones.astype(float)]),
            samples[:, 3],
        )
