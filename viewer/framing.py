"""Where the camera stands: as near as the place and its play allow, the ball and what is forecast of it in the picture.

A view is a direction from which a camera is fitted to a place: its surfaces, and most of the moments of play. There it
stays as long as the ball and the next LOOKAHEAD s of each forecast are in the free part of the picture. When they would
leave it, the camera moves to where they are seen too, and stays there until they have been back for some time.

The camera of a moment depends on the moments before it alone, so a moment gone back to looks as it did. Times are on
the ball's clock. A camera that somebody has turned, moved or zoomed stays where it is. No pygame, no clock.
"""

import dataclasses
from bisect import bisect_right
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from ballcast.render.camera import OrbitCamera
from ballcast.viewer.place import Place

LOOKAHEAD = 0.5  # s of the forecasts at which the camera looks, so that it has moved when they matter
MOVING_TIME = 0.15  # s that a movement takes
HOLD_TIME, FOLLOW_HOLD_TIME = 2.0, 1.0  # s for which the camera still shows what it had to show; and one that follows
RETURN_TIME = 1.0  # s for which it has not needed to be so far away, before it comes nearer
SHARES, WIDER = (0.8, 0.9, 0.97), 1.1  # of the moments of play that it shows without moving; for more it is farther
MARGIN, INNER_MARGIN = 0.045, 0.025  # of the picture's height: round what it is fitted to, and before it has to move
SPARE, FOLLOW_SPARE = 0.08, 0.06  # of the usual distance: so much is shown round ball and forecast after a movement
FARTHER, NEARER = 0.25, 0.2  # of the usual distance: a movement away is at least, one back at least this long
NEEDED_SPARE = 0.08  # of the usual distance: the same where it would have to go farther than FARTHEST
INWARDS = 0.25  # of the room across that is left then: so far from its end
FARTHEST = 0.28  # of the usual distance: it moves no farther away than this, unless ball and forecast need it
EDGES, MIN_HEIGHT = 5, 0.6  # of the part of the picture that is used: how many edges are tried; its share of the height
MAX_COVERED = 0.003  # share of the moments of play that may be behind the panel
FOLLOW_DISTANCE = 0.7  # of the usual distance at which a camera follows the ball, or farther
FIELD_OF_VIEW, STEEP = 24.0, 60.0  # degrees: of views that are no sport's own; the elevation of one from above
MAX_MOMENTS = 1800  # moments for which the camera is kept
_now = attrgetter("now")


class Rectangle(NamedTuple):
    """A part of a picture, px."""

    left: float
    top: float
    right: float
    bottom: float


