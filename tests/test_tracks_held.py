"""Frames that measure nothing: repeated positions of a moving ball, and zeros; live and in files by one rule."""

import numpy as np
import pytest

from ballcast import models
from ballcast.tracks import RepeatFilter, RepeatFilters, Track, measured_frames, read_track
from ballcast.tracks.held import REST_TIME

TIME = np.arange(45) / 180.0
FLIGHT = np.column_stack([0.3 * TIME, 5.0 * TIME - 1.2, 0.3 + 2.0 * TIME - 4.9 * TIME**2])


def held(first, last):
    """The flight, of which frames first to last - 1 repeat the one before."""
    position = FLIGHT.copy()
    position[first:last] = position[first - 1]
    return position


@pytest.mark.parametrize("first, last", [(42, 45), (37, 45), (20, 28), (2, 3)])
def test_repeats_of_a_moving_ball_measure_nothing(first, last):
    expected = ~np.isin(np.arange(45), range(first, last))
    np.testing.assert_array_equal(measured_frames(TIME, held(first, last)), expected)


@pytest.mark.parametrize("first, last", [(40, 45), (15, 27), (0, 5)])
def test_zero_fill_measures_nothing(first, last):
    position = FLIGHT.copy()
    position[first:last] = 0.0
    expected = ~np.isin(np.arange(45), range(first, last))
    np.testing.assert_array_equal(measured_frames(TIME, position), expected)


def test_every_other_frame_repeated_is_half_the_rate():
    mask = measured_frames(np.arange(90) / 360, np.repeat(FLIGHT, 2, axis=0))
    np.testing.assert_array_equal(mask[2:], np.arange(88) % 2 == 0)
    assert mask[0] and mask[1]  # before the second position, nothing says that the ball moves


def test_a_ball_that_rests_is_measured():
    still = np.tile([1.0, 2.0, 0.11], (200, 1))
    assert measured_frames(np.arange(200) / 25, still).all()


def test_a_ball_that_rolls_to_rest_in_a_feed_of_centimetres_is_measured():
    time = np.arange(150) / 25
    speed = np.maximum(0.0, 3.0 - 0.8 * time)  # m/s
    along = np.round(np.cumsum(speed) / 25, 2)
    position = np.column_stack([along, np.zeros(150), np.zeros(150)])
    assert (np.diff(along) == 0).sum() > 30  # it repeats itself
    assert measured_frames(time[1:], position[1:]).all()


def test_a_slow_ball_whose_position_is_rounded_coarsely_is_not_taken_for_a_fast_one():
    time = np.arange(400) / 180
    along = 1.0 + np.round(0.2 * time, 2)  # 0.2 m/s; a step of 1 cm in one frame looks like 1.8 m/s
    mask = measured_frames(time, np.column_stack([along, along, along]))
    assert mask.mean() > 0.3 and np.diff(time[mask]).max() < 0.06


def test_a_ball_stopped_dead_is_at_rest_after_a_while():
    time = np.arange(300) / 180
    position = np.vstack([FLIGHT, np.tile(FLIGHT[-1], (255, 1))])
    mask = measured_frames(time, position)
    first = np.flatnonzero(mask[45:])[0] + 45
    assert REST_TIME < time[first] - time[44] < REST_TIME + 0.02 and mask[first:].all()


def test_a_ball_at_rest_in_the_origin_is_measured_once_it_was_seen_near_it():
    position = np.vstack([np.linspace([0.05, 0, 0], [0.01, 0, 0], 5), np.zeros((20, 3))])
    assert measured_frames(np.arange(25) / 25, position).all()


def test_live_many_balls_and_a_whole_track_agree():
    rng = np.random.default_rng(0)
    position = np.round(np.cumsum(rng.choice([0.0, 0.0, 0.01, 0.05], (300, 8, 3)), axis=0), 2)
    position[rng.random((300, 8)) < 0.1] = 0.0
    time = np.cumsum(rng.choice([0.004, 0.04, 0.7], (300, 8), p=[0.5, 0.48, 0.02]), axis=0)
    batch, rows = RepeatFilters(8), np.arange(8)
    together = np.array([batch.measured(rows, time[k], position[k]) for k in range(300)])
    alone = [RepeatFilter() for _ in rows]
    live = [[alone[b].is_measured(time[k, b], *position[k, b]) for b in rows] for k in range(300)]
    whole = np.column_stack([measured_frames(time[:, b], position[:, b]) for b in rows])
    assert 0.2 < together.mean() < 0.98
    np.testing.assert_array_equal(together, whole)
    np.testing.assert_array_equal(live, whole)


@pytest.mark.parametrize("name", ["parabola", "physics", "gru"])
def test_held_frames_and_zeros_leave_a_forecast_as_if_they_were_missed(name):
    predictor = models.load(name, sport="table_tennis")
    position = held(20, 28)
    position[42:] = 0.0
    mask = measured_frames(TIME, position)
    assert (~mask).sum() == 11
    times = TIME[-1] + np.array([0.1, 0.2])
    expected = predictor.forecast(Track(TIME[mask], position[mask]), times).mean
    np.testing.assert_array_equal(predictor.forecast(Track(TIME, position), times).mean, expected)
    streams = predictor.stream(), predictor.stream()
    for t, p in zip(TIME, position):
        streams[0].observe(t, p)
    for t, p in zip(TIME[mask], position[mask]):
        streams[1].observe(t, p)
    np.testing.assert_array_equal(streams[0].forecast(times).mean, streams[1].forecast(times).mean)


def test_of_many_balls_at_once_each_leaves_out_its_own_and_may_restart():
    predictor = models.load("gru", sport="table_tennis")
    position = np.stack([FLIGHT, held(30, 36), FLIGHT])
    batch, missed, times = predictor.streams(3), predictor.streams(3), TIME[-1] + np.array([0.1])
    for k, t in enumerate(TIME):
        seen = position[:, k].copy()
        batch.observe(np.full(3, t), seen)
        seen[1] = np.nan if 30 <= k < 36 else seen[1]
        missed.observe(np.full(3, t), seen)
    np.testing.assert_array_equal(batch.forecast(times).mean, missed.forecast(times).mean)
    batch.restart([2])
    fresh = predictor.streams(1)
    for k in range(10):  # on an earlier clock
        batch.observe(np.array([np.nan, np.nan, TIME[k]]), position[:, k])
        fresh.observe(TIME[k : k + 1], FLIGHT[None, k])
    later = batch.forecast(np.array([TIME[-1], TIME[-1], TIME[9]])[:, None] + 0.1)
    np.testing.assert_allclose(later.mean[2], fresh.forecast([TIME[9] + 0.1]).mean[0], atol=1e-6)
    np.testing.assert_array_equal(later.mean[:2], missed.forecast(times).mean[:2])


def test_recorded_balls_keep_their_frames(data_folder):
    for folder, name in (("soccer", "dfl_flat"), ("soccer", "dfl_rolling_pass"), ("soccer", "hawkeye_flight_0")):
        file = data_folder / folder / f"{name}.csv"
        if not file.is_file():
            pytest.skip(f"no {file}")
        track = read_track(file)
        assert len(track) == len(file.read_text().splitlines()) - 1 and not track.notes
