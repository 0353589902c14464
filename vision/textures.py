"""Procedural pictures: noise at several scales, crowds, floors, logos, lights. No files, only random numbers.

Images are (H, W, 3) uint8, blue, green, red.
"""

from collections.abc import Sequence

import numpy as np

LETTERS = "ABCDEFGHIJKLMNOPRSTUVWXYZ0123456789"


def noise(random: np.random.Generator, size: Sequence[int], finest: float = 2.0, roughness: float = 0.6) -> np.ndarray:
    """Noise (H, W) float32 of mean 0 and standard deviation 1, with structure at all scales above `finest` px.

    roughness  weight of a scale over that of the next coarser one
    """
    import cv2

    width, height = size
    total, weight, cell = np.zeros((height, width), np.float32), 1.0, max(width, height) / 3.0
    while cell >= finest:
        shape = max(2, round(height / cell) + 1), max(2, round(width / cell) + 1)
        coarse = random.normal(0.0, weight, shape).astype(np.float32)
        total += cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        weight, cell = weight * roughness, cell / 2.0
    return (total - total.mean()) / max(float(total.std()), 1e-6)


def lit(random: np.random.Generator, image: np.ndarray, contrast: float = 0.12) -> np.ndarray:
    """The image under uneven light: a new array."""
    height, width = image.shape[:2]
    coarse = noise(random, (max(8, width // 16), max(8, height // 16)), 8.0, 0.4)
    import cv2

    light = cv2.resize(1.0 + contrast * coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(image * light[..., None], 0, 255).astype(np.uint8)


def textured(random: np.random.Generator, image: np.ndarray, contrast: float) -> np.ndarray:
    """The image with the grain of a surface, `contrast` of 255 strong: a new array."""
    grain = noise(random, image.shape[1::-1], 1.5, random.uniform(0.6, 0.95)) * contrast
    return np.clip(image + grain[..., None], 0, 255).astype(np.uint8)


def any_color(random: np.random.Generator, saturation: float = 1.0) -> np.ndarray:
    """A random colour (3,): grey to saturated."""
    grey, tint = random.uniform(15, 235), random.normal(0.0, 45.0 * saturation, 3)
    return np.clip(grey + tint, 0, 255)


def crowd(random: np.random.Generator, size: Sequence[int], cell: float) -> np.ndarray:
    """People in rows, heads `cell` px wide, in a dark or a bright hall."""
    import cv2

    width, height = size
    rows, columns = max(1, round(height / cell / 1.6)), max(1, round(width / cell))
    light = random.uniform(0.25, 0.9)
    grid = random.uniform(20, 230, (2 * rows, columns, 1)) + random.normal(0.0, 30.0, (2 * rows, columns, 3))
    grid[::2] = 0.5 * grid[::2] + 0.5 * np.array([110.0, 140.0, 190.0]) * random.uniform(0.4, 1.1)  # faces
    grid[random.random((2 * rows, columns)) < 0.15] = 25.0  # empty seats
    image = cv2.resize(np.clip(light * grid, 0, 255).astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    image = cv2.GaussianBlur(image, (0, 0), max(0.5, 0.25 * cell))
    return np.clip(image + random.normal(0.0, 6.0, image.shape), 0, 255).astype(np.uint8)


def add_logo(random: np.random.Generator, image: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Letters, discs or stripes of one colour in a box (left, top, width, height), perhaps on a board."""
    import cv2

    left, top, width, height = box
    color = any_color(random).tolist() if random.random() < 0.5 else [random.uniform(200, 255)] * 3
    if random.random() < 0.6:
        cv2.rectangle(image, (left, top), (left + width, top + height), any_color(random).tolist(), -1, cv2.LINE_AA)
    kind = random.random()
    if kind < 0.6:
        text = "".join(random.choice(list(LETTERS), random.integers(2, 9)))
        scale = 0.8 * height / 22.0
        where = left + height // 6, top + round(0.8 * height)
        cv2.putText(image, text, where, int(random.integers(0, 5)), scale, color, max(1, height // 9), cv2.LINE_AA)
    elif kind < 0.8:
        for _ in range(int(random.integers(1, 5))):
            centre = int(random.integers(left, left + width + 1)), int(random.integers(top, top + height + 1))
            cv2.circle(image, centre, max(1, round(random.uniform(0.1, 0.5) * height)), color, -1, cv2.LINE_AA)
    else:
        for x in range(left, left + width, max(3, height // 2)):
            cv2.line(image, (x, top), (x + height // 3, top + height), color, max(1, height // 8), cv2.LINE_AA)


def add_boards(random: np.random.Generator, image: np.ndarray, top: int, height: int) -> None:
    """A row of advertising boards across the image."""
    left, width = 0, image.shape[1]
    while left < width:
        length = int(random.integers(2 * height, 9 * height + 1))
        image[max(0, top) : top + height, left : left + length] = any_color(random)
        inset = max(1, height // 5)
        add_logo(random, image, (left + inset, top + inset, max(2, length - 2 * inset), max(2, height - 2 * inset)))
        left += length


def add_lights(random: np.random.Generator, image: np.ndarray, count: int) -> None:
    """Bright lamps and reflections, with a glow."""
    import cv2

    height, width = image.shape[:2]
    for _ in range(count):
        centre = int(random.integers(0, width)), int(random.integers(0, max(1, height // 2)))
        radius = int(random.integers(2, max(3, height // 40) + 1))
        glow = np.zeros_like(image)
        cv2.circle(glow, centre, radius, (255, 255, 255), -1, cv2.LINE_AA)
        image[...] = cv2.add(image, cv2.GaussianBlur(glow, (0, 0), 0.6 * radius + 0.5))
