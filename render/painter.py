"""A session and a camera -> the picture. No clock, no events, no screen needed: the same state gives the same pixels.

painter = Painter(sport)
painter.paint(surface, session, camera)          # the world alone; picture.py has all
"""

import numpy as np

from ballcast.render.backdrop import Backdrop
from ballcast.render.confidence_tube import confidence_tube
from ballcast.render.draw_list import DrawList
from ballcast.render.scene import Scene, support_height

TRACK_COLOR, TRUTH_COLOR, SHADOW_COLOR = (178, 208, 255), (255, 255, 255), (0, 0, 0)
FORECAST_COLORS = (  # by the number of the predictor; to be told apart without red and green (after Okabe and Ito 2008)
    (96, 240, 190), (255, 159, 64), (226, 140, 255), (255, 235, 110), (90, 180, 255), (255, 120, 120), (170, 200, 110),
)  # fmt: skip
FORECAST_COLOR = FORECAST_COLORS[0]
MAX_DOTS = 600  # of the seen frames are drawn, the last ones
FADE_TIME = 1.2  # s over which a seen dot fades
MIN_BALL_PIXELS = 6.0  # px; a ball is drawn no smaller, or nobody would see it
ARROW_TIME = 0.12  # s of flight that the arrow of a launch shows
TRAIL_SPACING = 0.1  # s between the old forecasts that are drawn
TUBE_ALPHA = 0.13  # alpha of the region
UNIT_CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, 49)), np.sin(np.linspace(0, 2 * np.pi, 49)), np.zeros(49)], axis=1
)


