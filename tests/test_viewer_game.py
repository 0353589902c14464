"""The game: the questions are fair, everybody answers from the same frames, and distances are what they should be."""

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import sim
from ballcast.render.camera import OrbitCamera
from ballcast.tracks import read_track
from ballcast.viewer import game as rules
from ballcast.viewer.game import Game, Question, centimetres, find_question, first_contact, pointed_at, predicted
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.source import LiveSource, RecordedSource
from ballcast.viewer.window import App

SPORT = sim.load("table_tennis")
CAMERA = OrbitCamera((0.0, 0.0, 0.0), 20.0, 35.0, 5.0, 40.0, (640, 360), 30.0)


def anywhere(position):
    return True


def new_game(*predictors, balls=3):
    predictors = predictors or (Recorder(),)
    return Game(Session(OneBall(), FixedPool(*predictors), shown=range(len(predictors))), lambda: CAMERA, balls)


def until(game, phase):
    for _ in range(2000):
        if game.phase == phase:
            return
        game.advance(FRAME_TIME)
    raise AssertionError(f"{phase} never came")


def aim_at(game, position):
    game.aim = CAMERA.project(np.asarray(position, float)[None])[0][0]


@pytest.mark.parametrize("name", sim.names())
def test_no_ball_is_hit_between_the_stop_and_the_answer(name):
    source, kinds = LiveSource(sim.load(name), 5, rallies=True), []
    for index in range(6):
        ball = source.ball(index)
        question = find_question(ball, np.random.default_rng(index), anywhere)
        if question is None:
            continue
        kinds.append(question.is_landing)
        assert not [hit for hit in ball.hits if question.stop < hit <= question.time]
        hit = max([ball.start, *(hit for hit in ball.hits if hit <= question.stop)])
        seen = (ball.track.time > hit) & (ball.track.time <= question.stop)
        assert seen.sum() >= rules.MIN_FRAMES and question.stop < question.time
        if question.is_landing:
            landing = ball.landing_time[ball.landing_time > question.stop][0]
            assert question.time == landing <= question.stop + rules.MAX_LEAD
        else:
            np.testing.assert_array_equal(question.position, ball.state_at(question.stop + rules.LEAD)[0])
    assert kinds


def test_no_ball_of_a_recording_turns_back_before_the_answer():
    ball = RecordedSource(SPORT, [read_track("rally")]).ball(0)
    questions = [find_question(ball, np.random.default_rng(n), anywhere) for n in range(30)]
    assert len({question.time for question in questions}) > 3
    for question in questions:
        before, after = (ball.state_at(t)[0][1] for t in (question.stop, question.time))
        hit_back = ball.state_at(question.stop)[1][1] * (after - before) < 0.0
        assert question.is_landing and not hit_back


def test_the_seed_and_the_ball_decide_the_moment():
    ball = OneBall().ball(0)
    first, again = ([find_question(ball, np.random.default_rng(n), anywhere).stop for n in range(20)] for _ in range(2))
    assert first == again and len(set(first)) > 5


def test_what_is_not_in_the_picture_is_not_asked_for():
    ball = OneBall().ball(0)
    question = find_question(ball, np.random.default_rng(0), lambda p: not np.array_equal(p, ball.landing_position[0]))
    assert not question.is_landing
    assert find_question(ball, np.random.default_rng(0), lambda p: False) is None


def test_a_click_is_mapped_onto_the_surface_in_sight():
    radius, floor = SPORT.ball.radius, min(s.low[2] for s in SPORT.surfaces if s.landing)
    question = Question(0.0, 0.3, np.array([0.0, 0.5, radius]), True)
    for x, y, z in ((0.3, -0.8, radius), (2.0, -2.0, floor + radius)):  # on the table, on the floor beside it
        pixel = CAMERA.project(np.array([[x, y, z]]))[0][0]
        np.testing.assert_allclose(pointed_at(SPORT, question, CAMERA, pixel), (x, y, z), atol=1e-6)
    level = OrbitCamera((0.0, 0.0, 0.5), 0.0, 2.0, 5.0, 40.0, (640, 360))
    assert pointed_at(SPORT, question, level, (320, 5)) is None  # above the horizon


