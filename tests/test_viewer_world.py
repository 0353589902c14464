"""Overrides of the world: the ball flies by them from that moment on, its past stays, predictors do not know them."""

import numpy as np
import pytest
from viewer_fakes import FixedPool, Recorder

from ballcast import sim
from ballcast.viewer.playback import overrides as rules
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.source import LiveSource

SPORT = sim.load("table_tennis")


@pytest.fixture
def predictor():
    return Recorder()


@pytest.fixture
def session(predictor):
    session = Session(LiveSource(SPORT, 5), FixedPool(predictor))
    for _ in range(24):
        session.advance(FRAME_TIME)
    return session


def acceleration(ball, time):
    """The ball's acceleration (3,) m/s2 at a time, by its speeds 4 ms apart."""
    return (ball.state_at(time + 2e-3)[1] - ball.state_at(time - 2e-3)[1]) / 4e-3


def test_the_past_stays_and_the_future_flies_by_the_new_rules(session):
    old, now = session.ball, session.now
    session.set_override("gravity", 0.0)
    new, past = session.ball, old.time < now
    assert np.array_equal(new.position[: past.sum()], old.position[past]) and new.end == pytest.approx(old.end)
    for before, after in zip(old.state_at(now), new.state_at(now)):
        np.testing.assert_allclose(before, after, atol=1e-6)
    assert acceleration(old, now + 0.02)[2] - acceleration(new, now + 0.02)[2] == pytest.approx(-9.81, abs=0.3)
    observed = old.track.time <= now
    assert (
        np.array_equal(new.track.time[: observed.sum()], old.track.time[observed])
        and (np.diff(new.track.time) > 0).all()
    )


def test_the_predictor_goes_on_observing_without_notice(session, predictor):
    frames, streams = list(predictor.observed), predictor.streams
    session.set_override("gravity", 3.0)
    assert predictor.streams == streams + 1 and predictor.observed[len(frames) :] == frames
    for _ in range(10):
        session.advance(FRAME_TIME)
    assert len(predictor.observed) == len(frames) + np.sum(session.ball.track.time <= session.now)
    assert predictor.observed[-1][0] <= session.now


def test_rewound_and_changed_what_came_later_is_forgotten(session):
    made = len(session.forecasters[0].forecasts)
    session.rewind(0.2)
    now = session.now
    session.set_override("bounce", 0.5)
    assert session.moments[-1].now == now == session.now and session.forecasters[0].forecasts[-1].made_at <= now
    assert len(session.forecasters[0].forecasts) < made and max(map(len, session.errors.values())) < made
    times = session.forecasters[0].error_series(0.1, 99)[0]
    assert len(times) and max(times) <= now
    session.paused = False
    session.advance(FRAME_TIME)
    assert session.now == pytest.approx(now + FRAME_TIME) == session.forecast.made_at


def test_put_back_the_same_ball_flies_again(session):
    first = session.source.ball(0)
    session.set_override("along", 5.0)
    session.restart()
    assert not np.allclose(session.ball.position[300], first.position[300], atol=1e-4)
    session.set_override("along", None)
    session.restart()
    assert np.array_equal(session.ball.position, first.position)
    assert np.array_equal(session.ball.track.position, first.track.position)


def ball_by(**world):
    source = LiveSource(SPORT, 5)
    source.world = world
    return source.ball(0)


def test_each_rule_does_what_it_says():
    plain = ball_by()
    assert acceleration(ball_by(gravity=0.0), 0.005)[2] - acceleration(plain, 0.005)[2] == pytest.approx(9.81, abs=0.2)
    along = acceleration(ball_by(along=-8.0), 0.02) - acceleration(plain, 0.02)
    across = acceleration(ball_by(across=8.0), 0.02) - acceleration(plain, 0.02)
    assert along[1] < -0.5 and across[0] > 0.5
    vacuum = acceleration(ball_by(density=0.0), 0.05)
    np.testing.assert_allclose(vacuum, [0, 0, -9.81], atol=1e-3)
    assert len(ball_by(rate=60.0, missed=0.0).track) == pytest.approx(
        len(ball_by(rate=180.0, missed=0.0).track) / 3, abs=2
    )
    assert len(ball_by(missed=90.0).track) < 0.3 * len(ball_by(missed=0.0).track)
    noisy, still = ball_by(noise=40.0), ball_by(noise=0.0)

    def off(ball):
        return np.median(
            [np.linalg.norm(p - ball.state_at(t)[0]) for t, p in zip(ball.track.time, ball.track.position)]
        )

    assert off(still) < 0.01 < 0.03 < off(noisy)


def test_the_bounce_and_the_friction_are_the_surfaces(session):
    sport, _ = rules.apply(SPORT, {"bounce": 0.5, "friction": 2.0})
    for old, new in zip(SPORT.surfaces, sport.surfaces):
        assert new.restitution.e == pytest.approx(0.5 * old.restitution.e)
        assert new.friction == pytest.approx(2.0 * old.friction)
    parameters = rules.parameters_relative_to(SPORT, sport, np.ones(6))
    assert parameters[2] == pytest.approx(0.5) and parameters[3] == pytest.approx(2.0) and parameters[0] == 1.0
    assert rules.apply(SPORT, {})[0].surfaces == SPORT.surfaces


def test_the_true_parameters_are_those_of_the_moment(session):
    before, now = session.ball.parameters(session.now), session.now
    session.set_override("density", 2 * SPORT.world.rho)
    session.set_override("across", 4.0)
    after = session.ball.parameters(now + 0.01)
    assert after[0] == pytest.approx(2 * before[0]) and after[4] == pytest.approx(before[4] + 4.0)
    assert np.array_equal(session.ball.parameters(now - 0.1), before)


@pytest.mark.parametrize("rule", rules.OVERRIDES, ids=lambda rule: rule.name)
def test_every_rule_can_stand_at_both_its_ends(rule):
    for value in (rule.low, rule.high, rule.clipped(0.5 * (rule.low + rule.high)), rule.clipped(1e9)):
        ball = ball_by(**{rule.name: value})
        assert np.isfinite(ball.position).all() and rule.low <= rule.clipped(value) <= rule.high
    assert rule.low <= rule.default(SPORT) <= rule.high
    assert rule.text(rule.default(SPORT))


@pytest.mark.parametrize("name", sim.names())
def test_every_sport_has_throws_of_its_own(name):
    sport = sim.load(name)
    session = Session(LiveSource(sport, 2), FixedPool(Recorder()))
    assert len(sport.throws) >= 3
    for kind, (label, _) in enumerate(sport.throws):
        session.throw_kind(1)
        assert session.source.throw_kind == kind and label in session.ball.name and len(session.ball.track) > 10
        first = session.ball
        session.restart()
        assert np.array_equal(session.ball.position, first.position)
    session.throw_kind(1)
    assert session.source.throw_kind is None and "seed 2" in session.ball.name
    session.throw_kind(-1)
    assert session.source.throw_kind == len(sport.throws) - 1


def test_a_throw_needs_a_name():
    for table, word in (({}, "name"), ({"name": "serve"}, "position")):
        with pytest.raises(sim.SportError, match=word):
            from ballcast.sim.sport import _throw

            _throw(table, "x.toml: throw 1")
