"""The benchmarks of feeds, beliefs and the filter's speed run on a few balls, and count what they should."""

import json

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.evaluation.suites import simulated
from ballcast.models.contract import Forecast
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.mixture import COMPONENTS
from benchmarks import beliefs, feeds, filter_speed


def test_rolling_balls_are_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(feeds, "ROLLING", (("tennis", 0.033, 100.0, 5.0, 0.5, 0.3),))
    found = feeds.rolling("gru", tmp_path)
    assert set(found) == {"gru_nis_frames", "gru_sd_share", "gru_below_ground", "gru_failures"}
    assert 0 <= found["gru_nis_frames"] <= 40 and found["gru_failures"] == 0
    out = capsys.readouterr().out
    assert "tennis z=0.033, noise 0 mm" in out and "dfl_flat.csv does not exist: skipped" in out


class Below:
    """A stream whose forecasts lie at heights z (10,) m."""

    def __init__(self, z):
        self.z = np.array(z)

    def forecast(self, times):
        return Forecast(np.stack([0 * times, 0 * times, self.z], axis=1))


def test_only_means_below_the_ground_are_counted():
    counts = feeds.Counts()
    feeds._forecast(Below([0.1] * 7 + [0.0, -0.0005, -0.3]), 0.0, counts)
    assert (counts.below, counts.forecasts, counts.lowest, counts.failures) == (1, 10, -0.3, 0)
    feeds._forecast(Below([np.nan] * 10), 0.0, counts)
    assert counts.failures == 1


def test_held_frames_repeat_the_last_position_and_keep_the_times():
    track = feeds.rolling_track(feeds.ROLLING[0], 0.0)[:40]
    held, missing = feeds.faulty(track, slice(16, 24), "held")
    assert (held.position[16:24] == track.position[15]).all() and (held.position[24:] == track.position[24:]).all()
    assert (held.time == track.time).all() and len(missing) == 32 and not set(missing.time) & set(track.time[16:24])
    assert not feeds.faulty(track, slice(-5, None), "zero")[0].position[-5:].any()


def test_strokes_with_held_frames_are_forecast(capsys):
    found = feeds.held("gru", 6, through_files=True)
    assert len(found) == 4 * len(feeds.CASES) and all(np.isfinite(v) for v in found.values())
    assert found["gru_middle_8_held_100ms_ratio"] > 0.0 and "last_8_held" in capsys.readouterr().out


@pytest.mark.parametrize("name", feeds.PREDICTORS)
def test_filters_are_read_where_there_is_one(name):
    sport = sim.load("table_tennis")
    if name not in models.available(sport):
        pytest.skip(f"{name} is not available")
    stream, track = models.load(name, sport).stream(), simulated(sport, 1, 0).tracks[0]
    for time, position in zip(track.time[:20], track.position[:20]):
        stream.observe(time, position)
    estimate = feeds.filter_estimate(stream)
    assert (estimate is not None) == name.startswith("gru")
    if estimate:
        assert np.linalg.norm(estimate.mean[:3] - track.position[19]) < 0.05
        assert np.linalg.eigvalsh(estimate.covariance[:6, :6])[0] > 0.0 and 0.0 <= estimate.nis < 1e3


def test_beliefs_are_scored_at_their_moments(capsys):
    suite = simulated(sim.load("table_tennis"), 6, 5)
    impacts = suite.flight(np.arange(6), np.array([[t.time[-1]] for t in suite.tracks])).impacts
    for k, pairs in beliefs.moments(suite).items():
        for ball, row in pairs:
            time = suite.tracks[ball].time
            if row == "0.2 s":
                assert time[k - 1] < time[0] + 0.2 <= time[k]
            if row == "first contact, frame 3":
                assert (time > impacts.time[impacts.ball == ball].min()).argmax() == k - 2
    beliefs.main(balls=6)
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert (
        found["table_tennis_filter_0.2_s_position"] > 0.0 and 0.0 <= found["table_tennis_gru_physics_0.2_s_spin"] <= 1
    )


def test_the_filter_is_timed_on_all_frames_of_each_ball(capsys, monkeypatch):
    monkeypatch.setattr(filter_speed, "ROUNDS", 2)
    frames, states, one = filter_speed.make_frames(sim.load("table_tennis"), 3), new_filter_states(3), None
    frames.observe(states, 0, filter_speed.MAX_FRAMES)
    assert (states["frames"] == frames.count).all() and frames.count.min() > 12
    for b in range(3):
        one = new_filter_states(1)
        frames._replace(first=frames.first[: b + 1], count=frames.count[: b + 1]).observe_in_turn(one)
        assert one["frames"][0] == frames.count[b] and (one["x"][0] == states["x"][b]).all()
    filter_speed.main(balls=3)
    *text, last = capsys.readouterr().out.splitlines()
    found = {key.removeprefix("table_tennis_"): value for key, value in json.loads(last).items()}
    assert 1.0 <= found["effective_components"] <= found["lanes"] <= COMPONENTS and found["peak"] >= 1.0
    assert found["many_us"] > 0.0 and found["one_us"] > 0.0 and 0 <= found["peak_frame"] < filter_speed.MAX_FRAMES
    assert "asked are 1.5 at most" in text[-2] and found["in_step_peak"] >= 1.0
