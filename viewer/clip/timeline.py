"""The foot of a clip's picture: its time, to be grabbed; what has been searched, hits and bounces on it."""

from collections.abc import Sequence

import numpy as np

from ballcast.render import palette
from ballcast.viewer.clip.marks import EVENT_COLORS
from ballcast.viewer.clip.player import Player
from ballcast.viewer.clip.shown import Shown
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.layout import MARGIN
from ballcast.viewer.panels.timeline import GRAB_HEIGHT, GRAB_MARGIN, LINE_OFFSET, STEP_WIDTH, STEPS, speed_words

STATE = 70  # units above the lower edge: the line of the state


class ClipTimeline:
    """The line from the clip's beginning to its end; a camera has none."""

    def __init__(self, canvas: Canvas, player: Player | Shown):
        self.canvas, self.player = canvas, player
        self.left, self.right = MARGIN + GRAB_MARGIN, canvas.width - MARGIN - GRAB_MARGIN
        self.y = canvas.height - LINE_OFFSET

    def contains(self, pixel: Sequence[float]) -> bool:
        """Whether a pixel (x, y) is where the timeline can be grabbed."""
        return not self.player.clip.is_camera and pixel[1] / self.canvas.scale >= self.canvas.height - GRAB_HEIGHT

    def time_at(self, pixel: Sequence[float]) -> float:
        """The time, s, at a pixel."""
        share = (pixel[0] / self.canvas.scale - self.left) / (self.right - self.left)
        return float(np.clip(share, 0.0, 1.0)) * self.player.end

    def paint(self) -> None:
        canvas, player = self.canvas, self.player
        self._state()
        if player.clip.is_camera:
            return
        bar = self.right - self.left + 2 * GRAB_MARGIN, GRAB_HEIGHT - 4
        canvas.panel_background(self.left - GRAB_MARGIN, canvas.height - GRAB_HEIGHT, *bar)
        whole, known, past = palette.TIMELINE_COLORS
        canvas.line(self.left, self.y, self.right, self.y, whole, 4)
        now = self._at(player.shown_time)
        for begin, end in player.results.covered():
            canvas.line(self._at(begin), self.y, self._at(end), self.y, known, 4)
            if begin <= player.shown_time:
                canvas.line(self._at(begin), self.y, min(self._at(end), now), self.y, past, 4)
        for kind, color in EVENT_COLORS.items():
            at = [self._at(time) for time, event in player.results.events() if event == kind]
            if at:
                canvas.dots(np.column_stack([at, np.full(len(at), self.y)]), 3, color)
        canvas.dots([(now, self.y)], 8, palette.FORECAST_COLOR)
        self._seconds()

    def _seconds(self):
        """Ticks and the seconds below them."""
        room = self.player.end * STEP_WIDTH / (self.right - self.left)
        step = next((step for step in STEPS if step >= room), self.player.end)
        for n in range(int(self.player.end / step + 1e-9) + 1):
            x = self._at(n * step)
            self.canvas.line(x, self.y + 6, x, self.y + 11, palette.FAINT_COLOR)
            self.canvas.text(x, self.y + 13, f"{n * step:g}{'' if n else ' s'}", 15, palette.MUTED_COLOR, 0.5)

    def _state(self):
        """Above the line: which key helps; whether the clip is paused, slow, over or live."""
        player = self.player
        self.canvas.plate(self.left, self.canvas.height - STATE, "H  keys", 16, palette.MUTED_COLOR)
        speed = "" if player.speed == 1 else speed_words(player.speed)
        place = "live" if player.clip.is_camera and not player.paused else ""
        over = "end of the clip" if player.is_over else ""
        state = "   ".join(filter(None, (place, speed, over, "paused" if player.paused else "")))
        if state:
            self.canvas.plate(self.right, self.canvas.height - STATE, state, 18, palette.TEXT_COLOR, 1.0)

    def _at(self, time):
        return self.left + (self.right - self.left) * min(time / self.player.end, 1.0)
