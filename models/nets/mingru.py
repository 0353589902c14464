"""minGRU (Feng et al. 2024, "Were RNNs All We Needed?"): a GRU whose gates depend on the input alone.

    h_t = (1 - z_t) h_{t-1} + z_t g_t,    z_t = sigmoid(W_z x_t + b_z),    g_t = W_g x_t + b_g

So all frames are computed at once, by a scan. Gates that depend on the past need a second layer: see blocks.py.
"""

import torch
from torch import Tensor, nn

from ballcast.models.nets.scan import scan

MAX_TIMESCALE = 100.0  # frames: initial time scales are drawn between 1 and this


class MinGRU(nn.Module):
    """One layer, as a mixer of blocks.py."""

    def __init__(self, shape):
        super().__init__()
        self.gates = nn.Linear(shape.units, 2 * shape.units)
        self.state_size = shape.units
        with torch.no_grad():  # chrono initialisation (Tallec and Ollivier 2018): time scales of all lengths
            timescales = torch.exp(torch.rand(shape.units) * torch.log(torch.tensor(MAX_TIMESCALE)))
            self.gates.bias[: shape.units] = -torch.log(timescales)

    def forward(self, hidden: Tensor, times: Tensor) -> Tensor:
        """(B, T, H) of hidden (B, T, H); times are ignored."""
        update, candidate = self.compute_gates(hidden)
        return scan(1.0 - update, update * candidate)

    def step(self, hidden: Tensor, time: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One frame, hidden (B, H), from a state (B, H): the output and the next state."""
        update, candidate = self.compute_gates(hidden)
        next_state = state + update * (candidate - state)
        return next_state, next_state

    def compute_gates(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """z and g in float32: in bfloat16, 1 - z has no time scales longer than 256 frames."""
        update, candidate = self.gates(hidden).float().chunk(2, -1)
        return torch.sigmoid(update), candidate
