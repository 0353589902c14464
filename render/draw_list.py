"""What is to be painted at its depth: gathered first, then painted together, each thing behind what hides it.

Each thing is painted before the first layer of the backdrop (from far to near) that hides it from the camera. Before
one layer, fills are painted first, then regions, lines and dots in their order, then balls.
"""

import numpy as np

from ballcast.render import raster
from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import Perspective
from ballcast.render.confidence_tube import Region

RIM, RIM_ALPHA, MIDDLE_ALPHA = 0.06, 0.09, 0.42  # of regions: the density over which the rim appears, and alphas
LAYER_MARGIN = 40  # px round a layer within which it may hide a ball of the usual size
Color = tuple[float, float, float]


class DrawList:
    def __init__(self, camera: Perspective):
        self.camera = camera
        self._lines, self._dots, self._fills, self._regions, self._balls = [], [], [], [], []

    def line(
        self, points: np.ndarray, radius: float, color: Color, alpha: float | np.ndarray, spacing: float | None = None
    ) -> None:
        """A path through points (N, 3) m as discs of radius px, every `spacing` px; alpha a number or (N,)."""
        self._lines.append((points, np.broadcast_to(alpha, len(points)), radius, color, spacing or radius))

    def dots(self, points: np.ndarray, radius: float | np.ndarray, color: Color, alpha: float | np.ndarray) -> None:
        """Dots at points (N, 3) m; radius px and alpha numbers or (N,)."""
        self._dots.append((points, *(np.broadcast_to(a, len(points)) for a in (alpha, radius)), color))

    def fill(self, anchor: np.ndarray, corners: np.ndarray, starts: np.ndarray, color: Color, alpha: float) -> None:
        """Outlines in px as raster.fill takes them; hidden by what hides the anchor (3,) m."""
        if len(corners):
            self._fills.append((anchor, corners, starts, color, alpha))

    def region(
        self, anchor: np.ndarray, region: Region, color: Color, alphas: tuple[float, float] = (RIM_ALPHA, MIDDLE_ALPHA)
    ) -> None:
        """A region of a forecast, hidden by what hides the anchor (3,) m; alphas: at its rim, where densest."""
        self._regions.append((anchor, region, color, alphas))

    def ball(self, position: np.ndarray, radius: float, color: Color, orientation: np.ndarray) -> None:
        """A shaded ball of radius px at a position (3,) m; orientation (3, 3) as raster.sphere takes it."""
        self._balls.append((position, radius, color, orientation))

    def paint(self, pixels: np.ndarray, backdrop: Backdrop) -> None:
        """Fill the picture (W, H) uint32 with the backdrop and everything in this list."""
        points, xy, radius, color, alpha = self._sample_points()
        anchors = np.array([item[0] for item in (*self._fills, *self._regions, *self._balls)]).reshape(-1, 3)
        anchor_pixels = self.camera.project(anchors)[0]
        places = np.concatenate([points, anchors]), np.concatenate([xy, anchor_pixels])
        layers = backdrop.occluding_layer(*places, LAYER_MARGIN)
        counts = len(points), len(self._fills), len(self._regions)
        point_layers, fill_layers, region_layers, ball_layers = np.split(layers, np.cumsum(counts))
        ball_pixels = anchor_pixels[len(self._fills) + len(self._regions) :]

        def draw_layer(layer):
            for (_, corners, starts, tone, opacity), item_layer in zip(self._fills, fill_layers):
                if item_layer == layer:
                    raster.fill(pixels, corners, starts, np.array(tone, float), opacity, backdrop.coverage_buffer)
            for (_, region, tone, alphas), item_layer in zip(self._regions, region_layers):
                if item_layer == layer:
                    paint_region(pixels, region, tone, alphas)
            raster.discs(pixels, xy, radius, color, alpha, point_layers, layer)
            for (_, size, tone, orientation), (x, y), item_layer in zip(self._balls, ball_pixels, ball_layers):
                if item_layer == layer:
                    raster.sphere(pixels, x, y, size, np.array(tone, float), orientation)

        backdrop.paint(pixels, set(layers.tolist()), draw_layer)

    def _sample_points(self):
        """All lines and dots as dots: points (N, 3) m, xy (N, 2) px, radius (N,) px, color (N, 3), alpha (N,)."""
        entries = [*self._lines, *self._dots]
        if not entries:
            return np.empty((0, 3)), np.empty((0, 2)), np.empty(0), np.empty((0, 3)), np.empty(0)
        values = np.concatenate([np.column_stack(entry[:2]) for entry in entries])
        xy, _ = self.camera.project(values[:, :3])
        starts = np.cumsum([0] + [len(line[0]) for line in self._lines])
        lines, dots = slice(0, starts[-1]), slice(starts[-1], None)
        styles = [(line[2], *line[3]) for line in self._lines] or [(0, 0, 0, 0)]
        spacing = np.array([line[4] for line in self._lines], float)
        off_screen = (np.abs(xy[lines] - self.camera.principal_point) > self.camera.size).any(axis=1)
        xy[lines][off_screen] = np.nan
        sampled = raster.resample_polylines(xy[lines], values[lines], starts, spacing, self.camera.size)
        style = np.array(styles, float)[sampled[2]]
        sizes = np.concatenate([dot[2] for dot in self._dots] or [np.empty(0)])
        tones = np.concatenate([np.tile(dot[3], (len(dot[0]), 1)) for dot in self._dots] or [np.empty((0, 3))])
        samples = np.concatenate([sampled[1], values[dots]])
        xy, color = np.concatenate([sampled[0], xy[dots]]), np.concatenate([style[:, 1:], tones.astype(float)])
        return samples[:, :3], xy, np.append(style[:, 0], sizes), color, samples[:, 3].copy()


def paint_region(
    pixels: np.ndarray, region: Region, color: Color, alphas: tuple[float, float] = (RIM_ALPHA, MIDDLE_ALPHA)
) -> None:
    """Paint a region over a picture (W, H) uint32."""
    place = region.density, region.corner, region.spacing
    raster.cloud(pixels, *place, np.array(color, float), RIM, *alphas)