def test_a_click_for_a_position_is_at_its_depth():
    question = Question(0.0, 0.4, np.array([0.2, 0.4, 0.6]), False)
    (x, y), depth = (a[0] for a in CAMERA.project(question.position[None]))
    np.testing.assert_allclose(pointed_at(SPORT, question, CAMERA, (x, y)), question.position, atol=1e-9)
    beside = pointed_at(SPORT, question, CAMERA, (x + 10, y))
    assert np.linalg.norm(beside - question.position) == pytest.approx(10 * depth / CAMERA.focal_length)


def test_a_path_lands_where_it_first_comes_down_on_a_surface():
    radius = SPORT.ball.radius
    path = np.array([[0, -1, radius - 0.01], [0, -0.5, 0.3], [0, 0.5, radius + 0.1], [0, 0.7, radius - 0.1]])
    np.testing.assert_allclose(first_contact(SPORT, path), (0, 0.6, radius))
    assert first_contact(SPORT, path[:3]) is None
    assert first_contact(SPORT, path + (9, 0, 0)) is None  # there is no table there, and the floor is deeper


def test_a_predictor_answers_with_its_landing_or_with_its_path():
    session = Session(OneBall(), FixedPool(Recorder()))
    for _ in range(20):
        session.advance(FRAME_TIME)
    forecast = session.forecast
    landing, later = (Question(0.0, session.now + 0.2, np.zeros(3), flag) for flag in (True, False))
    np.testing.assert_array_equal(predicted(SPORT, landing, forecast), (0.1, 0.2, 0.02))
    np.testing.assert_allclose(predicted(SPORT, later, forecast), (0, 0, session.now + 0.2))
    assert predicted(SPORT, landing, forecast._replace(landing=None)) is None  # this path goes up for ever
    assert predicted(SPORT, landing, None) is None


def test_everybody_answers_from_the_frames_before_the_stop():
    recorder = Recorder()
    game = new_game(recorder)
    until(game, "asking")
    stop = game.question.stop
    assert game.session.now == pytest.approx(stop, abs=1e-9)
    game.advance(1.0)  # nothing moves while the player thinks
    assert game.session.now == pytest.approx(stop, abs=1e-9) and max(recorder.observed)[0] <= stop
    aim_at(game, game.question.position + (0.3, 0, 0))
    assert game.confirm()
    player, predictor = game.rounds[0]
    assert player.distance == pytest.approx(0.3, abs=1e-6)
    assert predictor.distance == pytest.approx(0.2, abs=1e-6) and predictor.name == "recorder"
    until(game, "answered")
    assert game.session.now == pytest.approx(game.question.time, abs=1e-9)


def test_the_best_of_ten_and_play_again():
    game = new_game(balls=3)
    for offset in (0.05, 0.6, 0.1):
        until(game, "asking")
        aim_at(game, game.question.position + (offset, 0, 0))
        assert game.confirm() and game.phase == "revealing"
        assert game.confirm() and game.phase == "answered"  # skipped
        assert game.confirm()
    assert game.phase == "over"
    player, predictor = game.standings()
    assert player.distances == pytest.approx([0.05, 0.6, 0.1], abs=1e-6) and (player.closest, predictor.closest) == (
        2,
        1,
    )
    assert game.result() == (
        "You beat recorder, 2 : 1.",
        "Your median distance is 10 cm, that of recorder 20 cm.",
    )
    index = game.session.index
    assert game.confirm() and (game.phase, game.rounds, game.session.index) == ("flying", [], index + 1)
    game.leave()
    assert game.session.speed == 1.0 and not game.session.paused


def test_a_predictor_without_an_answer_loses():
    class Silent(Recorder):
        def forecast(self, times):
            forecast = super().forecast(times)
            forecast.landing = None
            return forecast

    game = new_game(Silent(), balls=1)
    until(game, "asking")
    aim_at(game, game.question.position + (0.9, 0, 0))
    game.confirm()
    assert game.rounds[0][1].position is None and game.result()[0] == "You beat recorder, 1 : 0."
    assert game.result()[1].endswith("that of recorder no answer.")


def test_balls_that_do_not_fly_long_enough_are_refused():
    source = OneBall(gap=range(5, 100))
    session = Session(source, FixedPool(Recorder()))
    with pytest.raises(ValueError, match="the game needs a ball"):
        Game(session, lambda: CAMERA)
    assert session.speed == 1.0


