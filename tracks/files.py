"""Track files: read them (our CSV, and the public sets TT3D and SpinDOE), and write ours.

    track = read_track("stroke.csv")                     # format recognised by the header; "-" reads standard input
    tracks = read_tracks("folder")                       # without subfolders, in sorted order
    track = read_track("unity.csv", scale=0.001, axes="x,-z,y", origin=(0, 0, 0.76))
    write_track("out.csv", track)                        # read_track returns the same numbers, to the bit
    time, position = TrackLineReader("t,x,y,z").frame(2, "0.0,1,2,3")   # line by line, while a tracker writes

Formats: `csv`      header t,x,y,z in seconds and metres, in any order; further columns are kept as text
         `tt3d`     header Timestamp,X,Y,Z (Gossard, Ziegler, Zell, "TT3D", 2025)
         `spindoe`  no header, t;x;y;z (Gossard, Tebbe, Ziegler, Zell, "SpinDOE", 2023)
Cells are separated by comma, semicolon or tab. Times are kept as they are in the file. Remarks to the user are in
`Track.notes`; data that cannot be used raise TrackError. The reader does not guess units or repair data.
"""

import csv
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ballcast.tracks.track import Track, TrackError, first_invalid_row

Source = str | os.PathLike | IO  # a path, "-" for standard input, or anything with read()

HEADERS: dict[str, Any] = {"csv": ("t", "x", "y", "z"), "tt3d": ("Timestamp", "X", "Y", "Z"), "spindoe": None}
FORMATS = tuple(HEADERS)
PIXEL_COLUMNS = {"u", "v", "l", "theta"}  # these are in TT3D's pixel files, not in its 3D ones
SEPARATORS = ",;\t"
NUMBER = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|inf(inity)?)\s*", re.IGNORECASE | re.ASCII)
MAX_PLAUSIBLE_SIZE = 100.0  # m; the positions of a larger track are probably in millimetres


def read_track(
    source: Source, format: str | None = None, scale: float = 1.0, axes: str = "x,y,z", origin: Sequence = (0, 0, 0)
) -> Track:
    """The track in one file.

    source   a path, "-" for standard input, or anything with read()
    format   one of FORMATS; None to recognise it by the header
    scale    metres per unit of the file's positions (0.001 for millimetres)
    axes     the file's axes that are our x, y and z: with "x,-z,y" our y is the file's -z
    origin   our origin in the file's frame, after scale and axes (m); it is subtracted

    Raises TrackError, one line: what is wrong, in which file and row (as an editor counts), how to fix it.
    """
    axis_transform = _axis_transform(scale, axes, origin)
    name = _name(source)
    text = _text(name, _bytes(name, source))
    rows, lines = _rows(text)
    if not lines:
        raise TrackError(f"{name}: the file is empty; its first line should be t,x,y,z")
    separator, header, used = _layout(name, rows[0], lines[0], format)
    start = 0 if header is None else 1
    rows, lines = rows[start:], lines[start:]
    values = _table(name, rows, lines, separator, len(header or HEADERS["csv"]), used)
    columns = _columns(lines, separator, header or (), used)
    cut = f"{name}: no line end after the last row; its last number may be cut off"
    notes = [] if text.endswith("\n") else [cut]
    return _track(name, rows, values, axis_transform, columns, notes)


def read_tracks(sources: Source | list[Source], **options: Any) -> list[Track]:
    """The tracks of a folder, a file, or several of either; options as for read_track.

    Of a folder, the .csv files are read in sorted order, without subfolders, index.csv and hidden files.
    """
    if isinstance(sources, (str, os.PathLike)) or hasattr(sources, "read"):
        sources = [sources]
    return [read_track(file, **options) for source in sources for file in _files(source)]


class TrackLineReader:
    """Reads a track line by line, while a tracker writes it; `first` is its first line.

    Options as for read_track. Raises TrackError if the first line is not a header.
    """

    def __init__(self, first: str, name="standard input", format=None, scale=1.0, axes="x,y,z", origin=(0.0, 0.0, 0.0)):
        self.name, self.axis_transform = name, _axis_transform(scale, axes, origin)
        self.separator, header, self.used = _layout(name, 1, first.removeprefix("\ufeff"), format)
        self.width, self.has_no_header = len(header or HEADERS["csv"]), header is None

    def frame(self, row: int, line: str) -> tuple[float, np.ndarray]:
        """Time in s and position (3,) m of the frame in a line; TrackError, with the row, if it is invalid."""
        where = f"{self.name}, row {row}"
        values = np.array([_values(where, line, self.separator, self.width, self.used)])
        axes, factor, shift = self.axis_transform
        time, position = values[:, 0], values[:, 1:][:, axes] * factor - shift
        if bad := first_invalid_row(time, position):
            raise TrackError(f"{where}: {bad[1]}")
        return float(time[0]), position[0]


