"""What is written on the picture itself: the time to the landing, the calls, captions and messages, two buttons."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pygame

from ballcast.render.painter import MIN_BALL_PIXELS, view_rotation
from ballcast.render.palette import FORECAST_COLORS, MUTED_COLOR, TEXT_COLOR, predictor_color
from ballcast.viewer.panels.layout import BUTTON_TOP, FOOT_HEIGHT, GAP, MARGIN, MIDDLE, middle_end
from ballcast.viewer.playback.ball import CALL_TIME

if TYPE_CHECKING:
    from ballcast.render.camera import OrbitCamera
    from ballcast.viewer.options import DisplayOptions
    from ballcast.viewer.panels.canvas import Canvas
    from ballcast.viewer.playback.session import Session

BUTTONS = (("help", "H", "keys"), ("menu", "M", "menu"))  # name, key, word
BUTTON_WIDTH, BUTTON_HEIGHT = 112, 30  # units
CALL, SMALL_CALL = 34, 18  # units: the text of a call, and of one that is usual
USUAL = ("IN",)
DOTS_TIME = 1.0  # s before a call, whose dots it leaves free
NEAR = 4.0  # m from a call's place to the goal or basket that it is about
ROOM_STEPS = 30, 20  # units between the places that are tried for a call
SPOKEN = {"service box": "in", "stumps": "bowled"}  # calls that are said otherwise
RING_RADII, RING_PIXELS = 2.5, 11  # of a landing mark: in ball radii, and px that it has at least
BALL_ROOM = 18  # units round the ball that labels leave free


def leave_the_ball_free(canvas: "Canvas", session: "Session", camera: "OrbitCamera") -> None:
    """Draw the ball again if it is behind a panel, and keep labels off it."""
    xy, depth = camera.project(session.ball.state_at(session.now)[0][None])
    x, y = xy[0] / canvas.scale
    if np.isfinite(x):
        if canvas.is_covered(x, y):
            radius = max(session.sport.ball.radius * camera.focal_length / depth[0], MIN_BALL_PIXELS) / canvas.scale
            orientation = view_rotation(camera, session.orientation)
            canvas.ball(x, y, min(radius, BALL_ROOM), session.sport.view.ball_color, orientation)
        canvas.taken.append((x - BALL_ROOM, y - BALL_ROOM, 2 * BALL_ROOM, 2 * BALL_ROOM))


def landing_countdown(canvas: "Canvas", session: "Session", camera: "OrbitCamera") -> None:
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


def stroke_call(canvas: "Canvas", session: "Session", camera: "OrbitCamera") -> None:
    """What has just been called of a stroke (in, out, goal ...), beside the place where it was decided."""
    called = session.ball.call(session.now)
    if called is None:
        return
    text = in_capitals(SPOKEN.get(called[0], called[0]))
    is_usual, is_fault = text in USUAL, called[0] in {stroke.fault for stroke in session.sport.strokes}
    size, color = (SMALL_CALL, MUTED_COLOR) if is_usual else (CALL, FORECAST_COLORS[1] if is_fault else TEXT_COLOR)
    place = camera.project(np.asarray(called[1], float)[None])[0][0] / canvas.scale
    place = place if np.isfinite(place).all() else np.array([canvas.width / 2, canvas.height / 3])
    width, height = canvas.text_size(text, size)[0] + 0.8 * size, 1.35 * size
    kept_free = [*canvas.taken, *_path_boxes(canvas, session, camera)]
    kept_free += [] if is_usual else _things_at(canvas, session.sport, camera, np.asarray(called[1], float))
    left, top = _nearest_room(canvas, place, width, height, kept_free)
    edge = np.clip(place, (left, top), (left + width, top + height))
    canvas.dots(np.linspace(edge, place, 2 + int(math.dist(edge, place))), 0.8, color, 0.8)
    canvas.panel_background(left, top, width, height)
    canvas.text(left + width / 2, top + 0.3 * size, text, size, color, 0.5)


def in_capitals(text: str) -> str:
    """The words of a call in capitals; units keep their letters: "CARRY 213 m"."""
    return " ".join(word if word == "m" else word.upper() for word in text.split())


def _path_boxes(canvas, session, camera):
    """Boxes (x, y, width, height) in units round the ball's path for as long as the last call is shown, and before."""
    since = max(time for time, *_ in session.ball.calls if time <= session.now)
    _, positions = session.ball.positions_at(np.linspace(since - DOTS_TIME, since + CALL_TIME, 48))
    xy = camera.project(positions)[0] / canvas.scale
    xy = xy[np.isfinite(xy).all(axis=1)] - BALL_ROOM
    return np.column_stack([xy, np.full(xy.shape, 2 * BALL_ROOM)])


