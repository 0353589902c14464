"""The region that holds the ball nine times in ten, as a pale tube round the forecast.

    corners, starts = tube(camera, mean, covariance)     # outlines that cover it together, as raster.fill takes them

At each time the ellipsoid is drawn as the eye sees it, an ellipse; neighbours are joined along their flanks.
"""

import math

import numpy as np
from ballcast.render.camera import NEAR
from ballcast.sim.jit import exact

RADIUS = 2.5003  # standard deviations: nine in ten of a normal law in three dimensions
CORNERS = 16
LARGEST = 3000.0  # px; a ball of which nothing is known has no outline
CIRCLE = np.column_stack([f(np.linspace(0, 2 * np.pi, CORNERS, False)) for f in (np.cos, np.sin)])


def tube(camera, mean, covariance):
    """The tube of a forecast, mean (H, 3) m and covariance (H, 3, 3) m2: corners (M, 2) px and starts (K + 1,)."""
    ovals, flanks = outlines(camera, mean, covariance)
    ovals = ovals[len(ovals) % 2 == 0 :: 2]  # every other one, and the last: the quads lie between them
    quads = np.concatenate([flanks[:-1], flanks[1:, ::-1]], axis=1)
    corners = np.concatenate([ovals.reshape(-1, 2), quads.reshape(-1, 2)])
    starts = np.cumsum([0] + [CORNERS] * len(ovals) + [4] * len(quads))
    return corners, starts


def outlines(camera, mean, covariance):
    """Ellipses (K, CORNERS, 2) px, and of each the two points (K, 2, 2) farthest to either side of the path."""
    xy, flat = _flattened(
        camera.eye, camera.axes, camera.focal, camera.centre, np.asarray(mean), np.asarray(covariance)
    )
    if len(xy) < 2:
        return np.empty((0, CORNERS, 2)), np.empty((0, 2, 2))
    return _ringed(xy, flat)


@exact
def _flattened(eye, axes, focal, centre, mean, covariance):
    """Places (K, 2) px and covariances (K, 2, 2) px2, RADIUS large, of those times at which they can be drawn."""
    xy, flat, kept = np.empty((len(mean), 2)), np.empty((len(mean), 2, 2)), 0
    for h in range(len(mean)):
        local = axes @ (mean[h] - eye)
        if not local[2] > NEAR:
            continue
        size = (RADIUS * focal / local[2]) ** 2
        for i in range(2):
            xy[kept, i] = centre[i] + focal * local[i] / local[2]
            for j in range(2):
                flat[kept, i, j] = size * (axes[i] @ covariance[h] @ axes[j]) + (1e-6 if i == j else 0.0)
        if math.sqrt(flat[kept, 0, 0] + flat[kept, 1, 1]) < LARGEST and not math.isnan(xy[kept, 0]):
            kept += 1
    return xy[:kept], flat[:kept]


@exact
def _ringed(xy, flat):
    """The ellipses and the flanks of outlines()."""
    ovals, flanks, last = np.empty((len(xy), CORNERS, 2)), np.empty((len(xy), 2, 2)), len(xy) - 1
    for k in range(len(xy)):
        a = math.sqrt(flat[k, 0, 0])
        b = flat[k, 1, 0] / a
        c = math.sqrt(max(flat[k, 1, 1] - b * b, 0.0))
        for n in range(CORNERS):
            ovals[k, n, 0] = xy[k, 0] + a * CIRCLE[n, 0]
            ovals[k, n, 1] = xy[k, 1] + b * CIRCLE[n, 0] + c * CIRCLE[n, 1]
        before, after = max(k - 1, 0), min(k + 1, last)
        across, up = xy[before, 1] - xy[after, 1], xy[after, 0] - xy[before, 0]
        x, y = flat[k, 0, 0] * across + flat[k, 0, 1] * up, flat[k, 1, 0] * across + flat[k, 1, 1] * up
        far = math.sqrt(max(x * across + y * up, 1e-12))
        for side, way in ((0, 1.0), (1, -1.0)):
            flanks[k, side, 0] = xy[k, 0] + way * x / far
            flanks[k, side, 1] = xy[k, 1] + way * y / far
    return ovals, flanks
