"""One step of a network as ONNX, to run it elsewhere: python -m ballcast.models.nets.export NAME --out FILE.onnx

Inputs: features (B, F) of models/encoding/features.py, base (B, NOMINAL_FEATURES), the nominal features of
models/encoding/nominal.py, and the state, zeros at first: h (B, H), for lstm also c (B, H); for mingru and transformer
memory (B, M), and for transformer before it time (B, 1), s since some moment within minutes.
Outputs: belief (B, D (D + 3) / 2), if the network has that head, path (B, 9 HORIZONS + 15), and the next state, with
names that end in _then. models/nets/network.py says what the outputs mean. Needs the extras train and export.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor, nn

from ballcast import command, sim
from ballcast.models.encoding.nominal import NOMINAL_FEATURES
from ballcast.models.nets.network import MIXERS, Network, NetworkShape
from ballcast.models.registry import WEIGHTS_OF, require_weights
from ballcast.models.runtime import weights
from ballcast.sim.files import write_atomically

PROGRAM = "python -m ballcast.models.nets.export"


@dataclass(frozen=True)
class Options:
    """Write one step of a network as ONNX."""

    name: Annotated[str, tyro.conf.Positional]  # gru, lstm, rnn, mlp, mingru or transformer, or a file of weights
    out: Path  # the file to write, .onnx
    sport: str = "table_tennis"  # the sport whose weights are exported


class ExportStep(nn.Module):
    """One frame of a Network, with its state as an input and an output."""

    def __init__(self, network: Network):
        super().__init__()
        self.network, self.model, units = network, network.shape.model, network.shape.units
        self.state_sizes = {"mlp": {}, "lstm": {"h": units, "c": units}}.get(self.model, {"h": units})  # by input name
        if self.model in MIXERS:
            self.state_sizes = {"memory": network.trunk.state_size}
        self.time_input = {"time": 1} if self.model == "transformer" else {}

    def forward(self, features: Tensor, nominal: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """features (B, F), nominal (B, NOMINAL_FEATURES), state (B, M) each -> belief, if any, path, next state."""
        network, standardised = self.network, self.network.standardise(features[:, None])
        hidden, next_state = self.advance(standardised, state)
        belief, path = network.heads(hidden, standardised, nominal[:, None])
        return *(() if belief is None else (belief[:, 0],)), path[:, 0], *next_state

    def advance(self, features: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The hidden state (B, 1, H) after a frame of standardised features (B, 1, F), and the next state."""
        trunk = self.network.trunk
        if self.model == "mlp":
            return trunk(features, None), ()
        if self.model in MIXERS:
            time, state = state if self.time_input else (torch.zeros_like(state[0]), state[0])
            hidden, next_state = trunk.step(features[:, 0], time[:, 0], state)
            return hidden[:, None], (next_state,)
        hidden, next_state = trunk(features, tuple(a[None] for a in state) if self.model == "lstm" else state[0][None])
        return hidden, tuple(a[0] for a in (next_state if self.model == "lstm" else (next_state,)))


def load_step(path: str | Path) -> ExportStep:
    """The ExportStep of a file of weights."""
    info, tensors = weights.read(path)
    network = Network(NetworkShape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    return ExportStep(network).eval()


def export(step: ExportStep, out: Path) -> None:
    """Write an ExportStep as ONNX."""
    sizes, features = step.time_input | step.state_sizes, step.network.shape.features
    inputs = [torch.zeros(2, n) for n in (features, NOMINAL_FEATURES, *sizes.values())]
    outputs = ["belief", "path"] if step.network.shape.unknowns else ["path"]
    balls = {0: torch.export.Dim("balls", min=1)}
    shapes = {"features": balls, "nominal": balls} | ({"state": tuple(balls for _ in sizes)} if sizes else {})
    program = torch.onnx.export(
        step, tuple(inputs), dynamo=True, input_names=["features", "base", *sizes],
        output_names=[*outputs, *(f"{name}_then" for name in step.state_sizes)], dynamic_shapes=shapes, verbose=False,
    )  # fmt: skip
    write_atomically(out, program.model_proto.SerializeToString())


def main() -> None:
    options = command.options(Options, PROGRAM)
    command.run(PROGRAM, lambda: run(options))


def run(options: Options) -> None:
    """Export a network. Raises ValueError or OSError, one line each."""
    path = options.name
    if not path.endswith(".safetensors"):
        if path not in WEIGHTS_OF:
            raise ValueError(f"no network is called {path!r}; there are {', '.join(WEIGHTS_OF)}, or a file of weights")
        path = require_weights(path, sim.load(options.sport))
    export(load_step(path), options.out)
    print(f"{options.out}: one step of {path}")


if __name__ == "__main__":
    main()
