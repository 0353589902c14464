"""What the viewer shows as a recording for Rerun (play.py --rerun): of a session, and of a clip.

Forecasts are those that were made live. A moment that is shown again is not logged again.
"""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ballcast.render.palette import predictor_color
from ballcast.render.rerun_file import RerunFile
from ballcast.sim import Sport
from ballcast.viewer.clip.results import Result

PAUSE = 1.0  # s between two balls
CLIP = "clip"  # the name of a video's camera


class SessionLog(RerunFile):
    """Logs a session of the viewer, frame by frame of the window."""

    def __init__(self, path: Path, sport: Sport):
        super().__init__(path, sport)
        self._sport, self._shown, self._until, self._end = sport, None, -np.inf, 0.0
        self._made: dict[int, float] = {}  # number of a predictor -> when its last logged forecast was made, s

    def update(self, session: Any) -> None:
        """What is new since the last call."""
        if session.sport is not self._sport:
            self._sport = session.sport
            self.place(session.sport)
        if self._shown != (session.source, session.index):
            self._begin(session)
        since, now = self._until, session.now
        if now <= since:
            return
        self._until, self._end = now, self.offset + now
        self._frames(session, since, now)
        if session.ball.is_motion_known:
            self.ball(now, session.ball.state_at(now)[0], session.sport.view.ball_color)
        for forecaster in session.forecasters:
            forecast = forecaster.forecast(now)
            if forecast is not None and forecast.made_at > self._made.get(forecaster.number, -np.inf):
                self._made[forecaster.number] = forecast.made_at
                name, color = plain(session.pool.names[forecaster.number]), predictor_color(forecaster.number)
                self.forecast(forecast.made_at, forecast.times, forecast, name, color)
        self._events(session.ball, since, now)

    def _begin(self, session):
        """Another ball: its clock goes on after the last one's."""
        is_first = self._shown is None
        self._shown, self._until, self._made = (session.source, session.index), -np.inf, {}
        self.offset = 0.0 if is_first else self._end + PAUSE - session.ball.start
        if not is_first:
            self.next_ball(session.ball.start)

    def _frames(self, session, since, now):
        """The frames that arrived after `since`, of a tracker or of cameras."""
        pixels, rows, time = session.ball.pixels, session.observed_frames, session.ball.frames.time
        names = {number: plain(camera.name or f"camera {number}") for number, camera in session.cameras}
        for number, camera in session.cameras:
            self.camera(now, names[number], camera)
        for row in rows[(time[rows] > since) & (time[rows] <= now)]:
            if pixels is None:
                self.frame(time[row], session.ball.track.position[row])
            else:
                self.pixel(time[row], names[int(pixels.camera[row])], pixels.pixel[row])

    def _events(self, ball, since, now):
        """Hits, landings and calls after `since`."""
        events = [(time, "hit") for time in ball.hits] + [(time, "landing") for time in ball.landing_time]
        for time, text in events + [(time, text) for time, text, _ in ball.calls]:
            if since < time <= now:
                self.event(time, text)


class ClipLog(RerunFile):
    """Logs a clip, frame by frame as it is followed."""

    def __init__(self, path: Path, sport: Sport | None):
        super().__init__(path, sport)
        self._flight = 0

    def add(self, result: Result, image: np.ndarray) -> None:
        """A frame: what was found in it, and its image (H, W, 3) uint8: blue, green, red."""
        time, path = result.time, result.path
        if result.camera is not None:
            self.camera(time, CLIP, result.camera)
        self.image(time, CLIP, image)
        self.pixel(time, CLIP, result.pixel)
        self.image_path(time, CLIP, None if path is None else path.pixel)
        if result.flight != self._flight:
            self._flight = result.flight
            self.next_ball(time)
        if path is not None and path.mean is not None:
            if path.position is not None:
                self.frame(time, path.position)
                self.ball(time, path.position)
            found = SimpleNamespace(mean=path.mean, covariance=path.spread, landing=path.space_landing)
            self.forecast(time, path.times, found)
        for text in filter(None, (result.event, result.note)):
            self.event(time, text)


def plain(name: str) -> str:
    """A name as a part of a path: letters, digits, dots, - and _ alone."""
    return re.sub(r"[^\w.-]+", "_", Path(name).name if "/" in name else name)
