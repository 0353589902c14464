"""Trunks that tests hand to train.py by name, own_trunks:Class."""

from torch import nn


class Gru(nn.Module):
    """The GRU of Ballcast, as somebody else might wrap it."""

    def __init__(self, channels, width):
        super().__init__()
        self.inner = nn.GRU(channels, width, batch_first=True)

    def forward(self, features, times):
        return self.inner(features)[0]


class Attends(nn.Module):
    """Attention without a mask: it reads later frames."""

    def __init__(self, channels, width):
        super().__init__()
        self.first, self.attention = nn.Linear(channels, width), nn.MultiheadAttention(width, 2, batch_first=True)

    def forward(self, features, times):
        hidden = self.first(features)
        return self.attention(hidden, hidden, hidden)[0]


class Narrow(nn.Linear):
    """Half as wide as it should be."""

    def __init__(self, channels, width):
        super().__init__(channels, width // 2)

    def forward(self, features, times):
        return super().forward(features)


class WithoutWidth(nn.Linear):
    def __init__(self, channels):
        super().__init__(channels, 8)


class WithoutTimes(nn.Linear):
    """Its forward takes features alone."""


class Plain:
    """No module of torch."""
