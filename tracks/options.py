"""How track files are read: the options that every command line shares, and the placement they describe.

options = ReadOptions(scale=0.001, axes="x,-z,y", origin="0,0,0.76")
position = options.placement().apply(position)      # (T, 3) m, from the file's frame to ours
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ballcast.tracks.track import TrackError

FORMATS = ("csv", "tt3d", "spindoe", "motive", "hdf5")
COLUMN_KEYS = ("t", "x", "y", "z", "id", "frame")
EXACT_TURNS = {0.0: (1.0, 0.0), 90.0: (0.0, 1.0), 180.0: (-1.0, 0.0), 270.0: (0.0, -1.0)}  # degrees -> cosine, sine


@dataclass(frozen=True)
class ReadOptions:
    """How the tracks are read. Units that a file names itself are converted first."""

    format: str | None = None  # csv, tt3d, spindoe, motive or hdf5; recognised if not given
    columns: str | None = None
    """the names of the columns, as in t=when,x=east,id=ball; numbers from 1 if there is no header.
    The usual names are known. id separates several balls; id= (nothing) ignores such a column"""
    time_scale: float = 1.0  # seconds per unit of the times: 0.001 for milliseconds
    rate: float | None = None  # frames per second, if there are frame numbers, or no times at all
    scale: float = 1.0  # metres per unit of the positions: 0.001 for millimetres
    axes: str | None = None  # the axes that are our x (across), y (along) and z (up), as in x,-z,y
    rotate: float = 0.0  # degrees by which to turn about z, after axes; 90 turns x to y
    origin: str = "0,0,0"  # our origin after scale, axes and rotate, in metres, as in 0,0,0.76; it is subtracted
    keep_all: bool = False
    """keep frames that repeat the position of a moving ball or are (0, 0, 0): they measure nothing, and are left out"""

    def check(self, keys: Sequence[str] = COLUMN_KEYS) -> None:
        """Raise TrackError, one line, for options that cannot work; keys as for column_names."""
        if self.format not in (None, *FORMATS):
            raise TrackError(f"unknown track format {self.format!r}; one of {', '.join(FORMATS)}")
        for name, value, unit in (("time_scale", self.time_scale, "seconds"), ("scale", self.scale, "metres")):
            if not _is_positive(value):
                example = "0.001 for milliseconds" if unit == "seconds" else "0.001 for millimetres"
                words = name.replace("_", "-")
                raise TrackError(f"{words} {_text(value)}: {unit} per unit of the file, a number above 0 ({example})")
        if self.rate is not None and not _is_positive(self.rate):
            raise TrackError(f"rate {_text(self.rate)}: frames per second, a number above 0")
        if self.rate is not None and self.time_scale != 1.0:
            raise TrackError("rate and time-scale: give one of them; rate is for frame numbers, time-scale for times")
        self.column_names(keys)
        self.placement()

    def column_names(self, keys: Sequence[str] = COLUMN_KEYS) -> dict[str, str]:
        """Key of a column, one of `keys`, -> its name, as the option `columns` says."""
        names = {}
        for word in self.columns.split(",") if self.columns else []:
            key, equals, name = (part.strip() for part in word.partition("="))
            if not equals or key not in keys or key in names or (not name and key != "id"):
                known = ", ".join(keys)
                raise TrackError(f"columns {self.columns!r}: write KEY=NAME once each, as in t=when,x=X; keys: {known}")
            names[key] = name
        return names

    def placement(self, axes_of_file: str = "x,y,z") -> "Placement":
        """The Placement; `axes_of_file` counts where the option `axes` is not given."""
        return Placement.parse(self.axes or axes_of_file, self.rotate, self.origin)


class Placement(NamedTuple):
    """From a file's frame to ours."""

    axes: list[int]  # which of the file's axes are our x, y and z
    signs: np.ndarray  # (3,)
    turn: tuple[float, float]  # cosine and sine of the angle about z
    shift: np.ndarray  # (3,) m

    @staticmethod
    def parse(axes: str, rotate: float = 0.0, origin: str | Sequence[float] = "0,0,0") -> "Placement":
        """A Placement from texts; TrackError if one of them cannot be understood."""
        words = [word.strip() for word in str(axes).split(",")]
        if sorted(word.lstrip("+-") for word in words) != ["x", "y", "z"] or max(map(len, words)) > 2:
            how = "name each of the file's x, y and z once, with - to reverse it, as in x,-z,y"
            raise TrackError(f"axes {axes!r}: {how}")
        try:
            shift = np.array(origin.split(",") if isinstance(origin, str) else origin, dtype=float)
            angle = float(rotate)
        except (TypeError, ValueError) as error:
            raise TrackError(f"rotate and origin must be numbers, got {rotate!r} and {origin!r}") from error
        if shift.shape != (3,) or not np.isfinite(shift).all():
            raise TrackError(f"origin {origin!r}: give three finite numbers in metres, as in 0,0,0.76")
        if not math.isfinite(angle):
            raise TrackError(f"rotate {rotate!r}: degrees about z, a finite number")
        radians = math.radians(angle)
        turn = EXACT_TURNS.get(angle % 360.0, (math.cos(radians), math.sin(radians)))
        signs = np.array([-1.0 if word[0] == "-" else 1.0 for word in words])
        return Placement(["xyz".index(word[-1]) for word in words], signs, turn, shift)

    def apply(self, position: np.ndarray) -> np.ndarray:
        """Positions (T, 3) m in our frame; a new array."""
        position, (cosine, sine) = position[:, self.axes] * self.signs, self.turn
        if sine or cosine < 0.0:
            x, y = position[:, 0].copy(), position[:, 1].copy()
            position[:, 0], position[:, 1] = cosine * x - sine * y, sine * x + cosine * y
        return position - self.shift

    def axes_text(self, words: str = "x,y,z") -> str:
        """The option `axes` that does the same as this one's axes followed by `words`."""
        ours = [("-" if sign < 0 else "") + "xyz"[axis] for axis, sign in zip(self.axes, self.signs)]
        turned = [("-" if word[0] == "-" else "") + ours["xyz".index(word[-1])] for word in words.split(",")]
        return ",".join(word.replace("--", "") for word in turned)


def _is_positive(value):
    return isinstance(value, (int, float, np.number)) and math.isfinite(value) and value > 0


def _text(value):
    return f"{value:g}" if isinstance(value, (int, float)) else repr(value)
