"""The true flights after some frames, of balls that were drawn on a GPU: as batches.future_of, without leaving it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS, LANDING_HORIZON

MARGIN = 1e-6  # s, from a horizon to the end of the flight
STRIDE = 1e4  # s: longer than any flight, so that one sorted row holds the landings of all balls


def to_tensor(array: Any, device: torch.device) -> Tensor:
    """A tensor of an array on the GPU, without a copy, or of numpy's."""
    if device.type != "cpu":
        return torch.as_tensor(array, device=device)
    return torch.from_numpy(np.ascontiguousarray(array.copy_to_host() if hasattr(array, "copy_to_host") else array))


def device_future_of(balls: Any, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """After times t (B, N) s: positions (B, N, HORIZONS, 3), whether a landing follows (B, N), and it (B, N, 4)."""
    count, device = len(t), t.device
    t = torch.cummax(t, dim=1)[0]
    grid = (t[:, :, None] + HORIZON_STEP * torch.arange(1, HORIZONS + 1, device=device)).flatten(1)
    times, order = grid.sort(dim=1)
    last = torch.maximum(times[:, -1] + MARGIN, t[:, -1] + LANDING_HORIZON)
    position, contacts = _fly(balls, torch.cat([times, last[:, None]], 1))
    frame = to_tensor(balls.frame, device).float()
    future = torch.empty_like(position[:, :-1]).scatter_(1, order[..., None].expand(-1, -1, 3), position[:, :-1])
    future = _to_tracker_frame(frame[:, None], future)
    ball, time, landed = _landings(balls, contacts, device)
    landed = _to_tracker_frame(frame[ball], landed)
    n = torch.searchsorted(ball * STRIDE + time, torch.arange(count, device=device)[:, None] * STRIDE + t, right=True)
    ball, time = torch.cat([ball, ball.new_full((1,), -1)]), torch.cat([time, time.new_full((1,), torch.inf)])  # none
    landed, seconds = torch.cat([landed, landed.new_zeros(1, 3)]), (time[n] - t).float()
    has_landing = (ball[n] == torch.arange(count, device=device)[:, None]) & (seconds < LANDING_HORIZON)
    landing = torch.cat([torch.where(has_landing, seconds, 0.0)[..., None], landed[n]], -1)
    return future.unflatten(1, (-1, HORIZONS)), has_landing, landing


def _fly(balls, times):
    """(Positions (B, T, 3) m at times (B, T) s, all contacts) of the true flights."""
    from ballcast.sim.cuda import engine  # here: importing it asks for numba-cuda
    from ballcast.sim.cuda.flight import BLOCK, Frames

    states = balls.launch_position, balls.launch_velocity, balls.launch_spin, balls.parameters
    launches = torch.cat([to_tensor(a, times.device) for a in states], 1)
    blocks = torch.floor(times / BLOCK)
    columns = [a.T.float().contiguous() for a in (blocks, times - BLOCK * blocks, launches)]
    counts = torch.full((len(times),), times.shape[1], dtype=torch.int32, device=times.device)
    blocks, rests, launches, counts = (engine.borrow(a) for a in (*columns, counts))
    written, contacts = engine.fly_noting(balls.sport, launches, Frames(blocks, rests, counts), with_velocity=False)
    return to_tensor(written.position, times.device).permute(2, 0, 1), contacts


def _landings(balls, contacts, device):
    """(Ball, time in s, position (n, 3) m) of all contacts that are landings, by ball and time."""
    if not contacts.are_noted:
        return (torch.zeros(shape, dtype=dtype, device=device)
                for shape, dtype in ((0, torch.int64), (0, torch.float64), ((0, 3), torch.float32)))  # fmt: skip
    ball, surface, numbers = (to_tensor(a, device) for a in (contacts.ball, contacts.surface, contacts.numbers))
    kinds = torch.tensor(sorted(balls.sport.landing_surfaces), dtype=surface.dtype, device=device)
    rows = torch.isin(surface, kinds).nonzero()[:, 0]
    return ball[rows].long(), numbers[0, rows].double(), numbers[1:4, rows].T


def _to_tracker_frame(frame, position):
    """As sensor.to_tracker_frame, of positions (..., 3)."""
    (height, x, y), (px, py, pz) = frame.unbind(-1), position.unbind(-1)
    return torch.stack([px + y * pz, py - x * pz, pz + x * py - y * px + height], -1)
