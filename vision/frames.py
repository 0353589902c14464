"""Any frame of a clip, read a little at a time, so that a window that asks never waits.

    frames = Frames("clip.mp4")
    frames.ask(120)
    while (frame := frames.read_some(0.02)) is None: ...    # a Frame; None: not reached yet

Frames are decoded one after the other, so a number is exact. One before the last frame begins at the first again.
"""

import time
from pathlib import Path
from typing import Any

from ballcast.vision.video import Frame, VideoError, open_video

KEPT = 12  # frames that were shown last


class Frames:
    """The frames of a file by number. count: how many there are; a file that does not say so is counted as read."""

    def __init__(self, source: str | Path, open_: Any = open_video) -> None:
        self._source, self._open = source, open_
        self._video = open_(source, keep_repeats=True)
        self._next = 0
        self._kept: dict[int, Frame] = {}
        self.size, self.asked = self._video.size, 0
        self.count: int = self._video.count or 1

    def ask(self, number: int) -> None:
        """Which frame is wanted; one after the end is the last."""
        self.asked = max(0, min(number, self.count - 1))

    def read_some(self, budget: float = float("inf")) -> Frame | None:
        """The frame that was asked for, if it is reached within `budget` s."""
        end = time.perf_counter() + budget
        while self.asked not in self._kept:
            if self._next > self.asked:
                self._video.close()
                self._video, self._next = self._open(self._source, keep_repeats=True), 0
            frame = self._video.read()
            if frame is None:
                self._shorten()
                continue
            self._next, self.count = frame.number + 1, max(self.count, frame.number + 1)
            if frame.number >= self.asked - KEPT // 2:
                self._keep(frame)
            if time.perf_counter() > end:
                break
        return self._kept.get(self.asked)

    def close(self) -> None:
        self._video.close()

    def _shorten(self):
        """The file ends before it said."""
        if self._next == 0:
            raise VideoError(f"{self._source}: it can no longer be read")
        self.count = self._next
        self.ask(self.asked)

    def _keep(self, frame):
        self._kept[frame.number] = frame
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
