"""Landings of recorded balls: on a synthetic recording whose landings are known, and on TT3D; one for all who ask."""

import numpy as np
import pytest

from ballcast import sim
from ballcast.evaluation import protocols, suites
from ballcast.tracks import Track, read_track, recorded_landings
from ballcast.viewer.playback.source import RecordedSource

SPORT = sim.load("table_tennis")
RADIUS = SPORT.ball.radius
SURFACES = [surface for surface in SPORT.surfaces if surface.landing]


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


def test_a_landing_is_where_the_arcs_cross():
    time, position = recorded_landings(bouncing(), SURFACES, RADIUS)
    np.testing.assert_allclose(time, [0.3], atol=1e-6)
    np.testing.assert_allclose(position, [[0.06, 0.6, 0.02]], atol=1e-5)


def test_noise_of_a_millimetre_moves_it_by_millimetres():
    time, position = recorded_landings(bouncing(noise=1e-3), SURFACES, RADIUS)
    np.testing.assert_allclose(time, [0.3], atol=2e-3)
    np.testing.assert_allclose(position[0], [0.06, 0.6, 0.02], atol=6e-3)


def test_all_landings_are_found_in_order_and_a_lower_point_off_the_surface_is_none():
    """Two bounces of 0.3 s on the table, then a fall past its end to a point below it: two landings, not the lowest."""
    time = np.arange(0.0, 1.2, 1 / 200.0)
    phase = np.where(time < 0.15, time + 0.15, (time - 0.15) % 0.3)
    height = 4.905 * phase * (0.3 - phase)
    height = np.where(time > 0.75, np.abs(time - 1.0) - 0.3, height)
    track = Track(time, np.column_stack([0 * time, -1.0 + 2.5 * time, RADIUS + height]))
    when, position = recorded_landings(track, SURFACES, RADIUS)
    np.testing.assert_allclose(when, [0.15, 0.45], atol=1e-6)
    np.testing.assert_allclose(position, [[0, -0.625, RADIUS], [0, 0.125, RADIUS]], atol=1e-5)


@pytest.mark.parametrize("shift", [[0, 0, 0.3], [2.0, 0, 0]])
def test_no_landing_in_the_air_or_beside_the_table(shift):
    track = bouncing()
    time, position = recorded_landings(Track(track.time, track.position + shift), SURFACES, RADIUS)
    assert time.shape == (0,) and position.shape == (0, 3)


def test_too_few_frames_on_either_side_give_none():
    assert len(recorded_landings(bouncing()[:48], SURFACES, RADIUS)[0]) == 0
    assert len(recorded_landings(bouncing()[50:], SURFACES, RADIUS)[0]) == 0
    assert len(recorded_landings(bouncing()[47:62], SURFACES, RADIUS)[0]) == 1


def test_viewer_and_evaluation_give_the_same_landing():
    track = bouncing(noise=1e-3)
    time, position = recorded_landings(track, SURFACES, RADIUS)
    ball = RecordedSource(SPORT, [track]).ball(0)
    cases = protocols.landing(suites.Suite("s", SPORT, [track]), 0.1)
    np.testing.assert_array_equal(ball.landing_time, time)
    np.testing.assert_array_equal(ball.landing_position, position)
    np.testing.assert_array_equal(cases.truth, np.column_stack([time, position]))


def test_the_strokes_of_tt3d_have_one_landing_each(data_folder):
    files = sorted((data_folder / "tt3d" / "3d").glob("*.csv"))[:20]
    counts = [len(recorded_landings(read_track(file), SURFACES, RADIUS)[0]) for file in files]
    assert len(counts) == 20 and np.mean(np.array(counts) == 1) >= 0.9, counts
