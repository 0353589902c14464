"""Frames of cameras, live: checked."""

import math
from collections.abc import Sequence

from numpy.typing import ArrayLike

from ballcast.models.contract import HistoryTooShort
from ballcast.models.frame_gate import (
    LATE,
    MAX_TIME,
    MIN_AGREEING,
    NOT_FINITE,
    NOT_SECONDS,
    RESTARTED,
    TAKEN,
    FrameStatus,
)
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
        self._late_time, self._late_count = -math.inf, 0  # of late frames in a row that increase

    @property
    def camera_count(self) -> int:
        """The number of cameras that have seen the ball."""
        return sum(last > -math.inf for last in self._last_times)

    def check(
        self, time: float, pixel: ArrayLike, camera: Camera, diameter: float | None
    ) -> tuple[FrameStatus, float, float, int]:
        """The FrameStatus, the pixel u, v and the camera's number of the next frame. RESTARTED says that the clock was
        set back, and that the frame counts if it is checked once more after restart(). ValueError if it is none."""
        t, u, v = _three_numbers(time, pixel)
        if diameter is not None and not 0.0 < diameter < math.inf:
            raise ValueError(f"diameter {diameter!r} px must be above 0; leave it out where it was not measured")
        index = self._index(camera)
        if not math.isfinite(t + u + v):
            return NOT_FINITE, u, v, index
        if abs(t) > MAX_TIME:
            return NOT_SECONDS, u, v, index
        if t < self.last_time or t == self._last_times[index]:
            self._late_count = self._late_count + 1 if t > self._late_time else 1
            self._late_time = t
            return RESTARTED if self._late_count >= MIN_AGREEING else LATE, u, v, index
        self.note(t, index)
        return TAKEN, u, v, index

    def note(self, time: float, index: int) -> None:
        """Count a frame of the camera of that number."""
        self._late_time, self._late_count = -math.inf, 0
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


def _three_numbers(time, pixel):
    """A time and a pixel as three numbers; ValueError if they are not."""
    try:
        u, v = pixel
        return float(time), float(u), float(v)
    except (TypeError, ValueError):
        raise ValueError(f"a frame is a time and a pixel (2,), not {time!r}, {pixel!r}") from None


def check_started(name: str, is_started: bool) -> None:
    """HistoryTooShort if candidates come before there was a fit."""
    if not is_started:
        raise HistoryTooShort(f"{name} weighs candidates after {MIN_FRAMES} frames: give these with observe_pixel")


def check_enough(name: str, track: PixelTrack) -> None:
    """HistoryTooShort if a track has too few frames for a fit."""
    if len(track) < MIN_FRAMES:
        raise HistoryTooShort(f"{name} needs {MIN_FRAMES} frames; {len(track)} were seen")
