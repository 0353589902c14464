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
        x = self.read(features)
        for block in self.blocks:
            x = block(x, times)
        return self.norm(x)

    def step(self, features, time, memory):
        """The same for one frame: features (B, F), time (B,) s, memory (B, M), 0 at first -> (B, H), the memory then.

        The slow twin of what models/network.py has compiled; it is what is exported.
        """
        x, then = self.read(features), []
        for block, mine in zip(self.blocks, memory.chunk(len(self.blocks), 1)):
            x, mine = block.step(x, time, mine)
            then.append(mine)
        return self.norm(x), torch.cat(then, 1)

    @property
    def memory(self):
        """Numbers that are remembered from frame to frame."""
        return sum(block.mixer.memory for block in self.blocks)


class Block(nn.Module):
    def __init__(self, shape, mixer):
        super().__init__()
        units, hidden = shape.units, shape.wider * shape.units
        self.norm, self.mixer, self.tell = nn.LayerNorm(units), mixer, nn.Linear(units, units)
        self.mlp = nn.Sequential(nn.LayerNorm(units), nn.Linear(units, hidden), nn.SiLU(), nn.Linear(hidden, units))

    def forward(self, x, times):
        x = x + self.tell(self.mixer(self.norm(x), times))
        return x + self.mlp(x)

    def step(self, x, time, memory):
        seen, memory = self.mixer.step(self.norm(x), time, memory)
        x = x + self.tell(seen)
        return x + self.mlp(x), memory
