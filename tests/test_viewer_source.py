"""Where balls come from: recordings, and live throws by their seed."""

import numpy as np
import pytest
from test_tracks_landings import bouncing

from ballcast import sim
from ballcast.viewer.panels import overlay
from ballcast.viewer.playback.source import PAUSE, SINGLE, LiveSource, RecordedSource

TT = "table_tennis"


def test_replays_go_round_and_know_speed_but_no_spin():
    source = RecordedSource(sim.load(TT), [bouncing(), bouncing(noise=1e-3)])
    ball = source.ball(3)
    assert ball.is_recorded and ball.track is source.tracks[1] and ball.name.endswith("(2 of 2)")
    position, velocity, spin = source.ball(0).state_at(0.1)
    np.testing.assert_allclose(position, [0.02, 0.2, position[2]], atol=1e-9)
    np.testing.assert_allclose(velocity[:2], [0.2, 2.0], atol=1e-6)
    assert spin is None


@pytest.mark.parametrize("name", sim.names())
def test_throw_i_of_a_seed_is_always_the_same_and_lies_near_its_truth(name):
    sport = sim.load(name)
    ball, again, other = LiveSource(sport, 3).ball(1), LiveSource(sport, 3).ball(1), LiveSource(sport, 3).ball(2)
    np.testing.assert_array_equal(ball.track.position, again.track.position)
    np.testing.assert_array_equal(ball.position, again.position)
    assert not np.array_equal(ball.position[:10], other.position[:10])
    truth = np.array([ball.state_at(t)[0] for t in ball.track.time])
    off = np.linalg.norm(truth - ball.track.position, axis=1)
    assert np.median(off) < 5 * sport.sensor.noise[1] and ball.end >= ball.track.time[-1] + PAUSE - 1e-9


def test_the_landings_of_a_throw_are_on_landing_surfaces():
    ball = LiveSource(sim.load("room"), 0).ball(0)
    assert len(ball.landing_time) and np.all(np.diff(ball.landing_time) > 0)
    np.testing.assert_allclose(ball.landing_position[:, 2], 0.03, atol=1e-6)


@pytest.mark.parametrize("name", sim.names())
def test_live_play_is_rallies_in_the_sports_that_have_them(name):
    sport = sim.load(name)
    source = LiveSource(sport, 3, rallies=True)
    ball, again = source.ball(1), source.ball(1)
    np.testing.assert_array_equal(ball.track.position, again.track.position)
    if not sport.strokes:
        assert not source.rallies and "shot 2" in ball.name
        return
    rally = sim.rally(sport, 3, 1)
    word = "rally" if name in ("table_tennis", "tennis", "volleyball") else "ball"
    assert f"{word} 2" in ball.name and ball.end == rally.end + (PAUSE if rally.ended_by == "catch" else 0.0)
    times = np.linspace(0.0, rally.end - 0.01, 50)
    positions = np.array([ball.state_at(t)[0] for t in times])
    np.testing.assert_allclose(positions, rally.position(times), atol=1e-3)
    off = np.linalg.norm(ball.track.position - rally.position(ball.track.time), axis=1)
    assert np.median(off) < 5 * sport.sensor.noise[1]
    np.testing.assert_allclose(ball.parameters(0.5), rally.parameters)


def test_what_is_called_is_called_when_it_is_decided():
    sport = sim.load(TT)
    ball, rally = LiveSource(sport, 0, rallies=True).ball(0), sim.rally(sport, 0, 0)
    assert [text for _, text, _ in ball.calls] == [stroke.outcome for stroke in rally.strokes]
    for since, text, position in ball.calls:
        assert ball.call(since - 1e-3) is None or ball.call(since - 1e-3)[0] != (text, position)
        assert ball.call(since + 1e-3)[0] == text
    assert ball.call(ball.calls[-1][0] + 0.95) is None and ball.call(0.0) is None


def test_what_a_player_takes_before_it_is_decided_is_not_called():
    sport = sim.load("volleyball")
    ball, rally = LiveSource(sport, 0, rallies=True).ball(0), sim.rally(sport, 0, 0)
    assert len(rally.strokes) > 2 and len(ball.calls) == 1


def test_throws_by_hand_and_kinds_of_throws_are_single_balls():
    sport = sim.load(TT)
    source = LiveSource(sport, 0, rallies=True)
    source.throw(1, [0, -1.5, 0.3], [0, 6, 1], [0, 0, 0])
    assert "by hand" in source.ball(1).name
    names = list(source.throw_kinds.values())
    assert names == ["rallies", *(name for name, _ in sport.throws), "single balls"]
    source.throw_kind = SINGLE
    np.testing.assert_array_equal(source.ball(2).track.position, LiveSource(sport, 0).ball(2).track.position)


def test_nobody_hits_a_ball_whose_world_was_changed():
    source = LiveSource(sim.load(TT), 0, rallies=True)
    ball = source.ball(0)
    assert len(ball.calls) > 2
    now = ball.calls[1][0] - 0.05
    source.world["gravity"] = 3.0
    changed = source.branch(ball, 0, now)
    assert len(changed.calls) == 1 and changed.end == ball.end
    np.testing.assert_allclose(changed.state_at(now - 0.1)[0], ball.state_at(now - 0.1)[0])
    after = np.array([changed.state_at(t)[1] for t in np.arange(now, changed.end, 0.01)])
    assert np.abs(np.diff(after[:, 1])).max() < 6.0, "no stroke turns it round"


def test_a_single_ball_is_called_too():
    golf = LiveSource(sim.load("golf"), 0).ball(0)
    carry = np.linalg.norm(golf.landing_position[0, :2] - golf.position[0, :2])
    assert [call[:2] for call in golf.calls] == [(golf.landing_time[0], f"carry {carry:.0f} m")]
    basketball = LiveSource(sim.load("basketball"), 0)
    basketball.throw(0, [0.0, 12.425, 4.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert [text for _, text, _ in basketball.ball(0).calls] == ["basket"]
    basketball.throw(0, [0.0, 10.0, 4.5], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert [text for _, text, _ in basketball.ball(0).calls] == ["no basket"]
    baseball = LiveSource(sim.load("baseball"), 0)
    baseball.throw(0, [0.0, 0.6, 0.8], [0.0, 40.0, 10.0], [0.0, 0.0, 0.0])
    assert baseball.ball(0).calls == (), "a batted ball is no pitch"
    assert overlay.in_capitals("carry 132 m") == "CARRY 132 m"
