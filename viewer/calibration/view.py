"""Where the pixels of the video are on the screen: fitted into the window, zoomed and moved. No pygame.

Pixel centres of the video are whole numbers, those of the screen have a half: a screen pixel k is from k to k + 1.
"""

import numpy as np

MAX_ZOOM = 40.0  # times the size at which the whole picture fits


class PictureView:
    """A picture of `size` (width, height) px inside an area (x, y, width, height) px of the screen."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size, self.zoom = size, 1.0
        self.area = (0, 0, *size)
        self.reset()

    def reset(self) -> None:
        """The whole picture."""
        self.zoom, self.middle = 1.0, np.array(self.size, float) / 2

    def arrange(self, area: tuple[int, int, int, int]) -> None:
        """Say where on the screen the picture is."""
        self.area = area
        self._hold()

    @property
    def scale(self) -> float:
        """Pixels of the screen for one of the video."""
        return self.zoom * min(self.area[2] / self.size[0], self.area[3] / self.size[1])

    @property
    def corner(self) -> np.ndarray:
        """Where the upper left corner of the picture is on the screen, px."""
        middle = np.array([self.area[0] + self.area[2] / 2, self.area[1] + self.area[3] / 2])
        return middle - self.middle * self.scale

    def on_screen(self, pixels: np.ndarray) -> np.ndarray:
        """Screen px (..., 2) of video px (..., 2)."""
        return self.corner + (np.asarray(pixels, float) + 0.5) * self.scale

    def in_video(self, place: tuple[int, int]) -> np.ndarray:
        """The video px (2,) under a pixel of the screen."""
        return (np.array(place, float) + 0.5 - self.corner) / self.scale - 0.5

    def holds(self, place: tuple[int, int]) -> bool:
        """Whether a pixel of the screen shows the picture."""
        x, y, width, height = self.area
        u, v = self.in_video(place)
        inside = -0.5 <= u <= self.size[0] - 0.5 and -0.5 <= v <= self.size[1] - 0.5
        return inside and x <= place[0] < x + width and y <= place[1] < y + height

    def zoom_at(self, place: tuple[int, int], factor: float) -> None:
        """Zoom about a pixel of the screen, which shows the same place of the video afterwards."""
        before = self.in_video(place)
        self.zoom = float(np.clip(self.zoom * factor, 1.0, MAX_ZOOM))
        self.middle = self.middle + before - self.in_video(place)
        self._hold()

    def pan(self, right: float, down: float) -> None:
        """Move the picture by pixels of the screen."""
        self.middle = self.middle - np.array([right, down]) / self.scale
        self._hold()

    def show(self, pixel: np.ndarray) -> None:
        """Move the picture so that a video px is inside the area."""
        x, y, width, height = self.area
        at = self.on_screen(pixel)
        if not (x <= at[0] < x + width and y <= at[1] < y + height):
            self.middle = np.asarray(pixel, float) + 0.5
            self._hold()

    def _hold(self):
        """Keep the picture in the area: centred where it is smaller, without a gap where it is larger."""
        half = np.array([self.area[2], self.area[3]]) / 2 / self.scale
        size = np.array(self.size, float)
        self.middle = np.where(2 * half >= size, size / 2, np.clip(self.middle, half, np.maximum(size - half, half)))
