"""A moment of a clip without a window and a clock, as the picture takes it in place of a Player."""

from dataclasses import dataclass

import numpy as np

from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.following import Following
from ballcast.viewer.clip.results import Result, Results
from ballcast.vision.video import Frame


@dataclass
class Shown:
    """What a Player has, too: the frame that is shown, and everything that was found until then."""

    clip: Clip
    following: Following
    results: Results
    end: float  # s, of the timeline
    frame: Result | None = None
    image: np.ndarray | None = None  # (H, W, 3) uint8
    preview: bool = False
    now: float = 0.0  # s
    paused: bool = False
    speed: float = 1.0
    is_over: bool = False
    dropped: int = 0

    @property
    def shown_time(self) -> float:
        """s, of the frame that is shown."""
        return self.now

    def take(self, frame: Frame) -> None:
        """Follow the ball to a frame, and show it."""
        self.frame, self.image, self.now = self.following.take(frame), frame.image, frame.time
        self.results.add(self.frame)
        self.end = max(self.end, self.now)


def shown_of(clip: Clip) -> Shown:
    """A clip before its first frame."""
    return Shown(clip, Following(clip, in_thread=False), Results(), clip.duration or 1e-3)
