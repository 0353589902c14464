"""Catch: move a disc in a plane so that it meets a ball. One environment, and many that are stepped at once.

See docs/environment.md for observations, actions, rewards and the end of an episode.
"""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from ballcast.env.observations import OBSERVERS
from ballcast.env.picture import Picture
from ballcast.env.rounds import Outcome, Rounds
from ballcast.env.task import CatchOptions, Task

RENDER_RATE = 30  # frames/s, of a film of the environment in slow motion
MAX_SEED = 2**31  # below which the seed of an environment without one is drawn


def observation_space(bounds: dict[str, np.ndarray]) -> Dict:
    """The space of observations within these bounds, and from 0 on where only that can be."""
    low = {"crosses": 0.0}
    return Dict({k: Box(np.float32(low.get(k, -1.0) * b), np.float32(b), dtype=np.float32) for k, b in bounds.items()})


def action_space() -> Box:
    """The acceleration in the plane over the largest one, (2,)."""
    return Box(-1.0, 1.0, (2,), np.float32)


class Catch(gymnasium.Env):
    """One ball at a time. Keywords: those of task.CatchOptions. `task` says what is to be done."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": RENDER_RATE}

    def __init__(self, render_mode: str | None = None, **options: Any):
        self.task, self.render_mode = Task.of(CatchOptions.of(**options)), checked_mode(render_mode)
        self._rounds, self._row = Rounds(self.task, 1), np.zeros(1, int)
        self._observer = OBSERVERS[self.task.options.observe](self.task, 1)
        self.observation_space = observation_space(self._observer.bounds)
        self.action_space, self._began = action_space(), False
        self._picture: Picture | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """A new ball: the first of a seed's set, or the next one. No options are known."""
        super().reset(seed=seed)
        if seed is None and not self._began:
            seed = int(self.np_random.integers(MAX_SEED))
        self._rounds.begin(self._row, seed)
        self._began = True
        self._observer.begin(self._rounds, self._row)
        self._observer.advance(self._rounds, self._row)
        return self._observed(), {"ball": int(self._rounds.episodes.number[0])}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        """One frame of the tracker further; see docs/environment.md."""
        outcome = self._rounds.move(np.asarray(action, float)[None])
        is_over = bool(outcome.is_over[0])
        info: dict[str, Any] = {"ball": int(self._rounds.episodes.number[0])}
        if is_over:
            info |= {"caught": bool(outcome.is_caught[0]), "miss": float(outcome.miss[0])}
        else:
            self._observer.advance(self._rounds, self._row)
        return self._observed(), float(outcome.reward[0]), is_over, False, info

    def render(self) -> np.ndarray | None:
        """The picture (H, W, 3) uint8, with render_mode="rgb_array"."""
        if self.render_mode is None:
            return None
        self._picture = self._picture or Picture(self.task)
        return self._picture.paint(self._rounds, self._observer)

    def _observed(self):
        return {name: values[0] for name, values in self._observer.observe(self._rounds).items()}


class CatchVector(VectorEnv):
    """Many balls at once. An episode that is over begins anew in the next step, whose action it ignores."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, num_envs: int = 1, render_mode: str | None = None, **options: Any):
        if render_mode is not None:
            raise ValueError("many balls at once have no picture; gymnasium.make gives one environment, which has")
        self.task, self.num_envs, self.render_mode = Task.of(CatchOptions.of(**options)), num_envs, None
        self._rounds = Rounds(self.task, num_envs)
        self._observer = OBSERVERS[self.task.options.observe](self.task, num_envs)
        self.single_observation_space = observation_space(self._observer.bounds)
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._began, self._is_over = False, np.zeros(num_envs, bool)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """New balls: the first ones of a seed's set, or the next ones. No options are known."""
        super().reset(seed=seed)
        if seed is None and not self._began:
            seed = int(self.np_random.integers(MAX_SEED))
        every = np.arange(self.num_envs)
        self._rounds.begin(every, seed)
        self._began = True
        self._is_over[:] = False
        self._observer.begin(self._rounds, every)
        self._observer.advance(self._rounds, every)
        return self._observer.observe(self._rounds), {"ball": self._rounds.episodes.number.copy()}

    def step(self, actions: np.ndarray) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray, dict]:
        """One frame of the tracker further, of all; see docs/environment.md."""
        was_over, rounds = self._is_over, self._rounds
        outcome = rounds.move(actions)
        is_over, reward = outcome.is_over & ~was_over, np.where(was_over, 0.0, outcome.reward)
        if was_over.any():
            rows = np.flatnonzero(was_over)
            rounds.begin(rows)
            self._observer.begin(rounds, rows)
        self._observer.advance(rounds, np.flatnonzero(~is_over))
        self._is_over = is_over
        observation = self._observer.observe(rounds)
        return observation, reward, is_over.copy(), np.zeros(self.num_envs, bool), self._info(outcome, is_over)

    def _info(self, outcome: Outcome, is_over):
        """caught and miss of the episodes that are over."""
        if not is_over.any():
            return {}
        return {"caught": outcome.is_caught & is_over, "_caught": is_over.copy(),
                "miss": np.where(is_over, outcome.miss, 0.0), "_miss": is_over.copy()}  # fmt: skip


def checked_mode(mode: str | None) -> str | None:
    """The render mode. ValueError for an unknown one."""
    if mode not in (None, "rgb_array"):
        raise ValueError(f"render_mode={mode!r}: there is rgb_array")
    return mode
