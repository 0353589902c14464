"""Causal attention over the last frames, with their times as positions.

Rotary position embedding (Su et al. 2021, "RoFormer") in seconds: queries and keys are rotated by frequency x time, so
their products depend on the seconds between frames. Missing frames need no special treatment.
A query attends to its own frame and those before it, `window` in all, so a stream stores no more than that.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from ballcast.models.runtime.blocks import ATTENTION_HEADS

MAX_WINDOWS_DENSE = 4  # up to this many windows, one mask over all frames costs less than blocks
MAX_FREQUENCY, MIN_FREQUENCY = 200.0, 1.0  # rad/s: periods of 6 frames at 180 Hz and of 6 s


class Attention(nn.Module):
    """Self-attention, as a mixer of blocks.py."""

    def __init__(self, shape):
        super().__init__()
        if shape.units % (2 * ATTENTION_HEADS):
            raise ValueError(f"--units {shape.units}: a transformer needs a multiple of {2 * ATTENTION_HEADS}")
        self.window, self.units = shape.window, shape.units
        self.qkv = nn.Linear(shape.units, 3 * shape.units)
        self.state_size = shape.window * (2 * shape.units + 1)  # keys, values, and 1 where an entry is filled
        exponents = torch.linspace(0.0, 1.0, shape.units // ATTENTION_HEADS // 2)
        self.register_buffer("frequencies", MAX_FREQUENCY * (MIN_FREQUENCY / MAX_FREQUENCY) ** exponents)  # rad/s

    def forward(self, hidden: Tensor, times: Tensor) -> Tensor:
        """(B, T, H) of hidden (B, T, H) at times (B, T) s."""
        q, k, v = (split_heads(a) for a in self.qkv(hidden).chunk(3, -1))
        rotation = self.rotary_angles(times[:, None])
        output = sliding_window_attention(rotate(q, rotation), rotate(k, rotation), v, self.window)
        return output.transpose(1, 2).flatten(2)

    def step(self, hidden: Tensor, time: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One frame, hidden (B, H) at time (B,) s, from a state (B, M): the output (B, H) and the next state."""
        q, k, v = self.qkv(hidden).chunk(3, -1)
        rotation = self.rotary_angles(time[:, None, None])
        q, k = (rotate(split_heads(a[:, None]), rotation) for a in (q, k))
        entry = torch.cat([k.flatten(1), v, torch.ones_like(v[:, :1])], -1)
        cache = torch.cat([state.unflatten(1, (self.window, -1))[:, 1:], entry[:, None]], 1)
        keys, values, is_filled = cache.split([self.units, self.units, 1], -1)
        output = scaled_dot_product_attention(q, split_heads(keys), split_heads(values), (is_filled > 0.5).mT[:, None])
        return output.flatten(1), cache.flatten(1)

    def rotary_angles(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin (..., D / 2) of the angles at times (...) s."""
        angles = times[..., None].double() * self.frequencies.double()
        return torch.cos(angles).float(), torch.sin(angles).float()


def split_heads(a: Tensor) -> Tensor:
    """(B, T, H) as (B, heads, T, D)."""
    return a.unflatten(-1, (ATTENTION_HEADS, -1)).transpose(1, 2)


def rotate(a: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate a (B, heads, T, D): element i of the first half and element i of the second half form a plane."""
    (first, second), (cos, sin) = a.chunk(2, -1), rotation
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1).to(a.dtype)


def sliding_window_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Attention (B, heads, T, D) to the last `window` frames: with one mask, or block by block for long sequences."""
    frames = q.shape[2]
    frame = torch.arange(frames, device=q.device)
    if frames <= MAX_WINDOWS_DENSE * window:
        return scaled_dot_product_attention(q, k, v, window_mask(frame[:, None] - frame, window))
    return blockwise_attention(q, k, v, window)


def blockwise_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """The same: each block of `window` frames attends to itself and to the block before."""
    frames = q.shape[2]
    q, k, v = (pad(a, (0, 0, 0, -frames % window)).unflatten(2, (-1, window)) for a in (q, k, v))
    k, v = (torch.cat([pad(a, (0, 0, 0, 0, 1, 0))[:, :, :-1], a], 3) for a in (k, v))
    key, blocks = torch.arange(2 * window, device=q.device) - window, q.shape[2]
    mask = window_mask(torch.arange(window, device=q.device)[:, None] - key, window).repeat(blocks, 1, 1)
    mask[0, :, :window] = False  # there is no block before the first
    q, k, v = (a.flatten(1, 2) for a in (q, k, v))
    output = scaled_dot_product_attention(q, k, v, mask.repeat(ATTENTION_HEADS, 1, 1))
    return output.unflatten(1, (ATTENTION_HEADS, -1)).flatten(2, 3)[:, :, :frames]


def window_mask(lag: Tensor, window: int) -> Tensor:
    """Whether a query attends to a key this many frames before it."""
    return (lag >= 0) & (lag < window)
