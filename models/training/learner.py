"""A network that learns: its balls, its losses, its optimizer and its weights.

learner = Learner(config)          # the config of a run, a dict: see Options of train.py
with learner.feed(0) as feed:
    losses, norms, skipped = learner.step(next(feed), rate=1e-3, max_norm=1.0)
"""

import functools
import math
from collections import namedtuple
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from ballcast import sim
from ballcast.models.encoding.nominal import NOMINAL_SIZES
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.nets.losses import belief_loss, landing_loss, path_loss
from ballcast.models.nets.network import DEFAULT_SIZES, Network, NetworkShape
from ballcast.models.registry import OWN_TRUNK, serves
from ballcast.models.runtime import weights
from ballcast.models.training import makes_on_device, network_of
from ballcast.models.training.batches import Batch, Batches, Later, prefetch
from ballcast.models.training.device_batches import DeviceBatches
from ballcast.models.training.distributed import spare_cores
from ballcast.models.training.sports import random_count_of, sports_of

SCALING_BATCHES = 8  # batches that the scales of inputs and outputs are measured on
MIN_SCALE = 1e-3  # a number that varies less is ignored: its scale is infinite
BETAS = 0.9, 0.99
VALIDATION_BATCH, VALIDATION_BATCHES = 256, 4  # balls; batches
MAX_SEQUENCES = 12_288  # of a GRU on a GPU at once: 24,576 end in an illegal memory access
Losses = namedtuple("Losses", "belief path landing")  # means over a batch, tensors; belief 0 if there is no such head
# the losses before the step; the gradient's norms of the path head and of the rest; whether the step was skipped
StepResult = namedtuple("StepResult", "losses norms skipped")


