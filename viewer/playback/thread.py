"""A stream whose forecasts take longer than a frame of the window: they are made in a thread beside it.

One forecast is made at a time. While it is made, frames are gathered for the next one.
"""

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Any, NamedTuple

from ballcast import models
from ballcast.viewer.playback import sight

SWITCH_INTERVAL = 5e-4  # s for which the window waits for the interpreter, at most, while the thread has it
WAIT = 0.003  # s for which the window waits for a forecast that may be quick
_thread = ThreadPoolExecutor(1, "forecasts")  # one for all streams: the window needs the other processors


class Answer(NamedTuple):
    """A forecast, or None, made at a moment (s) for some times (H,) s, and how long that took, s."""

    now: float
    times: Any
    forecast: Any
    seconds: float


class ThreadedStream:
    """A predictor's stream that observes and forecasts in the thread."""

    def __init__(self, stream: Any):
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._stream, self._gathered = stream, []
        self._job: Future | None = None

    def observe(self, frames: Any, row: int) -> None:
        """Gather a frame of a Track or PixelTrack."""
        self._gathered.append((frames, row))

    def ask(self, now: float, times: Any) -> Answer | None:
        """An Answer that is ready, to this question or to an earlier one; None if there is none yet.

        ValueError if the predictor cannot take what was observed.
        """
        answer = self._ready(0.0)
        if self._job is None:
            gathered, self._gathered = self._gathered, []
            self._job = _thread.submit(_work, self._stream, gathered, now, times)
            answer = self._ready(WAIT) or answer
        return answer

    def _ready(self, patience):
        if self._job is None:
            return None
        try:
            answer = self._job.result(patience)
        except TooLate:
            return None
        except ValueError:
            self._job = None
            raise
        self._job = None
        return answer


def _work(stream, gathered, now, times):
    """In the thread: an Answer after the frames that were gathered."""
    began = time.perf_counter()
    for frames, row in gathered:
        sight.observe(stream, frames, row)
    try:
        forecast = stream.forecast(times)
    except models.HistoryTooShort:
        forecast = None
    return Answer(now, times, forecast, time.perf_counter() - began)
