"""Text and small marks on a picture, in units that follow its size: text, panels, dots, lines.

The font is pygame's own: no file and no system font is needed.
"""

from functools import lru_cache

import numpy as np
import pygame

from ballcast.render import raster
from ballcast.render.palette import PANEL_COLOR

MIN_WIDTH, MIN_HEIGHT = 960.0, 720.0  # units that a picture has at least
MIN_TEXT_PIXELS = 8  # px, the least height of a text


@lru_cache(maxsize=16)
def _font(size):
    return pygame.font.Font(None, size)


@lru_cache(maxsize=1024)
def _text_image(text, size, color):
    """Text, drawn twice as large and scaled down: evenly spaced at small sizes too."""
    large = _font(2 * size).render(text, True, color)
    return pygame.transform.smoothscale(large, (-(-large.get_width() // 2), -(-large.get_height() // 2)))


@lru_cache(maxsize=16)
def _background(size):
    panel = pygame.Surface((size[0] * 2, size[1] * 2), pygame.SRCALPHA)
    pygame.draw.rect(panel, PANEL_COLOR, panel.get_rect(), border_radius=24)
    return pygame.transform.smoothscale(panel, size)


class Canvas:
    def __init__(self, surface, scale=None):
        self.surface = surface
        size = surface.get_size()
        self.scale = scale or min(size[0] / MIN_WIDTH, size[1] / MIN_HEIGHT)  # px
        self.width, self.height = size[0] / self.scale, size[1] / self.scale
        self._texts, self._dots = [], []  # drawn together, in a tenth of the time

    def flush(self):
        """Put the texts and dots so far on the surface: over everything else, dots over texts."""
        self.surface.fblits(self._texts)
        if self._dots:
            dots = np.concatenate(self._dots)
            parts = (part.copy() for part in (dots[:, :2], dots[:, 2], dots[:, 3:6], dots[:, 6]))
            pixels = pygame.surfarray.pixels2d(self.surface)  # locks the surface as long as it lives
            raster.discs(pixels, *parts, np.zeros(len(dots), np.int64), 0)
        self._texts, self._dots = [], []

    def text(self, x, y, text, size, color, alignment=0.0):
        """Text that begins at x (alignment 0), is centred there (0.5) or ends there (1)."""
        image = _text_image(text, max(MIN_TEXT_PIXELS, round(size * self.scale)), color)
        self._texts.append((image, (round(x * self.scale - alignment * image.get_width()), round(y * self.scale))))

    def outlined_text(self, x, y, text, size, color, alignment=0.0):
        self.text(x + 1, y + 1, text, size, (0, 0, 0), alignment)
        self.text(x, y, text, size, color, alignment)

    def panel_background(self, x, y, width, height):
        size = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
        self.surface.blit(_background(size), (round(x * self.scale), round(y * self.scale)))

    def line(self, x0, y0, x1, y1, color, thickness=1.0):
        """A horizontal or vertical line."""
        ends = [(round(x * self.scale), round(y * self.scale)) for x, y in ((x0, y0), (x1, y1))]
        pygame.draw.line(self.surface, color, *ends, max(1, round(thickness * self.scale)))

    def path(self, xy, color):
        """A smooth thin line through xy (N, 2)."""
        if len(xy) > 1:
            pygame.draw.aalines(self.surface, color, False, xy * self.scale)

    def bar(self, x, y, width, height, color):
        left, top, right, bottom = (round(a * self.scale) for a in (x, y, x + width, y + height))
        pygame.draw.rect(self.surface, color, (left, top, max(1, right - left), max(1, bottom - top)))

    def dots(self, xy, radius, color, alpha=1.0):
        """Soft dots at xy (N, 2)."""
        rows = np.empty((len(xy), 7))
        rows[:, :2], rows[:, 2], rows[:, 3:6], rows[:, 6] = xy, radius, color, alpha
        rows[:, :3] *= self.scale
        self._dots.append(rows)

    def ball(self, x, y, radius, color, orientation):
        """A shaded ball; orientation (3, 3) as raster.sphere takes it."""
        pixels = pygame.surfarray.pixels2d(self.surface)
        raster.sphere(pixels, x * self.scale, y * self.scale, radius * self.scale, np.array(color, float), orientation)

    def image(self, pixels, x, y, width, height):
        """Colours (W, H, 3) stretched over a rectangle."""
        image = pygame.surfarray.make_surface(pixels)
        size = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
        self.surface.blit(pygame.transform.smoothscale(image, size), (round(x * self.scale), round(y * self.scale)))


def format_length(metres):
    return f"{1e3 * metres:.0f} mm" if metres < 0.9995 else f"{metres:.2f} m"
