"""A network that learns: what its numbers are measured in, how far off it was, a step of the optimizer, its weights.

learner = Learner(config)          # a training run's config, a dict: see Options of train.py
with learner.feed(0) as feed:
    parts, norms = learner.step(next(feed), rate=1e-3, clip=1.0)
"""

from collections import namedtuple
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel

from ballcast import sim
from ballcast.models.encoding.nominal import NOMINAL_FEATURES
from ballcast.models.nets.losses import belief_loss, landing_loss, path_loss
from ballcast.models.nets.network import DEFAULT_SIZES, Network, NetworkShape
from ballcast.models.runtime import weights
from ballcast.models.training.batches import Batches
from ballcast.models.training.feed import Prefetcher

SCALING_BATCHES = 8  # batches from which the measures are taken
MIN_SCALE = 1e-3  # a number that varies less is told as 0
# means over a batch, each a tensor: of the belief (0 where there is none), of the path, of the landing
Losses = namedtuple("Losses", "belief path landing")
BETAS = 0.9, 0.99
VALIDATION_BATCH = 256  # balls of a batch of validation


class Learner:
    """A Network with its balls and its optimizer, by a run's config; of `ranks` processes number `rank`."""

    batch_options: dict = {}  # what else Batches are asked for

    def __init__(self, config, rank=0, ranks=1):
        self.config, self.device = config, torch.device(config["device"])
        self.sport = sim.load(config["sport"])
        self.model = config["model"].removesuffix("_physics")
        feature_set = "frames" if self.model == "mlp" else "filter"
        balls = sim.open_set(config["data"]) if config["data"] else None
        options = {"rank": rank, "ranks": ranks, "balls": balls} | self.batch_options
        self.batches = Batches(self.sport, feature_set, config["batch"], config["seed"], **options)
        self.validation_batches = Batches(
            self.sport, feature_set, VALIDATION_BATCH, 0, "validation", **self.batch_options
        )
        if config["tracks"]:
            self._recorded(rank, ranks)
        self.network = self.initial_network().to(self.device)
        self.wrapped = DistributedDataParallel(self.network) if ranks > 1 else self.network
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config["rate"], betas=BETAS, fused=True)
        path_parameters = [p for name, p in self.network.named_parameters() if name.startswith("path.")]
        rest = [p for name, p in self.network.named_parameters() if not name.startswith("path.")]
        self.parameter_groups = path_parameters, rest
        self.autocast = not config["exact"] and (self.device.type != "cpu" or has_bfloat16())

    def _recorded(self, rank, ranks):
        from ballcast.models.training.recorded import MixedBatches, split_tracks
        from ballcast.tracks import read_tracks

        training, validation = split_tracks(read_tracks(self.config["tracks"]))
        self.batches = MixedBatches(self.batches, training, self.config["seed"])
        self.validation_batches = MixedBatches(self.validation_batches, validation, 0)

    def initial_network(self):
        """The network before it learns."""
        units = {"units": self.config["units"]} if self.config["units"] else {}
        shape = network_shape(self.model, self.batches, **units)
        return (
            self._from_weights(shape)
            if self.config["finetune"]
            else new_network(shape, self.batches, self.config["seed"])
        )

    def _from_weights(self, shape):
        info, tensors = weights.read(self.config["finetune"])
        if NetworkShape(**info["shape"]) != shape or info["sport"] != self.sport.name:
            found = f"{info['model']} for {info['sport']}, {info['shape'].get('units')} units"
            raise ValueError(f"--finetune {self.config['finetune']}: weights of a {found}, which is not asked for")
        network = Network(shape)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
        return network

    def feed(self, first):
        """The batches from number `first` on, made ahead."""
        return Prefetcher(self.batches, first)

    def validation(self, count):
        """The first batches of balls that are never learnt from."""
        return [self.validation_batches[n] for n in range(count)]

    def step(self, batch, rate, clip):
        """Learn from a Batch: what it lost, and the gradient's norms of the path's head and of the rest."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        terms = self.losses(self.wrapped, to_tensors(batch, self.device))
        self.optimizer.zero_grad()
        sum(terms).backward()
        norms = [torch.nn.utils.clip_grad_norm_(parameters, clip) for parameters in self.parameter_groups]
        if all(torch.isfinite(norm) for norm in norms):  # a gradient that overflows would spoil all weights for good
            self.optimizer.step()
        return type(terms)(*(term.detach() for term in terms)), [float(norm) for norm in norms]

    def trunk_pass(self, balls, frames):
        """Forward and backward of the trunk alone on random numbers: what a step cannot do without."""
        features = torch.randn(balls, frames, self.batches.size, device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            hidden = self.network.hidden(features, torch.arange(frames, device=self.device).expand(balls, -1) / 180)
        hidden.float().mean().backward()

    @torch.no_grad()
    def scores(self, batches):
        """The mean losses over batches, by name."""
        per_batch = [self.losses(self.network, to_tensors(batch, self.device)) for batch in batches]
        return {
            name: round(float(sum(v) / len(per_batch)), 5) for name, v in zip(per_batch[0]._fields, zip(*per_batch))
        }

    def losses(self, network, batch):
        """The Losses of the network, or of what wraps it, on a Batch of tensors."""
        return losses(network, batch, self.autocast)

    def save(self, path, steps, scores):
        """Write the weights."""
        info = self.metadata() | {"steps": steps, "scores": scores}
        weights.save(path, {name: a.detach().cpu().numpy() for name, a in self.network.state_dict().items()}, info)

    def metadata(self):
        """What is written beside the weights."""
        return {
            "model": self.model, "predictor": self.config["model"], "sport": self.sport.name,
            "version": self.sport.version, "kind": self.batches.feature_set, "shape": asdict(self.network.shape),
            "unknowns": self.batches.active_unknowns.tolist(), "surfaces": [s.name for s in self.sport.surfaces],
            "seed": self.config["seed"],
        }  # fmt: skip


def make_learner(config, rank=0, ranks=1):
    """The Learner that a run's config asks for."""
    from ballcast.models.training.token_learner import TokenLearner

    return (TokenLearner if config["model"] == "tokens" else Learner)(config, rank, ranks)


