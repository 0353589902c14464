"""The networks: features of every frame -> a recurrent trunk -> two heads.

    network = Network(Shape(model="gru", ...))
    belief, path = network(features, frames, base)     # at the chosen frames of every sequence

One class; the cell is a word. `mlp` has no cell: it is the baseline without memory.
    belief   how the truth lies beside the running filter's belief, in its own standard deviations: mean, log-scales and
             how they hang together; the simulator flies it ahead
    path     what the network itself says of the future: place and spread on a grid of horizons, and the next landing,
             beside the filter's own forecast
"""

from dataclasses import dataclass

import torch
from torch import nn

from models.baseline import KNOTS, SEEN

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
PLACE, LANDING = 9, 15  # numbers of a knot, and of a landing
HELD = 20.0  # standard deviations, beyond which a feature is held
CALM = 0.1  # the last layers start so small: before it has learnt, a network says what the filter says


@dataclass(frozen=True)
class Shape:
    """What makes a network."""

    model: str  # gru, lstm, rnn or mlp
    features: int  # numbers read of a frame
    unknowns: int  # of the belief; 0: this network has none
    units: int = 192  # of the trunk
    head: int = 128  # of the belief's hidden layer
    path: int = 256  # of the path's

    @property
    def belief(self):
        """Numbers that tell a belief: mean, log-scales, regressions on the unknowns before."""
        return self.unknowns * (self.unknowns + 3) // 2


class Network(nn.Module):
    """Its buffers are what the numbers it reads and tells are measured in."""

    def __init__(self, shape):
        super().__init__()
        self.shape, cell = shape, CELLS.get(shape.model)
        for name, size in (("read_", (shape.features,)), ("base_", (SEEN,)), ("path_", (KNOTS, 3)), ("landing_", (4,))):
            self.register_buffer(f"{name}mean", torch.zeros(size))
            self.register_buffer(f"{name}scale", torch.ones(size))
        self.trunk = cell(shape.features, shape.units, batch_first=True) if cell else Frames(shape)
        read = shape.units + shape.features
        self.belief = two_layers(read, shape.head, shape.belief) if shape.unknowns else None
        self.path = two_layers(read + SEEN + 2 * shape.unknowns, shape.path, PLACE * KNOTS + LANDING)

    def forward(self, features, frames, base):
        """features (B, T, F), frames (B, N), base (B, N, SEEN) -> belief (B, N, ...) or None, path (B, N, ...)."""
        features = ((features - self.read_mean) / self.read_scale).clamp(-HELD, HELD)
        memory, _ = self.trunk(features)
        return self.heads(*(at(a, frames) for a in (memory, features)), base)

    def heads(self, memory, now, base):
        """What both heads tell of memories (B, N, H), measured features (B, N, F) and base (B, N, SEEN)."""
        read = torch.cat([memory, now.to(memory.dtype)], -1)
        base = ((base - self.base_mean) / self.base_scale).clamp(-HELD, HELD).to(read.dtype)
        if self.belief is None:
            return None, self.path(torch.cat([read, base], -1))
        belief = self.belief(read)
        told = belief[..., : 2 * self.shape.unknowns]
        # the path learns from the belief, and not the other way: its gradient would drown the other
        return belief, self.path(torch.cat([read, base, told], -1).detach())


class Frames(nn.Module):
    """In place of a cell: a hidden layer that sees one frame's features and nothing else."""

    def __init__(self, shape):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(shape.features, shape.units), nn.SiLU(), nn.Linear(shape.units, shape.units), nn.SiLU()
        )

    def forward(self, features):
        return self.layers(features), None


def two_layers(read, hidden, told):
    last = nn.Linear(hidden, told)
    with torch.no_grad():
        last.weight *= CALM
        last.bias.zero_()
    return nn.Sequential(nn.Linear(read, hidden), nn.SiLU(), last)


def at(a, frames):
    """Rows `frames` (B, N) of a (B, T, D)."""
    return torch.gather(a, 1, frames[:, :, None].expand(-1, -1, a.shape[2]))
