"""The keys: each does what the help says; typed through pygame's own events, with no screen."""

import dataclasses

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import sim
from ballcast.viewer import keys
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.sliders import HEAD, ROW
from ballcast.viewer.panels.timeline import Timeline
from ballcast.viewer.picture import sliders
from ballcast.viewer.playback.overrides import OVERRIDES
from ballcast.viewer.playback.session import FRAME_TIME
from ballcast.viewer.playback.source import LiveSource, RecordedSource
from ballcast.viewer.window import App


@pytest.fixture
def app():
    return App(OneBall(), FixedPool(Recorder(), Recorder()), (320, 180), headless=True)


def press(app, key, typed="", release=True):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=typed, mod=0))
    if release:
        pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key, unicode=typed, mod=0))
    app.frame(FRAME_TIME)


def test_space_pauses_and_goes_on(app):
    press(app, pygame.K_SPACE, " ")
    now = app.session.now
    app.frame(FRAME_TIME)
    assert app.session.paused and app.session.now == now
    press(app, pygame.K_SPACE, " ")
    assert app.session.now > now


def test_a_key_held_down_toggles_once(app):
    press(app, pygame.K_SPACE, " ", release=False)
    press(app, pygame.K_SPACE, " ", release=False)
    assert app.session.paused


def test_point_steps_one_frame(app):
    press(app, pygame.K_SPACE, " ")
    now = app.session.now
    press(app, pygame.K_PERIOD, ".")
    assert app.session.now == pytest.approx(now + FRAME_TIME) and app.session.paused


def test_arrows_turn_while_they_are_held(app):
    before = app.camera.azimuth
    press(app, pygame.K_RIGHT)
    tapped = app.camera.azimuth
    assert tapped != before
    press(app, pygame.K_RIGHT, release=False)
    for _ in range(5):
        app.frame(FRAME_TIME)
    assert (app.camera.azimuth - tapped) % 360 > 2 * keys.DEGREES_PER_PRESS
    press(app, pygame.K_UP)
    raised = app.camera.elevation
    press(app, pygame.K_DOWN)
    assert app.camera.elevation < raised


def test_plus_minus_and_wheel_zoom_and_c_goes_back(app):
    app.pause()
    app.frame(FRAME_TIME)
    home = app.camera
    press(app, pygame.K_EQUALS, "+")
    assert app.camera.distance < home.distance
    press(app, pygame.K_MINUS, "-")
    assert app.camera.distance == pytest.approx(home.distance)
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, x=0, y=3, flipped=False))
    app.frame(FRAME_TIME)
    assert app.camera.distance < home.distance
    press(app, pygame.K_c, "c")
    assert app.camera == home


def test_the_mouse_drags_the_camera_round(app):
    before = app.camera
    pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=(9, 9), rel=(20, 10), buttons=(1, 0, 0)))
    app.frame(FRAME_TIME)
    assert app.camera.azimuth != before.azimuth and app.camera.elevation > before.elevation


def test_the_right_button_moves_the_camera_and_f_keys_look_from_elsewhere(app):
    app.pause()
    app.frame(FRAME_TIME)
    before = app.camera
    pixel = before.project(np.array([before.target]))[0][0]
    pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=(9, 9), rel=(20, 10), buttons=(0, 0, 1)))
    app.frame(FRAME_TIME)
    moved = app.camera.project(np.array([before.target]))[0][0]
    assert moved - pixel == pytest.approx([20, 10], abs=1)
    press(app, pygame.K_c, "c")
    assert app.camera == before
    ways = []
    for key in (pygame.K_F1, pygame.K_F2, pygame.K_F3):
        press(app, key)
        ways.append(app.camera.basis[2].round(1).tolist())
    assert ways[0][0] < -0.9 and ways[1][1] > 0.9 and ways[2][2] < -0.9


def test_r_throws_again_n_the_next_and_digits_choose(app):
    for _ in range(10):
        app.frame(FRAME_TIME)
    press(app, pygame.K_r, "r")
    assert app.session.index == 0 and app.session.now <= 10 + FRAME_TIME
    press(app, pygame.K_n, "N")
    assert app.session.index == 1
    press(app, pygame.K_2, "2")
    assert app.session.selected == [1]
    press(app, pygame.K_9, "9")
    assert app.session.selected == [1]


def test_shift_and_a_digit_shows_one_more(app):
    app.frame(FRAME_TIME)
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_2, unicode='"', mod=pygame.KMOD_LSHIFT))
    app.frame(FRAME_TIME)
    assert app.session.selected == [0, 1]


def test_the_time_line_and_the_comma_go_back(app):
    for _ in range(30):
        app.frame(FRAME_TIME)
    now = app.session.now
    press(app, pygame.K_COMMA, ",")
    assert app.session.now == pytest.approx(now - FRAME_TIME) and app.session.paused
    line = Timeline(Canvas(app.screen), app.options)
    left, right, y = (value * line.canvas.scale for value in (line.left, line.right, line.y))
    for kind, x in ((pygame.MOUSEBUTTONDOWN, left), (pygame.MOUSEMOTION, left + 0.1 * (right - left))):
        pygame.event.post(pygame.event.Event(kind, button=1, pos=(x, y), rel=(9, 0), buttons=(1, 0, 0)))
        app.frame(FRAME_TIME)
        assert app.camera.fitted  # the mouse does not turn it
    ball = app.session.ball
    assert app.session.now == pytest.approx(ball.start + 0.1 * (ball.end - ball.start), abs=FRAME_TIME)


