"""The session: the predictor sees the past alone, and its forecasts are scored when their time has come."""

import dataclasses

import numpy as np
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import models
from ballcast.viewer.playback.forecaster import LEAD_TIMES
from ballcast.viewer.playback.session import FRAME_TIME, PredictorPool, Session, rotation


@pytest.fixture
def predictor():
    return Recorder()


@pytest.fixture
def session(predictor):
    return Session(OneBall(), FixedPool(predictor, Recorder()))


def play(session, seconds):
    for _ in range(round(seconds / FRAME_TIME)):
        session.advance(FRAME_TIME)


def test_the_predictor_gets_past_frames_one_by_one_and_never_those_to_come(session, predictor):
    count = 0
    for _ in range(59):
        session.advance(FRAME_TIME)
        assert all(time <= session.now for time, *_ in predictor.observed)
        assert len(predictor.observed) == np.sum(session.ball.track.time <= session.now) >= count
        count = len(predictor.observed)
    track = session.ball.track
    np.testing.assert_array_equal(predictor.observed, np.column_stack([track.time, track.position])[:count])


def test_it_gets_the_noisy_track_not_the_truth(session, predictor):
    play(session, 0.5)
    frames = np.array(predictor.observed)
    assert not np.any(frames[:, 1:] == session.ball.position[: len(frames)])


def test_every_frame_has_its_forecast_of_times_to_come(session, predictor):
    play(session, 0.5)
    assert len(predictor.requests) == pytest.approx(30, abs=2)
    for last, times in predictor.requests:
        assert times.min() > last and np.all(np.diff(times) > 0)
    np.testing.assert_allclose(predictor.requests[-1][1], session.now + session.lead_times)


def test_errors_are_distances_to_where_the_ball_was_at_the_time_asked_for(session):
    play(session, 0.45)
    for lead in LEAD_TIMES:
        time = session.now  # the last forecast scored was for about now
        truth, error = session.ball.state_at(time)[0], session.errors[lead][-1]
        assert error == pytest.approx(np.linalg.norm(truth - [0, 0, time]), abs=0.05)
        assert len(session.errors[lead]) == pytest.approx((0.43 - lead) / FRAME_TIME, abs=2)


def test_a_landing_scores_the_forecasts_made_before_it(session):
    play(session, 0.49)
    assert not session.landing_errors
    play(session, 0.05)
    off = {lead: session.landing_errors[lead] for lead in LEAD_TIMES}
    assert off[0.1][0] == pytest.approx(0.2) and off[0.1][1] == pytest.approx(0.15, abs=0.03)
    assert off[0.4][1] == pytest.approx(-0.15, abs=0.03)


def test_no_forecast_is_scored_across_a_hit():
    source, scored = OneBall(), {}
    for hits in ((), (10.33,)):
        source.one = dataclasses.replace(source.one, hits=hits)
        session = Session(source, FixedPool(Recorder()))
        play(session, 0.6)
        scored[hits] = [session.forecasters[0].error_series(lead, session.now)[0] for lead in LEAD_TIMES]
        assert set(session.landing_errors) == {lead for lead in LEAD_TIMES if not hits or 10.5 - lead > hits[0]}
    for lead, every, left in zip(LEAD_TIMES, *scored.values()):
        assert left.tolist() == [time for time in every if not time - lead <= 10.33 < time] and len(left) < len(every)


def test_nobody_is_scored_where_a_recording_has_a_gap(predictor):
    session = Session(OneBall(measured=True, gap=range(30, 60)), FixedPool(predictor))
    play(session, 0.58)
    assert len(session.errors[0.1]) == pytest.approx((0.29 - 0.12) / FRAME_TIME, abs=2)


def test_no_forecast_before_there_are_frames_enough_and_none_after_the_last(session, predictor):
    assert session.forecast is None
    play(session, 1.2)
    made = session.forecast.made_at
    assert made < 10.99
    play(session, 0.1)
    assert session.forecast.made_at == made


