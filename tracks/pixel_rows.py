"""The rows of a file of pixels: which camera, which pixel, which time. Shared by files and pipes.

names = CameraNames(cameras)
index = names.index("ball.csv, row 2", "left")       # a camera's name, or its number from 0
u, v = pixel_in("ball.csv, row 2", cells, columns)   # NaN where the ball was not seen
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from ballcast.tracks.camera import Camera
from ballcast.tracks.layout import NUMBER
from ballcast.tracks.table import number_in, time_in
from ballcast.tracks.track import TrackError

FILE_NUMBER = re.compile(r"(\d+)(?:\.\w+)?$")  # of names of images: frame_0012.jpg
NOT_SEEN = ((0.0, 0.0), (-1.0, -1.0))  # pixels that stand for a ball that was not seen
MARGIN = 0.1  # of the image's size; farther outside is no error of measurement


class CameraNames:
    """What the column `camera` of a file says: names of cameras, or else their numbers from 0, in the given order.

    A number counts only if no camera has a number for its name.
    """

    def __init__(self, cameras: Sequence[Camera]):
        self.names = [camera.name for camera in cameras]
        self.takes_numbers = not any(name.strip().lstrip("-").isdigit() for name in self.names)
        self.has_numbers = False  # whether a row gave a number

    def index(self, where: str, cell: str) -> int:
        """The index of the camera that a cell names; TrackError, which begins with `where`, if there is none."""
        found = cell.strip()
        if found in self.names:
            return self.names.index(found)
        if self.takes_numbers and found.isascii() and found.isdigit():
            if int(found) < len(self.names):
                self.has_numbers = True
                return int(found)
            last = len(self.names) - 1
            raise TrackError(f"{where}: camera {found}: numbers of cameras are 0 to {last}; {self._known()}")
        raise TrackError(f"{where}: unknown camera {found!r}; {self._known()}")

    def note(self) -> str:
        """What to say where rows gave numbers."""
        pairs = ", ".join(f"{k} is {name!r}" for k, name in enumerate(self.names))
        return f"the column camera has numbers: {pairs}, in the order of the file of cameras"

    def _known(self):
        return f"the cameras are {', '.join(self.names)}"


def pixel_in(where: str, cells: Sequence[str], columns: Mapping[str, int]) -> tuple[float, float]:
    """The pixel (u, v) of a row; NaN where the ball was not seen. TrackError, which begins with `where`."""
    if "visibility" in columns and number_in(where, cells[columns["visibility"]]) == 0.0:
        return np.nan, np.nan
    return number_in(where, cells[columns["u"]]), number_in(where, cells[columns["v"]])


def frame_time_in(where: str, cell: str) -> float:
    """The time in a cell, or its frame number, perhaps at the end of the name of an image. TrackError if it is none."""
    is_name = not NUMBER.fullmatch(cell) and any(letter.isalpha() for letter in cell)  # 6e-05 is a number
    if match := FILE_NUMBER.search(cell.strip()) if is_name else None:
        if "T" not in cell and ":" not in cell:
            return float(match[1])
    return time_in(where, cell)


def check_cells(where: str, cells: Sequence[str], width: int) -> None:
    """TrackError if a row has not as many cells as the header."""
    if len(cells) != width:
        raise TrackError(f"{where}: {len(cells)} cells where there should be {width}; correct the row")


def is_far_outside(pixel: np.ndarray, camera: Camera) -> np.ndarray:
    """Which (...) of the pixels (..., 2) are farther outside the image than an error of measurement."""
    size = np.array(camera.size, float)
    return np.any((pixel < -MARGIN * size) | (pixel > (1.0 + MARGIN) * size), axis=-1)


def outside(pixel: np.ndarray, camera: Camera) -> str:
    """What to say of a pixel (2,) that is_far_outside."""
    u, v = pixel
    return f"pixel ({u:g}, {v:g}) is outside the image of {camera.name!r}, {camera.size[0]} x {camera.size[1]}"
