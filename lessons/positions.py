"""Balls as the course's own networks see them: positions alone, at every frame; and what each frame is asked.

inputs, targets = positions(20_000)       # (B, T, 3) m with noise; and how far the ball moves in the 0.2 s after, m
network = train(MyNetwork(), features(inputs), targets)
median(errors(network, features(inputs), targets), axis=0)   # (T,) mm, of every frame

No filter stands in front of these networks: what they know of a ball, they have remembered themselves.
"""

import numpy as np
import torch

from ballcast import sim
from lessons.balls import SPORT

RATE, FRAMES, LEAD_TIME = 60.0, 48, 0.2  # frames/s, frames of a track, s
NOISE = 0.002  # m
CENTRE, SPREAD = (0.0, 0.0, 0.4), (0.75, 1.9, 0.4)  # m: positions are about so large
SPEED = 5.0  # m/s: balls are about so fast


def positions(
    count: int, frames: int = FRAMES, seed: int = 0, purpose: str = "train", lead_time: float = LEAD_TIME
) -> tuple[torch.Tensor, torch.Tensor]:
    """Measured positions (B, T, 3) m, and how far from them the balls are after `lead_time` s (B, T, 3) m, float32.

    Balls are drawn as training draws them, `seed` and `purpose` ("train", "validation", "test") choose which; their
    frames are regular, and their noise is the same for all, so that nothing but the positions tells of the ball.
    """
    balls = sim.draw(sim.load(SPORT), count, seed=seed, purpose=purpose)
    times = np.arange(frames) / RATE
    launch = balls.launch_position, balls.launch_velocity, balls.launch_spin
    grid = np.unique(np.r_[times, times + lead_time].round(9))
    path = sim.simulate(balls.sport, *launch, grid, balls.parameters).position
    now, later = (path[:, np.searchsorted(grid, t - 1e-6)] for t in (times, times + lead_time))
    measured = now + NOISE * np.random.default_rng(seed + 1).standard_normal(now.shape)
    return torch.tensor(measured, dtype=torch.float32), torch.tensor(later - measured, dtype=torch.float32)


def features(positions: torch.Tensor) -> torch.Tensor:
    """What a network reads at each frame (B, T, 6), from positions (B, T, 3) m: the position, and the step to it from
    the frame before (zero at the first frame). Both are divided by their usual size, so that numbers are about 1."""
    step = torch.diff(positions, dim=1, prepend=positions[:, :1]) * RATE / SPEED
    return torch.cat([(positions - torch.tensor(CENTRE)) / torch.tensor(SPREAD), step], dim=-1)


def mean_square(network, inputs, targets):
    """The loss: the mean of all squared differences between what a network gives and the targets."""
    return (network(inputs) - targets).square().mean()


def train(network, inputs, targets, steps=1500, batch=128, rate=5e-3, loss=mean_square):
    """Train a network to give targets (B, T, 3) for inputs: each step reduces the loss of all frames of a batch."""
    optimizer = torch.optim.Adam(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (batch,), generator=generator)
        optimizer.zero_grad()
        loss(network, inputs[rows], targets[rows]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network


def errors(network, inputs, targets) -> np.ndarray:
    """Distances (B, T) mm between what a network gives for inputs (B, T, 3) m and the targets (B, T, 3) m."""
    with torch.no_grad():
        return 1e3 * (network(inputs) - targets).norm(dim=-1).numpy()
