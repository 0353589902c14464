"""The first minute: a rally in slow motion with captions in turn, then normal speed.

It ends early when the show is paused, or its speed changed. Seeds and speeds were chosen by looking: the first rally of
each seed stays in play for some strokes, and the captions end within them.
"""

from typing import TYPE_CHECKING, NamedTuple

from ballcast.viewer.playback.session import FRAME_TIME

if TYPE_CHECKING:
    from ballcast.sim import Sport

CAPTIONS = (  # each once for its seconds of the window's clock
    ("A computer watches a ball and says where it will go next.", 4.0),
    ("The dots are what a camera saw.", 3.5),
    ("The line is where it expects the ball if nobody hits it.", 5.0),
    ("The shaded region contains the ball 9 times in 10.", 5.5),
)
LENGTH = sum(seconds for _, seconds in CAPTIONS)
GAP = 0.4  # s without a caption before each
MIN_SHARE = 0.012  # of the picture, that a region covers before the last caption names it
MAX_WAIT = 3.0  # s that the caption waits for it
SETTLING_FRAMES = 6  # of the ball are passed over, in which the first forecasts know little
LAST_MESSAGE = "Drag the ball to throw it. M opens the menu, H shows the keys."


class Opening(NamedTuple):
    """A live source's seed, and the speed of the introduction."""

    seed: int
    speed: float


OPENINGS = {
    "baseball": Opening(4, 1 / 4),
    "basketball": Opening(12, 1 / 4),
    "cricket": Opening(5, 1 / 10),
    "golf": Opening(0, 1 / 4),
    "room": Opening(18, 1 / 4),
    "soccer": Opening(9, 1 / 4),
    "table_tennis": Opening(0, 1 / 8),
    "tennis": Opening(14, 1 / 4),
    "volleyball": Opening(10, 1 / 4),
}
USUAL = Opening(0, 1 / 8)  # of a sport of one's own


def opening(sport: "Sport") -> Opening:
    """The Opening of a Sport."""
    return OPENINGS.get(sport.name, USUAL)


class Introduction:
    """Slows a Session down until it ends; begins when the first forecasts have settled.

    caption  what is to be written now
    """

    def __init__(self, session, speed):
        self.session, self.speed, self.elapsed, self.is_over = session, speed, 0.0, False
        self.waited = 0.0
        session.speed = 1.0
        for _ in range(SETTLING_FRAMES):
            session.advance(FRAME_TIME)
        session.speed = speed

    @property
    def caption(self) -> str:
        """What is to be written now, or ""."""
        begin = 0.0
        for text, seconds in CAPTIONS:
            if begin + GAP <= self.elapsed < begin + seconds:
                return text
            begin += seconds
        return ""

    def advance(self, elapsed: float, region_share: float = 1.0) -> bool:
        """Go on by `elapsed` s of the window's clock. Returns whether it has just come to its own end.

        region_share  of the picture that the region covers: the last caption waits until there is something to see
        """
        if self.session.paused or self.session.speed != self.speed:
            self.is_over = True
            return False
        if self._waits(elapsed, region_share):
            self.waited += elapsed
            return False
        self.elapsed += elapsed
        if self.elapsed >= LENGTH:
            self.is_over, self.session.speed = True, 1.0
        return self.is_over

    def _waits(self, elapsed, region_share):
        """Whether the last caption would begin now, and its region is still too small."""
        begin = LENGTH - CAPTIONS[-1][1] + GAP
        forecast = self.session.forecast
        has_region = forecast is not None and forecast.covariance is not None
        is_due = self.elapsed < begin <= self.elapsed + elapsed
        return is_due and has_region and region_share < MIN_SHARE and self.waited < MAX_WAIT
