"""Words and small marks on a picture, in units that follow its size: text, panes, dots, lines.

    pen = Pen(surface)                       # a picture of 1280 x 720 is pen.wide x pen.tall = 1280 x 720 units
    pen.pane(16, 16, 292, 400)
    pen.text(32, 32, "speed", 19, MUTED)
    pen.flush()

pygame's own font: no file and no system font is needed.
"""

from functools import lru_cache

import numpy as np
import pygame
from ballcast.render import raster

TEXT, MUTED, FAINT, RULE = (238, 241, 245), (158, 168, 180), (112, 122, 134), (62, 70, 80)
GLASS = (10, 13, 18, 178)
WIDE, TALL = 960.0, 720.0  # units that there always are, at the least
SMALLEST = 8  # px of a text's height


@lru_cache(maxsize=16)
def _font(size):
    return pygame.font.Font(None, size)


@lru_cache(maxsize=1024)
def _word(text, size, color):
    """Text, drawn twice as large and scaled down: evenly spaced at small sizes too."""
    large = _font(2 * size).render(text, True, color)
    return pygame.transform.smoothscale(large, (-(-large.get_width() // 2), -(-large.get_height() // 2)))


@lru_cache(maxsize=16)
def _glass(size):
    """A dark pane with round corners."""
    pane = pygame.Surface((size[0] * 2, size[1] * 2), pygame.SRCALPHA)
    pygame.draw.rect(pane, GLASS, pane.get_rect(), border_radius=24)
    return pygame.transform.smoothscale(pane, size)


class Pen:
    """Writes on a surface. Places and sizes are in units, from the left and from above."""

    def __init__(self, surface, unit=None):
        self.surface = surface
        size = surface.get_size()
        self.unit = unit or min(size[0] / WIDE, size[1] / TALL)  # px
        self.wide, self.tall = size[0] / self.unit, size[1] / self.unit
        self._words, self._dots = [], []  # one call for all of them takes a tenth of the time

    def flush(self):
        """Put the words and dots so far on the surface: over all else, dots over words."""
        self.surface.fblits(self._words)
        if self._dots:
            told = np.concatenate(self._dots)
            pixels = pygame.surfarray.pixels2d(self.surface)  # locks the surface as long as it lives
            raster.discs(pixels, told[:, :2], told[:, 2], told[:, 3:6], told[:, 6], np.zeros(len(told), np.int64), 0)
        self._words, self._dots = [], []

    def text(self, x, y, text, size, color, share=0.0):
        """Text with its point `share` of its width at x: 1.0 ends there."""
        word = _word(text, max(SMALLEST, round(size * self.unit)), color)
        self._words.append((word, (round(x * self.unit - share * word.get_width()), round(y * self.unit))))

    def outlined(self, x, y, text, size, color, share=0.0):
        """Text that can be read on any ground: with a dark rim below it."""
        self.text(x + 1, y + 1, text, size, (0, 0, 0), share)
        self.text(x, y, text, size, color, share)

    def pane(self, x, y, wide, tall):
        """A dark pane to write on."""
        size = (max(1, round(wide * self.unit)), max(1, round(tall * self.unit)))
        self.surface.blit(_glass(size), (round(x * self.unit), round(y * self.unit)))

    def line(self, x0, y0, x1, y1, color, thick=1.0):
        """A level or upright line."""
        ends = [(round(x * self.unit), round(y * self.unit)) for x, y in ((x0, y0), (x1, y1))]
        pygame.draw.line(self.surface, color, *ends, max(1, round(thick * self.unit)))

    def path(self, xy, color):
        """A smooth thin line through xy (N, 2)."""
        if len(xy) > 1:
            pygame.draw.aalines(self.surface, color, False, xy * self.unit)

    def bar(self, x, y, wide, tall, color):
        """A filled rectangle."""
        left, top, right, bottom = (round(a * self.unit) for a in (x, y, x + wide, y + tall))
        pygame.draw.rect(self.surface, color, (left, top, max(1, right - left), max(1, bottom - top)))

    def dots(self, xy, radius, color, alpha=1.0):
        """Soft dots at xy (N, 2)."""
        told = np.empty((len(xy), 7))
        told[:, :2], told[:, 2], told[:, 3:6], told[:, 6] = xy, radius, color, alpha
        told[:, :3] *= self.unit
        self._dots.append(told)

    def ball(self, x, y, radius, color, turn):
        """A shaded ball, turned as raster.sphere says."""
        pixels = pygame.surfarray.pixels2d(self.surface)
        raster.sphere(pixels, x * self.unit, y * self.unit, radius * self.unit, np.array(color, float), turn)

    def picture(self, pixels, x, y, wide, tall):
        """Colours (W, H, 3) stretched over a rectangle."""
        image = pygame.surfarray.make_surface(pixels)
        size = (max(1, round(wide * self.unit)), max(1, round(tall * self.unit)))
        self.surface.blit(pygame.transform.smoothscale(image, size), (round(x * self.unit), round(y * self.unit)))


def length(metres):
    """A length in words."""
    return f"{1e3 * metres:.0f} mm" if metres < 0.9995 else f"{metres:.2f} m"
