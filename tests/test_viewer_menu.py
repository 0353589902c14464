"""The menu and Tab: every sport, predictor, throw and source can be reached, by keys and by the mouse."""

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, Recorder

from ballcast import models, sim
from ballcast.viewer import play
from ballcast.viewer.panels import menu as menu_panel
from ballcast.viewer.panels import overlay
from ballcast.viewer.panels.canvas import Canvas
from ballcast.viewer.panels.layout import MARGIN
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool
from ballcast.viewer.playback.source import LiveSource, RecordedSource, SourceChoice
from ballcast.viewer.window import App

SPORT = sim.load("table_tennis")
UP, DOWN, LEFT, RIGHT = pygame.K_UP, pygame.K_DOWN, pygame.K_LEFT, pygame.K_RIGHT


@pytest.fixture
def app():
    names = play.predictor_names(play.Options(predictor=("parabola",)), SPORT)
    return App(LiveSource(SPORT, 3, rallies=True), PredictorPool(names, SPORT), (640, 360), headless=True)


def press(app, *keys, mod=0):
    pygame.key.set_mods(mod)
    for key in keys:
        typed = chr(key) if 32 < key < 127 else ""
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=typed, mod=mod))
        pygame.event.post(pygame.event.Event(pygame.KEYUP, key=key, unicode=typed, mod=mod))
    app.frame(FRAME_TIME)
    pygame.key.set_mods(0)


def click(app, x, y):
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=(x, y)))
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=(x, y)))
    app.frame(FRAME_TIME)


def pixel_of(app, column, row):
    """A pixel at which the menu has this entry."""
    canvas = Canvas(app.screen)
    for x in range(0, app.screen.get_width(), 8):
        for y in range(0, app.screen.get_height(), 4):
            if menu_panel.entry_at(canvas, app.choices.menu, (x, y)) == (column, row):
                return x, y
    raise AssertionError("this entry is nowhere")


def test_it_lists_every_sport_predictor_and_throw(app):
    press(app, pygame.K_m)
    sports, predictors, throws, seen_by, sources = app.choices.menu.sections
    assert [entry.label for entry in seen_by.entries] == ["a 3D tracker", "one camera", "two cameras"]
    assert len(sports.entries) == len(sim.names()) and [e.label for e in sources.entries][0] == "simulated balls"
    kinds = ["rallies", *(name for name, _ in SPORT.throws), "single balls"]
    assert [entry.label for entry in throws.entries] == [*kinds, "beat the network"]
    titles = {entry.label for entry in predictors.entries}
    assert titles == {models.describe(name).title for name in models.PREDICTORS}
    press(app, pygame.K_m)
    assert app.choices.menu is None


def test_arrows_and_enter_choose_a_predictor_that_has_no_key(app):
    last = len(app.session.pool.names) - 1
    press(app, pygame.K_m, RIGHT, UP)
    while app.choices.menu.row != last:
        press(app, DOWN)
    press(app, pygame.K_RETURN)
    assert app.session.selected == [last] and app.choices.menu.entry.is_chosen and last >= 9
    press(app, DOWN)
    press(app, pygame.K_RETURN, mod=pygame.KMOD_LSHIFT)
    assert app.session.selected == [last, 0]
    press(app, pygame.K_ESCAPE)
    assert app.choices.menu is None and app.running


def test_the_mouse_opens_it_and_chooses(app):
    canvas = Canvas(app.screen)
    x = MARGIN + overlay.BUTTON_WIDTH * 1.5
    click(app, x * canvas.scale, (canvas.height - overlay.BUTTON_TOP + 10) * canvas.scale)
    assert app.choices.menu is not None
    throws = list(app.session.source.throw_kinds)
    click(app, *pixel_of(app, 2, 2))
    assert app.choices.menu is None and app.session.source.throw_kind == throws[2] and app.session.index == 1
    press(app, pygame.K_m)
    click(app, 2, 2)
    assert app.choices.menu is None


