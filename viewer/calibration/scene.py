"""The picture of the video with the points and the fitted place in it, and what stands at its foot."""

from typing import TYPE_CHECKING

import numpy as np
import pygame

from ballcast.render.palette import FAINT_COLOR, MUTED_COLOR, TEXT_COLOR
from ballcast.viewer.calibration import loupe, numbers
from ballcast.viewer.calibration.colors import (
    CHOSEN_COLOR,
    EXPECTED_COLOR,
    NET_SHOWN,
    NEXT_COLOR,
    PLACE_COLOR,
    PLACED_COLOR,
    WRONG_COLOR,
)
from ballcast.viewer.calibration.keys import HELP
from ballcast.viewer.calibration.surface import scaled, surface_of
from ballcast.viewer.panels import help
from ballcast.viewer.panels.canvas import Canvas
from ballcast.vision.overlay import NET_COLOR, place_lines

if TYPE_CHECKING:
    from ballcast.viewer.calibration.window import CalibrationApp

BACKGROUND = (14, 16, 20)
FOOT = 92  # units below the picture
SLIDER = 24  # units of the slider above the lower edge
SLIDER_LEFT, SLIDER_GAP = 150, 24  # units: where it begins; from its end to the column
RING, GAP = 8, 3  # units of a point's ring, and of the free middle of its cross
THUMB_SHARE, THUMB_GAP = 0.4, 10  # of the picture's area, the width of one of two small pictures; units between them
THUMB_SPARE = 0.2  # of the extent of the place, around it in a small picture
TITLE, TEXT, SMALL = 25, 19, 16  # sizes of text, units


def area_of(surface: pygame.Surface) -> tuple[int, int, int, int]:
    """Where the picture is on the screen: x, y, width, height px."""
    scale = Canvas(surface).scale
    width, height = surface.get_size()
    return 0, 0, round(width - numbers.COLUMN * scale), round(height - FOOT * scale)


def paint(app: "CalibrationApp") -> None:
    """Paint everything."""
    surface = app.screen
    surface.fill(BACKGROUND)
    canvas = Canvas(surface)
    surface.set_clip(app.view.area)
    _picture(surface, app)
    if app.options.place:
        _place(canvas, app)
    _points(canvas, app)
    surface.set_clip(None)
    numbers.paint(canvas, app)
    _foot(canvas, app)
    canvas.flush()
    if app.fitting.rivals and len(app.fitting.rivals) > 1:
        _rivals(canvas, app)
    elif app.options.loupe and app.loupe_at is not None and not app.options.help:
        loupe.paint(canvas, app.image, app.loupe_at, app.view.on_screen(app.loupe_at), app.options.loupe,
                    {name: np.array(pixel) for name, pixel in app.placed.points.items()})  # fmt: skip
    if app.is_asking:
        _question(canvas)
    elif app.options.help:
        help.paint(canvas, HELP)
    canvas.flush()


def _picture(surface, app):
    """The visible part of the frame."""
    view = app.view
    x, y, width, height = view.area
    low = np.clip(np.floor(view.in_video((x, y)) - 1).astype(int), 0, view.size)
    high = np.clip(np.ceil(view.in_video((x + width, y + height)) + 2).astype(int), 0, view.size)
    key = app.number, tuple(low), tuple(high), view.scale
    if app.drawn is None or app.drawn[0] != key:
        part = surface_of(app.image[low[1] : high[1], low[0] : high[0]])
        size = np.round((high - low) * view.scale).astype(int)
        app.drawn = key, scaled(part, (int(size[0]), int(size[1])))
    surface.blit(app.drawn[1], np.round(view.corner + low * view.scale).astype(int))


def _place(canvas, app):
    """The fitted lines and nets; faint where the camera is that of another frame."""
    if app.fitting.view is None:
        return
    is_own = app.fitting.frame == app.number
    lines = place_lines(app.fitting.view.camera(app.view.size), app.placed.sport)
    for run, color in lines:
        shown = NET_SHOWN if color == NET_COLOR else PLACE_COLOR
        _path(canvas.surface, app.view.on_screen(run), shown if is_own else FAINT_COLOR)


def _path(surface, places, color):
    """A thin smooth line through places (N, 2) px, where the screen is near."""
    near = (np.abs(places) < 20000).all(axis=1)
    if near.sum() > 1:
        pygame.draw.aalines(surface, color, False, places[near])


def _points(canvas, app):
    """The points that are there, with a line to where the fit puts them, and the one that is expected next."""
    fitting, errors, wrong = app.fitting, app.fitting.errors, app.fitting.wrong
    worst = max(errors, key=lambda n: errors[n]) if app.shows_worst else None
    for name, pixel in app.placed.points.items():
        at, is_bad = app.view.on_screen(np.array(pixel)), name in wrong or name == worst
        color = WRONG_COLOR if is_bad else CHOSEN_COLOR if name == app.placed.chosen else PLACED_COLOR
        if name in errors:
            expected = fitting.view.project(np.array([app.placed.side.places[name]]))[0]
            _path(canvas.surface, np.array([at, app.view.on_screen(expected)]), color)
        _ring(canvas, at, color)
        if is_bad or name == app.placed.chosen:
            words = name.replace("_", " ") + (" is left out" if name in wrong else ": the worst" if is_bad else "")
            _label(canvas, app, at, words, color)
    expected = app.expected(app.wanted)
    if expected is not None:
        at = app.view.on_screen(expected)
        _diamond(canvas, at, NEXT_COLOR)
        _label(canvas, app, at, f"{app.wanted.replace('_', ' ')}?", NEXT_COLOR, up=28)


