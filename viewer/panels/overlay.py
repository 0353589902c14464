"""What is written on the picture itself: the time to the landing, the state and hints at the foot, the help."""

import numpy as np
from ballcast.render.painter import FORECAST, color_of
from ballcast.viewer import keys
from ballcast.viewer.panels.canvas import TEXT
from ballcast.viewer.panels.sidebar import MARGIN, WIDTH

FOOT = 36  # units of the hints above the lower edge
HELP_WIDE, HELP_ROW, HELP_HEAD = 460, 24, 54


def landing(pen, session, camera, right):
    """Beside the first landing mark that is known: how long until then; up to `right` units."""
    for watcher in session.watchers:
        shown = watcher.forecast(session.now)
        if shown is None or shown.landing is None or shown.landing.time < session.now:
            continue
        x, y = camera.project(np.asarray(shown.landing.place, float)[None])[0][0] / pen.unit
        if np.isfinite(x) and WIDTH + 2 * MARGIN < x < right - 60 and 0 < y < pen.tall:
            pen.outlined(x + 24, y - 4, f"{shown.landing.time - session.now:.2f} s", 18, color_of(watcher))
            return


def foot(pen, session, message):
    """The state on the right, a message or hints on the left."""
    hidden = "hidden from the predictors" if session.hidden else ""
    speed = "" if session.speed == 1 else f"{session.speed:g} x speed"
    state = "   ".join(filter(None, (hidden, speed, "paused" if session.paused else "")))
    pen.outlined(pen.wide - MARGIN, pen.tall - FOOT, state, 24, TEXT, 1.0)
    names = session.choice.names[:9]
    there = [f"{n}: {name}" for n, name in enumerate(names, 1)] if len(names) > 1 else []
    throw = ["drag the ball: throw it"] if session.source.live else []
    hint = message or session.watchers[0].remark or "     ".join(["H: all keys", *throw, *there])
    pen.outlined(MARGIN + 4, pen.tall - FOOT, hint, 20, TEXT)


def help(pen):
    """All keys, in two columns."""
    half = -(-len(keys.HELP) // 2)
    tall = HELP_HEAD + HELP_ROW * half + 16
    left, top = (pen.wide - 2 * HELP_WIDE) / 2, (pen.tall - tall) / 2
    pen.pane(left, top, 2 * HELP_WIDE, tall)
    pen.pane(left, top, 2 * HELP_WIDE, tall)  # twice as dark: there may be words below
    pen.text(left + 24, top + 18, "Keys", 30, TEXT)
    for number, (label, text) in enumerate(keys.HELP):
        x, y = left + 24 + HELP_WIDE * (number // half), top + HELP_HEAD + HELP_ROW * (number % half)
        pen.text(x, y, label, 21, FORECAST)
        pen.text(x + 150, y, text, 21, TEXT)
