"""The ball in the frames of a clip, one after the other: found, followed, forecast. No window, no clock.

following = Following(clip, in_thread=False)
result = following.take(frame)             # results.Result, of every frame in its order
"""

import numpy as np

from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.results import Result, result_of
from ballcast.vision.court_search import CourtSearch
from ballcast.vision.finders import open_finder
from ballcast.vision.follow import Follower
from ballcast.vision.video import Frame

COUNT = 48  # times for which the ball is forecast
IN_IMAGE = 0.8  # s ahead of a frame, the last of them, without a camera

# what is said of the camera
NO_SPORT = "no calibration: forecast in the image alone; --sport NAME looks for the court"
NO_CAMERA = "no calibration: forecast in the image alone"
GIVEN = "camera from the file"


class Following:
    """Follows the ball of a Clip.

    camera      the calibrated camera, or None
    search      the CourtSearch, if there is a sport and no camera
    problem     why the ball is not followed in space although there is a camera, one line; else ""
    """

    def __init__(self, clip: Clip, in_thread: bool = True):
        self.clip, self.camera, self.problem = clip, clip.camera, ""
        self.search = CourtSearch(clip.sport, in_thread) if clip.sport and clip.camera is None else None
        self._follower: Follower | None = None
        self._last: Frame | None = None
        self._finder = None

    @property
    def camera_message(self) -> str:
        """One line on the camera."""
        if self.search is not None:
            return self.search.message if self.camera is not None or not self.search.is_over else NO_CAMERA
        return self.problem or (GIVEN if self.camera is not None else NO_SPORT)

    def restart(self) -> None:
        """The next frame does not follow the last one."""
        self._follower = self._finder = None

    def take(self, frame: Frame) -> Result:
        """What is known of a frame."""
        if self.search is not None and not self.search.is_over:
            self.search.offer(frame)
            self.camera = self.search.camera
        seen = self._open().observe(frame)
        sport = self.clip.sport
        span = IN_IMAGE if sport is None or self.camera is None else sport.sensor.duration * 2 / 3  # as in the viewer
        forecast = self._open().forecast(frame.time + span * np.arange(1, COUNT + 1) / COUNT)
        return result_of(seen, forecast, self.camera)

    def close(self) -> None:
        """Stop looking for the court."""
        if self.search is not None:
            self.search.close()

    def _open(self):
        if self._follower is None:
            clip = self.clip
            has_space = clip.sport is not None
            self._follower = Follower(
                open_finder(), clip.size, sport=clip.sport, camera=self._camera_at if has_space else None,
                predictor=clip.predictor,
            )  # fmt: skip
        return self._follower

    def _camera_at(self, time):
        return self.camera
