"""From the frames of a video to where the ball is, and where it will go.

    follower = Follower(open_finder(), video.size)
    for frame in video:                              # vision.video.Frame
        seen = follower.observe(frame)               # Seen: pixel (2,) or None, probability, flight, event, ...
        forecast = follower.forecast(frame.time + np.arange(1, 21) / 100)     # VideoForecast or None

    for seen in settle(follower, video, delay=12):   # every frame once, decided 12 frames later: better, for files
        ...

Without a camera the ball is forecast in the image (image_tracker.py); with one, in space (space_tracker.py), and the
image is where the camera sees that.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast.models.contract import Forecast
from ballcast.sim import Sport
from ballcast.tracks.camera import Camera
from ballcast.vision.finders import Finder, probabilities
from ballcast.vision.image_tracker import LONGEST_DELAY, Flights, ImageForecast, ImageTracker, Seen, Turn
from ballcast.vision.network import ALIGNED, NetworkFinder
from ballcast.vision.pan import PanMeter
from ballcast.vision.space_tracker import SpaceTracker
from ballcast.vision.space_view import in_image, joined
from ballcast.vision.video import Frame

__all__ = ["SETTLED", "Follower", "ImageLanding", "Seen", "Turn", "VideoForecast", "settle"]

SETTLED = 12  # frames after which hindsight adds little
WINDOW = 512  # px, side of the part of a frame that is searched where the ball is sure to be
WHOLE_EVERY = 4  # frames: the whole of every such one is searched
MAX_SHARE = 0.5  # of a frame: a larger part saves too little


class ImageLanding(NamedTuple):
    """Where the ball lands."""

    time: float  # s
    pixel: np.ndarray  # (2,) px
    covariance: np.ndarray  # (2, 2) px^2
    place: np.ndarray  # (3,) m, of the ball's centre


class VideoForecast(NamedTuple):
    """Where the ball will be."""

    times: np.ndarray  # (H,) s
    pixel: np.ndarray  # (H, 2) px
    covariance: np.ndarray  # (H, 2, 2) px^2
    space: Forecast | None = None  # with a camera
    landing: ImageLanding | None = None  # with a camera


class Follower:
    """Finds the ball in each frame and forecasts it.

    image   the ImageTracker
    space   the SpaceTracker; None without a camera
    """

    def __init__(
        self, finder: Finder, size: tuple[int, int], *, sport: str | Sport | None = None,
        camera: Camera | Callable[[float], Camera | None] | None = None, predictor: str = "physics",
    ):  # fmt: skip
        """finder: with delay 0. size: (width, height) px. camera: fixed, or a function of the time in s.

        sport and predictor are for the ball in space; ValueError for a camera without a sport.
        """
        if camera is not None and sport is None:
            raise ValueError("a camera without a sport: say sport=, so that the ball can be followed in space")
        self.image = ImageTracker(size, by_motion=not isinstance(finder, NetworkFinder))
        self.space = None if camera is None or sport is None else SpaceTracker(sport, predictor)
        self._finder, self._pan, self._since_whole = finder, PanMeter(), 0
        self._camera = camera if callable(camera) else lambda time: camera

    def observe(self, frame: Frame) -> Seen:
        """Search a frame. Returns what is known of the ball in it now."""
        window = self._window(frame)
        if isinstance(self._finder, NetworkFinder):
            candidates = self._finder.find(frame.image, window)
        else:
            candidates = self._finder.find(frame.image)
        shift = self._pan.measure(frame.image)
        weights = probabilities(self._finder, candidates)
        seen = self.image.observe(frame.number, frame.time, candidates, weights, shift, window)
        if self.space is not None:
            self.space.observe(seen, weights, self._camera(frame.time), self.image.settled)
        return seen

    def _window(self, frame):
        """The part of a frame that is searched, None for all of it: every WHOLE_EVERY-th, and where no ball is sure."""
        height, width = frame.image.shape[:2]
        self._since_whole += 1
        if isinstance(self._finder, NetworkFinder) and self._since_whole < WHOLE_EVERY:
            if WINDOW * WINDOW <= MAX_SHARE * width * height and WINDOW <= height:
                place = self.image.window(frame.time, WINDOW)
                if place is not None:
                    return window_at(place, width, height)
        self._since_whole = 0
        return None

    def forecast(self, times: ArrayLike) -> VideoForecast | None:
        """Where the ball will be at times (H,) s, after the last frame; None if none is followed."""
        times = np.asarray(times, float)
        image = self.image.forecast(times)
        space = None if self.space is None else self.space.forecast(times)
        camera = None if self.space is None else self.space.camera
        if space is None or camera is None:
            return None if image is None else VideoForecast(times, *image)
        return _seen_by_camera(times, space, image, camera)


def _seen_by_camera(times: np.ndarray, space: Forecast, image: ImageForecast | None, camera: Camera) -> VideoForecast:
    """A forecast in space as the camera of the last frame sees it, joined with that in the image if there is one."""
    pixel, covariance = in_image(camera, space.mean, space.covariance)
    if image is not None:
        pixel, covariance = joined(pixel, covariance, *image)
    landing = space.landing
    if landing is None:
        return VideoForecast(times, pixel, covariance, space)
    spread = None if landing.covariance is None else landing.covariance[1:, 1:]
    at = ImageLanding(landing.time, *in_image(camera, landing.position, spread), landing.position)
    return VideoForecast(times, pixel, covariance, space, at)


def window_at(place: tuple[float, float], width: int, height: int) -> tuple[int, int, int, int]:
    """The window round a place (u, v) px: left, top, right, bottom px, in the picture."""
    left, top = (
        int(np.clip(round((middle - 0.5 * WINDOW) / ALIGNED) * ALIGNED, 0, (size - WINDOW) // ALIGNED * ALIGNED))
        for middle, size in zip(place, (width, height))
    )
    return left, top, left + WINDOW, top + WINDOW


def settle(follower: Follower, frames: Iterable[Frame], delay: int = SETTLED) -> Iterator[Seen]:
    """The Seen of every frame, in order, decided `delay` frames later, or at the end.

    Short gaps in a flight are filled: such a Seen has a pixel though no candidate was there. At most
    image_tracker.LONGEST_DELAY frames of delay; ValueError for more.
    """
    if not 0 <= delay <= LONGEST_DELAY:
        raise ValueError(f"delay = {delay} must be from 0 to {LONGEST_DELAY} frames")
    flights, waiting = Flights(), 0
    for frame in frames:
        follower.observe(frame)
        waiting += 1
        if waiting > delay:
            yield flights.numbered(*follower.image.settled(delay))
            waiting = delay
    for left in range(waiting - 1, -1, -1):
        yield flights.numbered(*follower.image.settled(left))