def test_tab_goes_through_the_sports_and_back(app):
    before, names = app.session, sim.names()
    press(app, pygame.K_TAB)
    expected = names[(names.index("table_tennis") + 1) % len(names)]
    assert app.session.sport.name == expected == app.picture.sport.name and app.session is not before
    assert app.camera.target != before.sport.view.target and "Tennis" in app.message
    for _ in range(10):
        app.frame(FRAME_TIME)
    press(app, pygame.K_TAB, mod=pygame.KMOD_LSHIFT)
    assert app.session.sport.name == "table_tennis"


def test_all_sports_follow_each_other_and_each_is_played(app):
    for _ in sim.names():
        press(app, pygame.K_TAB)
        for _ in range(3):
            app.frame(FRAME_TIME)
        assert app.session.predictor.name == "parabola" and len(app.session.ball.track) > 5
    assert app.session.sport.name == "table_tennis"


def test_a_predictor_that_a_sport_has_not_is_listed_with_the_reason_and_left_out(app):
    number = app.session.pool.names.index("tokens")
    app.choices.select_predictor(number)
    press(app, pygame.K_TAB)
    assert app.session.selected == [0] and not app.session.forecasters[0].remark
    press(app, pygame.K_m)
    entry = app.choices.menu.sections[1].entries[number]
    assert entry.act is None and "no weights for tennis" in entry.note
    app.choices.menu.column, app.choices.menu.row = 1, number
    press(app, pygame.K_RETURN)
    assert app.session.selected == [0] and "no weights" in app.message


def test_a_recording_is_a_source_and_live_play_is_one_more():
    track = LiveSource(SPORT, 5).ball(0).track
    source = RecordedSource(SPORT, [track])
    choice = SourceChoice("stroke.csv", "1 recorded track", lambda sport: source)
    pool = PredictorPool(["parabola", "physics"], SPORT)
    app = App(source, pool, (640, 360), headless=True, sources=[choice])
    assert app.choices.number == 1
    app.choices.change_source(0)
    assert app.session.source.live and app.session.ball.name.startswith("rally")
    press(app, pygame.K_TAB)
    app.choices.change_source(1)
    assert app.session.sport is SPORT and np.array_equal(app.session.ball.position, track.position)


def test_the_sample_plays_and_the_game_begins_from_the_menu(app):
    press(app, pygame.K_m, LEFT)
    assert app.choices.menu.entry.label == "sample recording"
    press(app, pygame.K_RETURN)
    assert app.choices.menu is None and not app.session.source.live and len(app.session.ball.track) > 100
    app.choices.change_source(0)
    press(app, pygame.K_m, RIGHT, RIGHT, DOWN)
    press(app, pygame.K_RETURN)
    assert app.game is not None and app.choices.menu is None
    press(app, pygame.K_ESCAPE)
    assert app.game is None and app.running


def test_a_sport_of_ones_own_is_in_the_menu_and_can_be_gone_back_to():
    own = SPORT.replace(gravity=1.6)
    own = type(own)(**{**{f: getattr(own, f) for f in own.__dataclass_fields__}, "name": "moon"})
    app = App(LiveSource(own, 3), PredictorPool(["parabola"], own), (640, 360), headless=True)
    press(app, pygame.K_TAB)
    assert app.session.sport.name == sim.names()[0]
    press(app, pygame.K_m)
    assert app.choices.menu.sections[0].entries[-1].label == "Moon"
    app.choices.change_sport("moon")
    assert app.session.sport is own


def test_every_predictor_has_a_plain_name_and_a_line():
    titles = [models.describe(name).title for name in models.PREDICTORS]
    assert len(set(titles)) == len(titles)
    for name in models.PREDICTORS:
        title, summary = models.describe(name)
        assert title != name and 10 < len(summary) < 75 and summary.endswith(".")
    own = Recorder()
    assert (
        models.describe("mine:Best", own).title == "Best" and models.describe("runs/a/weights.safetensors").title == "a"
    )
    own.title, own.summary = "My own", "It guesses."
    assert models.describe("mine:Best", own) == ("My own", "It guesses.")


def test_a_pool_of_fakes_needs_no_menu():
    app = App(LiveSource(SPORT, 5), FixedPool(Recorder()), (320, 180), headless=True)
    press(app, pygame.K_m)
    assert [entry.label for entry in app.choices.menu.sections[1].entries] == ["recorder"]
