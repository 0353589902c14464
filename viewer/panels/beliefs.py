"""What predictors estimate of the ball, compared with the truth: its spin, and the parameters of this ball and day.

Each row has its own scale. The bright tick is the truth; a dot is an estimate, and its bar is the 90 % interval.
"""

import numpy as np

from ballcast import sim
from ballcast.render.palette import FAINT_COLOR, MUTED_COLOR, RULE_COLOR, TEXT_COLOR, predictor_color
from ballcast.viewer.panels.sidebar import LEFT, MARGIN, PAD, RIGHT, WIDTH

ROW, HEAD = 18, 32
Z_90 = 1.645  # standard deviations
SPIN_AND_PARAMETERS = slice(6, 15)  # their rows in a belief's covariance
AXIS = (LEFT + 92, RIGHT)


def rows(sport):
    """(label, low, high) of every row: the components of the spin in rad/s, then the parameters."""
    half_ranges = [max(0.25, 4 * sd) for sd in sport.spread.total[:4]]
    wind = max(3.0, 4 * max(sport.spread.total[4:]))
    spin = 0.35 * 60.0 / sport.ball.radius / 10  # the ball's equator at some 2 m/s, and as much again
    parts = [(f"spin {axis}, rad/s", -spin * 4, spin * 4) for axis in "xyz"]
    parts += [(name, 1 - a, 1 + a) for name, a in zip(sim.PARAMETERS[:4], half_ranges)]
    return parts + [(name.replace("_", " ") + ", m/s", -wind, wind) for name in sim.PARAMETERS[4:]]


class Beliefs:
    def paint(self, canvas, session, top):
        forecasts = [(f.number, f.forecast(session.now)) for f in session.forecasters]
        estimates = [(predictor_color(number), *_estimate(f.belief)) for number, f in forecasts if f and f.belief]
        spin, parameters = session.ball.state_at(session.now)[2], session.ball.parameters(session.now)
        truth = None if spin is None or parameters is None else np.concatenate([spin, parameters])  # (9,)
        table = rows(session.sport)
        canvas.panel_background(MARGIN, top, WIDTH, HEAD + ROW * len(table) + PAD)
        canvas.text(LEFT, top + 10, "Estimated", 20, TEXT_COLOR)
        note = "bright: the truth" if truth is not None else "the truth is not known"
        canvas.text(RIGHT, top + 12, note, 16, FAINT_COLOR, 1.0)
        for number, (label, low, high) in enumerate(table):
            y = top + HEAD + ROW * number
            canvas.text(LEFT, y, label, 17, MUTED_COLOR)
            canvas.line(AXIS[0], y + 7, AXIS[1], y + 7, RULE_COLOR)
            for index, (color, value, half_width) in enumerate(estimates):
                row_y = y + 7 + 2.5 * (index - (len(estimates) - 1) / 2)
                left, middle, right = (_at(value[number] + sign * half_width[number], low, high) for sign in (-1, 0, 1))
                canvas.line(left, row_y, right, row_y, color)
                canvas.dots([(middle, row_y)], 2.6, color)
            if truth is not None:
                x = _at(truth[number], low, high)
                canvas.line(x, y + 1, x, y + 13, TEXT_COLOR, 2)


def _estimate(belief):
    """Spin and parameters (9,) of a belief, and the half widths (9,) of their 90 % intervals."""
    value, variance = np.concatenate([belief.spin, belief.parameters]), np.zeros(9)
    if belief.covariance is not None:
        variance = np.diag(belief.covariance)[SPIN_AND_PARAMETERS]
    return value, Z_90 * np.sqrt(np.maximum(variance, 0.0))


def _at(value, low, high):
    return AXIS[0] + (AXIS[1] - AXIS[0]) * min(max((value - low) / (high - low), 0.0), 1.0)
