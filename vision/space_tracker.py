"""The ball in space, from the candidates of one camera that is calibrated: the 3D stream behind a Follower.

    tracker = SpaceTracker(sport, "physics")
    tracker.observe(seen, probability, camera)     # seen: of the ImageTracker; camera: tracks.Camera, of this frame
    forecast = tracker.forecast(times)             # of models, or None; tracker.camera projects it
    tracker.expected(time)                         # where in the image the ball will be: (2,) px, (2, 2) px2, or None
    tracker.bounces                                # of the flights until now: place, speed before and after

The first frames of a flight are the image tracker's picks; from then on the stream weighs all candidates itself
(observe_candidates); their probabilities by looks are mixed with the image tracker's. A new flight of the image
tracker, after a hit, begins a new one here. So do picks that the stream does not explain.

A camera that turns or zooms is replaced by that of the first frame: pixels are moved to where this one would have seen
what the other saw.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ballcast import models
from ballcast.models.contract import Forecast, no_pixels
from ballcast.models.estimation.candidates import Association
from ballcast.models.estimation.flight_prior import flight_prior
from ballcast.sim import Sport
from ballcast.tracks.camera import Camera
from ballcast.tracks.pixel_track import PixelTrack
from ballcast.vision.fitted_bounces import Bounce, find_bounces
from ballcast.vision.image_tracker import Seen

FIRST_PICKS = 3  # frames of a flight that the stream starts from
MIN_PICK = 0.5  # probability of a pick that counts
TRUST = 0.5  # share of the image tracker in the probabilities of candidates
UNEXPLAINED = 3  # picks in a row that the stream does not explain, before it starts anew from them
SURE = 0.9  # probability of picks of which one less is enough for that
MAX_MISSED = 0  # frames in a row without the ball, after which nothing is forecast: it may have been hit
MAX_FRAMES = 600  # of a flight, that are kept
MAX_FLIGHTS = 400  # whose bounces are kept
REMEMBERED = 17  # frames whose cameras are known
STEP = 1e-3  # s after the last frame, at which the state is asked for
MAX_HIT_GAP = 0.25  # s between two flights of one ball
SAME_BALL = 0.7  # probability that a flight goes on from the one before, if that looked like a ball's
LOOKS = 0.08  # probability by looks alone, in the median of the frames of a flight that did
REFITTED = 13  # frames of a flight before those that the stream did not explain, which it fits again with them
# how far from where it was last seen a ball begins: of its usual ways to the hit and from it, and m
SHARE_OF_STEP, RACKET = 1.0, 0.1

Settled = Callable[[int], tuple[Seen, int]]


class _Row(NamedTuple):
    """The ball in a frame, as the camera of the first frame sees it."""

    number: int
    time: float
    pixel: np.ndarray
    probability: float  # that it is the ball, by the image tracker
    looks: float  # the same by looks alone


class SpaceTracker:
    """Follows the ball in space.

    sport: a name or a Sport; predictor: a name or a file of one that takes pixels. ValueError if it takes none.

    camera   that of the last frame, by which forecasts are projected; None: not calibrated in this frame
    found    the Association of the last frame; None where the stream did not weigh it
    """

    def __init__(self, sport: str | Sport, predictor: str = "physics"):
        self.stream: Any = models.load(predictor, sport=sport).stream()
        if not hasattr(self.stream, "observe_candidates"):
            raise ValueError(no_pixels(self.stream.predictor.name))
        self.camera: Camera | None = None
        self.found: Association | None = None
        self._finished: deque[tuple[int, list[_Row]]] = deque(maxlen=MAX_FLIGHTS)
        self._recent: deque[tuple[int, tuple[Camera | None, np.ndarray]]] = deque(maxlen=REMEMBERED)
        self._reference: Camera | None = None
        self._flight, self._is_open, self._last_time = -1, False, -math.inf
        self._rows: list[_Row] = []
        self._picks: list[_Row] = []
        prior = flight_prior(self.stream.predictor.sport)
        self._speed = float(np.sqrt(prior.weights @ (prior.means[:, 3:6] ** 2).sum(axis=1)))  # m/s, usual after a hit
        self._begin(-1)

    def observe(
        self, seen: Seen, probability: np.ndarray, camera: Camera | None, settled: Settled | None = None
    ) -> None:
        """Take a frame as the image tracker understood it. probability (N,): of its candidates, by their looks.

        settled: the image tracker's, by which the first frames of a flight are known better afterwards.
        """
        self.camera, self.found = camera, None
        self._recent.append((seen.number, (camera, probability)))
        if seen.flight != self._flight:
            self._begin(seen.flight)
        if camera is None:
            return
        pick = self._pick_of(seen, camera, probability)
        if self._is_open:
            self._weigh(seen, probability, camera, pick)
        elif pick is not None:
            self._picks = self._path(settled) if settled else [*self._picks, pick]
            if len(self._picks) >= FIRST_PICKS:
                self._open()

    def _path(self, settled):
        """The picks of the flight that is under way, as the image tracker knows them now."""
        recent, path, begun = dict(self._recent), [], None
        for delay in range(len(self._recent)):
            try:
                seen, origin = settled(delay)
            except ValueError:
                break
            if begun is not None and origin != begun:
                break
            begun, (camera, looks) = origin, recent[seen.number]
            is_candidate = seen.pixel is not None and (seen.candidates.pixel == seen.pixel).all(axis=1).any()
            pick = self._pick_of(seen, camera, looks) if is_candidate and camera is not None else None
            path = path if pick is None else [pick, *path]
        return path

    def forecast(self, times: ArrayLike) -> Forecast | None:
        """Where the ball will be at times (H,) s, after the last frame; None if too few frames have seen it, or if the
        last one has not: it may have been hit."""
        if self.camera is None or not self._is_open or self._missed > MAX_MISSED:
            return None
        return self.stream.forecast(times)

    def expected(self, time: float) -> tuple[np.ndarray, np.ndarray] | None:
        """The pixel (2,) and its covariance (2, 2) px2 where the last camera will see the ball at `time` s; None if the
        ball is not known in space."""
        if self.camera is None or not self._is_open or time <= self._last_time:
            return None
        assert self._reference is not None
        found = self.stream.observe_candidates(time, np.empty((0, 2)), np.empty(0), self._reference)
        if not np.isfinite(found.pixel).all():
            return None
        steps = found.pixel + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        pixel, *ends = moved(steps, self._reference, self.camera)
        jacobian = np.stack([end - pixel for end in ends], axis=1)
        return pixel, jacobian @ found.covariance @ jacobian.T

    @property
    def bounces(self) -> list[Bounce]:
        """The bounces of the flights until now, in the order of time: each whole flight is fitted now."""
        flights = [*self._finished, (self._flight, self._rows)]
        return [bounce for flight, rows in flights for bounce in self._bounces_of(flight, rows)]

    def _begin(self, flight):
        """Begin a flight of that number; the one before is over."""
        self._before = self._where() if self._is_open and self._looked_like_a_ball() else None
        if self._is_open:
            self._finished.append((self._flight, self._rows))
            self.stream.restart()
        self._flight, self._is_open = flight, False
        self._picks, self._strays, self._rows, self._missed = [], [], [], 0

    def _looked_like_a_ball(self):
        """Whether most frames of the flight did: what only moves like one is no ball to go on from."""
        return float(np.median([row.looks for row in self._rows])) > LOOKS

    def _where(self):
        """(time s, position (3,) m, its covariance, velocity (3,) m/s) of the ball when it was last seen, or None."""
        time = self._last_time
        try:
            belief = self.stream.forecast([time + STEP]).belief
        except ValueError:
            return None
        if belief is None or belief.covariance is None:
            return None
        return time, belief.position, belief.covariance[:3, :3], belief.velocity

    def _know_start(self):
        """Tell the stream where the flight begins, if the one before ended there."""
        if self._before is None:
            return
        time, position, covariance, velocity = self._before
        gap = self._picks[0].time - time
        if 0.0 < gap <= MAX_HIT_GAP:
            reach = SHARE_OF_STEP * gap * (float(np.linalg.norm(velocity)) + self._speed) + RACKET
            self.stream.restart_near(position, covariance + reach**2 * np.eye(3), SAME_BALL)

    def _pick_of(self, seen, camera, looks):
        """The image tracker's ball as a _Row; None if it has none. looks (N,): probabilities by looks alone."""
        if seen.pixel is None or seen.probability < MIN_PICK:
            return None
        if self._reference is None:
            self._reference = camera
        pixel = moved(seen.pixel[None], camera, self._reference)[0]
        own = float(looks[(seen.candidates.pixel == seen.pixel).all(axis=1)].max(initial=0.0))
        return _Row(seen.number, seen.time, pixel, seen.probability, own) if np.isfinite(pixel).all() else None

    def _open(self):
        """Start the stream from the picks."""
        self._know_start()
        for row in self._picks:
            self.stream.observe_pixel(row.time, row.pixel, self._reference)
        self._rows, self._picks, self._is_open = self._picks, [], True
        self._last_time = self._rows[-1].time

    def _weigh(self, seen, probability, camera, pick):
        """Let the stream weigh the candidates of a frame."""
        pixels = moved(seen.candidates.pixel, camera, self._reference)
        sound = np.flatnonzero(np.isfinite(pixels).all(axis=1))
        mixed = with_pick(probability, seen)[sound]
        found = self.stream.observe_candidates(seen.time, pixels[sound], mixed, self._reference)
        if found.best >= 0:
            found, self._last_time = found._replace(best=int(sound[found.best])), seen.time
        is_picked = found.best >= 0 and pick is not None and np.array_equal(pixels[found.best], pick.pixel)
        is_seen = found.best >= 0 and (found.probability > MIN_PICK or is_picked)
        if is_seen:
            self._missed = 0
            row = _Row(seen.number, seen.time, pixels[found.best], found.probability, float(probability[found.best]))
            self._rows = [*self._rows[1 - MAX_FRAMES :], row]
        else:
            self._missed += 1
        self.found = found
        is_explained = is_picked or is_seen and pick is None
        self._strays = [] if is_explained else [*self._strays, pick] if pick else self._strays
        surely = sum(row.probability > SURE and row.looks > LOOKS for row in self._strays)
        if len(self._strays) >= UNEXPLAINED or surely >= UNEXPLAINED - 1:
            self._follow_strays()

    def _follow_strays(self):
        """Take picks that the stream does not explain: it fits anew, with them and what of the flight is older."""
        picks = self._strays
        older = [row for row in self._rows if row.time < picks[0].time]
        again = picks
        if picks[0].time <= self._last_time:
            self.stream.restart()
            again = [*older[-REFITTED:], *picks]
        for row in again:
            self.stream.observe_pixel(row.time, row.pixel, self._reference)
        self._rows, self._strays, self._missed = [*older[len(picks) - MAX_FRAMES :], *picks], [], 0
        self._last_time = picks[-1].time

    def _bounces_of(self, flight, rows):
        """The Bounces of a flight, by its number and its _Rows."""
        if self._reference is None or len(rows) < FIRST_PICKS:
            return []
        numbers = np.array([row.number for row in rows])
        time, pixel = np.array([row.time for row in rows]), np.array([row.pixel for row in rows])
        track = PixelTrack(time, pixel, np.zeros(len(time), int), [self._reference])
        return find_bounces(self.stream.predictor.sport, track, numbers, flight)


def with_pick(probability: np.ndarray, seen: Seen) -> np.ndarray:
    """The probabilities (N,) of candidates by their looks, mixed with the image tracker's of its ball."""
    if seen.pixel is None:
        return probability
    mixed = (1.0 - TRUST) * probability
    mixed[(seen.candidates.pixel == seen.pixel).all(axis=1)] += TRUST * seen.probability
    return mixed


def moved(pixels: np.ndarray, camera: Camera, other: Camera) -> np.ndarray:
    """Where another camera sees what a camera sees at pixels (N, 2): exact if it has only turned or zoomed, else for
    points as far away as the place. NaN for what the other cannot see."""
    if camera is other or not len(pixels):
        return np.array(pixels, float).reshape(-1, 2)
    centre, directions = camera.rays(pixels)
    return other.project(centre + np.linalg.norm(camera.t) * directions)
