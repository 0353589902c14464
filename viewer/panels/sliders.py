"""The panel of the world's rules: one slider each, for the mouse and for the keys. Live balls only.

sliders = Sliders(pen, top)
sliders.paint(session, chosen)
sliders.hit(pixel)                   # the number of a rule, or None
sliders.value_at(number, pixel)
"""

from functools import lru_cache

import pygame
from ballcast.render.painter import FORECAST
from ballcast.viewer.panels.canvas import FAINT, MUTED, RULE, TEXT, Pen
from ballcast.viewer.panels.sidebar import MARGIN
from ballcast.viewer.playback.overrides import RULES

WIDTH, PAD, ROW = 268, 14, 26
HEAD = 30


class Sliders:
    """On the right of the picture, from `top` on."""

    tall = HEAD + ROW * len(RULES) + 22

    def __init__(self, pen, top):
        self.pen, self.top = pen, top
        self.x = pen.wide - MARGIN - WIDTH
        self.left, self.right = self.x + PAD, self.x + WIDTH - PAD

    def hit(self, pixel):
        """The number of the rule whose slider is at a place (x, y) px, or None."""
        x, y = pixel[0] / self.pen.unit, pixel[1] / self.pen.unit - self.top - HEAD
        inside = self.x <= x <= self.x + WIDTH and 0 <= y < ROW * len(RULES)
        return int(y // ROW) if inside else None

    def value_at(self, number, pixel):
        """What a rule is where its knob is pulled to a place px."""
        rule = RULES[number]
        share = (pixel[0] / self.pen.unit - self.left) / (self.right - self.left)
        return rule.clipped(rule.low + min(max(share, 0.0), 1.0) * (rule.high - rule.low))

    def paint(self, session, chosen):
        """All sliders; the one that the keys move is marked."""
        live = session.source.live
        world = session.source.world if live else {}
        told = tuple((rule.name in world, float(world.get(rule.name, rule.of(session.sport)))) for rule in RULES)
        size = round(WIDTH * self.pen.unit), round(self.tall * self.pen.unit)
        image = _painted(size, self.pen.unit, told, live, chosen)
        self.pen.surface.blit(image, (round(self.x * self.pen.unit), round(self.top * self.pen.unit)))


@lru_cache(maxsize=4)
def _painted(size, unit, world, live, chosen):
    """The panel as a picture, which hardly ever changes; world: whether each rule was moved, and where it stands."""
    pen = Pen(pygame.Surface(size, pygame.SRCALPHA), unit)
    left, right = PAD, WIDTH - PAD
    pen.pane(0, 0, WIDTH, Sliders.tall)
    pen.text(left, 10, "The ball's world", 21, TEXT)
    told = "the predictors are not told" if live else "a recording flies as it flew"
    pen.text(left, HEAD + ROW * len(RULES) + 3, told, 16, FAINT)
    for number, (rule, (moved, value)) in enumerate(zip(RULES, world)):
        y = HEAD + ROW * number
        color = TEXT if number == chosen else MUTED
        words = rule.unit.format(value) if moved or not rule.varies else "varies"
        pen.text(left, y, ("> " if number == chosen else "") + rule.label, 18, color)
        pen.text(right, y, words, 18, FORECAST if moved else color, 1.0)
        at = left + (right - left) * min(max((value - rule.low) / (rule.high - rule.low), 0.0), 1.0)
        pen.line(left, y + 19, right, y + 19, RULE, 2)
        pen.dots([(at, y + 19)], 4.5, FORECAST if moved else color)
    pen.flush()
    return pen.surface
