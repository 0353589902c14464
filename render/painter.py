"""A session and a camera -> the 3D picture. No clock, no events, no screen: the same state gives the same pixels.

A session is what the viewer plays: a ball, a time, and predictors with their forecasts (viewer/playback/session.py).
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from ballcast.render import raster
from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import OrbitCamera, Perspective
from ballcast.render.confidence_tube import RegionGrid
from ballcast.render.draw_list import DrawList
from ballcast.render.palette import SHADOW_COLOR, TRACK_COLOR, TRUTH_COLOR, predictor_color
from ballcast.render.place import ENDS_ON_FLOOR, Place
from ballcast.render.scene import Polygon, Scene, support_height

MAX_DOTS = 600  # of the observed frames are drawn, the last ones
FADE_TIME = 1.2  # s over which an observed dot fades
END_MARK = 3.0  # px: the dot where a forecast ends on the floor
MIN_BALL_PIXELS = 8.0  # px; a ball is drawn no smaller, so that it can be seen
ARROW_TIME = 0.12  # s of flight that the arrow of a launch shows
DOT_RADIUS, DOT_HEIGHT = 1.9, 720  # px of an observed dot, in pictures of this height and more
SMALL_DOT = 1.1  # px of one in the smallest pictures
CLOUD_TIME = 0.3  # s ahead that the first time of a forecast is, and less, for its cloud to be drawn
CLOUD_STEP = 1e-3  # s, over which the place of a ball that cameras see is drawn
CLOUD_SD = 0.7  # spacings of the region's grid that are added to it, so that a narrow one has a smooth rim
CLOUD_ALPHAS = 0.16, 0.8  # at its rim and in its middle
FRUSTUM, FRUSTUM_ALPHA = 0.055, 0.55  # of the picture's distance: how deep a camera is drawn; its lines
RAY_TIME, RAY_ALPHA, RAY_LENGTH = 0.25, 0.5, 2.0  # s for which a line of sight is drawn; over the picture's distance
OUTLINE, OUTLINE_ALPHA = 1.2, 0.55  # px round a forecast on a green floor, and how dark
CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 49)) for f in (np.cos, np.sin, np.zeros_like)], axis=1)


class Painter:
    """Paints sessions of a sport. It keeps the backdrop until the camera moves.

    regions      of the last picture: predictor's number -> its Region, with the time until which it is drawn
    ball_pixels  px; a ball is drawn no smaller, so that it can be seen
    is_seen      whether the picture is what one of the cameras sees that see the ball: it shows no camera
    """

    def __init__(self, sport, ball_pixels=MIN_BALL_PIXELS, is_seen=False):
        self.sport, self.scene, self.regions = sport, Scene.of(sport), {}
        self.ball_pixels, self.is_seen = ball_pixels, is_seen
        self.place = Place(sport.surfaces, self.scene, sport.ball.radius, sport.world.gravity)
        self._has_outlines = self.scene.floor is not None and is_green(self.scene.floor.color)
        self._camera = self._backdrop = self._grid = None

    def paint(
        self, pixels: np.ndarray, session: Any, camera: Perspective, truth: bool = False, throw: Any = None,
        attribution: Any = None,
    ) -> None:  # fmt: skip
        """Fill the picture (W, H) uint32 with this moment of a session; `truth`: also where the ball will truly go."""
        if camera != self._camera:
            self._backdrop = Backdrop.of(self.scene, self.sport.view, camera, old=self._backdrop)
            self._camera = camera
            self._grid = None
        self._draw_list, self.regions = DrawList(camera), {}
        self._shadow(session)
        if truth:
            self._truth(session)
        for forecaster in reversed(session.forecasters):
            self._paths(session, forecaster)
        if session.ball.pixels is None:
            self._track(session)
        elif not self.is_seen:
            self._sight(session)
        if attribution is not None and len(attribution.time):
            self._attributed_frames(attribution)
        if throw is not None:
            self._arrow(throw)
        self._ball(session)
        self._draw_list.paint(pixels, self._backdrop)

    def _shadow(self, session):
        """The ball's shadow on the surface below it, fainter the higher the ball is, and a plumb line down to it."""
        position = session.ball.state_at(session.now)[0]
        if (height := support_height(self.sport, position)) is None:
            return
        foot = np.array([*position[:2], height + 1e-3])
        up = (position[2] - height) / (self._camera.distance * 0.5)
        radius = self._radius(position)[1] * (1 + 0.5 * up)
        outline = self._camera.project_polygon(foot + CIRCLE * radius)
        self._draw_list.fill(foot, outline, np.array([0, len(outline)]), SHADOW_COLOR, 0.5 / (1 + 1.5 * up))
        self._draw_list.line(np.linspace(foot, position, 9), 0.6, (255, 255, 255), 0.16, spacing=1.5)

    def _truth(self, session):
        _, positions = session.ball.positions_at(session.now + session.lead_times)
        if len(positions) > 1:
            self._draw_list.line(positions, 1.0, TRUTH_COLOR, 0.35, spacing=4.0)

    def _paths(self, session, forecaster):
        """A forecast from the ball on, its region and its landing."""
        current, color = forecaster.forecast(session.now), predictor_color(forecaster.number)
        if current is None:
            return
        times, points = current.times, current.mean
        has_start = session.ball.pixels is None  # of what cameras see, a forecast begins elsewhere than the ball
        if times[0] > session.now and has_start:  # from the ball on
            start = session.ball.state_at(session.now)[0]
            times, points = np.append(session.now, times), np.vstack([start, points])
        times, points, reason = self.place.drawn_path(times, points, current.landing)
        until = self._region(session.now, forecaster.number, current, times[-1], color)
        if not has_start:
            self._cloud(session.now, current, color)
        is_future = times >= session.now
        alpha = np.linspace(0.75, 0.06, is_future.sum())
        times, points = times[is_future], points[is_future]
        if until is None:
            self._forecast_line(points, 1.6, color, alpha)
        else:
            count = int(np.searchsorted(times, until, side="right"))
            self._forecast_line(points[:count], 1.6, color, np.linspace(0.75, 0.45, count))
            beyond = points[max(count - 1, 0) :]
            self._forecast_line(beyond, 1.0, color, np.linspace(0.45, 0.2, len(beyond)))
        if reason == ENDS_ON_FLOOR:
            self._draw_list.dots(points[-1:], END_MARK, color, 0.6)
        if current.landing is not None and current.landing.time > session.now - 0.5:
            self._landing_mark(np.asarray(current.landing.position, float), color)

    def _region(self, now, number, forecast, end, color):
        """The region of a forecast until its path ends. Returns the time until which it is drawn, or None."""
        if forecast.covariance is None:
            return None
        self._grid = self._grid or RegionGrid(self.place, self._camera)
        rows = (forecast.times > now) & (forecast.times <= end)
        mean = forecast.mean[rows]
        region = self._grid.region(now, forecast.times[rows], mean, forecast.covariance[rows])
        if region is None:
            return None
        self.regions[number] = region
        self._draw_list.region(mean[0], region, color)
        return region.until

    def _cloud(self, now, forecast, color):
        """Where the ball may be now: long along the line of sight of a camera that does not see depth."""
        if forecast.covariance is None or not forecast.times[0] < now + CLOUD_TIME:
            return
        row = min(int(np.searchsorted(forecast.times, now)), len(forecast.times) - 1)
        mean, covariance = (np.repeat(values[row][None], 2, 0) for values in (forecast.mean, forecast.covariance))
        times = now + np.array([0.5, 1.0]) * CLOUD_STEP
        self._grid = self._grid or RegionGrid(self.place, self._camera)
        depth = float(self._camera.project(mean[:1])[1][0])
        covariance = covariance + (CLOUD_SD * self._grid.spacing * depth / self._camera.focal_length) ** 2 * np.eye(3)
        region = self._grid.region(now, times, mean, covariance)
        if region is not None and (top := float(region.density.max())) > 0.0:
            self._draw_list.region(mean[0], region._replace(density=region.density / top), color, CLOUD_ALPHAS)

    def _sight(self, session):
        """The cameras that see the ball, and the line of sight of the last pixel of each."""
        pixels, depth = session.ball.pixels, FRUSTUM * self._camera.distance
        rows = session.observed_frames
        for number, camera in session.cameras:
            corners = (np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * camera.size) - 0.5
            eye, directions = camera.rays(corners)
            ends = eye + directions * (depth / (directions @ camera.R[2]))[:, None]
            for a, b in [*zip(ends[:-1], ends[1:]), *((eye, end) for end in ends[:-1])]:
                self._draw_list.line(np.linspace(a, b, 5), 0.7, TRACK_COLOR, FRUSTUM_ALPHA)
            own = rows[pixels.camera[rows] == number]
            if len(own) and (age := session.now - pixels.time[own[-1]]) < RAY_TIME:
                _, ray = camera.rays(pixels.pixel[own[-1]])
                end = self.place.ray_end(eye, ray, RAY_LENGTH * self._camera.distance)
                self._draw_list.line(np.linspace(eye, end, 65), 0.7, TRACK_COLOR, RAY_ALPHA * (1.0 - age / RAY_TIME))

    def _arrow(self, throw):
        """The launch: as long as the ball flies in ARROW_TIME."""
        tip = throw.position + ARROW_TIME * throw.velocity
        self._draw_list.line(np.linspace(throw.position, tip, 9), 2.2, TRUTH_COLOR, 0.9)
        across = np.cross(throw.velocity, self._camera.basis[2])
        norm = np.linalg.norm(across)
        if norm > 1e-6:
            barb = 0.25 * ARROW_TIME * np.linalg.norm(throw.velocity) * across / norm * 0.5
            back = tip - 0.25 * ARROW_TIME * throw.velocity
            for side in (barb, -barb):
                self._draw_list.line(np.linspace(back + side, tip, 5), 2.2, TRUTH_COLOR, 0.9)

    def _forecast_line(self, points, radius, color, alpha):
        """A line of a forecast, with a thin dark outline where the floor is as green as it may be."""
        if self._has_outlines:
            self._draw_list.line(points, radius + OUTLINE, SHADOW_COLOR, OUTLINE_ALPHA * np.asarray(alpha))
        self._draw_list.line(points, radius, color, alpha)

    def _landing_mark(self, position, color):
        """A landing: a target on the surface, under the ball's centre at contact."""
        foot = position - (0, 0, self.sport.ball.radius - 1e-3)
        _, depth = self._camera.project(foot[None])
        pixel_size = max(depth[0], 0.1) / self._camera.focal_length  # m
        radius = max(2.5 * self.sport.ball.radius, 11 * pixel_size)
        self._forecast_line(foot + CIRCLE * radius, 1.6, color, 0.6)
        self._forecast_line(foot + CIRCLE * radius * 0.3, 1.6, color, 0.6)

    def _track(self, session):
        rows = session.observed_frames[-MAX_DOTS:]
        points, age = session.ball.track.position[rows], session.now - session.ball.track.time[rows]
        radius = max(SMALL_DOT, DOT_RADIUS * min(1.0, self._camera.size[1] / DOT_HEIGHT))
        self._draw_list.dots(points, radius, TRACK_COLOR, 0.25 + 0.6 * np.exp(-age / FADE_TIME))

    def _attributed_frames(self, attribution):
        fraction = attribution.sensitivity / max(attribution.sensitivity.max(), 1e-12)
        points = attribution.history[1][-len(fraction) :]
        self._draw_list.dots(points, 2.0 + 5.0 * np.sqrt(fraction), TRACK_COLOR, 0.35 + 0.6 * fraction)

    def _ball(self, session):
        position = session.ball.state_at(session.now)[0]
        radius, _ = self._radius(position)
        if radius <= self._camera.size[1]:  # NaN where nobody knows where the ball is
            orientation = view_rotation(self._camera, session.orientation)
            self._draw_list.ball(position, radius, self.sport.view.ball_color, orientation)

    def _radius(self, position):
        """How large the ball is drawn: (px, m)."""
        depth = max(float(self._camera.project(position[None])[1][0]), 0.05)
        pixels = max(self.sport.ball.radius * self._camera.focal_length / depth, self.ball_pixels)
        return pixels, pixels * depth / self._camera.focal_length