def _label(canvas, app, at, words, color, up=-8):
    """A text beside a place, `up` units above it, inside the picture's area."""
    x, y, width, height = app.view.area
    if x <= at[0] < x + width and y <= at[1] < y + height:
        size = canvas.text_size(words, SMALL)[0]
        left = at[0] / canvas.scale + 14
        if left + size + 8 > (x + width) / canvas.scale:
            left -= size + 28
        canvas.plate(left, at[1] / canvas.scale - up, words, SMALL, color)


def _ring(canvas, at, color):
    """A ring and a cross whose middle is free."""
    radius, gap = RING * canvas.scale, GAP * canvas.scale
    pygame.draw.circle(canvas.surface, color, tuple(at), max(4, radius), max(1, round(1.4 * canvas.scale)))
    for direction in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        step = np.array(direction)
        pygame.draw.line(canvas.surface, color, tuple(at + gap * step), tuple(at + radius * step))


def _diamond(canvas, at, color):
    radius = max(5, RING * canvas.scale)
    corners = [tuple(at + radius * np.array(step)) for step in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    pygame.draw.polygon(canvas.surface, color, corners, max(1, round(1.4 * canvas.scale)))


def slider(canvas: Canvas) -> tuple[float, float, float]:
    """Left end, right end and height of the slider, units."""
    return SLIDER_LEFT, canvas.width - numbers.COLUMN - SLIDER_GAP, canvas.height - SLIDER


def _foot(canvas, app):
    """What to do next, the last message, and the slider of frames."""
    top, width = canvas.height - FOOT, canvas.width - numbers.COLUMN
    words, color = app.hint()
    canvas.text(16, top + 8, canvas.fitted(words, TITLE, width - 32), TITLE, color)
    canvas.text(16, top + 36, canvas.fitted(app.message, TEXT, width - 120), TEXT, TEXT_COLOR)
    canvas.text(width - 24, top + 38, "H: all keys", SMALL, MUTED_COLOR, 1.0)
    left, right, y = slider(canvas)
    count, frames = app.frames.count, app.placed.frames
    number = f"frame {app.frames.asked} of {count - 1}" if app.number == app.frames.asked else "reading ..."
    canvas.text(16, y - 7, number, SMALL, MUTED_COLOR)
    canvas.line(left, y, right, y, MUTED_COLOR, 2)
    for frame in frames:
        x = left + (right - left) * frame / max(1, count - 1)
        canvas.line(x, y - 6, x, y + 6, PLACED_COLOR, 2)
    x = left + (right - left) * app.frames.asked / max(1, count - 1)
    canvas.bar(x - 4, y - 9, 8, 18, TEXT_COLOR)


def thumbs(canvas: Canvas, app: "CalibrationApp") -> list[pygame.Rect]:
    """Where the small pictures of two cameras are, px."""
    x, y, width, height = app.view.area
    gap = round(THUMB_GAP * canvas.scale)
    wide = round(THUMB_SHARE * width)
    tall = round(wide * app.view.size[1] / app.view.size[0])
    left, top = x + (width - 2 * wide - gap) // 2, y + height - tall - gap
    return [pygame.Rect(left + k * (wide + gap), top, wide, tall) for k in range(2)]


def _rivals(canvas, app):
    """Two small pictures of the place, with its lines and its net as each of two cameras has them."""
    rects = thumbs(canvas, app)
    low, factor = _around_place(app, rects[0].size)
    high = np.minimum(np.ceil(low + np.array(rects[0].size) / factor).astype(int), app.view.size)
    part = surface_of(app.image[low[1] : high[1], low[0] : high[0]])
    for k, (rect, fit) in enumerate(zip(rects, app.fitting.rivals)):
        small = pygame.Surface(rect.size)
        small.blit(scaled(part, tuple(np.round((high - low) * factor).astype(int))), (0, 0))
        small.fill((170, 170, 170), special_flags=pygame.BLEND_RGB_MULT)
        for run, color in place_lines(fit.result.camera, app.placed.sport):
            path = (run + 0.5 - low) * factor
            if color == NET_COLOR:
                pygame.draw.lines(small, NET_SHOWN, False, path, max(2, round(3 * canvas.scale)))
            else:
                _path(small, path, PLACE_COLOR)
        canvas.surface.blit(small, rect)
        pygame.draw.rect(canvas.surface, NEXT_COLOR, rect, 2)
        words = f"{k + 1}: seen from the {fit.seen_from}"
        canvas.plate(rect.x / canvas.scale + 14, rect.y / canvas.scale + 8, words, TEXT, NEXT_COLOR)


def _around_place(app, size):
    """The upper left corner (2,) px of the part of the video with the place, and how many times it is enlarged."""
    places = np.array(list(app.placed.side.places.values()))
    pixels = np.concatenate([fit.result.camera.project(places) for fit in app.fitting.rivals])
    pixels = np.clip(pixels[np.isfinite(pixels).all(axis=1)], 0, app.view.size)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    middle, extent = 0.5 * (low + high), (1 + 2 * THUMB_SPARE) * np.maximum(high - low, 20.0)
    room = np.array(size, float)
    factor = float(np.clip((room / extent).min(), (room / app.view.size).max(), None))
    corner = np.clip(middle - 0.5 * room / factor, 0, np.maximum(app.view.size - room / factor, 0))
    return np.floor(corner).astype(int), factor


def _question(canvas):
    """Whether to close without saving."""
    width, height = 460, 110
    x, y = (canvas.width - width) / 2, (canvas.height - height) / 2
    canvas.cover(x, y, width, height)
    canvas.text(x + width / 2, y + 18, "The points are not saved.", TITLE, TEXT_COLOR, 0.5)
    canvas.text(x + width / 2, y + 52, "S: save and close     N: close without saving", TEXT, NEXT_COLOR, 0.5)
    canvas.text(x + width / 2, y + 76, "Esc: go on", TEXT, EXPECTED_COLOR, 0.5)
