"""The column on the left: what is shown, how fast it flies and spins, who forecasts and how wrong."""

from statistics import median

import numpy as np

from ballcast.render.painter import view_rotation
from ballcast.render.palette import (
    FAINT_COLOR,
    FORECAST_COLOR,
    MUTED_COLOR,
    RULE_COLOR,
    TEXT_COLOR,
    TRACK_COLOR,
    predictor_color,
)
from ballcast.viewer.panels.canvas import format_length
from ballcast.viewer.playback.forecaster import LEAD_TIMES
from ballcast.viewer.playback.session import DISPLAY_SPIN_SLOWDOWN

WIDTH, MARGIN, PAD = 292, 16, 16
LEFT, RIGHT = MARGIN + PAD, MARGIN + WIDTH - PAD
UNIT_CIRCLE = np.column_stack([f(np.linspace(0, 2 * np.pi, 36)) for f in (np.cos, np.sin)])


class Sidebar:
    """Writes from top to bottom."""

    def paint(self, canvas, session, camera):
        """Returns the height of its foot, in units."""
        several = len(session.forecasters) > 1
        height = 276 + 21 * len(session.forecasters) if several else 408
        canvas.panel_background(MARGIN, MARGIN, WIDTH, height)
        self.canvas, self.y = canvas, MARGIN + PAD
        self._line(0, session.sport.name.replace("_", " ").capitalize(), 34)
        clock = f"{session.now - session.ball.start:.2f} s"
        kind = "recorded" if not session.source.live else "live" if session.source.ready else "stored"
        self._line(0, f"{kind}: {session.ball.name}", 20, MUTED_COLOR, clock)
        self._rule()
        self._motion(session, camera)
        self._rule()
        if several:
            self._comparison(session)
        else:
            info = (
                f"told: {session.predictor.side_information.partition(',')[0]}"  # the rest has no room beside the name
            )
            self._line(
                0, session.predictor.name, 26, predictor_color(session.forecasters[0].number), (info, 19, MUTED_COLOR)
            )
            self._errors(session)
        self._rule()
        self._legend()
        return MARGIN + height

    def _motion(self, session, camera):
        """Speed and spin, and the ball large, spinning slowly."""
        top, radius = self.y, 33
        _, velocity, _ = session.ball.state_at(session.now)
        self._line(84, "speed", 19, MUTED_COLOR)
        self._line(84, f"{np.linalg.norm(velocity):.1f} m/s", 27, TEXT_COLOR)
        spin, estimated = session.spin, session.estimated_spin
        self._line(
            84, "spin" if session.ball.spin is not None or spin is None else "spin, as believed", 19, MUTED_COLOR
        )
        self._line(84, "not known" if spin is None else format_spin(spin), 27, TEXT_COLOR)
        if estimated is not None and session.ball.spin is not None:
            self._line(84, f"believed {format_spin(estimated)}", 19, predictor_color(session.forecasters[0].number))
        orientation = view_rotation(camera, session.display_orientation)
        self.canvas.ball(LEFT + radius, top + 4 + radius, radius, session.sport.view.ball_color, orientation)
        self.y = top + 92
        if spin is not None:
            self.canvas.text(
                LEFT + radius, top + 2 * radius + 10, f"1/{DISPLAY_SPIN_SLOWDOWN} of its spin", 15, FAINT_COLOR, 0.5
            )

    def _errors(self, session):
        """How far off forecasts were at the time they were for: the last one, and the median of this ball."""
        self._row("forecast error", "last", "median", MUTED_COLOR)
        for lead_time in LEAD_TIMES:
            errors = session.errors[lead_time]
            last, middle = (format_length(errors[-1]), format_length(median(errors))) if errors else ("-", "-")
            self._row(f"{lead_time:.1f} s ahead", last, middle, TEXT_COLOR)
        self._row("landing", "place", "time", MUTED_COLOR)
        for lead_time in LEAD_TIMES:
            landing_error = session.landing_errors.get(lead_time)
            distance, time = (
                (format_length(landing_error[0]), f"{round(1e3 * landing_error[1]):+d} ms")
                if landing_error
                else ("-", "-")
            )
            self._row(f"{lead_time:.1f} s before", distance, time, TEXT_COLOR)

    def _comparison(self, session):
        """Of each predictor the median errors of this ball, its last landing's, and how long it takes."""
        self._columns(
            ("error, mm", *(f"+{lead_time:g} s" for lead_time in LEAD_TIMES[1:]), "landing", "ms"), MUTED_COLOR
        )
        for forecaster in session.forecasters:
            errors = forecaster.errors(session.now)
            cells = [
                f"{1e3 * median(errors[lead_time]):.0f}" if errors[lead_time] else "-" for lead_time in LEAD_TIMES[1:]
            ]
            landing = forecaster.landing_errors(session.now).get(LEAD_TIMES[1])
            latency = "-" if forecaster.latency is None else f"{1e3 * forecaster.latency:.1f}"
            words = (forecaster.predictor.name, *cells, f"{1e3 * landing[0]:.0f}" if landing else "-", latency)
            self._columns(words, TEXT_COLOR, predictor_color(forecaster.number))
        self.y += 4
        self._line(0, f"medians of this ball; landing as told {LEAD_TIMES[1]:g} s before", 16, FAINT_COLOR)

    def _legend(self):
        y = self.y + 7
        self.canvas.dots([(LEFT + 4, y), (LEFT + 13, y), (LEFT + 22, y)], 1.9, TRACK_COLOR, 0.8)
        line = np.column_stack([LEFT + np.arange(76, 100), np.full(24, y)])
        self.canvas.dots(line, 1.6, FORECAST_COLOR, np.linspace(0.8, 0.2, 24))
        self.canvas.dots((LEFT + 192, y) + 6.5 * UNIT_CIRCLE * (1, 0.75), 1.2, FORECAST_COLOR, 0.8)
        for x, word in ((32, "seen"), (108, "forecast"), (205, "landing")):
            self.canvas.text(LEFT + x, self.y, word, 19, MUTED_COLOR)

    # --- lines --------------------------------------------------------------------------------------------------------

    def _line(self, indent, text, size, color=TEXT_COLOR, right=None):
        """A line of the column, and perhaps something at its right end."""
        self.canvas.text(LEFT + indent, self.y, text, size, color)
        if right:
            words, small, tone = right if isinstance(right, tuple) else (right, size, color)
            self.canvas.text(RIGHT, self.y + (size - small) * 0.55, words, small, tone, 1.0)
        self.y += round(size * 0.86)

    def _row(self, label, middle, right, color):
        self.canvas.text(LEFT, self.y, label, 20, MUTED_COLOR)
        self.canvas.text(LEFT + 185, self.y, middle, 20, color, 1.0)
        self.canvas.text(RIGHT, self.y, right, 20, color, 1.0)
        self.y += 19

    def _columns(self, words, color, first=None):
        self.canvas.text(LEFT, self.y, words[0], 20, first or color)
        for right, word in zip((134, 178, 232, WIDTH - 2 * PAD), words[1:]):
            self.canvas.text(LEFT + right, self.y + 1, word, 18, color, 1.0)
        self.y += 21

    def _rule(self):
        self.canvas.line(LEFT, self.y + 8, RIGHT, self.y + 8, RULE_COLOR)
        self.y += 18


def format_spin(spin):
    """A spin vector (3,) rad/s in words."""
    norm = float(np.linalg.norm(spin))
    return f"{norm:.0f} rad/s, {norm / (2 * np.pi):.{0 if norm > 60 else 1}f} rev/s"