def test_distances_in_words():
    assert [centimetres(d) for d in (0.004, 0.0994, 0.0996, 1.234, np.inf)] == [
        "0.4 cm", "9.9 cm", "10 cm", "1.23 m", "no answer",
    ]  # fmt: skip


# --- in the window ----------------------------------------------------------------------------------------------------


@pytest.fixture
def app():
    return App(OneBall(), FixedPool(Recorder()), (640, 360), headless=True, game=True)


def press(app, key, typed=""):
    for kind in (pygame.KEYDOWN, pygame.KEYUP):
        pygame.event.post(pygame.event.Event(kind, key=key, unicode=typed, mod=0))
    app.frame(FRAME_TIME)


def click(app, position, release=(0, 0)):
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, button=1, pos=position))
    up = tuple(np.add(position, release))
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONUP, button=1, pos=up))
    app.frame(FRAME_TIME)


def play(app, phase):
    app.frame(FRAME_TIME)
    for _ in range(2000):
        if app.game.phase == phase:
            return
        app.frame(FRAME_TIME)
    raise AssertionError(f"{phase} never came")


def test_no_forecast_is_drawn_before_the_answer():
    class Moved(Recorder):
        def forecast(self, times):
            forecast = super().forecast(times)
            forecast.mean, forecast.landing.position = forecast.mean + 0.5, forecast.landing.position + 0.5
            return forecast

    apps = [App(OneBall(), FixedPool(p), (640, 360), headless=True, game=True) for p in (Recorder(), Moved())]
    for phase, is_equal in (("asking", True), ("revealing", False)):
        pictures = []
        for app in apps:  # they share the screen
            play(app, phase)
            app.frame(FRAME_TIME)
            pictures.append(pygame.surfarray.array3d(app.screen))
        assert np.array_equal(*pictures) == is_equal, phase


def test_the_mouse_alone_plays_a_game(app):
    play(app, "asking")
    pixel = tuple(app.camera.project(app.game.question.position[None])[0][0].round().astype(int).tolist())
    click(app, pixel, release=(30, 0))
    assert app.game.phase == "asking"  # that was a drag: it turns the camera
    click(app, pixel)
    assert app.game.phase == "revealing" and app.game.rounds[0][0].distance < 0.05
    click(app, pixel)
    assert app.game.phase == "answered"
    click(app, pixel)
    assert app.game.phase == "flying"
    click(app, (600, 340))  # the button
    assert app.game is None


def test_the_keys_alone_play_a_game(app):
    play(app, "asking")
    before = app.game.aimed_pixel()
    press(app, pygame.K_DOWN)
    press(app, pygame.K_LEFT)
    moved = app.game.aimed_pixel() - before
    assert (
        moved[0] < 0 < moved[1]
        and app.camera.azimuth == App(OneBall(), FixedPool(Recorder()), (640, 360), True).camera.azimuth
    )
    for phase in ("revealing", "answered", "flying"):
        press(app, pygame.K_RETURN, "\r")
        assert app.game.phase == phase
    press(app, pygame.K_t, "t")  # not here: it would show the truth
    assert not app.options.truth
    press(app, pygame.K_ESCAPE)
    assert app.game is None and app.running and app.session.speed == 1.0
    press(app, pygame.K_j, "j")
    assert app.game is not None


def test_a_click_above_the_horizon_is_no_answer(app):
    play(app, "asking")
    app.camera = app.camera.from_direction(0, 2)
    click(app, (320, 70))
    assert app.game.phase == "asking" and "click on" in app.message


def test_a_game_that_cannot_begin_is_a_message():
    app = App(OneBall(gap=range(5, 100)), FixedPool(Recorder()), (640, 360), headless=True)
    press(app, pygame.K_j, "j")
    assert app.game is None and "needs a ball" in app.message
    app.session.source.ready = False
    press(app, pygame.K_j, "j")
    assert app.game is None and "compiled" in app.message


def test_without_a_window_it_plays_itself_and_shows_the_table():
    app = App(OneBall(), FixedPool(Recorder()), (640, 360), headless=True, game=True)
    for _ in range(3000):
        app.frame(FRAME_TIME)
        if app.game.phase == "over":
            break
    assert len(app.game.rounds) == rules.BALLS and app.game.phase == "over"
    assert pygame.surfarray.array3d(app.screen).std() > 5