def write_track(path: str | os.PathLike, track: Track) -> None:
    """Write our CSV: t,x,y,z and the track's further columns. The file appears whole or not at all.

    Raises TrackError if the file cannot be written, or a further column cannot be in a CSV.
    """
    path = Path(path)
    header = (*HEADERS["csv"], *track.columns)
    if len(set(header)) < len(header) or "" in header:
        raise TrackError(f"{path}: names of columns must be unique, not empty, not t, x, y, z: {list(track.columns)}")
    table = [track.time.tolist(), *track.position.T.tolist(), *(values.tolist() for values in track.columns.values())]
    for key, values in zip(header[4:], table[4:], strict=True):
        if any("\n" in str(value) or "\r" in str(value) for value in (key, *values)):
            raise TrackError(f"{path}: column {key!r} contains a line break; a row of a track file must be one line")
    temporary_path = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary_path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(zip(*table, strict=True))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    except OSError as error:
        raise TrackError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary_path.unlink(missing_ok=True)


def _name(source):
    """The name of a source in messages."""
    if hasattr(source, "read"):
        return str(getattr(source, "name", "the stream"))
    return "standard input" if source == "-" else str(source)


def _bytes(name, source):
    """The content of a source as bytes or text."""
    if hasattr(source, "read"):
        content = source.read()
        return content.encode() if isinstance(content, str) else content
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except IsADirectoryError as error:
        raise TrackError(f"{name}: a folder, not a file; name a file in it") from error
    except OSError as error:
        raise TrackError(f"{name}: cannot be read ({error.strerror}); check the path") from error


