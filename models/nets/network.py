"""The networks: features of every frame -> a trunk that remembers -> two heads.

    network = Network(Shape(model="gru", ...))
    belief, path = network(features, times, frames, base)     # at the chosen frames of every sequence

One class; the trunk is a word: a cell that goes from frame to frame (`gru`, `lstm`, `rnn`), or one that computes all
frames at once (`mingru`, `transformer`). `mlp` remembers nothing: it is the baseline.
    belief   how the truth lies beside the running filter's belief, in its own standard deviations: mean, log-scales and
             how they hang together; the simulator flies it ahead
    path     what the network itself says of the future: place and spread on a grid of horizons, and the next landing,
             beside the filter's own forecast
"""

from dataclasses import dataclass

import torch
from torch import nn

from ballcast.models.encoding.nominal import HORIZONS, NOMINAL_FEATURES
from ballcast.models.nets.attention import Attention
from ballcast.models.nets.blocks import Stack
from ballcast.models.nets.mingru import MinGRU

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
MIXERS = {"mingru": MinGRU, "transformer": Attention}
DEFAULT_SIZES = {"mingru": {"units": 160, "wider": 1}, "transformer": {"units": 128}}  # where nothing else is asked for
PATH_OUTPUTS, LANDING_OUTPUTS = 9, 15  # numbers of a knot, and of a landing
FEATURE_LIMIT = 20.0  # standard deviations, beyond which a feature is held
INITIAL_OUTPUT_SCALE = 0.1  # the last layers start so small: before it has learnt, a network says what the filter says


@dataclass(frozen=True)
class NetworkShape:
    """What makes a network."""

    model: str  # gru, lstm, rnn, mlp, mingru or transformer
    features: int  # numbers read of a frame
    unknowns: int  # of the belief; 0: this network has none
    units: int = 192  # of the trunk
    head: int = 128  # of the belief's hidden layer
    path: int = 256  # of the path's
    layers: int = 2  # of mingru and transformer
    wider: int = 2  # the hidden layer of their mlp, in units
    window: int = 48  # frames that a transformer looks back, itself among them

    @property
    def belief_outputs(self):
        """Numbers that tell a belief: mean, log-scales, regressions on the unknowns before."""
        return self.unknowns * (self.unknowns + 3) // 2


class Network(nn.Module):
    """Its buffers are what the numbers it reads and tells are measured in."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        for name, size in (
            ("read_", (shape.features,)),
            ("base_", (NOMINAL_FEATURES,)),
            ("path_", (HORIZONS, 3)),
            ("landing_", (4,)),
        ):
            self.register_buffer(f"{name}mean", torch.zeros(size))
            self.register_buffer(f"{name}scale", torch.ones(size))
        self.trunk = make_trunk(shape)
        inputs = shape.units + shape.features
        self.belief = mlp_head(inputs, shape.head, shape.belief_outputs) if shape.unknowns else None
        self.path = mlp_head(
            inputs + NOMINAL_FEATURES + 2 * shape.unknowns, shape.path, PATH_OUTPUTS * HORIZONS + LANDING_OUTPUTS
        )

    def forward(self, features, times, loss_frames, nominal):
        """features (B, T, F), times (B, T) s, frames (B, N), base (B, N, SEEN) -> belief (B, N, ...) or None, path
        (B, N, ...)."""
        features = self.standardise(features)
        hidden = self.hidden(features, times)
        return self.heads(*(gather_frames(a, loss_frames) for a in (hidden, features)), nominal)

    def standardise(self, features):
        """Features (..., F) in the network's own measure."""
        return ((features - self.read_mean) / self.read_scale).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)

    def hidden(self, features, times):
        """What is remembered (B, T, H) at every frame; measured features (B, T, F), times (B, T) s."""
        return self.trunk(features)[0] if self.shape.model in CELLS else self.trunk(features, times)

    def heads(self, hidden, features, nominal):
        """What both heads tell of memories (B, N, H), measured features (B, N, F) and base (B, N, SEEN)."""
        belief, inputs = self.head_inputs(hidden, features, nominal)
        return belief, self.path(inputs)

    def head_inputs(self, hidden, features, nominal):
        """What the belief's head tells, or None, and what the path's head reads."""
        inputs = torch.cat([hidden, features.to(hidden.dtype)], -1)
        nominal = ((nominal - self.base_mean) / self.base_scale).clamp(-FEATURE_LIMIT, FEATURE_LIMIT).to(inputs.dtype)
        if self.belief is None:
            return None, torch.cat([inputs, nominal], -1)
        belief = self.belief(inputs)
        moments = belief[..., : 2 * self.shape.unknowns]
        # the path learns from the belief, and not the other way: its gradient would drown the other
        return belief, torch.cat([inputs, nominal, moments], -1).detach()


def make_trunk(shape):
    """The trunk of a Shape."""
    if shape.model in CELLS:
        return CELLS[shape.model](shape.features, shape.units, batch_first=True)
    return Stack(shape, MIXERS[shape.model]) if shape.model in MIXERS else FrameMLP(shape)


class FrameMLP(nn.Module):
    """In place of a cell: a hidden layer that sees one frame's features and nothing else."""

    def __init__(self, shape):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(shape.features, shape.units), nn.SiLU(), nn.Linear(shape.units, shape.units), nn.SiLU()
        )

    def forward(self, features, times):
        return self.layers(features)


def mlp_head(inputs, hidden, outputs):
    last = nn.Linear(hidden, outputs)
    with torch.no_grad():
        last.weight *= INITIAL_OUTPUT_SCALE
        last.bias.zero_()
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), last)


def gather_frames(a, frames):
    """Rows `frames` (B, N) of a (B, T, D)."""
    return torch.gather(a, 1, frames[:, :, None].expand(-1, -1, a.shape[2]))
