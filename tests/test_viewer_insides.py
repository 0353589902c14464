"""What the viewer shows of a predictor's inside: gates, beliefs, errors over time, which frames mattered."""

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import models, sim
from ballcast.viewer.options import ALL_ON, DisplayOptions
from ballcast.viewer.panels.timeline import COLORMAP
from ballcast.viewer.playback.attribution import PERTURBATION, Attribution
from ballcast.viewer.playback.forecaster import GATE_GROUPS, LEAD_TIMES
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.window import App
from benchmarks import viewer_soak

SPORT = sim.load("table_tennis")


def make_app(*predictors, size=(960, 540), **options):
    return App(LiveSource(SPORT, 187), FixedPool(*predictors), size, True, shown=range(len(predictors)), **options)


def pixels(app):
    return pygame.surfarray.array3d(app.screen).astype(int)


def test_the_gates_are_those_that_moved_the_memory():
    gru = models.load("gru", SPORT)
    stream, ball = gru.stream(), LiveSource(SPORT, 187).ball(0)
    read, memory = [], [stream.hidden]
    for time, position in zip(ball.track.time[:40], ball.track.position[:40]):
        stream.observe(time, position)
        read.append(stream.features)
        memory.append(stream.hidden)
    read, memory = np.array(read), np.array(memory)
    gates = gru.gates(read, memory[:-1])
    assert gates.shape == (40, 2, memory.shape[1]) and gates.min() >= 0 and gates.max() <= 1
    a, b = (
        read @ gru.network.input_weight + gru.network.input_bias,
        memory[:-1] @ gru.network.hidden_weight + gru.network.hidden_bias,
    )
    new = np.tanh(np.split(a, 3, 1)[2] + gates[:, 1] * np.split(b, 3, 1)[2])
    np.testing.assert_allclose(memory[1:], memory[:-1] + gates[:, 0] * (new - memory[:-1]), atol=2e-5)
    assert not models.load("lstm", SPORT).has_gates


def test_a_bounce_lights_the_gates_up():
    session = Session(LiveSource(SPORT, 187), FixedPool(models.load("gru", SPORT)))
    for _ in range(80):
        session.advance(FRAME_TIME)
    times, gates = session.forecasters[0].gates(session.now)
    assert gates.shape == (len(session.observed_frames), 2, GATE_GROUPS) and np.array_equal(
        times, session.ball.track.time[session.observed_frames]
    )
    bounce = session.ball.landing_time[0]
    before, after = ((times > bounce + a) & (times < bounce + b) for a, b in ((-0.1, -0.005), (0.0, 0.03)))
    assert gates[after, 0].mean() > 1.2 * gates[before, 0].mean()
    early = session.forecasters[0].gates(0.3)
    assert np.array_equal(early[1], gates[: len(early[0])]) and COLORMAP.shape == (256, 3)


class Straight(Recorder):
    """Forecasts twice the last place less the first: what each frame weighs is known."""

    name = "straight"

    def forecast_batch(self, tracks, times):
        from types import SimpleNamespace

        return [SimpleNamespace(mean=(2 * t.position[-1] - t.position[0])[None]) for t in tracks]


def test_why_tells_how_far_each_frame_moves_the_forecast():
    ball, forecaster = OneBall().one, Session(OneBall(), FixedPool(Straight())).forecasters[0]
    attribution = Attribution(forecaster, ball.track.time[:30], ball.track.position[:30], 10.3)
    works = 0
    while attribution.compute_some():
        works += 1
    expected = np.zeros(30)
    expected[[0, -1]] = 1, 2
    np.testing.assert_allclose(attribution.sensitivity, expected, atol=1e-6 / PERTURBATION)
    assert np.array_equal(attribution.time, ball.track.time[:30]) and works > 1 and "2.00 mm" in attribution.title


def asked_why():
    """An App that has shown why, for a while."""
    app = make_app(models.load("gru", SPORT))
    for frame in range(40):
        if frame == 20:
            app.toggle_attribution()
        app.frame(FRAME_TIME)
    return app


def test_why_is_drawn_where_no_frame_matters():
    """A forecast below the floor is lifted onto it: then no frame moves it."""
    app = asked_why()
    app.attribution.sensitivity[:] = 0.0
    with np.errstate(all="raise"):
        app.frame(0.0)
    assert not app.attribution.sensitivity.any()


def test_why_is_asked_for_by_a_key_pauses_and_goes_when_the_show_goes_on():
    app = asked_why()
    assert app.session.paused and len(app.attribution.sensitivity) == len(app.session.observed_frames)
    first, last = app.attribution.sensitivity[:10].mean(), app.attribution.sensitivity[-10:].mean()
    assert last > 0.05 * first > 0  # of a straight line both ends say how steep it is
    app.session.step_back()
    app.frame(FRAME_TIME)
    assert app.attribution.now == app.session.now and len(app.attribution.sensitivity) < len(
        app.session.observed_frames
    )
    app.pause()
    app.frame(FRAME_TIME)
    assert app.attribution is None


def test_the_strip_holds_the_errors_as_they_came():
    session = Session(OneBall(), FixedPool(Recorder()))
    for _ in range(40):
        session.advance(FRAME_TIME)
    times, errors = session.forecasters[0].error_series(LEAD_TIMES[1], session.now)
    assert errors.tolist() == session.errors[LEAD_TIMES[1]] and (np.diff(times) > 0).all() and times[-1] <= session.now
    assert len(session.forecasters[0].error_series(LEAD_TIMES[1], times[3])[0]) == 4


@pytest.mark.parametrize("name", [name for name in DisplayOptions.__dataclass_fields__ if name != "slider"])
def test_each_option_changes_the_picture_and_goes_again(name):
    app = make_app(models.load("gru_physics", SPORT))
    for _ in range(40):
        app.frame(FRAME_TIME)
    app.pause()
    app.frame(FRAME_TIME)
    plain = pixels(app)
    app.toggle(name)
    app.frame(FRAME_TIME)
    assert np.abs(pixels(app) - plain).max() > 30
    app.toggle(name)
    app.frame(FRAME_TIME)
    assert np.array_equal(pixels(app), plain)


@pytest.mark.parametrize("size", [(320, 180), (500, 900), (1920, 1080)])
def test_everything_can_be_open_at_any_size(size):
    app = make_app(models.load("gru", SPORT), models.load("physics", SPORT), size=size, options=ALL_ON)
    for _ in range(30):
        app.frame(FRAME_TIME)
    assert pixels(app).std() > 5


def test_a_following_camera_keeps_the_ball_near_the_middle():
    """It also holds what is ahead of the ball, so the ball is not in the very middle."""
    app = make_app(Recorder(), options=DisplayOptions(follow=True))
    for _ in range(60):
        app.frame(FRAME_TIME)
        camera = app.active_camera()
        pixel = camera.project(app.session.ball.state_at(app.session.now)[0][None])[0][0]
        assert np.abs(pixel - camera.principal_point).max() < 0.5 * app.screen.get_height()


def test_moments_gone_back_to_look_as_they_did_to_the_pixel():
    assert viewer_soak.rewinds(60, 12, size=(640, 360)) == 12


def test_keys_mashed_at_random_do_no_harm(tmp_path, monkeypatch):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(viewer_soak, "SIZES", viewer_soak.SIZES[:4])
    film = viewer_soak.random_input(150, seed=3, size=(640, 360), predictors=("gru", "physics"))
    assert ffmpeg.count_frames_and_secs(str(film))[0] > 0
