"""The menu as a panel: its sections side by side. It covers the picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ballcast.render.palette import FAINT_COLOR, FORECAST_COLOR, MUTED_COLOR, RULE_COLOR, TEXT_COLOR

if TYPE_CHECKING:
    from ballcast.viewer.menu import Menu
    from ballcast.viewer.panels.canvas import Canvas

WIDTH, PAD, ROW, HEAD, FOOT = 928, 20, 26, 56, 72  # units
HINT = "arrows, Enter, or click     Shift: add or remove a predictor     Esc: close"


def paint(canvas: "Canvas", menu: "Menu") -> None:
    """Paint the menu over the picture."""
    left, top, height = _box(canvas, menu)
    canvas.cover(left, top, WIDTH, height)
    for number, (section, x, width) in enumerate(_columns(left, menu)):
        canvas.text(x, top + 18, section.title, 24, TEXT_COLOR if number == menu.column else MUTED_COLOR)
        for row, entry in enumerate(section.entries):
            _entry(canvas, entry, x, top + HEAD + ROW * row, width, (number, row) == (menu.column, menu.row))
    y = top + height - FOOT
    canvas.line(left + PAD, y + 4, left + WIDTH - PAD, y + 4, RULE_COLOR)
    canvas.text(left + PAD, y + 14, canvas.fitted(menu.entry.note, 19, WIDTH - 2 * PAD), 19, TEXT_COLOR)
    canvas.text(left + PAD, y + 41, HINT, 17, FAINT_COLOR)


def entry_at(canvas: "Canvas", menu: "Menu", pixel: Sequence[float]) -> tuple[int, int] | None:
    """(column, row) of the entry at a pixel (x, y), or None."""
    left, top, _ = _box(canvas, menu)
    x, y = pixel[0] / canvas.scale, pixel[1] / canvas.scale
    row = int((y - top - HEAD + 4) // ROW)
    for column, (section, start, width) in enumerate(_columns(left, menu)):
        if start - 8 <= x < start + width - 4 and 0 <= row < len(section.entries):
            return column, row
    return None


def contains(canvas: "Canvas", menu: "Menu", pixel: Sequence[float]) -> bool:
    """Whether a pixel is inside the panel."""
    left, top, height = _box(canvas, menu)
    x, y = pixel[0] / canvas.scale, pixel[1] / canvas.scale
    return left <= x <= left + WIDTH and top <= y <= top + height


def _box(canvas, menu):
    height = HEAD + ROW * max(len(section.entries) for section in menu.sections) + FOOT
    return (canvas.width - WIDTH) / 2, (canvas.height - height) / 2, height


def _columns(left, menu):
    """(section, its left edge, its width), units."""
    room, total, x, columns = WIDTH - PAD, sum(section.width for section in menu.sections), left + PAD, []
    for section in menu.sections:
        columns.append((section, x, room * section.width / total))
        x += columns[-1][2]
    return columns


def _entry(canvas, entry, x, y, width, is_selected):
    if is_selected:
        canvas.bar(x - 8, y - 5, width - 8, ROW, RULE_COLOR)
    color = FAINT_COLOR if entry.act is None else entry.color or TEXT_COLOR
    if entry.is_chosen:
        canvas.dots([(x + 4, y + 7)], 4, entry.color or FORECAST_COLOR)
    canvas.text(x + 14, y, entry.key or "", 20, color)
    indent = 34 if entry.key is not None else 14
    canvas.text(x + indent, y, canvas.fitted(entry.label, 20, width - 16 - indent), 20, color)
