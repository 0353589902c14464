"""Frames of a file that were shown before, read again: in a thread, so that a window never waits for one.

    stills = Stills("clip.mp4")
    image = stills.get(number, time)         # at once: the image, or None while it is being read
    stills.close()

The last ones are kept, as many as MEMORY has room for. Reading goes on behind the frame that was asked for, so that
the next ones are there when they are asked for; before a frame further back, some frames before it are read, too.
"""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from ballcast.vision.video import Video, VideoError, open_video

MEMORY = 96e6  # bytes of images that are kept
AHEAD, BEHIND = 4, 12  # frames that are read after the one asked for, and before one that is further back
NEAR = 24  # frames that are rather decoded one after the other than jumped over
OFF = 1.5  # frames by which the time of a frame may be another, as where repeated frames got new times
PATIENCE = 2.0  # s that `close` waits for the thread


class Stills:
    """Images of frames by their numbers. source: a file; `open_` opens it."""

    def __init__(self, source: Any, *, memory: float = MEMORY, open_: Any = open_video):
        self._memory, self._source, self._open = memory, source, open_
        self._images: OrderedDict[int, np.ndarray] = OrderedDict()
        self._changed = threading.Condition()
        self._asked: tuple[int, float] | None = None
        self._stopped, self._is_exact = False, True  # whether jumps in the file arrive where they should
        self._video: Video | None = None
        self._next = 0  # the frame that is decoded next
        self._thread: threading.Thread | None = None

    def get(self, number: int, time: float) -> np.ndarray | None:
        """The image (H, W, 3) uint8 of frame `number`, whose time is `time` s; None if it is not there yet."""
        with self._changed:
            image = self._images.get(number)
            if image is not None:
                self._images.move_to_end(number)
            self._asked = number, time
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stills", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return image

    def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _run(self):
        try:
            while (task := self._task()) is not None:
                self._read(*task)
        except VideoError:
            pass  # the file has gone: what is kept can still be seen
        if self._video is not None:
            self._video.close()

    def _task(self):
        """(number, time) of a frame to be read; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._is_missing())
            if self._stopped:
                return None
            number, time = self._asked
            self._asked = None
        return number, time

    def _is_missing(self):
        return self._asked is not None and not self._has_next(self._asked[0])

    def _has_next(self, number):
        """Whether a frame and the next one are there; at the end of the file there is no next one."""
        ends = self._video is not None and self._video.count is not None and number + 1 >= self._video.count
        return number in self._images and (ends or number + 1 in self._images)

    def _read(self, number, time):
        """Read a frame and the next ones, as long as nobody asks for a frame elsewhere."""
        if self._video is None:
            self._video = self._open(self._source, keep_repeats=True)
        if number not in self._images:
            self._go_to(number)
        self._decode_until(number, time)
        if number not in self._images and not self._is_exact:
            self._go_to(number)
            self._decode_until(number, time)
        for _ in range(AHEAD):
            with self._changed:
                if self._stopped or (self._asked is not None and self._asked[0] not in (number, number + 1)):
                    return
            if not self._decode():
                return

    def _go_to(self, number):
        """Before frame `number`, as near as pays."""
        if self._next <= number < self._next + NEAR:
            return
        if self._is_exact:
            self._next = max(0, number - min(BEHIND, self._room() // 2))
            self._video.seek(self._next)
        elif number < self._next:
            self._video.close()
            self._video, self._next = self._open(self._source, keep_repeats=True), 0

    def _decode_until(self, number, time):
        while self._next <= number and not self._stopped:
            if not self._decode(number, time):
                return

    def _decode(self, number=-1, time=0.0):
        """Decode one frame and keep it. False at the end, or if its time says that it is another one."""
        frame = self._video.read()
        if frame is None:
            return False
        self._next = frame.number + 1
        if self._is_exact and frame.number == number and abs(frame.time - time) > OFF / self._video.rate:
            self._is_exact, self._next = False, number + 1  # a variable rate: from now on one after the other
            with self._changed:
                self._images.clear()
            return False
        with self._changed:
            self._images[frame.number] = frame.image
            self._images.move_to_end(frame.number)
            while len(self._images) > self._room():
                self._images.popitem(last=False)
        return True

    def _room(self):
        """How many images are kept."""
        width, height = self._video.size
        return max(4, int(self._memory / (3 * width * height)))
