"""The viewer with pixels: what cameras see of live balls, recorded pixels, and what says so in the window."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, Recorder

from ballcast import models, sim
from ballcast.render.painter import Painter
from ballcast.tracks import Camera, PixelTrack, write_cameras, write_pixels
from ballcast.viewer import keys, play
from ballcast.viewer.options import DisplayOptions
from ballcast.viewer.panels import camera_views
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.playback import sight
from ballcast.viewer.playback.forecaster import Forecaster
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.source import LiveSource, PixelSource
from ballcast.viewer.window import App

SPORT = sim.load("table_tennis")
SIZE = 640, 360


class PixelRecorder(Recorder):
    """Takes pixels: notes them, and forecasts the ball somewhere on its line of sight."""

    name = "pixel recorder"

    def __init__(self):
        super().__init__()
        self.rays = []

    def stream(self):
        self.observed.clear()
        self.rays.clear()
        return self

    def observe(self, time, position):
        super().observe(time, position)
        self.rays.append((position, np.array([0.0, 0.0, 1.0])))

    def observe_pixel(self, time, pixel, camera, diameter=None):
        self.observed.append((time, *pixel))
        self.rays.append(camera.rays(pixel))

    def forecast(self, times):
        if len(self.observed) < 3:
            raise models.HistoryTooShort("3 frames at least")
        origin, direction = self.rays[-1]
        along = np.outer(direction, direction)
        covariance = np.tile(0.3**2 * along + 0.01**2 * np.eye(3), (len(times), 1, 1))
        mean = origin + 3.0 * direction + np.outer(times - times[0], [0.5, 0.0, 0.0])
        belief = SimpleNamespace(velocity=np.array([3.0, 4.0, 0.0]), spin=np.zeros(3))
        return SimpleNamespace(mean=mean, covariance=covariance, landing=None, belief=belief)


class Blind(Recorder):
    name = "blind"

    def observe_pixel(self, time, pixel, camera, diameter=None):
        raise ValueError("blind takes positions, not pixels")


def live(seen_by, seed=0):
    source = LiveSource(SPORT, seed)
    source.seen_by = seen_by
    return source


def window(source, *predictors, **options):
    return App(source, FixedPool(*(predictors or (PixelRecorder(),))), SIZE, headless=True, **options)


def press(app, key):
    keys.handle(app, pygame.event.Event(pygame.KEYDOWN, key=pygame.key.key_code(key), unicode=key, mod=0))
    keys.handle(app, pygame.event.Event(pygame.KEYUP, key=pygame.key.key_code(key), mod=0))


def picture(app):
    return pygame.surfarray.array3d(app.screen).copy()


@pytest.fixture(scope="module")
def recorded():
    """Recorded pixels of one camera, and the files of them."""
    return live("camera").ball(0).pixels


def test_only_pixels_reach_a_predictor_that_sees_by_cameras():
    predictor = PixelRecorder()
    app = window(live("cameras"), predictor)
    for _ in range(10):
        app.frame(FRAME_TIME)
    frames = app.session.ball.pixels.until(app.session.now)
    assert len(frames) > 12 and set(frames.camera) == {0, 1}
    np.testing.assert_array_equal(predictor.observed, np.column_stack([frames.time, frames.pixel]))


@pytest.mark.parametrize("seen_by", ["camera", "cameras"])
def test_the_same_seed_gives_the_same_pixels_and_the_same_picture(seen_by):
    pictures = []
    for _ in range(2):
        app = window(live(seen_by, seed=3))
        for _ in range(8):
            app.frame(FRAME_TIME)
        pictures.append((picture(app), app.session.ball.pixels))
    np.testing.assert_array_equal(pictures[0][0], pictures[1][0])
    np.testing.assert_array_equal(pictures[0][1].pixel, pictures[1][1].pixel)
    assert not np.array_equal(pictures[0][1].pixel[:5], live(seen_by, seed=4).ball(0).pixels.pixel[:5])


def test_a_ball_is_where_its_pixels_say():
    ball = live("cameras").ball(0)
    for k, camera in sight.cameras_of(ball):
        own = ball.pixels.camera == k
        truth = np.array([ball.state_at(t)[0] for t in ball.pixels.time[own]])
        assert np.median(np.linalg.norm(camera.project(truth) - ball.pixels.pixel[own], axis=1)) < 4.0


@pytest.mark.parametrize("name", sim.names())
def test_the_cameras_of_every_sport_see_its_balls(name):
    sport = sim.load(name)
    source = LiveSource(sport, rallies=True)
    for seen_by, count in (("camera", 1), ("cameras", 2)):
        source.seen_by = seen_by
        balls = [source.ball(index) for index in range(2)]
        assert {len(sight.cameras_of(ball)) for ball in balls} == {count}
        duration = np.mean([ball.track.time[-1] for ball in balls])
        assert np.mean([len(ball.pixels) for ball in balls]) > 0.4 * count * sight.RATE * duration
    ground = -np.inf if sport.ground is None else sport.ground
    for camera in sight.rig_of(sport, 2).cameras:
        assert camera.centre[2] > ground


def test_the_key_goes_from_the_tracker_to_one_camera_to_two_and_back():
    predictor = PixelRecorder()
    app = window(live("tracker"), predictor)
    for _ in range(6):
        app.frame(FRAME_TIME)
    before, now = picture(app), app.session.now
    for words, count in (("one camera", 1), ("two cameras", 2), ("a 3D tracker", 0)):
        press(app, "x")
        assert app.message == f"Seen by {words}" and app.session.now == now
        assert len(app.session.cameras) == count and app.session.seen_by == words
        assert (app.session.forecast is not None) and app.session.forecast.made_at == now
        app.frame(0.0)
        assert (picture(app) != before).any() == bool(count) or app.message_frames  # a message is in the picture
    app.message_frames = 0
    app.frame(0.0)
    assert (app.session.ball.pixels is None) and len(app.session.ball.track)
    assert app.session.source.ball(1).pixels is None


def test_later_balls_and_other_sports_are_seen_in_the_same_way():
    app = window(live("camera"))
    app.session.next()
    assert app.session.seen_by == "one camera"
    app.session.throw(np.array([0.0, -1.0, 0.4]), np.array([0.0, 5.0, 1.0]), np.zeros(3))
    assert app.session.seen_by == "one camera"
    source = app.choices._live_source(sim.load("tennis"))
    assert source.seen_by == "camera"


def test_a_change_of_the_world_keeps_the_pixels_until_then():
    app = window(live("camera"))
    for _ in range(20):
        app.frame(FRAME_TIME)
    before, now = app.session.ball.pixels, app.session.now
    app.session.set_override("gravity", 2.0)
    after = app.session.ball.pixels
    np.testing.assert_array_equal(before.until(now).pixel, after.until(now).pixel)
    later = now + 0.3
    assert not np.array_equal(before.until(later).pixel[-1], after.until(later).pixel[-1])


def test_a_predictor_that_takes_no_pixels_says_so():
    app = window(live("tracker"), Blind())
    for _ in range(5):
        app.frame(FRAME_TIME)
    press(app, "x")
    assert app.message == "Seen by one camera; blind takes positions, not pixels"
    app.frame(FRAME_TIME)
    assert app.session.forecast is None
    assert app.session.forecasters[0].problem == "blind takes positions, not pixels"


@pytest.mark.parametrize("name", ["parabola", "constant_velocity"])
def test_predictors_that_ship_refuse_in_one_line(name):
    problem = sight.refusal(models.load(name, sport="table_tennis"))
    assert name in problem and "pixels" in problem and "\n" not in problem


def test_which_frames_matter_is_not_shown_of_pixels():
    app = window(live("camera"))
    for _ in range(8):
        app.frame(FRAME_TIME)
    press(app, "y")
    assert "tracker" in app.message and not app.options.why


def test_recorded_pixels_are_replayed_without_a_ball(recorded):
    predictor = PixelRecorder()
    app = window(PixelSource(SPORT, [dataclasses.replace(recorded, name="mine")]), predictor)
    for _ in range(12):
        app.frame(FRAME_TIME)
    session = app.session
    assert not session.ball.is_motion_known and np.isnan(session.ball.state_at(session.now)[0]).all()
    assert session.errors == {0.1: [], 0.2: [], 0.4: []}
    assert len(predictor.observed) == len(recorded.until(session.now))
    press(app, "x")
    assert "recording" in app.message
    press(app, "j")
    assert "true flight" in app.message and app.game is None
    for options in (DisplayOptions(truth=True, numbers=True, errors=True, inset=True, sliders=True, beliefs=False),
                    DisplayOptions(follow=True)):  # fmt: skip
        app.options = options
        app.frame(FRAME_TIME)
    for _ in range(int(session.ball.end / 0.1) + 2):  # to the end, and the same recording again
        app.frame(0.1)
    assert app.session.index == 1


def test_a_forecast_that_is_not_finite_is_not_shown():
    class Lost(PixelRecorder):
        def forecast(self, times):
            forecast = super().forecast(times)
            forecast.mean[-1] = np.nan
            return forecast

    app = window(live("camera"), Lost())
    for _ in range(8):
        app.frame(FRAME_TIME)
    assert app.session.forecast is None and not app.session.forecasters[0].problem


def test_the_game_is_played_on_what_a_camera_sees():
    app = window(live("camera"), game=True)
    for _ in range(40):
        app.frame(FRAME_TIME)
    assert app.game is not None and app.game.session.seen_by == "one camera"


def test_the_cloud_is_drawn_along_the_line_of_sight():
    """It covers more of the picture if the belief is longer."""

    def covered(spread):
        app = window(live("camera"))
        for _ in range(10):
            app.frame(FRAME_TIME)
        forecasts = app.session.forecasters[0].forecasts
        camera = app.session.cameras[0][1]
        _, direction = camera.rays(app.session.ball.pixels.pixel[0])
        covariance = spread**2 * np.outer(direction, direction) + 1e-4 * np.eye(3)
        last = forecasts[-1]
        last = last._replace(mean=np.tile([0.0, 0.0, 0.6], (len(last.times), 1)), times=last.times,
                             covariance=np.tile(covariance, (len(last.times), 1, 1)))  # fmt: skip
        app.session.forecasters[0].forecasts[-1] = last
        painter, pixels = Painter(SPORT), np.zeros(SIZE, np.uint32, order="F")
        painter.paint(pixels, app.session, app.camera)
        bright = pixels.copy()
        app.session.forecasters[0].forecasts[-1] = last._replace(covariance=None)
        painter.paint(pixels, app.session, app.camera)
        return int((bright != pixels).sum())

    assert covered(0.4) > 1.5 * covered(0.02) > 0


def test_small_pictures_have_places_of_their_own():
    canvas = Canvas(pygame.Surface((1280, 720)))
    sizes = [(1280, 720), (1280, 1024), (720, 1280), (1280, 720), (640, 480)]
    cameras = [SimpleNamespace(size=size) for size in sizes]
    for count in range(1, 6):
        for has_room in (True, False):
            boxes = camera_views.places(canvas, cameras[:count], has_room)
            assert len(boxes) == count
            for k, (x, y, w, h) in enumerate(boxes):
                assert x >= 284 and y >= 16 and x + w <= 1264.01 and h <= 153
                assert abs(w / h - sizes[k][0] / sizes[k][1]) < 1e-6
                for a, b, c, d in boxes[:k]:
                    assert x >= a + c or a >= x + w or y >= b + d or b >= y + h


def test_pixel_dots_stand_where_the_camera_sees_the_ball(recorded):
    """Also with a lens that distorts: the picture is without distortion, and so are the dots."""
    camera = recorded.cameras[0]
    bent = Camera(camera.K, np.array([-0.15, 0.03, 0.001, 0.0]), camera.R, camera.t, camera.size, "bent")
    points = np.array([[0.0, y, 0.3] for y in (-0.5, 0.0, 0.5)])
    track = PixelTrack(np.arange(3) / 60, bent.project(points), np.zeros(3), [bent])
    session = Session(PixelSource(SPORT, [track]), FixedPool(PixelRecorder()))
    for _ in range(4):
        session.advance(FRAME_TIME)
    view = camera_views.through(bent, (320, 180), SPORT)
    xy, _ = camera_views.seen_pixels(session, 0, bent, view)
    np.testing.assert_allclose(xy, view.project(points)[0], atol=1e-3)


def test_a_slow_forecast_does_not_hold_the_window(recorded):
    class Slow(PixelRecorder):
        def forecast(self, times):
            time.sleep(0.15)
            return super().forecast(times)

    forecaster = Forecaster(Slow(), "", 0, PixelSource(SPORT, [recorded]).ball(0), np.array([0.1, 0.2, 0.4]),
                            time.perf_counter)  # fmt: skip
    hidden, took, now = np.zeros(len(recorded), bool), [], 0.1
    while forecaster.forecast(now) is None and now < 2.0:
        began = time.perf_counter()
        forecaster.update(now, hidden)
        took.append(time.perf_counter() - began)
        now += FRAME_TIME
        time.sleep(FRAME_TIME)
    assert forecaster.forecast(now) is not None and np.median(took) < 0.05
    assert forecaster.latency > 0.1 and forecaster.forecast(now).made_at < now


@pytest.fixture
def files(tmp_path, recorded):
    write_pixels(tmp_path / "ball.csv", recorded)
    write_cameras(tmp_path / "cameras.yaml", recorded.cameras)
    return tmp_path


@pytest.mark.parametrize(
    "options, part",
    [
        ({"pixels": ("ball.csv",)}, "--cameras"),
        ({"cameras": "cameras.yaml"}, "--pixels"),
        ({"pixels": ("ball.csv",), "cameras": "cameras.yaml", "track": ("rally",)}, "one of them"),
        ({"pixels": ("ball.csv",), "cameras": "cameras.yaml", "seen_by": "camera"}, "recording"),
        ({"pixels": ("ball.csv",), "cameras": "cameras.yaml", "game": True}, "--game"),
        ({"track": ("rally",), "seen_by": "camera"}, "recording"),
        ({"pixels": ("missing.csv",), "cameras": "cameras.yaml"}, "missing.csv"),
        ({"pixels": ("ball.csv",), "cameras": "missing.yaml"}, "missing.yaml"),
        ({"pixels": ("ball.csv",), "cameras": "broken.yaml"}, "broken.yaml"),
        ({"pixels": ("unknown.csv",), "cameras": "cameras.yaml"}, "elsewhere"),
    ],
)
def test_wrong_input_ends_in_one_line(files, monkeypatch, options, part):
    (files / "broken.yaml").write_text("cameras: [1, 2")
    (files / "unknown.csv").write_text("t,camera,u,v\n0,elsewhere,1,2\n0.1,elsewhere,2,3\n")
    monkeypatch.chdir(files)
    with pytest.raises((ValueError, OSError)) as caught:
        play.run(play.Options(headless=True, frames=1, **options))
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_the_default_predictor_takes_pixels():
    names = play.predictor_names(play.Options(seen_by="camera"), SPORT)
    assert play.takes_pixels(names[0])
    assert play.predictor_names(play.Options(), SPORT)[0] == models.available(SPORT)[0]


def test_play_with_pixels_writes_a_picture(files, monkeypatch):
    monkeypatch.chdir(files)
    options = play.Options(pixels=("ball.csv",), cameras="cameras.yaml", predictor=("parabola",), headless=True)
    play.run(dataclasses.replace(options, frames=6, size="640x360", screenshot=files / "out.png"))
    assert (files / "out.png").stat().st_size > 10_000
