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
from torch import nn

from ballcast import command, sim
from ballcast.models.encoding.nominal import NOMINAL_FEATURES
from ballcast.models.nets.network import MIXERS, Network, NetworkShape
from ballcast.models.registry import WEIGHTS_OF, require_weights
from ballcast.models.runtime import weights

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


class ExportStep(nn.Module):
    """A Network that moves on by one frame: its memory goes in and comes out."""

    def __init__(self, network):
        super().__init__()
        self.network, self.model = network, network.shape.model
        units = network.shape.units
        # name -> numbers
        self.state_sizes = {"mlp": {}, "lstm": {"h": units, "c": units}}.get(self.model, {"h": units})
        if self.model in MIXERS:
            self.state_sizes = {"memory": network.trunk.state_size}
        self.time_input = {"time": 1} if self.model == "transformer" else {}

    def forward(self, features, nominal, *state):
        """features (B, F), base (B, SEEN), memory (B, H) each -> belief (if any), path, and the memory then."""
        network, standardised = self.network, self.network.standardise(features[:, None])
        hidden, next_state = self.advance(standardised, state)
        belief, path = network.heads(hidden, standardised, nominal[:, None])
        return *(() if belief is None else (belief[:, 0],)), path[:, 0], *next_state

    def advance(self, features, state):
        """What is remembered (B, 1, H) of the frame read (B, 1, F), and the memory then."""
        trunk = self.network.trunk
        if self.model == "mlp":
            return trunk(features, None), ()
        if self.model in MIXERS:
            time, state = state if self.time_input else (torch.zeros_like(state[0]), state[0])
            hidden, next_state = trunk.step(features[:, 0], time[:, 0], state)
            return hidden[:, None], (next_state,)
        hidden, next_state = trunk(features, tuple(a[None] for a in state) if self.model == "lstm" else state[0][None])
        return hidden, tuple(a[0] for a in (next_state if self.model == "lstm" else (next_state,)))


def load_step(path):
    """The Step of a file of weights."""
    info, tensors = weights.read(path)
    network = Network(NetworkShape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    return ExportStep(network).eval()


def export(step, out):
    """Write a Step as ONNX."""
    shape = step.network.shape
    sizes = step.time_input | step.state_sizes
    inputs = (
        torch.zeros(2, shape.features),
        torch.zeros(2, NOMINAL_FEATURES),
        *(torch.zeros(2, n) for n in sizes.values()),
    )
    outputs = ["belief", "path"] if shape.unknowns else ["path"]
    balls = torch.export.Dim("balls", min=1)
    shapes = {"features": {0: balls}, "nominal": {0: balls}} | (
        {"state": tuple({0: balls} for _ in sizes)} if sizes else {}
    )
    program = torch.onnx.export(
        step, inputs, dynamo=True, input_names=["features", "base", *sizes],
        output_names=[*outputs, *(f"{name}_then" for name in step.state_sizes)], dynamic_shapes=shapes, verbose=False,
    )  # fmt: skip
    weights.write_atomically(out, program.model_proto.SerializeToString())


def main():
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options):
    """Export what was asked for. Raises ValueError or OSError, one line each."""
    if not options.name.endswith(".safetensors") and options.name not in WEIGHTS_OF:
        raise ValueError(
            f"no network is called {options.name!r}; there are {', '.join(WEIGHTS_OF)}, or a file of weights"
        )
    is_file = options.name.endswith(".safetensors")
    path = options.name if is_file else require_weights(options.name, sim.load(options.sport))
    export(load_step(path), options.out)
    print(f"{options.out}: one step of {path}")


if __name__ == "__main__":
    main()
