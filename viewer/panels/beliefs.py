"""What predictors believe of the ball beside what is true: its spin, and the parameters that make it differ.

Each row has its own scale; a bright tick is the truth, dots are beliefs, their bars hold it nine times in ten.
"""

import numpy as np

from ballcast import sim
from ballcast.render.palette import FAINT_COLOR, MUTED_COLOR, RULE_COLOR, TEXT_COLOR, predictor_color
from ballcast.viewer.panels.sidebar import LEFT, MARGIN, PAD, RIGHT, WIDTH

ROW, HEAD = 18, 32
Z_90 = 1.645  # standard deviations
SPIN_AND_PARAMETERS = slice(6, 15)  # where spin and parameters stand in a belief's covariance
AXIS = (LEFT + 92, RIGHT)


def rows(sport):
    """(label, low, high) of every row: the spin's parts in rad/s, then the parameters."""
    spread = sport.spread
    half_ranges = [max(0.25, 4 * sd) for sd in (spread.drag, spread.lift, spread.restitution, spread.friction)]
    wind = max(3.0, 4 * max(spread.wind))
    spin = 0.35 * 60.0 / sport.ball.radius / 10  # a rim at some 2 m/s, and as much again
    parts = [(f"spin {axis}, rad/s", -spin * 4, spin * 4) for axis in "xyz"]
    parts += [(name, 1 - a, 1 + a) for name, a in zip(sim.PARAMETERS[:4], half_ranges)]
    return parts + [(name.replace("_", " ") + ", m/s", -wind, wind) for name in sim.PARAMETERS[4:]]


class Beliefs:
    """Below the column on the left, from `top` on."""

    def paint(self, canvas, session, top):
        estimates = [
            (predictor_color(forecaster.number), *_estimate(forecaster.forecast(session.now)))
            for forecaster in session.forecasters
            if _has_belief(forecaster, session.now)
        ]
        table = rows(session.sport)
        canvas.panel_background(MARGIN, top, WIDTH, HEAD + ROW * len(table) + PAD)
        canvas.text(LEFT, top + 10, "Believed", 20, TEXT_COLOR)
        truth = _truth(session)
        canvas.text(
            RIGHT,
            top + 12,
            "bright: the truth" if truth is not None else "the truth is not known",
            16,
            FAINT_COLOR,
            1.0,
        )
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


def _has_belief(forecaster, now):
    forecast = forecaster.forecast(now)
    return forecast is not None and forecast.belief is not None


def _estimate(forecast):
    """Spin and parameters (9,) of a belief, and how far (9,) they may be off nine times in ten."""
    belief = forecast.belief
    value, variance = np.concatenate([belief.spin, belief.parameters]), np.zeros(9)
    if belief.covariance is not None:
        variance = np.diag(belief.covariance)[SPIN_AND_PARAMETERS]
    return value, Z_90 * np.sqrt(np.maximum(variance, 0.0))


def _at(value, low, high):
    return AXIS[0] + (AXIS[1] - AXIS[0]) * min(max((value - low) / (high - low), 0.0), 1.0)


def _truth(session):
    """Spin and parameters (9,) as they are now, or None."""
    spin, parameters = session.ball.state_at(session.now)[2], session.ball.parameters(session.now)
    return None if spin is None or parameters is None else np.concatenate([spin, parameters])
