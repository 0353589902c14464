"""Pixels of a ball line by line, while trackers of images write them. live.py does the same for tracks in space.

    reader = PixelLineReader("t,camera,u,v", cameras)        # from the first line
    live = LivePixels(reader, notify=print)
    for is_new, time, pixel, camera, diameter in live.frames(row, line): ...
    live.rest()                                              # at the end: frames that still wait

Missed frames and those of a ball that was not seen are left out. A clock that jumps back begins a new ball. Frames must
come in the order of time, whatever camera saw them. Where one camera's come later than another's, `wait` (s) keeps
frames until so much younger ones have come, and orders them.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ballcast.tracks.camera import Camera
from ballcast.tracks.layout import split_cells
from ballcast.tracks.live import LATE
from ballcast.tracks.notes import pixel_time_note
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.pixel_files import check_pixel_options
from ballcast.tracks.pixel_layout import find_pixel_layout
from ballcast.tracks.pixel_rows import (
    NOT_SEEN,
    CameraNames,
    check_cells,
    frame_time_in,
    is_far_outside,
    outside,
    pixel_in,
)
from ballcast.tracks.pixel_track import check_names, first_invalid_frame
from ballcast.tracks.table import number_in
from ballcast.tracks.track import TrackError

CHECKED_AT = 30  # frames of a camera after which its pixels are compared with its resolution, and its times looked at
MAX_SHARE_OUTSIDE = 0.1  # of these


class PixelFrame(NamedTuple):
    """A measured frame of one camera."""

    is_new: bool  # whether a ball begins with this frame
    time: float  # s
    pixel: np.ndarray  # (2,) px
    camera: int  # index into the cameras
    diameter: float | None  # px; None where it was not measured


class PixelLineReader:
    """Reads lines of pixels one at a time; `first` is the first line, cameras are those that the lines may name.

    Options as for read_pixels. Raises TrackError if the first line is neither a header nor a row of ours.
    """

    def __init__(self, first: str, cameras: Sequence[Camera], name: str = "standard input", **options: Any):
        self.name, self.options, self.cameras = name, ReadOptions(**options), list(cameras)
        check_pixel_options(self.options)
        check_names(cameras)
        first = first.removeprefix("\ufeff").rstrip("\r\n")
        self.names = CameraNames(cameras)
        self.layout = find_pixel_layout(name, 1, first, self.options, self.names.names)
        if len(cameras) > 1 and "camera" not in self.layout.columns:
            several = f"there are {len(cameras)} cameras ({', '.join(self.names.names)}); give one of them"
            raise TrackError(f"{name}: no column camera, and {several}")
        self.has_no_header = self.layout.header is None
        self._counts = [0] * len(cameras)

    def read(self, row: int, line: str) -> PixelFrame:
        """The frame of a line, not new; its pixel is NaN if it was missed. TrackError, with the row, if it is none."""
        where, columns = f"{self.name}, row {row}", self.layout.columns
        cells = split_cells(line.rstrip("\r\n"), self.layout.separator)
        check_cells(where, cells, self.layout.width)
        camera = self.names.index(where, cells[columns["camera"]]) if "camera" in columns else 0
        pixel = np.array(pixel_in(where, cells, columns))
        diameter = number_in(where, cells[columns["diameter"]]) if "diameter" in columns else math.nan
        time = float(self._counts[camera])
        self._counts[camera] += 1
        if "t" in columns:
            is_missed = np.isnan(pixel).any()  # then the time may be missing too
            time = math.nan if is_missed else frame_time_in(where, cells[columns["t"]])
        time *= self.layout.time_unit * self.options.time_scale
        return PixelFrame(False, time, pixel, camera, None if math.isnan(diameter) else diameter)


@dataclass(eq=False)
class _Seen:
    """What is remembered of one camera."""

    first: float = math.inf  # s
    last: float = -math.inf  # s
    late: PixelFrame | None = None  # the frame before, if it was late
    times: list = field(default_factory=list)  # s, of the first frames, which are compared with its resolution
    far: int = 0  # of these, outside its image


@dataclass(order=True)
class _Waiting:
    """A frame that waits for those of other cameras."""

    time: float
    number: int
    frame: PixelFrame = field(compare=False)


class LivePixels:
    """The measured frames in a pipe's lines, in the order of time.

    notify   called with each note, a line
    wait     s: a frame is given when one that is so much younger has come
    """

    def __init__(self, reader: PixelLineReader, notify: Callable[[str], None], wait: float = 0.0):
        if not 0.0 <= wait <= LATE:
            raise TrackError(f"wait {wait:g}: seconds to wait for frames of other cameras, 0 to {LATE:g}")
        self.reader, self._notify, self.wait = reader, notify, wait
        self._noted: set[str] = set()
        self._number = 0
        self._begin()

    def frames(self, row: int, line: str) -> list[PixelFrame]:
        """The frames that a line adds: none if it measures nothing, or has to wait.
        TrackError, with the row, if the line is not a row, or comes too late."""
        where = f"{self.reader.name}, row {row}"
        frame = self.reader.read(row, line)
        if self.reader.names.has_numbers:
            self._note("numbers", f"{self.reader.name}: {self.reader.names.note()}")
        if not self._is_measured(where, frame):
            return []
        if bad := _invalid(frame, self.reader.cameras):
            raise TrackError(f"{where}: {bad}")
        seen, given = self._seen[frame.camera], []
        if frame.time <= seen.last or frame.time < self._newest - LATE:
            given = self._restarted(where, seen, frame)
        elif frame.time < self._given:
            raise TrackError(f"{where}: {self._lateness(frame)}")
        return given + self._take(where, frame)

    def rest(self) -> list[PixelFrame]:
        """The frames that still wait, when no more lines come."""
        return self._give(-math.inf)

    def _begin(self):
        """Forget the ball."""
        self._waiting: list[_Waiting] = []
        self._newest = self._given = -math.inf  # s, of the frames that came, and of those that were given
        self._is_new = True
        self._seen = [_Seen() for _ in self.reader.cameras]

    def _is_measured(self, where, frame):
        """Whether the ball was seen."""
        if np.isnan(frame.pixel).any():
            self._note("missed", f"{where}: no pixel: a missed frame, as are further rows like it")
            return False
        if tuple(frame.pixel) in NOT_SEEN and not self.reader.options.keep_all:
            what = "is (0, 0) or (-1, -1), which stand for a ball that was not seen"
            self._note("zero", f"{where}: {what}; left out, as are further rows like it; --keep-all keeps them")
            return False
        return True

    def _restarted(self, where, seen, frame):
        """The frames before a new ball, and its first one if a late frame was it. TrackError if one is merely late."""
        late, last = seen.late, seen.last if seen.last > -math.inf else self._newest
        was_late = late is not None and frame.time > late.time
        if not (was_late or frame.time <= seen.first < seen.last or frame.time < last - LATE):
            seen.late = frame
            name = self.reader.names.names[frame.camera]
            raise TrackError(f"{where}: time {frame.time!s} s does not come after {last!s} s, of the camera {name!r}")
        self._note("clock", f"{where}: the clock jumps back from {last:.9g} s to {frame.time:.9g} s: a new ball begins")
        given = self._give(-math.inf)
        self._begin()
        return given + (self._take(where, late) if was_late else [])

    def _take(self, where, frame):
        """Add a frame that comes after those that were given; all that can be given now."""
        seen = self._seen[frame.camera]
        seen.first, seen.last, seen.late = min(seen.first, frame.time), frame.time, None
        self._look_at(where, seen, frame)
        self._newest = max(self._newest, frame.time)
        self._number += 1
        heapq.heappush(self._waiting, _Waiting(frame.time, self._number, frame))
        return self._give(self.wait)

    def _give(self, wait):
        """The frames that are older than the newest one by `wait`, s, in the order of time."""
        given = []
        while self._waiting and self._newest - self._waiting[0].time >= wait:
            frame = heapq.heappop(self._waiting).frame
            given.append(frame._replace(is_new=self._is_new))
            self._is_new, self._given = False, frame.time
        return given

    def _look_at(self, where, seen, frame):
        """Note pixels outside the image, and times that are no seconds, in the first frames of a camera."""
        if len(seen.times) == CHECKED_AT:
            return
        camera, name = self.reader.cameras[frame.camera], self.reader.name
        seen.times.append(frame.time)
        if is_far_outside(frame.pixel, camera):
            seen.far += 1
            self._note(f"outside {frame.camera}", f"{where}: {outside(frame.pixel, camera)}")
        if len(seen.times) < CHECKED_AT:
            return
        if seen.far > MAX_SHARE_OUTSIDE * CHECKED_AT:
            what = f"{seen.far} of {CHECKED_AT} pixels of {camera.name!r} are outside its image; of another resolution?"
            self._note(f"size {frame.camera}", f"{name}: {what} Scale the pixels, or the camera's size and K")
        if note := pixel_time_note(np.array(seen.times), camera.name):
            self._note("time", f"{name}: {note}")

    def _lateness(self, frame):
        """What to say of a frame that comes after a younger one of another camera."""
        name, by = self.reader.names.names[frame.camera], self._given - frame.time
        hint = f"--wait {math.ceil(1e3 * (self.wait + by)) / 1e3:g} waits for it"
        return f"time {frame.time!s} s of the camera {name!r} comes {by:.3g} s after a younger frame; {hint}"

    def _note(self, kind, text):
        """Pass on the first note of each kind."""
        if kind not in self._noted:
            self._noted.add(kind)
            self._notify(text)


def _invalid(frame, cameras):
    """What is wrong with a frame; None if nothing is."""
    diameter = None if frame.diameter is None else np.array([frame.diameter])
    index = np.array([frame.camera])
    bad = first_invalid_frame(np.array([frame.time]), frame.pixel[None], index, cameras, diameter)
    return bad and bad[1]
