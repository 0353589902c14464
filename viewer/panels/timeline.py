"""The foot of the picture: the ball's time, to be dragged, and strips over it: errors, a GRU's gates, what mattered.

line = TimeLine(pen)
line.paint(session, options, why)
line.hit(pixel), line.time_at(session, pixel)
"""

import numpy as np
from ballcast.render.painter import FORECAST, SEEN, color_of
from ballcast.viewer.panels.canvas import FAINT, MUTED, RULE, TEXT
from ballcast.viewer.panels.sidebar import MARGIN, WIDTH

LINE, NEAR = 7, 14  # units of the line above the lower edge, and how near to it a click counts
FOOT = 44  # units that the line and the hints above it take
GAP, ERRORS, GATES, WHY = 8, 76, 88, 46  # units: between strips, and their heights
LEAD = 0.2  # s ahead of the forecasts whose errors the strip shows
DECADES = (1e-3, 1e-2, 1e-1, 1.0)  # m, from the foot of the strip to its top
AHEAD, BEHIND, LANDED = (70, 78, 88), (120, 130, 142), TEXT
GLOW = ((14, 18, 28), (56, 44, 112), (190, 70, 110), (255, 178, 90), (255, 250, 210))  # from 0 to 1
SHADES = np.stack([np.interp(np.arange(256), np.linspace(0, 255, len(GLOW)), c) for c in zip(*GLOW)], 1).astype(
    np.uint8
)


class TimeLine:
    """Of one picture: the places follow the pen's."""

    def __init__(self, pen):
        self.pen = pen
        self.left, self.right, self.y = WIDTH + 2 * MARGIN, pen.wide - MARGIN, pen.tall - LINE

    def hit(self, pixel):
        """Whether a place (x, y) px is on the line."""
        x, y = pixel[0] / self.pen.unit, pixel[1] / self.pen.unit
        return self.left - NEAR <= x <= self.right + NEAR and abs(y - self.y) <= NEAR

    def time_at(self, session, pixel):
        """The time, s, on the ball's clock at a place px."""
        share = float(np.clip((pixel[0] / self.pen.unit - self.left) / (self.right - self.left), 0.0, 1.0))
        return session.ball.start + share * (session.ball.end - session.ball.start)

    def paint(self, session, options, why=None):
        """The line, and over it the strips that are asked for."""
        self.session, self.foot = session, self.pen.tall - FOOT
        if options.errors:
            self._errors()
        if options.gates:
            self._gates()
        if why is not None:
            self._why(why)
        ball, last, now = session.ball, session.moments[-1].now, self._at(session.now)
        for until, color in ((self.right, AHEAD), (self._at(last), BEHIND), (now, FORECAST)):
            self.pen.line(self.left, self.y, until, self.y, color, 2)
        landed = self._at(ball.landing_time[ball.landing_time <= last])
        self.pen.dots(np.column_stack([landed, np.full(len(landed), self.y)]), 2.5, LANDED)
        self.pen.dots([(now, self.y)], 5, FORECAST)

    def _at(self, time):
        """Where a time, s, stands on the line."""
        ball = self.session.ball
        return self.left + (self.right - self.left) * (time - ball.start) / (ball.end - ball.start)

    # --- the strips ---------------------------------------------------------------------------------------------------

    def _strip(self, tall, title):
        """A pane over those before it, the landings marked; the height of its top."""
        self.foot -= tall + GAP
        session, top = self.session, self.foot
        self.pen.pane(self.left - 6, top, self.right - self.left + 12, tall)
        for time in session.ball.landing_time[session.ball.landing_time <= session.now]:
            self.pen.line(self._at(time), top + 3, self._at(time), top + tall - 3, RULE)
        self.pen.text(self.right - 2, top + 4, title, 16, MUTED, 1.0)
        return top

    def _errors(self):
        """The error of forecasts LEAD ahead against the time they were for, on a scale of powers of ten."""
        top = self._strip(ERRORS, f"error of forecasts {LEAD:g} s ahead")
        low, high = np.log10(DECADES[0]), np.log10(DECADES[-1])

        def height(error):
            share = (np.log10(np.clip(error, DECADES[0], DECADES[-1])) - low) / (high - low)
            return top + ERRORS - 6 - (ERRORS - 12) * share

        for error, word in zip(DECADES[1:3], ("1 cm", "10 cm")):
            self.pen.line(self.left, height(error), self.right, height(error), RULE)
            self.pen.text(self.left, height(error) - 11, word, 14, FAINT)
        for watcher in reversed(self.session.watchers):
            times, errors = watcher.strip(LEAD, self.session.now)
            self.pen.path(np.column_stack([self._at(times), height(errors)]), color_of(watcher))

    def _gates(self):
        """Of the first predictor that has gates: bright where a unit takes in the new, or reads its old memory."""
        found = next((w for w in self.session.watchers if w.gated), None)
        name = f"gates of {found.predictor.name}" if found else "no predictor here has gates (a gru does)"
        top = self._strip(GATES, name)
        times, values = found.gates(self.session.now) if found else ((), None)
        if len(times):
            self._map(times, values, top)
            for place, word in ((18, "update: takes in the new"), (GATES / 2 + 4, "reset: reads its memory")):
                self.pen.text(self.right - 2, top + place, word, 15, FAINT, 1.0)

    def _map(self, times, values, top):
        """Values (T, 2, N) in 255ths as colours, all N one under the other, over their frames' times (T,) s."""
        first, last = self._at(times[0]), min(self._at(times[-1]) + 2, self.right)
        where = np.linspace(times[0], times[-1], max(1, round((last - first) * self.pen.unit / 3)))
        colors = SHADES[values[np.searchsorted(times, where, side="right") - 1]]
        dark = np.zeros((len(where), 1, values.shape[2] // 8, 3), np.uint8)  # a gap between the two
        colors = np.concatenate([colors[:, 0], dark[:, 0], colors[:, 1]], axis=1)
        self.pen.picture(colors, first, top + 3, last - first, GATES - 6)

    def _why(self, why):
        """How far the forecast would move by each frame seen."""
        top = self._strip(WHY, why.title)
        if len(why.time):
            tall = (WHY - 10) * np.sqrt(why.weight / why.weight.max())
            for x, height in zip(self._at(why.time), tall):
                self.pen.line(x, top + WHY - 4, x, top + WHY - 4 - height, SEEN, 1.5)
