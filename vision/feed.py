"""A thread that reads a video, so that a window never waits for a frame.

    feed = Feed("clip.mp4")                    # or Feed(0), a camera; opened in the thread, too
    for frame in feed.take(until=now):         # at once, perhaps none: the frames that are due, oldest first
        ...
    feed.dropped                               # frames that nobody could take in time
    feed.close()

Of a file, only a few frames are read ahead, and none is lost before it is due. A camera goes on by itself: whatever is
not taken in time is dropped. So memory is bounded in both cases.
"""

import threading
import time
from collections import deque
from typing import Any

from ballcast.vision.video import Frame, Video, VideoError, open_video

AHEAD = 6  # frames that wait, at most
MAX_AT_ONCE = 3  # frames taken at once, at most: who asks so late is behind
SILENCE = 4.0  # s without a frame after which a camera has gone
PATIENCE = 2.0  # s that `close` waits for the thread


class Feed:
    """Frames of a source as they are due.

    video     the open Video; None until it is open
    dropped   frames that were left out because nobody took them in time
    """

    def __init__(
        self, source: Any, *, ahead: int = AHEAD, silence: float = SILENCE, open_: Any = open_video,
        start: int | None = None,
    ):  # fmt: skip
        """source: what `open_video` takes; `open_` opens it. Wrong ones raise VideoError at the first `take`.

        start: the frame of a file to go on with, in the order of decoding from 0; None: where it is
        """
        self.video: Video | None = None
        self.dropped = 0
        self._ahead, self._silence = ahead, silence
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._error: Exception | None = None
        self._ended = self._stopped = False
        self._last = time.monotonic()  # when something came
        self._thread = threading.Thread(target=self._run, args=(source, open_, start), name="video", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether all frames of the file have been taken."""
        with self._changed:
            return self._ended and not self._frames

    @property
    def note(self) -> str:
        """What to say about dropped frames, in one line; empty if there were none."""
        if not self.dropped:
            return ""
        return f"{self.dropped} frame{'s' if self.dropped > 1 else ''} dropped: the forecast is slower than the video"

    def take(self, until: float = float("inf"), limit: int = MAX_AT_ONCE) -> list[Frame]:
        """The frames up to the time `until` s that wait, oldest first; at most `limit`, older ones are dropped.

        Never waits. VideoError, once the frames before it are taken: what is wrong with the source.
        """
        with self._changed:
            due = sum(frame.time <= until for frame in self._frames)
            frames = [self._frames.popleft() for _ in range(due)]
            self._changed.notify_all()
            if not self._frames and not frames:
                self._complain()
        late = max(0, len(frames) - limit)
        self.dropped += late
        return frames[late:]

    def wait(self, timeout: float) -> bool:
        """Wait until a frame is there, or the source has ended, for at most `timeout` s; whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._frames) or self._ended, timeout)

    @property
    def next_time(self) -> float | None:
        """The time of the oldest frame that waits, s; None if none does."""
        with self._changed:
            return self._frames[0].time if self._frames else None

    def close(self) -> None:
        """Stop reading. A camera that hangs keeps its thread, which ends with the process."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)

    def _complain(self):
        if self._error is not None:
            raise self._error
        is_camera = self.video is not None and self.video.is_camera
        if is_camera and not self._ended and time.monotonic() - self._last > self._silence:
            raise VideoError(f"{self.video.name}: no frame came for {self._silence:g} s; is it still connected?")

    def _run(self, source, open_, start):
        try:
            with open_(source) as video:
                self.video = video
                if start is not None:
                    video.seek(start)
                while not self._stopped and (frame := video.read()) is not None:
                    self._put(frame, video.is_camera)
        except Exception as error:  # noqa: BLE001 - `take` raises it in the thread that asks
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _put(self, frame, is_camera):
        with self._changed:
            self._last = time.monotonic()
            if is_camera and len(self._frames) >= self._ahead:
                self._frames.popleft()
                self.dropped += 1
            while len(self._frames) >= self._ahead and not self._stopped:
                self._changed.wait()
            self._frames.append(frame)
            self._changed.notify_all()
