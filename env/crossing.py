"""Where and when forecasts cross a plane: many at once."""

import numpy as np

MIN_SPEED = 1e-3  # m/s across the plane, below which a crossing has no time


def crossings(
    times: np.ndarray, mean: np.ndarray, covariance: np.ndarray, axis: int, offset: float, direction: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When and where B forecasts first cross the plane in which coordinate `axis` is `offset` m.

    times (B, H) s, mean (B, H, 3) m, covariance (B, H, 3, 3) m2; direction 1 or -1: how they cross it. Returns the
    time and the two other coordinates (B, 3); their covariance (B, 3, 3), to first order from the position's at that
    time; and whether there is a crossing (B,), zeros in the others where there is none. A forecast that begins beyond
    the plane crosses it before its first time, on the straight line of its first two points.
    """
    side = direction * (mean[..., axis] - offset)  # (B, H)
    is_beyond = side >= 0.0
    found, rows = is_beyond.any(axis=1), np.arange(len(side))
    right = np.maximum(is_beyond.argmax(axis=1), 1)
    left = right - 1
    step = times[rows, right] - times[rows, left]
    slope = np.maximum((side[rows, right] - side[rows, left]) / step, MIN_SPEED)
    fraction = -side[rows, left] / (slope * step)
    found &= fraction > -1.0 - 1e-9
    fraction = np.clip(fraction, -1.0, 1.0)
    velocity = (mean[rows, right] - mean[rows, left]) / step[:, None]  # (B, 3) m/s
    point = mean[rows, left] + (fraction * step)[:, None] * velocity
    axes = [k for k in range(3) if k != axis]
    value = np.column_stack([times[rows, left] + fraction * step, point[:, axes]])
    share = np.clip(fraction, 0.0, 1.0)[:, None, None]
    at = (1.0 - share) * covariance[rows, left] + share * covariance[rows, right]
    jacobian = np.zeros((len(side), 3, 3))  # of the value by the position
    jacobian[:, 0, axis] = -direction / slope
    for n, k in enumerate(axes, 1):
        jacobian[:, n, k] = 1.0
        jacobian[:, n, axis] = -direction * velocity[:, k] / slope
    spread = jacobian @ at @ jacobian.transpose(0, 2, 1)
    value[~found], spread[~found] = 0.0, 0.0
    return value, spread, found
