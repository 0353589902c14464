"""What predictors estimate of the ball, beside the truth: its spin, and how this ball and day differ from the usual.

The rows of a group have one scale, written above them. The bright tick is the truth; a dot is an estimate, and its bar
is the 90 % interval. The numbers are those of the first predictor that estimates anything.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ballcast import sim
from ballcast.render import palette
from ballcast.viewer.panels.layout import BUTTON_TOP, GAP, LEFT, MARGIN, PAD, RIGHT, WIDTH

if TYPE_CHECKING:
    from ballcast.sim import Sport
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

ROW, GROUP_ROW, HEAD = 16, 20, 34  # units
Z_90 = 1.645  # standard deviations
SPIN_AND_PARAMETERS = slice(6, 15)  # their rows in a belief's covariance
AXIS = (LEFT + 66, LEFT + 138)
TRUTH_RIGHT = RIGHT - 66  # where the true number ends; the estimate ends at RIGHT


class Group(NamedTuple):
    """Rows of one unit and one scale; `digits` after the point."""

    title: str
    labels: tuple
    low: float
    high: float
    digits: int


def groups(sport: "Sport") -> tuple[Group, ...]:
    """The components of the spin, then the parameters: four factors, and the wind."""
    spin = 0.35 * 60.0 / sport.ball.radius / 10 * 4  # the ball's equator at some 8 m/s
    spin = float(f"{spin:.1g}")
    factor = min(1.0, round(max(0.25, *(4 * sd for sd in sport.spread.total[:4])), 2))
    wind = float(np.ceil(max(3.0, 4 * max(sport.spread.total[4:]))))
    names = tuple(name.replace("wind_", "") for name in sim.PARAMETERS)
    return (
        Group("spin, rad/s", ("x", "y", "z"), -spin, spin, 0),
        Group("times the usual", names[:4], 1 - factor, 1 + factor, 2),
        Group("wind, m/s", names[4:], -wind, wind, 1),
    )


def paint(canvas: "Canvas", session: "Session", top: float) -> None:
    """Paint the panel; `top` is its upper edge, in units."""
    forecasts = [(f.number, f.forecast(session.now)) for f in session.forecasters]
    estimates = [(palette.predictor_color(number), *_estimate(f.belief)) for number, f in forecasts if f and f.belief]
    truth = _truth(session)
    table = _fitting(groups(session.sport), canvas.height - BUTTON_TOP - GAP - top)
    rows = sum(GROUP_ROW + ROW * len(group.labels) for group in table)
    canvas.panel_background(MARGIN, top, WIDTH, HEAD + rows + PAD - 4)
    canvas.text(LEFT, top + 11, "Estimates, ± 90 %" if estimates else "No estimates here", 20, palette.TEXT_COLOR)
    canvas.text(TRUTH_RIGHT, top + 15, "true", 16, palette.TEXT_COLOR, 1.0)
    canvas.text(RIGHT, top + 15, "estimate", 16, estimates[0][0] if estimates else palette.MUTED_COLOR, 1.0)
    y, number = top + HEAD, 0
    for group in table:
        _scale(canvas, group, y)
        y += GROUP_ROW
        for label in group.labels:
            _row(canvas, group, label, y, truth, estimates, number)
            y, number = y + ROW, number + 1


def _fitting(table, room):
    """The first groups of a table that have room, in units."""
    ends = np.cumsum([GROUP_ROW + ROW * len(group.labels) for group in table]) + HEAD + PAD - 4
    return table[: int(np.searchsorted(ends, room, side="right"))]


def _truth(session):
    """The true spin and parameters (9,), or None."""
    spin, parameters = session.ball.state_at(session.now)[2], session.ball.parameters(session.now)
    return None if spin is None or parameters is None else np.concatenate([spin, parameters])


def _scale(canvas, group, y):
    """The title of a group, and the ends of its scale above its rows."""
    middle = (group.low + group.high) / 2
    canvas.text(LEFT, y + 2, group.title, 16, palette.FAINT_COLOR)
    ends = f"{group.low:g}", f"{group.high:g}"
    left = max(AXIS[0], LEFT + canvas.text_size(group.title, 16)[0] + 8)
    canvas.text(left, y + 3, f"{ends[0]} to {ends[1]}", 14, palette.FAINT_COLOR)
    x = _at(middle, group)
    canvas.line(x, y + GROUP_ROW, x, y + GROUP_ROW + ROW * len(group.labels) - 3, palette.RULE_COLOR)


def _row(canvas, group, label, y, truth, estimates, number):
    canvas.text(LEFT, y, label, 16, palette.MUTED_COLOR)
    canvas.line(AXIS[0], y + 7, AXIS[1], y + 7, palette.RULE_COLOR)
    for index, (color, value, half_width) in enumerate(estimates):
        row_y = y + 7 + 2.5 * (index - (len(estimates) - 1) / 2)
        left, middle, right = (_at(value[number] + sign * half_width[number], group) for sign in (-1, 0, 1))
        canvas.line(left, row_y, right, row_y, color)
        canvas.dots([(middle, row_y)], 2.6, color)
    if estimates:
        color, value, half_width = estimates[0]
        words = f"{_digits(value[number], group)} ±{half_width[number]:.{group.digits}f}"
        canvas.text(RIGHT, y, words, 15, color, 1.0)
    if truth is not None:
        x = _at(truth[number], group)
        canvas.line(x, y + 1, x, y + 13, palette.TEXT_COLOR, 2)
        canvas.text(TRUTH_RIGHT, y, _digits(truth[number], group), 15, palette.TEXT_COLOR, 1.0)


def _estimate(belief):
    """Spin and parameters (9,) of a belief, and the half widths (9,) of their 90 % intervals."""
    value, variance = np.concatenate([belief.spin, belief.parameters]), np.zeros(9)
    if belief.covariance is not None:
        variance = np.diag(belief.covariance)[SPIN_AND_PARAMETERS]
    return value, Z_90 * np.sqrt(np.maximum(variance, 0.0))


def _digits(value, group):
    return f"{round(float(value), group.digits) + 0.0:.{group.digits}f}"


def _at(value, group):
    fraction = (value - group.low) / (group.high - group.low)
    return AXIS[0] + (AXIS[1] - AXIS[0]) * min(max(fraction, 0.0), 1.0)
