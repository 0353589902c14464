"""Named points of a place and where they are in a picture: what a calibration starts from.

    named = read_points("points.csv")                   # name,u,v[,x,y,z][,frame]: px; m
    for side, points in places(named, sport): ...       # (N, 3) m, from every side whose landmarks have all the names

The names are those of a sport's file, [view.landmarks.SIDE]. A row may bring its own place instead, x, y and z.
"""

import csv
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ballcast.sim import Sport
from ballcast.tracks.table import Lines

COLUMNS = ("name", "u", "v", "x", "y", "z", "frame")
NEEDED = ("name", "u", "v")


class CalibrationError(ValueError):
    """Why a camera cannot be calibrated: one line with what, where and how to mend it."""


@dataclass(frozen=True)
class NamedPoints:
    """Points of one picture.

    names   (N,) of str, each once
    pixels  (N, 2) px; pixel centres are whole numbers
    places  (N, 3) m of those that bring their own, else NaN
    frame   the number of the picture; None if the file does not say
    """

    names: tuple[str, ...]
    pixels: np.ndarray
    places: np.ndarray
    frame: int | None = None

    def of(self, chosen: np.ndarray) -> "NamedPoints":
        """Those with chosen (N,) bool."""
        names = tuple(name for name, is_chosen in zip(self.names, chosen) if is_chosen)
        return replace(self, names=names, pixels=self.pixels[chosen], places=self.places[chosen])


def read_points(path: str | os.PathLike, frame: int | None = None) -> NamedPoints:
    """The points of a CSV file, of picture `frame`; by default of the first picture in the file.

    CalibrationError: what is wrong, in which row.
    """
    name, rows = str(path), _rows(path)
    frames = [row["frame"] for _, row in rows]
    if frame is None:
        frame = frames[0]
    chosen = [(number, row) for number, row in rows if row["frame"] in (frame, None)]
    if not chosen:
        known = ", ".join(map(str, sorted({f for f in frames if f is not None})[:9]))
        raise CalibrationError(f"{name}: no points of frame {frame}; it has points of the frames {known}")
    names: dict[str, int] = {}
    for number, row in chosen:
        if row["name"] in names:
            first = names[row["name"]]
            raise CalibrationError(f"{name}, row {number}: {row['name']} stands in row {first} too; leave one of them")
        names[row["name"]] = number
    pixels = np.array([[row["u"], row["v"]] for _, row in chosen])
    places = np.array([[row["x"], row["y"], row["z"]] for _, row in chosen])
    return NamedPoints(tuple(names), pixels, places, frame)


def sides(sport: Sport) -> tuple[str, ...]:
    """From which sides a sport's file names points."""
    return tuple(side.seen_from for side in sport.view.landmarks)


def places(named: NamedPoints, sport: Sport, seen_from: str | None = None) -> list[tuple[str, np.ndarray]]:
    """(side, points (N, 3) m) of every side of the place that has all names, or of the one that is asked for.

    CalibrationError: a name that no side has, a side that is not there.
    """
    own = np.isfinite(named.places).all(axis=1)
    if own.all():
        return [("", named.places)]
    known = {side.seen_from: dict(zip(side.names, side.points)) for side in sport.view.landmarks}
    if not known:
        missing = named.names[int(np.argmin(own))]
        raise CalibrationError(f"{sport.name} names no points of its place: give {missing} its x, y and z in m")
    if seen_from is not None and seen_from not in known:
        raise CalibrationError(f"{sport.name} is not known from {seen_from!r}; its sides are {', '.join(known)}")
    asked = {side: known[side] for side in (known if seen_from is None else [seen_from])}
    found = []
    for side, points in asked.items():
        if all(is_own or name in points for name, is_own in zip(named.names, own)):
            of = [place if is_own else points[name] for name, place, is_own in zip(named.names, named.places, own)]
            found.append((side, np.array(of, dtype=float)))
    if not found:
        raise CalibrationError(_unknown(named, own, sport, asked))
    return found


def _unknown(named, own, sport, sides_):
    """Which name is not known, and which are."""
    best = max(sides_, key=lambda side: sum(name in sides_[side] for name in named.names))
    wrong = [name for name, is_own in zip(named.names, own) if not is_own and name not in sides_[best]]
    return f"{sport.name} seen from {best} has no point {wrong[0]!r}; it has {', '.join(sides_[best])}"


def _rows(path):
    """[(row, {column: value})] of a file."""
    name = str(path)
    try:
        lines = Lines.of(name, Path(path).read_bytes())
    except OSError as error:
        raise CalibrationError(f"{name}: cannot be read ({error.strerror}); check the path") from error
    cells = list(csv.reader(io.StringIO("\n".join(lines.texts)), skipinitialspace=True))
    header = [cell.strip().lower() for cell in cells[0]] if cells else []
    if missing := [column for column in NEEDED if column not in header]:
        raise CalibrationError(f"{name}: no column {missing[0]!r}; its first line has to be name,u,v")
    if unknown := [column for column in header if column not in COLUMNS]:
        raise CalibrationError(f"{name}: column {unknown[0]!r} is not known; there are {', '.join(COLUMNS)}")
    if len(cells) < 2:
        raise CalibrationError(f"{name}: holds no points; add rows such as corner_near_left,421.7,430.9")
    return [(row, _row(f"{name}, row {row}", header, line)) for row, line in zip(lines.rows[1:], cells[1:])]


def _row(where, header, line):
    if len(line) != len(header):
        raise CalibrationError(f"{where}: {len(line)} cells, but the first line has {len(header)}")
    cells = dict(zip(header, map(str.strip, line)))
    values = {"name": cells["name"], "frame": _whole(where, cells["frame"]) if cells.get("frame") else None}
    if not values["name"]:
        raise CalibrationError(f"{where}: a point without a name")
    for column in ("u", "v", "x", "y", "z"):
        values[column] = _number(where, column, cells.get(column, ""), needed=column in NEEDED)
    if 0 < np.isnan([values[column] for column in "xyz"]).sum() < 3:
        raise CalibrationError(f"{where}: x, y and z go together; give all three or none")
    return values


def _number(where, column, cell, needed):
    try:
        value = float(cell) if cell or needed else np.nan
    except ValueError:
        raise CalibrationError(f"{where}: {column} = {cell!r} is not a number") from None
    if cell and not np.isfinite(value):
        raise CalibrationError(f"{where}: {column} = {cell!r} must be finite")
    return value


def _whole(where, cell):
    if not cell.isdigit():
        raise CalibrationError(f"{where}: frame = {cell!r} must be a whole number from 0 on")
    return int(cell)