class Learner:
    """A Network with its balls and its optimizer. With several processes (`ranks`), each learns from its own slice."""

    batch_options: dict[str, Any] = {}  # further options of Batches
    default_steps: int | None = None  # where neither --steps nor --frames is given; None: --minutes counts
    validation_interval = 250  # steps between validations
    patience = 0  # validations without an improvement that end a run; 0: none does

    def __init__(self, config: dict, rank: int = 0, ranks: int = 1):
        self.config, self.device = config, torch.device(config["device"])
        self.sports = sports_of(config["sport"])
        self.model, feature_set = network_of(config)
        self.weights_model = "gru_raw" if config["model"] == "gru_raw" else self.model  # as files of weights have it
        self.batches, self.validation_batches = self._batches(feature_set, rank, ranks)
        self.network = self.initial_network().to(self.device)
        self.wrapped = DistributedDataParallel(self.network) if ranks > 1 else self.network
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=config["rate"], betas=BETAS, fused=True)
        named = list(self.network.named_parameters())  # of the path head, and the rest
        self.parameter_groups = [[p for n, p in named if n.startswith("path.") == path] for path in (True, False)]
        # raw positions have more digits than bfloat16 holds
        coarse = feature_set != "raw" and not config["exact"]
        self.autocast = coarse and (self.device.type != "cpu" or has_bfloat16())

    def _batches(self, feature_set, rank, ranks) -> Any:
        """The batches to learn from, and to validate on."""
        config, random_sports = self.config, random_count_of(self.config["sport"])
        own = {"seed": config["seed"], "rank": rank, "ranks": ranks}
        if makes_on_device(config):
            make = functools.partial(DeviceBatches, self.sports, feature_set, random_sports=random_sports)
            return (make(config["batch"], **own, device=self.device),
                    make(VALIDATION_BATCH, purpose="validation", device=self.device))  # fmt: skip
        balls = sim.open_set(config["data"]) if config["data"] else None
        options = self.batch_options | {"random_sports": random_sports}
        return (Batches(self.sports, feature_set, config["batch"], balls=balls, **own, **options),
                Batches(self.sports, feature_set, VALIDATION_BATCH, purpose="validation", **options))  # fmt: skip

    def initial_network(self) -> Network:
        """The network before it learns."""
        units = {"units": self.config["units"]} if self.config["units"] else {}
        shape = network_shape(self.model, self.batches, **units)
        if not (path := self.config["finetune"]):
            return new_network(shape, self.batches, self.config["seed"])
        info, tensors = weights.read(path)
        if (
            NetworkShape(**info["shape"]) != shape
            or info["kind"] != self.batches.feature_set
            or not all(serves(info, sport) for sport in self.sports)
        ):
            found = f"{info['model']} for {', '.join(info['sports'])} with {info['shape'].get('units')} units"
            raise ValueError(
                f"--finetune {path}: weights of a {found}; set --model, --features, --sport and --units to match"
            )
        network = Network(shape)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
        return network

    def feed(self, first: int) -> Any:
        """With an iterator over the batches from number `first` on, which threads make."""
        workers = self.config.get("workers") or spare_cores(self.config["device"])
        return prefetch(self.batches, first, 1 if makes_on_device(self.config) else workers)

    def validation(self) -> list[Batch]:
        """The batches that weights are validated on."""
        return [self.validation_batches[n] for n in range(VALIDATION_BATCHES)]

    def seconds_left(self) -> float:
        """How long a run may still take, s."""
        return math.inf

    def finish(self, path: Path, state: Any) -> None:
        """Calibrate the weights in a file, at the end of a run."""
        from ballcast.models.training.calibrate import calibrate

        calibrate(path, self.config["sport"])

    def step(self, batch: Batch, rate: float, max_norm: float) -> StepResult:
        """Learn from a Batch, unless a gradient is not finite: that would spoil the weights for good."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        terms = self._backward(to_tensors(batch, self.device))
        norms = [float(torch.nn.utils.clip_grad_norm_(part, max_norm)) for part in self.parameter_groups]
        finite = bool(np.isfinite(norms).all())
        if finite:
            self.optimizer.step()
        return StepResult(type(terms)(*(term.detach() for term in terms)), norms, not finite)

    def _backward(self, batch):
        """The losses, whose gradient is added up in parts: GPUs fail on too many sequences at once."""
        count = len(batch.features)
        parts = -(-count // MAX_SEQUENCES)
        if parts == 1 or batch.later is not None:
            terms = self.losses(self.wrapped, batch)
            sum(terms).backward()
            return terms
        added = []
        for rows in torch.arange(count, device=self.device).chunk(parts):
            own = {name: a[rows] for name, a in batch._asdict().items() if isinstance(a, Tensor)}
            found = self.losses(self.wrapped, batch._replace(**own))
            terms = [len(rows) / count * term for term in found]
            sum(terms).backward()
            added.append([term.detach() for term in terms])
        return type(found)(*(sum(column) for column in zip(*added)))

    @torch.no_grad()
    def scores(self, batches: list[Batch]) -> dict[str, float]:
        """The mean losses over batches, by name."""
        self.network.eval()  # a trunk of the user's may have a dropout
        terms = [self.losses(self.network, to_tensors(batch, self.device)) for batch in batches]
        self.network.train()
        return {name: round(float(sum(v) / len(terms)), 5) for name, v in zip(terms[0]._fields, zip(*terms))}

    def losses(self, network: torch.nn.Module, batch: Batch) -> Any:
        """The losses, a namedtuple, of the network or of its DDP wrapper on a Batch of tensors."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            belief, path = network(batch.features, batch.times, batch.loss_frames, batch.nominal)
        future = (batch.future - self.network.path_mean) / self.network.path_scale
        landing = (batch.landing - self.network.landing_mean) / self.network.landing_scale
        path = path.float()
        has_belief = belief is not None and batch.truth is not None
        belief_term = belief_loss(belief.float(), batch.truth, batch.active) if has_belief else 0.0 * path.sum()
        terms = belief_term, path_loss(path, future, batch.future_known), landing_loss(path, batch.has_landing, landing)
        return Losses(*(term.mean() for term in terms))

    def save(self, path: Path, steps: int, scores: dict[str, float], frames: int = 0) -> None:
        """Write the weights, learnt in that many steps from that many frames."""
        info = self.metadata() | {"steps": steps, "frames": frames, "scores": scores}
        weights.save(path, {name: a.detach().cpu().numpy() for name, a in self.network.state_dict().items()}, info)

    def metadata(self) -> dict:
        """The description in the file of weights."""
        named = self.config["model"]
        return {
            "model": self.weights_model, "seed": self.config["seed"],
            "predictor": OWN_TRUNK if ":" in named else named,
            "sports": {sport.name: sport.version for sport in self.sports},
            "random_sports": random_count_of(self.config["sport"]), "kind": self.batches.feature_set,
            "shape": asdict(self.network.shape),
        }  # fmt: skip


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32."""
    try:
        return "avx512_bf16" in (flags := Path("/proc/cpuinfo").read_text()) or "amx_bf16" in flags
    except OSError:
        return False


def new_network(shape: NetworkShape, batches: Batches, seed: int) -> Network:
    """A fresh Network with the scales of its inputs and outputs, measured on a few batches."""
    torch.manual_seed(seed)
    network = Network(shape)
    survey = [to_arrays(batches[2**40 + n]) for n in range(SCALING_BATCHES)]
    future = np.concatenate([b.future for b in survey])
    rows = {
        "feature": np.concatenate([b.features[b.features[..., :-1].any(-1)] for b in survey]),  # without the padding
        "nominal": np.concatenate([b.nominal.reshape(-1, max(shape.nominal, 1)) for b in survey]),
        "path": future.reshape(-1, *future.shape[2:]),
        "landing": np.concatenate([b.landing[b.has_landing > 0] for b in survey]),
    }
    for name, a in rows.items():
        if not len(a):  # no ball lands: the scaling stays 0 and 1
            continue
        mean, scale = robust_scaling(a)
        getattr(network, f"{name}_mean")[:], getattr(network, f"{name}_scale")[:] = mean, scale
    return network


def robust_scaling(a: np.ndarray) -> tuple[Tensor, Tensor]:
    """Median and standard deviation (...) of the rows of a (N, ...), by quantiles: outliers do not affect them. A
    number that is nearly always the same, such as the probability of rolling, has the deviation of all rows."""
    a = a.astype(float)
    low, middle, high = np.quantile(a, (0.16, 0.5, 0.84), axis=0)
    whole = a.std(axis=0)
    sd = np.where(high - low > MIN_SCALE, (high - low) / 2, np.where(whole > MIN_SCALE, whole, np.inf))
    return torch.from_numpy(middle), torch.from_numpy(sd)


def network_shape(model: str, batches: Batches, **sizes: int) -> NetworkShape:
    """The NetworkShape of a model for these batches, with its default sizes where none are given."""
    unknowns = UNKNOWNS if batches.feature_set == "filter" else 0
    defaults = DEFAULT_SIZES.get(model, {}) | {"nominal": NOMINAL_SIZES[batches.feature_set]}
    return NetworkShape(model, batches.size, unknowns, **defaults | sizes)


def to_arrays(batch: Batch) -> Batch:
    """The Batch with numpy arrays in place of tensors."""
    return batch._replace(**{name: a.cpu().numpy() for name, a in batch._asdict().items() if isinstance(a, Tensor)})


def to_tensors(batch: Batch, device: str | torch.device = "cpu") -> Batch:
    """The Batch with tensors on the device."""
    arrays = {name: a for name, a in batch._asdict().items() if isinstance(a, np.ndarray)}
    later = batch.later and Later(*(torch.from_numpy(a).to(device) for a in batch.later))
    return batch._replace(later=later, **{name: torch.from_numpy(a).to(device) for name, a in arrays.items()})