class Free(NamedTuple):
    """The part of a picture that may show the ball: a rectangle, without the corner that a panel covers."""

    whole: Rectangle
    panel: Rectangle = Rectangle(0.0, 0.0, 0.0, 0.0)

    def parts(self) -> list[Rectangle]:
        """Parts of the picture to which a place may be fitted; the last is beside the panel, others overlap with it."""
        whole, (_, _, right, bottom) = self.whole, self.panel
        below = [whole._replace(top=max(top, whole.top)) for top in np.linspace(0.0, bottom, EDGES)[1:].tolist()]
        below = [part for part in below if part.bottom - part.top >= MIN_HEIGHT * whole.bottom]
        return below + [whole._replace(left=left) for left in np.linspace(0.0, right, EDGES).tolist()]

    def is_covered(self, pixels: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Which pixels (..., 2) are behind the panel, or within a margin, px, of it."""
        low, high = np.subtract(self.panel[:2], margin), np.add(self.panel[2:], margin)
        return np.asarray(((pixels > low) & (pixels < high)).all(axis=-1))


class Lens:
    """What is seen in a direction, in a part of the picture: all between four planes through the eye.

    Eyes are in the camera's axes: right, down, forward (m). The `limits` (4,) of points say where the eye may be to see
    them: each plane has to be this far away. Between two eyes that see some points, every eye sees them.
    """

    def __init__(self, camera: OrbitCamera, part: Rectangle, margin: float):
        (x, y), basis = camera.principal_point, camera.basis
        sides = np.subtract(part, (x, y, x, y)) + np.array([1, 1, -1, -1]) * margin
        self._left, self._top, self._right, self._bottom = sides / camera.focal_length
        planes = [(1, 0, -self._left), (-1, 0, self._right), (0, 1, -self._top), (0, -1, self._bottom)]
        self._planes = np.array(planes, float)  # (4, 3), inwards
        self._lengths, self._world_planes = np.linalg.norm(self._planes, axis=1), self._planes @ basis
        self.forward = basis[2]

    def limits(self, points: np.ndarray, radius: float = 0.0) -> np.ndarray:
        """The limits (..., 4) of points (..., N, 3) m, or of balls of a radius, m, round them."""
        return (points @ self._world_planes.T).min(axis=-2, initial=np.inf) - radius * self._lengths

    def shows(self, eye: np.ndarray, limits: np.ndarray) -> bool:
        """Whether an eye (3,) sees all that has these limits."""
        return bool((self._planes @ eye <= limits + 1e-9).all())

    def shows_some(self, eye: np.ndarray, points: np.ndarray) -> bool:
        """Whether an eye (3,) sees some of the points (N, 3) m."""
        return bool((points @ self._world_planes.T > self._planes @ eye).all(axis=1).any())

    def nearest(self, limits: np.ndarray, forward: float = np.inf) -> np.ndarray:
        """The eyes (..., 3) that are nearest to what has the limits (..., 4), and in the middle; up to `forward`."""
        left, right, top, bottom = np.moveaxis(limits, -1, 0)
        z = np.minimum((left + right) / (self._right - self._left), (top + bottom) / (self._bottom - self._top))
        return self._middle(limits, np.minimum(z, forward))

    def aimed(self, needed: np.ndarray, wanted: np.ndarray, nearest: float, farthest: float) -> np.ndarray:
        """The eye (3,) that sees all of `needed`, and of `wanted` as much as it can between two depths; both limits."""
        depth = min(max(self.nearest(wanted)[2], farthest), nearest, self.nearest(needed)[2])
        x, y, z = self._middle(wanted, depth)
        ends = [(self._right * z - needed[1], needed[0] + self._left * z)]
        ends += [(self._bottom * z - needed[3], needed[2] + self._top * z)]
        return np.array([*(_moved_into(*at) for at in zip((x, y), ends)), z])

    def _middle(self, limits, z):
        """The eyes (..., 3) at depths z (...) that are in the middle of what has the limits (..., 4)."""
        left, right, top, bottom = np.moveaxis(limits, -1, 0)
        x = (left - right + (self._left + self._right) * z) / 2
        y = (top - bottom + (self._top + self._bottom) * z) / 2
        return np.stack([x, y, z], axis=-1)


def _moved_into(at, ends):
    """A number, or if it is not between two others, one that is well between them."""
    low, high = ends
    inwards = INWARDS * (high - low)
    return at if low <= at <= high else min(max(at, low + inwards), high - inwards)


class Fit(NamedTuple):
    """A camera fitted to a part of the picture."""

    camera: OrbitCamera
    part: Rectangle
    limits: np.ndarray | None = None  # (4,) of what it shows; None: nothing in particular
    widest: OrbitCamera | None = None  # where it would stand to show nearly all of play


class Cameras:
    """All cameras of a place. view: the sport's CameraView."""

    def __init__(self, view: Any, place: Place):
        width, length = np.ptp(place.paths.reshape(-1, 3), axis=0)[:2]
        self._view, self._level_azimuth = view, 90.0 if length > width else 0.0
        self.standing, self.following, self._above = Framing(place), Framing(place, follows=True), Framing(place)

    def view(self, size: tuple[int, int], free: Free, direction: tuple | None = None) -> OrbitCamera:
        """The camera fitted to the place from the sport's own view, or from a direction (azimuth, elevation), degrees.

        size     of the picture, px
        free     what is free of it
        From above, the longer side of the place is level, whatever the azimuth.
        """
        camera = OrbitCamera.of(self._view, size)
        if direction:
            azimuth, elevation = direction
            camera = camera.from_direction(self._level_azimuth if elevation > STEEP else azimuth, elevation)
            camera = dataclasses.replace(camera, field_of_view=FIELD_OF_VIEW)
        return self.standing.fitted(camera, free)

    def from_above(self, session: Any, size: tuple[int, int]) -> OrbitCamera:
        """The camera of this moment from above, in a picture without panels."""
        whole = Free(Rectangle(0, 0, *size))
        camera = OrbitCamera((0.0, 0.0, 0.0), self._level_azimuth, 88.0, 1.0, FIELD_OF_VIEW, size, fitted=True)
        return self._above.camera(session, camera, whole)


class Framing:
    """A camera that shows a place. It keeps where the camera was to stand at each moment of the ball that is shown."""

    def __init__(self, place: Place, follows: bool = False):
        self.place, self.follows = place, follows
        self._fits: dict[tuple, Fit] = {}
        self._key: tuple | None = None
        self._moments: list | None = None
        self._shown: dict[bytes, OrbitCamera] = {}  # the last eye, and the camera there

    def fitted(self, camera: OrbitCamera, free: Free) -> OrbitCamera:
        """The camera, from its direction, fitted to the place."""
        return self._fit(camera, free).camera

    def camera(self, session: Any, camera: OrbitCamera, free: Free) -> OrbitCamera:
        """The camera of this moment: where somebody has moved it, `camera` itself, unless it follows the ball."""
        if not (camera.fitted or self.follows):
            return camera
        fit = self._fit(camera, free) if camera.fitted else Fit(camera, free.parts()[-1])
        if fit[:2] != self._key or session.moments is not self._moments:
            self._key, self._moments = fit[:2], session.moments
            self._restart(fit.camera, fit.part, fit.limits, free)
        self._update(session)
        eye = self._eye(session.now)
        if (eye == self._home).all():
            return fit.camera
        if (key := eye.tobytes()) not in self._shown:  # a camera keeps what is computed from it
            self._shown = {key: fit.camera.moved_to(eye)}
        return self._shown[key]

    def _fit(self, camera, free):
        """The Fit of a camera from its direction: the nearest that hides hardly anything behind the panel."""
        key = camera.azimuth, camera.elevation, camera.field_of_view, camera.size, free
        if key not in self._fits:
            fits = [self._fit_to_part(camera, part) for part in free.parts()]
            good = [fit for fit in fits if self._covered_share(fit, free) <= MAX_COVERED]
            self._fits = {key: min([*good, fits[-1]], key=lambda fit: fit.camera.distance)}
        return self._fits[key]

    def _fit_to_part(self, camera, part):
        shift = (part.left + part.right - camera.size[0]) / 2
        camera = dataclasses.replace(camera, principal_shift=shift, fitted=True)
        lens = Lens(camera, part, MARGIN * camera.size[1])
        corners, moments = lens.limits(self.place.corners), lens.limits(self.place.paths)
        forward = lens.nearest(np.minimum(corners, moments))[:, 2]
        kept = [moments[forward >= np.quantile(forward, 1 - share)].min(axis=0) for share in SHARES]
        limits = np.minimum(corners, kept)
        eyes = lens.nearest(limits)
        distances = (self.place.paths @ lens.forward).mean() - eyes[:, 2]
        taken = np.flatnonzero(distances <= WIDER * distances[0])[-1]
        camera = dataclasses.replace(camera, distance=float(distances[taken]))
        return Fit(camera.moved_to(eyes[taken]), part, limits[taken], camera.moved_to(eyes[-1]))

    def _covered_share(self, fit, free):
        """The share of the moments of play in the picture that have something behind the panel."""
        paths, shares = self.place.all_paths, []
        for camera in (fit.camera, fit.widest):
            pixels = camera.project(paths.reshape(-1, 3))[0].reshape(*paths.shape[:2], 2)
            is_inside = ((pixels >= fit.part[:2]) & (pixels <= fit.part[2:])).all(axis=(1, 2))
            shares.append(
                free.is_covered(pixels[is_inside], MARGIN * camera.size[1]).any(axis=1).sum() / max(1, is_inside.sum())
            )
        return max(shares)

    def _restart(self, home, part, limits, free):
        """Forget the moments: the camera stands where `home` does until it has to move."""
        self._beside_panel = Lens(home, free.parts()[-1], MARGIN * home.size[1])
        self._shown = {}
        self._panel = Lens(home, free.panel, -INNER_MARGIN * home.size[1])
        self._home, self._home_limits, self._distance = home.basis @ home.eye, limits, home.distance
        self._goal_lens, self._lens = (Lens(home, part, share * home.size[1]) for share in (MARGIN, INNER_MARGIN))
        self._times, self._count = np.empty(2 * MAX_MOMENTS), 0
        self._goals, self._limits = np.empty((2 * MAX_MOMENTS, 3)), np.empty((2 * MAX_MOMENTS, 4))

    def _update(self, session):
        """Where the camera is to stand from each new moment on."""
        moments, known = session.moments, self._times[: self._count]
        self._count = int(np.searchsorted(known, moments[-1].now, side="right"))
        first = bisect_right(moments, known[self._count - 1], key=_now) if self._count else 0
        for moment in moments[max(first, len(moments) - MAX_MOMENTS) :]:
            if self._count == len(self._times):
                self._count = self._count // 2
                for values in (self._times, self._goals, self._limits):
                    values[: self._count] = values[self._count :]
            self._append(moment.now, _points(session, moment.now))

    def _append(self, now, points):
        if not len(points):  # nothing is known of a ball that only cameras see: the camera stays
            goal = self._goals[self._count - 1] if self._count else self._home
            self._times[self._count], self._limits[self._count], self._goals[self._count] = now, np.inf, goal
            self._count += 1
            return
        limits = self._goal_lens.limits(points, (FOLLOW_SPARE if self.follows else SPARE) * self._distance)
        if self.follows and len(points) == 1 and self._home_limits is not None:  # nothing is known of the ball yet
            limits = np.minimum(limits, self._home_limits)
        self._times[self._count], self._limits[self._count] = now, limits
        self._goals[self._count] = self._beside(points) if self.follows else self._goal(points)
        self._count += 1

    def _recent(self, duration):
        """The limits of what was to be seen in the last `duration` s."""
        first = np.searchsorted(self._times[: self._count], self._times[self._count] - duration)
        return self._limits[first : self._count + 1].min(axis=0)

    def _beside(self, points):
        """The eye that follows these points: they are in the middle, and not too near."""
        forward = (points @ self._goal_lens.forward).mean() - FOLLOW_DISTANCE * self._distance
        return self._goal_lens.nearest(self._recent(FOLLOW_HOLD_TIME), forward)

    def _goal(self, points):
        """The eye that sees these points and, near enough, those of the last moments: the last eye if it is as near."""
        goal = self._goals[self._count - 1] if self._count else self._home
        needed = self._lens.limits(points, NEEDED_SPARE * self._distance)
        limits = np.minimum(self._home_limits, self._recent(HOLD_TIME))
        farthest = self._home[2] - FARTHEST * self._distance
        if not self._lens.shows(goal, self._lens.limits(points)) or self._hides(goal, points):
            farther = goal[2] - FARTHER * self._distance
            if self._goal_lens.nearest(needed)[2] > farthest:
                farther = max(farther, farthest)
            goal = self._goal_lens.aimed(needed, limits, farther, farthest)
            if not self._hides(goal, points):
                return goal
            return self._beside_panel.nearest(self._beside_panel.limits(points, SPARE * self._distance), farther)
        better = self._goal_lens.aimed(self._recent(RETURN_TIME), limits, np.inf, farthest)
        is_better = better[2] - goal[2] > NEARER * self._distance and not self._hides(better, points)
        return better if is_better else goal

    def _hides(self, eye, points):
        """Whether some of these points are behind the panel, seen from an eye."""
        return self._panel.shows_some(eye, points)

    def _eye(self, now):
        """Where the camera is: in the mean of where it was to stand during the last MOVING_TIME s."""
        times = self._times[: self._count]
        first, last = (max(0, int(np.searchsorted(times, t, "right")) - 1) for t in (now - MOVING_TIME, now))
        goals = self._goals[first : last + 1]
        if first == last or (goals == goals[0]).all():
            return goals[0]
        ages = now - np.array([now - MOVING_TIME, *times[first + 1 : last + 1], now])
        fraction = np.clip(ages / MOVING_TIME, 0.0, 1.0)
        return -np.diff(fraction**2 * (3 - 2 * fraction)) @ goals


def _points(session, now):
    """The ball and the next LOOKAHEAD s of every forecast, (N, 3) m."""
    points = [session.ball.state_at(now)[0][None]]
    for forecaster in session.forecasters:
        forecast = forecaster.forecast(now)
        if forecast is not None:
            points.append(forecast.mean[(forecast.times > now) & (forecast.times <= now + LOOKAHEAD)])
    points = np.concatenate(points)
    return points[np.isfinite(points).all(axis=1)]
