"""Where balls come from: the landings found in recordings, and live throws by their seed."""

import numpy as np
import pytest

from ballcast import sim
from ballcast.tracks import Track, read_track
from ballcast.viewer.playback.source import PAUSE, LiveSource, RecordedSource, recorded_landings

TT = "table_tennis"


def bouncing(noise=0.0, rate=180.0):
    """A track in vacuum that lands at 0.3 s at (0.06, 0.6 m) and leaves with 4/5 of its speed."""
    time = np.arange(0.0, 0.6, 1 / rate)
    after = np.maximum(time - 0.3, 0)
    down = -1.0 - 9.81 * 0.3
    z = np.where(
        after > 0,
        0.02 - 0.8 * down * after - 4.905 * after**2,
        0.02 + down * (time - 0.3) - 4.905 * (time - 0.3) ** 2,
    )
    position = np.column_stack([0.2 * time, 2 * time, z])
    return Track(time, position + np.random.default_rng(1).normal(0, 1, position.shape) * noise)


def test_a_bounce_is_found_where_the_arcs_cross():
    time, position = recorded_landings(bouncing(), sim.load(TT))
    np.testing.assert_allclose(time, [0.3], atol=1e-6)
    np.testing.assert_allclose(position, [[0.06, 0.6, 0.02]], atol=1e-5)


def test_noise_of_a_millimetre_moves_it_by_millimetres():
    time, position = recorded_landings(bouncing(noise=1e-3), sim.load(TT))
    np.testing.assert_allclose(time, [0.3], atol=2e-3)
    np.testing.assert_allclose(position[0], [0.06, 0.6, 0.02], atol=6e-3)


def test_no_landing_in_the_air_or_beside_the_table():
    track = bouncing()
    for shift in ([0, 0, 0.3], [2.0, 0, 0]):
        assert len(recorded_landings(Track(track.time, track.position + shift), sim.load(TT))[0]) == 0


def test_too_few_frames_on_either_side_give_none():
    track = bouncing()
    assert len(recorded_landings(track[50:58], sim.load(TT))[0]) == 0


def test_the_strokes_of_tt3d_have_one_landing_each(data_folder):
    files = sorted((data_folder / "tt3d" / "3d").glob("*.csv"))[:20]
    counts = [len(recorded_landings(read_track(file), sim.load(TT))[0]) for file in files]
    assert np.mean(np.array(counts) == 1) >= 0.9, counts


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
