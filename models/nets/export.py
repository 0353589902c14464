"""A single step of a network as ONNX, for whoever runs it elsewhere: python -m models.nets.export NAME --out FILE.onnx

In: features (B, F) and base (B, SEEN) as models/features.py and models/baseline.py make them, and the memory, h (B, H)
and of an lstm c (B, H). Out: belief (B, D (D + 3) / 2) where it has one, path (B, 9 KNOTS + 15), and the memory then.
What the numbers mean stands in models/nets/network.py; needs the extras train and export.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import nn

import command
import sim
from models import weights
from models.baseline import SEEN
from models.nets.network import Network, Shape
from models.neural import weights_of
from models.predictor import TRAINED

PROGRAM = "python -m models.nets.export"


@dataclass(frozen=True)
class Options:
    """A single step of a network as ONNX."""

    name: Annotated[str, tyro.conf.Positional]
    """gru, lstm, rnn or mlp, or a file of weights"""
    out: Path
    """the file to write, .onnx"""
    sport: str = "table_tennis"
    """whose weights"""


class Step(nn.Module):
    """A Network that moves on by one frame: its memory goes in and comes out."""

    def __init__(self, network):
        super().__init__()
        self.network, self.model = network, network.shape.model

    def forward(self, features, base, *memory):
        """features (B, F), base (B, SEEN), memory (B, H) each -> belief (if any), path, and the memory then."""
        net, now = self.network, features[:, None]
        read = ((now - net.read_mean) / net.read_scale).clamp(-20.0, 20.0)
        if self.model == "mlp":
            told, then = net.trunk(read)[0], ()
        elif self.model == "lstm":
            told, then = net.trunk(read, tuple(m[None] for m in memory))
        else:
            told, then = net.trunk(read, memory[0][None])
            then = (then,)
        belief, path = net.heads(told, read, base[:, None])
        return *(() if belief is None else (belief[:, 0],)), path[:, 0], *(m[0] for m in then)


def step_of(path):
    """The Step of a file of weights."""
    info, tensors = weights.read(path)
    network = Network(Shape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    return Step(network).eval()


def export(step, out):
    """Write a Step as ONNX."""
    shape = step.network.shape
    memory = {"lstm": ["h", "c"], "mlp": []}.get(shape.model, ["h"])
    inputs = torch.zeros(2, shape.features), torch.zeros(2, SEEN), *(torch.zeros(2, shape.units) for _ in memory)
    told = ["belief", "path"] if shape.unknowns else ["path"]
    names = ["features", "base", *memory]
    many = torch.export.Dim("balls", min=1)
    shapes = {"features": {0: many}, "base": {0: many}}
    shapes |= {"memory": tuple({0: many} for _ in memory)} if memory else {}
    program = torch.onnx.export(
        step, inputs, dynamo=True, input_names=names, output_names=[*told, *(f"{m}_then" for m in memory)],
        dynamic_shapes=shapes, verbose=False,
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
