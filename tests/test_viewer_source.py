"""Where balls come from: recordings, and live throws by their seed."""

import numpy as np
import pytest
from test_tracks_landings import bouncing

from ballcast import sim
from ballcast.viewer.playback.source import PAUSE, LiveSource, RecordedSource

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
