"""The words of the picture: what is shown, how fast it flies and spins, who forecasts and how wrong; and the help.

    Panel().paint(surface, session, camera, message="")

pygame's own font: no file and no system font is needed.
"""

from functools import lru_cache

import numpy as np
import pygame

from viewer import keys
from viewer.draw import FORECAST, SEEN, color_of, seen_turn
from viewer.session import SLOWED
from viewer.stamps import ball_image, dots
from viewer.watcher import LEADS

WIDTH, MARGIN, PAD = 292, 16, 16  # px at a height of 720
TEXT, MUTED, FAINT = (238, 241, 245), (158, 168, 180), (112, 122, 134)
GLASS = (10, 13, 18, 178)
LINE, NEAR = 7, 14  # px of the time line above the lower edge, and how near to it a click counts
PIXELS = 720.0  # the height of the picture that the sizes here are for


@lru_cache(maxsize=16)
def _font(size):
    return pygame.font.Font(None, size)


@lru_cache(maxsize=512)
def _word(text, size, color):
    """Text, drawn twice as large and scaled down: evenly spaced at small sizes too."""
    large = _font(2 * size).render(text, True, color)
    return pygame.transform.smoothscale(large, (-(-large.get_width() // 2), -(-large.get_height() // 2)))


@lru_cache(maxsize=8)
def _glass(size):
    """A dark pane with round corners."""
    pane = pygame.Surface((size[0] * 2, size[1] * 2), pygame.SRCALPHA)
    pygame.draw.rect(pane, GLASS, pane.get_rect(), border_radius=24)
    return pygame.transform.smoothscale(pane, size)


@lru_cache(maxsize=8)
def _marks(x, y, unit):
    """The three marks of the legend, with their middle at height y: dots seen, a forecast, a landing."""
    angle = np.linspace(0, 2 * np.pi, 36)
    line = np.column_stack([x + np.arange(76, 100), np.full(24, y)])
    rim = (x + 192, y) + 6.5 * np.column_stack([np.cos(angle), 0.75 * np.sin(angle)])
    marks = dots(np.array([[x + 4, y], [x + 13, y], [x + 22, y]]) * unit, 1.9 * unit, SEEN, 0.8)
    marks += dots(line * unit, 1.6 * unit, FORECAST, np.linspace(0.8, 0.2, 24))
    return marks + dots(rim * unit, 1.2 * unit, FORECAST, 0.8)


class Panel:
    """Writes from top to bottom; sizes follow the height of the picture."""

    def paint(self, surface, session, camera, message="", help=False):
        self.surface, self.unit = surface, surface.get_height() / PIXELS
        self._column(session, camera)
        self._landing(session, camera)
        self._foot(session, message)
        self._time_line(session)
        if help:
            self._help()

    # --- the column on the left ---------------------------------------------------------------------------------------

    def _column(self, session, camera):
        several = len(session.watchers) > 1
        self._pane(MARGIN, MARGIN, WIDTH, 276 + 21 * len(session.watchers) if several else 408)
        ball = session.ball
        self.y = MARGIN + PAD
        self._say(0, session.sport.name.replace("_", " ").capitalize(), 34)
        clock = f"{session.now - ball.start:.2f} s"
        self._say(0, f"{'live' if session.source.live else 'recorded'}: {ball.name}", 20, MUTED, clock)
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
        image = ball_image(radius * self.unit, session.sport.view.ball_color, seen_turn(camera, session.slow_turn))
        x, y = (MARGIN + PAD) * self.unit, (top + 4) * self.unit
        self.surface.blit(image, (round(x), round(y)), special_flags=pygame.BLEND_PREMULTIPLIED)
        self.y = top + 92
        if spin is not None:
            self._at(MARGIN + PAD + radius, top + 2 * radius + 10, f"1/{SLOWED} of its spin", 15, FAINT, 0.5)

    def _errors(self, session):
        """How far off forecasts were at the time they were for: the last one, and the median of this ball."""
        self._row("forecast error", "last", "median", MUTED)
        for lead in LEADS:
            errors = session.errors[lead]
            last, median = (_length(errors[-1]), _length(float(np.median(errors)))) if errors else ("-", "-")
            self._row(f"{lead:.1f} s ahead", last, median, TEXT)
        self._row("landing", "place", "time", MUTED)
        for lead in LEADS:
            off = session.landing_errors.get(lead)
            place, time = (_length(off[0]), f"{round(1e3 * off[1]):+d} ms") if off else ("-", "-")
            self._row(f"{lead:.1f} s before", place, time, TEXT)

    def _compared(self, session):
        """Of each predictor the median errors of this ball, its last landing's, and how long it takes."""
        self._cells(("error, mm", *(f"+{lead:g} s" for lead in LEADS[1:]), "landing", "ms"), MUTED)
        for watcher in session.watchers:
            errors = watcher.errors(session.now)
            cells = [f"{1e3 * np.median(errors[lead]):.0f}" if errors[lead] else "-" for lead in LEADS[1:]]
            landing = watcher.landing_errors(session.now).get(LEADS[1])
            took = "-" if watcher.latency is None else f"{1e3 * watcher.latency:.1f}"
            self._cells(
                (watcher.predictor.name, *cells, f"{1e3 * landing[0]:.0f}" if landing else "-", took), TEXT, watcher
            )
        self.y += 4
        self._say(0, f"medians of this ball; landing as told {LEADS[1]:g} s before", 16, FAINT)

    def _cells(self, words, color, watcher=None):
        x, y = MARGIN + PAD, self.y
        self._at(x, y, words[0], 20, color_of(watcher) if watcher else color)
        for right, word in zip((134, 178, 232, WIDTH - 2 * PAD), words[1:]):
            self._at(x + right, y + 1, word, 18, color, 1.0)
        self.y += 21

    def _row(self, label, middle, right, color):
        x, y = MARGIN + PAD, self.y
        self._at(x, y, label, 20, MUTED)
        self._at(x + 185, y, middle, 20, color, 1.0)
        self._at(x + WIDTH - 2 * PAD, y, right, 20, color, 1.0)
        self.y += 19

    def _legend(self):
        x, y = MARGIN + PAD, self.y
        self.surface.fblits(_marks(x, y + 7, self.unit), pygame.BLEND_PREMULTIPLIED)
        self._at(x + 32, y, "seen", 19, MUTED)
        self._at(x + 108, y, "forecast", 19, MUTED)
        self._at(x + 205, y, "landing", 19, MUTED)

    def _landing(self, session, camera):
        """Beside the landing mark: how long until then."""
        landing = session.forecast.landing if session.forecast else None
        if landing is None or landing.time < session.now:
            return
        x, y = camera.project(np.asarray(landing.place, float)[None])[0][0] / self.unit
        if np.isfinite(x) and WIDTH + 2 * MARGIN < x:
            self._on_picture(x + 24, y - 4, f"{landing.time - session.now:.2f} s", 18, color_of(session.watchers[0]))

    # --- the foot and the help ----------------------------------------------------------------------------------------

    def _foot(self, session, message):
        wide, bottom = self.surface.get_width() / self.unit, PIXELS - 36
        hidden = "hidden from the predictors" if session.hidden else ""
        speed = "" if session.speed == 1 else f"{session.speed:g} x speed"
        state = "   ".join(filter(None, (hidden, speed, "paused" if session.paused else "")))
        self._on_picture(wide - MARGIN, bottom, state, 24, TEXT, 1.0)
        names = session.choice.names[:9]
        choices = [f"{n}: {name}" for n, name in enumerate(names, 1)] if len(names) > 1 else []
        hint = message or session.watchers[0].remark or "     ".join(["H: all keys", *choices])
        self._on_picture(MARGIN + 4, bottom, hint, 20, TEXT)

    # --- the time line ------------------------------------------------------------------------------------------------

    def on_time_line(self, pixel):
        """Whether a place (x, y) px of the last picture is on the time line."""
        left, right, y = self._reach()
        return left - NEAR <= pixel[0] / self.unit <= right + NEAR and abs(pixel[1] / self.unit - y) <= NEAR

    def time_at(self, session, pixel):
        """The time, s, on the ball's clock at a place on the time line."""
        left, right, _ = self._reach()
        share = float(np.clip((pixel[0] / self.unit - left) / (right - left), 0.0, 1.0))
        return session.ball.start + share * (session.ball.end - session.ball.start)

    def _reach(self):
        return WIDTH + 2 * MARGIN, self.surface.get_width() / self.unit - MARGIN, PIXELS - LINE

    def _time_line(self, session):
        """The ball's time: what has been, where it stands, and its landings so far."""
        left, right, y = self._reach()
        ball, last = session.ball, session.moments[-1].now

        def at(time):
            return round((left + (right - left) * (time - ball.start) / (ball.end - ball.start)) * self.unit)

        thick = max(1, round(2 * self.unit))
        for until, color in ((ball.end, (70, 78, 88)), (last, (120, 130, 142)), (session.now, FORECAST)):
            pygame.draw.line(self.surface, color, (at(ball.start), y * self.unit), (at(until), y * self.unit), thick)
        for time in ball.landing_time[ball.landing_time <= last]:
            pygame.draw.circle(self.surface, TEXT, (at(time), y * self.unit), max(2, round(2.5 * self.unit)))
        pygame.draw.circle(self.surface, FORECAST, (at(session.now), y * self.unit), max(3, round(5 * self.unit)))

    def _help(self):
        tall = 70 + 24 * len(keys.HELP)
        left, top = (self.surface.get_width() / self.unit - 520) / 2, (PIXELS - tall) / 2
        self._pane(left, top, 520, tall)
        self._at(left + 24, top + 18, "Keys", 30, TEXT)
        for row, (label, text) in enumerate(keys.HELP):
            self._at(left + 24, top + 54 + 24 * row, label, 22, FORECAST)
            self._at(left + 200, top + 54 + 24 * row, text, 22, TEXT)

    # --- pens ---------------------------------------------------------------------------------------------------------

    def _pane(self, x, y, wide, tall):
        size = (round(wide * self.unit), round(tall * self.unit))
        self.surface.blit(_glass(size), (round(x * self.unit), round(y * self.unit)))

    def _on_picture(self, x, y, text, size, color, share=0.0):
        """Text that can be read on any ground: with a dark rim below it."""
        self._at(x + 1, y + 1, text, size, (0, 0, 0), share)
        self._at(x, y, text, size, color, share)

    def _at(self, x, y, text, size, color, share=0.0):
        """Text with its point `share` of its width at x; so 1.0 ends at x."""
        word = _word(text, max(8, round(size * self.unit)), color)
        self.surface.blit(word, (round(x * self.unit - share * word.get_width()), round(y * self.unit)))

    def _say(self, indent, text, size, color=TEXT, right=None):
        """A line of the column, and perhaps something at its right end."""
        self._at(MARGIN + PAD + indent, self.y, text, size, color)
        if right:
            words, small, tone = right if isinstance(right, tuple) else (right, size, color)
            self._at(MARGIN + WIDTH - PAD, self.y + (size - small) * 0.55, words, small, tone, 1.0)
        self.y += round(size * 0.86)

    def _rule(self):
        y = round((self.y + 8) * self.unit)
        left, right = (round(x * self.unit) for x in (MARGIN + PAD, MARGIN + WIDTH - PAD))
        pygame.draw.line(self.surface, (62, 70, 80), (left, y), (right, y))
        self.y += 18


def _length(metres):
    return f"{1e3 * metres:.0f} mm" if metres < 0.9995 else f"{metres:.2f} m"


def _turns(spin):
    """A spin vector (3,) rad/s in words."""
    size = float(np.linalg.norm(spin))
    return f"{size:.0f} rad/s, {size / (2 * np.pi):.{0 if size > 60 else 1}f} rev/s"
