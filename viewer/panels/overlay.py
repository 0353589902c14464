"""What is written on the picture itself: the time to the landing, the calls, captions and messages, two buttons."""

import math

import numpy as np
import pygame

from ballcast.render.painter import MIN_BALL_PIXELS, view_rotation
from ballcast.render.palette import FORECAST_COLORS, MUTED_COLOR, TEXT_COLOR, predictor_color
from ballcast.viewer.panels.layout import GAP, MARGIN, MIDDLE, middle_end

BUTTONS = (("help", "H", "keys"), ("menu", "M", "menu"))  # name, key, word
BUTTON_WIDTH, BUTTON_HEIGHT, BUTTON_TOP = 112, 30, 44  # units; the top above the lower edge
CALL, CALL_HEIGHT = 34, 46  # units: the text of a call, and its panel
SPOKEN = {"service box": "in"}  # calls that are said otherwise
RING_RADII, RING_PIXELS = 2.5, 11  # of a landing mark: in ball radii, and px that it has at least
BALL_ROOM = 18  # units round the ball that labels leave free


def leave_the_ball_free(canvas, session, camera):
    """Draw the ball again if it is behind a panel, and keep labels off it."""
    xy, depth = camera.project(session.ball.state_at(session.now)[0][None])
    x, y = xy[0] / canvas.scale
    if np.isfinite(x):
        if canvas.is_covered(x, y):
            radius = max(session.sport.ball.radius * camera.focal_length / depth[0], MIN_BALL_PIXELS) / canvas.scale
            orientation = view_rotation(camera, session.orientation)
            canvas.ball(x, y, min(radius, BALL_ROOM), session.sport.view.ball_color, orientation)
        canvas.taken.append((x - BALL_ROOM, y - BALL_ROOM, 2 * BALL_ROOM, 2 * BALL_ROOM))


def landing_countdown(canvas, session, camera):
    """The time until the first forecast landing, next to its mark."""
    for forecaster in session.forecasters:
        forecast = forecaster.forecast(session.now)
        if forecast is None or forecast.landing is None or forecast.landing.time < session.now:
            continue
        xy, depth = camera.project(np.asarray(forecast.landing.position, float)[None])
        x, y = xy[0] / canvas.scale
        if np.isfinite(x) and 0 < x < canvas.width and 0 < y < canvas.height and not canvas.is_covered(x, y):
            ring = max(RING_RADII * session.sport.ball.radius * camera.focal_length / depth[0], RING_PIXELS)
            width, height = 2 * ring / canvas.scale, ring / canvas.scale
            canvas.taken.append((x - width / 2, y - height / 2, width, height))
            time = f"{forecast.landing.time - session.now:.2f} s"
            canvas.label(x, y, time, 20, predictor_color(forecaster.number), away=width / 2)
            return


def stroke_call(canvas, session, camera):
    """What has just been called of a stroke (in, out, goal ...), above the place where it was decided."""
    called = session.ball.call(session.now)
    if called is None:
        return
    is_fault = called[0] in {stroke.fault for stroke in session.sport.strokes}
    text, color = SPOKEN.get(called[0], called[0]).upper(), FORECAST_COLORS[1] if is_fault else TEXT_COLOR
    width = canvas.text_size(text, CALL)[0] + 28
    x, y = camera.project(np.asarray(called[1], float)[None])[0][0] / canvas.scale
    x, y = (x, y) if np.isfinite(x) else (canvas.width / 2, canvas.height / 3)
    left, top = _nearest_room(canvas, x - width / 2, y - CALL_HEIGHT - 26, width, CALL_HEIGHT)
    canvas.panel_background(left, top, width, CALL_HEIGHT)
    canvas.text(left + width / 2, top + 10, text, CALL, color, 0.5)


def _nearest_room(canvas, left, top, width, height):
    """The corner nearest to (left, top) from which a rectangle covers no panel and no text; that corner if none is."""
    wanted = min(max(left, MARGIN), canvas.width - MARGIN - width), min(max(top, MARGIN), canvas.height - height)
    if canvas.is_free(*wanted, width, height):
        return wanted
    columns, rows = range(MARGIN, int(canvas.width - width), 40), range(MARGIN, int(canvas.height), 30)
    corners = [(x, y) for x in columns for y in rows if canvas.is_free(x, y, width, height)]
    return min(corners, key=lambda corner: math.dist(corner, (left, top)), default=wanted)


def notices(canvas, options, top, texts):
    """Lines above the foot, whose upper edge is `top`: (text, size) each, the first one lowest."""
    left, right = MIDDLE, middle_end(canvas, options)
    for text, size in texts:
        lines = canvas.wrapped(text, size, right - left - 40)[:3]
        line_height = round(1.1 * size)
        width = max(canvas.text_size(line, size)[0] for line in lines) + 40
        height = line_height * len(lines) + 16
        top -= height + GAP
        canvas.panel_background((left + right - width) / 2, top, width, height)
        for number, line in enumerate(lines):
            canvas.text((left + right) / 2, top + 10 + number * line_height, line, size, TEXT_COLOR, 0.5)


def buttons(canvas):
    """The buttons in the lower left corner, which do what their key does."""
    for number, (_, key, word) in enumerate(BUTTONS):
        x, y = MARGIN + number * (BUTTON_WIDTH + GAP), canvas.height - BUTTON_TOP
        canvas.panel_background(x, y, BUTTON_WIDTH, BUTTON_HEIGHT)
        canvas.text(x + 20, y + 8, key, 20, FORECAST_COLORS[0])
        canvas.text(x + 46, y + 8, word, 20, MUTED_COLOR)


def button_at(canvas, pixel):
    """The name of the button at a pixel (x, y), or None."""
    for number, (name, _, _) in enumerate(BUTTONS):
        corner = MARGIN + number * (BUTTON_WIDTH + GAP), canvas.height - BUTTON_TOP
        if pygame.Rect(*corner, BUTTON_WIDTH, BUTTON_HEIGHT).collidepoint(np.divide(pixel, canvas.scale)):
            return name
    return None
