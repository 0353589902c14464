"""Track: times and positions of one ball as a tracker saw them: irregular, noisy, incomplete.

    track = Track(time, position)      # checked here, so nobody downstream has to
    history = track.until(0.2)         # what was seen up to 0.2 s
    last = track[-5:]                  # the last five frames

A missed frame is simply absent; there are no NaN rows. A track holds no truth, no velocity and no sport.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np


class TrackError(ValueError):
    """A track or track file that cannot be used: one line that says what, where, and how to mend it."""


@dataclass(frozen=True, eq=False)
class Track:
    """What was seen of one ball. Copies what it is given; its arrays are read-only.

    time      (T,)   s, strictly increasing; any origin (absolute times are fine)
    position  (T, 3) m, finite
    name      what to call the track in a list (a reader gives the file's name without its suffix)
    columns   further columns of the file, name -> (T,) values, carried along untouched (as text when read from a file)
    notes     remarks of the reader for the person at the keyboard, one line each

    Raises TrackError that names the first bad row (counting from 0). T may be 0: nothing seen yet.
    """

    time: np.ndarray
    position: np.ndarray
    name: str = ""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        time, position = _numbers("time", self.time), _numbers("position", self.position)
        if time.ndim != 1 or position.shape != (len(time), 3):
            raise TrackError(f"time must be (T,) and position (T, 3); got {time.shape} and {position.shape}")
        if bad := first_invalid_row(time, position):
            raise TrackError(f"row {bad[0]} (counting from 0): {bad[1]}")
        columns = {str(key): np.array(values) for key, values in self.columns.items()}
        for key, values in columns.items():
            if values.shape != time.shape:
                raise TrackError(f"column {key!r} must have one value a row, ({len(time)},); got {values.shape}")
        for array in (time, position, *columns.values()):
            array.flags.writeable = False
        for key, value in (("time", time), ("position", position), ("columns", MappingProxyType(columns))):
            object.__setattr__(self, key, value)

    def __len__(self):
        return len(self.time)

    def __getitem__(self, rows):
        """The track of these rows: a slice, a mask or increasing row numbers. A new Track, without the notes."""
        if isinstance(rows, (int, np.integer)):
            raise TypeError("a track is cut by a slice or a mask; one frame is track.time[i], track.position[i]")
        columns = {key: values[rows] for key, values in self.columns.items()}
        return Track(self.time[rows], self.position[rows], self.name, columns)

    def until(self, time):
        """What was seen up to and including `time` (s, on the track's own clock): a new Track, perhaps empty."""
        return self[: np.searchsorted(self.time, time, side="right")]


def first_invalid_row(time, position):
    """The first row that no track may have, as (row, what is wrong and how to mend it), or None when all is well.

    time (T,) s, position (T, 3) m. Rows count from 0.
    """
    finite = np.isfinite(time) & np.isfinite(position).all(axis=1)
    later = np.ones(len(time), bool)
    later[1:] = time[1:] > time[:-1]
    bad = ~(finite & later)
    if not bad.any():
        return None
    row = int(bad.argmax())
    if not finite[row]:
        values = ", ".join(f"{value:g}" for value in (time[row], *position[row]))
        return row, f"t, x, y, z = {values} is not finite; delete the row (a missed frame is left out)"
    return row, f"time {time[row]!s} s does not come after {time[row - 1]!s} s; sort the rows by time, one row a time"


def _numbers(what, values):
    """A new float64 array of `values`; TrackError when they are not numbers."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrackError(f"{what} must be an array of numbers ({str(error).splitlines()[0]})") from error
