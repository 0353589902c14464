"""Frames of a video file or a camera, with the times at which they were taken.

    with open_video("clip.mp4") as video:          # or open_video(0), the first camera of this machine
        for frame in video:                        # Frame: number, time in s, image (H, W, 3)
            ...
    print(video.notes)                             # what was remarkable: repeated frames, a file that was cut off

Times are the container's time stamps, also where the frame rate varies; of a camera, the time of arrival since the
first frame. Frames that repeat the one before are left out, and where they come regularly, as in films of 25 frames/s
shown at 30, the others get the times at which they were taken (repeats.py). Pictures of phones are turned upright as
their files say. OpenCV reads the files; nothing here opens a window or starts a thread (feed.py does).
"""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from ballcast.vision.repeats import Cadence, Change, RepeatFinder, find_cadence

USUAL_RATE = 30.0  # frames/s of a file that does not know its own
RATES = 1.0, 1000.0  # frames/s that a file may state
SCANNED = 48  # frames at the beginning of a file in which a cadence is looked for
NEW = Change(False, False, True)  # of a frame that is compared with none
COUNT_MATTERS = 0.9  # a file that ends before this share of its frames is cut off


class VideoError(ValueError):
    """What is wrong with a video or a camera: one line with what, where and how to mend it."""


class Frame(NamedTuple):
    """One picture. The image is its own array."""

    number: int  # in the order of decoding, from 0; repeated frames are counted
    time: float  # s
    image: np.ndarray  # (H, W, 3) uint8, blue, green, red


class Video:
    """A video file or a camera that is open. Iterate over it; `close` it, or use `with`.

    name        of the file, or "camera 0"
    is_camera   whether frames come by themselves, without end
    size        (width, height) px of an upright picture
    rate        frames/s that the file states
    count       frames that the file states; None if it states none, or for a camera
    repeated    repeated frames that were left out until now
    cadence     how repeats come in this file, if regularly
    notes       what was remarkable until now, one line each
    """

    def __init__(self, capture: Any, name: str, is_camera: bool, cadence: Cadence | None, keep_repeats: bool):
        import cv2

        self.name, self.is_camera, self.cadence = name, is_camera, cadence
        self._capture, self._finder = capture, None if keep_repeats else RepeatFinder()
        rate = capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(rate) if RATES[0] <= rate <= RATES[1] else USUAL_RATE
        count = 0 if is_camera else capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if 0 < count < 1e9 else None
        self.repeated, self.notes = 0, [] if cadence is None else [cadence.note(name, self.rate)]
        self._number, self._last, self._start = -1, -math.inf, None
        self._ahead, self._change = self._decode(), NEW
        if self._ahead is None:
            self.close()
            raise VideoError(_unreadable(name, is_camera))
        self._compare(self._ahead)
        height, width = self._ahead.image.shape[:2]
        self.size = width, height

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self.close()

    def close(self) -> None:
        """Give the file or the camera back. Closing twice is harmless."""
        self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """All frames that are left. VideoError if a camera stops."""
        while (frame := self.read()) is not None:
            yield frame

    def read(self) -> Frame | None:
        """The next frame that does not repeat the one before; None at the end of a file.

        Waits for a camera. VideoError if the camera sends no more.
        """
        if self.is_camera:
            return self._in_order(self._newest())
        while (frame := self._ahead) is not None:
            change, self._ahead = self._change, self._decode()
            self._change = self._compare(self._ahead)
            if not self._repeats(frame.number, change):
                return self._in_order(frame)
            self.repeated += 1
        self._finish()
        return None

    def seek(self, number: int) -> None:
        """Go on with frame `number` of a file, in the order of decoding from 0; at its end if it has fewer."""
        import cv2

        self._capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        self._number, self._last = number - 1, -math.inf
        self._finder = None if self._finder is None else RepeatFinder()
        self._ahead, self._change = self._decode(), NEW
        self._compare(self._ahead)

    def _newest(self):
        """The next frame of a camera: nothing is read ahead."""
        frame, self._ahead = self._ahead or self._decode(), None
        if frame is None:
            raise VideoError(f"{self.name}: it sends no more frames; is it still connected?")
        return frame

    def _compare(self, frame):
        """The Change of the frame that is read ahead."""
        return NEW if self._finder is None or frame is None else self._finder.change(frame.image)

    def _repeats(self, number, change):
        """Whether a frame repeats the one before; the next one has been compared with it."""
        is_between = change.quiet and self._ahead is not None and self._change.loud
        if self.cadence is None:
            return change.same or is_between
        if is_between:
            self.cadence.saw_repeat(number)
        return change.same or (change.quiet and self.cadence.expects(number))

    def _decode(self):
        """The next frame with the container's time, or None."""
        import cv2

        if not self._capture.grab():
            return None
        if self.is_camera:
            now = time.monotonic()
            self._start = now if self._start is None else self._start
            stamp = now - self._start
        else:
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        is_there, image = self._capture.retrieve()
        self._number += 1
        return Frame(self._number, stamp, image) if is_there and image is not None else None

    def _in_order(self, frame):
        """The frame with the time at which it was taken, later than that of the frame before."""
        stamp = frame.time
        if self.cadence is not None:
            stamp += self.cadence.delay(frame.number) / self.rate
        if not stamp > self._last:
            self._note(f"{self.name}: time stamps do not rise; frames are taken to be 1/{self.rate:g} s apart there")
            stamp = self._last + 1.0 / self.rate
        self._last = stamp
        return frame._replace(time=stamp)

    def _note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def _finish(self):
        """Notes about a file that has ended."""
        read = self._number + 1
        if self.count is not None and read < COUNT_MATTERS * self.count:
            self._note(f"{self.name}: ends after {read} of {self.count} frames; the file is cut off or damaged")
        if self.repeated and self.cadence is None:
            self._note(f"{self.name}: {self.repeated} of {read} frames repeat the one before and are left out")


