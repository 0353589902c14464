"""Frames of a video for a window: scaled to where they are shown, in the layout of its pixels."""

import numpy as np


def fitted(size: tuple[int, int], room: tuple[int, int]) -> tuple[int, int]:
    """The largest (width, height) px of the shape of `size` that fits into `room`, both (width, height) px."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scaled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image (H, W, 3) uint8 at `size` (width, height) px: a new array, or the image itself if it has that size."""
    import cv2

    height, width = image.shape[:2]
    if (width, height) == tuple(size):
        return image
    is_smaller = size[0] * size[1] < 0.3 * width * height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)


def as_pixels(image: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) uint8, blue, green, red, as (W, H) uint32: alpha, red, green, blue."""
    import cv2

    with_alpha = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    return with_alpha.view(np.uint32)[:, :, 0].T
