"""ballcast/Catch-v0: gymnasium's own check, seeds, fairness, rewards, what the policies catch, pictures, mistakes."""

import re
from pathlib import Path

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from ballcast.env import NAME  # noqa: E402 - only where gymnasium is
from ballcast.env.crossing import crossings  # noqa: E402
from ballcast.env.policies import follow_forecast, follow_last_frame  # noqa: E402

COUNT = 48


@pytest.fixture(scope="module")
def track():
    return gymnasium.make_vec(NAME, num_envs=COUNT, purpose="validation", reward="sparse")


@pytest.fixture(scope="module")
def forecast():
    return gymnasium.make_vec(NAME, num_envs=COUNT, observe="forecast", purpose="validation", reward="sparse")


@pytest.fixture(scope="module")
def followed(forecast):
    return play(forecast, follow_forecast)


def play(environments, policy, steps=1000):
    """The first ball of every environment: (caught, sums of rewards, all observations)."""
    observation, _ = environments.reset(seed=3)
    caught, rewards, played, seen = np.zeros(COUNT, bool), np.zeros(COUNT), np.zeros(COUNT, bool), [observation]
    while not played.all() and len(seen) <= steps:
        observation, reward, is_over, _, info = environments.step(policy(observation, environments.task))
        rewards += np.where(played, 0.0, reward)
        first = is_over & ~played
        if first.any():
            caught[first] = info["caught"][first]
        played |= is_over
        seen.append(observation)
    return caught, rewards, seen


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("observe", ["track", "forecast"])
def test_gymnasium_has_nothing_to_complain_of(observe):
    environment = gymnasium.make(f"ballcast.env:{NAME}", observe=observe, render_mode="rgb_array")
    check_env(environment.unwrapped, skip_render_check=True)
    environment.reset(seed=1)
    before = environment.render()
    for _ in range(20):
        environment.step(np.ones(2, np.float32))
    after = environment.render()
    assert before.shape == after.shape == (480, 640, 3) and before.dtype == np.uint8
    assert 100 < (before != after).any(axis=-1).sum() < 60_000  # disc, ball, track and forecast; the place stands still


def test_a_seed_gives_the_same_episodes_to_the_bit_and_another_one_others(forecast, followed):
    again = play(forecast, follow_forecast, 60)[2]
    assert all(first[name].tobytes() == row[name].tobytes() for first, row in zip(followed[2], again) for name in row)
    assert not np.array_equal(forecast.reset(seed=4)[0]["disc"], again[0]["disc"])
    environment = gymnasium.make(NAME, observe="forecast", purpose="validation", reward="sparse")
    observation, _ = environment.reset(seed=3)
    for row in again:  # one environment alone: the first of many
        assert all(np.allclose(observation[name], row[name][0], atol=1e-5) for name in observation)
        observation, *_ = environment.step(follow_forecast(observation, environment.unwrapped.task))


def test_following_the_forecast_catches_and_following_the_last_frame_does_not(track, followed):
    caught, rewards, _ = followed
    assert caught.mean() >= 0.85 and np.array_equal(caught, rewards == 1.0)  # of these 48; benchmarks/catch.py has more
    assert play(track, follow_last_frame)[0].mean() <= 0.35


def test_every_ball_can_be_caught_by_who_knows_where_it_will_cross(track):
    rounds = track._rounds

    def informed(observation, task):
        crossing = rounds.episodes.crossing - np.column_stack([rounds.time, np.zeros((COUNT, 2))])
        return follow_forecast(observation | {"crossing": crossing, "crosses": np.ones((COUNT, 1))}, task)

    caught, _, seen = play(track, informed)
    assert caught.all()
    speed = np.stack([row["disc"][:, 2:] for row in seen[:40]])
    change = np.linalg.norm(np.diff(speed, axis=0), axis=-1) * track.task.rate
    assert 10.0 < change.max() < 20.01  # m/s2: the disc's acceleration is bounded


def test_no_observation_depends_on_the_true_crossing(forecast, track):
    for environments, policy in ((forecast, follow_forecast), (track, follow_last_frame)):
        seen = play(environments, policy, 25)[2]
        observation, _ = environments.reset(seed=3)
        environments._rounds.episodes.crossing[:, 1:] += 0.3
        for row in seen:
            assert all(np.array_equal(observation[name], row[name]) for name in row)
            observation, *_ = environments.step(policy(observation, environments.task))


