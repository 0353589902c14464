"""The catch environment: python -m benchmarks.catch [--sport NAME] [--environments N]. One core.

It measures how many steps of how many environments side by side a core makes in a second, with the noisy track and with
forecasts, drawing of the balls included; how many balls the two policies catch, of test balls; and whether a seed gives
the same episodes, to the bit, alone and a second time. Times are of the processor, so that other programs change them
less.

Keys of the last line: track_steps_per_s, forecast_steps_per_s, single_track_steps_per_s (one environment),
last_frame_caught, forecast_caught (fractions of the balls), balls (number of each), same_seed_same_episode.
"""
# ruff: noqa: E402 - the number of threads must be set before numpy and numba are imported

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import json
import time
from dataclasses import dataclass

import gymnasium
import numpy as np
import tyro

from ballcast.env import NAME
from ballcast.env.policies import POLICIES

ROUNDS = 4  # balls of each environment that count
SEED = 1


@dataclass(frozen=True)
class Options:
    """What is measured."""

    sport: str = "table_tennis"
    environments: int = 256


def main():
    options = tyro.cli(Options)
    result = {}
    for observe, label in (("track", "last_frame"), ("forecast", "forecast")):
        played = play(options, observe)
        result |= {f"{observe}_steps_per_s": round(played["steps"] / played["seconds"]),
                   f"{label}_caught": round(float(np.mean(played["caught"])), 3)}  # fmt: skip
        print(f"{observe}: {1e6 * played['seconds'] / played['steps']:.1f} us a step; following it catches "
              f"{100 * np.mean(played['caught']):.1f} % of {len(played['caught'])} balls")  # fmt: skip
    result |= {"balls": ROUNDS * options.environments, "single_track_steps_per_s": round(single_speed(options))}
    result["same_seed_same_episode"] = all(is_repeated(options, observe) for observe in POLICIES)
    print(json.dumps(result))


def play(options, observe):
    """Follow what is observed until every environment has played ROUNDS balls: seconds of the steps, steps, catches."""
    environments = gymnasium.make_vec(
        NAME, num_envs=options.environments, observe=observe, sport=options.sport, purpose="test"
    )
    task, follow = environments.task, POLICIES[observe]
    environments.reset(seed=SEED + 1)
    environments.step(environments.action_space.sample())  # compiles
    observation, _ = environments.reset(seed=SEED)
    played, caught, seconds, steps = np.zeros(options.environments, int), [], 0.0, 0
    while played.min() < ROUNDS:
        action = follow(observation, task)
        begin = time.thread_time()
        observation, _, is_over, _, info = environments.step(action)
        seconds, steps = seconds + time.thread_time() - begin, steps + options.environments
        if is_over.any():
            caught += info["caught"][is_over & (played < ROUNDS)].tolist()
            played += is_over
    return {"seconds": seconds, "steps": steps, "caught": caught}


def single_speed(options):
    """Steps per second of one environment, its resets included."""
    environment = gymnasium.make(NAME, sport=options.sport, purpose="test")
    environment.reset(seed=SEED)
    action, begin = environment.action_space.sample(), time.thread_time()
    for _ in range(3000):
        if environment.step(action)[2]:
            environment.reset()
    return 3000 / (time.thread_time() - begin)


def is_repeated(options, observe):
    """Whether a seed gives the same observations, to the bit, in two environments."""
    runs = []
    for _ in range(2):
        environments = gymnasium.make_vec(NAME, num_envs=16, observe=observe, sport=options.sport, purpose="test")
        observation, _ = environments.reset(seed=SEED)
        rows = [observation]
        for _ in range(200):
            rows.append(environments.step(POLICIES[observe](rows[-1], environments.task))[0])
        runs.append([np.stack([row[name] for row in rows]).tobytes() for name in sorted(observation)])
    return runs[0] == runs[1]


if __name__ == "__main__":
    main()
