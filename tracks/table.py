"""The rows of text files as numbers: lines, cells, times in several notations, missed frames.

lines = Lines.of("ball.csv", path.read_bytes())
values = read_values("ball.csv", lines.rows, lines.texts, layout)      # (T, 4): t, x, y, z; NaN for missed frames
"""

import datetime
from typing import Any, NamedTuple

import numpy as np

from ballcast.tracks.layout import NUMBER, Layout, split_cells
from ballcast.tracks.track import TrackError

MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "--"}  # cells of a frame in which the ball was not seen


class Lines(NamedTuple):
    """The lines of a text file that are neither blank nor comments."""

    rows: list[int]  # as an editor counts
    texts: list[str]
    comment: str  # the last comment before the first of them, without #
    is_ended: bool  # whether the last line has a line end

    @staticmethod
    def of(name: str, content: bytes) -> "Lines":
        """The lines of a file's content; TrackError if it is not text in UTF-8."""
        text = _text(name, content)
        lines = text.split("\n")  # not splitlines(), which also breaks at characters that no editor breaks at
        rows = [row for row, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
        above = [line for line in lines[: rows[0] - 1] if line.strip()] if rows else []
        comment = above[-1].lstrip().lstrip("#").strip() if above else ""
        return Lines(rows, [lines[row - 1] for row in rows], comment, text.endswith("\n"))


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


def read_values(name: str, rows: list[int], lines: list[str], layout: Layout) -> np.ndarray:
    """Time and position of all lines, (T, 4), in the file's units; TrackError names the first invalid row.

    Without a column of times these are NaN. A frame without a position is NaN in some coordinate. Fast if numpy can
    parse all lines.
    """
    values = np.full((len(lines), 4), np.nan)
    part = slice(0 if layout.time is not None else 1, 4)
    spare = layout.width - 1
    even = layout.separator is None or all(line.count(layout.separator) == spare for line in lines)
    if even and lines and not any('"' in line for line in lines):  # numpy ignores further cells
        try:
            if layout.separator is None and any(len(line.split()) != layout.width for line in lines):
                raise ValueError
            options: dict[str, Any] = {"delimiter": layout.separator, "usecols": layout.used, "ndmin": 2}
            values[:, part] = np.loadtxt(lines, comments=None, **options)
            return values
        except ValueError:
            pass  # the slow way below names the row
    for k, (row, line) in enumerate(zip(rows, lines)):
        values[k] = row_values(f"{name}, row {row}", split_cells(line, layout.separator), layout)
    return values


def row_values(where: str, cells: list[str], layout: Layout) -> list[float]:
    """Time and position of one line, or a TrackError: what read_values gives for it."""
    if len(cells) != layout.width:
        fix = "cut off? delete the row" if len(cells) < layout.width else "decimal commas? write decimals with a point"
        raise TrackError(f"{where}: {len(cells)} cells where there should be {layout.width}; {fix}")
    position = [number_in(where, cells[column]) for column in layout.position]
    if layout.time is None:
        return [np.nan, *position]
    if cells[layout.time].strip().lower() in MISSING and any(value != value for value in position):
        return [np.nan, *position]
    return [time_in(where, cells[layout.time]), *position]


def number_in(where: str, cell: str) -> float:
    """The number in a cell, NaN for a missing one; TrackError, which begins with `where`, if it is none."""
    if NUMBER.fullmatch(cell):
        return float(cell)
    if cell.strip().lower() in MISSING:
        return np.nan
    raise TrackError(f"{where}: {_complaint(cell)}")


def time_in(where: str, cell: str) -> float:
    """The time in a cell: a number, or an ISO date and time, in s since 1970 (UTC, if it names no zone).

    TrackError, which begins with `where`, if it is neither.
    """
    if NUMBER.fullmatch(cell):
        return float(cell)
    text = cell.strip()
    try:
        if ":" in text and "-" not in text[:5]:
            clock = datetime.time.fromisoformat(text)
            return clock.hour * 3600.0 + clock.minute * 60.0 + clock.second + clock.microsecond * 1e-6
        if "-" in text[1:]:
            moment = datetime.datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
    except ValueError:
        pass
    raise TrackError(f"{where}: {_complaint(cell)}")


def _complaint(cell):
    """What is wrong with a cell that is no number, and how to mend it."""
    shown = repr(cell.strip()[:30])
    if "," in cell and NUMBER.fullmatch(cell.replace(",", ".", 1)):
        return f"{shown} has a decimal comma; write decimals with a point"
    return f"{shown} is not a number; correct or delete the row"
