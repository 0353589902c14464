"""A clip as it is to be shown: where the frames come from, and what is known of the place and its camera."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ballcast.sim import Sport
from ballcast.tracks import Camera, read_cameras
from ballcast.vision.video import Video, open_video

SAME_SHAPE = 0.01  # by which the ratio of the sides of a camera's picture may be another than that of the video


@dataclass
class Clip:
    """A video or a camera, opened once to see that it is there.

    source     what open_video takes
    size       (width, height) px of its pictures
    rate       frames/s
    duration   s, as far as known; None for a camera and a file that does not say it
    camera     the calibrated camera, for pictures of this size; None if it is not known
    sport, predictor  for the forecast in space
    """

    source: Any
    name: str
    size: tuple[int, int]
    rate: float
    count: int | None
    is_camera: bool
    sport: Sport | None = None
    camera: Camera | None = None
    predictor: str = "physics"
    opened: Video | None = field(default=None, repr=False)  # for who follows it: many cameras cannot be opened twice

    @property
    def duration(self) -> float | None:
        return None if self.count is None else self.count / self.rate


def open_clip(
    source: str | int, sport: Sport | None = None, camera_file: str | None = None, predictor: str = "physics"
) -> Clip:
    """The Clip of a file or a camera. ValueError with one line for a wrong video, or a camera of other pictures."""
    video = open_video(source)
    clip = Clip(source, video.name, video.size, video.rate, video.count, video.is_camera, sport, None, predictor, video)
    if camera_file is not None:
        clip.camera = fitting(read_cameras(camera_file)[0], clip.size, camera_file)
    return clip


def fitting(camera: Camera, size: tuple[int, int], name: str) -> Camera:
    """The camera for pictures of `size` px. ValueError if its own have another shape."""
    if tuple(camera.size) == tuple(size):
        return camera
    scale = size[0] / camera.size[0]
    if abs(scale * camera.size[1] / size[1] - 1.0) > SAME_SHAPE:
        own, asked = ("{}x{}".format(*pair) for pair in (camera.size, size))
        raise ValueError(f"--camera {name}: it is of pictures of {own} px, the video has {asked}; calibrate this video")
    K = np.array(camera.K)
    K[:2] *= scale
    K[:2, 2] += 0.5 * (scale - 1.0)  # pixel centres are whole numbers
    return Camera(K, camera.distortion, camera.R, camera.t, size, camera.name)
