"""The foot of the picture: the ball's time, to be grabbed, and strips above it: errors, gates, attribution."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ballcast.render import palette
from ballcast.viewer.panels.layout import FOOT_HEIGHT, MIDDLE, timeline_end

if TYPE_CHECKING:
    from ballcast.viewer.playback.attribution import Attribution
    from ballcast.viewer.playback.session import Session

LINE_OFFSET, GRAB_HEIGHT, GRAB_MARGIN = 32, 48, 12  # units of the line above the lower edge; where it can be grabbed
STRIP_GAP, ERROR_STRIP_HEIGHT, GATE_STRIP_HEIGHT, ATTRIBUTION_STRIP_HEIGHT = 6, 84, 96, 62  # units
HEAD, AXIS = 18, 15  # units of a strip: its name above the curves, and its seconds below them
STRIP_LEAD_TIME = 0.2  # s ahead of the forecasts whose errors the strip shows
ERROR_TICKS = {
    1e-3: "to 1 mm",
    1e-2: "1 cm",
    1e-1: "10 cm",
    1.0: "1 m or more",
}  # m, from the bottom of the strip to its top
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 3600)  # s between two of the seconds that are written
STEP_WIDTH = 56  # units between them, and more
STOPS = np.linspace(0, 255, len(palette.COLORMAP_STOPS))
COLORMAP = np.stack([np.interp(np.arange(256), STOPS, c) for c in zip(*palette.COLORMAP_STOPS)], 1).astype(np.uint8)


class Timeline:
    """`top` is the upper edge of what stands at the foot, strips included."""

    def __init__(self, canvas, options):
        self.canvas, self.options = canvas, options
        self.left, self.right, self.y = MIDDLE, timeline_end(canvas, options), canvas.height - LINE_OFFSET
        self.top = canvas.height - FOOT_HEIGHT

    def contains(self, pixel: Sequence[float]) -> bool:
        """Whether a pixel (x, y) is where the timeline can be grabbed."""
        x, y = pixel[0] / self.canvas.scale, pixel[1] / self.canvas.scale
        return self.left - GRAB_MARGIN <= x <= self.right + GRAB_MARGIN and y >= self.canvas.height - GRAB_HEIGHT

    def time_at(self, session: "Session", pixel: Sequence[float]) -> float:
        """The time, s, on the ball's clock at a pixel."""
        fraction = float(np.clip((pixel[0] / self.canvas.scale - self.left) / (self.right - self.left), 0.0, 1.0))
        return session.ball.start + fraction * (session.ball.end - session.ball.start)

    def paint(self, session: "Session", attribution: "Attribution | None" = None) -> None:
        """Paint the timeline, and the strips that are open above it."""
        self.session = session
        if self.options.errors:
            self._errors()
        if self.options.gates:
            self._gates()
        if attribution is not None:
            self._attribution(attribution)
        ball, last, now = session.ball, session.moments[-1].now, self._at(session.now)
        bar = self.right - self.left + 2 * GRAB_MARGIN, GRAB_HEIGHT - 4
        self.canvas.panel_background(self.left - GRAB_MARGIN, self.canvas.height - GRAB_HEIGHT, *bar)
        self._seconds()
        for color, until in zip(palette.TIMELINE_COLORS, (self.right, self._at(last), now)):
            self.canvas.line(self.left, self.y, until, self.y, color, 4)
        landed = self._at(ball.landing_time[ball.landing_time <= last])
        self.canvas.dots(np.column_stack([landed, np.full(len(landed), self.y)]), 3, palette.TEXT_COLOR)
        self.canvas.dots([(now, self.y)], 8, palette.FORECAST_COLOR)
        self._state()

    def _seconds(self):
        """Ticks and the seconds since the ball's start below them."""
        for x, text in self._ticks():
            self.canvas.line(x, self.y + 6, x, self.y + 11, palette.FAINT_COLOR)
            self.canvas.text(x, self.y + 13, text, 15, palette.MUTED_COLOR, 0.5)

    def _ticks(self):
        """(x, text) of the seconds since the ball's start that are written."""
        ball, length = self.session.ball, self.session.ball.end - self.session.ball.start
        room = length * STEP_WIDTH / (self.right - self.left)
        step = next((step for step in STEPS if step >= room), length)
        numbers = range(int(length / step + 1e-9) + 1)
        return [(self._at(ball.start + n * step), f"{n * step:g}{'' if n else ' s'}") for n in numbers]

    def _state(self):
        """Above the line: the moment, and whether the show is paused, slow or hidden from the predictors."""
        session, y = self.session, self.canvas.height - FOOT_HEIGHT + 4
        moment = f"{session.now - session.ball.start:.2f} s"
        self.canvas.plate(self.left, y, moment, 18, palette.TEXT_COLOR)
        x = self.left + self.canvas.text_size(moment, 18)[0] + 34
        self.canvas.plate(x, y, "   a landing", 16, palette.MUTED_COLOR)
        self.canvas.dots([(x + 3, y + 7)], 3, palette.TEXT_COLOR)
        hidden = "hidden from the predictors" if session.hidden else ""
        speed = "" if session.speed == 1 else speed_words(session.speed)
        state = "   ".join(filter(None, (hidden, speed, "paused" if session.paused else "")))
        if state:
            self.canvas.plate(self.right, y, state, 18, palette.TEXT_COLOR, 1.0)

    def _at(self, time):
        """Where a time, s, is on the line."""
        ball = self.session.ball
        return self.left + (self.right - self.left) * (time - ball.start) / (ball.end - ball.start)

    def _strip(self, height, title):
        """A strip above those before it: its name, its seconds below, the landings marked. Returns its upper edge."""
        self.top -= height + STRIP_GAP
        session, top = self.session, self.top
        self.canvas.panel_background(self.left - 6, top, self.right - self.left + 12, height)
        for time in session.ball.landing_time[session.ball.landing_time <= session.now]:
            self.canvas.line(self._at(time), top + HEAD, self._at(time), top + height - AXIS, palette.RULE_COLOR)
        bottom = top + height - AXIS
        self.canvas.line(self.left, bottom, self.right, bottom, palette.RULE_COLOR)
        for x, text in self._ticks():
            self.canvas.line(x, bottom, x, bottom + 3, palette.FAINT_COLOR)
            self.canvas.text(x, bottom + 4, text, 13, palette.FAINT_COLOR, 0.0 if x == self.left else 0.5)
        title = self.canvas.fitted(title, 16, self.right - self.left)
        self.canvas.text(self.right - 2, top + 4, title, 16, palette.MUTED_COLOR, 1.0)
        return top

    def _errors(self):
        """The errors of forecasts STRIP_LEAD_TIME ahead at the time they were for, on a logarithmic scale."""
        left_out = ", hits left out" if self.session.ball.hits else ""
        top = self._strip(ERROR_STRIP_HEIGHT, f"error of forecasts {STRIP_LEAD_TIME:g} s ahead{left_out}")
        low, high = np.log10(min(ERROR_TICKS)), np.log10(max(ERROR_TICKS))

        def height(error):
            fraction = (np.log10(np.clip(error, min(ERROR_TICKS), max(ERROR_TICKS))) - low) / (high - low)
            return top + ERROR_STRIP_HEIGHT - AXIS - (ERROR_STRIP_HEIGHT - AXIS - HEAD) * fraction

        for error in ERROR_TICKS:
            self.canvas.line(self.left, height(error), self.right, height(error), palette.RULE_COLOR)
        for forecaster in reversed(self.session.forecasters):
            times, errors = forecaster.error_series(STRIP_LEAD_TIME, self.session.now)
            line = np.column_stack([self._at(times), height(errors)])
            for part in np.split(line, np.searchsorted(times, self.session.ball.hits)):  # no time across a hit has one
                self.canvas.path(part, palette.predictor_color(forecaster.number))
        for error, text in ERROR_TICKS.items():
            self.canvas.plate(self.left + 3, height(error) - 9, text, 13, palette.MUTED_COLOR)

    def _gates(self):
        """The gates of the first predictor that has any: bright where a unit takes in the new, or reads its memory."""
        gated = next((forecaster for forecaster in self.session.forecasters if forecaster.has_gates), None)
        title = "only a recurrent network (GRU) has gates; none is chosen"
        if gated:
            title = (
                f"{self.session.pool.describe(gated.number).title}: gates, 0 dark to 1 bright; rows: groups of units"
            )
        top = self._strip(GATE_STRIP_HEIGHT, title)
        times, values = gated.gates(self.session.now) if gated else ((), None)
        if len(times):
            self._heat_map(times, values, top)
            middle, count = (HEAD + GATE_STRIP_HEIGHT - AXIS) / 2, values.shape[2]
            for offset, text in ((HEAD, "update: takes in the new"), (middle, "reset: reads its memory")):
                words = f"{text}, rows 1 to {count}"
                self.canvas.plate(self.right - 8, top + offset + 5, words, 13, palette.MUTED_COLOR, 1.0)

    def _heat_map(self, times, values, top):
        """Values (T, 2, N) in 255ths as colours: two blocks of N rows, over the times (T,) s of their frames."""
        first, last = self._at(times[0]), min(self._at(times[-1]) + 2, self.right)
        column_times = np.linspace(times[0], times[-1], max(1, round((last - first) * self.canvas.scale / 3)))
        colors = COLORMAP[values[np.searchsorted(times, column_times, side="right") - 1]]
        gap = np.zeros((len(column_times), values.shape[2] // 8, 3), np.uint8)
        colors = np.concatenate([colors[:, 0], gap, colors[:, 1]], axis=1)
        self.canvas.image(colors, first, top + HEAD, last - first, GATE_STRIP_HEIGHT - HEAD - AXIS)

    def _attribution(self, attribution):
        title, first = attribution.title, attribution.forecaster
        if len(self.session.forecasters) > 1:
            title = f"{self.session.pool.describe(first.number).title}: {title}"
        top = self._strip(ATTRIBUTION_STRIP_HEIGHT, title)
        if len(attribution.time):
            bottom, room = top + ATTRIBUTION_STRIP_HEIGHT - AXIS, ATTRIBUTION_STRIP_HEIGHT - AXIS - HEAD
            largest = max(attribution.sensitivity.max(), 1e-12)
            for x, height in zip(self._at(attribution.time), room * np.sqrt(attribution.sensitivity / largest)):
                self.canvas.line(x, bottom, x, bottom - height, palette.TRACK_COLOR, 1.5)
            for share in (1.0, 0.25):
                y = bottom - room * np.sqrt(share)
                self.canvas.line(self.right - 5, y, self.right, y, palette.FAINT_COLOR)
                text = f"{share * largest:.2g} mm per mm"
                self.canvas.text(self.right - 8, y - 4, text, 13, palette.FAINT_COLOR, 1.0)


def speed_words(speed: float) -> str:
    """A speed of the show as words: half speed, 1/8 speed, 4 x speed."""
    words = {0.25: "quarter speed", 0.5: "half speed", 1: "normal speed", 2: "double speed"}
    return words.get(speed, f"1/{1 / speed:g} speed" if speed < 1 else f"{speed:g} x speed")
