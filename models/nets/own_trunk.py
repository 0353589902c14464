"""A trunk of your own: a torch module that train.py --model my_module:MyTrunk trains as it trains a GRU.

    class MyTrunk(torch.nn.Module):
        def __init__(self, channels: int, width: int): ...
        def forward(self, features, times):      # (B, T, channels), (B, T) s  ->  (B, T, width)
            ...

Features are standardised, times are counted from the first frame of a sequence. Row t of the output may depend on the
frames 0 to t alone: `make` tries a fresh trunk on random frames, and refuses one that sees later frames. Sequences have
at most OWN_FRAMES frames; shorter ones end in frames of zeros, which nobody reads.
"""

import inspect
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ballcast.models.registry import import_object

TRIED_FRAMES, TRIED_TOLERANCE = 12, 1e-4


def is_own(model: str) -> bool:
    """Whether a model's name is module:Class."""
    return ":" in model


def make(model: str, channels: int, width: int) -> nn.Module:
    """The trunk module:Class. ValueError, one line, if it is not what this module asks for."""
    cls = import_object(model)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ValueError(f"--model {model}: not a torch.nn.Module; see docs/own_model.md")
    try:
        trunk = cls(channels, width)
    except TypeError as error:
        raise ValueError(f"--model {model}: cannot be made as {cls.__name__}(channels, width): {error}") from None
    try:
        inspect.signature(trunk.forward).bind("features", "times")
    except TypeError as error:
        raise ValueError(f"--model {model}: forward must take (features, times): {error}") from None
    _try(model, trunk, channels, width)
    return trunk


@torch.no_grad()
def _try(model, trunk, channels, width):
    """Refuse a trunk whose output has another shape, or depends on later frames."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, TRIED_FRAMES, channels, generator=generator)
    times = 0.01 * torch.arange(TRIED_FRAMES, dtype=torch.double).expand(2, -1)
    other, half = features.clone(), TRIED_FRAMES // 2
    other[:, half:] += 1.0
    was_training = trunk.training
    trunk.eval()
    out, then = trunk(features, times), trunk(other, times)
    trunk.train(was_training)
    if not isinstance(out, Tensor) or tuple(out.shape) != (2, TRIED_FRAMES, width):
        found = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(f"--model {model}: forward returned {found}, not (balls, frames, width) = "
                         f"{(2, TRIED_FRAMES, width)}")  # fmt: skip
    if not torch.allclose(out[:, :half], then[:, :half], atol=TRIED_TOLERANCE):
        raise ValueError(f"--model {model}: its output at a frame depends on later frames, which a live forecast has "
                         "not; mask them")  # fmt: skip


class TrunkRunner:
    """A trained trunk that reads the last OWN_FRAMES frames of balls anew for each forecast. Arrays in and out."""

    def __init__(self, shape: dict, tensors: dict[str, np.ndarray], path: str | Path):
        try:
            self.trunk = make(shape["model"], shape["features"], shape["units"]).eval()
        except ValueError as error:
            raise ValueError(f"{path} needs the module that it was trained with: {error}") from None
        own = {n.removeprefix("trunk."): torch.from_numpy(a) for n, a in tensors.items() if n.startswith("trunk.")}
        try:
            self.trunk.load_state_dict(own)
        except RuntimeError:
            raise ValueError(
                f"{path}: its weights do not fit {shape['model']}, which has changed; train it again"
            ) from None

    @torch.no_grad()
    def hidden(self, features: np.ndarray, times: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Hidden states (B, width) at frames `last` (B,) of standardised features (B, T, channels), times (B, T) s."""
        out = self.trunk(torch.from_numpy(features), torch.from_numpy(times)).float()
        return out[torch.arange(len(last)), torch.from_numpy(last)].numpy()
