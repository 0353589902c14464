"""The associative scan: h_t = a_t h_{t-1} + b_t for all t at once, with h_{-1} = 0.

    h = scan(a, b)                 # (B, T, H) each; with its gradient
    h = sequential_scan(a, b)      # the reference implementation; equal, by tests

Two steps in a row, (a1, b1) then (a2, b2), are one step (a2 a1, a2 b1 + b2). So chunks of frames are scanned side by
side, and their last values by the same scan again. All of it is computed in float32.
"""

from typing import Any

import torch
from torch import Tensor

CHUNK = 16  # frames: measured, see LOG.md


def sequential_scan(a: Tensor, b: Tensor) -> Tensor:
    """h (B, T, H) of a, b (B, T, H), one frame after the other."""
    h = [b[:, 0]]
    for t in range(1, b.shape[1]):
        h.append(a[:, t] * h[-1] + b[:, t])
    return torch.stack(h, 1)


def scan(a: Tensor, b: Tensor) -> Tensor:
    """h (B, T, H) of a, b (B, T, H)."""
    return Scan.apply(a, b)


class Scan(torch.autograd.Function):
    """The scan with its gradient, which is the same scan backwards in time."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        a, dtype = a.float(), b.dtype
        h = chunked_scan(a, b.float())
        ctx.save_for_backward(a, h)
        return h.to(dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        """From grad_t, the partial d loss / d h_t, (B, T, H): the total is g_t = grad_t + a_{t+1} g_{t+1}, also
        d loss / d b_t."""
        a, h = ctx.saved_tensors
        grad_b = chunked_scan(shift(a, -1).flip(1), grad.float().flip(1)).flip(1)
        # autograd casts these to the types of a and b
        return grad_b * shift(h, 1), grad_b


def chunked_scan(a: Tensor, b: Tensor) -> Tensor:
    """h (B, T, H) of a, b (B, T, H) float32: chunks side by side, then the contribution of what came before each."""
    frames = b.shape[1]
    if frames <= CHUNK:
        return scan_within_chunk(a, b)[1]
    a, b = chunks(a), chunks(b)
    product, h = scan_within_chunk(a, b)
    ends = chunked_scan(product[:, :, -1], h[:, :, -1])
    h[:, 1:].addcmul_(product[:, 1:], ends[:, :-1, None])
    return h.flatten(1, 2)[:, :frames]


def scan_within_chunk(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Cumulative products of a, and h, along the last but one dimension of a, b (..., T, H), frame by frame."""
    product, h = torch.empty_like(a), torch.empty_like(b)
    product[..., 0, :], h[..., 0, :] = a[..., 0, :], b[..., 0, :]
    for t in range(1, b.shape[-2]):
        torch.mul(a[..., t, :], product[..., t - 1, :], out=product[..., t, :])
        torch.addcmul(b[..., t, :], a[..., t, :], h[..., t - 1, :], out=h[..., t, :])
    return product, h


def chunks(a: Tensor) -> Tensor:
    """a (B, T, H) as (B, N, CHUNK, H), the last chunk padded with zeros."""
    padding = -a.shape[1] % CHUNK
    return torch.nn.functional.pad(a, (0, 0, 0, padding)).unflatten(1, (-1, CHUNK))


def shift(a: Tensor, offset: int) -> Tensor:
    """a (B, T, H) one frame later (1) or earlier (-1), filled with zeros."""
    a = a.roll(offset, 1)
    a[:, 0 if offset > 0 else -1] = 0.0
    return a