def has_bfloat16():
    """Whether this CPU multiplies bfloat16 faster than float32."""
    try:
        return "avx512_bf16" in (flags := Path("/proc/cpuinfo").read_text()) or "amx_bf16" in flags
    except OSError:
        return False


def new_network(shape, batches, seed):
    """A fresh Network that has its measures from a few batches."""
    torch.manual_seed(seed)
    network = Network(shape)
    survey = [batches[2**40 + n] for n in range(SCALING_BATCHES)]
    real = np.concatenate([b.features[b.features[..., :3].any(-1)] for b in survey])
    network.read_mean[:], network.read_scale[:] = robust_scaling(real)
    network.base_mean[:], network.base_scale[:] = robust_scaling(
        np.concatenate([b.nominal.reshape(-1, NOMINAL_FEATURES) for b in survey])
    )
    future = np.concatenate([b.future for b in survey])
    network.path_mean[:], network.path_scale[:] = robust_scaling(future.reshape(-1, *future.shape[2:]))
    network.landing_mean[:], network.landing_scale[:] = robust_scaling(
        np.concatenate([b.landing[b.has_landing > 0] for b in survey])
    )
    return network


def robust_scaling(a):
    """Median and standard deviation (...) of the rows of a (N, ...): by the quantiles, which strays do not move."""
    low, middle, high = np.quantile(a.astype(float), (0.16, 0.5, 0.84), axis=0)
    sd = np.where(high - low > MIN_SCALE, (high - low) / 2, np.inf)
    return torch.from_numpy(middle), torch.from_numpy(sd)


def network_shape(model, batches, **sizes):
    """The Shape of a model that reads these batches, of its own sizes but for those that are named."""
    unknowns = len(batches.active_unknowns) if batches.feature_set == "filter" else 0
    return NetworkShape(model, batches.size, unknowns, **DEFAULT_SIZES.get(model, {}) | sizes)


def to_tensors(batch, device="cpu"):
    """The Batch as tensors there."""
    return batch._replace(**{
        name: torch.from_numpy(a).to(device) for name, a in batch._asdict().items() if isinstance(a, np.ndarray)
    })  # fmt: skip


def losses(network, batch, autocast=False):
    """The Losses of a Network on a Batch of tensors."""
    unwrapped = getattr(network, "module", network)  # DDP wraps
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=autocast):
        belief, path = network(batch.features, batch.times, batch.loss_frames, batch.nominal)
    future = (batch.future - unwrapped.path_mean) / unwrapped.path_scale
    landing = (batch.landing - unwrapped.landing_mean) / unwrapped.landing_scale
    path = path.float()
    terms = [path_loss(path, future, batch.future_known), landing_loss(path, batch.has_landing, landing)]
    has_belief = belief is not None and batch.truth is not None
    terms.insert(0, belief_loss(belief.float(), batch.truth) if has_belief else 0.0 * path.sum())
    return Losses(*(term.mean() for term in terms))
