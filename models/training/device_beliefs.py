"""Batches of the filter's features, made on a GPU: what follow the kernels of device_filter.py, by torch.

Features and targets are those of batches.py for `filter`.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ballcast.models.encoding.features import JITTER, FeatureFrontend
from ballcast.models.encoding.nominal import HORIZONS, NOMINAL_FEATURES
from ballcast.models.estimation.linear import FIRST_JITTER, MAX_JITTER, MIN_SCALE
from ballcast.models.estimation.unknowns import LOG_PARAMETERS, UNKNOWNS
from ballcast.models.training.batches import TARGET_LIMIT, Batch, active_mask
from ballcast.models.training.device_flights import to_tensor
from ballcast.sim.kernels.layout import DRAG


def follow(frontend: FeatureFrontend, sequences: Any) -> tuple[Any, Any]:
    """Filter Sequences on the GPU: (Filtered, Nominal) of tensors there; see device_filter.py."""
    from ballcast.models.training import device_filter  # here: importing it asks for numba-cuda
    from ballcast.sim.cuda import engine
    from ballcast.sim.cuda.lane_threads import LANES, compact_code

    (count, frames), n, given = sequences.time.shape, sequences.loss_frames.shape[1], _on_gpu(frontend)

    def room(*shape, dtype=torch.float64):
        return torch.zeros(count, *shape, dtype=dtype, device=sequences.time.device)

    size = device_filter.FEATURES + 1
    filtered = device_filter.Filtered(
        room(frames, size, dtype=torch.float32), room(n, UNKNOWNS), room(n, UNKNOWNS, UNKNOWNS)
    )
    nominal = device_filter.Nominal(
        room(n, HORIZONS, 3), room(n, HORIZONS, 3), room(n, 4), room(n, 4),
        room(n, NOMINAL_FEATURES, dtype=torch.float32),
    )  # fmt: skip
    follow_balls, fly_nominal = device_filter.kernels()
    frames_of = device_filter.Frames(
        sequences.time, sequences.position.double(), sequences.count, sequences.loss_frames
    )
    arrays = [type(a)(*map(engine.borrow, a)) for a in (frames_of, filtered, nominal)]
    with compact_code():
        engine.launch(follow_balls, count * LANES, engine.THREADS, given, *arrays[:2])
        engine.launch(fly_nominal, count * n, engine.THREADS, given, *arrays[1:])
    return filtered, nominal


def _on_gpu(value):
    """A named tuple with its arrays on the GPU."""
    from numba import cuda

    from ballcast.sim.cuda.dataset import aligned

    if isinstance(value, np.ndarray):
        return cuda.to_device(np.ascontiguousarray(value, aligned(value.dtype)))
    return type(value)(*map(_on_gpu, value)) if isinstance(value, tuple) else value


def filter_batch(
    frontend: FeatureFrontend, sequences: Any, filtered: Any, nominal: Any, truth: Tensor, future: Tensor,
    has_landing: Tensor, landing: Tensor,
) -> Batch:  # fmt: skip
    """The Batch of Sequences of one sport, which the filter has followed; frame_count (B,). Known of them: truth
    (B, N, UNKNOWNS), future (B, N, HORIZONS, 3) m, has_landing (B, N) and landing (B, N, 4) s, m."""
    active = torch.from_numpy(frontend.scales.active).to(truth.device)
    factor = cholesky(filtered.covariance[..., active[:, None], active])
    residual, whole = (truth - filtered.mean)[..., active], torch.zeros_like(truth)
    whole[..., active] = torch.linalg.solve_triangular(factor, residual[..., None], upper=False)[..., 0]
    future = (future - nominal.position) / nominal.sd
    landing = (landing * has_landing[..., None] - nominal.landing) / nominal.scale * has_landing[..., None]
    whole, future, landing = (a.clamp(-TARGET_LIMIT, TARGET_LIMIT).float() for a in (whole, future, landing))
    mask = torch.from_numpy(active_mask(frontend, 1)).to(truth.device).expand(len(truth), -1)
    return Batch(filtered.features, sequences.time, sequences.loss_frames, nominal.features, whole, mask, future, None,
                 has_landing.float(), landing, None, sequences.count)  # fmt: skip


def cholesky(covariance: Tensor) -> Tensor:
    """As features.active_cholesky, of covariances (..., D, D): the factors (..., D, D), lower."""
    scale = covariance.diagonal(dim1=-2, dim2=-1).clamp(min=MIN_SCALE**2).sqrt()
    scaled, one = covariance / (scale[..., :, None] * scale[..., None, :]), torch.eye(scale.shape[-1]).to(covariance)
    jitter, needed = JITTER, scaled.new_full(scale.shape[:-1], JITTER)
    while True:
        factor, failed = torch.linalg.cholesky_ex(scaled + needed[..., None, None] * one)
        if jitter > MAX_JITTER or not failed.any():
            return torch.where(failed[..., None, None] > 0, torch.nan, factor) * scale[..., None]
        jitter += max(9.0 * jitter, FIRST_JITTER)
        needed = torch.where(failed > 0, jitter, needed)


def true_unknowns(balls: Any, rows: Tensor) -> Tensor:
    """As batches.true_unknowns: (B, N, UNKNOWNS) at rows (B, N) of the frames."""
    device = rows.device
    position, velocity, spin = (
        to_tensor(a, device)[rows].double() for a in (balls.truth_position, balls.truth_velocity, balls.truth_spin)
    )
    frame, parameters = to_tensor(balls.frame, device)[:, None], to_tensor(balls.parameters, device).clone()
    height = frame[..., 0] + frame[..., 1] * position[..., 1] - frame[..., 2] * position[..., 0]
    columns = [k - DRAG for k in LOG_PARAMETERS]
    parameters[:, columns] = parameters[:, columns].log()
    position = torch.cat([position[..., :2], (position[..., 2] - height)[..., None]], -1)
    parameters = parameters[:, None].expand(-1, rows.shape[1], -1)
    return torch.cat([position, velocity, spin, parameters, height[..., None]], -1)
