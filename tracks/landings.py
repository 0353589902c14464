"""The landings of a recorded ball, found from its frames alone.

    time, position = recorded_landings(track, [s for s in sport.surfaces if s.landing], sport.ball.radius)

No model of the flight or of the bounce is used, so that the result can be the measurement which such models are scored
against.
"""

from collections.abc import Iterable

import numpy as np

from ballcast.tracks.track import Track

SIDE_FRAMES = 6  # frames on either side of a landing, to which quadratics are fitted


def recorded_landings(track: Track, surfaces: Iterable, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (L,) s and positions (L, 3) m, of the ball's centre, of the landings of a track.

    surfaces  those that count: anything with the corners `low` and `high` (3,) m; the ball lands on `high[2]`
    radius    of the ball, m

    A landing is near a frame that is the lowest of SIDE_FRAMES frames on either side, and that is within two radii of
    touching a surface from above. Quadratics in time are fitted to the frames before and after the lowest one; the
    landing is where their heights are equal, at the mean of their positions. A low frame with fewer frames on either
    side gives no landing.
    """
    z = track.position[:, 2]
    lows = np.flatnonzero((z[1:-1] <= z[:-2]) & (z[1:-1] < z[2:])) + 1
    lows = lows[(lows >= SIDE_FRAMES) & (lows + SIDE_FRAMES < len(z))]
    lows = [low for low in lows if z[low] == z[low - SIDE_FRAMES : low + SIDE_FRAMES + 1].min()]
    near = _is_near(track.position[lows], surfaces, radius)
    found = [_crossing(track, low) for low, is_near in zip(lows, near) if is_near]
    landings = np.array([row for row in found if row is not None]).reshape(-1, 4)
    return landings[:, 0], landings[:, 1:]


def _is_near(points, surfaces, radius):
    """Which points (N, 3) m are within two radii of the centre of a ball that touches a surface from above."""
    near = np.zeros(len(points), bool)
    for surface in surfaces:
        low, high = np.array(surface.low), np.array(surface.high)
        above = ((points >= low) & (points <= high))[:, :2].all(axis=1)
        near |= above & (np.abs(points[:, 2] - high[2] - radius) <= 2 * radius)
    return near


def _crossing(track, low):
    """Time and position (4,) at which the heights of the quadratics before and after frame `low` are equal, or None."""
    time = track.time - track.time[low]
    sides = slice(low - SIDE_FRAMES, low), slice(low + 1, low + 1 + SIDE_FRAMES)
    before, after = (np.polyfit(time[side], track.position[side], 2) for side in sides)  # (3 powers, 3 axes)
    roots = np.roots((after - before)[:, 2])
    roots = roots[np.isreal(roots) & (np.abs(roots) <= time[low + 1] - time[low - 1])].real
    if not len(roots):
        return None
    at = roots[np.abs(roots).argmin()]
    return np.array([track.time[low] + at, *(np.array([at * at, at, 1.0]) @ (before + after) / 2)])
