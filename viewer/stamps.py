"""Small antialiased pictures, drawn many times: soft dots that make up points and paths, and the shaded ball.

    screen.fblits(dots(xy, radius, color, alpha), pygame.BLEND_PREMULTIPLIED)
    image = ball_image(radius, color, turn)

A path is dots so close that they run together: smooth, and free to fade along its length.
"""

from functools import lru_cache

import numpy as np
import pygame

PARTS = 4  # sprites are kept for this many places within a pixel, each way
SHADES = 16  # and for this many strengths
LIGHT = np.array([-0.45, -0.65, 0.61])  # towards the light: picture's right, down, towards the eye
LIGHT = LIGHT / np.linalg.norm(LIGHT)
SEAM = 0.13  # half width of a seam, in radii


@lru_cache(maxsize=64)
def sheet(radius, color):
    """All sprites of a disc of `radius` px: by strength, then by the place of its centre within a pixel, x and y."""
    half = int(np.ceil(radius + 1.5))
    grid, places = np.arange(2 * half + 1) - half, np.arange(PARTS) / PARTS
    discs = [np.clip(radius + 0.5 - np.hypot(grid[:, None] - x, grid - y), 0, 1) for x in places for y in places]
    return [image(color, disc * strength / SHADES) for strength in range(SHADES + 1) for disc in discs]


def image(color, alpha):
    """A premultiplied picture (w, h) of one colour, or of colours (w, h, 3), with alpha (w, h) between 0 and 1."""
    surface = pygame.Surface(alpha.shape, pygame.SRCALPHA)
    pygame.surfarray.pixels3d(surface)[:] = np.round(np.asarray(color) * alpha[..., None])
    pygame.surfarray.pixels_alpha(surface)[:] = np.round(255 * alpha)
    return surface


def dots(xy, radius, color, alpha):
    """A list of (sprite, corner) for dots at xy (N, 2) px, alpha (N,) or a number; what is out of sight is left out."""
    strength = np.round(np.asarray(alpha) * SHADES)
    use = np.isfinite(xy[:, 0]) & (np.abs(xy).max(axis=1, initial=0) < 1e4) & (strength >= 1)
    quarters = np.round(xy[use] * PARTS).astype(int)
    corner = quarters // PARTS - int(np.ceil(radius + 1.5))
    x, y = (quarters % PARTS).T
    index = np.broadcast_to(strength, len(xy))[use].astype(int) * PARTS**2 + x * PARTS + y
    return list(zip(map(sheet(radius, color).__getitem__, index.tolist()), corner.tolist()))


def along(xy, values, spacing):
    """Points every `spacing` px along a polyline xy (N, 2), and `values` (N, K) there: (M, 2), (M, K).

    Corners that are out of sight (NaN) break the line.
    """
    length = np.nan_to_num(np.hypot(*np.diff(xy, axis=0).T))
    run = np.append(0, np.cumsum(length))
    if not 0 < run[-1] < 1e5:
        return xy[:0], values[:0]
    at = np.arange(0, run[-1], spacing)
    right = np.clip(np.searchsorted(run, at, side="right"), 1, len(run) - 1)
    part = ((at - run[right - 1]) / np.maximum(length[right - 1], 1e-9))[:, None]
    return (array[right - 1] + part * (array[right] - array[right - 1]) for array in (xy, values))


def ball_image(radius, color, turn):
    """A ball of `radius` px, lit from above left, with two seams that show how it is turned.

    turn  (3, 3): takes a direction in the picture (right, down, towards the eye) to the ball's own axes
    """
    half = int(np.ceil(radius + 1))
    grid = (np.arange(2 * half + 1) - half) / radius
    x, y = np.meshgrid(grid, grid, indexing="ij")
    away = np.hypot(x, y)
    z = np.sqrt(np.maximum(1 - away**2, 0))
    normal = np.stack([x, y, z], axis=-1)
    own = normal @ turn.T
    seam = np.minimum(np.abs(own[..., 0]), np.abs(own[..., 1]))
    dark = np.clip((SEAM - seam) * radius / 1.5 + 0.5, 0, 1) * 0.72
    light = np.clip(normal @ LIGHT, 0, 1)
    shine = np.clip(normal @ (LIGHT + (0, 0, 1)) / np.linalg.norm(LIGHT + (0, 0, 1)), 0, 1) ** 30
    tone = (0.36 + 0.70 * light) * (1 - dark)
    colors = np.clip(tone[..., None] * np.array(color) + 90 * shine[..., None], 0, 255)
    return image(colors, np.clip((1 - away) * radius + 0.5, 0, 1))
