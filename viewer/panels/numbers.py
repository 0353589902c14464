"""All numbers of this ball: its spin, seen on a ball that turns slowly, and the errors of every predictor shown."""

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import palette
from ballcast.render.painter import view_rotation
from ballcast.viewer.panels.layout import MARGIN, MIDDLE, PAD
from ballcast.viewer.playback.forecaster import LEAD_TIMES
from ballcast.viewer.playback.session import DISPLAY_SPIN_SLOWDOWN
from ballcast.viewer.units import format_length

if TYPE_CHECKING:
    from ballcast.render.camera import OrbitCamera
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

WIDTH, ROW, BALL_RADIUS, HEAD = 372, 20, 26, 84  # units
NAME_WIDTH = 114
COLUMNS = (150, 200, 268, WIDTH - 2 * PAD)  # where columns of numbers end


def paint(canvas: "Canvas", session: "Session", camera: "OrbitCamera") -> None:
    """Paint the panel beside the card."""
    several = len(session.forecasters) > 1
    rows = _comparison(session) if several else _errors(session)
    canvas.panel_background(MIDDLE, MARGIN, WIDTH, HEAD + ROW * len(rows) + PAD)
    left, top = MIDDLE + PAD, MARGIN + PAD
    _motion(canvas, session, camera, left, top)
    for number, (words, color) in enumerate(rows):
        y = MARGIN + HEAD + ROW * number
        canvas.text(left, y, canvas.fitted(words[0], 18, NAME_WIDTH if several else 140), 18, color)
        for end, word in zip(COLUMNS[-len(words) + 1 :], words[1:]):
            tone = palette.MUTED_COLOR if color is palette.MUTED_COLOR else palette.TEXT_COLOR
            canvas.text(left + end, y, word, 18, tone, 1.0)


def _motion(canvas, session, camera, left, top):
    spin, estimate = session.spin, session.estimated_spin
    orientation = view_rotation(camera, session.display_orientation)
    canvas.ball(left + BALL_RADIUS, top + BALL_RADIUS, BALL_RADIUS, session.sport.view.ball_color, orientation)
    x = left + 2 * BALL_RADIUS + 16
    is_true = session.ball.spin is not None
    title = "spin" if is_true else "spin, estimated"
    canvas.text(x, top - 2, f"{title}: " + ("not known" if spin is None else format_spin(spin)), 18, palette.TEXT_COLOR)
    if estimate is not None and is_true:
        color = palette.predictor_color(session.forecasters[0].number)
        canvas.text(x, top + 18, f"estimated: {format_spin(estimate)}", 18, color)
    if spin is not None:
        note = f"the ball here turns {DISPLAY_SPIN_SLOWDOWN} times slower"
        canvas.text(x, top + 38, note, 16, palette.FAINT_COLOR)


def _errors(session):
    """Rows (words, color) for one predictor: errors of forecasts for times now past, and of the last landing."""
    rows = [(("error of forecasts", "last", "median"), palette.MUTED_COLOR)]
    for lead_time in LEAD_TIMES:
        errors = session.errors[lead_time]
        words = (format_length(errors[-1]), format_length(median(errors))) if errors else ("-", "-")
        rows.append(((f"{lead_time:.1f} s ahead", *words), palette.TEXT_COLOR))
    rows.append((("of the last landing", "place", "time"), palette.MUTED_COLOR))
    for lead_time in LEAD_TIMES:
        error = session.landing_errors.get(lead_time)
        words = (format_length(error[0]), f"{round(1e3 * error[1]):+d} ms") if error else ("-", "-")
        rows.append(((f"{lead_time:.1f} s before", *words), palette.TEXT_COLOR))
    return rows


def _comparison(session):
    """Rows for several predictors: median errors on this ball, of the last landing, and the time of a forecast."""
    leads = (f"{lead_time:g} s" for lead_time in LEAD_TIMES[1:])
    rows = [(("error, mm", *leads, "landing", "takes ms"), palette.MUTED_COLOR)]
    for forecaster in session.forecasters:
        errors = (forecaster.errors(session.now)[lead_time] for lead_time in LEAD_TIMES[1:])
        cells = [f"{1e3 * median(lead):.0f}" if lead else "-" for lead in errors]
        landing = forecaster.landing_errors(session.now).get(LEAD_TIMES[1])
        latency = "-" if forecaster.latency is None else f"{1e3 * forecaster.latency:.1f}"
        words = (
            session.pool.describe(forecaster.number).title,
            *cells,
            f"{1e3 * landing[0]:.0f}" if landing else "-",
            latency,
        )
        rows.append((words, palette.predictor_color(forecaster.number)))
    return rows


def format_spin(spin: np.ndarray) -> str:
    """A spin vector (3,) rad/s as text."""
    norm = float(np.linalg.norm(spin))
    return f"{norm:.0f} rad/s, {norm / (2 * np.pi):.{0 if norm > 60 else 1}f} rev/s"
