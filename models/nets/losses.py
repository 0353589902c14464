"""What is minimised: minus the log-likelihood of the truth under what a network says, up to constants.

Everywhere Student's t of DEGREES: of many degrees it is the normal law; its few spare a rare ball that goes another way
from bending the rest. A law of D numbers is told by a mean, log-scales s and the regression of each number on those
before it (the factor of the precision): z_i = (e_i - sum_j<i b_ij e_j) / exp(s_i).
"""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.nets.network import PATH_OUTPUTS

BELIEF_DEGREES, PATH_DEGREES = 8.0, 4.0
MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 7.0  # of log-scales


def whiten(error, scales, regressions):
    """z (..., D) of errors (..., D), log-scales (..., D) and regressions (..., D (D - 1) / 2), row by row."""
    size = error.shape[-1]
    coefficients = error.new_zeros((*error.shape, size))
    row, column = torch.tril_indices(size, size, -1)
    coefficients[..., row, column] = regressions
    return (error - (coefficients @ error[..., None])[..., 0]) * torch.exp(-scales)


def student_t_nll(error, scales, regressions, degrees):
    """Minus the log-density (...) of errors (..., D)."""
    scales = scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE)
    square = whiten(error, scales, regressions).square().sum(-1)
    return 0.5 * (degrees + error.shape[-1]) * torch.log1p(square / degrees) + scales.sum(-1)


def belief_loss(belief, truth):
    """(B, N) of beliefs told (B, N, D (D + 3) / 2) and the truth (B, N, D), in the filter's standard deviations."""
    size = truth.shape[-1]
    mean, scales, regressions = belief.split([size, size, size * (size - 1) // 2], -1)
    return student_t_nll(truth - mean, scales, regressions, BELIEF_DEGREES)


def path_loss(path, future, is_known):
    """(B, N) of paths told (B, N, ...), future (B, N, KNOTS, 3) in the knots' scales; known (B, N, KNOTS) or None."""
    outputs = path[..., : PATH_OUTPUTS * HORIZONS].unflatten(-1, (HORIZONS, PATH_OUTPUTS))
    mean, scales, regressions = outputs.split(3, -1)
    loss = student_t_nll(future - mean, scales, regressions, PATH_DEGREES)
    return loss.mean(-1) if is_known is None else (loss * is_known).sum(-1) / HORIZONS


def landing_loss(path, has_landing, landing):
    """(B, N): whether a landing comes (B, N; below 0: not known), and when and where (B, N, 4), in its scales."""
    outputs = path[..., PATH_OUTPUTS * HORIZONS :]
    logit, mean, scales, regressions = outputs.split([1, 4, 4, 6], -1)
    is_known, target = (has_landing >= 0).float(), has_landing.clamp(min=0.0)
    landing_nll = student_t_nll(landing - mean, scales, regressions, PATH_DEGREES) * target
    return landing_nll + is_known * binary_cross_entropy_with_logits(logit[..., 0], target, reduction="none")
