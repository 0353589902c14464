"""A part of the picture, enlarged, beside the place that it shows: points are put to a fraction of a pixel."""

from typing import TYPE_CHECKING

import numpy as np
import pygame

from ballcast.render.palette import MUTED_COLOR, TEXT_COLOR
from ballcast.viewer.calibration.colors import CHOSEN_COLOR, PLACED_COLOR
from ballcast.viewer.calibration.surface import surface_of

if TYPE_CHECKING:
    from ballcast.viewer.panels.canvas import Canvas

SIZE, AWAY = 150, 26  # units: its sides; from the place to its border
FACTORS = (6, 8, 4, 0)  # px of the screen for one of the video; 0: no loupe
GAP = 7  # px from the middle to the cross: what it shows stays free
BACKGROUND = (20, 22, 26)


def paint(canvas: "Canvas", image: np.ndarray, pixel: np.ndarray, beside: np.ndarray, factor: int,
          marks: dict[str, np.ndarray]) -> None:  # fmt: skip
    """Paint what is around a pixel (2,) of an image (H, W, 3).

    beside  (2,) px of the screen, where the pixel is shown
    marks   the points that are there, name -> px of the video
    """
    side = round(SIZE * canvas.scale)
    panel = pygame.Surface((side, side))
    panel.fill(BACKGROUND)
    part, corner = _enlarged(image, pixel, side, factor)
    if part is not None:
        panel.blit(part, corner)
    for mark in marks.values():
        at = side / 2 + factor * (mark - pixel)
        if (np.abs(at - side / 2) < side).all():
            pygame.draw.circle(panel, PLACED_COLOR, tuple(at), factor, 1)
    _cross(panel, side)
    x, y = _corner(canvas, beside, side)
    canvas.surface.blit(panel, (x, y))
    pygame.draw.rect(canvas.surface, MUTED_COLOR, (x - 1, y - 1, side + 2, side + 2), 1)
    words = f"{pixel[0]:.2f}, {pixel[1]:.2f}   {factor}x"
    canvas.plate((x + side / 2) / canvas.scale, (y + side) / canvas.scale + 5, words, 15, TEXT_COLOR, 0.5)


def _enlarged(image, pixel, side, factor):
    """The part of the image as a surface, and its corner in the panel, px; None where there is nothing."""
    half = side / 2 / factor
    height, width = image.shape[:2]
    low = np.clip(np.floor(pixel - half).astype(int), 0, [width, height])
    high = np.clip(np.ceil(pixel + half + 1).astype(int), 0, [width, height])
    if (high <= low).any():
        return None, None
    part = image[low[1] : high[1], low[0] : high[0]]
    surface = pygame.transform.smoothscale(surface_of(part), (part.shape[1] * factor, part.shape[0] * factor))
    corner = side / 2 + factor * (low - 0.5 - pixel)
    return surface, (round(corner[0]), round(corner[1]))


def _cross(panel, side):
    middle = side // 2
    for a, b in ((0, middle - GAP), (middle + GAP, side)):
        pygame.draw.line(panel, CHOSEN_COLOR, (a, middle), (b, middle))
        pygame.draw.line(panel, CHOSEN_COLOR, (middle, a), (middle, b))
    panel.set_at((middle, middle), CHOSEN_COLOR)


def _corner(canvas, beside, side):
    """Where it is put, px: up and to the right of the place, or where there is room."""
    away, (width, height) = AWAY * canvas.scale, canvas.surface.get_size()
    x = beside[0] + away if beside[0] + away + side < width else beside[0] - away - side
    y = beside[1] - away - side if beside[1] - away - side > 0 else beside[1] + away
    return round(np.clip(x, 0, width - side)), round(np.clip(y, 0, height - side))
