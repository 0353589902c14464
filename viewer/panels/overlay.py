"""What is written on the picture itself: the time to the landing, the state and hints at the foot, the help."""

import numpy as np

from ballcast.render.palette import FORECAST_COLOR, TEXT_COLOR, predictor_color
from ballcast.viewer import keys
from ballcast.viewer.panels.sidebar import MARGIN, WIDTH

FOOT_HEIGHT = 36  # units of the hints above the lower edge
HELP_COLUMN_WIDTH, HELP_ROW, HELP_HEAD = 460, 24, 54


def landing_countdown(canvas, session, camera, right):
    """The time until the first forecast landing, next to its mark; up to `right` units."""
    for forecaster in session.forecasters:
        forecast = forecaster.forecast(session.now)
        if forecast is None or forecast.landing is None or forecast.landing.time < session.now:
            continue
        x, y = camera.project(np.asarray(forecast.landing.position, float)[None])[0][0] / canvas.scale
        if np.isfinite(x) and WIDTH + 2 * MARGIN < x < right - 60 and 0 < y < canvas.height:
            time = f"{forecast.landing.time - session.now:.2f} s"
            canvas.outlined_text(x + 24, y - 4, time, 18, predictor_color(forecaster.number))
            return


def stroke_call(canvas, session, camera):
    """What has just been called of a stroke (in, out, goal ...), beside the place where it was decided."""
    called = session.ball.call(session.now)
    if called is None:
        return
    x, y = camera.project(np.asarray(called[1], float)[None])[0][0] / canvas.scale
    if np.isfinite(x):
        x, y = np.clip(x, WIDTH + 3 * MARGIN, canvas.width - 4 * MARGIN), np.clip(y, MARGIN, canvas.height - 80)
        canvas.outlined_text(float(x), float(y) - 34, called[0], 24, TEXT_COLOR, 0.5)


def status_line(canvas, session, message):
    hidden = "hidden from the predictors" if session.hidden else ""
    speed = "" if session.speed == 1 else f"{session.speed:g} x speed"
    state = "   ".join(filter(None, (hidden, speed, "paused" if session.paused else "")))
    canvas.outlined_text(canvas.width - MARGIN, canvas.height - FOOT_HEIGHT, state, 24, TEXT_COLOR, 1.0)
    names = session.pool.names[:9]
    choices = [f"{n}: {name}" for n, name in enumerate(names, 1)] if len(names) > 1 else []
    throw = ["drag the ball: throw it"] if session.source.live else []
    hint = message or session.forecasters[0].remark or "     ".join(["H: all keys", *throw, *choices])
    canvas.outlined_text(MARGIN + 4, canvas.height - FOOT_HEIGHT, hint, 20, TEXT_COLOR)


def key_help(canvas):
    row_count = -(-len(keys.HELP) // 2)
    height = HELP_HEAD + HELP_ROW * row_count + 16
    left, top = (canvas.width - 2 * HELP_COLUMN_WIDTH) / 2, (canvas.height - height) / 2
    for _ in range(2):  # twice as dark: there may be text below
        canvas.panel_background(left, top, 2 * HELP_COLUMN_WIDTH, height)
    canvas.text(left + 24, top + 18, "Keys", 30, TEXT_COLOR)
    for number, (label, text) in enumerate(keys.HELP):
        x, y = left + 24 + HELP_COLUMN_WIDTH * (number // row_count), top + HELP_HEAD + HELP_ROW * (number % row_count)
        canvas.text(x, y, label, 21, FORECAST_COLOR)
        canvas.text(x + 150, y, text, 21, TEXT_COLOR)