def open_video(source: str | os.PathLike | int, *, keep_repeats: bool = False) -> Video:
    """The Video of a file, or of a camera by its number, also as text ("0").

    keep_repeats: give every frame, with the time stamp that it has in the file.
    Raises VideoError if it cannot be read, ModuleNotFoundError (cv2) without OpenCV.
    """
    quieten()
    number = _camera_number(source)
    if number is not None:
        return Video(_open_camera(number), f"camera {number}", True, None, True)
    name = str(source)
    if not Path(name).is_file():
        raise VideoError(f"{name}: there is no such file; name a video, or the number of a camera such as 0")
    cadence = None if keep_repeats else _cadence(name)
    return Video(_open_file(name), name, False, cadence, keep_repeats)


def read_frame(source: str | os.PathLike, number: int = 0) -> Frame:
    """Frame `number` of a file, in the order of decoding from 0, with the time stamp that it has in the file.

    VideoError if the file has fewer, or cannot be read.
    """
    with open_video(source, keep_repeats=True) as video:
        for frame in video:
            if frame.number == number:
                return frame
    raise VideoError(f"{source}: there is no frame {number}; it has {frame.number + 1}, counted from 0")


def quieten() -> None:
    """Let OpenCV and its decoders print nothing: what is wrong is ours to say. Call it before the first file."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    import cv2

    with contextlib.suppress(AttributeError):
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _camera_number(source):
    """The number of a camera, or None for a file. A file that is called 0 is a file."""
    if isinstance(source, int):
        if source < 0:
            raise VideoError(f"camera {source}: cameras are numbered from 0")
        return source
    text = str(source)
    return int(text) if text.isascii() and text.isdigit() and not Path(text).exists() else None


def _open_camera(number):
    import cv2

    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise VideoError(_unreadable(f"camera {number}", True))
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest frame, where the driver can
    return capture


def _open_file(name):
    import cv2

    capture = cv2.VideoCapture(name)
    if not capture.isOpened():
        raise VideoError(_unreadable(name, False))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _unreadable(name, is_camera):
    if is_camera:
        return f"{name}: no picture comes from it; is it connected, and does no other program use it?"
    return f"{name}: no video that OpenCV can read; is it complete? Other formats: convert it to MP4 (H.264)"


def _cadence(name):
    """The Cadence of the repeats at the beginning of a file; None where they do not come regularly."""
    import cv2

    finder, repeats, stamps, capture = RepeatFinder(), [], [], _open_file(name)
    while len(repeats) < SCANNED and capture.grab():
        stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC))
        is_there, image = capture.retrieve()
        change = finder.change(image) if is_there else NEW
        repeats.append(change.same or change.quiet)
    capture.release()
    return find_cadence(repeats, stamps)
