"""The networks: features of every frame -> a trunk with memory -> two heads.

    network = Network(NetworkShape(model="gru", ...))
    belief, path = network(features, times, loss_frames, nominal)     # at the loss frames of every sequence

There is one class for all. The trunk is a cell that runs from frame to frame (`gru`, `lstm`, `rnn`), a stack that
computes all frames at once (`mingru`, `transformer`), a module of your own (own_trunk.py), or `mlp`, the baseline
without memory.
    belief   the residual of the true state to the running filter's estimate, in the filter's standard deviations: mean,
             log-scales and regressions. The simulator propagates it.
    path     the network's own forecast: positions and spreads at a grid of horizons, and the next landing, as residuals
             to the nominal forecast
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ballcast.models.encoding.decoding import LANDING_OUTPUTS, PATH_OUTPUTS
from ballcast.models.encoding.nominal import HORIZONS, NOMINAL_FEATURES
from ballcast.models.nets import own_trunk
from ballcast.models.nets.attention import Attention
from ballcast.models.nets.blocks import Stack
from ballcast.models.nets.mingru import MinGRU
from ballcast.models.runtime.network import FEATURE_LIMIT

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
MIXERS = {"mingru": MinGRU, "transformer": Attention}
DEFAULT_SIZES = {"mingru": {"units": 160, "mlp_ratio": 1}, "transformer": {"units": 128}}
INITIAL_OUTPUT_SCALE = 0.1  # of the last layers: an untrained network stays close to the filter


@dataclass(frozen=True)
class NetworkShape:
    """The sizes of a network."""

    model: str  # gru, lstm, rnn, mlp, mingru, transformer or module:Class
    features: int  # of a frame
    unknowns: int  # of the belief; 0 if there is no belief head
    units: int = 192  # of the trunk
    belief_hidden: int = 128  # hidden units of the belief head
    path_hidden: int = 256  # hidden units of the path head
    layers: int = 2  # of mingru and transformer
    mlp_ratio: int = 2  # hidden units of their mlp over units
    window: int = 48  # frames that a transformer attends to, the current one included
    nominal: int = NOMINAL_FEATURES  # numbers of the nominal forecast that the path head reads; 0 for raw features

    @property
    def belief_outputs(self) -> int:
        """The outputs of the belief head: means, log-scales, and regressions on the unknowns before."""
        return self.unknowns * (self.unknowns + 3) // 2


class Network(nn.Module):
    """A trunk and its heads. The buffers are the mean and scale of its inputs and of its path outputs."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        self.shape, self.attached = shape, False  # whether the gradient of the path reaches the trunk
        sizes = {"feature": (shape.features,), "nominal": (shape.nominal,), "path": (HORIZONS, 3), "landing": (4,)}
        for name, size in sizes.items():
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.trunk = make_trunk(shape)
        inputs, outputs = shape.units + shape.features, PATH_OUTPUTS * HORIZONS + LANDING_OUTPUTS
        self.belief = mlp_head(inputs, shape.belief_hidden, shape.belief_outputs) if shape.unknowns else None
        self.path = mlp_head(inputs + shape.nominal + 2 * shape.unknowns, shape.path_hidden, outputs)

    def forward(
        self, features: Tensor, times: Tensor, loss_frames: Tensor, nominal: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """Outputs (B, N, ...) of the belief head, or None, and of the path head, at loss_frames (B, N).
        features (B, T, F) at times (B, T) s; nominal (B, N, shape.nominal)."""
        features = self.standardise(features)
        hidden = self.hidden(features, times)
        hidden, features = (gather_frames(a, loss_frames) for a in (hidden, features))
        return self.heads(hidden, features, nominal)

    def standardise(self, features: Tensor) -> Tensor:
        """Features (..., F) minus the mean, over the scale, clamped."""
        return ((features - self.feature_mean) / self.feature_scale).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)

    def hidden(self, features: Tensor, times: Tensor) -> Tensor:
        """Hidden states (B, T, H) at every frame, of standardised features (B, T, F) at times (B, T) s."""
        return self.trunk(features)[0] if self.shape.model in CELLS else self.trunk(features, times)

    def heads(self, hidden: Tensor, features: Tensor, nominal: Tensor) -> tuple[Tensor | None, Tensor]:
        """Outputs of both heads, of hidden states (B, N, H), standardised features and nominal features."""
        belief, inputs = self.head_inputs(hidden, features, nominal)
        return belief, self.path(inputs)

    def head_inputs(self, hidden: Tensor, features: Tensor, nominal: Tensor) -> tuple[Tensor | None, Tensor]:
        """The outputs of the belief head, or None, and the inputs of the path head."""
        inputs = torch.cat([hidden, features.to(hidden.dtype)], -1)
        nominal = ((nominal - self.nominal_mean) / self.nominal_scale).clamp(-FEATURE_LIMIT, FEATURE_LIMIT)
        nominal = nominal.to(inputs.dtype)
        if self.belief is None:
            return None, torch.cat([inputs, nominal], -1)
        belief = self.belief(inputs)
        moments = belief[..., : 2 * self.shape.unknowns]
        # detached: the gradient of the path would drown that of the belief in the trunk
        inputs = torch.cat([inputs, nominal, moments], -1)
        return belief, inputs if self.attached else inputs.detach()


def make_trunk(shape: NetworkShape) -> nn.Module:
    """The trunk of a network with this shape."""
    if shape.model in CELLS:
        return CELLS[shape.model](shape.features, shape.units, batch_first=True)
    if own_trunk.is_own(shape.model):
        return own_trunk.make(shape.model, shape.features, shape.units)
    return Stack(shape, MIXERS[shape.model]) if shape.model in MIXERS else FrameMLP(shape)


class FrameMLP(nn.Module):
    """The trunk without memory: two layers on the features of one frame."""

    def __init__(self, shape: NetworkShape):
        super().__init__()
        first, second = nn.Linear(shape.features, shape.units), nn.Linear(shape.units, shape.units)
        self.layers = nn.Sequential(first, nn.SiLU(), second, nn.SiLU())

    def forward(self, features: Tensor, times: Tensor | None) -> Tensor:
        return self.layers(features)


def mlp_head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two layers, of which the last starts small."""
    last = nn.Linear(hidden, outputs)
    with torch.no_grad():
        last.weight *= INITIAL_OUTPUT_SCALE
        last.bias.zero_()
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), last)


def gather_frames(a: Tensor, frames: Tensor) -> Tensor:
    """Rows `frames` (B, N) of a (B, T, D)."""
    return torch.gather(a, 1, frames[:, :, None].expand(-1, -1, a.shape[2]))
