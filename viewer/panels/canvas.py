"""Text and small marks on a picture, in units that follow its size: text, panels, dots, lines.

The font is pygame's own: no file and no system font is needed.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pygame

from ballcast.render import raster
from ballcast.render.palette import PANEL_COLOR, SOLID_PANEL_COLOR, VEIL_COLOR
from ballcast.viewer.screen import draw_pixels

Color = tuple[int, ...]  # red, green, blue and perhaps opacity, 0 to 255
MIN_WIDTH, MIN_HEIGHT = 960.0, 720.0  # units that a picture has at least
SMALL_SCALE, SMALL_HEIGHT = 0.6, 600.0  # px a unit, down to which pictures get fewer units, and how few
MIN_TEXT_PIXELS = 11  # px, the least height of a text
LABEL_GAP, PLATE_PAD = 8, 7  # units between a place and its label; beside a text on its own panel


@lru_cache(maxsize=16)
def _font(size):
    return pygame.font.Font(None, size)


@lru_cache(maxsize=1024)
def _text_image(text, size, color):
    """Text, drawn twice as large and scaled down: evenly spaced at small sizes too."""
    large = _font(2 * size).render(text, True, color)
    return pygame.transform.smoothscale(large, (-(-large.get_width() // 2), -(-large.get_height() // 2)))


@lru_cache(maxsize=1024)
def _text_size(text, size):
    """The size of _text_image, which is not made."""
    width, height = _font(2 * size).size(text)
    return -(-width // 2), -(-height // 2)


@lru_cache(maxsize=16)
def _background(size, color):
    panel = pygame.Surface((size[0] * 2, size[1] * 2), pygame.SRCALPHA)
    pygame.draw.rect(panel, color, panel.get_rect(), border_radius=24)
    return pygame.transform.smoothscale(panel, size)


@lru_cache(maxsize=1)
def _veil(size):
    veil = pygame.Surface(size, pygame.SRCALPHA)
    veil.fill(VEIL_COLOR)
    return veil


def scale_of(size: Sequence[float]) -> float:
    """How many px a unit is in a picture (width, height) px."""
    small = max(size[1] / MIN_HEIGHT, min(SMALL_SCALE, size[1] / SMALL_HEIGHT))
    return min(size[0] / MIN_WIDTH, small)


class Canvas:
    """`taken` lists the rectangles (x, y, width, height) of panels, and of texts outside them, in units: labels that
    follow the ball are put where none of these is."""

    def __init__(self, surface, scale=None):
        self.surface, self.taken = surface, []
        width, height = surface.get_size()
        self.scale = scale or scale_of((width, height))  # px
        self.width, self.height = width / self.scale, height / self.scale
        self._texts, self._dots = [], []  # drawn together, in a tenth of the time

    def flush(self) -> None:
        """Put the texts and dots so far on the surface: over everything else, dots over texts."""
        self.surface.fblits(self._texts)
        if self._dots:
            dots = np.concatenate(self._dots)
            parts = (part.copy() for part in (dots[:, :2], dots[:, 2], dots[:, 3:6], dots[:, 6]))
            draw_pixels(self.surface, raster.discs, *parts, np.zeros(len(dots), np.int64), 0)
        self._texts, self._dots = [], []

    def text(self, x: float, y: float, text: str, size: float, color: Color, alignment: float = 0.0) -> None:
        """Text that begins at x (alignment 0), is centred there (0.5) or ends there (1)."""
        if not text:
            return
        image = _text_image(text, self._text_pixels(size), color)
        self._texts.append((image, (round(x * self.scale - alignment * image.get_width()), round(y * self.scale))))

    def text_size(self, text: str, size: float) -> tuple[float, float]:
        """(width, height) of a text, units."""
        width, height = _text_size(text, self._text_pixels(size))
        return width / self.scale, height / self.scale

    def fitted(self, text: str, size: float, width: float) -> str:
        """The text, or as much of its beginning as has room in `width` units."""
        if self.text_size(text, size)[0] <= width:
            return text
        count = max(1, int(len(text) * width / self.text_size(text, size)[0]))
        while count > 1 and self.text_size(text[:count].rstrip() + "...", size)[0] > width:
            count -= 1
        return text[:count].rstrip() + "..."

    def wrapped(self, text: str, size: float, width: float) -> list[str]:
        """The text in lines of at most `width` units."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self.text_size(longer, size)[0] > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return [self.fitted(line, size, width) for line in lines]

    def balanced(self, text: str, size: float, width: float) -> list[str]:
        """The text in as few lines of at most `width` units, and these about equally long."""
        lines = self.wrapped(text, size, width)
        for share in (0.5, 0.6, 0.7, 0.8, 0.9):
            shorter = self.wrapped(text, size, share * width)
            if len(shorter) == len(lines) > 1:
                return shorter
        return lines

    def plate(self, x: float, y: float, text: str, size: float, color: Color, alignment: float = 0.0) -> None:
        """A text over the scene, on a small panel."""
        width, height = self.text_size(text, size)
        self.panel_background(x - alignment * width - PLATE_PAD, y - 3, width + 2 * PLATE_PAD, height + 4)
        self.text(x, y, text, size, color, alignment)

    def label(self, x: float, y: float, text: str, size: float, color: Color, away: float = 0.0) -> bool:
        """A text beside a place (x, y), `away` from it at least, where nothing else is; whether there was room."""
        width, height = self.text_size(text, size)
        width, height = width + 2 * PLATE_PAD, height + 4
        gap = away + LABEL_GAP
        across, up = gap + width, gap + height
        corners = [(x + gap, y - height / 2), (x - across, y - height / 2), (x - width / 2, y - up)]
        corners += [(x - width / 2, y + gap), (x + gap, y - up), (x - across, y - up)]
        corners += [(x - width / 2 + i * width, y + j * up) for j in (-2, 1, -3, 2) for i in (0, -1, 1)]
        corner = next((c for c in corners if self.is_free(*c, width, height)), None)
        if corner is not None:
            self.plate(corner[0] + PLATE_PAD, corner[1] + 3, text, size, color)
        return corner is not None

    def is_covered(self, x: float, y: float) -> bool:
        """Whether a panel or a text is at a place."""
        return any(left <= x < left + w and top <= y < top + h for left, top, w, h in self.taken)

    def is_free(self, x: float, y: float, width: float, height: float) -> bool:
        """Whether a rectangle is inside the picture, and no panel or text is there."""
        inside = 0 <= x and x + width <= self.width and 0 <= y and y + height <= self.height
        return inside and not any(
            x < left + w and left < x + width and y < top + h and top < y + height for left, top, w, h in self.taken
        )

    def panel_background(self, x: float, y: float, width: float, height: float, color: Color = PANEL_COLOR) -> None:
        """A panel with round corners, translucent unless its colour is not."""
        self.taken.append((x, y, width, height))
        size = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
        self.surface.blit(_background(size, color), (round(x * self.scale), round(y * self.scale)))

    def cover(self, x: float, y: float, width: float, height: float) -> None:
        """Darken the whole picture, and lay a panel over it through which nothing is seen."""
        self.flush()
        self.surface.blit(_veil(self.surface.get_size()), (0, 0))
        self.panel_background(x, y, width, height, SOLID_PANEL_COLOR)

    def _text_pixels(self, size):
        return max(MIN_TEXT_PIXELS, round(size * self.scale))

    def line(self, x0: float, y0: float, x1: float, y1: float, color: Color, thickness: float = 1.0) -> None:
        """A horizontal or vertical line."""
        start, end = ((round(x * self.scale), round(y * self.scale)) for x, y in ((x0, y0), (x1, y1)))
        pygame.draw.line(self.surface, color, start, end, max(1, round(thickness * self.scale)))

    def path(self, xy: np.ndarray | Sequence[Sequence[float]], color: Color) -> None:
        """A smooth thin line through xy (N, 2)."""
        if len(xy) > 1:
            pygame.draw.aalines(self.surface, color, False, xy * self.scale)

    def bar(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """A filled rectangle."""
        left, top, right, bottom = (round(a * self.scale) for a in (x, y, x + width, y + height))
        pygame.draw.rect(self.surface, color, (left, top, max(1, right - left), max(1, bottom - top)))

    def dots(self, xy: np.ndarray | Sequence[Sequence[float]], radius: float, color: Color, alpha: float = 1.0) -> None:
        """Soft dots at xy (N, 2)."""
        rows = np.empty((len(xy), 7))
        rows[:, :2], rows[:, 2], rows[:, 3:6], rows[:, 6] = xy, radius, color, alpha
        rows[:, :3] *= self.scale
        self._dots.append(rows)

    def ball(self, x: float, y: float, radius: float, color: Color, orientation: np.ndarray) -> None:
        """A shaded ball; orientation (3, 3) as raster.sphere takes it."""
        place = x * self.scale, y * self.scale, radius * self.scale
        draw_pixels(self.surface, raster.sphere, *place, np.array(color, float), orientation)

    def image(self, pixels: np.ndarray, x: float, y: float, width: float, height: float) -> None:
        """Colours (W, H, 3) stretched over a rectangle."""
        image = pygame.surfarray.make_surface(pixels)
        size = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
        self.surface.blit(pygame.transform.smoothscale(image, size), (round(x * self.scale), round(y * self.scale)))
