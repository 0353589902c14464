"""The session: the predictor sees the past alone, and its forecasts are scored when their time has come."""

import numpy as np
import pytest
from ballcast.viewer.playback.forecaster import LEADS
from ballcast.viewer.playback.session import FRAME, Choice, Session, rotation
from viewer_fakes import OneBall, OnlyChoice, Recorder

from ballcast import models


@pytest.fixture
def predictor():
    return Recorder()


@pytest.fixture
def session(predictor):
    return Session(OneBall(), OnlyChoice(predictor, Recorder()))


def play(session, seconds):
    for _ in range(round(seconds / FRAME)):
        session.advance(FRAME)


def test_the_predictor_is_told_what_was_seen_frame_by_frame_and_never_what_comes(session, predictor):
    told = 0
    for _ in range(59):
        session.advance(FRAME)
        assert all(time <= session.now for time, *_ in predictor.seen)
        assert len(predictor.seen) == np.sum(session.ball.seen.time <= session.now) >= told
        told = len(predictor.seen)
    track = session.ball.seen
    np.testing.assert_array_equal(predictor.seen, np.column_stack([track.time, track.position])[:told])


def test_it_is_told_the_noisy_track_not_the_truth(session, predictor):
    play(session, 0.5)
    told = np.array(predictor.seen)
    assert not np.any(told[:, 1:] == session.ball.position[: len(told)])


def test_every_frame_has_its_forecast_of_times_to_come(session, predictor):
    play(session, 0.5)
    assert len(predictor.asked) == pytest.approx(30, abs=2)
    for last, times in predictor.asked:
        assert times.min() > last and np.all(np.diff(times) > 0)
    np.testing.assert_allclose(predictor.asked[-1][1], session.now + session.offsets)


def test_errors_are_distances_to_where_the_ball_was_at_the_time_asked_for(session):
    play(session, 0.45)
    for lead in LEADS:
        time = session.now  # the last forecast scored was for about now
        truth, error = session.ball.at(time)[0], session.errors[lead][-1]
        assert error == pytest.approx(np.linalg.norm(truth - [0, 0, time]), abs=0.05)
        assert len(session.errors[lead]) == pytest.approx((0.43 - lead) / FRAME, abs=2)


def test_a_landing_scores_the_forecasts_made_before_it(session):
    play(session, 0.49)
    assert not session.landing_errors
    play(session, 0.05)
    off = {lead: session.landing_errors[lead] for lead in LEADS}
    assert off[0.1][0] == pytest.approx(0.2) and off[0.1][1] == pytest.approx(0.15, abs=0.03)
    assert off[0.4][1] == pytest.approx(-0.15, abs=0.03)


def test_nobody_is_scored_where_a_recording_has_a_gap(predictor):
    session = Session(OneBall(measured=True, gap=range(30, 60)), OnlyChoice(predictor))
    play(session, 0.58)
    assert len(session.errors[0.1]) == pytest.approx((0.29 - 0.12) / FRAME, abs=2)


def test_no_forecast_before_there_are_frames_enough_and_none_after_the_last(session, predictor):
    assert session.forecast is None
    play(session, 1.2)
    made = session.forecast.made
    assert made < 10.99
    play(session, 0.1)
    assert session.forecast.made == made


def test_the_next_ball_starts_by_itself_with_a_fresh_stream(session, predictor):
    play(session, 1.6)
    assert session.index == 1 and session.now < 10.2
    assert predictor.streams == 2


def test_another_predictor_is_shown_what_was_seen_so_far(session, predictor):
    play(session, 0.4)
    session.choose(1)
    other = session.predictor
    assert other is not predictor and other.seen == predictor.seen
    assert other.asked[-1][0] == predictor.asked[-1][0] and len(other.asked) == len(predictor.asked)
    session.choose(8)
    assert session.predictor is other


def test_predictors_stand_beside_each_other_and_one_always_stays(session, predictor):
    play(session, 0.4)
    session.beside(1)
    first, second = session.watchers
    assert session.chosen == [0, 1] and session.predictor is predictor
    assert first.errors(session.now) == second.errors(session.now) and first.errors(session.now)[0.1]
    session.beside(0)
    assert session.chosen == [1] and session.watchers == [second]
    session.beside(1)
    assert session.chosen == [1]
    session.next()
    assert [watcher.number for watcher in session.watchers] == [1]


def test_a_moment_gone_back_to_is_what_it_was_and_what_comes_is_not_changed(session, predictor):
    moments = []
    for _ in range(40):
        session.advance(FRAME)
        moments.append((session.now, session.forecast, session.errors, session.turn, len(session.seen)))
    told = len(predictor.seen)
    for now, forecast, errors, turn, seen in moments[::-3]:
        session.rewind(now + 0.4 * FRAME)
        assert (session.now, session.forecast, session.errors, len(session.seen)) == (now, forecast, errors, seen)
        assert session.turn is turn and session.paused
    session.back()
    session.step()
    assert session.now == moments[0][0]
    session.paused = False
    for now, forecast, *_ in moments[1:]:
        session.advance(FRAME)
        assert session.forecast is forecast and session.now == pytest.approx(now)
    assert len(predictor.seen) == told
    session.advance(2 * FRAME)
    assert session.forecast.made == session.now and len(predictor.seen) > told


def test_latency_is_measured_by_the_clock_that_is_given(predictor):
    ticks = iter(range(10_000))
    session = Session(OneBall(), OnlyChoice(predictor), clock=lambda: next(ticks))
    play(session, 0.3)
    assert session.watchers[0].latency == pytest.approx(1)


def test_pause_step_again_and_speed(session):
    session.paused = True
    session.advance(1.0)
    assert session.now == 10.0
    session.step()
    assert session.now == pytest.approx(10 + FRAME)
    session.faster(-1)
    session.step()
    assert session.now == pytest.approx(10 + 1.5 * FRAME)
    for _ in range(20):
        session.faster(1)
    assert session.speed == 8
    session.again()
    assert session.now == 10.0 and session.index == 0 and not session.errors[0.1]


def test_the_ball_turns_by_its_spin(session):
    play(session, 0.3)
    angle = 100 * 0.3
    np.testing.assert_allclose(session.turn, rotation(np.array([angle, 0, 0])), atol=1e-9)
    np.testing.assert_allclose(session.turn[:, 1], [0, np.cos(angle), np.sin(angle)], atol=1e-9)


def test_a_predictor_without_weights_is_stood_in_for_by_physics(monkeypatch):
    def load(name, sport):
        if name == "gru":
            raise ValueError("gru has no weights for tennis; train them with ...")
        if name == "nosuch":
            raise ValueError("no predictor is called nosuch")
        return name

    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(models, "PREDICTORS", {"gru": "", "physics": ""})
    choice = Choice(["gru", "nosuch"], None)
    predictor, remark = choice.load(0)
    assert predictor == "physics" and remark.startswith("gru has no weights for tennis")
    with pytest.raises(ValueError, match="nosuch"):
        choice.load(1)
