"""A network that reads raw positions, whole, as ONNX: frames in, forecast out, to run it without Ballcast.

    python -m ballcast.models.nets.export gru_raw --sport table_tennis --out gru_raw.onnx

The file is one frame of one or many balls. Everything is inside: the features, their scaling, the network, what its
outputs mean, and the calibration of its regions. docs/own_model.md has a program that runs it.

inputs, of B balls
    frame      (B, 4) float64: time, s, on any clock, and position, m; NaN where the ball was not seen
    history    (B, 17, 4) float64: the frames before, newest first; zeros at first, then history_then
    state      (B, width + 1) float32: what the network remembers, and the number of frames; zeros, then state_then
outputs
    mean       (B, 20, 3) m: the positions 0.05, 0.10, ... 1.00 s after the last frame that was seen
    covariance (B, 20, 3, 3) m2, of these
    landing    (B, 5): the probability of a landing within 1.5 s; its time, s after the last frame, and position, m
    landing_covariance (B, 4, 4), of its time and position
    history_then, state_then
Needs the extras train and export.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from torch import Tensor, nn

from ballcast import command, sim
from ballcast.models.encoding.decoding import LANDING_OUTPUTS, MAX_LOG_SCALE, MIN_LOG_SCALE, PATH_OUTPUTS
from ballcast.models.encoding.features import (
    FRAME_LAGS,
    MAX_FRAMES,
    USUAL_GAP,
    VELOCITY_LAG,
    VELOCITY_RATIO,
    make_frontend,
)
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.models.registry import check_weights, require_weights, variance_factors
from ballcast.models.runtime import weights
from ballcast.sim.files import write_atomically

PROGRAM = "python -m ballcast.models.nets.export"
HISTORY = max(FRAME_LAGS) + 1  # frames
MIN_LANDING_TIME = 1e-4  # s
INPUTS = ("frame", "history", "state")
OUTPUTS = ("mean", "covariance", "landing", "landing_covariance", "history_then", "state_then")


@dataclass(frozen=True)
class Options:
    """Write a network that reads raw positions as ONNX."""

    name: Annotated[str, tyro.conf.Positional] = "gru_raw"  # gru_raw, or a file of weights of --features raw
    out: Path = Path("gru_raw.onnx")  # the file to write
    sport: str = "table_tennis"  # the sport whose balls the file is for


class WholeNetwork(nn.Module):
    """One frame of a GRU that reads raw positions, from measured positions to a forecast in metres."""

    def __init__(self, network: Network, sport: sim.Sport, factors: dict):
        super().__init__()
        self.network, frontend = network, make_frontend(sport, "raw")
        scales = frontend.scales
        self.speed, self.radius = float(scales.speed), float(scales.radius)
        self.length = float(scales.speed**2 / scales.gravity)
        constants = {
            "lags": np.array(FRAME_LAGS),
            "ending": np.append(scales.descriptors, frontend.surfaces_absent).astype(np.float32),
            "times": (HORIZON_STEP * np.arange(1, HORIZONS + 1)).astype(np.float32),
            "spread": np.sqrt(factors.get("path", np.ones(HORIZONS))).astype(np.float32),
            "landing_spread": np.sqrt(np.array([factors.get("landing", 1.0)], np.float32)),
        }
        for name, a in constants.items():
            self.register_buffer(name, torch.from_numpy(a))

    def before(self, balls: int) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs of balls that were not seen yet."""
        units, frame = self.network.shape.units, torch.full((balls, 4), torch.nan, dtype=torch.double)
        return frame, torch.zeros(balls, HISTORY, 4, dtype=torch.double), torch.zeros(balls, units + 1)

    def forward(self, frame: Tensor, history: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        """As the docstring of this module has them."""
        seen = ~torch.isnan(frame).any(1, keepdim=True)
        pushed = torch.cat([frame[:, None], history[:, :-1]], 1)
        history = torch.where(seen[:, :, None], pushed, history)
        h, count = state[:, :-1], state[:, -1:] + seen.to(state.dtype)
        features = self.network.standardise(self.features(history, count))
        h = torch.where(seen, gru_cell(self.network.trunk, features, h), h)
        outputs = self.network.path(torch.cat([h, features], 1))
        mean, covariance = self.path(outputs, history, count)
        landing, landing_covariance = self.landing(outputs[:, PATH_OUTPUTS * HORIZONS :], history)
        return mean, covariance, landing, landing_covariance, history, torch.cat([h, count], 1)

    def features(self, history: Tensor, count: Tensor) -> Tensor:
        """The raw features (B, F) of models/encoding/features.py, of frames (B, HISTORY, 4), newest first."""
        now, then = history[:, :1], history[:, self.lags]
        known = (self.lags < count)[:, :, None]
        seconds = torch.where(known, (now - then)[:, :, :1], 1.0).float()
        velocity = recent_velocity(history, count)
        differences = ((now - then)[:, :, 1:].float() / seconds - velocity[:, None]) * (VELOCITY_RATIO / self.speed)
        lags = torch.cat([seconds / USUAL_GAP, asinh(differences)], 2)
        lags = torch.where(known, lags, 0.0).flatten(1)
        gap = torch.where(known[:, 0], seconds[:, 0], 0.0)
        others = torch.cat([torch.log(gap / USUAL_GAP + 0.1), torch.log(count.clamp(1, MAX_FRAMES))], 1)
        position = now[:, 0, 1:].float()
        place = [position / self.length, asinh(position / self.radius)]
        return torch.cat([*place, velocity / self.speed, lags, others, self.ending + torch.zeros_like(count)], 1)

    def path(self, outputs: Tensor, history: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Means (B, HORIZONS, 3) and covariances (B, HORIZONS, 3, 3): residuals to a straight line, in metres."""
        rows = outputs[:, : PATH_OUTPUTS * HORIZONS].unflatten(1, (HORIZONS, PATH_OUTPUTS))
        line = history[:, :1, 1:].float() + self.times[:, None] * recent_velocity(history, count)[:, None]
        network = self.network
        factor = regression_factor(rows[..., 3:6], rows[..., 6:])
        factor = factor * (network.path_scale * self.spread[:, None])[..., None]
        return line + network.path_mean + network.path_scale * rows[..., :3], factor @ factor.transpose(2, 3)

    def landing(self, outputs: Tensor, history: Tensor) -> tuple[Tensor, Tensor]:
        """Probability, time and position (B, 5) of the landing, and the covariance (B, 4, 4)."""
        network, scale = self.network, torch.nan_to_num(self.network.landing_scale, posinf=0.0)
        where = network.landing_mean + scale * outputs[:, 1:5]
        position = where[:, 1:] + history[:, 0, 1:].float()
        factor = regression_factor(outputs[:, 5:9], outputs[:, 9:LANDING_OUTPUTS])
        factor = factor * (scale * self.landing_spread)[:, None]
        parts = torch.sigmoid(outputs[:, :1]), where[:, :1].clamp(min=MIN_LANDING_TIME), position
        return torch.cat(parts, 1), factor @ factor.transpose(1, 2)


def asinh(x: Tensor) -> Tensor:
    """torch.asinh, which this exporter does not know."""
    size = x.abs()
    return torch.sign(x) * torch.log(size + torch.sqrt(size * size + 1.0))


def recent_velocity(history: Tensor, count: Tensor) -> Tensor:
    """The mean velocity (B, 3) m/s over the last VELOCITY_LAG frames, or over as many as there are; 0 of one frame."""
    lag = (count - 1).clamp(0, VELOCITY_LAG).long()
    then = torch.gather(history, 1, lag[:, :, None].expand(-1, 1, 4))[:, 0]
    moved, is_moving = history[:, 0] - then, lag > 0
    return torch.where(is_moving, moved[:, 1:] / torch.where(is_moving, moved[:, :1], 1.0), 0.0).float()


def gru_cell(trunk: nn.Module, features: Tensor, h: Tensor) -> Tensor:
    """The next hidden states (B, H) of torch's GRU, written out."""
    a = features @ trunk.weight_ih_l0.T + trunk.bias_ih_l0
    b = h @ trunk.weight_hh_l0.T + trunk.bias_hh_l0
    (reset, keep, new), (old_reset, old_keep, old_new) = a.chunk(3, 1), b.chunk(3, 1)
    keep = torch.sigmoid(keep + old_keep)
    new = torch.tanh(new + torch.sigmoid(reset + old_reset) * old_new)
    return new + keep * (h - new)


def regression_factor(scales: Tensor, regressions: Tensor) -> Tensor:
    """The lower triangular A (..., D, D) of decoding.py, of log-scales (..., D) and regressions."""
    rows, n, size = [], 0, scales.shape[-1]
    deviations = torch.exp(scales.clamp(MIN_LOG_SCALE, MAX_LOG_SCALE))
    for i in range(size):
        row = deviations[..., i : i + 1] * torch.eye(size)[i]
        for j in range(i):
            row = row + regressions[..., n : n + 1] * rows[j]
            n += 1
        rows.append(row)
    return torch.stack(rows, -2)


def load_whole(path: str | Path, sport: sim.Sport) -> WholeNetwork:
    """The WholeNetwork of a file of weights. ValueError, one line, if it does not read raw positions."""
    info, tensors = weights.read(path)
    check_weights(info, "gru_raw", sport, path)
    network = Network(NetworkShape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    network.path_scale.nan_to_num_(posinf=0.0)
    return WholeNetwork(network, sport, variance_factors(info, sport)).eval()


def export(whole: WholeNetwork, out: Path) -> None:
    """Write a WholeNetwork as ONNX."""
    file, balls = io.BytesIO(), {name: {0: "balls"} for name in (*INPUTS, *OUTPUTS)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is the older one; the newer needs another library
        torch.onnx.export(whole, whole.before(2), file, input_names=INPUTS, output_names=OUTPUTS, dynamic_axes=balls,
                          opset_version=17, dynamo=False)  # fmt: skip
    write_atomically(out, file.getvalue())


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Export a network. Raises ValueError or OSError, one line each."""
    sport = sim.load(options.sport)
    path = options.name if options.name.endswith(".safetensors") else require_weights("gru_raw", sport)
    export(load_whole(path, sport), options.out)
    print(f"{options.out}: {path}, whole, for {sport.name}")


if __name__ == "__main__":
    main()
