"""Which column of a text file is what: found by the usual names, or as the option `columns` says.

layout = find_layout("ball.csv", 1, "Timestamp,X,Y,Z", ReadOptions())
cells = split_cells(line, layout.separator)
"""

import csv
import re
from dataclasses import dataclass

from ballcast.tracks.options import ReadOptions
from ballcast.tracks.track import TrackError

AXES = ("x", "y", "z")
HEADERS = {"csv": ("t", "x", "y", "z"), "tt3d": ("Timestamp", "X", "Y", "Z"), "spindoe": None}  # format -> its header
PIXEL_COLUMNS = {"u", "v", "l", "theta"}  # these are in TT3D's pixel files, not in its 3D ones
SEPARATORS = ",;\t"
NUMBER = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)\s*", re.IGNORECASE | re.ASCII)
KNOWN_NAMES = {  # key of a column -> names in lower case, with _ between words
    "t": {"t", "time", "times", "timestamp", "timestamps", "time_stamp", "time_stamps", "seconds", "secs", "sec"},
    **{axis: {axis, f"pos_{axis}", f"{axis}_pos", f"position_{axis}", f"{axis}_position", f"ball_{axis}",
              f"{axis}_ball", f"pos{axis}", f"{axis}_up"} for axis in AXES},
    "id": {"id", "track", "track_id", "trackid", "ball_id", "ballid", "trajectory", "trajectory_id",
           "object_id"},
    "frame": {"frame", "frames", "frame_id", "frame_number", "frame_no", "frame_index", "framenumber"},
}  # fmt: skip
UNITS = {  # kind -> unit in a column's name -> seconds or metres
    "time": {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6,
             "microseconds": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9},
    "length": {"m": 1.0, "meters": 1.0, "metres": 1.0, "cm": 1e-2, "mm": 1e-3, "ft": 0.3048, "feet": 0.3048,
               "in": 0.0254},
}  # fmt: skip
UP_AXES = {"y_up": "x,-z,y", "x_up": "y,z,x"}  # a name that says which way is up -> our axes


@dataclass(frozen=True)
class Layout:
    """Where the columns of a text file are, counted from 0."""

    separator: str | None  # None: spaces
    width: int  # cells of a line
    position: tuple[int, ...]  # columns of x, y and z
    time: int | None = None  # column of the time, or of frame numbers; None: none
    id: int | None = None  # column that tells balls apart
    header: tuple[str, ...] | None = None
    time_unit: float = 1.0  # s, named by the header or the rate
    length_unit: float = 1.0  # m, named by the header
    axes: str = "x,y,z"  # the file's axes that are ours, named by the header

    @property
    def used(self) -> list[int]:
        """Columns of the numbers that are read: the time, if there is one, and the position."""
        return [column for column in (self.time, *self.position) if column is not None]

    @property
    def further(self) -> list[tuple[int, str]]:
        """(column, name) of all others."""
        return [(k, name) for k, name in enumerate(self.header or ()) if name and k not in self.used]


def find_layout(name: str, row: int, line: str, options: ReadOptions, comment: str = "") -> Layout:
    """The layout of the file `name`, whose first line is `line`, in row `row`.

    comment   the comment line before it: it is the header where the first line is numbers
    Raises TrackError if the line is no header, or not one that it can read.
    """
    where, separator = f"{name}, row {row}", find_separator(line)
    header = tuple(cell.strip() for cell in split_cells(line, separator))
    if not all(map(is_number_or_missing, header)):
        return _with_header(where, line, separator, header, options)
    if columns := options.column_names():
        return _numbered(where, separator, len(header), columns, options)
    if options.format == "spindoe" or (options.format is None and separator == ";" and len(header) == 4):
        return Layout(separator, len(header), (1, 2, 3), 0, time_unit=1.0 / options.rate if options.rate else 1.0)
    if options.rate and len(header) == 3:
        return Layout(separator, 3, (0, 1, 2), time_unit=1.0 / options.rate)
    if comment:
        comment_separator = find_separator(comment)
        words = tuple(cell.strip() for cell in split_cells(comment, comment_separator))
        if len(words) == len(header) and _has_axes(words):
            return _with_header(where, comment, separator, words, options)
    how = "add the line t,x,y,z (in the file's order), or name them: --columns t=1,x=2,y=3,z=4"
    raise TrackError(f"{where}: numbers where the header should be; {how}")


def find_separator(line: str) -> str | None:
    """The separator of cells: comma, semicolon or tab; None for spaces."""
    if line.count(";") >= 2 and not any(letter.isalpha() for letter in line):
        return ";"  # numbers, perhaps with decimal commas
    separator = max(SEPARATORS, key=line.count)
    return separator if separator in line else None


def split_cells(line: str, separator: str | None) -> list[str]:
    """The cells of one line; quotes are honoured, but end with the line."""
    if separator is None:
        return line.split()
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error:  # a cell that is too long: the caller rejects the line and names the row
        return [line]