def test_the_dense_reward_adds_up_to_the_approach_and_the_catch():
    environment = gymnasium.make(NAME, purpose="validation")
    observation, _ = environment.reset(seed=2)
    start, total, is_over = observation["disc"][:2], 0.0, False
    while not is_over:
        observation, reward, is_over, is_cut, info = environment.step(environment.action_space.sample())
        total += reward
        assert not is_cut and environment.observation_space.contains(observation)
    crossing = environment.unwrapped._rounds.episodes.crossing[0, 1:]
    approach = np.linalg.norm(start - crossing) - info["miss"]
    assert total == pytest.approx(approach + info["caught"], abs=1e-5)


def test_an_episode_that_is_over_begins_anew_in_the_next_step(track):
    track.reset(seed=5)
    is_over = np.zeros(COUNT, bool)
    while not is_over.any():
        observation, _, is_over, _, info = track.step(np.zeros((COUNT, 2), np.float32))
    assert set(info) == {"caught", "_caught", "miss", "_miss"}
    again, reward, was_over, _, _ = track.step(np.ones((COUNT, 2), np.float32))
    assert not was_over[is_over].any() and not reward[is_over].any()
    assert (again["disc"][is_over, 2:] == 0.0).all() and (again["disc"][~is_over & ~was_over, 2:] > 0.0).all()
    assert not again["frames"][is_over, :-1].any()  # before the first frame there is nothing


def test_a_crossing_is_where_and_when_samples_of_the_forecast_cross():
    rng, velocity = np.random.default_rng(0), np.array([1.0, -8.0, 2.0])
    times = np.linspace(0.1, 0.5, 9)
    mean = np.array([0.2, 2.0, 0.1]) + times[:, None] * velocity
    root = 0.02 * rng.standard_normal((3, 3))
    covariance = np.tile(root @ root.T, (9, 1, 1))
    value, spread, found = crossings(times[None], mean[None], covariance[None], 1, -0.5, -1.0)
    moved = mean[0] + rng.standard_normal((40_000, 3)) @ root.T
    seconds = times[0] + (-0.5 - moved[:, 1]) / velocity[1]
    samples = np.column_stack([seconds, *(moved + (seconds - times[0])[:, None] * velocity)[:, [0, 2]].T])
    assert found.all() and value[0] == pytest.approx([2.5 / 8, 0.2 + 2.5 / 8, 0.1 + 5.0 / 8])
    assert spread[0] == pytest.approx(np.cov(samples.T), abs=0.03 * np.abs(spread).max())
    assert not crossings(times[None], mean[None], covariance[None], 1, -0.5, 1.0)[2].any()  # the other way
    beyond = crossings(times[None], mean[None], covariance[None], 1, mean[0, 1] + 0.1, -1.0)
    assert beyond[2].all() and beyond[0][0, 0] == pytest.approx(times[0] - 0.1 / 8)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"observe": "pixels"}, "observe='pixels': there are track, forecast"),
        ({"radios": 1}, "Catch has no option 'radios'"),
        ({"plane": "w=2"}, "plane='w=2': an axis and a distance"),
        ({"acceleration": -1.0}, "acceleration=-1.0: a number above 0"),
        ({"observe": "forecast", "predictor": "parabola"}, "predictor='parabola': a network"),
        ({"render_mode": "human"}, "render_mode='human'"),
        ({"sport": "mine.toml"}, "nothing is known of catching in mine: give plane, radius, start, times"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(options, message, tmp_path, monkeypatch):
    from ballcast.env.catch import Catch
    from ballcast.sim import sport

    monkeypatch.chdir(tmp_path)
    own = (sport.FOLDER / "table_tennis.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(own.replace('"table_tennis"', '"mine"'))
    with pytest.raises(ValueError, match=message.replace("(", r"\(")) as error:
        Catch(**options)
    assert "\n" not in str(error.value)


def test_an_action_that_is_no_number_is_refused(track):
    track.reset(seed=1)
    with pytest.raises(ValueError, match="two finite numbers for each of 48 discs"):
        track.step(np.full((COUNT, 2), np.nan))


def test_the_python_of_the_page_runs(capsys):
    text = (Path(__file__).parents[1] / "docs" / "environment.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    exec("\n".join(blocks), {})
    out = capsys.readouterr().out
    assert len(blocks) == 2 and "'caught': True" in out and "(64, 8, 4)" in out
