"""The game on the picture: the question, the marks of all answers, the score; and what clicks and keys mean there.

A click is a press of the left button without a drag; a drag still turns the camera.
"""

from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import pygame

from ballcast.render.palette import MUTED_COLOR, RULE_COLOR, TEXT_COLOR, TRUTH_COLOR, predictor_color
from ballcast.viewer import keys
from ballcast.viewer.game import PLAYER, centimetres
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.layout import MARGIN
from ballcast.viewer.screen import draw_pixels

if TYPE_CHECKING:
    from ballcast.render.camera import OrbitCamera
    from ballcast.render.painter import Painter
    from ballcast.viewer.game import Game
    from ballcast.viewer.window import App

PLAYER_COLOR = (255, 120, 160)
CLICK_DISTANCE = 6  # px that the mouse may move between press and release
AIM_STEP = 0.01  # of the picture's height, per press of an arrow
WIDTH, PAD = 412, 16  # units, of the score card
LEFT, RIGHT = MARGIN + PAD, MARGIN + WIDTH - PAD
UNIT_CIRCLE = np.column_stack([f(np.linspace(0, 2 * np.pi, 36)) for f in (np.cos, np.sin)])
HEAD, ROW = 58, 27  # units, of the score card
BANNER = (560, 48)  # units
BUTTON = (140, 40)  # units, at the lower right
FLOOR_DEPTH = 0.1  # m below the highest surface on which a ball lands; lower marks are said to be on the floor
LABEL_GAP = 26  # units between labels
ARROWS = {pygame.K_LEFT: (-1, 0), pygame.K_RIGHT: (1, 0), pygame.K_UP: (0, -1), pygame.K_DOWN: (0, 1)}
CONFIRM = ("return", "space", "enter")
PASSED_ON = {"c", "f", "f1", "f2", "f3", "f4", "+", "=", "-", "_", "s", "v", "q", "j"}  # keys that mean what they do
CLICKS = {  # phase -> what a click does
    "flying": "follow the ball", "asking": "click, or arrows and Enter: answer", "revealing": "click or Enter: skip",
    "answered": "click or Enter: next ball", "over": "click or Enter: play again",
}  # fmt: skip
QUESTIONS = {True: "Where will the ball land next?", False: "Where will the ball be in 0.4 s?"}


class WithoutForecasts:
    """A session whose forecasts are not drawn: the player shall not copy them."""

    forecasters = ()

    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        return getattr(self._session, name)


def paint(canvas: "Canvas", painter: "Painter", game: "Game", camera: "OrbitCamera", message: str = "") -> None:
    """The whole picture of a game; painter: the Painter of the 3D scene."""
    session = game.session
    draw_pixels(canvas.surface, painter.paint, WithoutForecasts(session), camera)
    if game.phase == "over":
        _table(canvas, game)
    else:
        _answers(canvas, game, camera)
        _score_card(canvas, game)
        _banner(canvas, game)
    _foot(canvas, game, message)
    _button(canvas)
    canvas.flush()


def handle(app: "App", event: pygame.event.Event) -> bool:
    """Do what an event means in the game; False if it means what it does elsewhere."""
    if event.type == pygame.KEYDOWN:
        return _press_key(app, event)
    if event.type == pygame.MOUSEMOTION and not any(event.buttons):
        app.game.aim = event.pos
    elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
        app.game.pressed = event.pos
        return True
    elif event.type == pygame.MOUSEBUTTONUP and event.button == 1:
        pressed, app.game.pressed = app.game.pressed, None
        if pressed and np.hypot(*np.subtract(event.pos, pressed)) <= CLICK_DISTANCE:
            _click(app, event.pos)
        return True
    return False


def _press_key(app, event):
    key = keys.name_of(event)
    if key == "escape":
        app.toggle_game()
    elif key in CONFIRM:
        if event.key not in app.held:  # not again and again while it is held down
            app.held.add(event.key)
            _confirm(app)
    elif event.key in ARROWS:
        step = AIM_STEP * app.screen.get_height() * np.array(ARROWS[event.key])
        app.game.aim = app.game.aimed_pixel() + step
    return key not in PASSED_ON


def _click(app, pixel):
    canvas = Canvas(app.screen)
    left, top = _button_corner(canvas)
    if pixel[0] / canvas.scale > left and pixel[1] / canvas.scale > top:
        app.toggle_game()
    else:
        app.game.aim = pixel
        _confirm(app)


def _confirm(app):
    if not app.game.confirm():
        app.show_message("click on the ground, or on what the ball can land on")


def _color(number):
    return PLAYER_COLOR if number is None else predictor_color(number)


