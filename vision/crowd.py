"""People who sit in the stands round a place, row above row, at random.

picture = crowd(rng, size=(1800, 600), scale=60.0, below=1.0)        # (H, W, 3) uint8, blue, green, red
"""

from collections.abc import Sequence

import numpy as np

from ballcast.vision.textures import any_color

ROW, SEAT = 0.75, 0.55  # m, from a row to the next above, and from a seat to the next
HEAD, SHOULDERS, CHEST = 0.10, 0.22, 0.34  # m: half a head, half the shoulders, half of what is seen of the body
SHIFT = 3  # bits of a fraction of a pixel that OpenCV draws with
AISLE = 14  # seats between two aisles


def crowd(random: np.random.Generator, size: Sequence[int], scale: float, below: float = 0.0) -> np.ndarray:
    """A stand of `size` (width, height) px with `scale` px per m, whose lowest row begins `below` m above the edge."""
    import cv2

    width, height = size
    light, filled = random.uniform(0.25, 0.9), random.uniform(0.25, 0.98)
    seats, concrete = any_color(random, 1.2), np.full(3, random.uniform(40, 140))
    image = np.empty((height, width, 3), np.uint8)
    image[...] = np.clip(light * concrete, 0, 255)
    rows, columns = int((height / scale - below) / ROW) + 1, int(width / scale / SEAT) + 1
    aisles = int(random.integers(0, AISLE))
    for row in reversed(range(rows)):  # from the top: those before cover those behind
        up = below + 0.25 + row * ROW
        shade = light * (1.0 - 0.35 * row / max(rows, 1))
        y = height - up * scale
        band = (0, round(y - 0.3 * scale)), (width, round(y + 0.25 * scale))
        cv2.rectangle(image, *band, np.clip(shade * seats, 0, 255).tolist(), -1)
        for column in range(columns):
            if (column + aisles) % AISLE == 0 or random.random() > filled:
                continue
            x = (column + 0.5 * (row % 2) + random.normal(0.5, 0.08)) * SEAT * scale
            _paint_person(cv2, image, random, (x, y + random.normal(0.0, 0.05) * scale), scale, shade)
    soft = cv2.GaussianBlur(image, (0, 0), max(0.4, 0.012 * scale))
    return soft


def _paint_person(cv2, image, random, place, scale, shade):
    """Shoulders, head and hair of somebody whose chest is at a place (x, y) px."""
    x, y = place
    shirt = any_color(random, 1.2) * shade
    skin = np.array([110.0, 145.0, 200.0]) * random.uniform(0.3, 1.15) * shade
    hair = np.array([40.0, 55.0, 80.0]) * random.uniform(0.1, 1.8) * shade
    for color, at, half in (
        (shirt, (x, y), (SHOULDERS, CHEST)),
        (hair, (x, y - 0.42 * scale), (HEAD, 1.25 * HEAD)),
        (skin, (x + random.normal(0.0, 0.02) * scale, y - 0.38 * scale), (0.85 * HEAD, 1.05 * HEAD)),
    ):
        middle = tuple(int(round(value * (1 << SHIFT))) for value in at)
        axes = tuple(max(1, int(value * scale * (1 << SHIFT))) for value in half)
        cv2.ellipse(image, middle, axes, 0, 0, 360, np.clip(color, 0, 255).tolist(), -1, cv2.LINE_AA, SHIFT)
