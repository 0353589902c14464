"""Frames of cameras, live: checked, and kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import HistoryTooShort
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack, check_names

KEPT = 400  # frames
MIN_FRAMES = 3  # of a fit


class PixelFrames:
    """The last frames of cameras, in the order of their times."""

    def __init__(self, cameras: Sequence[Camera] = ()) -> None:
        self.cameras: list[Camera] = list(cameras)
        self.rows: list[tuple[float, float, float, int, float]] = []

    def add(self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None) -> None:
        """Add a frame; ValueError if it is none, or comes too late."""
        u_v = np.asarray(pixel, float)
        if u_v.shape != (2,) or not np.isfinite([time, *u_v]).all():
            raise ValueError(f"a frame is a finite time and pixel (2,), not {time!r}, {pixel!r}")
        if diameter is not None and not 0.0 < diameter < np.inf:
            raise ValueError(f"diameter {diameter!r} px must be above 0; leave it out where it was not measured")
        if not isinstance(camera, Camera):
            raise ValueError(f"camera must be a Camera, not {type(camera).__name__}; read_cameras reads them")
        if self.rows and time < self.rows[-1][0]:
            raise ValueError(f"frame at {time:g} s comes before the last one, at {self.rows[-1][0]:g} s")
        index = next((i for i, known in enumerate(self.cameras) if known is camera), -1)
        if index < 0:
            check_names([*self.cameras, camera])
            index = len(self.cameras)
            self.cameras.append(camera)
        if any(row[0] == time and row[3] == index for row in self.rows[-len(self.cameras) :]):
            raise ValueError(f"camera {camera.name!r} has two frames at {time:g} s")
        self.rows.append((time, u_v[0], u_v[1], index, np.nan if diameter is None else diameter))
        if len(self.rows) > 2 * KEPT:
            del self.rows[:-KEPT]

    def track(self) -> PixelTrack:
        """The frames as a PixelTrack."""
        rows = np.array(self.rows).reshape(-1, 5)
        diameter = rows[:, 4] if np.isfinite(rows[:, 4]).any() else None
        return PixelTrack(rows[:, 0], rows[:, 1:3], rows[:, 3], self.cameras, diameter)


def check_enough(name: str, track: PixelTrack) -> None:
    """HistoryTooShort if a track has too few frames for a fit."""
    if len(track) < MIN_FRAMES:
        raise HistoryTooShort(f"{name} needs {MIN_FRAMES} frames; {len(track)} were seen")
