"""Painted places for the network's images: courts, tables, rooms, clutter, nets. Canvases (H, H, 3) uint8, changed."""

import math

import numpy as np

from ballcast.vision import textures


def paint_court(random: np.random.Generator, image: np.ndarray) -> None:
    """A floor with areas and lines in perspective, perhaps a net; boards and a crowd behind it."""
    import cv2

    side = len(image)
    horizon = int(random.uniform(-0.3, 0.6) * side)
    seen = _perspective(random, side, horizon)
    for size in sorted(random.uniform(1.0, 9.0, int(random.integers(1, 4))))[::-1]:
        corners = [(-size, -size), (size, -size), (size, size), (-size, size)]
        cv2.fillPoly(image, [seen(corners)], textures.any_color(random).tolist(), cv2.LINE_AA, 3)
    line = [random.uniform(190, 255)] * 3 if random.random() < 0.8 else textures.any_color(random).tolist()
    thickness = int(random.integers(1, 4))
    for _ in range(int(random.integers(2, 9))):
        a, extent = random.uniform(-6.0, 6.0, 2), random.uniform(1.0, 9.0)
        b = a + ([extent, 0.0] if random.random() < 0.5 else [0.0, extent])
        ends = seen([a, b])
        cv2.line(image, tuple(map(int, ends[0])), tuple(map(int, ends[1])), line, thickness, cv2.LINE_AA, 3)
    if horizon > 20:
        image[:horizon] = textures.crowd(random, (side, horizon), random.uniform(2.0, 10.0))
        if random.random() < 0.7:
            boards = int(random.integers(8, 30))
            textures.add_boards(random, image, max(0, horizon - boards), min(boards, horizon))
    if random.random() < 0.6:
        left = int(random.uniform(-0.6, 0.4) * side)
        size = int(random.uniform(0.3, 1.4) * side), int(random.uniform(10, 60))
        paint_net(random, image, left, int(random.uniform(0.2, 0.9) * side), size, random.normal(0.0, 0.06))


def paint_net(
    random: np.random.Generator, image: np.ndarray, left: int, top: int, size: tuple[int, int], slope: float
) -> None:
    """A net with its tape: `size` (width, height) px, its upper edge falls by `slope` to the right."""
    import cv2

    over = image.copy()
    color = [random.uniform(10, 60)] * 3 if random.random() < 0.8 else [random.uniform(150, 240)] * 3
    pitch, (width, height) = random.uniform(2.0, 7.0), size

    def at(x, y):
        return round(8 * (left + x)), round(8 * (top + slope * x + y))

    for x in np.arange(0.0, width, pitch):
        cv2.line(over, at(x, 0), at(x, height), color, 1, cv2.LINE_AA, 3)
    for y in np.arange(0.0, height, pitch):
        cv2.line(over, at(0, y), at(width, y), color, 1, cv2.LINE_AA, 3)
    strength = random.uniform(0.25, 0.9)
    cv2.addWeighted(over, strength, image, 1.0 - strength, 0.0, image)
    tape = [random.uniform(190, 255)] * 3
    cv2.line(image, at(0, 0), at(width, 0), tape, int(random.integers(1, 4)), cv2.LINE_AA, 3)


def paint_table(random: np.random.Generator, image: np.ndarray) -> None:
    """A table with white edges and a net, on legs, in front of a floor and boards."""
    import cv2

    side = len(image)
    horizon = int(random.uniform(0.0, 0.5) * side)
    image[horizon:] = textures.any_color(random, 0.6)
    if horizon > 16 and random.random() < 0.8:
        textures.add_boards(random, image, horizon - int(random.integers(10, 60)), int(random.integers(10, 60)))
    middle, half = random.uniform(0.3, 0.7, 2) * side, random.uniform(40.0, 190.0)
    depth, shrink, lean = half * random.uniform(0.15, 0.8), random.uniform(0.6, 0.98), random.normal(0.0, 0.3)

    def at(x, y):
        """A point of the table, from -1 to 1 across and from near (1) to far (-1), in eighths of a pixel."""
        narrow = 1.0 + 0.5 * (shrink - 1.0) * (1.0 - y)
        return np.round(8 * (middle + [half * narrow * x + lean * depth * y, depth * y])).astype(int)

    legs = textures.any_color(random, 0.5) * 0.4
    for x in (-0.7, -0.5, 0.5, 0.7):
        foot = at(x, 1.0) + [0, round(8 * 0.5 * half)]
        cv2.line(image, tuple(map(int, at(x, 0.9))), tuple(map(int, foot)), legs.tolist(), 3, cv2.LINE_AA, 3)
    corners = np.array([at(-1, -1), at(1, -1), at(1, 1), at(-1, 1)], np.int32)
    top = textures.any_color(random) * random.uniform(0.2, 1.0)
    cv2.fillPoly(image, [corners], top.tolist(), cv2.LINE_AA, 3)
    line, thickness = [random.uniform(180, 255)] * 3, int(random.integers(1, 3))
    cv2.polylines(image, [corners], True, line, thickness, cv2.LINE_AA, 3)
    cv2.line(image, tuple(map(int, at(-1, 0))), tuple(map(int, at(1, 0))), line, 1, cv2.LINE_AA, 3)
    if random.random() < 0.6:  # from the side: the net stands across the length
        ends = at(0, 1.1), at(0, -1.1) - [0, round(8 * 0.06 * half)]
        cv2.line(image, tuple(map(int, ends[0])), tuple(map(int, ends[1])), [30.0] * 3, 3, cv2.LINE_AA, 3)
    else:
        left, upper = at(-1.1, 0) // 8
        paint_net(random, image, int(left), int(upper - 0.1 * half), (int(2.2 * half), max(3, int(0.1 * half))), 0.0)


def paint_room(random: np.random.Generator, image: np.ndarray) -> None:
    """A plain wall with the edges of furniture."""
    import cv2

    side = len(image)
    for _ in range(int(random.integers(0, 7))):
        a, b = random.integers(-50, side + 50, 2), random.integers(10, 250, 2)
        color = np.clip(image[0, 0] * random.uniform(0.3, 1.4) + random.normal(0.0, 10.0, 3), 0, 255).tolist()
        cv2.rectangle(image, tuple(map(int, a)), tuple(map(int, a + b)), color, -1, cv2.LINE_AA)


def paint_clutter(random: np.random.Generator, image: np.ndarray) -> None:
    """Many things of all sizes: chairs, bags, trees, windows."""
    import cv2

    for _ in range(int(random.integers(50, 400))):
        middle, size = random.uniform(0.0, len(image), 2), 2.0 * 35.0 ** random.random()
        corners = middle + size * random.normal(0.0, 0.6, (int(random.integers(3, 6)), 2))
        color = (0.5 * image[0, 0] + 0.5 * textures.any_color(random)).tolist()
        cv2.fillPoly(image, [np.round(8 * corners).astype(np.int32)], color, cv2.LINE_AA, 3)


def _perspective(random, side, horizon):
    """A function from points (N, 2) of a floor, across and away, to eighths of a pixel (N, 2)."""
    turn, scale = random.uniform(-0.6, 0.6), random.uniform(20.0, 160.0)
    height = random.uniform(1.0, 4.0)

    def seen(points):
        x, y = np.array(points, float).T
        x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn) + 6.0
        depth = np.maximum(y, 0.5)
        pixels = np.stack([0.5 * side + 6.0 * scale * x / depth, horizon + 6.0 * scale * height / depth], axis=1)
        return np.round(np.clip(pixels, -3e3, 3e3) * 8).astype(np.int32)

    return seen