class Painter:
    """Paints a sport's sessions; keeps the backdrop until the camera moves."""

    def __init__(self, sport):
        self.sport, self.scene = sport, Scene.of(sport)
        self._camera = self._backdrop = None

    def paint(self, pixels, session, camera, truth=False, throw=None, attribution=None):
        """Fill the surface with the picture of this moment.

        truth  whether to show where the ball will truly go; throw: a Throw that is being made; why: a Why
        """
        if camera != self._camera:
            self._camera, self._backdrop = camera, Backdrop.of(self.scene, self.sport.view, camera)
        self._draw_list = DrawList(camera)
        self._shadow(session)
        if truth:
            self._truth(session)
        for forecaster in reversed(session.forecasters):
            self._paths(session, forecaster, forecaster is session.forecasters[0])
        self._track(session)
        if attribution is not None and len(attribution.time):
            self._attributed_frames(attribution)
        if throw is not None:
            self._arrow(throw)
        self._ball(session)
        self._draw_list.paint(pixels, self._backdrop)

    # --- the things ---------------------------------------------------------------------------------------------------

    def _shadow(self, session):
        """The ball's shadow on what is below it, fainter the higher it is, and a plumb line down to it."""
        position = session.ball.state_at(session.now)[0]
        if (height := support_height(self.sport, position)) is None:
            return
        foot = np.array([*position[:2], height + 1e-3])
        up = (position[2] - height) / (self._camera.distance * 0.5)
        radius = self._radius(position)[1] * (1 + 0.5 * up)
        outline = self._camera.project_polygon(foot + UNIT_CIRCLE * radius)
        self._draw_list.fill(foot, outline, np.array([0, len(outline)]), SHADOW_COLOR, 0.5 / (1 + 1.5 * up))
        self._draw_list.line(np.linspace(foot, position, 9), 0.6, (255, 255, 255), 0.16, spacing=1.5)

    def _truth(self, session):
        """Where the ball will truly go, which nobody was told."""
        _, positions = session.ball.positions_at(session.now + session.lead_times)
        if len(positions) > 1:
            self._draw_list.line(positions, 1.0, TRUTH_COLOR, 0.35, spacing=4.0)

    def _paths(self, session, forecaster, is_first):
        """A forecast, the first predictor's older ones fading behind it, and where the ball is to land."""
        current, color = forecaster.forecast(session.now), predictor_color(forecaster)
        if current is None:
            return
        if is_first:
            self._past_forecasts(session, forecaster.past(session.now), current, color)
        is_future = current.times > session.now
        if current.covariance is not None and is_future.any():
            outlines = confidence_tube(self._camera, current.mean[is_future], current.covariance[is_future])
            self._draw_list.fill(current.mean[is_future][0], *outlines, color, TUBE_ALPHA)
        points = (
            np.vstack([session.ball.state_at(session.now)[0], current.mean[is_future]])
            if is_future.all()
            else current.mean[is_future]
        )
        self._draw_list.line(points, 1.6, color, np.linspace(0.75, 0.06, len(points)))
        if current.landing is not None and current.landing.time > session.now - 0.5:
            self._landing_mark(np.asarray(current.landing.position, float), color)

    def _arrow(self, throw):
        """The launch: as long as the ball flies in AIM seconds."""
        tip = throw.position + ARROW_TIME * throw.velocity
        self._draw_list.line(np.linspace(throw.position, tip, 9), 2.2, TRUTH_COLOR, 0.9)
        across = np.cross(throw.velocity, self._camera.basis[2])
        norm = np.linalg.norm(across)
        if norm > 1e-6:
            barb = 0.25 * ARROW_TIME * np.linalg.norm(throw.velocity) * across / norm * 0.5
            back = tip - 0.25 * ARROW_TIME * throw.velocity
            for side in (barb, -barb):
                self._draw_list.line(np.linspace(back + side, tip, 5), 2.2, TRUTH_COLOR, 0.9)

    def _past_forecasts(self, session, past, current, color):
        last_drawn = current.made_at
        for forecast in past[::-1]:
            if (
                forecast.made_at < current.made_at - TRAIL_SPACING / 2
                and forecast.made_at <= last_drawn - TRAIL_SPACING + 1e-9
            ):
                last_drawn = forecast.made_at
                is_future = forecast.times > session.now
                fade = 0.16 * (1 - (current.made_at - forecast.made_at) / 0.7) * np.linspace(1, 0.2, is_future.sum())
                self._draw_list.line(forecast.mean[is_future], 1.0, color, fade)

    def _landing_mark(self, position, color):
        """A landing: a target on the surface, under the ball's centre at contact."""
        foot = position - (0, 0, self.sport.ball.radius - 1e-3)
        _, depth = self._camera.project(foot[None])
        pixel_size = max(depth[0], 0.1) / self._camera.focal_length  # m
        radius = max(2.5 * self.sport.ball.radius, 11 * pixel_size)
        self._draw_list.line(foot + UNIT_CIRCLE * radius, 1.6, color, 0.6)
        self._draw_list.line(foot + UNIT_CIRCLE * radius * 0.3, 1.6, color, 0.6)

    def _track(self, session):
        """What the tracker saw, the older the fainter."""
        rows = session.observed_frames[-MAX_DOTS:]
        points, age = session.ball.track.position[rows], session.now - session.ball.track.time[rows]
        self._draw_list.dots(points, 1.9, TRACK_COLOR, 0.25 + 0.6 * np.exp(-age / FADE_TIME))

    def _attributed_frames(self, attribution):
        """The seen frames again, the larger the further the forecast moves with them."""
        fraction = attribution.sensitivity / max(attribution.sensitivity.max(), 1e-12)
        points = attribution.history[1][-len(fraction) :]
        self._draw_list.dots(points, 2.0 + 5.0 * np.sqrt(fraction), TRACK_COLOR, 0.35 + 0.6 * fraction)

    def _ball(self, session):
        position = session.ball.state_at(session.now)[0]
        radius, _ = self._radius(position)
        if radius <= self._camera.size[1]:
            self._draw_list.ball(
                position, radius, self.sport.view.ball_color, view_rotation(self._camera, session.orientation)
            )

    def _radius(self, position):
        """How large the ball is drawn: (px, m)."""
        depth = max(float(self._camera.project(position[None])[1][0]), 0.05)
        pixels = max(self.sport.ball.radius * self._camera.focal_length / depth, MIN_BALL_PIXELS)
        return pixels, pixels * depth / self._camera.focal_length


def predictor_color(forecaster):
    """A predictor's colour, the same wherever it is drawn."""
    return FORECAST_COLORS[forecaster.number % len(FORECAST_COLORS)]


def view_rotation(camera, orientation):
    """From the picture's axes (right, down, towards the eye) to those of a ball turned by `turn` (3, 3)."""
    right, down, forward = camera.basis
    return orientation.T @ np.column_stack([right, down, -forward])