def test_brackets_and_pages_change_the_speed(app):
    press(app, pygame.K_LEFTBRACKET, "[")
    assert app.session.speed == 0.5
    press(app, pygame.K_PAGEUP)
    press(app, pygame.K_PAGEUP)
    assert app.session.speed == 2


def test_h_shows_the_keys(app):
    app.session.paused = True
    app.frame(FRAME_TIME)
    plain = pygame.image.tobytes(app.screen, "RGB")
    press(app, pygame.K_h, "h")
    assert pygame.image.tobytes(app.screen, "RGB") != plain
    press(app, pygame.K_h, "h")
    assert pygame.image.tobytes(app.screen, "RGB") == plain


def test_s_saves_under_a_free_name(app, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    press(app, pygame.K_s, "s")
    press(app, pygame.K_s, "s")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ballcast-001.png", "ballcast-002.png"]
    assert app.message == "saved ballcast-002.png"


def test_s_says_so_where_it_cannot_save(app, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    press(app, pygame.K_s, "s")
    assert "cannot be written" in app.message


@pytest.mark.parametrize("key", [pygame.K_q, pygame.K_ESCAPE])
def test_q_and_escape_quit(app, key):
    press(app, key)
    assert not app.running
    app.run()


def test_no_key_is_bound_twice_and_unknown_keys_do_nothing(app):
    bound = [key for binding in keys.BINDINGS for key in binding.keys]
    assert len(bound) == len(set(bound))
    camera, index = app.camera, app.session.index
    press(app, pygame.K_F5)
    press(app, pygame.K_z, "z")
    assert app.camera.target == pytest.approx(camera.target, abs=1e-9)  # it may come to rest in the last bit
    assert app.session.index == index and app.running


def test_the_window_may_change_its_size(app):
    pygame.display.set_mode((480, 300))
    app.frame(FRAME_TIME)
    assert app.camera.size == (480, 300)


def live():
    sport = sim.load("table_tennis")
    return App(LiveSource(sport, 5), FixedPool(Recorder()), (1280, 720), headless=True)


def mouse(app, kind, pos, buttons=(1, 0, 0)):
    pygame.event.post(pygame.event.Event(kind, button=1, pos=tuple(map(int, pos)), rel=(1, 0), buttons=buttons))
    app.frame(FRAME_TIME)


def test_w_opens_the_sliders_whose_arrows_choose_and_move(app):
    app = live()
    press(app, pygame.K_w, "w")
    azimuth, gravity = app.camera.azimuth, 9.81
    press(app, pygame.K_RIGHT)
    assert app.session.source.world == {"gravity": pytest.approx(9.9)} and app.camera.azimuth == azimuth
    press(app, pygame.K_DOWN)
    press(app, pygame.K_LEFT)
    assert app.session.source.world["density"] < app.session.sport.world.rho
    press(app, pygame.K_BACKSPACE)
    press(app, pygame.K_UP)
    assert set(app.session.source.world) == {"gravity"} and app.options.slider == 0
    press(app, pygame.K_BACKSPACE)
    assert app.session.source.world == {} and app.session.sport.world.gravity == gravity
    press(app, pygame.K_w, "w")
    press(app, pygame.K_RIGHT)
    assert app.camera.azimuth != azimuth


def test_the_mouse_pulls_a_slider(app):
    app = live()
    press(app, pygame.K_w, "w")
    panel = sliders(Canvas(app.screen), app.session, app.options)
    row = next(n for n, override in enumerate(OVERRIDES) if override.name == "along")
    y, camera = panel.top + HEAD + ROW * row + 15, app.camera
    mouse(app, pygame.MOUSEBUTTONDOWN, (panel.left, y))
    assert app.session.source.world == {"along": OVERRIDES[row].low} and app.options.slider == row
    mouse(app, pygame.MOUSEMOTION, (panel.right + 50, y + 200))
    mouse(app, pygame.MOUSEBUTTONUP, (panel.right, y), (0, 0, 0))
    mouse(app, pygame.MOUSEMOTION, (panel.left, y), (0, 0, 0))
    assert app.session.source.world == {"along": OVERRIDES[row].high} and app.camera == camera


def test_a_recording_flies_as_it_flew():
    sport = sim.load("table_tennis")
    track = LiveSource(sport, 5).ball(0).track
    app = App(RecordedSource(sport, [track]), FixedPool(Recorder()), (640, 360), headless=True)
    press(app, pygame.K_w, "w")
    press(app, pygame.K_RIGHT)
    assert "flew" in app.message and np.array_equal(app.session.ball.position, track.position)
    press(app, pygame.K_p, "p")
    assert "not thrown" in app.message and app.session.index == 0


def test_p_throws_the_sports_own_throws(app):
    app = live()
    press(app, pygame.K_p, "p")
    assert app.session.index == 1 and app.message == f"Throws: {app.session.sport.throws[0][0]}"
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_p, unicode="P", mod=pygame.KMOD_LSHIFT))
    app.frame(FRAME_TIME)
    assert app.message == "Throws: as in play" and app.session.index == 2


SHOWN = dict(
    t="truth", e="errors", g="gates", b="beliefs", i="inset", f="follow", w="sliders", h="help", d="numbers"
)  # fmt: skip


@pytest.mark.parametrize("key, name", SHOWN.items())
def test_each_letter_shows_its_own(app, key, name):
    before = app.options
    press(app, pygame.key.key_code(key), key)
    assert app.options == dataclasses.replace(before, **{name: True})
    press(app, pygame.key.key_code(key), key)
    assert app.options == before
