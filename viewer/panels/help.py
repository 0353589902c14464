"""The help: what the keys and the mouse do, sorted by use. It covers the picture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ballcast.render.palette import FORECAST_COLOR, MUTED_COLOR, TEXT_COLOR
from ballcast.viewer import keys

if TYPE_CHECKING:
    from ballcast.viewer.panels.canvas import Canvas

COLUMN_WIDTH, KEY_WIDTH, ROW, GROUP_GAP, HEAD, PAD = 460, 138, 21, 8, 52, 20  # units


def paint(canvas: "Canvas", groups: Mapping[str, Sequence[tuple[str, str]]] = keys.HELP) -> None:
    """Paint the help over the picture; groups: title -> (key, what it does), of another window than the viewer's."""
    columns = _columns(groups)
    height = HEAD + max(sum(ROW if row else GROUP_GAP for row in column) for column in columns) + PAD
    left, top = (canvas.width - 2 * COLUMN_WIDTH) / 2, (canvas.height - height) / 2
    canvas.cover(left, top, 2 * COLUMN_WIDTH, height)
    canvas.text(left + PAD, top + 18, "Keys and mouse", 28, TEXT_COLOR)
    canvas.text(left + 2 * COLUMN_WIDTH - PAD, top + 22, "H closes this", 20, MUTED_COLOR, 1.0)
    for number, column in enumerate(columns):
        x, y = left + PAD + COLUMN_WIDTH * number, top + HEAD
        for row in column:
            if row and row[1]:
                canvas.text(x, y, row[0], 19, FORECAST_COLOR)
                canvas.text(x + KEY_WIDTH, y, row[1], 19, TEXT_COLOR)
            elif row:
                canvas.text(x, y + 2, row[0], 18, MUTED_COLOR)
            y += ROW if row else GROUP_GAP


def _columns(groups):
    """Rows of two columns: (label, help), (title of a group, ""), or None for a gap."""
    columns = [], []
    count = sum(len(rows) + 1 for rows in groups.values())
    for title, rows in groups.items():
        column = columns[0] if len(columns[0]) + len(rows) / 2 < count / 2 and not columns[1] else columns[1]
        column += [None] * bool(column) + [(title, "")] + list(rows)
    return columns
