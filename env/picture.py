"""A moment of Catch as a picture: the place, the plane's part in which discs start, the disc, the ball, its track and
its forecast."""

import dataclasses
from typing import Any

import numpy as np

from ballcast.env.rounds import Rounds
from ballcast.env.supply import Supply
from ballcast.env.task import Task
from ballcast.render import raster
from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import OrbitCamera
from ballcast.render.confidence_tube import RegionGrid
from ballcast.render.draw_list import DrawList
from ballcast.render.palette import FORECAST_COLOR, TRACK_COLOR, predictor_color
from ballcast.render.place import Place
from ballcast.render.scene import Scene

SIZE = 640, 480  # px
MIN_BALL = 5.0  # px, the radius with which a ball is drawn at least
MARGIN, WIDER, MAX_TRIES = 0.2, 1.08, 60  # of the picture round the plane's part; a step back, and how many
ASIDE, ELEVATION = 20.0, 14.0  # degrees: how far from straight behind an upright plane, and from how high, it is seen
DISC_COLOR, PLANE_COLOR = predictor_color(1), (200, 205, 215)
CIRCLE = np.linspace(0.0, 2.0 * np.pi, 49)
TRACK_STEP = 0.01  # s between the points of the true flight


class Picture:
    """Paints the first of some rounds. It keeps the place as long as it lives."""

    def __init__(self, task: Task, size: tuple[int, int] = SIZE):
        self.task, self.scene = task, Scene.of(task.sport)
        corners = task.start[[0, 0, 0, 0], [0, 1, 1, 0]], task.start[[1, 1, 1, 1], [0, 0, 1, 1]]
        self._corners = task.point(np.stack(corners, axis=1))
        self.camera = camera_of(task, self._corners, size)
        self.place = Place(task.sport.surfaces, self.scene, task.sport.ball.radius, task.sport.world.gravity)
        self._backdrop = Backdrop.of(self.scene, task.sport.view, self.camera)
        self._grid, self._flight, self._ball = RegionGrid(self.place, self.camera), np.zeros((1, 3)), (-1, -1)

    def paint(self, rounds: Rounds, observer: Any) -> np.ndarray:
        """The picture (H, W, 3) uint8; observer: the environment's, whose forecast is drawn if it makes one."""
        draw_list = DrawList(self.camera)
        draw_list.line(self._corners[[0, 1, 2, 3, 0]], 0.8, PLANE_COLOR, 0.5)
        self._add_disc(draw_list, rounds.place[0])
        seen = rounds.episodes.frames[0, : rounds.padding + rounds.step[0] + 1]
        draw_list.dots(seen[seen[:, 3] > 0.0, :3].astype(float), 1.6, TRACK_COLOR, 0.7)
        if hasattr(observer, "paths"):
            self._add_forecast(draw_list, rounds, observer)
        self._add_ball(draw_list, rounds)
        pixels = raster.new_picture(self.camera.size)
        draw_list.paint(pixels, self._backdrop)
        colors = np.ascontiguousarray(pixels.T)
        return np.stack([(colors >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(np.uint8)

    def _add_disc(self, draw_list, place):
        around = self.task.point(place + self.task.radius * np.stack([np.cos(CIRCLE), np.sin(CIRCLE)], axis=1))
        outline = self.camera.project_polygon(around[:-1])
        draw_list.fill(self.task.point(place), outline, np.array([0, len(outline)]), DISC_COLOR, 0.45)
        draw_list.line(around, 1.2, DISC_COLOR, 0.9)

    def _add_forecast(self, draw_list, rounds, observer):
        seen = observer.observe(rounds)
        if not seen["crosses"][0, 0]:
            return
        times, mean, covariance = (values[0] for values in observer.paths(rounds))
        until = rounds.time[0] + float(seen["crossing"][0, 0])
        shown = np.arange(len(times)) <= np.searchsorted(times, until)
        region = self._grid.region(rounds.time[0], times[shown], mean[shown], covariance[shown])
        if region is not None:
            draw_list.region(mean[0], region, FORECAST_COLOR)
        draw_list.line(mean[shown], 1.4, FORECAST_COLOR, 0.7)
        draw_list.dots(self.task.point(seen["crossing"][0, 1:].astype(float))[None], 3.0, FORECAST_COLOR, 0.9)

    def _add_ball(self, draw_list, rounds):
        at = rounds.episodes.begin[0] + min(rounds.time[0], rounds.episodes.crossing[0, 0])
        if rounds.is_over[0]:
            at = rounds.episodes.begin[0] + rounds.episodes.crossing[0, 0]
        position = self._true_position(rounds.supply, int(rounds.episodes.number[0]), at)
        depth = max(float(self.camera.project(position[None])[1][0]), 0.05)
        radius = max(self.task.sport.ball.radius * self.camera.focal_length / depth, MIN_BALL)
        draw_list.ball(position, radius, self.task.sport.view.ball_color, np.eye(3))

    def _true_position(self, supply: Supply, number, at):
        """Where ball `number` truly is at `at` s from its launch, (3,) m."""
        if self._ball != (supply.seed, number):
            times = np.arange(0.0, self.task.times[1] + 2.0 / self.task.rate + TRACK_STEP, TRACK_STEP)
            self._flight, self._ball = supply.balls(number).flight(times).position[0], (supply.seed, number)
        steps = TRACK_STEP * np.arange(len(self._flight))
        return np.array([np.interp(at, steps, axis) for axis in self._flight.T])


def camera_of(task: Task, corners: np.ndarray, size: tuple[int, int]) -> OrbitCamera:
    """A camera behind the plane, which sees the ball come, or above a level plane; far enough for the corners (N, 3) m
    of the part in which discs start."""
    own, middle = OrbitCamera.of(task.sport.view, size), corners.mean(axis=0)
    azimuth = {0: -90.0, 1: 180.0}.get(task.axis, own.azimuth)
    if task.axis < 2:
        azimuth += ASIDE + (180.0 if task.direction < 0.0 else 0.0)
    target = (float(middle[0]), float(middle[1]), float(middle[2]))
    distance = 0.5 * float(np.linalg.norm(np.ptp(corners, axis=0)))
    camera = dataclasses.replace(own, target=target, distance=distance, fitted=False)
    camera = camera.from_direction(azimuth, ELEVATION if task.axis < 2 else own.elevation)
    for _ in range(MAX_TRIES):
        pixels, _ = camera.project(corners)
        if ((pixels > MARGIN * np.array(size)) & (pixels < (1.0 - MARGIN) * np.array(size))).all():
            break
        camera = camera.zoomed(1.0 / WIDER)
    return camera
