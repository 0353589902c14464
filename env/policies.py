"""Two policies to compare with: one follows the forecast, one follows the last frame.

action = follow_forecast(observation, task)      # of one environment, or of many: the shape is that of the observation
"""

import numpy as np

from ballcast.env.task import Task

NAVIGATION = 5.0  # proportional navigation: the miss that is expected if nothing is done shrinks by time left ** this
BRAKING = 0.8  # of the acceleration, that it counts on to stop


def follow_forecast(observation: dict[str, np.ndarray], task: Task) -> np.ndarray:
    """Be where the forecast crosses the plane, when it does: proportional navigation by the zero-effort miss. Brakes
    while there is no forecast. Needs observe="forecast". Actions (..., 2)."""
    disc, crossing = (np.asarray(observation[k], float) for k in ("disc", "crossing"))
    seconds = np.maximum(crossing[..., :1], 1.0 / task.rate)
    miss = crossing[..., 1:] - disc[..., :2] - seconds * disc[..., 2:]
    is_known = np.asarray(observation["crosses"]) > 0.5  # (..., 1)
    return _bounded(np.where(is_known, NAVIGATION * miss / seconds**2, -task.rate * disc[..., 2:]), task)


def follow_last_frame(observation: dict[str, np.ndarray], task: Task) -> np.ndarray:
    """Be where the ball was seen last, as seen from the plane: as fast as possible, braking in time. Needs
    observe="track". Actions (..., 2)."""
    disc, frames = (np.asarray(observation[k], float) for k in ("disc", "frames"))
    seen = frames[..., 3] > 0.5
    last = frames.shape[-2] - 1 - np.argmax(seen[..., ::-1], axis=-1)
    ball = np.take_along_axis(frames, last[..., None, None], axis=-2)[..., 0, :]
    off = ball[..., task.axes] - disc[..., :2]
    distance = np.maximum(np.linalg.norm(off, axis=-1, keepdims=True), 1e-9)
    speed = np.minimum(np.sqrt(2.0 * BRAKING * task.options.acceleration * distance), distance * task.rate)
    wanted = task.rate * (off / distance * speed - disc[..., 2:])
    return _bounded(np.where(seen.any(axis=-1, keepdims=True), wanted, -task.rate * disc[..., 2:]), task)


def _bounded(acceleration, task):
    """Accelerations (..., 2) m/s2 as actions: over the largest one, shortened to a length of 1."""
    action = acceleration / task.options.acceleration
    length = np.linalg.norm(action, axis=-1, keepdims=True)
    return (action / np.maximum(length, 1.0)).astype(np.float32)


POLICIES = {"forecast": follow_forecast, "track": follow_last_frame}  # by what is observed
