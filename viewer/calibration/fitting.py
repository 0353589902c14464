"""The camera that fits the placed points, kept up to date while they are moved. No pygame.

A live fit follows every change at once. The full fit (wrong points, other sides, how well all is known) takes about a
second, in a thread: it is asked for when the mouse is released.
"""

import copy
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ballcast.vision.hand_fit import NEEDED, LensOptions, SideFit, fits_of_sides, live_fit, rivals
from ballcast.vision.landmarks import CalibrationError
from ballcast.vision.placed_points import PlacedPoints
from ballcast.vision.projection import View

Key = tuple[int, int]  # the picture and the version of the points


class Fitting:
    """The fit of PlacedPoints.

    view     the View that is drawn, of the picture `frame`; None: too few points
    fits     of the last full fit, the own side first
    rivals   those that fit about as well as each other, where there is something to choose
    error    why the points fit no camera; "" if they do
    """

    def __init__(self, placed: PlacedPoints, lens: LensOptions, name: str, in_thread: bool = True) -> None:
        self.placed, self.lens, self.name = placed, lens, name
        self.view: View | None = None
        self.frame = placed.frame
        self.fits: list[SideFit] = []
        self.rivals: list[SideFit] = []
        self.error = ""
        self._pool = ThreadPoolExecutor(1, "fit") if in_thread else None
        self._job: tuple[Key, Future] | None = None
        self._live: Key | None = None  # what the view was fitted to
        self._full: Key | None = None  # what the fits are of
        self.has_chosen = False  # whether the user has chosen the side
        self.note = ""  # what the user is to know of the last fit

    @property
    def is_full(self) -> bool:
        """Whether the full fit is of the points as they are."""
        return self._full == self._key

    @property
    def fit(self) -> SideFit | None:
        """The full fit from the side that the points are meant from; None if there is none yet."""
        own = self.placed.side.seen_from
        return next((each for each in self.fits if each.seen_from == own), None) if self.is_full else None

    @property
    def errors(self) -> dict[str, float]:
        """name -> px between a point of the shown picture and where the camera puts it."""
        named = self.placed.named()
        if self.view is None or self.frame != self.placed.frame or not named.names:
            return {}
        off = np.linalg.norm(self.view.project(named.places) - named.pixels, axis=1)
        return dict(zip(named.names, map(float, off)))

    @property
    def wrong(self) -> set[str]:
        """The points that the full fit leaves out."""
        fit = self.fit
        return set() if fit is None else {n for n, used in zip(fit.names, fit.result.used) if not used}

    @property
    def _key(self) -> Key:
        return self.placed.frame, self.placed.version

    def update(self, is_moving: bool = False, wait: bool = False) -> None:
        """Follow the points; is_moving: one is being dragged. wait: until the full fit is there."""
        self._take()
        if len(self.placed.points) < NEEDED:
            if self.frame == self.placed.frame:
                self.view, self.fits, self.rivals = None, [], []
            self.error = ""
            return
        if self._live != self._key:
            self._follow()
        if not is_moving and self._full != self._key and self._job is None:
            self._start()
        while wait and self._job is not None:
            self._job[1].exception()
            self.update()

    def choose(self, side: str) -> None:
        """Mean the points as another side names them, and take its fit."""
        found = next((each for each in self.fits if each.seen_from == side), None)
        fits = self.fits
        self.placed.turn(side)
        if found is not None:
            self.view, self.frame, self.fits, self.rivals = found.view, self.placed.frame, fits, []
            self._live = self._full = self._key
            self.has_chosen = True

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self):
        """The live fit, where there is something to begin with."""
        if self.frame != self.placed.frame or (self.view is None and self.error):
            self.view, self.error = None, ""
        if self.view is not None:
            self.view = live_fit(self.placed.named(), self.placed.size, self.view, self.lens)
        self.frame, self._live = self.placed.frame, self._key

    def _start(self):
        """Begin the full fit of the points as they are now."""
        arguments = copy.copy(self.placed), self.lens, self.name
        if self._pool is not None:
            self._job = self._key, self._pool.submit(fits_of_sides, *arguments)
            return
        done: Future = Future()
        try:
            done.set_result(fits_of_sides(*arguments))
        except CalibrationError as error:
            done.set_exception(error)
        self._job = self._key, done
        self._take()

    def _take(self):
        """Take the full fit if it is done and still of the points as they are."""
        if self._job is None or not self._job[1].done():
            return
        (key, job), self._job = self._job, None
        if key != self._key:
            return
        self._full, self.error, self.frame = key, "", self.placed.frame
        try:
            self.fits = job.result()
        except CalibrationError as error:
            self.fits, self.rivals, self.view, self.error = [], [], None, str(error)
            return
        own = self.placed.side.seen_from
        near = rivals(self.fits, own)
        if len(near) == 1 and not self.has_chosen:
            self.choose(near[0].seen_from)
            self.has_chosen = False
            self.note = f"These points fit as seen from the {near[0].seen_from}: the plan is turned."
            return
        self.rivals = near if len(near) > 1 and not self.has_chosen else []
        best = self.fit
        if best is None:
            self.error = f"the points do not fit as seen from the {own}; T turns the plan"
        self.view = (best or self.fits[0]).view