def _banner(canvas, game):
    number = f"Ball {len(game.rounds) + (game.phase in ('flying', 'asking'))} of {game.balls}"
    room = canvas.width - WIDTH - 3 * MARGIN
    width, x = min(BANNER[0], room), WIDTH + 2 * MARGIN + room / 2
    canvas.panel_background(x - width / 2, MARGIN, width, BANNER[1])
    canvas.text(x - width / 2 + 20, MARGIN + 15, number, 26, MUTED_COLOR)
    text = _announcement(game)
    if canvas.text_size(text, 31)[0] > width - 170:  # a long name
        text = "You were not the closest."
    canvas.text(x + width / 2 - 20, MARGIN + 13, text, 31, TEXT_COLOR, 1.0)


def _announcement(game):
    """What is asked, or what became of this ball."""
    if game.phase == "asking":
        return QUESTIONS[game.question.is_landing]
    if game.phase == "flying":
        return "It will stop: say where it goes."
    if game.phase == "revealing":
        return "It flies on ..."
    player, *others = game.rounds[-1]
    best = min(others, key=lambda answer: answer.distance)
    return "You were closer." if player.distance < best.distance else f"{best.name} was closer."


def _score_card(canvas, game):
    standings = game.standings() if game.phase != "revealing" else []  # not before the ball is there
    lines = standings or [(name, number, [], 0) for name, number in _players(game)]
    canvas.panel_background(MARGIN, MARGIN, WIDTH, HEAD + ROW * len(lines) + 4)
    canvas.text(LEFT, MARGIN + 13, "Score", 26, TEXT_COLOR)
    for x, words in ((RIGHT - 104, "median error"), (RIGHT, "balls won")):
        canvas.text(x, MARGIN + 17, words, 23, MUTED_COLOR, 1.0)
    canvas.line(LEFT, MARGIN + 42, RIGHT, MARGIN + 42, RULE_COLOR)
    for row, (name, number, distances, closest) in enumerate(lines):
        y = MARGIN + HEAD - 6 + ROW * row
        canvas.text(LEFT, y, canvas.fitted(name, 24, RIGHT - LEFT - 184), 24, _color(number))
        canvas.text(RIGHT - 104, y, centimetres(median(distances)) if distances else "-", 24, TEXT_COLOR, 1.0)
        canvas.text(RIGHT, y, str(closest) if distances else "-", 24, TEXT_COLOR, 1.0)


def _players(game):
    return [(PLAYER, None), *((game.name_of(f), f.number) for f in game.session.forecasters)]


def _answers(canvas, game, camera):
    """The mark of what the player points at; after the answer everybody's mark, and at the end the truth."""
    if game.phase == "asking":
        pixel = game.aimed_pixel() / canvas.scale
        _mark(canvas, game, camera, game.aimed_position(), PLAYER_COLOR, 12.0)
        for dx, dy in ((12, 0), (0, 12)):
            canvas.line(*(pixel - (dx, dy)), *(pixel + (dx, dy)), PLAYER_COLOR, 2)
    elif game.phase in ("revealing", "answered"):
        for forecaster in game.session.forecasters:
            _predicted_path(canvas, game, camera, forecaster)
        given = [answer for answer in game.rounds[-1] if answer.position is not None]
        for answer in given[::-1]:
            _mark(canvas, game, camera, answer.position, _color(answer.number))
        if game.phase == "answered":
            _distances(canvas, game, camera, given)


def _predicted_path(canvas, game, camera, forecaster):
    """A predictor's path from the stop to the question's time."""
    forecast = forecaster.forecast(game.question.stop)
    if forecast is not None:
        points = forecast.mean[forecast.times <= game.question.time]
        pixels = camera.project(points)[0]
        canvas.path(pixels[np.isfinite(pixels).all(axis=1)] / canvas.scale, _color(forecaster.number))


def _mark(canvas, game, camera, position, color, radius=9.0):
    """A target on the surface under a landing; a ring round another position."""
    if position is None:
        return
    lowered = position - (0, 0, game.session.sport.ball.radius if game.question.is_landing else 0)
    (x, y), depth = (a[0] for a in camera.project(lowered[None]))
    if np.isfinite(x):
        flat = max(0.25, abs(camera.basis[2][2])) if game.question.is_landing else 1.0  # a level circle, foreshortened
        center = np.array([x, y]) / canvas.scale
        canvas.dots(np.array([center]), 3.0, color)
        canvas.dots(center + radius * UNIT_CIRCLE * (1, flat), 1.4, color, 0.9)
        heights = [surface.low[2] for surface in game.session.sport.surfaces if surface.landing and surface.supports]
        is_named = color in (PLAYER_COLOR, TRUTH_COLOR) and game.question.is_landing
        if is_named and lowered[2] < max(heights, default=-np.inf) - FLOOR_DEPTH:
            canvas.text(center[0] + radius + 6, center[1] - 7, "floor", 18, color)


