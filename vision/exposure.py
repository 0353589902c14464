"""What a camera makes of a scene: the streak of a moving ball, its shadow, defocus, the noise of the sensor.

Only the pixels that a ball touches are computed: its disc at many times within the exposure, averaged. Light adds up on
the sensor, so colours are averaged as squares of the stored values (a gamma of 2, close to that of cameras).

An image is (H, W, 3) uint8, blue, green, red; pixel centres are whole numbers.
"""

import math
from typing import NamedTuple

import numpy as np

from ballcast.sim.jit import strict

MAX_STEPS = 64  # discs of a streak
STEP = 0.4  # px between two of them, at the smallest
EDGE = 0.5  # px over which the edge of a sharp disc fades, on each side
NOISE_TILE = 512  # px, side of the noise that is drawn once; each frame takes it from elsewhere


class Light(NamedTuple):
    """How a ball is lit, in the camera's frame: x right, y down, z forwards."""

    direction: tuple[float, float, float] = (-0.3, -0.85, -0.43)  # towards the light, of length 1
    ambient: float = 0.45  # share of the colour on the dark side
    gloss: float = 0.15  # of white, in the highlight


class Streak(NamedTuple):
    """A disc at K times of an exposure."""

    centre: np.ndarray  # (K, 2) px
    axes: np.ndarray  # (K, 2, 2) px: the columns are the half axes of the ellipse
    blur: float = EDGE  # px over which the edge fades on each side: EDGE and the defocus


def steps_for(length: float, radius: float) -> int:
    """How many discs make a streak of `length` px without steps that are seen."""
    return int(np.clip(math.ceil(length / max(STEP, 0.2 * radius)) + 1, 3, MAX_STEPS))


def round_streak(start: np.ndarray, end: np.ndarray, radius: float, blur: float = EDGE) -> Streak:
    """The Streak of a round ball of `radius` px whose centre moves evenly from start (2,) to end (2,) px."""
    count = steps_for(float(np.hypot(*(end - start))), radius)
    share = (np.arange(count) + 0.5)[:, None] / count
    return Streak(start + share * (end - start), np.tile(radius * np.eye(2), (count, 1, 1)), blur)