def is_number_or_missing(cell: str) -> bool:
    """Whether a cell can stand in a row of numbers, perhaps with a decimal comma; an empty one can."""
    return not cell.strip() or bool(NUMBER.fullmatch(cell.replace(",", ".", 1)))


def parse_name(name: str) -> tuple[str, float | None]:
    """(name in lower case with _ between words and without unit, the unit in s or m or None)."""
    words = re.sub(r"[\s.\-]+", "_", name.strip().lower())
    for kind, keys in (("time", ("t",)), ("length", AXES)):
        known = set().union(*(KNOWN_NAMES[key] for key in keys))
        match = re.fullmatch(r"(.+?)(?:_|_?[(\[])([a-zµ]+)[)\]]?", words)
        if match and words not in known and match[1] in known and match[2] in UNITS[kind]:
            return match[1], UNITS[kind][match[2]]
    return words, None


def _has_axes(header):
    """Whether the words of a comment name x, y and z."""
    names = {parse_name(name)[0] for name in header}
    return all(names & KNOWN_NAMES[axis] for axis in AXES)


def _with_header(where, line, separator, header, options):
    """The layout of a file with a header."""
    if "Timestamp" in header and set(header) >= PIXEL_COLUMNS:
        raise TrackError(f"{where}: a TT3D pixel file; read the same stroke from TT3D's folder 3d")
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise TrackError(f"{where}: column {twice[0]!r} is twice in the header; rename one of them")
    columns = _named_columns(where, header, options)
    wanted = (HEADERS.get(options.format or "csv") or HEADERS["csv"]) if not options.rate else AXES
    if missing := [key for key in wanted if key.lower()[0] not in columns]:
        found, hint = line.strip()[:80], "; other names: --columns t=NAME"
        if missing[0] == "t":
            hint += "; frame numbers, or no times: --rate HZ"
        names = ",".join(wanted)
        raise TrackError(f"{where}: no column {', '.join(missing)} in the header {found!r}; it needs {names}{hint}")
    names = {key: parse_name(header[column]) for key, column in columns.items()}
    units = {key: 1.0 if unit is None else unit for key, (_, unit) in names.items()}
    if len({units[axis] for axis in AXES}) > 1:
        raise TrackError(f"{where}: x, y and z have different units in the header; convert them to one")
    up = next((axes for name, axes in UP_AXES.items() if any(name == found for found, _ in names.values())), "x,y,z")
    time = columns.get("t")
    if options.rate:
        time, units["t"] = columns.get("frame", time), 1.0 / options.rate
    position = tuple(columns[axis] for axis in AXES)
    unit, length = units.get("t", 1.0), units["x"]
    return Layout(separator, len(header), position, time, columns.get("id"), header, unit, length, up)


def _named_columns(where, header, options):
    """Key -> column, as the option `columns` says, else by the usual names, exact ones first."""
    columns, chosen = {}, options.column_names()
    exact = dict(zip(("t", *AXES), HEADERS.get(options.format or "") or ("t", *AXES)))
    lower = [parse_name(name)[0] for name in header]
    for key, known in KNOWN_NAMES.items():
        if name := chosen.get(key):
            if name not in header:
                there = ", ".join(filter(None, header))[:80]
                raise TrackError(f"{where}: --columns {key}={name}: there is no such column; there are {there}")
            columns[key] = header.index(name)
        elif key not in chosen and exact.get(key, key) in header:
            columns[key] = header.index(exact.get(key, key))
        elif key not in chosen and options.format in (None, "csv"):
            found = [k for k, name in enumerate(lower) if name in known and k not in columns.values()]
            if len(found) > 1 and key in exact:
                both = " or ".join(repr(header[k]) for k in found[:2])
                raise TrackError(f"{where}: which column is {key}, {both}? Say --columns {key}={header[found[0]]}")
            if found:
                columns[key] = found[0]
    return columns


def _numbered(where, separator, width, columns, options):
    """The layout of a file without a header, from column numbers counted from 1."""
    try:
        number = {key: int(name) - 1 for key, name in columns.items() if name}
    except ValueError:
        raise TrackError(f"{where}: no header, so --columns takes numbers from 1, as in t=1,x=2,y=3,z=4") from None
    if any(not 0 <= k < width for k in number.values()):
        raise TrackError(f"{where}: --columns {options.columns}: the file has columns 1 to {width}")
    if missing := [axis for axis in AXES if axis not in number]:
        raise TrackError(f"{where}: --columns {options.columns}: say which column is {', '.join(missing)} too")
    time, unit = number.get("t"), 1.0
    if options.rate:
        time, unit = number.get("frame", time), 1.0 / options.rate
    elif time is None:
        raise TrackError(f"{where}: --columns {options.columns}: say which column is t, or --rate HZ")
    return Layout(separator, width, tuple(number[axis] for axis in AXES), time, number.get("id"), time_unit=unit)
