"""A stack of pre-norm residual blocks. Each block mixes information over time, then transforms every frame by itself.

    x = x + W mix(norm(x));    x = x + mlp(norm(x))

The mixer is the only difference between `mingru` (a scan) and `transformer` (attention).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ballcast.models.runtime.blocks import NORM_EPSILON


class Stack(nn.Module):
    """The trunk of a parallel network: from features and times of frames to hidden states."""

    def __init__(self, shape, mixer: Callable[..., nn.Module]):
        super().__init__()
        self.input = nn.Linear(shape.features, shape.units)
        self.blocks = nn.ModuleList(Block(shape, mixer(shape)) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.units, NORM_EPSILON)

    def forward(self, features: Tensor, times: Tensor) -> Tensor:
        """Hidden states (B, T, H) from features (B, T, F) at times (B, T) s."""
        hidden = self.input(features)
        for block in self.blocks:
            hidden = block(hidden, times)
        return self.norm(hidden)

    def step(self, features: Tensor, time: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One frame, features (B, F) at time (B,) s, from a state (B, M), zeros at first: (B, H) and the next state.
        This is the reference implementation of models/runtime/blocks.py, and what is exported."""
        hidden, next_state = self.input(features), []
        for block, block_state in zip(self.blocks, state.chunk(len(self.blocks), 1)):
            hidden, block_state = block.step(hidden, time, block_state)
            next_state.append(block_state)
        return self.norm(hidden), torch.cat(next_state, 1)

    @property
    def state_size(self) -> int:
        """The length of one ball's state."""
        return sum(block.mixer.state_size for block in self.blocks)


class Block(nn.Module):
    """A mixer and a multilayer perceptron, each with its norm."""

    def __init__(self, shape, mixer: nn.Module):
        super().__init__()
        units, hidden = shape.units, shape.mlp_ratio * shape.units
        self.norm, self.mixer, self.out = nn.LayerNorm(units, NORM_EPSILON), mixer, nn.Linear(units, units)
        layers = nn.Linear(units, hidden), nn.SiLU(), nn.Linear(hidden, units)
        self.mlp = nn.Sequential(nn.LayerNorm(units, NORM_EPSILON), *layers)

    def forward(self, hidden: Tensor, times: Tensor) -> Tensor:
        hidden = hidden + self.out(self.mixer(self.norm(hidden), times))
        return hidden + self.mlp(hidden)

    def step(self, hidden: Tensor, time: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        mixed, state = self.mixer.step(self.norm(hidden), time, state)
        hidden = hidden + self.out(mixed)
        return hidden + self.mlp(hidden), state
