"""minGRU (Feng et al. 2024, "Were RNNs All We Needed?"): a GRU whose gates do not see its memory.

    h_t = (1 - z_t) h_{t-1} + z_t g_t,    z_t = sigmoid(W_z x_t + b_z),    g_t = W_g x_t + b_g

What a frame does to the memory hangs on the frame alone, so all of time is computed at once, by a scan. That gates
should see what is remembered is left to the layer above: see blocks.py.
"""

import torch
from torch import nn

from ballcast.models.nets.scan import scan

MAX_TIMESCALE = 100.0  # frames: memories last from one to so many at the start


class MinGRU(nn.Module):
    """One layer of it, as a mixer of blocks.py."""

    def __init__(self, shape):
        super().__init__()
        self.read = nn.Linear(shape.units, 2 * shape.units)
        self.state_size = shape.units  # numbers that are remembered
        with torch.no_grad():  # chrono initialisation (Tallec and Ollivier 2018): memories of all lengths
            timescales = torch.exp(torch.rand(shape.units) * torch.log(torch.tensor(MAX_TIMESCALE)))
            self.read.bias[: shape.units] = -torch.log(timescales)

    def forward(self, hidden, times):
        """(B, T, H) of x (B, T, H); times are not looked at."""
        update, candidate = self.compute_gates(hidden)
        return scan(1.0 - update, update * candidate)

    def step(self, hidden, time, state):
        """The same for one frame x (B, H) after memory (B, H): what is told, and the memory then."""
        update, candidate = self.compute_gates(hidden)
        next_state = state + update * (candidate - state)
        return next_state, next_state

    def compute_gates(self, hidden):
        """z and g, in float32: in bfloat16 1 - z knows no memory longer than 256 frames."""
        update, candidate = self.read(hidden).float().chunk(2, -1)
        return torch.sigmoid(update), candidate
