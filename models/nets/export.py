"""A single step of a network as ONNX, to run it elsewhere: python -m ballcast.models.nets.export NAME --out FILE.onnx

In: features (B, F) and base (B, SEEN) as models/features.py and models/baseline.py make them, and the memory, h (B, H)
and of an lstm c (B, H); of mingru and transformer one row `memory` (B, M), zeros at first, and of a transformer before
it `time` (B, 1), s since some moment within minutes. Out: belief (B, D (D + 3) / 2) where it has one, path
(B, 9 KNOTS + 15), and the memory then.
What the numbers mean stands in models/nets/network.py; needs the extras train and export.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from ballcast.models.contract import TRAINED
from ballcast.models.encoding.nominal import SEEN
from ballcast.models.nets.network import MIXERS, Network, Shape
from ballcast.models.predictors.neural import weights_of
from ballcast.models.runtime import weights
from torch import nn

from ballcast import command, sim

PROGRAM = "python -m ballcast.models.nets.export"


@dataclass(frozen=True)
class Options:
    """A single step of a network as ONNX."""

    name: Annotated[str, tyro.conf.Positional]
    """gru, lstm, rnn, mlp, mingru or transformer, or a file of weights"""
    out: Path
    """the file to write, .onnx"""
    sport: str = "table_tennis"
    """whose weights"""


class Step(nn.Module):
    """A Network that moves on by one frame: its memory goes in and comes out."""

    def __init__(self, network):
        super().__init__()
        self.network, self.model = network, network.shape.model
        units = network.shape.units
        self.memory = {"mlp": {}, "lstm": {"h": units, "c": units}}.get(self.model, {"h": units})  # name -> numbers
        if self.model in MIXERS:
            self.memory = {"memory": network.trunk.memory}
        self.timed = {"time": 1} if self.model == "transformer" else {}

    def forward(self, features, base, *memory):
        """features (B, F), base (B, SEEN), memory (B, H) each -> belief (if any), path, and the memory then."""
        net, read = self.network, self.network.measured(features[:, None])
        told, then = self.remembered(read, memory)
        belief, path = net.heads(told, read, base[:, None])
        return *(() if belief is None else (belief[:, 0],)), path[:, 0], *then

    def remembered(self, read, memory):
        """What is remembered (B, 1, H) of the frame read (B, 1, F), and the memory then."""
        trunk = self.network.trunk
        if self.model == "mlp":
            return trunk(read, None), ()
        if self.model in MIXERS:
            time, memory = memory if self.timed else (torch.zeros_like(memory[0]), memory[0])
            told, then = trunk.step(read[:, 0], time[:, 0], memory)
            return told[:, None], (then,)
        told, then = trunk(read, tuple(m[None] for m in memory) if self.model == "lstm" else memory[0][None])
        return told, tuple(m[0] for m in (then if self.model == "lstm" else (then,)))


def step_of(path):
    """The Step of a file of weights."""
    info, tensors = weights.read(path)
    network = Network(Shape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    return Step(network).eval()


def export(step, out):
    """Write a Step as ONNX."""
    shape = step.network.shape
    sizes = step.timed | step.memory
    inputs = torch.zeros(2, shape.features), torch.zeros(2, SEEN), *(torch.zeros(2, n) for n in sizes.values())
    told = ["belief", "path"] if shape.unknowns else ["path"]
    many = torch.export.Dim("balls", min=1)
    shapes = {"features": {0: many}, "base": {0: many}} | ({"memory": tuple({0: many} for _ in sizes)} if sizes else {})
    program = torch.onnx.export(
        step, inputs, dynamo=True, input_names=["features", "base", *sizes],
        output_names=[*told, *(f"{m}_then" for m in step.memory)], dynamic_shapes=shapes, verbose=False,
    )  # fmt: skip
    weights.write(out, program.model_proto.SerializeToString())


def main():
    asked = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(asked))


def run(asked):
    """Export what was asked for. Raises ValueError or OSError, one line each."""
    if not asked.name.endswith(".safetensors") and asked.name not in TRAINED:
        raise ValueError(f"no network is called {asked.name!r}; there are {', '.join(TRAINED)}, or a file of weights")
    file = asked.name.endswith(".safetensors")
    path = asked.name if file else weights_of(asked.name, sim.load(asked.sport))
    export(step_of(path), asked.out)
    print(f"{asked.out}: one step of {path}")


if __name__ == "__main__":
    main()
