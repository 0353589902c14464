"""Tracks line by line, while a tracker writes them.

    reader = TrackLineReader("t,x,y,z")                      # from the first line
    time, position = reader.frame(2, "0.0,1,2,3")            # one line, nothing else considered

    live = LiveTracks(reader, notify=print)
    for ball, is_new, time, position in live.frames(row, line): ...

`LiveTracks` treats a pipe as read_tracks treats a file: missed, held and zero frames are left out, an id tells several
balls apart, and what looks wrong gets one note of each kind. Beyond that, a clock that jumps back begins a new ball.
"""

import math
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ballcast.tracks.held import RepeatFilter
from ballcast.tracks.layout import find_layout, split_cells
from ballcast.tracks.motive import is_motive
from ballcast.tracks.notes import plausibility_notes
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.table import row_values
from ballcast.tracks.track import TrackError, first_invalid_row

LATE = 1.0  # s; a frame that is earlier than the last one by more is no late frame: the clock was set back
CHECKED_AT = (12, 60)  # frames after which a ball's track is looked at for what is wrong
MAX_BALLS = 64  # remembered at once; the one that was seen first is forgotten
IDS_THAT_COUNT = 10  # so many ids, each with one frame, number the rows


class TrackLineReader:
    """Reads a track's lines one at a time; `first` is the first line, `comment` a comment line before it.

    Options as for read_track. Raises TrackError if the first line is not a header.
    """

    def __init__(self, first: str, name: str = "standard input", comment: str = "", **options: Any):
        self.name, self.options = name, ReadOptions(**options)
        self.options.check()
        first = first.removeprefix("\ufeff").rstrip("\r\n")
        if is_motive(first.encode()):
            raise TrackError(f"{name}: Motive's CSV is read as a file, not line by line")
        self.layout = find_layout(name, 1, first, self.options, comment)
        cells = tuple(cell.strip() for cell in split_cells(first, self.layout.separator))
        self.has_no_header = self.layout.header != cells
        self.placement = self.options.placement(self.layout.axes)
        self._counts: dict[str, int] = {}

    def read(self, row: int, line: str) -> tuple[str, float, np.ndarray]:
        """The ball ("" without ids), time in s and position (3,) in m, but in the file's frame; NaN in a missed frame.
        TrackError, with the row, if the line is not a row."""
        layout, options, where = self.layout, self.options, f"{self.name}, row {row}"
        cells = split_cells(line.rstrip("\r\n"), layout.separator)
        time, *position = row_values(where, cells, layout)
        ball = "" if layout.id is None else cells[layout.id].strip()
        if layout.time is None:
            time = self._counts.get(ball, 0)
            self._counts[ball] = time + 1
        factor = layout.length_unit * options.scale
        return ball, time * layout.time_unit * options.time_scale, np.array([value * factor for value in position])

    def frame(self, row: int, line: str) -> tuple[float, np.ndarray]:
        """Time in s and position (3,) m of the frame in a line; TrackError, with the row, if it is invalid."""
        _, time, position = self.read(row, line)
        if bad := first_invalid_row(np.array([time]), position[None]):
            raise TrackError(f"{self.name}, row {row}: {bad[1]}")
        return time, self.placement.apply(position[None])[0]


class LiveFrame(NamedTuple):
    """A measured frame of one ball."""

    ball: str  # its id; "" without ids
    is_new: bool  # whether the ball begins with this frame
    time: float  # s
    position: np.ndarray  # (3,) m


@dataclass(eq=False)
class _Ball:
    """What is remembered of one ball."""

    first: float = math.inf  # s
    last: float = -math.inf
    late: tuple | None = None  # the frame before, if it was late: time and position
    repeats: RepeatFilter = field(default_factory=RepeatFilter)
    seen: list = field(default_factory=list)  # the first frames, as they are looked at


