"""The card: which sport, how fast the ball is and spins, who forecasts and how well, and what the marks mean."""

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import palette
from ballcast.viewer.panels import legend
from ballcast.viewer.panels.layout import LEFT, MARGIN, PAD, RIGHT, WIDTH
from ballcast.viewer.units import format_length, format_speed

if TYPE_CHECKING:
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

LEAD_TIME = 0.2  # s ahead, of the error that is shown
ROW, NOTE_ROW, NOTE = 22, 18, 17  # heights of a row and of a smaller one, units; the size of the smaller text
MAX_NAMED = 5  # predictors
CAMERA_ROWS = ROW + legend.ROW  # units by which it is higher where cameras see the ball


def paint(canvas: "Canvas", session: "Session", truth: bool, has_attribution: bool = False) -> float:
    """Returns the height of its lower edge, in units.

    truth, has_attribution  whether the true path, and the dots that matter, are drawn
    """
    several, notes = len(session.forecasters) > 1, _notes(canvas, session)
    marks = legend.marks(session, truth, has_attribution)
    named = session.forecasters[:MAX_NAMED]
    rows = len(named) + (not several) + bool(session.cameras)
    height = 90 + ROW * rows + NOTE_ROW * len(notes) + legend.ROW * len(marks) + 2 * PAD
    canvas.panel_background(MARGIN, MARGIN, WIDTH, height)
    y = _head(canvas, session, MARGIN + PAD)
    for forecaster in named:
        _predictor(canvas, session, forecaster, y, with_error=several)
        y += ROW
    for note in notes:
        canvas.text(LEFT, y, note, NOTE, palette.MUTED_COLOR)
        y += NOTE_ROW
    if not several:
        canvas.text(LEFT, y, f"usual error {LEAD_TIME:g} s ahead", 18, palette.MUTED_COLOR)
        canvas.text(RIGHT, y, _error(session, named[0]), 18, palette.TEXT_COLOR, 1.0)
        y += ROW
    if session.cameras:
        canvas.text(LEFT, y, f"seen by {session.seen_by}", 18, palette.TEXT_COLOR)
        y += ROW
    _rule(canvas, y)
    legend.paint(canvas, marks, y + 16)
    return MARGIN + height


def _head(canvas, session, y):
    """The sport, the ball, its speed and spin. Returns where the next row begins."""
    sport = canvas.fitted(session.sport.name.replace("_", " ").capitalize(), 28, RIGHT - LEFT - 80)
    canvas.text(LEFT, y, sport, 28, palette.TEXT_COLOR)
    room = RIGHT - LEFT - canvas.text_size(sport, 28)[0] - 12
    ball = session.ball.name.partition(",")[0] if session.source.live else f"recorded {session.ball.name}"
    canvas.text(RIGHT, y + 6, canvas.fitted(ball, 18, room), 18, palette.MUTED_COLOR, 1.0)
    if (spin := session.spin) is not None:
        about = "" if session.ball.spin is not None else "about "  # a recording's is estimated
        turns = f"spin {about}{np.linalg.norm(spin):.0f} rad/s"
        canvas.text(RIGHT, y + 34, turns, 17, palette.TEXT_COLOR, 1.0)
        room = RIGHT - LEFT - canvas.text_size(turns, 17)[0] - 8
    else:
        room = RIGHT - LEFT
    words = _speed(canvas, session, room)
    canvas.text(LEFT, y + 32, words, 21, palette.TEXT_COLOR)
    _rule(canvas, y + 56)
    return y + 70


def _speed(canvas, session, room):
    """The ball's speed as text; where only pixels were recorded, as the first predictor estimates it."""

    def has_room(text):
        return canvas.text_size(text, 21)[0] <= room

    if session.ball.is_motion_known:
        return format_speed(float(np.linalg.norm(session.ball.state_at(session.now)[1])), has_room)
    forecast = session.forecast
    if forecast is None or forecast.belief is None:
        return "speed not known"
    speed = float(np.linalg.norm(forecast.belief.velocity))
    return "about " + format_speed(speed, lambda text: has_room("about " + text))


def _predictor(canvas, session, forecaster, y, with_error):
    color, description = palette.predictor_color(forecaster.number), session.pool.describe(forecaster.number)
    title = description.title
    canvas.dots([(LEFT + 5, y + 7)], 4.5, color)
    size, room = (18, RIGHT - LEFT - 82) if with_error else (20, RIGHT - LEFT - 18)
    if canvas.text_size(title, size)[0] > room:
        title = description.short
    canvas.text(LEFT + 18, y, canvas.fitted(title, size, room), size, color)
    if with_error:
        canvas.text(RIGHT, y + 1, _error(session, forecaster), 18, palette.TEXT_COLOR, 1.0)


def _notes(canvas, session):
    """What stands below the names: what the predictor is, or why another one takes its place."""
    forecasters = session.forecasters
    if len(forecasters) > 1:
        more = f"{len(forecasters) - MAX_NAMED} more; " if len(forecasters) > MAX_NAMED else ""
        notes = [f"{more}usual error {LEAD_TIME:g} s ahead"]
        problems = [forecaster.problem for forecaster in forecasters if forecaster.problem]
        return [line for text in problems[:1] for line in canvas.wrapped(text, NOTE, RIGHT - LEFT)[:2]] + notes
    text = forecasters[0].remark or forecasters[0].problem or session.pool.describe(forecasters[0].number).summary
    return canvas.wrapped(text, NOTE, RIGHT - LEFT)[:3] if text else []


def _error(session, forecaster):
    """The median so far, as text."""
    errors = forecaster.errors(session.now)[LEAD_TIME]
    if not session.ball.is_motion_known:
        return "not known"
    return format_length(median(errors)) if errors else "not yet"


def _rule(canvas, y):
    canvas.line(LEFT, y + 5, RIGHT, y + 5, palette.RULE_COLOR)
