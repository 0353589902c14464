"""A network of your own: train it as the GRU is trained, and compare its forecasts.

    python -m examples.own_model --steps 3000      # some minutes; then the figures and the commands that follow

The trunk is all you write. It reads one row of features for each frame: with --features raw the measured positions and
what the sport is, without the filter that the GRU of Ballcast reads. The heads, the losses, the balls, the calibration
of regions and the file of weights are those of every network here. docs/own_model.md says what a trunk must be.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ballcast import models, sim
from ballcast.models.training import train
from ballcast.tracks import Track


class MyTrunk(nn.Module):
    """Convolutions that see the past alone, each twice as far back as the one before: 31 frames in all."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.first = nn.Linear(channels, width)
        self.layers = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=2**n) for n in range(4))

    def forward(self, features: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(B, T, channels) and times (B, T) s -> (B, T, width)."""
        hidden = self.first(features).transpose(1, 2)
        for layer in self.layers:
            past = nn.functional.pad(hidden, (2 * layer.dilation[0], 0))
            hidden = hidden + nn.functional.silu(layer(past))
        return hidden.transpose(1, 2)


def median_errors(name: str | Path, seconds: float = 0.2, balls: int = 50) -> float:
    """The median error in mm, 0.2 s ahead after 0.2 s, of balls that no network has learnt from."""
    drawn = sim.draw(sim.load("table_tennis"), balls, purpose="test")
    tracks = [Track(drawn.time[a:b], drawn.position[a:b]) for a, b in zip(drawn.offsets, drawn.offsets[1:])]
    histories = [track.until(track.time[0] + 0.2) for track in tracks]
    asked = np.array([[history.time[-1] + seconds] for history in histories])
    forecasts = models.load(name, drawn.sport).forecast_batch(histories, asked)
    errors = np.array([forecast.mean[0] for forecast in forecasts]) - drawn.flight(asked).position[:, 0]
    return 1e3 * float(np.median(np.linalg.norm(errors, axis=1)))


def main(steps: int = 3000, out: Path = Path("runs/own_model"), batch: int = 96) -> dict[str, float]:
    """Train the trunk, and return the median errors, mm, by predictor."""
    options = train.Options(model="examples.own_model:MyTrunk", features="raw", units=96, batch=batch, out=out)
    train.run(dataclasses.replace(options, steps=steps))
    weights = out / "weights.safetensors"
    errors = {name: median_errors(path) for name, path in (("mine", weights), ("gru", "gru"), ("parabola", "parabola"))}
    print(", ".join(f"{name} {error:.0f} mm" for name, error in errors.items()), "in the median, 0.2 s ahead")
    print(f"a table: python evaluate.py --predictor {weights} gru mlp informed --markdown table.md")
    return errors


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a network of your own.")
    parser.add_argument("--steps", type=int, default=3000)
    main(parser.parse_args().steps)
