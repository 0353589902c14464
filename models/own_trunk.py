"""A trained trunk of your own as a predictor: torch runs the trunk, compiled code the features and the heads.

    predictor = load("runs/mine/weights.safetensors", sport="table_tennis")     # of train.py --model my_module:MyTrunk

The frames are kept as they come; for each forecast the trunk reads the last OWN_FRAMES of them anew. So a forecast
takes milliseconds, where the trunks of Ballcast take microseconds. The module must be importable, as in training.
"""

from pathlib import Path

import numpy as np

from ballcast.models.nets.own_trunk import TrunkRunner
from ballcast.models.predictors.direct import Direct
from ballcast.models.predictors.neural import BatchForecast
from ballcast.models.registry import OWN_TRUNK
from ballcast.models.runtime.network import OWN_FRAMES
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.packed import Packed


class OwnTrunk(Direct):
    """A trunk of the user's, with the heads of Ballcast."""

    name = OWN_TRUNK

    def __init__(self, sport: Sport, path: Path | str | None = None):
        super().__init__(sport, path)
        tensors = {name: a.astype(np.float32) for name, a in self.tensors.items()}
        self.runner = TrunkRunner(self.info["shape"], tensors, path or "")

    def predict_into(self, balls: Packed, times: np.ndarray, out: BatchForecast) -> None:
        hidden, kept = remembered(balls)
        features, frame_times, count = unroll(kept, self.info["shape"]["features"])
        seen = np.flatnonzero(count)
        if len(seen):
            longest = count.max()
            read = features[seen, :longest], frame_times[seen, :longest]
            hidden[seen] = self.runner.hidden(*map(np.ascontiguousarray, read), count[seen] - 1)
        super().predict_into(balls, times, out)


@kernel
def remembered(packed):
    """What the heads read (B, H), and the frames that `advance` keeps (B, M), of a packed Memory."""
    memory = packed.value[2]
    return memory.hidden, memory.cell_state


def unroll(kept: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rows (B, M) that keep_frame fills: features (B, OWN_FRAMES, size) and times (B, OWN_FRAMES) s since the first
    of them, oldest first, and how many count (B,)."""
    seen = kept[:, 0].astype(int)
    rows = kept[:, 1:].reshape(len(kept), OWN_FRAMES, size + 2)
    oldest = np.where(seen < OWN_FRAMES, 0, seen % OWN_FRAMES)
    order = (oldest[:, None] + np.arange(OWN_FRAMES)) % OWN_FRAMES
    rows = np.take_along_axis(rows, order[:, :, None], 1)
    times = rows[..., 0].astype(float) + rows[..., 1]
    return rows[..., 2:], times - times[:, :1], np.minimum(seen, OWN_FRAMES)