def test_the_next_ball_starts_by_itself_with_a_fresh_stream(session, predictor):
    play(session, 1.6)
    assert session.index == 1 and session.now < 10.2
    assert predictor.streams == 2


def test_another_predictor_gets_the_frames_so_far(session, predictor):
    play(session, 0.4)
    session.select_predictor(1)
    other = session.predictor
    assert other is not predictor and other.observed == predictor.observed
    assert other.requests[-1][0] == predictor.requests[-1][0] and len(other.requests) == len(predictor.requests)
    session.select_predictor(8)
    assert session.predictor is other


def test_predictors_stand_beside_each_other_and_one_always_stays(session, predictor):
    play(session, 0.4)
    session.toggle_predictor(1)
    first, second = session.forecasters
    assert session.selected == [0, 1] and session.predictor is predictor
    assert first.errors(session.now) == second.errors(session.now) and first.errors(session.now)[0.1]
    session.toggle_predictor(0)
    assert session.selected == [1] and session.forecasters == [second]
    session.toggle_predictor(1)
    assert session.selected == [1]
    session.next()
    assert [forecaster.number for forecaster in session.forecasters] == [1]


def test_a_moment_gone_back_to_is_what_it_was_and_what_comes_is_not_changed(session, predictor):
    moments = []
    for _ in range(40):
        session.advance(FRAME_TIME)
        moments.append(
            (session.now, session.forecast, session.errors, session.orientation, len(session.observed_frames))
        )
    count = len(predictor.observed)
    for now, forecast, errors, orientation, frames in moments[::-3]:
        session.rewind(now + 0.4 * FRAME_TIME)
        assert (session.now, session.forecast, session.errors, len(session.observed_frames)) == (
            now,
            forecast,
            errors,
            frames,
        )
        assert session.orientation is orientation and session.paused
    session.step_back()
    session.step()
    assert session.now == moments[0][0]
    session.paused = False
    for now, forecast, *_ in moments[1:]:
        session.advance(FRAME_TIME)
        assert session.forecast is forecast and session.now == pytest.approx(now)
    assert len(predictor.observed) == count
    session.advance(2 * FRAME_TIME)
    assert session.forecast.made_at == session.now and len(predictor.observed) > count


def test_latency_is_measured_by_the_clock_that_is_given(predictor):
    ticks = iter(range(10_000))
    session = Session(OneBall(), FixedPool(predictor), clock=lambda: next(ticks))
    play(session, 0.3)
    assert session.forecasters[0].latency == pytest.approx(1)


def test_pause_step_again_and_speed(session):
    session.paused = True
    session.advance(1.0)
    assert session.now == 10.0
    session.step()
    assert session.now == pytest.approx(10 + FRAME_TIME)
    session.change_speed(-1)
    session.step()
    assert session.now == pytest.approx(10 + 1.5 * FRAME_TIME)
    for _ in range(20):
        session.change_speed(1)
    assert session.speed == 8
    session.restart()
    assert session.now == 10.0 and session.index == 0 and not session.errors[0.1]


def test_the_ball_turns_by_its_spin(session):
    play(session, 0.3)
    angle = 100 * 0.3
    np.testing.assert_allclose(session.orientation, rotation(np.array([angle, 0, 0])), atol=1e-9)
    np.testing.assert_allclose(session.orientation[:, 1], [0, np.cos(angle), np.sin(angle)], atol=1e-9)


def test_a_predictor_without_weights_is_stood_in_for_by_physics(monkeypatch):
    def load(name, sport):
        if name == "gru":
            raise ValueError("gru has no weights for tennis; train them with ...")
        if name == "nosuch":
            raise ValueError("no predictor is called nosuch")
        return name

    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(models, "PREDICTORS", {"gru": "", "physics": ""})
    pool = PredictorPool(["gru", "nosuch"], None)
    predictor, remark = pool.load(0)
    assert predictor == "physics" and remark.startswith("gru has no weights for tennis")
    with pytest.raises(ValueError, match="nosuch"):
        pool.load(1)