def _distances(canvas, game, camera, given):
    """The truth, a line from each answer to it, and the distances as a list that keeps clear of the marks."""
    truth = game.question.position
    _mark(canvas, game, camera, truth, TRUTH_COLOR, 14.0)
    end = _pixel(canvas, camera, truth)
    for answer in given:
        start = _pixel(canvas, camera, answer.position)
        if np.isfinite([*start, *end]).all():
            count = int(np.hypot(*(end - start)) // 7) + 2
            canvas.dots(np.linspace(start, end, count), 1.3, _color(answer.number), 0.8)
    rows = [("the ball (truth)", "", TRUTH_COLOR)]
    rows += [(a.name, centimetres(a.distance), _color(a.number)) for a in game.rounds[-1]]
    _list(canvas, end, rows)


def _list(canvas, beside, rows):
    """Rows (name, distance, color) in a panel beside a point, in units."""
    width = 120 + max(canvas.text_size(name, 23)[0] for name, _, _ in rows)
    height = LABEL_GAP * len(rows) + 14
    beside = np.nan_to_num(beside)
    right = beside[0] + 46 + width < canvas.width - MARGIN
    x = beside[0] + 46 if right else beside[0] - 46 - width
    x = float(np.clip(x, WIDTH + 2 * MARGIN, canvas.width - MARGIN - width))
    bottom = canvas.height - 60
    above = beside[1] + 26 + height > bottom  # the path comes from above: below there is less to hide
    y = beside[1] - height - 26 if above else beside[1] + 26
    y = float(np.clip(y, 2 * MARGIN + BANNER[1], bottom - height))
    canvas.panel_background(x, y, width, height)
    for row, (name, distance, color) in enumerate(rows):
        canvas.text(x + 14, y + 10 + LABEL_GAP * row, name, 23, color)
        canvas.text(x + width - 14, y + 10 + LABEL_GAP * row, distance, 23, TEXT_COLOR, 1.0)


def _pixel(canvas, camera, position):
    return camera.project(np.asarray(position)[None])[0][0] / canvas.scale


def _table(canvas, game):
    """Who won, and every distance of the game."""
    standings, result = game.standings(), game.result()
    width, height = min(920, canvas.width - 2 * MARGIN), 160 + 30 * len(standings)
    left, top = (canvas.width - width) / 2, (canvas.height - height) / 2
    for _ in range(2):
        canvas.panel_background(left, top, width, height)
    canvas.text(left + 28, top + 24, result[0], 40, TEXT_COLOR)
    explained = canvas.fitted(f"{result[1]} The closest answer wins a ball.", 23, width - 56)
    canvas.text(left + 28, top + 66, explained, 23, MUTED_COLOR)
    right, column = left + width - 28, 46
    first = right - 208 - column * (game.balls - 1)
    y = top + 108
    canvas.text(left + 28, y, "distance, cm", 23, MUTED_COLOR)
    for x, words in ((right - 94, "median error"), (right, "balls won")):
        canvas.text(x, y, words, 23, MUTED_COLOR, 1.0)
    for ball in range(game.balls):
        canvas.text(first + column * ball, y, str(ball + 1), 23, MUTED_COLOR, 1.0)
    for row, line in enumerate(standings):
        y = top + 138 + 30 * row
        canvas.text(left + 28, y, canvas.fitted(line.name, 24, first - left - 74), 24, _color(line.number))
        for ball, distance in enumerate(line.distances):
            is_best = distance == min(other.distances[ball] for other in standings)
            words = f"{100 * distance:.{0 if distance > 0.0995 else 1}f}" if np.isfinite(distance) else "-"
            canvas.text(first + column * ball, y, words, 23, TEXT_COLOR if is_best else MUTED_COLOR, 1.0)
        canvas.text(right - 94, y, centimetres(median(line.distances)), 23, TEXT_COLOR, 1.0)
        canvas.text(right, y, str(line.closest), 25, TEXT_COLOR, 1.0)


def _foot(canvas, game, message):
    click = CLICKS[game.phase]
    if game.phase == "answered" and len(game.rounds) == game.balls:
        click = "click or Enter: the result"
    camera = "" if game.phase == "over" else "drag, wheel: camera"
    hints = "     ".join(filter(None, (click, camera, "Esc: end the game")))
    top = canvas.height - MARGIN - BUTTON[1]
    canvas.panel_background(MARGIN, top, canvas.text_size(message or hints, 23)[0] + 2 * PAD, BUTTON[1])
    canvas.text(LEFT, top + 12, message or hints, 23, TEXT_COLOR)


def _button(canvas):
    left, top = _button_corner(canvas)
    canvas.panel_background(left, top, *BUTTON)
    canvas.text(left + BUTTON[0] / 2, top + 12, "end the game", 23, MUTED_COLOR, 0.5)


def _button_corner(canvas):
    return canvas.width - MARGIN - BUTTON[0], canvas.height - MARGIN - BUTTON[1]
