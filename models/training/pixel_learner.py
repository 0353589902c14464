"""Fine-tuning on pixels: a Learner that starts from trained weights and sees 3D trackers and cameras.

    learner = PixelLearner(config)          # the config of a run with --finetune and --pixels

Even steps are fresh balls seen by 3D trackers, as in every run. There the loss is how far the outputs are from those of
the first network, so that nothing is forgotten. Odd steps are balls of a set that random cameras saw (pixel_set.py),
with the losses of every run but with the filter's own means, which networks did not improve: what is learnt there is
how wide the spread is, and the landing. Parts of the set are kept: weights are validated and calibrated on them.
"""

import copy
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ballcast.models.encoding.decoding import PATH_OUTPUTS
from ballcast.models.encoding.nominal import HORIZONS
from ballcast.models.nets.losses import belief_loss, landing_loss, path_loss
from ballcast.models.training.batches import Batch
from ballcast.models.training.learner import Learner
from ballcast.models.training.pixel_calibration import calibrate_pixels
from ballcast.models.training.pixel_set import PixelSet
from ballcast.models.training.remember import distances

PixelLosses = namedtuple("PixelLosses", "belief path landing distance")
DISTANCE_WEIGHT = 2.0  # of the distance from the first network
SHARE = 0.75  # balls that cameras saw in an odd step, over the balls of an even one
KEPT_BATCH, TRACKER_BATCHES = 96, 2  # balls of a validation batch; batches of 3D trackers to validate on


class MixedBatches:
    """Batches of 3D trackers at even numbers, of pixels at odd numbers."""

    def __init__(self, trackers: Any, pixels: PixelSet, seed: int, size: int):
        self.trackers, self.pixels, self.seed, self.pixel_batch = trackers, pixels, seed, size
        self.feature_set, self.size, self.pool = trackers.feature_set, trackers.size, trackers.pool

    def __getitem__(self, step: int) -> Batch:
        if step % 2 == 0 or step >= 2**40:
            return self.trackers[step]
        generator = np.random.default_rng((self.seed, step, self.trackers.rank))
        rows = generator.choice(len(self.pixels), min(self.pixel_batch, len(self.pixels)), replace=False)
        return self.pixels.batch(rows)


class PixelLearner(Learner):
    """A Learner on balls that 3D trackers and cameras saw."""

    validation_interval = 100

    def __init__(self, config: dict, rank: int = 0, ranks: int = 1):
        pixels, self.kept = PixelSet(config["pixels"], kept=False), PixelSet(config["pixels"], kept=True)
        super().__init__(config, rank, ranks)
        self.first = copy.deepcopy(self.network).requires_grad_(False)
        size = max(1, round(SHARE * config["batch"] / ranks))
        self.batches: Any = MixedBatches(self.batches, pixels, config["seed"], size)
        if rank == 0:
            print(f"{len(pixels)} balls seen by cameras to learn from, {len(self.kept)} kept", flush=True)

    def validation(self) -> list[Batch]:
        """The kept balls of cameras, and a few of 3D trackers."""
        rows = np.arange(len(self.kept))
        parts = [rows[n : n + KEPT_BATCH] for n in range(0, len(rows), KEPT_BATCH)]
        return [self.kept.batch(part) for part in parts] + [self.validation_batches[n] for n in range(TRACKER_BATCHES)]

    @torch.no_grad()
    def scores(self, batches: list[Batch]) -> dict[str, float]:
        """The mean losses of cameras, and how far the outputs for 3D trackers are from the first ones."""
        found = {is_pixels: super(PixelLearner, self).scores([b for b in batches if _is_of_pixels(b) == is_pixels])
                 for is_pixels in (True, False)}  # fmt: skip
        return found[True] | {"distance": found[False]["distance"]}

    def losses(self, network: torch.nn.Module, batch: Batch) -> PixelLosses:
        """The losses of balls that cameras saw; of others, the distance of the outputs from those of the first network.
        The gradient of the path of pixels reaches the trunk, too."""
        is_of_pixels = _is_of_pixels(batch)
        self.network.attached = is_of_pixels
        inputs = batch.features, batch.times, batch.loss_frames, batch.nominal
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            belief, path = network(*inputs)
            with torch.no_grad():
                first = None if is_of_pixels else self.first(*inputs)
        path, zero = path.float(), 0.0 * path.float().sum()
        if first is not None:
            return PixelLosses(zero, zero, zero, DISTANCE_WEIGHT * sum(distances(batch, (belief, path), first)))
        belief, path = self._without_means(belief, path)
        future = (batch.future - self.network.path_mean) / self.network.path_scale
        landing = (batch.landing - self.network.landing_mean) / self.network.landing_scale
        belief_term = zero if belief is None else belief_loss(belief.float(), batch.truth, batch.active).mean()
        path_term = path_loss(path, future, batch.future_known).mean()
        return PixelLosses(belief_term, path_term, landing_loss(path, batch.has_landing, landing).mean(), zero)

    def _without_means(self, belief, path):
        """Outputs with the filter's own means: of the unknowns, and of the path but for its landing."""
        network, count = self.network, PATH_OUTPUTS * HORIZONS
        if belief is not None:
            size = network.shape.unknowns
            belief = torch.cat([torch.zeros_like(belief[..., :size]), belief[..., size:]], -1)
        parts = path[..., :count].unflatten(-1, (HORIZONS, PATH_OUTPUTS))
        none = (-network.path_mean / network.path_scale).expand_as(parts[..., :3])
        return belief, torch.cat([torch.cat([none, parts[..., 3:]], -1).flatten(-2), path[..., count:]], -1)

    def finish(self, path: Path, state: Any) -> None:
        """Calibrate the weights for 3D trackers, and for cameras."""
        super().finish(path, state)
        calibrate_pixels(path, self.kept)

    def metadata(self) -> dict:
        """The description in the file of weights."""
        return super().metadata() | {"pixels": True, "from": Path(self.config["finetune"]).name}


def _is_of_pixels(batch):
    return batch.future_known is not None
