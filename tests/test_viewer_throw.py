"""Throws by hand: the ball flies as it was dragged, with the spin it was given; the predictor knows neither."""

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, Recorder

from ballcast import sim
from ballcast.render.camera import OrbitCamera
from ballcast.viewer.playback.session import FRAME_TIME
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.playback.throw import DRAG_FRACTION, Throw
from ballcast.viewer.window import App

SPORT = sim.load("table_tennis")


@pytest.mark.parametrize("azimuth", [0, 40, 200])
def test_the_drag_is_visible_in_the_picture(azimuth):
    camera = OrbitCamera.of(SPORT.view, (1280, 720)).from_direction(azimuth, 25)
    throw = Throw([0, 0, 0.3], 6.0, 0.02)
    throw.drag(camera, (DRAG_FRACTION * 720, 0))
    assert np.linalg.norm(throw.velocity) == pytest.approx(6.0) and throw.velocity[2] == pytest.approx(0)
    throw.drag(camera, (0, -DRAG_FRACTION * 720))
    tip = camera.project(np.array([throw.position, throw.position + 0.01 * throw.velocity]))[0]
    assert throw.velocity[2] > 2 and tip[1, 1] < tip[0, 1] and tip[1, 0] == pytest.approx(tip[0, 0], abs=1)


def test_topspin_turns_the_top_forward():
    throw = Throw([0, 0, 0.3], 6.0, 0.02)
    throw.velocity = np.array([0.0, 5.0, 1.0])
    throw.add_spin(top=2, side=1)
    surface = np.cross(throw.spin, [0, 0, 0.02])
    assert surface[1] == pytest.approx(2 * 0.08 * 6.0) and throw.spin[2] == pytest.approx(0.08 * 6.0 / 0.02)


def test_a_ball_thrown_by_hand_is_launched_so_and_the_others_as_ever():
    source = LiveSource(SPORT, 5)
    before = source.ball(4)
    source.throw(3, [0.1, -1.0, 0.4], [0.5, 4.0, 2.0], [-100.0, 0.0, 20.0])
    ball = source.ball(3)
    assert ball.position[0] == pytest.approx([0.1, -1.0, 0.4]) and ball.velocity[0] == pytest.approx([0.5, 4.0, 2.0])
    assert ball.spin[0] == pytest.approx([-100.0, 0.0, 20.0]) and "by hand" in ball.name
    assert np.array_equal(source.ball(4).position, before.position) and len(ball.track) > 100


def test_the_mouse_throws_the_ball():
    app = App(LiveSource(SPORT, 5), FixedPool(Recorder()), (640, 360), headless=True)
    for _ in range(10):
        app.frame(FRAME_TIME)
    position = app.session.ball.state_at(app.session.now)[0]
    x, y = app.camera.project(position[None])[0][0]
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=(x, y)))
    app.frame(FRAME_TIME)
    camera, now = app.camera, app.session.now
    pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=(x + 60, y - 40), rel=(60, -40), buttons=(1, 0, 0)))
    pygame.event.post(pygame.event.Event(pygame.MOUSEWHEEL, x=0, y=3, flipped=False))
    app.frame(FRAME_TIME)
    assert app.camera == camera and app.session.now == now and app.throw.top > 0 and "km/h), topspin" in app.message
    velocity, spin = app.throw.velocity, app.throw.spin
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=(x + 60, y - 40)))
    app.frame(FRAME_TIME)
    ball = app.session.ball
    assert app.session.index == 1 and app.throw is None
    assert ball.position[0] == pytest.approx(position) and ball.velocity[0] == pytest.approx(velocity)
    assert ball.spin[0] == pytest.approx(spin)
