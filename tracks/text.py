"""Track files as text: CSV with any separator, with or without a header; one ball, or several told apart by an id."""

import numpy as np

from ballcast.tracks.layout import Layout, find_layout, split_cells
from ballcast.tracks.notes import Notes
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.recording import Recording
from ballcast.tracks.table import Lines, read_values
from ballcast.tracks.track import TrackError


def read_text(name: str, stem: str, content: bytes, options: ReadOptions, notes: Notes) -> list[Recording]:
    """The recordings in a text file called `name`, for tracks called `stem`. Raises TrackError, one line."""
    lines = Lines.of(name, content)
    if not lines.texts:
        raise TrackError(f"{name}: the file is empty; its first line should be t,x,y,z")
    layout = find_layout(name, lines.rows[0], lines.texts[0], options, lines.comment)
    start = 1 if layout.header and not _is_header_a_comment(lines, layout) else 0
    rows, texts = lines.rows[start:], lines.texts[start:]
    if len(texts) < 2:
        raise TrackError(f"{name}: {len(texts)} rows of numbers; a track needs at least 2")
    values = read_values(name, rows, texts, layout)
    if not lines.is_ended:
        notes.add("end", f"{name}: no line end after the last row; its last number may be cut off")
    balls = _balls(texts, layout)
    if layout.time is None:
        values[:, 0] = _count_of_each(balls)
    values *= [layout.time_unit if layout.time_unit != 1.0 else 1.0, *[layout.length_unit] * 3]
    columns = {key: np.array([split_cells(line, layout.separator)[column] for line in texts])
               for column, key in layout.further}  # fmt: skip
    whole = Recording(name, stem, values[:, 0], values[:, 1:], rows, columns, layout.axes)
    names = list(dict.fromkeys(balls))
    if len(names) == 1:
        return [whole]
    several = {ball: np.flatnonzero(np.array(balls) == ball) for ball in names}
    return [_part(whole, ball, mask) for ball, mask in several.items()]


def _part(whole, ball, mask):
    """The recording of one of several balls."""
    part = whole[mask]
    return Recording(f"{whole.where}, ball {ball}", f"{whole.name}/{ball}", part.time, part.position, part.rows,
                     part.columns, part.axes)  # fmt: skip


def _is_header_a_comment(lines, layout):
    """Whether the header is in the comment above the first line, not in this line itself."""
    cells = split_cells(lines.texts[0], layout.separator)
    return tuple(cell.strip() for cell in cells) != layout.header


def _balls(texts: list[str], layout: Layout) -> list[str]:
    """The ball of each row; "" if there is one ball. An id that is new in every row numbers the rows: it is ignored."""
    if layout.id is None:
        return [""] * len(texts)
    balls = [split_cells(line, layout.separator)[layout.id].strip() for line in texts]
    return [""] * len(texts) if len(set(balls)) == len(balls) else balls


def _count_of_each(balls):
    """How many rows of the same ball there were before each row: frame numbers."""
    counts, numbers = {}, []
    for ball in balls:
        numbers.append(counts.setdefault(ball, 0))
        counts[ball] += 1
    return numbers
