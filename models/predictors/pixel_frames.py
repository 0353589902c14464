"""Frames of cameras, live: checked."""

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike

from ballcast.models.contract import HistoryTooShort
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack, check_names

MIN_FRAMES = 3  # of a fit


class PixelFrames:
    """The cameras of a stream, and when they saw the ball: `times` s of the last MIN_FRAMES frames."""

    def __init__(self, cameras: Sequence[Camera] = ()) -> None:
        self.cameras: list[Camera] = list(cameras)
        self.restart()

    def restart(self) -> None:
        """Forget the frames; the cameras are kept."""
        self.times: list[float] = []
        self.last_time, self._last_times = -math.inf, [-math.inf] * len(self.cameras)  # s; of each camera

    @property
    def camera_count(self) -> int:
        """The number of cameras that have seen the ball."""
        return sum(last > -math.inf for last in self._last_times)

    def check(self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None) -> tuple[float, float, int]:
        """The pixel u, v and the camera's number of the next frame; ValueError if it is none, or comes too late."""
        u, v = _pair(time, pixel)
        if diameter is not None and not 0.0 < diameter < math.inf:
            raise ValueError(f"diameter {diameter!r} px must be above 0; leave it out where it was not measured")
        index = self.check_time(time, camera)
        self.note(time, index)
        return u, v, index

    def note(self, time: float, index: int) -> None:
        """Count a frame of the camera of that number."""
        self.last_time = self._last_times[index] = time
        self.times = [*self.times[1 - MIN_FRAMES :], time]

    def check_time(self, time: float, camera: Camera) -> int:
        """The camera's number; ValueError if a frame at `time` s does not come after the others."""
        if time < self.last_time:
            raise ValueError(f"frame at {time:g} s comes before the last one, at {self.last_time:g} s")
        index = self._index(camera)
        if self._last_times[index] == time:
            raise ValueError(f"camera {camera.name!r} has two frames at {time:g} s")
        return index

    def _index(self, camera):
        """The number of a camera, which may be new."""
        for index, known in enumerate(self.cameras):
            if known is camera:
                return index
        if not isinstance(camera, Camera):
            raise ValueError(f"camera must be a Camera, not {type(camera).__name__}; read_cameras reads them")
        check_names([*self.cameras, camera])
        self.cameras.append(camera)
        self._last_times.append(-math.inf)
        return len(self.cameras) - 1


def _pair(time, pixel):
    """The two numbers of a pixel; ValueError if it has not two, or if they or the time are not finite."""
    try:
        u, v = pixel
        u, v = float(u), float(v)
        is_frame = math.isfinite(time) and math.isfinite(u) and math.isfinite(v)
    except (TypeError, ValueError):
        is_frame = False
    if not is_frame:
        raise ValueError(f"a frame is a finite time and pixel (2,), not {time!r}, {pixel!r}")
    return u, v


def check_started(name: str, is_started: bool) -> None:
    """HistoryTooShort if candidates come before there was a fit."""
    if not is_started:
        raise HistoryTooShort(f"{name} weighs candidates after {MIN_FRAMES} frames: give these with observe_pixel")


def check_enough(name: str, track: PixelTrack) -> None:
    """HistoryTooShort if a track has too few frames for a fit."""
    if len(track) < MIN_FRAMES:
        raise HistoryTooShort(f"{name} needs {MIN_FRAMES} frames; {len(track)} were seen")
