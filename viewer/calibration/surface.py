"""Pictures of a video as surfaces of pygame."""

import numpy as np
import pygame


def surface_of(image: np.ndarray) -> pygame.Surface:
    """The surface of an image (H, W, 3) uint8, blue, green, red."""
    height, width = image.shape[:2]
    return pygame.image.frombuffer(np.ascontiguousarray(image).tobytes(), (width, height), "BGR")


def scaled(surface: pygame.Surface, size: tuple[int, int]) -> pygame.Surface:
    """A surface at another size: smooth where it becomes smaller, with visible pixels where it is much larger."""
    size = max(1, size[0]), max(1, size[1])
    is_large = size[0] > 3 * surface.get_width()
    return pygame.transform.scale(surface, size) if is_large else pygame.transform.smoothscale(surface, size)
