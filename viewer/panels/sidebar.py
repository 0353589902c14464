"""The column on the left: what is shown, how fast it flies and spins, who forecasts and with what errors."""

from statistics import median

import numpy as np

from ballcast.render import palette
from ballcast.render.painter import view_rotation
from ballcast.viewer.panels.canvas import format_length
from ballcast.viewer.playback.forecaster import LEAD_TIMES
from ballcast.viewer.playback.session import DISPLAY_SPIN_SLOWDOWN

WIDTH, MARGIN, PAD = 292, 16, 16
LEFT, RIGHT = MARGIN + PAD, MARGIN + WIDTH - PAD
UNIT_CIRCLE = np.column_stack([f(np.linspace(0, 2 * np.pi, 36)) for f in (np.cos, np.sin)])


class Sidebar:
    def paint(self, canvas, session, camera):
        """Returns the height of its lower edge, in units."""
        several = len(session.forecasters) > 1
        height = 276 + 21 * len(session.forecasters) if several else 408
        canvas.panel_background(MARGIN, MARGIN, WIDTH, height)
        self.canvas, self.y = canvas, MARGIN + PAD
        self._line(0, session.sport.name.replace("_", " ").capitalize(), 34)
        clock = f"{session.now - session.ball.start:.2f} s"
        kind = "recorded" if not session.source.live else "live" if session.source.ready else "stored"
        self._line(0, f"{kind}: {session.ball.name}", 20, palette.MUTED_COLOR, clock)
        self._rule()
        self._motion(session, camera)
        self._rule()
        if several:
            self._comparison(session)
        else:
            knows = f"knows: {session.predictor.side_information.partition(',')[0]}"  # there is no room for the rest
            color = palette.predictor_color(session.forecasters[0].number)
            self._line(0, session.predictor.name, 26, color, (knows, 19, palette.MUTED_COLOR))
            self._errors(session)
        self._rule()
        self._legend()
        return MARGIN + height

    def _motion(self, session, camera):
        top, radius = self.y, 33
        _, velocity, _ = session.ball.state_at(session.now)
        self._line(84, "speed", 19, palette.MUTED_COLOR)
        self._line(84, f"{np.linalg.norm(velocity):.1f} m/s", 27, palette.TEXT_COLOR)
        spin, estimated, is_true = session.spin, session.estimated_spin, session.ball.spin is not None
        self._line(84, "spin" if is_true or spin is None else "spin, estimated", 19, palette.MUTED_COLOR)
        self._line(84, "not known" if spin is None else format_spin(spin), 27, palette.TEXT_COLOR)
        if estimated is not None and is_true:
            color = palette.predictor_color(session.forecasters[0].number)
            self._line(84, f"estimated {format_spin(estimated)}", 19, color)
        orientation = view_rotation(camera, session.display_orientation)
        self.canvas.ball(LEFT + radius, top + 4 + radius, radius, session.sport.view.ball_color, orientation)
        self.y = top + 92
        if spin is not None:
            note = f"1/{DISPLAY_SPIN_SLOWDOWN} of its spin"
            self.canvas.text(LEFT + radius, top + 2 * radius + 10, note, 15, palette.FAINT_COLOR, 0.5)

    def _errors(self, session):
        """Errors of the forecasts for times now past: the last one, and the median of this ball."""
        self._row("forecast error", "last", "median", palette.MUTED_COLOR)
        for lead_time in LEAD_TIMES:
            errors = session.errors[lead_time]
            last, middle = (format_length(errors[-1]), format_length(median(errors))) if errors else ("-", "-")
            self._row(f"{lead_time:.1f} s ahead", last, middle, palette.TEXT_COLOR)
        self._row("landing", "position", "time", palette.MUTED_COLOR)
        for lead_time in LEAD_TIMES:
            distance = time = "-"
            if error := session.landing_errors.get(lead_time):
                distance, time = format_length(error[0]), f"{round(1e3 * error[1]):+d} ms"
            self._row(f"{lead_time:.1f} s before", distance, time, palette.TEXT_COLOR)

    def _comparison(self, session):
        """The median errors of each predictor for this ball, its last landing error, and its latency."""
        leads = (f"+{lead_time:g} s" for lead_time in LEAD_TIMES[1:])
        self._columns(("error, mm", *leads, "landing", "ms"), palette.MUTED_COLOR)
        for forecaster in session.forecasters:
            errors = (forecaster.errors(session.now)[lead_time] for lead_time in LEAD_TIMES[1:])
            cells = [f"{1e3 * median(lead):.0f}" if lead else "-" for lead in errors]
            landing = forecaster.landing_errors(session.now).get(LEAD_TIMES[1])
            latency = "-" if forecaster.latency is None else f"{1e3 * forecaster.latency:.1f}"
            words = (forecaster.predictor.name, *cells, f"{1e3 * landing[0]:.0f}" if landing else "-", latency)
            self._columns(words, palette.TEXT_COLOR, palette.predictor_color(forecaster.number))
        self.y += 4
        self._line(0, f"medians of this ball; landing forecast {LEAD_TIMES[1]:g} s before", 16, palette.FAINT_COLOR)

    def _legend(self):
        y = self.y + 7
        self.canvas.dots([(LEFT + 4, y), (LEFT + 13, y), (LEFT + 22, y)], 1.9, palette.TRACK_COLOR, 0.8)
        line = np.column_stack([LEFT + np.arange(100, 120), np.full(20, y)])
        self.canvas.dots(line, 1.6, palette.FORECAST_COLOR, np.linspace(0.8, 0.2, 20))
        self.canvas.dots((LEFT + 200, y) + 6.5 * UNIT_CIRCLE * (1, 0.75), 1.2, palette.FORECAST_COLOR, 0.8)
        for x, word in ((30, "observed"), (124, "forecast"), (212, "landing")):
            self.canvas.text(LEFT + x, self.y, word, 18, palette.MUTED_COLOR)

    def _line(self, indent, text, size, color=palette.TEXT_COLOR, right=None):
        """A line, perhaps with more at its right end: a text, or (text, size, color)."""
        self.canvas.text(LEFT + indent, self.y, text, size, color)
        if right:
            words, small, tone = right if isinstance(right, tuple) else (right, size, color)
            self.canvas.text(RIGHT, self.y + (size - small) * 0.55, words, small, tone, 1.0)
        self.y += round(size * 0.86)

    def _row(self, label, middle, right, color):
        self.canvas.text(LEFT, self.y, label, 20, palette.MUTED_COLOR)
        self.canvas.text(LEFT + 185, self.y, middle, 20, color, 1.0)
        self.canvas.text(RIGHT, self.y, right, 20, color, 1.0)
        self.y += 19

    def _columns(self, words, color, first=None):
        self.canvas.text(LEFT, self.y, words[0], 20, first or color)
        for right, word in zip((134, 178, 232, WIDTH - 2 * PAD), words[1:]):
            self.canvas.text(LEFT + right, self.y + 1, word, 18, color, 1.0)
        self.y += 21

    def _rule(self):
        self.canvas.line(LEFT, self.y + 8, RIGHT, self.y + 8, palette.RULE_COLOR)
        self.y += 18


def format_spin(spin):
    """A spin vector (3,) rad/s as text."""
    norm = float(np.linalg.norm(spin))
    return f"{norm:.0f} rad/s, {norm / (2 * np.pi):.{0 if norm > 60 else 1}f} rev/s"
