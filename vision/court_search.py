"""The camera of a clip from the lines of its first frames, while the clip goes on.

    search = CourtSearch(sport)                # in_thread=False: `offer` waits for the answer
    search.offer(frame)                        # of each frame; returns at once
    search.camera                              # tracks.Camera, or None
    search.message                             # one line: what has come of it

Some frames are tried, TRY_EVERY s apart. It ends with the first camera that find_court is sure of.
"""

from concurrent.futures import Future, ThreadPoolExecutor

from ballcast.sim import Sport
from ballcast.tracks import Camera
from ballcast.vision.court_finder import find_court
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.video import Frame

TRIES, TRY_EVERY = 6, 0.4  # frames that are tried; s from one to the next


class CourtSearch:
    """Looks for the lines of a sport.

    camera    what was found, or None
    found_at  s, the time of the frame in which it was found; None as long as it is not
    message   one line for people
    """

    def __init__(self, sport: Sport, in_thread: bool = True):
        self.sport = sport
        self.camera: Camera | None = None
        self.found_at: float | None = None
        self.message = "looking for the lines of the court"
        self._pool = ThreadPoolExecutor(1, "court") if in_thread else None
        self._job: Future | None = None
        self._tried, self._next, self._frame_time = 0, -float("inf"), 0.0

    @property
    def is_over(self) -> bool:
        """Whether no further frame is tried."""
        return self.camera is not None or (self._tried >= TRIES and self._job is None)

    def offer(self, frame: Frame) -> None:
        """Take a frame, if it is time for another try."""
        if self._job is not None and self._job.done():
            self._take(self._job)
        if self.is_over or self._job is not None or frame.time < self._next:
            return
        self._tried, self._next, self._frame_time = self._tried + 1, frame.time + TRY_EVERY, frame.time
        if self._pool is not None:
            self._job = self._pool.submit(find_court, frame.image, self.sport, "court")
            return
        job: Future = Future()
        try:
            job.set_result(find_court(frame.image, self.sport, "court"))
        except CalibrationError as error:
            job.set_exception(error)
        self._take(job)

    def close(self) -> None:
        """Try no further frame."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, job):
        self._job = None
        try:
            self.camera, self.found_at = job.result().camera, self._frame_time
            self.message = "camera from the lines of the court"
        except CalibrationError:
            if self._tried >= TRIES:
                self.message = f"the lines of {self.sport.name.replace('_', ' ')} are not found: forecast in the image"