def _things_at(canvas, sport, camera, place):
    """The box (x, y, width, height) in units round a goal, basket or net near a place (3,) m; a list of one or none."""
    corners = [np.empty((0, 3))]
    for surface in sport.surfaces:
        low, high = np.array(surface.low) - surface.radius, np.array(surface.high) + surface.radius
        is_near = math.dist(np.clip(place, low, high), place) < NEAR
        if surface.kind != "plane" and low[2] < high[2] and is_near:
            corners.append(np.array(list(itertools.product(*zip(low, high)))))
    xy = camera.project(np.concatenate(corners))[0] / canvas.scale
    xy = xy[np.isfinite(xy).all(axis=1)]
    return [(*xy.min(axis=0), *np.ptp(xy, axis=0))] if len(xy) else []


def _nearest_room(canvas, place, width, height, kept_free):
    """The corner (left, top) of a rectangle near a place (x, y) that meets no box (x, y, width, height); units."""
    columns = np.arange(MARGIN, canvas.width - MARGIN - width, ROOM_STEPS[0])
    rows = np.arange(MARGIN, canvas.height - FOOT_HEIGHT - height, ROOM_STEPS[1])
    corners = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    boxes, size = np.array(kept_free).reshape(-1, 4), np.array([width, height])
    from_place = np.maximum(0.0, np.maximum(corners - place, place - corners - size))
    nearest = corners[np.argsort((from_place**2).sum(axis=1), kind="stable")]
    for few in np.array_split(nearest, -(-len(nearest) // 32)):  # a free one is usually among the first
        (x, y), (left, top, across, down) = few.T[:, :, None], boxes.T
        meets = (x < left + across) & (left < x + width) & (y < top + down) & (top < y + height)
        if not (is_met := meets.any(axis=1)).all():
            return few[np.argmin(is_met)]
    return nearest[0]


def notices(canvas: "Canvas", options: "DisplayOptions", top: float, texts: Sequence[tuple[str, float]]) -> None:
    """Lines above the foot, whose upper edge is `top`: (text, size) each, the first one lowest."""
    left, right = MIDDLE, middle_end(canvas, options)
    for text, size in texts:
        lines = canvas.balanced(text, size, right - left - 40)[:3]
        line_height = round(1.1 * size)
        width = max(canvas.text_size(line, size)[0] for line in lines) + 40
        height = line_height * len(lines) + 16
        top -= height + GAP
        canvas.panel_background((left + right - width) / 2, top, width, height)
        for number, line in enumerate(lines):
            canvas.text((left + right) / 2, top + 10 + number * line_height, line, size, TEXT_COLOR, 0.5)


def buttons(canvas: "Canvas") -> None:
    """The buttons in the lower left corner, which do what their key does."""
    for number, (_, key, word) in enumerate(BUTTONS):
        x, y = MARGIN + number * (BUTTON_WIDTH + GAP), canvas.height - BUTTON_TOP
        canvas.panel_background(x, y, BUTTON_WIDTH, BUTTON_HEIGHT)
        canvas.text(x + 20, y + 8, key, 20, FORECAST_COLORS[0])
        canvas.text(x + 46, y + 8, word, 20, MUTED_COLOR)


def button_at(canvas: "Canvas", pixel: Sequence[float]) -> str | None:
    """The name of the button at a pixel (x, y), or None."""
    for number, (name, _, _) in enumerate(BUTTONS):
        corner = MARGIN + number * (BUTTON_WIDTH + GAP), canvas.height - BUTTON_TOP
        if pygame.Rect(*corner, BUTTON_WIDTH, BUTTON_HEIGHT).collidepoint(np.divide(pixel, canvas.scale)):
            return name
    return None
