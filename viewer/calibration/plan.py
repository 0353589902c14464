"""The place from above, as a plan: which point is meant by which name, which are there, which end is near."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pygame

from ballcast.render.palette import FAINT_COLOR, FORECAST_COLOR, MUTED_COLOR, RULE_COLOR, TEXT_COLOR
from ballcast.viewer.calibration.colors import CHOSEN_COLOR, NEXT_COLOR, PLACED_COLOR, WRONG_COLOR

if TYPE_CHECKING:
    from ballcast.viewer.calibration.window import CalibrationApp
    from ballcast.viewer.panels.canvas import Canvas

EDGE, FOOT = 20, 44  # units left free around the plan; below it for the words
RAISED = np.array([6.0, -8.0])  # units, of a point above the ground from the one below it
RADIUS = 3.5  # units, of a point
PICK = 12  # units within which a click takes a point
CAMERA_GAP = 9  # units of the camera's mark from the plan's border
PIECES = 48  # of a line, to find the part of it that is in the plan
AIR = 0.02  # m above the lowest point, from which a point is drawn raised


class _Layout(NamedTuple):
    """How the plan is put into its rectangle: units = origin + scale * (right, -away)."""

    origin: np.ndarray
    scale: float
    low: np.ndarray
    high: np.ndarray

    def put(self, flat):
        return self.origin + self.scale * (np.asarray(flat) - self.low) * [1.0, -1.0]


def positions(app: "CalibrationApp", x: float, y: float, width: float, height: float) -> dict[str, np.ndarray]:
    """Where the points of the side are in the plan, units."""
    side, layout = app.placed.side, _layout(app, x, y, width, height)
    ground = side.points[:, 2].min()
    put = layout.put(side.flat(side.points))
    raised = (side.points[:, 2] > ground + AIR)[:, None]
    return dict(zip(side.places, put + np.where(raised, RAISED, 0.0)))


def point_at(app: "CalibrationApp", where: tuple[float, float], box: tuple[float, float, float, float]) -> str | None:
    """The point at a place (x, y) in units, of a plan in a box."""
    found = positions(app, *box)
    name = min(found, key=lambda n: np.hypot(*(found[n] - where)))
    return name if np.hypot(*(found[name] - where)) < PICK else None


def paint(canvas: "Canvas", app: "CalibrationApp", x: float, y: float, width: float, height: float) -> None:
    """Paint the plan into a box, units."""
    side, layout = app.placed.side, _layout(app, x, y, width, height)
    for line in app.placed.sport.view.lines:
        for path in line.paths:
            _path(canvas, layout, side.flat(np.array(path, float)), RULE_COLOR if line.color else FAINT_COLOR)
    for surface in app.placed.sport.surfaces:
        if surface.kind == "rectangle" and not surface.supports:
            ends = np.array([surface.low, surface.high], float)
            _path(canvas, layout, side.flat(ends), MUTED_COLOR)
    _points(canvas, app, positions(app, x, y, width, height), layout.put(side.flat(side.points)))
    if app.fitting.view is not None:
        _camera(canvas, app, layout)
    middle, foot = x + width / 2, y + height - FOOT
    canvas.text(middle, foot + 9, "this end is near the camera", 16, TEXT_COLOR, 0.5)
    if len(app.placed.sides) > 1:
        canvas.text(middle, foot + 26, f"seen from the {side.seen_from}; T turns the plan", 16, MUTED_COLOR, 0.5)


def _layout(app, x, y, width, height):
    side = app.placed.side
    flat = side.flat(side.points)
    low, high = flat.min(axis=0), flat.max(axis=0)
    room = np.array([width - 2 * EDGE, height - FOOT - EDGE])
    scale = float((room / np.maximum(high - low, 1e-6)).min())
    spare = (room - scale * (high - low)) / 2
    origin = np.array([x + EDGE + spare[0], y + height - FOOT - 0.5 * EDGE - spare[1]])
    return _Layout(origin, scale, low, high)


def _path(canvas, layout, flat, color):
    """A line of the plan, as far as it is between the points or little beyond."""
    spare = 0.04 * np.ptp(np.array([layout.low, layout.high]), axis=0).max()
    share = np.linspace(0.0, 1.0, PIECES + 1)[:, None]
    for a, b in zip(flat[:-1], flat[1:]):
        pieces = a + share * (b - a)
        inside = pieces[((pieces >= layout.low - spare) & (pieces <= layout.high + spare)).all(axis=1)]
        if len(inside) > 1:
            canvas.path(layout.put(inside[[0, -1]]), color)


def _points(canvas, app, raised, flat):
    """Every point: a ring where it is still to be placed, filled where it is there; the next one is marked."""
    wrong, errors = app.fitting.wrong, app.fitting.errors
    worst = max(errors, key=lambda n: errors[n]) if app.shows_worst else None
    for (name, at), foot in zip(raised.items(), flat):
        if not np.allclose(at, foot):
            canvas.path(np.array([foot, at]), MUTED_COLOR)
        is_there = name in app.placed.points
        bad = name in wrong or name == worst
        color = WRONG_COLOR if bad else PLACED_COLOR if is_there else MUTED_COLOR
        _disc(canvas, at, RADIUS, color, is_there)
        if name == app.wanted:
            _disc(canvas, at, 2.4 * RADIUS, NEXT_COLOR, False, 2)
        elif name == app.placed.chosen:
            _disc(canvas, at, 2.2 * RADIUS, CHOSEN_COLOR, False)


def _disc(canvas, at, radius, color, filled, thickness=1):
    middle = [round(a * canvas.scale) for a in at]
    pixels = max(2, round(radius * canvas.scale))
    pygame.draw.circle(canvas.surface, color, middle, pixels, 0 if filled else max(1, round(thickness * canvas.scale)))


def _camera(canvas, app, layout):
    """A mark where the camera stands: at the border of the plan if it is farther away."""
    flat = app.placed.side.flat(app.fitting.view.centre)
    low, high = layout.put(layout.low), layout.put(layout.high)
    at = np.clip(
        layout.put(flat), [low[0] - CAMERA_GAP, high[1] - CAMERA_GAP], [high[0] + CAMERA_GAP, low[1] + CAMERA_GAP]
    )
    look = app.placed.side.flat(app.fitting.view.R[2]) * [1.0, -1.0]
    look = look / max(np.hypot(*look), 1e-9)
    across = np.array([-look[1], look[0]])
    corners = [at + 8 * look, at - 4 * look + 6 * across, at - 4 * look - 6 * across]
    pygame.draw.polygon(canvas.surface, FORECAST_COLOR, [tuple(c * canvas.scale) for c in corners])