def _text(name, content):
    """The text of a file's bytes, without byte order mark, lines ended by \\n."""
    if b"\0" in content:
        raise TrackError(f"{name}: is binary or UTF-16, not a text file; save it as CSV in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row, byte = content.count(b"\n", 0, error.start) + 1, content[error.start]
        raise TrackError(f"{name}, row {row}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _rows(text):
    """The row numbers, as an editor shows them, and the text of the lines that are not blank."""
    lines = text.split("\n")  # not splitlines(), which also breaks at characters that no editor breaks at
    rows = [row for row, line in enumerate(lines, 1) if line.strip()]
    return rows, [lines[row - 1] for row in rows]


def _files(source):
    """The files of a folder, or the source itself."""
    if hasattr(source, "read") or source == "-" or not os.path.isdir(source):
        return [source]
    folder = Path(source)
    try:
        files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".csv" and file.is_file()]
    except OSError as error:
        raise TrackError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error
    files = [file for file in files if file.name != "index.csv" and not file.name.startswith(".")]
    if not files:
        raise TrackError(f"{folder}: no .csv track in this folder (its subfolders are not read); name the files")
    return files


def _cells(line, separator):
    """The cells of one line; quotes are honoured, but end with the line."""
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error:  # a cell that is too long: the caller rejects the line and names the row
        return [line]


def _layout(name, row, line, format):
    """A file's layout, from its first line: separator, header (or None), and its columns of t, x, y and z."""
    if format not in (None, *FORMATS):
        raise TrackError(f"unknown track format {format!r}; one of {', '.join(FORMATS)}")
    separator = max(SEPARATORS, key=line.count)
    header = tuple(cell.strip() for cell in _cells(line, separator))
    numbers = all(NUMBER.fullmatch(cell) for cell in header)
    where = f"{name}, row {row}"
    if format == "spindoe" or (format is None and numbers and separator == ";" and len(header) == 4):
        return separator, None, [0, 1, 2, 3]
    if numbers:
        raise TrackError(f"{where}: numbers where the header should be; add the line t,x,y,z (in the file's order)")
    if "Timestamp" in header and set(header) >= PIXEL_COLUMNS:
        raise TrackError(f"{where}: a TT3D pixel file; read the same stroke from TT3D's folder 3d")
    if format is None:
        format = "tt3d" if "Timestamp" in header else "csv"
    keys = HEADERS[format]
    if missing := [key for key in keys if key not in header]:
        found, wanted = line.strip()[:80], ",".join(keys)
        raise TrackError(f"{where}: no column {', '.join(missing)} in the header {found!r}; it needs {wanted}")
    if twice := [key for key in header if key and header.count(key) > 1]:
        raise TrackError(f"{where}: column {twice[0]!r} is twice in the header; rename one of them")
    return separator, header, [header.index(key) for key in keys]


def _table(name, rows, lines, separator, width, used):
    """The used columns of all lines, (T, 4); TrackError names the first invalid row. Fast if numpy can parse it all."""
    if len(lines) < 2:
        raise TrackError(f"{name}: {len(lines)} rows of numbers; a track needs at least 2")
    even = all(line.count(separator) == width - 1 for line in lines)  # numpy ignores further cells
    if even and not any('"' in line for line in lines):
        try:
            return np.loadtxt(lines, delimiter=separator, usecols=used, comments=None, ndmin=2)
        except ValueError:
            pass  # the slow way below names the row
    return np.array([_values(f"{name}, row {row}", line, separator, width, used) for row, line in zip(rows, lines)])


def _values(where, line, separator, width, used):
    """The four numbers of one line, or a TrackError: the reference implementation of np.loadtxt."""
    cells = _cells(line, separator)
    if len(cells) != width:
        fix = "cut off? delete the row" if len(cells) < width else "write decimals with a point"
        raise TrackError(f"{where}: {len(cells)} cells where there should be {width}; {fix}")
    for cell in (cells[column] for column in used):
        if not NUMBER.fullmatch(cell):
            raise TrackError(f"{where}: {cell.strip()[:30]!r} is not a number; correct or delete the row")
    return [float(cells[column]) for column in used]


def _columns(lines, separator, header, used):
    """The further columns of a file, name -> (T,) text."""
    further = [(column, key) for column, key in enumerate(header) if key and column not in used]
    return {key: np.array([_cells(line, separator)[column] for line in lines]) for column, key in further}


def _axis_transform(scale, axes, origin):
    """From a file's positions to our frame: (its axes (3,), factors (3,), shift (3,) m that is subtracted)."""
    words = [word.strip() for word in str(axes).split(",")]
    if sorted(word.lstrip("+-") for word in words) != ["x", "y", "z"] or max(map(len, words)) > 2:
        raise TrackError(f"axes {axes!r}: name each of the file's x, y and z once, with - to reverse it, as in x,-z,y")
    try:
        scale, shift = float(scale), np.array(origin, dtype=float)
    except (TypeError, ValueError) as error:
        raise TrackError(f"scale and origin must be numbers, got {scale!r} and {origin!r}") from error
    if not (np.isfinite(scale) and scale > 0):
        raise TrackError(f"scale {scale:g}: metres per unit of the file, above 0 (0.001 for millimetres)")
    if shift.shape != (3,) or not np.isfinite(shift).all():
        raise TrackError(f"origin {origin!r}: give three finite numbers in metres, as in 0,0,0.76")
    signs = np.array([-1.0 if word[0] == "-" else 1.0 for word in words])
    return ["xyz".index(word[-1]) for word in words], scale * signs, shift


def _track(name, rows, values, axis_transform, columns, notes):
    """The track of a file's numbers (T, 4), in our frame; of frames with the same time, the first is kept."""
    axes, factor, shift = axis_transform
    first = np.append(True, values[1:, 0] != values[:-1, 0])
    time, position = values[first, 0], values[first, 1:][:, axes] * factor - shift
    if bad := first_invalid_row(time, position):
        raise TrackError(f"{name}, row {rows[np.flatnonzero(first)[bad[0]]]}: {bad[1]}")
    if len(time) < 2:
        raise TrackError(f"{name}: all rows have the same time; a track needs at least 2 times")
    if not first.all():
        what = f"{np.sum(~first)} of {len(first)} rows left out (first: row {rows[first.argmin()]})"
        notes.append(f"{name}: {what}: they repeat the time of the row before")
    with np.errstate(over="ignore"):
        span = np.ptp(position, axis=0).max()
    if span > MAX_PLAUSIBLE_SIZE:
        notes.append(f"{name}: the positions span {span:.4g} m; are these millimetres? try --scale 0.001")
    return Track(time, position, Path(name).stem, {key: values[first] for key, values in columns.items()}, tuple(notes))
