"""The region that holds the ball nine times in ten, as a pale tube round the forecast.

    image, corner = region(camera, mean, covariance, color)      # or None when nothing of it is in sight

At each time the ellipsoid is drawn as the eye sees it, an ellipse; neighbours are joined along their flanks.
"""

import numpy as np
import pygame

RADIUS = 2.5003  # standard deviations: nine in ten of a normal law in three dimensions
CORNERS = 20
ALPHA = 34  # of 255
LARGEST = 3000.0  # px; a ball of which nothing is known has no outline
CIRCLE = np.stack(
    [np.cos(np.linspace(0, 2 * np.pi, CORNERS, False)), np.sin(np.linspace(0, 2 * np.pi, CORNERS, False))]
)


def region(camera, mean, covariance, color):
    """The tube of a forecast, mean (H, 3) m and covariance (H, 3, 3) m2: a premultiplied picture and its corner."""
    ovals, flanks = outlines(camera, mean, covariance)
    if not len(ovals):
        return None
    points = np.concatenate([ovals.reshape(-1, 2), flanks.reshape(-1, 2)])
    low = np.maximum(np.floor(points.min(axis=0)) - 1, 0).astype(int)
    high = np.minimum(np.ceil(points.max(axis=0)) + 2, camera.size).astype(int)
    if (high <= low).any():
        return None
    image = pygame.Surface(tuple((high - low).tolist()), pygame.SRCALPHA)
    fill = [round(c * ALPHA / 255) for c in color] + [ALPHA]
    for oval in (ovals - low).tolist():
        pygame.draw.polygon(image, fill, oval)
    for a, b in zip((flanks[:-1] - low).tolist(), (flanks[1:] - low).tolist()):
        pygame.draw.polygon(image, fill, [a[0], a[1], b[1], b[0]])
    return image, tuple(low.tolist())


def outlines(camera, mean, covariance):
    """Ellipses (H, CORNERS, 2) px, and of each the two points (H, 2, 2) farthest to either side of the path."""
    xy, depth = camera.project(mean)
    use = np.isfinite(xy).all(axis=1)
    xy, depth = xy[use], depth[use]
    across = camera.axes[:2]
    flat = across @ np.asarray(covariance)[use] @ across.T * (RADIUS * camera.focal / depth)[:, None, None] ** 2
    flat[:, 0, 0] += 1e-6
    flat[:, 1, 1] += 1e-6
    keep = np.sqrt(flat[:, 0, 0] + flat[:, 1, 1]) < LARGEST
    xy, flat = xy[keep], flat[keep]
    if len(xy) < 2:
        return np.empty((0, CORNERS, 2)), np.empty((0, 2, 2))
    ovals = xy[:, None] + (np.linalg.cholesky(flat) @ CIRCLE).transpose(0, 2, 1)
    along = np.gradient(xy, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    spread = (flat @ normal[..., None])[..., 0]
    flank = spread / np.sqrt(np.maximum((spread * normal).sum(axis=1), 1e-12))[:, None]
    return ovals, xy[:, None] + np.stack([flank, -flank], axis=1)
