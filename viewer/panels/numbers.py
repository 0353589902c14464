"""All numbers of this ball: its spin, seen on a ball that turns slowly, and the errors of every predictor shown.

A forecast is not scored if a player hit the ball after it was made: "hits left out".
"""

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import palette
from ballcast.render.painter import view_rotation
from ballcast.viewer.panels.layout import FOOT_HEIGHT, MARGIN, MIDDLE, PAD, WIDTH
from ballcast.viewer.playback.forecaster import LEAD_TIMES
from ballcast.viewer.playback.session import DISPLAY_SPIN_SLOWDOWN
from ballcast.viewer.units import format_length

if TYPE_CHECKING:
    from ballcast.render.camera import OrbitCamera
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

ROW, BALL_RADIUS, HEAD = 20, 26, 84  # units
INNER = WIDTH - 2 * PAD
COLUMNS = {1: (), 3: (142, INNER), 5: (112, 152, 212, INNER)}  # where numbers end, in rows of so many words
NAME_WIDTHS = {1: INNER, 3: 96, 5: 82}  # units, of the first word


def paint(canvas: "Canvas", session: "Session", camera: "OrbitCamera", top: float) -> None:
    """In the right column from `top` on; beside the card if it has no room there."""
    several = len(session.forecasters) > 1
    rows = _comparison(session) if several else _errors(session)
    height = HEAD + ROW * len(rows) + PAD
    is_fitting = top + height <= canvas.height - FOOT_HEIGHT
    x, top = (canvas.width - MARGIN - WIDTH, top) if is_fitting else (MIDDLE, MARGIN)
    canvas.panel_background(x, top, WIDTH, height)
    _motion(canvas, session, camera, x + PAD, top + PAD)
    for number, (words, color) in enumerate(rows):
        y = top + HEAD + ROW * number
        tone = palette.MUTED_COLOR if color is palette.MUTED_COLOR else palette.TEXT_COLOR
        for end, word in zip(COLUMNS[len(words)], words[1:]):
            canvas.text(x + PAD + end, y, word, 18, tone, 1.0)
        canvas.text(x + PAD, y, canvas.fitted(words[0], 18, NAME_WIDTHS[len(words)]), 18, color)


def _motion(canvas, session, camera, left, top):
    spin, estimate = session.spin, session.estimated_spin
    orientation = view_rotation(camera, session.display_orientation)
    canvas.ball(left + BALL_RADIUS, top + BALL_RADIUS, BALL_RADIUS, session.sport.view.ball_color, orientation)
    x = left + 2 * BALL_RADIUS + 16
    room = left + INNER - x
    is_true = session.ball.spin is not None
    title = "spin" if is_true else "about"
    words = "spin not known" if spin is None else format_spin(canvas, title, spin, room)
    canvas.text(x, top - 2, words, 18, palette.TEXT_COLOR)
    if estimate is not None and is_true:
        color = palette.predictor_color(session.forecasters[0].number)
        canvas.text(x, top + 18, format_spin(canvas, "estimate", estimate, room), 18, color)
    if spin is not None:
        canvas.text(x, top + 38, f"shown {DISPLAY_SPIN_SLOWDOWN} times slower", 16, palette.FAINT_COLOR)


def _errors(session):
    """Rows (words, color) for one predictor: errors of forecasts for times now past, and of the last landing."""
    rows = [(("error", "last", "median"), palette.MUTED_COLOR)]
    for lead_time in LEAD_TIMES:
        errors = session.errors[lead_time]
        words = (format_length(errors[-1]), format_length(median(errors))) if errors else ("-", "-")
        rows.append(((f"{lead_time:.1f} s ahead", *words), palette.TEXT_COLOR))
    rows.append((("last landing", "place", "time"), palette.MUTED_COLOR))
    for lead_time in LEAD_TIMES:
        error = session.landing_errors.get(lead_time)
        words = (format_length(error[0]), _lateness(error[1])) if error else ("-", "-")
        rows.append(((f"{lead_time:.1f} s before", *words), palette.TEXT_COLOR))
    return rows + [(("hits left out",), palette.FAINT_COLOR)] * bool(session.ball.hits)


def _lateness(seconds):
    """By how much a forecast landing was too late, as text."""
    return f"{abs(round(1e3 * seconds))} ms {'late' if seconds >= 0 else 'early'}"


def _comparison(session):
    """Rows for several predictors: median errors on this ball, of the last landing, and the time of a forecast."""
    leads = (f"{lead_time:g} s" for lead_time in LEAD_TIMES[1:])
    rows = [(("mm off at", *leads, "landing", "ms"), palette.MUTED_COLOR)]
    for forecaster in session.forecasters:
        errors = (forecaster.errors(session.now)[lead_time] for lead_time in LEAD_TIMES[1:])
        cells = [f"{1e3 * median(lead):.0f}" if lead else "-" for lead in errors]
        landing = forecaster.landing_errors(session.now).get(LEAD_TIMES[1])
        landing = f"{1e3 * landing[0]:.0f}" if landing else "-"
        latency = "-" if forecaster.latency is None else f"{1e3 * forecaster.latency:.1f}"
        words = (session.pool.describe(forecaster.number).short, *cells, landing, latency)
        rows.append((words, palette.predictor_color(forecaster.number)))
    return rows + [
        (("hits left out; ms: time it takes" if session.ball.hits else "ms: time it takes",), palette.MUTED_COLOR)
    ]


def format_spin(canvas: "Canvas", title: str, spin: np.ndarray, room: float) -> str:
    """A spin vector (3,) rad/s as text; in turns a second too, where that has room."""
    norm = float(np.linalg.norm(spin))
    short = f"{title} {norm:.0f} rad/s"
    both = f"{short} ({norm / (2 * np.pi):.{0 if norm > 60 else 1}f} rev/s)"
    return both if canvas.text_size(both, 18)[0] <= room else short
