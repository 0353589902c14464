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
    deviations = torch.diag_embed(active[:, None] * torch.exp(scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)))
    matrix = conditional_matrix(regressions, active[:, None].expand_as(scales))
    return torch.linalg.solve_triangular(matrix, deviations, upper=False, unitriangular=True)


def divergence(ours: Tensor, theirs: Tensor, size: int, active: Tensor | None = None) -> Tensor:
    """The Kullback-Leibler divergence (...) of the normal distributions of outputs `ours` from those of `theirs`, both
    (..., D (D + 3) / 2) of D = size numbers; active (..., D), 1 or 0: those that count."""
    parts = [size, size, size * (size - 1) // 2]
    (mean, scales, regressions), (other_mean, other_scales, other_regressions) = (
        ours.split(parts, -1),
        theirs.split(parts, -1),
    )
    active = torch.ones_like(mean) if active is None else active.expand_as(mean)
    scales, other_scales = (s.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE) for s in (scales, other_scales))
    whitener = conditional_matrix(regressions, active)
    factor = torch.linalg.solve_triangular(
        conditional_matrix(other_regressions, active), torch.diag_embed(torch.exp(other_scales)), upper=False,
        unitriangular=True,
    )  # fmt: skip
    shift = (whitener @ (active * (other_mean - mean))[..., None])[..., 0]
    variance = (whitener @ factor).square().sum(-1) + shift.square()
    terms = scales - other_scales + 0.5 * variance * torch.exp(-2.0 * scales) - 0.5
    return (active * terms).sum(-1)


def conditional_matrix(regressions: Tensor, active: Tensor) -> Tensor:
    """1 minus the regressions (..., D (D - 1) / 2) as a lower triangular matrix (..., D, D); active (..., D)."""
    size = active.shape[-1]
    coefficients = regressions.new_zeros((*active.shape, size))
    row, column = torch.tril_indices(size, size, -1)
    coefficients[..., row, column] = regressions * (active[..., row] * active[..., column])
    return torch.eye(size, dtype=regressions.dtype, device=regressions.device) - coefficients


def path_divergence(path: Tensor, other: Tensor) -> Tensor:
    """(B, N) of path outputs: how far they are from another network's, over the horizons and the landing."""
    ours, theirs = (a[..., : PATH_OUTPUTS * HORIZONS].unflatten(-1, (HORIZONS, PATH_OUTPUTS)) for a in (path, other))
    landing, other_landing = (a[..., PATH_OUTPUTS * HORIZONS :] for a in (path, other))
    probability = torch.sigmoid(other_landing[..., 0])
    is_landing = binary_cross_entropy_with_logits(landing[..., 0], probability, reduction="none")
    is_landing = is_landing - binary_cross_entropy_with_logits(other_landing[..., 0], probability, reduction="none")
    return (
        divergence(ours, theirs, 3).mean(-1)
        + is_landing
        + probability * divergence(landing[..., 1:], other_landing[..., 1:], 4)
    )


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
