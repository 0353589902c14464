"""The panel of the world's rules: one slider each, for the mouse and for the keys. Live balls only.

sliders = Sliders(pen, top)
sliders.paint(session, chosen)
sliders.hit(pixel)                   # the number of a rule, or None
sliders.value_at(number, pixel)
"""

from viewer.draw import FORECAST
from viewer.panel import MARGIN
from viewer.pen import FAINT, MUTED, RULE, TEXT
from viewer.rules import RULES

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
        pen, world = self.pen, session.source.world if session.source.live else {}
        pen.pane(self.x, self.top, WIDTH, self.tall)
        pen.text(self.left, self.top + 10, "The ball's world", 21, TEXT)
        told = "the predictors are not told" if session.source.live else "a recording flies as it flew"
        pen.text(self.left, self.top + HEAD + ROW * len(RULES) + 3, told, 16, FAINT)
        for number, rule in enumerate(RULES):
            y, moved = self.top + HEAD + ROW * number, rule.name in world
            value = world.get(rule.name, rule.of(session.sport))
            color = TEXT if number == chosen else MUTED
            words = rule.unit.format(value) if moved or not rule.varies else "varies"
            pen.text(self.left, y, ("> " if number == chosen else "") + rule.label, 18, color)
            pen.text(self.right, y, words, 18, FORECAST if moved else color, 1.0)
            at = self.left + (self.right - self.left) * (value - rule.low) / (rule.high - rule.low)
            pen.line(self.left, y + 19, self.right, y + 19, RULE, 2)
            pen.dots([(min(max(at, self.left), self.right), y + 19)], 4.5, FORECAST if moved else color)
