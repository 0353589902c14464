"""Causal attention over the last frames, which knows them by their times.

Rotary positions (Su et al. 2021, "RoFormer"), with seconds for places: a query turns by frequency x its time, a key by
frequency x its own, so what they make of each other hangs on the seconds between them. Gaps need nothing more.
A query sees its own frame and those before it, `window` in all: a stream remembers no more than that.
"""

import torch
from torch import nn
from torch.nn.functional import pad, scaled_dot_product_attention

from ballcast.models.runtime.blocks import ATTENTION_HEADS

MAX_WINDOWS_DENSE = 4  # windows, up to which one mask over all frames costs less than blocks
MAX_FREQUENCY, MIN_FREQUENCY = 200.0, 1.0  # rad/s: a turn in 6 frames at 180 Hz, and in 6 s


class Attention(nn.Module):
    """Self-attention, as a mixer of blocks.py."""

    def __init__(self, shape):
        super().__init__()
        if shape.units % (2 * ATTENTION_HEADS):
            raise ValueError(f"--units {shape.units}: of a transformer a multiple of {2 * ATTENTION_HEADS}")
        self.window, self.units = shape.window, shape.units
        self.read = nn.Linear(shape.units, 3 * shape.units)
        self.state_size = shape.window * (2 * shape.units + 1)  # keys, values, and 1 where there is one
        exponents = torch.linspace(0.0, 1.0, shape.units // ATTENTION_HEADS // 2)
        self.register_buffer("frequencies", MAX_FREQUENCY * (MIN_FREQUENCY / MAX_FREQUENCY) ** exponents)  # rad/s

    def forward(self, hidden, times):
        """(B, T, H) of x (B, T, H), seen at times (B, T) s."""
        q, k, v = (split_heads(a) for a in self.read(hidden).chunk(3, -1))
        rotation = self.rotary_angles(times[:, None])
        output = sliding_window_attention(rotate(q, rotation), rotate(k, rotation), v, self.window)
        return output.transpose(1, 2).flatten(2)

    def step(self, hidden, time, state):
        """The same for one frame x (B, H) at time (B,) s after memory (B, M): what is told, and the memory then."""
        q, k, v = self.read(hidden).chunk(3, -1)
        rotation = self.rotary_angles(time[:, None, None])
        q, k = (rotate(split_heads(a[:, None]), rotation) for a in (q, k))
        entry = torch.cat([k.flatten(1), v, torch.ones_like(v[:, :1])], -1)
        cache = torch.cat([state.unflatten(1, (self.window, -1))[:, 1:], entry[:, None]], 1)
        keys, values, is_filled = cache.split([self.units, self.units, 1], -1)
        output = scaled_dot_product_attention(q, split_heads(keys), split_heads(values), (is_filled > 0.5).mT[:, None])
        return output.flatten(1), cache.flatten(1)

    def rotary_angles(self, times):
        """cos and sin (..., D / 2) of the angles at times (...) s."""
        angles = times[..., None].double() * self.frequencies.double()
        return torch.cos(angles).float(), torch.sin(angles).float()


def split_heads(a):
    """(B, T, H) as (B, HEADS, T, D)."""
    return a.unflatten(-1, (ATTENTION_HEADS, -1)).transpose(1, 2)


def rotate(a, rotation):
    """a (B, HEADS, T, D), its first and second half as planes that turn."""
    (first, second), (cos, sin) = a.chunk(2, -1), rotation
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1).to(a.dtype)


def sliding_window_attention(q, k, v, window):
    """Attention (B, HEADS, T, D) to the last `window` frames: under a mask, or block by block where that is less."""
    frames = q.shape[2]
    frame = torch.arange(frames, device=q.device)
    if frames <= MAX_WINDOWS_DENSE * window:
        return scaled_dot_product_attention(q, k, v, window_mask(frame[:, None] - frame, window))
    return blockwise_attention(q, k, v, window)


def blockwise_attention(q, k, v, window):
    """The same: each block of `window` frames sees itself and the one before."""
    frames = q.shape[2]
    q, k, v = (pad(a, (0, 0, 0, -frames % window)).unflatten(2, (-1, window)) for a in (q, k, v))
    k, v = (torch.cat([pad(a, (0, 0, 0, 0, 1, 0))[:, :, :-1], a], 3) for a in (k, v))
    key, blocks = torch.arange(2 * window, device=q.device) - window, q.shape[2]
    mask = window_mask(torch.arange(window, device=q.device)[:, None] - key, window).repeat(blocks, 1, 1)
    mask[0, :, :window] = False  # before the first block there is nothing
    output = scaled_dot_product_attention(*(a.flatten(1, 2) for a in (q, k, v)), mask.repeat(ATTENTION_HEADS, 1, 1))
    return output.unflatten(1, (ATTENTION_HEADS, -1)).flatten(2, 3)[:, :, :frames]


def window_mask(lag, window):
    """Whether a key so many frames back is seen."""
    return (lag >= 0) & (lag < window)
