"""Following in a thread of its own, so that the window never waits for a frame.

    thread = FollowThread(clip)
    thread.allow(now + 0.1)                    # frames up to this time, s, are followed
    for result, image in thread.results():     # at once; what has come since the last call
        ...
    thread.restart(number)                     # go on from another frame of the file

Frames that come faster than they can be followed are left out, and counted.
"""

import sys
import threading
from collections import deque
from contextlib import nullcontext

import numpy as np

from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.following import Following
from ballcast.viewer.clip.results import Result
from ballcast.vision.feed import Feed
from ballcast.vision.video import open_video

LIMIT = 3  # due frames of a file that are followed one after the other; more are left out
CAMERA_LIMIT = 1  # the same of a camera: the newest frame matters
WAIT = 0.02  # s between two looks at what was asked for
KEPT = 8  # images that wait for the window
SWITCH_INTERVAL = 5e-4  # s for which the window waits for the interpreter, at most, while the thread has it
PATIENCE = 3.0  # s that `close` waits


class FollowThread:
    """Follows the ball of a Clip.

    following   the Following
    ended       whether the file has no more frames
    dropped     frames that were left out
    """

    def __init__(self, clip: Clip, start: int | None = None):
        sys.setswitchinterval(SWITCH_INTERVAL)
        self.clip, self.following, self.ended = clip, Following(clip), False
        self._until, self._dropped, self._run, self._start = 0.0, 0, 0, start
        self._video = clip.opened if clip.opened is not None else open_video(clip.source)
        self._error: Exception | None = None
        self._new: deque[tuple[int, Result, np.ndarray]] = deque(maxlen=None if clip.is_camera else KEPT)
        self._changed, self._stopped, self._feed = threading.Condition(), False, None
        self._thread = threading.Thread(target=self._work, name="following", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        return self._dropped + (self._feed.dropped - self._before if self._feed is not None else 0)

    @property
    def notes(self) -> list[str]:
        """What was remarkable about the file, one line each."""
        return self._video.notes

    def allow(self, until: float) -> None:
        """Follow the frames up to a time, s; a camera's all are followed."""
        with self._changed:
            self._until = until
            self._changed.notify_all()

    def restart(self, number: int) -> None:
        """Go on from frame `number` of the file; results of frames before it do not come any more."""
        with self._changed:
            self._run, self._start, self.ended = self._run + 1, number, False
            self._new.clear()
            self._changed.notify_all()

    def results(self) -> list[tuple[Result, np.ndarray]]:
        """(Result, image (H, W, 3)) of the frames that were followed since the last call. VideoError, OSError."""
        with self._changed:
            found = [(result, image) for run, result, image in self._new if run == self._run]
            self._new.clear()
            if self._error is not None and not found:
                error, self._error = self._error, None
                raise error
            self._changed.notify_all()
        return found

    def wait(self, timeout: float) -> bool:
        """Wait until a result is there, for at most `timeout` s; whether one is."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._new) or self._error is not None, timeout)

    def close(self) -> None:
        """Stop."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)
        self.following.close()
        if not self._thread.is_alive():
            self._video.close()

    def _work(self):
        try:
            while not self._stopped:
                self._follow_run(self._run)
        except Exception as error:  # noqa: BLE001 - `results` raises it in the thread of the window
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _follow_run(self, run):
        """Follow the frames from the start of a run on, until another begins."""
        self._before = 0  # frames that were left out while everything was loaded: these do not count
        feed = self._feed = Feed(self.clip.source, open_=lambda source: nullcontext(self._video), start=self._start)
        self.following.restart()
        is_first = True
        while run == self._run and not self._stopped:
            feed.wait(WAIT)
            time = feed.next_time
            if time is None:
                feed.take(-np.inf)  # says what is wrong with the source
                if feed.ended:
                    self._rest(run)
            elif time > self._until and not (is_first or self.clip.is_camera):
                with self._changed:
                    self._changed.wait(WAIT)
            else:
                self._follow_due(run, feed, time if is_first else None)
                is_first = False
        self._dropped += feed.dropped - self._before
        self._feed = None
        feed.close()

    def _follow_due(self, run, feed, first_time):
        """Follow the frames that are due; first_time: that of the first frame of a run, which is always due."""
        until, limit = (np.inf, CAMERA_LIMIT) if self.clip.is_camera else (self._until, LIMIT)
        for frame in feed.take(until if first_time is None else first_time, limit):
            self._put(run, self.following.take(frame), frame.image)
            self._before = feed.dropped if first_time is not None else self._before

    def _put(self, run, result, image):
        with self._changed:
            while len(self._new) >= KEPT and run == self._run and not (self._stopped or self.clip.is_camera):
                self._changed.wait(WAIT)
            self._new.append((run, result, image))
            while self.clip.is_camera and len(self._new) > KEPT:
                self._new.popleft()
            self._changed.notify_all()

    def _rest(self, run):
        """Wait at the end of the file."""
        with self._changed:
            self.ended = run == self._run
            self._changed.wait_for(lambda: self._stopped or run != self._run)
