"""Fine-tuning on recorded balls: a Learner that starts from trained weights and sees simulated and recorded balls.

    learner = FineTuner(config)          # the config of a run with --finetune and --tracks

Even steps are simulated balls, so that nothing is forgotten: of the sport of the tracks and, if the weights serve all
sports, of the others too. Odd steps are views of the recorded tracks (recorded.py). Both heads learn from these: the
path from the positions measured later, the belief from how the simulator would fly it there (later_frames.py).
"""

from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ballcast import sim
from ballcast.models.nets.losses import belief_loss, landing_loss, later_loss, path_loss
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.models.registry import serves
from ballcast.models.runtime import weights
from ballcast.models.training.batches import Batch, Batches
from ballcast.models.training.learner import Learner, network_shape
from ballcast.models.training.recorded import MixedBatches, RecordedSet, split_tracks
from ballcast.models.training.sports import SportPool, sports_of
from ballcast.tracks import read_tracks

Losses = namedtuple("Losses", "belief path landing later")


@dataclass(frozen=True)
class Recipe:
    """How weights are fine-tuned."""

    rate: float = 5e-4  # highest learning rate
    steps: int = 800
    recorded_batch: int = 48  # views of a step
    views: int = 8  # of a track
    later_weight: float = 1.0  # of the loss of the belief of recorded balls
    path_weight: float = 1.0  # of that of their path
    far_weight: float = 1.0  # of horizons beyond 0.6 s
    pull: float = 0.0  # of the squared distance from the weights at the start
    own_share: float = 0.5  # of the simulated balls are of the sport of the tracks
    others: bool = True
    random_sports: int = 6
    mirror: bool = True
    attach: bool = False  # the gradient of the recorded path reaches the trunk
    train: str = "all"  # or heads
    distil: float = 0.0


class FocusedPool(SportPool):
    """A pool that draws one sport, the first, with a share of its own."""

    def __init__(self, *arguments, share: float):
        super().__init__(*arguments)
        weights = np.diff(self.cumulative, prepend=0.0)
        if len(weights) > 1:
            weights[1:] *= (1.0 - share) / weights[1:].sum()
            weights[0] = share
        self.cumulative = np.cumsum(weights)


class FineTuner(Learner):
    """A Learner on simulated and recorded balls."""

    def __init__(self, config: dict, rank: int = 0, ranks: int = 1, recipe: Recipe | None = None, tracks: Any = None):
        self.recipe = recipe or Recipe()
        self.info, self.start = weights.read(config["finetune"])
        self.tracks = read_tracks(list(config["tracks"])) if tracks is None else tracks
        super().__init__(config | {"tracks": []}, rank, ranks)
        sport = self.sports[0].without(*config.get("without") or ())
        if tracks is not None and isinstance(tracks, tuple):
            training, kept = tracks
        else:
            training, kept = split_tracks(self.tracks)
        r = self.recipe
        self.recorded = RecordedSet(training, sport, self.batches.feature_set, r.views, config["seed"], mirror=r.mirror)
        self.kept = RecordedSet(kept, sport, self.batches.feature_set, 1)
        serves_all = len(self.info["sports"]) + self.info["random_sports"] > 1
        if serves_all and r.others:
            sports = [self.sports[0], *(s for s in sports_of("all") if s.name != self.sports[0].name)]
            self.batches.pool = FocusedPool(sports, r.random_sports, self.batches.feature_set, "train", share=r.own_share)
        self.batches = MixedBatches(self.batches, self.recorded, config["seed"], r.recorded_batch)
        self.anchor = [p.detach().clone() for p in self.network.parameters()]
        if r.train == "heads":
            for name, p in self.network.named_parameters():
                p.requires_grad_(not name.startswith("trunk"))
        self.far = torch.tensor([1.0 if (k + 1) * 0.05 < 0.61 else r.far_weight for k in range(20)])
        if r.distil:
            import copy

            self.teacher = copy.deepcopy(self.network).requires_grad_(False)

    def initial_network(self) -> Network:
        """The network of the file."""
        path, info = self.config["finetune"], self.info
        shape = NetworkShape(**info["shape"])
        if not serves(info, self.sports[0]) or info["model"] != self.model:
            raise ValueError(f"--finetune {path}: weights of a {info['model']} for {', '.join(info['sports'])}")
        network = Network(shape)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in self.start.items()})
        return network

    def losses(self, network: torch.nn.Module, batch: Batch) -> Losses:
        """As Learner.losses; `later` is that of a recorded belief."""
        r, is_recorded = self.recipe, batch.later is not None or batch.truth is None
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            belief, path = network(batch.features, batch.times, batch.loss_frames, batch.nominal)
        future = (batch.future - self.network.path_mean) / self.network.path_scale
        path, zero = path.float(), 0.0 * path.float().sum()
        known = batch.future_known
        if is_recorded:
            known = known * self.far
            path_term = r.path_weight * path_loss(path, future, known)
            later_term = r.later_weight * later_loss(belief.float(), batch.later, batch.active)
            return Losses(zero, path_term.mean(), zero, later_term.mean())
        landing = (batch.landing - self.network.landing_mean) / self.network.landing_scale
        if r.distil:
            with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                old_belief, old_path = self.teacher(batch.features, batch.times, batch.loss_frames, batch.nominal)
            # later
        terms = (belief_loss(belief.float(), batch.truth, batch.active), path_loss(path, future, known),
                 landing_loss(path, batch.has_landing, landing))  # fmt: skip
        return Losses(*(term.mean() for term in terms), zero)

    def step(self, batch, rate, max_norm):
        result = super().step(batch, rate, max_norm)
        if self.recipe.pull:
            with torch.no_grad():
                for p, old in zip(self.network.parameters(), self.anchor):
                    p.lerp_(old, min(1.0, rate * self.recipe.pull))
        return result
