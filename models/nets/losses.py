"""The losses: minus the log-likelihood of the truth under a network's outputs, up to constants.

Each distribution is Student's t. With many degrees of freedom it is close to the normal distribution; its heavier tails
keep a few outliers from dominating. The network outputs a distribution of D numbers as a mean, log-scales s, and the
regression of each number on those before it: z_i = (e_i - sum_j<i b_ij e_j) / exp(s_i).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ballcast.models.encoding.decoding import MAX_LOG_SCALE, MIN_LOG_SCALE, PATH_OUTPUTS
from ballcast.models.encoding.nominal import HORIZONS

BELIEF_DEGREES, PATH_DEGREES, LATER_DEGREES = 8.0, 4.0, 4.0  # degrees of freedom


def whiten(error: Tensor, scales: Tensor, regressions: Tensor) -> Tensor:
    """z (..., D) of errors (..., D), log-scales (..., D) and regressions (..., D (D - 1) / 2), row by row."""
    size = error.shape[-1]
    coefficients = error.new_zeros((*error.shape, size))
    row, column = torch.tril_indices(size, size, -1)
    coefficients[..., row, column] = regressions
    return (error - (coefficients @ error[..., None])[..., 0]) * torch.exp(-scales)


def student_t_nll(
    error: Tensor, scales: Tensor, regressions: Tensor, degrees: float, mask: Tensor | None = None
) -> Tensor:
    """Minus the log-density (...) of errors (..., D), of those whose mask (..., D) is 1 and not 0; None: of all."""
    scales, size = scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE), error.shape[-1]
    if mask is None:
        square = whiten(error, scales, regressions).square().sum(-1)
        return 0.5 * (degrees + size) * torch.log1p(square / degrees) + scales.sum(-1)
    square = (mask * whiten(error * mask, scales, regressions)).square().sum(-1)
    return 0.5 * (degrees + mask.sum(-1)) * torch.log1p(square / degrees) + (scales * mask).sum(-1)


def belief_loss(belief: Tensor, truth: Tensor, active: Tensor | None = None) -> Tensor:
    """(B, N) of belief outputs (B, N, D (D + 3) / 2) and the truth (B, N, D), in the filter's standard deviations.
    active (B, D) is 1 for unknowns that vary in the ball's sport and 0 for others, which do not count; None: all do."""
    size = truth.shape[-1]
    mean, scales, regressions = belief.split([size, size, size * (size - 1) // 2], -1)
    mask = None if active is None else active[:, None].expand_as(truth)
    return student_t_nll(truth - mean, scales, regressions, BELIEF_DEGREES, mask)


def later_loss(belief: Tensor, later: Any, active: Tensor) -> Tensor:
    """(B, N) of belief outputs (B, N, D (D + 3) / 2): minus the log-density of positions that were measured later,
    along each axis, by flights that are linear in the belief. later: a Later (batches.py) of tensors; active (B, D)."""
    size = active.shape[-1]
    mean, scales, regressions = belief.split([size, size, size * (size - 1) // 2], -1)
    error = later.offset + (later.slope @ mean[:, :, None, :, None])[..., 0]  # (B, N, L, 3)
    spread = later.slope.flatten(2, 3) @ unwhiten(scales, regressions, active)
    variance = spread.square().sum(-1).unflatten(2, error.shape[2:]) + later.variance
    log_density = 0.5 * (LATER_DEGREES + 1.0) * torch.log1p(error.square() / (LATER_DEGREES * variance))
    loss = (log_density + 0.5 * torch.log(variance)).sum(-1) * later.known
    return loss.sum(-1) / later.known.shape[-1]


def unwhiten(scales: Tensor, regressions: Tensor, active: Tensor) -> Tensor:
    """The matrix A (B, N, D, D) for which errors A z have z as whiten gives it; active (B, D): others are left out."""
    size = active.shape[-1]
    coefficients = scales.new_zeros((*scales.shape, size))
    row, column = torch.tril_indices(size, size, -1)
    coefficients[..., row, column] = regressions * (active[:, None, row] * active[:, None, column])
    identity = torch.eye(size, dtype=scales.dtype, device=scales.device)
    deviations = torch.diag_embed(active[:, None] * torch.exp(scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)))
    return torch.linalg.solve_triangular(identity - coefficients, deviations, upper=False, unitriangular=True)


def path_loss(path: Tensor, future: Tensor, is_known: Tensor | None) -> Tensor:
    """(B, N) of path outputs (B, N, ...) and the standardised future (B, N, HORIZONS, 3).
    is_known (B, N, HORIZONS) is 1 or 0; None if all of the future is known."""
    outputs = path[..., : PATH_OUTPUTS * HORIZONS].unflatten(-1, (HORIZONS, PATH_OUTPUTS))
    mean, scales, regressions = outputs.split(3, -1)
    loss = student_t_nll(future - mean, scales, regressions, PATH_DEGREES)
    return loss.mean(-1) if is_known is None else (loss * is_known).sum(-1) / HORIZONS


def landing_loss(path: Tensor, has_landing: Tensor, landing: Tensor) -> Tensor:
    """(B, N) of path outputs, has_landing (B, N), below 0 if not known, and standardised landings (B, N, 4)."""
    outputs = path[..., PATH_OUTPUTS * HORIZONS :]
    logit, mean, scales, regressions = outputs.split([1, 4, 4, 6], -1)
    is_known, target = (has_landing >= 0).float(), has_landing.clamp(min=0.0)
    landing_nll = student_t_nll(landing - mean, scales, regressions, PATH_DEGREES) * target
    return landing_nll + is_known * binary_cross_entropy_with_logits(logit[..., 0], target, reduction="none")