class LiveTracks:
    """The measured frames in a pipe's lines.

    notify   called with each note, a line
    ground   height of the lowest ground that a ball can lie on, m, for a note
    silence  s: a ball that was not seen for so long is closed; a later frame under its id begins a new one
    """

    def __init__(
        self,
        reader: TrackLineReader,
        notify: Callable[[str], None],
        ground: float | None = None,
        silence: float = math.inf,
    ):
        self.reader, self._notify, self._ground, self._silence = reader, notify, ground, silence
        self._balls: dict[str, _Ball] = {}
        self._noted: set[str] = set()

    def frames(self, row: int, line: str) -> list[LiveFrame]:
        """The frames that a line adds: none if it measures nothing, two where a late frame turns out to begin a ball.
        TrackError, with the row, if the line is not a row, or comes too late."""
        where = f"{self.reader.name}, row {row}"
        name, time, position = self.reader.read(row, line)
        if np.isnan(position).any():
            self._note("missed", f"{where}: no position: a missed frame, as are further rows like it")
            return []
        if bad := first_invalid_row(np.array([time]), position[None]):
            raise TrackError(f"{where}: {bad[1]}")
        self._close_silent(time)
        ball = self._balls.get(name) or self._begin(name)
        frames = [(time, position)]
        if time <= ball.last:
            frames = self._restarted(where, ball, time, position)
            ball = self._begin(name)
        ball.late = None
        return [frame for frame in (self._add(where, name, ball, *each) for each in frames) if frame]

    @property
    def open(self) -> Set[str]:
        """The names of the balls that are followed now."""
        return self._balls.keys()

    def _close_silent(self, time):
        """Forget the balls that have not been seen for so long."""
        for name in [name for name, ball in self._balls.items() if self._silence < time - ball.last < math.inf]:
            del self._balls[name]

    def _restarted(self, where, ball, time, position):
        """The frames with which a new ball begins; TrackError if this one is merely late."""
        was_late = ball.late is not None and time > ball.late[0]
        if not (was_late or time <= ball.first < ball.last or time < ball.last - LATE):
            ball.late = time, position
            raise TrackError(f"{where}: time {time!s} s does not come after {ball.last!s} s: a late frame")
        self._note("clock", f"{where}: the clock jumps back from {ball.last:.9g} s to {time:.9g} s: a new ball begins")
        return [ball.late, (time, position)] if was_late else [(time, position)]

    def _begin(self, name):
        """A ball without frames, under this name."""
        self._balls.pop(name, None)
        if len(self._balls) >= MAX_BALLS:
            self._balls.pop(next(iter(self._balls)))
        self._balls[name] = _Ball()
        if len(self._balls) == IDS_THAT_COUNT and all(len(ball.seen) < 2 for ball in self._balls.values()):
            self._note("ids", f"{self.reader.name}: each row has an id of its own; --columns id= ignores the ids")
        return self._balls[name]

    def _add(self, where, name, ball, time, position):
        """The LiveFrame of a frame that comes after the others; None if it measures nothing."""
        is_new, ball.last = ball.first == math.inf, time
        if not self.reader.options.keep_all and not ball.repeats.is_measured(time, *position.tolist()):
            kind, what = "held", "repeats the position before while the ball moves: it was held"
            if not position.any():
                kind, what = "zero", "is (0, 0, 0), which stands for a ball that was not seen"
            self._note(kind, f"{where}: {what}; left out, as are further rows like it; --keep-all keeps them")
            return None
        ball.first = min(ball.first, time)
        position = self.reader.placement.apply(position[None])[0]
        if len(ball.seen) < CHECKED_AT[-1]:
            ball.seen.append((time, position))
            if len(ball.seen) in CHECKED_AT:
                self._look_at(ball)
        return LiveFrame(name, is_new, time, position)

    def _look_at(self, ball):
        """Note what looks wrong in the first frames of a ball."""
        time, position = (np.array(values) for values in zip(*ball.seen))
        for kind, text in plausibility_notes(time, position, self.reader.placement, self._ground):
            self._note(kind, f"{self.reader.name}: {text}")

    def _note(self, kind, text):
        """Pass on the first note of each kind."""
        if kind not in self._noted:
            self._noted.add(kind)
            self._notify(text)