def is_green(color: Sequence[float]) -> bool:
    """Whether a colour (red, green, blue) is a green one."""
    return color[1] > color[0] and color[1] > color[2]


def view_rotation(camera: Perspective, orientation: np.ndarray) -> np.ndarray:
    """From the picture's axes (right, down, towards the camera) to those of a ball turned by `orientation` (3, 3)."""
    right, down, forward = camera.basis
    return orientation.T @ np.column_stack([right, down, -forward])


def compile_kernels() -> None:
    """Compile, or load from the disk, every kernel that pictures need, by painting a small one."""
    camera = OrbitCamera((0.0, 0.0, 0.0), 0.0, 30.0, 3.0, 40.0, (48, 32))
    times, points = np.linspace(0.0, 0.1, 4), np.linspace((0, 0, 0.2), (0.5, 0, 1), 4)
    scene = Scene(None, (Polygon(np.tile(np.eye(3), (2, 1, 1)), (255, 255, 255)),), (), np.zeros(2), np.ones(2), 1.0)
    place = Place((), scene, 0.1, 9.81)
    place.drawn_path(times, points)
    draw_list = DrawList(camera)
    draw_list.line(points, 1.0, TRUTH_COLOR, 1.0)
    draw_list.dots(points, 1.0, TRUTH_COLOR, 1.0)
    outline = camera.project_polygon(points[0] + CIRCLE)
    draw_list.fill(points[0], outline, np.array([0, len(outline)]), TRUTH_COLOR, 1.0)
    region = RegionGrid(place, camera).region(0.0, times, points, np.tile(0.01 * np.eye(3), (4, 1, 1)))
    assert region is not None
    draw_list.region(points[0], region, TRUTH_COLOR)
    draw_list.ball(points[0], 6.0, TRUTH_COLOR, np.eye(3))
    view: Any = SimpleNamespace(background=(0, 0, 0))  # a backdrop reads no more of a CameraView
    draw_list.paint(raster.new_picture(camera.size), Backdrop.of(scene, view, camera))
