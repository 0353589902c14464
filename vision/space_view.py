"""A forecast in space as a camera sees it, and joined with one that was made in the image.

pixel, covariance = in_image(camera, forecast.mean, forecast.covariance)       # (H, 2) px, (H, 2, 2) px2
pixel, covariance = joined(pixel, covariance, other_pixel, other_covariance)
"""

import numpy as np

from ballcast.tracks.camera import Camera

SHARED = 0.5  # weight of each of two forecasts: covariance intersection, sound whatever they share


def in_image(camera: Camera, mean: np.ndarray, covariance: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The pixels (..., 2) and their covariances (..., 2, 2) px2 of places (..., 3) m, to first order; NaN without a
    covariance (..., 3, 3) m2."""
    jacobian = camera.jacobian(mean)
    if covariance is None:
        return camera.project(mean), np.full((*jacobian.shape[:-1], 2), np.nan)
    return camera.project(mean), jacobian @ covariance @ jacobian.swapaxes(-1, -2)


def joined(
    pixel: np.ndarray, covariance: np.ndarray, other: np.ndarray, other_covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two forecasts (H, 2) px of the same ball, with covariances (H, 2, 2), as one. They saw the same frames: each
    counts by SHARED of its weight. Where one is not finite, the other stands alone."""
    is_sound, is_other = (np.isfinite(p).all(axis=-1) & np.isfinite(c).all(axis=(-1, -2))
                          for p, c in ((pixel, covariance), (other, other_covariance)))  # fmt: skip
    both, mean = is_sound & is_other, np.where(is_sound[:, None], pixel, other)
    spread = np.where(is_sound[:, None, None], covariance, other_covariance)
    a, b = np.linalg.inv(covariance[both]), np.linalg.inv(other_covariance[both])
    total = np.linalg.inv(a + b)
    mean[both] = np.einsum("hij,hj->hi", total, np.einsum("hij,hj->hi", a, pixel[both]) +
                           np.einsum("hij,hj->hi", b, other[both]))  # fmt: skip
    spread[both] = total / SHARED
    return mean, spread
