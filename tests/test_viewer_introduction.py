"""The first minute: slow motion and captions in turn, then normal speed; and who gets it."""

import dataclasses

import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import sim
from ballcast.viewer import introduction, play
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.source import LiveSource
from ballcast.viewer.window import App


@pytest.fixture
def app():
    return App(OneBall(), FixedPool(Recorder()), (320, 180), headless=True, introduce=True)


def press(app, key, typed=""):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=typed, mod=0))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key, unicode=typed, mod=0))
    app.frame(FRAME_TIME)


def test_captions_in_turn_then_normal_speed(app):
    slow, seen = app.session.speed, []
    for _ in range(round(introduction.LENGTH / FRAME_TIME) - 1):
        app.frame(FRAME_TIME)
        assert app.session.speed == slow < 1
        if app._overlays().caption not in ("", *seen[-1:]):
            seen.append(app._overlays().caption)
    assert seen == [text for text, _ in introduction.CAPTIONS]
    app.frame(FRAME_TIME)
    app.frame(FRAME_TIME)
    assert app.introduction is None and app.session.speed == 1 and app.message == introduction.LAST_MESSAGE


def test_it_begins_when_the_first_forecasts_have_settled_and_says_what_the_program_does(app):
    assert app.session.now - app.session.ball.start == pytest.approx(0.1)
    assert app.session.forecast is not None and "where it will go" in introduction.CAPTIONS[0][0]


@pytest.mark.parametrize(
    "key, typed, speed, paused",
    [(pygame.K_SPACE, " ", None, True), (pygame.K_RIGHTBRACKET, "]", 1 / 4, False), (pygame.K_COMMA, ",", None, True)],
)
def test_a_key_that_pauses_or_changes_the_speed_ends_it(app, key, typed, speed, paused):
    slow = app.session.speed
    for _ in range(60):
        app.frame(FRAME_TIME)
    press(app, key, typed)
    assert app.introduction is None and app.session.paused == paused and app.session.speed == (speed or slow)
    app.frame(FRAME_TIME)
    assert app._overlays().caption == ""


def test_it_waits_behind_the_help(app):
    press(app, pygame.K_h, "h")
    before = app.introduction.elapsed
    for _ in range(20):
        app.frame(FRAME_TIME)
    assert app.introduction.elapsed == before
    press(app, pygame.K_t, "t")
    press(app, pygame.K_ESCAPE)
    assert app.running and not app.options.help and app.options.truth and app.introduction.elapsed > before


@pytest.mark.parametrize(
    "options, introduced",
    [
        ({}, True), ({"headless": True}, False), ({"headless": True, "intro": "yes"}, True), ({"intro": "no"}, False),
        ({"track": ("a.csv",)}, False), ({"throw": "serve"}, False), ({"seed": 0}, False), ({"frames": 9}, False),
        ({"world": ("gravity=1",)}, False), ({"sport": "golf", "predictor": ("gru",)}, True),
    ],
)  # fmt: skip
def test_a_window_has_it_unless_a_ball_is_asked_for(options, introduced):
    options = dataclasses.replace(play.Options(), **options)
    assert play.is_introduced(options) == introduced
    if introduced:
        assert play.opening_seed(options, sim.load("tennis")) == introduction.opening(sim.load("tennis")).seed
    else:
        assert play.opening_seed(options, sim.load("tennis")) == 0


@pytest.mark.parametrize("name", sim.names())
def test_the_captions_end_while_the_first_rally_is_in_play(name):
    sport = sim.load(name)
    opening = introduction.opening(sport)
    session = Session(LiveSource(sport, opening.seed, rallies=True), FixedPool(Recorder()))
    settling = introduction.SETTLING_FRAMES * FRAME_TIME
    assert session.ball.track.time[-1] > settling + introduction.LENGTH * opening.speed
