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
from ballcast.models.encoding.nominal import SEEN
from ballcast.models.nets.losses import belief_loss, landing_loss, path_loss
from ballcast.models.nets.network import SIZES, Network, Shape
from ballcast.models.runtime import weights
from ballcast.models.training.batches import Batches
from ballcast.models.training.feed import Feed
from torch.nn.parallel import DistributedDataParallel

from ballcast import sim

SURVEYED = 8  # batches from which the measures are taken
FLAT = 1e-3  # a number that varies less is told as 0
# means over a batch, each a tensor: of the belief (0 where there is none), of the path, of the landing
Losses = namedtuple("Losses", "belief path landing")
BETAS = 0.9, 0.99
CHECKED = 256  # balls of a batch of validation


class Learner:
    """A Network with its balls and its optimizer, by a run's config; of `ranks` processes number `rank`."""

    balls = {}  # what else Batches are asked for

    def __init__(self, config, rank=0, ranks=1):
        self.config, self.device = config, torch.device(config["device"])
        self.sport = sim.load(config["sport"])
        self.model = config["model"].removesuffix("_physics")
        kind = "frames" if self.model == "mlp" else "filter"
        balls = sim.open_set(config["data"]) if config["data"] else None
        own = {"rank": rank, "ranks": ranks, "balls": balls} | self.balls
        self.batches = Batches(self.sport, kind, config["batch"], config["seed"], **own)
        self.checks = Batches(self.sport, kind, CHECKED, 0, "validation", **self.balls)
        if config["tracks"]:
            self._recorded(rank, ranks)
        self.network = self.begun().to(self.device)
        self.wrapped = DistributedDataParallel(self.network) if ranks > 1 else self.network
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config["rate"], betas=BETAS, fused=True)
        path = [p for name, p in self.network.named_parameters() if name.startswith("path.")]
        self.parts = path, [p for name, p in self.network.named_parameters() if not name.startswith("path.")]
        self.autocast = not config["exact"] and (self.device.type != "cpu" or has_bfloat16())

    def _recorded(self, rank, ranks):
        from ballcast.models.training.recorded import Mixed, split
        from ballcast.tracks import read_tracks

        learnt, kept = split(read_tracks(self.config["tracks"]))
        self.batches = Mixed(self.batches, learnt, self.config["seed"])
        self.checks = Mixed(self.checks, kept, 0)

    def begun(self):
        """The network before it learns."""
        units = {"units": self.config["units"]} if self.config["units"] else {}
        shape = shape_of(self.model, self.batches, **units)
        return self._continued(shape) if self.config["finetune"] else made(shape, self.batches, self.config["seed"])

    def _continued(self, shape):
        info, tensors = weights.read(self.config["finetune"])
        if Shape(**info["shape"]) != shape or info["sport"] != self.sport.name:
            theirs = f"{info['model']} for {info['sport']}, {info['shape'].get('units')} units"
            raise ValueError(f"--finetune {self.config['finetune']}: weights of a {theirs}, which is not asked for")
        network = Network(shape)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
        return network

    def feed(self, first):
        """The batches from number `first` on, made ahead."""
        return Feed(self.batches, first)

    def validation(self, count):
        """The first batches of balls that are never learnt from."""
        return [self.checks[n] for n in range(count)]

    def step(self, batch, rate, clip):
        """Learn from a Batch: what it lost, and the gradient's norms of the path's head and of the rest."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = self.losses(self.wrapped, tensors(batch, self.device))
        self.optimizer.zero_grad()
        sum(parts).backward()
        norms = [torch.nn.utils.clip_grad_norm_(part, clip) for part in self.parts]
        if all(torch.isfinite(norm) for norm in norms):  # a gradient that overflows would spoil all weights for good
            self.optimizer.step()
        return type(parts)(*(part.detach() for part in parts)), [float(norm) for norm in norms]

    def bare(self, balls, frames):
        """Forward and backward of the trunk alone on random numbers: what a step cannot do without."""
        x = torch.randn(balls, frames, self.batches.size, device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            told = self.network.memory(x, torch.arange(frames, device=self.device).expand(balls, -1) / 180)
        told.float().mean().backward()

    @torch.no_grad()
    def scores(self, batches):
        """The mean losses over batches, by name."""
        every = [self.losses(self.network, tensors(batch, self.device)) for batch in batches]
        return {name: round(float(sum(v) / len(every)), 5) for name, v in zip(every[0]._fields, zip(*every))}

    def losses(self, network, batch):
        """The Losses of the network, or of what wraps it, on a Batch of tensors."""
        return losses(network, batch, self.autocast)

    def keep(self, path, steps, scores):
        """Write the weights."""
        info = self.told() | {"steps": steps, "scores": scores}
        weights.save(path, {name: a.detach().cpu().numpy() for name, a in self.network.state_dict().items()}, info)

    def told(self):
        """What is written beside the weights."""
        return {
            "model": self.model, "predictor": self.config["model"], "sport": self.sport.name,
            "version": self.sport.version, "kind": self.batches.kind, "shape": asdict(self.network.shape),
            "unknowns": self.batches.active.tolist(), "surfaces": [s.name for s in self.sport.surfaces],
            "seed": self.config["seed"],
        }  # fmt: skip


def learner_of(config, rank=0, ranks=1):
    """The Learner that a run's config asks for."""
    from ballcast.models.training.token_learner import Speaker

    return (Speaker if config["model"] == "tokens" else Learner)(config, rank, ranks)


