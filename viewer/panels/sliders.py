"""The panel of the world's overrides: one slider each, for the mouse and for the keys. Live balls only."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import pygame

from ballcast.render.palette import FAINT_COLOR, FORECAST_COLOR, MUTED_COLOR, RULE_COLOR, TEXT_COLOR
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.layout import MARGIN, PAD, WIDTH
from ballcast.viewer.playback.overrides import OVERRIDES

if TYPE_CHECKING:
    from ballcast.viewer.playback.session import Session

ROW, HEAD, NOTE_ROW = 26, 30, 18  # units
HINT = "arrows or drag; Backspace: reset"


class Sliders:
    height = HEAD + ROW * len(OVERRIDES) + 2 * NOTE_ROW + 4

    def __init__(self, canvas, top):
        self.canvas, self.top = canvas, top
        self.x = canvas.width - MARGIN - WIDTH
        self.left, self.right = self.x + PAD, self.x + WIDTH - PAD

    def slider_at(self, pixel: Sequence[float]) -> int | None:
        """The number of the override whose slider is at a pixel (x, y), or None."""
        x, y = pixel[0] / self.canvas.scale, pixel[1] / self.canvas.scale - self.top - HEAD
        inside = self.x <= x <= self.x + WIDTH and 0 <= y < ROW * len(OVERRIDES)
        return int(y // ROW) if inside else None

    def value_at(self, number: int, pixel: Sequence[float]) -> float:
        """The value of an override whose slider is pulled to a pixel (x, y)."""
        override = OVERRIDES[number]
        fraction = (pixel[0] / self.canvas.scale - self.left) / (self.right - self.left)
        return override.clipped(override.low + min(max(fraction, 0.0), 1.0) * (override.high - override.low))

    def paint(self, session: "Session", selected: int) -> None:
        """Paint the panel; `selected` is the number of the override that the keys move."""
        live = session.source.live
        world = session.source.world if live else {}
        values = tuple((o.name in world, float(world.get(o.name, o.default(session.sport)))) for o in OVERRIDES)
        size = round(WIDTH * self.canvas.scale), round(self.height * self.canvas.scale)
        image = _render(size, self.canvas.scale, values, live, selected)
        self.canvas.taken.append((self.x, self.top, WIDTH, self.height))
        self.canvas.surface.blit(image, (round(self.x * self.canvas.scale), round(self.top * self.canvas.scale)))


@lru_cache(maxsize=4)
def _render(size, scale, values, live, selected):
    """The panel as a picture, which rarely changes; values: whether each override is set, and its value."""
    canvas = Canvas(pygame.Surface(size, pygame.SRCALPHA), scale)
    left, right = PAD, WIDTH - PAD
    canvas.panel_background(0, 0, WIDTH, Sliders.height)
    canvas.text(left, 10, "The ball's world", 21, TEXT_COLOR)
    note = "the predictors are not told of this" if live else "a recording cannot be changed"
    notes = HEAD + ROW * len(OVERRIDES) + 3
    canvas.text(left, notes, HINT if live else "", 16, MUTED_COLOR)
    canvas.text(left, notes + NOTE_ROW * live, note, 16, FAINT_COLOR)
    for number, (override, (is_set, value)) in enumerate(zip(OVERRIDES, values)):
        y = HEAD + ROW * number
        color = TEXT_COLOR if number == selected else MUTED_COLOR
        text = override.text(value) if is_set or not override.varies else "varies by ball"
        canvas.text(left, y, ("> " if number == selected else "") + override.label, 18, color)
        canvas.text(right, y, text, 18, FORECAST_COLOR if is_set else color, 1.0)
        knob_x = left + (right - left) * min(max((value - override.low) / (override.high - override.low), 0.0), 1.0)
        canvas.line(left, y + 19, right, y + 19, RULE_COLOR, 2)
        canvas.dots([(knob_x, y + 19)], 4.5, FORECAST_COLOR if is_set else color)
    canvas.flush()
    return canvas.surface
