"""Track: times and positions of one ball as a tracker measured them: irregular, noisy, incomplete.

    track = Track(time, position)      # checked here, and nowhere else
    history = track.until(0.2)         # the frames up to 0.2 s
    last = track[-5:]                  # the last five frames

A missed frame is absent; there are no NaN rows. A track has no truth, no velocity and no sport.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np


class TrackError(ValueError):
    """A track or track file that cannot be used: one line with what is wrong, where, and how to fix it."""


@dataclass(frozen=True, eq=False)
class Track:
    """The measured frames of one ball. The arrays are read-only copies.

    time      (T,)   s, strictly increasing, with any origin
    position  (T, 3) m, finite
    name      of the track in a list; for a file, its name without the suffix
    columns   further columns of the file, name -> (T,) values, unchanged (text if read from a file)
    notes     remarks of the reader to the user, one line each

    T may be 0. Raises TrackError, which names the first invalid row (counted from 0).
    """

    time: np.ndarray
    position: np.ndarray
    name: str = ""
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        time, position = numbers_of("time", self.time), numbers_of("position", self.position)
        if time.ndim != 1 or position.shape != (len(time), 3):
            raise TrackError(f"time must be (T,) and position (T, 3); got {time.shape} and {position.shape}")
        if bad := first_invalid_row(time, position):
            raise TrackError(f"row {bad[0]} (counting from 0): {bad[1]}")
        columns = {str(key): np.array(values) for key, values in self.columns.items()}
        for key, values in columns.items():
            if values.shape != time.shape:
                raise TrackError(f"column {key!r} must have one value per row, ({len(time)},); got {values.shape}")
        for array in (time, position, *columns.values()):
            array.flags.writeable = False
        for key, value in (("time", time), ("position", position), ("columns", MappingProxyType(columns))):
            object.__setattr__(self, key, value)

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice | np.ndarray) -> "Track":
        """A new Track of these rows, without the notes: a slice, a mask or increasing row numbers."""
        if isinstance(rows, (int, np.integer)):
            raise TypeError("index a track by a slice or a mask; one frame is track.time[i], track.position[i]")
        columns = {key: values[rows] for key, values in self.columns.items()}
        return Track(self.time[rows], self.position[rows], self.name, columns)

    def until(self, time: float) -> "Track":
        """A new Track of the frames up to and including `time` s, perhaps empty."""
        return self[: np.searchsorted(self.time, time, side="right")]


def first_invalid_row(time: np.ndarray, position: np.ndarray) -> tuple[int, str] | None:
    """The first row that is not allowed in a track: (row, what is wrong and how to fix it); None if all are valid.

    time (T,) s, position (T, 3) m. Rows are counted from 0.
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
        return row, f"t, x, y, z = {values} is not finite; delete the row (missed frames are left out)"
    return row, f"time {time[row]!s} s does not come after {time[row - 1]!s} s; sort the rows by time, one row for each"


def numbers_of(what: str, values: object) -> np.ndarray:
    """A new float64 array of `values`; TrackError if they are not numbers."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrackError(f"{what} must be an array of numbers ({str(error).splitlines()[0]})") from error
