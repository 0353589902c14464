"""A stack of pre-norm residual blocks: each mixes over time, then thinks about every frame by itself.

    x = x + W mix(norm(x));    x = x + mlp(norm(x))

How time is mixed is the only difference between `mingru` (a scan) and `transformer` (attention).
"""

import torch
from torch import nn


class Stack(nn.Module):
    """The trunk of a parallel network: features and times of frames -> what is remembered at each."""

    def __init__(self, shape, mixer):
        super().__init__()
        self.read = nn.Linear(shape.features, shape.units)
        self.blocks = nn.ModuleList(Block(shape, mixer(shape)) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.units)

    def forward(self, features, times):
        """features (B, T, F), times (B, T) s -> (B, T, H)."""
        hidden = self.read(features)
        for block in self.blocks:
            hidden = block(hidden, times)
        return self.norm(hidden)

    def step(self, features, time, state):
        """The same for one frame: features (B, F), time (B,) s, memory (B, M), 0 at first -> (B, H), the memory then.

        The slow twin of what models/network.py has compiled; it is what is exported.
        """
        hidden, next_state = self.read(features), []
        for block, block_state in zip(self.blocks, state.chunk(len(self.blocks), 1)):
            hidden, block_state = block.step(hidden, time, block_state)
            next_state.append(block_state)
        return self.norm(hidden), torch.cat(next_state, 1)

    @property
    def state_size(self):
        """Numbers that are remembered from frame to frame."""
        return sum(block.mixer.state_size for block in self.blocks)


class Block(nn.Module):
    def __init__(self, shape, mixer):
        super().__init__()
        units, hidden = shape.units, shape.wider * shape.units
        self.norm, self.mixer, self.tell = nn.LayerNorm(units), mixer, nn.Linear(units, units)
        self.mlp = nn.Sequential(nn.LayerNorm(units), nn.Linear(units, hidden), nn.SiLU(), nn.Linear(hidden, units))

    def forward(self, hidden, times):
        hidden = hidden + self.tell(self.mixer(self.norm(hidden), times))
        return hidden + self.mlp(hidden)

    def step(self, hidden, time, state):
        mixed, state = self.mixer.step(self.norm(hidden), time, state)
        hidden = hidden + self.tell(mixed)
        return hidden + self.mlp(hidden), state
