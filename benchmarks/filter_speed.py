"""What a frame of the running filter costs: python -m benchmarks.filter_speed [--sport table_tennis] [--balls 64]

Simulated balls (validation set), one thread, loops in compiled code, medians over rounds:
- microseconds a frame of `observe`, over all balls frame by frame (each has a state of its own, as in training and in
  `streams`), and over one ball after the other (one state, as of a live ball);
- the mean number of components: 1 / sum of squared weights, and lanes in use;
- the cost by the number of the frame: all balls at the same frame in one loop, relative to the median over all numbers.
  Frame numbers that fewer than half of the balls reach do not count. The largest is asked to be 1.5 at most;
- the same with the passes of smoothing.py in step, which are spread over the frames of different balls: the largest is
  what the frame of a pass costs one live ball.

Keys of the last line: SPORT_many_us, SPORT_one_us, SPORT_effective_components, SPORT_lanes, SPORT_peak (relative cost),
SPORT_peak_frame (its number, from 0), SPORT_in_step_peak, SPORT_in_step_peak_frame.
"""

import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tyro

from ballcast import sim
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.gaussian_sum import observe
from ballcast.models.estimation.mixture import COMPONENTS, DEAD, LOG_WEIGHT
from ballcast.models.estimation.prior import make_filter_prior
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_sport

MAX_FRAMES, ROUNDS = 96, 15
ASKED_PEAK = 1.5


@kernel
def frame_by_frame(sport, filter_prior, states, time, position, first, count, begin, end):
    """Show each filter (B,) its ball's frames from number `begin` to `end`; balls have `count` (B,) from `first` on."""
    for k in range(begin, end):
        for b in range(len(states)):
            if k < count[b]:
                observe(sport, filter_prior, states[b], time[first[b] + k], position[first[b] + k])


@kernel
def ball_by_ball(sport, filter_prior, states, time, position, first, count):
    """Show all balls to one filter, states[0], one after the other; it begins each without a frame."""
    for b in range(len(count)):
        states[0].frames = 0
        for k in range(count[b]):
            observe(sport, filter_prior, states[0], time[first[b] + k], position[first[b] + k])


class Frames(NamedTuple):
    """What a filter is shown: the first arguments of the loops, and the balls."""

    sport: Any  # CompiledSport
    filter_prior: Any
    time: np.ndarray  # (N,) s, of all balls
    position: np.ndarray  # (N, 3) m
    first: np.ndarray  # (B,) where each ball begins
    count: np.ndarray  # (B,) its frames

    def observe(self, states: np.ndarray, begin: int, end: int) -> None:
        """Frames `begin` to `end` of all balls."""
        frame_by_frame(self.sport, self.filter_prior, states, *self[2:], begin, end)

    def observe_in_turn(self, states: np.ndarray) -> None:
        """All balls, one after the other, with the first state."""
        ball_by_ball(self.sport, self.filter_prior, states, *self[2:])


def make_frames(sport: sim.Sport, balls: int) -> Frames:
    """The Frames of some simulated balls of a Sport, at most MAX_FRAMES of each."""
    drawn = sim.draw(sport, balls, purpose="validation")
    count = np.minimum(np.diff(drawn.offsets), MAX_FRAMES)
    return Frames(compile_sport(sport), make_filter_prior(sport), drawn.time, drawn.position, drawn.offsets[:-1].copy(),
                  count)  # fmt: skip


def seconds(work: Callable[..., None], *arguments: Any) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def mean_components(frames: Frames) -> tuple[float, float]:
    """(effective components, lanes in use), means over all frames of all balls."""
    states, found = new_filter_states(len(frames.count)), []
    for k in range(frames.count.max()):
        frames.observe(states, k, k + 1)
        rows = states[frames.count > k]
        lanes = (rows["components"][:, LOG_WEIGHT] > DEAD).sum(axis=1)
        found.append(np.stack([rows["effective_components"], lanes]))
    effective, lanes = np.concatenate(found, axis=1).mean(axis=1)
    return float(effective), float(lanes)


def cost_by_number(frames: Frames, states: np.ndarray, in_step: bool) -> np.ndarray:
    """Seconds (K,) a ball at each frame number that half of the balls reach; in step: all make their passes at once."""
    states["frames"], cost = 0, []
    for k in range(int(np.sort(frames.count)[len(states) // 2])):
        if in_step:
            states["phase"] = 0
        cost.append(seconds(frames.observe, states, k, k + 1) / (frames.count > k).sum())
    return np.array(cost)


def measure(frames: Frames) -> dict[str, float]:
    """The numbers of the last line."""
    components, states, total = mean_components(frames), new_filter_states(len(frames.count)), frames.count.sum()
    many, one, by_number = [], [], {"peak": [], "in_step_peak": []}
    for _ in range(ROUNDS):
        states["frames"] = 0
        many.append(seconds(frames.observe, states, 0, MAX_FRAMES) / total)
        one.append(seconds(frames.observe_in_turn, states) / total)
        for name, costs in by_number.items():
            costs.append(cost_by_number(frames, states, name == "in_step_peak"))
    found = {"many_us": 1e6 * np.median(many), "one_us": 1e6 * np.median(one)}
    found |= {"effective_components": components[0], "lanes": components[1]}
    for name, costs in by_number.items():
        cost = np.median(costs, axis=0)
        found |= {name: cost.max() / np.median(cost), f"{name}_frame": int(cost.argmax())}
    return {name: round(float(value), 2) if isinstance(value, float) else value for name, value in found.items()}


def main(sport: tuple[str, ...] = ("table_tennis",), balls: int = 64):
    result = {}
    for chosen in map(sim.load, sport):
        frames = make_frames(chosen, balls)
        seconds(frames.observe_in_turn, new_filter_states(1))  # compiles
        found = measure(frames)
        print(f"{chosen.name}, {balls} balls, {frames.count.sum()} frames, one thread")
        print(f"  frame by frame {found['many_us']:.2f} us a frame, one ball after the other {found['one_us']:.2f} us")
        print(f"  components {found['effective_components']:.2f}, lanes in use {found['lanes']:.2f} of {COMPONENTS}")
        print(f"  frame {found['peak_frame']} costs {found['peak']:.2f} x the median; asked are {ASKED_PEAK} at most")
        print(f"  passes in step: frame {found['in_step_peak_frame']} costs {found['in_step_peak']:.2f} x the median")
        result |= {f"{chosen.name}_{key}": value for key, value in found.items()}
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
