"""Causal attention over the last frames, which knows them by their times.

Rotary positions (Su et al. 2021, "RoFormer"), with seconds for places: a query turns by frequency x its time, a key by
frequency x its own, so what they make of each other hangs on the seconds between them. Gaps need nothing more.
A query sees its own frame and those before it, `window` in all: a stream remembers no more than that.
"""

import torch
from ballcast.models.runtime.blocks import HEADS
from torch import nn
from torch.nn.functional import pad, scaled_dot_product_attention

FEW = 4  # windows, up to which one mask over all frames costs less than blocks
FASTEST, SLOWEST = 200.0, 1.0  # rad/s: a turn in 6 frames at 180 Hz, and in 6 s


class Attention(nn.Module):
    """Self-attention, as a mixer of blocks.py."""

    def __init__(self, shape):
        super().__init__()
        if shape.units % (2 * HEADS):
            raise ValueError(f"--units {shape.units}: of a transformer a multiple of {2 * HEADS}")
        self.window, self.units = shape.window, shape.units
        self.read = nn.Linear(shape.units, 3 * shape.units)
        self.memory = shape.window * (2 * shape.units + 1)  # keys, values, and 1 where there is one
        steps = torch.linspace(0.0, 1.0, shape.units // HEADS // 2)
        self.register_buffer("frequencies", FASTEST * (SLOWEST / FASTEST) ** steps)  # rad/s

    def forward(self, x, times):
        """(B, T, H) of x (B, T, H), seen at times (B, T) s."""
        q, k, v = (split(a) for a in self.read(x).chunk(3, -1))
        turn = self.turn(times[:, None])
        seen = windowed(turned(q, turn), turned(k, turn), v, self.window)
        return seen.transpose(1, 2).flatten(2)

    def step(self, x, time, memory):
        """The same for one frame x (B, H) at time (B,) s after memory (B, M): what is told, and the memory then."""
        q, k, v = self.read(x).chunk(3, -1)
        turn = self.turn(time[:, None, None])
        q, k = (turned(split(a[:, None]), turn) for a in (q, k))
        row = torch.cat([k.flatten(1), v, torch.ones_like(v[:, :1])], -1)
        rows = torch.cat([memory.unflatten(1, (self.window, -1))[:, 1:], row[:, None]], 1)
        keys, values, there = rows.split([self.units, self.units, 1], -1)
        seen = scaled_dot_product_attention(q, split(keys), split(values), (there > 0.5).mT[:, None])
        return seen.flatten(1), rows.flatten(1)

    def turn(self, times):
        """cos and sin (..., D / 2) of the angles at times (...) s."""
        angles = times[..., None].double() * self.frequencies.double()
        return torch.cos(angles).float(), torch.sin(angles).float()


def split(a):
    """(B, T, H) as (B, HEADS, T, D)."""
    return a.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def turned(a, turn):
    """a (B, HEADS, T, D), its first and second half as planes that turn."""
    (x, y), (cos, sin) = a.chunk(2, -1), turn
    return torch.cat([x * cos - y * sin, x * sin + y * cos], -1).to(a.dtype)


def windowed(q, k, v, window):
    """Attention (B, HEADS, T, D) to the last `window` frames: under a mask, or block by block where that is less."""
    frames = q.shape[2]
    back = torch.arange(frames, device=q.device)
    if frames <= FEW * window:
        return scaled_dot_product_attention(q, k, v, within(back[:, None] - back, window))
    return by_blocks(q, k, v, window)


def by_blocks(q, k, v, window):
    """The same: each block of `window` frames sees itself and the one before."""
    frames = q.shape[2]
    q, k, v = (pad(a, (0, 0, 0, -frames % window)).unflatten(2, (-1, window)) for a in (q, k, v))
    k, v = (torch.cat([pad(a, (0, 0, 0, 0, 1, 0))[:, :, :-1], a], 3) for a in (k, v))
    key, blocks = torch.arange(2 * window, device=q.device) - window, q.shape[2]
    seen = within(torch.arange(window, device=q.device)[:, None] - key, window).repeat(blocks, 1, 1)
    seen[0, :, :window] = False  # before the first block there is nothing
    told = scaled_dot_product_attention(*(a.flatten(1, 2) for a in (q, k, v)), seen.repeat(HEADS, 1, 1))
    return told.unflatten(1, (HEADS, -1)).flatten(2, 3)[:, :, :frames]


def within(back, window):
    """Whether a key so many frames back is seen."""
    return (back >= 0) & (back < window)