def box_of(streak: Streak, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The pixels that a streak can touch, (left, top, right, bottom) with the ends left out; None outside the image."""
    reach = np.abs(streak.axes).sum(axis=2) + 2.0 * streak.blur + 1.0
    low, high = (streak.centre - reach).min(axis=0), (streak.centre + reach).max(axis=0)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    left, top = (max(0, math.floor(low[k])) for k in range(2))
    right, bottom = (min(size[k], math.ceil(high[k]) + 1) for k in range(2))
    return (left, top, right, bottom) if left < right and top < bottom else None


def paint_ball(
    image: np.ndarray, streak: Streak, color: tuple[float, float, float], light: Light, over: np.ndarray | None = None
) -> float:
    """Paint the streak of a ball into an image; the share of it (0 to 1) that is seen.

    color  blue, green, red, 0 to 255, of the lit side
    over   (H, W) float32, 0 to 1: how much of each pixel is hidden by what will be painted over it; None: nothing is
    """
    box = box_of(streak, image.shape[1::-1])
    if box is None:
        return 0.0
    cover, lit = accumulate(streak, light, box)
    total = float(np.abs(np.linalg.det(streak.axes)).mean() * math.pi)
    left, top, right, bottom = box
    blend(image[top:bottom, left:right], cover, lit, np.array(color, float))
    if over is not None:
        cover = cover * (1.0 - over[top:bottom, left:right])
    return float(min(1.0, cover.sum() / max(total, 1e-9)))


def accumulate(streak: Streak, light: Light, box: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The share of the exposure (h, w) in which each pixel of a box shows the disc, and how it is lit then (h, w, 2).

    lit: the square of the shading, and of the highlight, both times the share
    """
    left, top, right, bottom = box
    cover, lit = (
        np.zeros((bottom - top, right - left), np.float32),
        np.zeros((bottom - top, right - left, 2), np.float32),
    )
    direction = np.array(light.direction, float)
    _accumulate(streak.centre - [left, top], np.linalg.inv(streak.axes), float(streak.blur), direction,
                float(light.ambient), float(light.gloss), cover, lit)  # fmt: skip
    return cover, lit


@strict
def _accumulate(centre, inverse, blur, direction, ambient, gloss, cover, lit):
    height, width = cover.shape
    count = len(centre)
    share = 1.0 / count
    half = np.array([direction[0], direction[1], direction[2] - 1.0])
    half /= math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    for k in range(count):
        a, b, c, d = inverse[k, 0, 0], inverse[k, 0, 1], inverse[k, 1, 0], inverse[k, 1, 1]
        scale = math.sqrt(abs(a * d - b * c))  # 1 / px of the mean radius
        fade = blur * scale
        x, y = centre[k, 0], centre[k, 1]
        reach_x = (1.0 + fade) * math.hypot(d, b) / abs(a * d - b * c) + 1.0
        reach_y = (1.0 + fade) * math.hypot(c, a) / abs(a * d - b * c) + 1.0
        for j in range(max(0, int(y - reach_y)), min(height, int(y + reach_y) + 2)):
            for i in range(max(0, int(x - reach_x)), min(width, int(x + reach_x) + 2)):
                u, v = a * (i - x) + b * (j - y), c * (i - x) + d * (j - y)
                radius = math.hypot(u, v)
                inside = (1.0 - radius) / (2.0 * fade) + 0.5
                if inside <= 0.0:
                    continue
                inside = min(inside, 1.0)
                inside = inside * inside * (3.0 - 2.0 * inside)
                if radius > 1.0:
                    u, v = u / radius, v / radius
                w = math.sqrt(max(0.0, 1.0 - u * u - v * v))
                diffuse = max(0.0, u * direction[0] + v * direction[1] - w * direction[2])
                shade = ambient + (1.0 - ambient) * diffuse
                shine = gloss * max(0.0, u * half[0] + v * half[1] - w * half[2]) ** 20
                cover[j, i] += share * inside
                lit[j, i, 0] += share * inside * shade * shade
                lit[j, i, 1] += share * inside * shine * shine


@strict
def blend(pixels, cover, lit, color):
    """Blend light into pixels (h, w, 3) uint8: cover (h, w) hides them, lit (h, w, 2) is as `accumulate` gives it."""
    for j in range(cover.shape[0]):
        for i in range(cover.shape[1]):
            if cover[j, i] > 0.0:
                for k in range(3):
                    light = (1.0 - cover[j, i]) * float(pixels[j, i, k]) ** 2
                    light += lit[j, i, 0] * color[k] * color[k] + lit[j, i, 1] * 65025.0
                    pixels[j, i, k] = np.uint8(min(math.sqrt(light) + 0.5, 255.0))


def paint_shadow(image: np.ndarray, streak: Streak, strength: float, over: np.ndarray | None = None) -> None:
    """Darken an image where the streak of a shadow lies, by up to `strength` (0 to 1) of the light."""
    box = box_of(streak, image.shape[1::-1])
    if box is None:
        return
    left, top, right, bottom = box
    cover, _ = accumulate(streak, Light(), box)
    if over is not None:
        cover = cover * (1.0 - over[top:bottom, left:right])
    part = image[top:bottom, left:right]
    part[...] = part * np.sqrt(1.0 - strength * cover)[..., None]


class SensorNoise:
    """The noise of a sensor: more in the light than in the dark, correlated between neighbours as after demosaicing.

    sd     standard deviation at mid grey, of 255
    grain  px over which neighbouring pixels share their noise
    tile   px, side of the noise that is drawn once
    """

    def __init__(self, random: np.random.Generator, sd: float, grain: float = 0.6, tile: int = NOISE_TILE):
        import cv2

        grains = random.standard_normal((tile, tile, 3), np.float32)
        grains += random.standard_normal((tile, tile, 1), np.float32)  # brightness more than colour
        grains = cv2.GaussianBlur(grains, (0, 0), max(grain, 0.1))
        self._tile, self._random = grains * np.float32(sd / grains.std()), random

    def add(self, image: np.ndarray) -> np.ndarray:
        """A new image (H, W, 3) uint8 with noise."""
        shift = self._random.integers(0, len(self._tile), 2)
        out = np.empty_like(image)
        _add_noise(image, self._tile, int(shift[0]), int(shift[1]), bool(self._random.random() < 0.5), out)
        return out


@strict
def _add_noise(image, tile, down, right, mirrored, out):
    side = len(tile)
    for j in range(image.shape[0]):
        row = tile[(j + down) % side]
        for i in range(image.shape[1]):
            at = (i + right) % side
            at = side - 1 - at if mirrored else at
            for k in range(3):
                value = float(image[j, i, k])
                value += row[at, k] * (0.6 + 0.4 * value / 128.0) + 0.5
                out[j, i, k] = np.uint8(min(max(value, 0.0), 255.0))