def has_bfloat16():
    """Whether this CPU multiplies bfloat16 faster than float32."""
    try:
        return "avx512_bf16" in (flags := Path("/proc/cpuinfo").read_text()) or "amx_bf16" in flags
    except OSError:
        return False


def made(shape, batches, seed):
    """A fresh Network that has its measures from a few batches."""
    torch.manual_seed(seed)
    network = Network(shape)
    survey = [batches[2**40 + n] for n in range(SURVEYED)]
    real = np.concatenate([b.features[b.features[..., :3].any(-1)] for b in survey])
    network.read_mean[:], network.read_scale[:] = measures(real)
    network.base_mean[:], network.base_scale[:] = measures(np.concatenate([b.base.reshape(-1, SEEN) for b in survey]))
    future = np.concatenate([b.future for b in survey])
    network.path_mean[:], network.path_scale[:] = measures(future.reshape(-1, *future.shape[2:]))
    network.landing_mean[:], network.landing_scale[:] = measures(
        np.concatenate([b.landing[b.lands > 0] for b in survey])
    )
    return network


def measures(a):
    """Median and standard deviation (...) of the rows of a (N, ...): by the quantiles, which strays do not move."""
    low, middle, high = np.quantile(a.astype(float), (0.16, 0.5, 0.84), axis=0)
    sd = np.where(high - low > FLAT, (high - low) / 2, np.inf)
    return torch.from_numpy(middle), torch.from_numpy(sd)


def shape_of(model, batches, **sizes):
    """The Shape of a model that reads these batches, of its own sizes but for those that are named."""
    unknowns = len(batches.active) if batches.kind == "filter" else 0
    return Shape(model, batches.size, unknowns, **SIZES.get(model, {}) | sizes)


def tensors(batch, device="cpu"):
    """The Batch as tensors there."""
    return batch._replace(**{
        name: torch.from_numpy(a).to(device) for name, a in batch._asdict().items() if isinstance(a, np.ndarray)
    })  # fmt: skip


def losses(network, batch, autocast=False):
    """The Losses of a Network on a Batch of tensors."""
    own = getattr(network, "module", network)  # DDP wraps
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=autocast):
        belief, path = network(batch.features, batch.times, batch.frames, batch.base)
    future = (batch.future - own.path_mean) / own.path_scale
    landing = (batch.landing - own.landing_mean) / own.landing_scale
    path = path.float()
    parts = [path_loss(path, future, batch.known), landing_loss(path, batch.lands, landing)]
    told = belief is not None and batch.truth is not None
    parts.insert(0, belief_loss(belief.float(), batch.truth) if told else 0.0 * path.sum())
    return Losses(*(part.mean() for part in parts))
