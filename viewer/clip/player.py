"""What is shown of a clip: the moment, its frame and what was found in it; pause, speed, steps, jumps. No window.

    player = Player(clip)
    player.advance(1 / 60)                     # s of wall clock
    player.frame, player.image                 # results.Result and (H, W, 3), or None as long as there is none

At the end of what is known the clip goes on as its frames are followed; if these come later, it waits. Before that, it
shows what was found when these frames were followed, and their images are read again. A jump to where nothing is known
starts there anew.
"""

from typing import Any

import numpy as np

from ballcast.viewer.clip.clip import Clip
from ballcast.viewer.clip.follow_thread import FollowThread
from ballcast.viewer.clip.results import Result, Results
from ballcast.vision.stills import Stills

SPEEDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
LEAD = 2.5  # frames of a file that are followed before they are due
MAX_LAG = 0.12  # s by which the clip may be ahead of what is followed; then it waits
KEPT = 6  # images of frames that have just been followed


class Player:
    """The state of the show.

    results   the Results
    now       s, on the clip's clock
    frame     the Result that is shown, or None
    image     its image (H, W, 3) uint8, or None
    preview   whether the image is of a frame in which nothing was looked for yet
    """

    def __init__(self, clip: Clip, log: Any = None):
        """log: a rerun_log.ClipLog, or None."""
        self.log = log
        self.clip, self.results, self.paused, self.speed = clip, Results(), False, 1.0
        self.now, self.preview = 0.0, False
        self.frame: Result | None = None
        self.image: np.ndarray | None = None
        self._thread, self._fresh = FollowThread(clip), {}
        self._stills = None if clip.is_camera else Stills(clip.source)
        self._begin, self._last = None, None  # s: of the run that is being followed, its first and its last frame
        self._target: int | None = None  # the frame that is dragged to, where nothing is known
        self._is_held = self._has_all = False  # while the timeline is dragged; whether the file's last frame is here

    @property
    def following(self):
        return self._thread.following

    @property
    def dropped(self) -> int:
        """Frames that were left out because they came too fast."""
        return self._thread.dropped

    @property
    def notes(self) -> list[str]:
        return self._thread.notes

    @property
    def is_over(self) -> bool:
        """Whether the last frame of the file is shown."""
        return self._has_all and self._last is not None and self.now >= self._last

    @property
    def shown_time(self) -> float:
        """s, of the frame that is shown."""
        return self.now if self.frame is None else self.frame.time

    @property
    def end(self) -> float:
        """s, where the timeline ends."""
        known = self.clip.duration or 0.0
        return max(known, self._last or 0.0, self.now, 1e-3)

    def advance(self, elapsed: float) -> None:
        """Go on by `elapsed` s of wall clock. VideoError, OSError: what is wrong with the source."""
        has_ended = self._thread.ended
        self._collect()
        self._has_all = has_ended and self._thread.ended
        if self.clip.is_camera:
            self.now = self.now if self.paused or self._last is None else self._last
        elif not (self.paused or self._is_held):
            self._advance_clock(elapsed * self.speed)
        if self._last is not None:
            self._thread.allow(self.now + LEAD / self.clip.rate)
        self._show()

    def wait(self, timeout: float) -> bool:
        """Wait for the next frame that is followed, for at most `timeout` s; whether one is there."""
        return self._thread.wait(timeout)

    def pause(self) -> None:
        """Pause, or go on; after the last frame, begin again."""
        if self.is_over and not self.paused:
            return self.begin_again()
        self.paused = not self.paused

    def begin_again(self) -> None:
        self.paused = False
        self.go_to(0.0)

    def change_speed(self, steps: int) -> None:
        """Slower (negative) or faster, by steps of SPEEDS."""
        self.speed = SPEEDS[int(np.clip(SPEEDS.index(self.speed) + steps, 0, len(SPEEDS) - 1))]

    def step(self, count: int) -> None:
        """Pause, and show the next frame or, with -1, the one before."""
        if self.clip.is_camera:
            return
        self.paused = True
        other = self.results.next(self.now, count)
        if other is not None:
            self.now = other.time
        elif count > 0 and not self.is_over and self._target is None:
            self.now += 1.0 / self.clip.rate
        elif count < 0 and self.frame is not None and self.frame.number > 0:
            self.go_to(self.frame.time - 1.0 / self.clip.rate)

    def jump(self, seconds: float) -> None:
        """Go on or back by some seconds."""
        self.go_to(self.now + seconds)

    def go_to(self, time: float, is_final: bool = True) -> None:
        """Show the frame of a time, s. is_final: it is not dragged on; where nothing is known, follow from there."""
        if self.clip.is_camera:
            return
        last = self.end if self.clip.count is None else (self.clip.count - 1) / self.clip.rate
        self.now, self._is_held = float(np.clip(time, 0.0, max(last, 0.0))), not is_final
        if self._is_known():
            self._target = None
        elif is_final:
            self._follow_from(self.now)
        else:
            self._target = round(self.now * self.clip.rate)

    def close(self) -> None:
        self._thread.close()
        if self._stills is not None:
            self._stills.close()

    def _is_known(self):
        """Whether there are results here, or will be without a jump."""
        if self.results.at(self.now) is not None:
            return True
        return self._last is not None and self._begin <= self.now <= self._last + 1.0 / self.clip.rate

    def _follow_from(self, time):
        self._begin = self._last = self._target = None
        self._fresh, self._has_all = {}, False
        self._thread.restart(max(0, round(time * self.clip.rate)))

    def _collect(self):
        """Take what has been followed since the last call."""
        for result, image in self._thread.results():
            self.results.add(result)
            if self.log:
                self.log.add(result, image)
            self._fresh[result.number] = image
            self._begin = result.time if self._begin is None else self._begin
            self._last = result.time
            if self.results.at(self.now) is None and len(self._fresh) == 1:
                self.now = result.time  # the first one of a run: its time is not known before
        for number in sorted(self._fresh)[:-KEPT]:
            del self._fresh[number]

    def _advance_clock(self, elapsed):
        """The clock goes on, but does not run away from what is followed."""
        if self._last is None:
            return
        if self.now + elapsed > self._last:
            lag = MAX_LAG * min(self.speed, 1.0)
            self.now = max(self.now, min(self.now + elapsed, self._last + lag))
            self.now = min(self.now, self._last) if self._has_all else self.now
            return
        self.now += elapsed
        if self.results.at(self.now) is None and not self._begin <= self.now <= self._last:
            self._follow_from(self.now)

    def _show(self):
        """Choose the frame of this moment, if its image is there."""
        if self._target is not None:
            if (image := self._stills.get(self._target, self._target / self.clip.rate)) is not None:
                self.frame, self.image, self.preview = None, image, True
            return
        result = self.results.at(self.now)
        if result is None or (self.frame is not None and result is self.frame):
            return
        image = self._fresh.get(result.number)
        if image is None and self._stills is not None:
            image = self._stills.get(result.number, result.time)
        if image is not None:
            self.frame, self.image, self.preview = result, image, False
