"""The column beside the picture: the plan, what the fit says, and how far off each point is."""

from typing import TYPE_CHECKING

import numpy as np

from ballcast.render.palette import MUTED_COLOR, TEXT_COLOR
from ballcast.viewer.calibration import plan
from ballcast.viewer.calibration.colors import CHOSEN_COLOR, PLACED_COLOR, WRONG_COLOR
from ballcast.viewer.panels.layout import MARGIN, WIDTH
from ballcast.vision.hand_fit import NEEDED, words_on_focal

if TYPE_CHECKING:
    from ballcast.viewer.calibration.window import CalibrationApp
    from ballcast.viewer.panels.canvas import Canvas

COLUMN = WIDTH + 2 * MARGIN  # units
PLAN_TOP, PLAN_SHARE = 44, 0.36  # of the plan; its share of the column's height
ROW, LINE = 18, 19  # units of a row of the list and of a line of text
MARGIN_BELOW = 12


def plan_box(canvas: "Canvas") -> tuple[float, float, float, float]:
    """x, y, width, height of the plan, units."""
    return canvas.width - COLUMN + MARGIN, PLAN_TOP, WIDTH, PLAN_SHARE * canvas.height


def name_at(canvas: "Canvas", app: "CalibrationApp", where: tuple[float, float]) -> str | None:
    """The point whose row of the list is at a place (x, y), units."""
    x, top = canvas.width - COLUMN + MARGIN, app.list_top
    row = int((where[1] - top) // ROW)
    rows = _rows(app)
    return rows[row] if where[0] >= x and 0 <= row < min(len(rows), _room(canvas, top)) else None


def paint(canvas: "Canvas", app: "CalibrationApp") -> None:
    """Paint the column."""
    x, title = canvas.width - COLUMN + MARGIN, app.placed.sport.name.replace("_", " ")
    canvas.text(x, 14, f"Calibrate: {title}", 24, TEXT_COLOR)
    box = plan_box(canvas)
    plan.paint(canvas, app, *box)
    y = box[1] + box[3] + 8
    for text, size, color in _summary(app):
        for line in canvas.wrapped(text, size, WIDTH):
            canvas.text(x, y, line, size, color)
            y += LINE if size < 24 else 1.4 * LINE
    app.list_top = y + 6
    _list(canvas, app, x, app.list_top)


def _summary(app):
    """(text, size, colour) of what the fit says."""
    placed, fitting = len(app.placed.points), app.fitting
    if fitting.error:
        return [(fitting.error, 17, WRONG_COLOR)]
    if placed < NEEDED:
        count = "no points yet" if not placed else f"{placed} point{'s' if placed > 1 else ''}"
        return [(f"{count}; the camera is known from {NEEDED} on", 18, MUTED_COLOR)]
    errors, fit = fitting.errors, fitting.fit
    if not errors:
        return [("fitting ...", 18, MUTED_COLOR)]
    rms = np.sqrt(np.mean([e**2 for n, e in errors.items() if n not in fitting.wrong]))
    lines = [(f"{rms:.2f} px off (RMS), {placed} points", 22, TEXT_COLOR)]
    if fit is None:
        return [*lines, ("fitting ...", 17, MUTED_COLOR)]
    result, untouched = fit.result, app.placed.untouched
    if 2 * untouched > placed:
        words = f"{untouched} are where the painted lines put them, so they agree with each other."
        lines.append((words, 17, MUTED_COLOR))
    elif result.predicted_rms is not None:
        lines.append((f"each predicted from the others: {result.predicted_rms:.2f} px", 17, MUTED_COLOR))
    elif placed == NEEDED:
        lines.append(("Four points always fit: a fifth shows whether they are right.", 17, MUTED_COLOR))
    color = WRONG_COLOR if result.focal_is_vague else MUTED_COLOR
    lines.append((words_on_focal(result, fitting.lens.focal is not None), 17, color))
    x, y, z = result.camera.centre
    away = f"camera {np.hypot(x, y):.1f} m from the middle, {z:.1f} m high, give or take {result.place_spread:.1f} m"
    return [*lines, (away, 17, MUTED_COLOR)]


def _rows(app):
    """The names of the list: the points that are there, the worst first."""
    errors = app.fitting.errors
    return sorted(app.placed.points, key=lambda name: -errors.get(name, 0.0))


def _room(canvas, top):
    return max(0, int((canvas.height - top - MARGIN_BELOW) // ROW))


def _list(canvas, app, x, top):
    """How far off each point is."""
    errors, wrong, rows = app.fitting.errors, app.fitting.wrong, _rows(app)
    room = _room(canvas, top)
    shown = rows if len(rows) <= room else rows[: max(0, room - 1)]
    for k, name in enumerate(shown):
        bad = name in wrong or (k == 0 and app.shows_worst)
        color = WRONG_COLOR if bad else CHOSEN_COLOR if name == app.placed.chosen else PLACED_COLOR
        off = f"{errors[name]:.2f} px" if name in errors else ""
        words = name.replace("_", " ") + (" (left out)" if name in wrong else "")
        canvas.text(x, top + k * ROW, canvas.fitted(words, 17, WIDTH - 62), 17, color)
        canvas.text(x + WIDTH, top + k * ROW, off, 17, color, 1.0)
    if len(shown) < len(rows) and room:
        canvas.text(x, top + len(shown) * ROW, f"and {len(rows) - len(shown)} more", 17, MUTED_COLOR)
