"""The column on the left: what is shown, how fast it flies and spins, who forecasts and how wrong."""

from statistics import median

import numpy as np
from ballcast.render.painter import FORECAST, SEEN, color_of, seen_turn
from ballcast.viewer.panels.canvas import FAINT, MUTED, RULE, TEXT, length
from ballcast.viewer.playback.forecaster import LEADS
from ballcast.viewer.playback.session import SLOWED

WIDTH, MARGIN, PAD = 292, 16, 16
LEFT, RIGHT = MARGIN + PAD, MARGIN + WIDTH - PAD
RIM = np.column_stack([f(np.linspace(0, 2 * np.pi, 36)) for f in (np.cos, np.sin)])


class Panel:
    """Writes from top to bottom."""

    def paint(self, pen, session, camera):
        """Returns the height of its foot, in units."""
        several = len(session.watchers) > 1
        tall = 276 + 21 * len(session.watchers) if several else 408
        pen.pane(MARGIN, MARGIN, WIDTH, tall)
        self.pen, self.y = pen, MARGIN + PAD
        self._say(0, session.sport.name.replace("_", " ").capitalize(), 34)
        clock = f"{session.now - session.ball.start:.2f} s"
        self._say(0, f"{'live' if session.source.live else 'recorded'}: {session.ball.name}", 20, MUTED, clock)
        self._rule()
        self._motion(session, camera)
        self._rule()
        if several:
            self._compared(session)
        else:
            told = f"told: {session.predictor.told.partition(',')[0]}"  # the rest has no room beside the name
            self._say(0, session.predictor.name, 26, color_of(session.watchers[0]), (told, 19, MUTED))
            self._errors(session)
        self._rule()
        self._legend()
        return MARGIN + tall

    def _motion(self, session, camera):
        """Speed and spin, and the ball large, spinning slowly."""
        top, radius = self.y, 33
        _, velocity, _ = session.ball.at(session.now)
        self._say(84, "speed", 19, MUTED)
        self._say(84, f"{np.linalg.norm(velocity):.1f} m/s", 27, TEXT)
        spin, believed = session.spin, session.believed_spin
        self._say(84, "spin" if session.ball.spin is not None or spin is None else "spin, as believed", 19, MUTED)
        self._say(84, "not known" if spin is None else _turns(spin), 27, TEXT)
        if believed is not None and session.ball.spin is not None:
            self._say(84, f"believed {_turns(believed)}", 19, color_of(session.watchers[0]))
        turn = seen_turn(camera, session.slow_turn)
        self.pen.ball(LEFT + radius, top + 4 + radius, radius, session.sport.view.ball_color, turn)
        self.y = top + 92
        if spin is not None:
            self.pen.text(LEFT + radius, top + 2 * radius + 10, f"1/{SLOWED} of its spin", 15, FAINT, 0.5)

    def _errors(self, session):
        """How far off forecasts were at the time they were for: the last one, and the median of this ball."""
        self._row("forecast error", "last", "median", MUTED)
        for lead in LEADS:
            errors = session.errors[lead]
            last, middle = (length(errors[-1]), length(median(errors))) if errors else ("-", "-")
            self._row(f"{lead:.1f} s ahead", last, middle, TEXT)
        self._row("landing", "place", "time", MUTED)
        for lead in LEADS:
            off = session.landing_errors.get(lead)
            place, time = (length(off[0]), f"{round(1e3 * off[1]):+d} ms") if off else ("-", "-")
            self._row(f"{lead:.1f} s before", place, time, TEXT)

    def _compared(self, session):
        """Of each predictor the median errors of this ball, its last landing's, and how long it takes."""
        self._cells(("error, mm", *(f"+{lead:g} s" for lead in LEADS[1:]), "landing", "ms"), MUTED)
        for watcher in session.watchers:
            errors = watcher.errors(session.now)
            cells = [f"{1e3 * median(errors[lead]):.0f}" if errors[lead] else "-" for lead in LEADS[1:]]
            landing = watcher.landing_errors(session.now).get(LEADS[1])
            took = "-" if watcher.latency is None else f"{1e3 * watcher.latency:.1f}"
            words = (watcher.predictor.name, *cells, f"{1e3 * landing[0]:.0f}" if landing else "-", took)
            self._cells(words, TEXT, color_of(watcher))
        self.y += 4
        self._say(0, f"medians of this ball; landing as told {LEADS[1]:g} s before", 16, FAINT)

    def _legend(self):
        y = self.y + 7
        self.pen.dots([(LEFT + 4, y), (LEFT + 13, y), (LEFT + 22, y)], 1.9, SEEN, 0.8)
        line = np.column_stack([LEFT + np.arange(76, 100), np.full(24, y)])
        self.pen.dots(line, 1.6, FORECAST, np.linspace(0.8, 0.2, 24))
        self.pen.dots((LEFT + 192, y) + 6.5 * RIM * (1, 0.75), 1.2, FORECAST, 0.8)
        for x, word in ((32, "seen"), (108, "forecast"), (205, "landing")):
            self.pen.text(LEFT + x, self.y, word, 19, MUTED)

    # --- lines --------------------------------------------------------------------------------------------------------

    def _say(self, indent, text, size, color=TEXT, right=None):
        """A line of the column, and perhaps something at its right end."""
        self.pen.text(LEFT + indent, self.y, text, size, color)
        if right:
            words, small, tone = right if isinstance(right, tuple) else (right, size, color)
            self.pen.text(RIGHT, self.y + (size - small) * 0.55, words, small, tone, 1.0)
        self.y += round(size * 0.86)

    def _row(self, label, middle, right, color):
        self.pen.text(LEFT, self.y, label, 20, MUTED)
        self.pen.text(LEFT + 185, self.y, middle, 20, color, 1.0)
        self.pen.text(RIGHT, self.y, right, 20, color, 1.0)
        self.y += 19

    def _cells(self, words, color, first=None):
        self.pen.text(LEFT, self.y, words[0], 20, first or color)
        for right, word in zip((134, 178, 232, WIDTH - 2 * PAD), words[1:]):
            self.pen.text(LEFT + right, self.y + 1, word, 18, color, 1.0)
        self.y += 21

    def _rule(self):
        self.pen.line(LEFT, self.y + 8, RIGHT, self.y + 8, RULE)
        self.y += 18


def _turns(spin):
    """A spin vector (3,) rad/s in words."""
    size = float(np.linalg.norm(spin))
    return f"{size:.0f} rad/s, {size / (2 * np.pi):.{0 if size > 60 else 1}f} rev/s"
