"""The trunks alone, on random numbers, forward and backward: measured by benchmarks.scan_speed."""

from collections.abc import Callable

import torch

from ballcast.models.nets.network import DEFAULT_SIZES, Network, NetworkShape
from ballcast.models.nets.scan import scan, sequential_scan

FEATURES, RATE = 54, 180.0  # features of a frame; frames/s
SCANS = {"scan": scan, "one_by_one": sequential_scan}


def training_pass(model: str, length: int, batch: int, units: int) -> tuple[Callable[[], None], int]:
    """A function that runs a trunk forward and backward on sequences (batch, length), and its parameter count."""
    network = Network(NetworkShape(model, FEATURES, 0, **DEFAULT_SIZES.get(model, {}) | {"units": units}))
    features, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / RATE

    def run_pass():
        network.zero_grad()
        network.hidden(features, times).mean().backward()

    return run_pass, sum(p.numel() for p in network.trunk.parameters())


def scan_pass(name: str, length: int, batch: int, units: int) -> Callable[[], None]:
    """A function that runs a scan of SCANS forward and backward once."""
    a, b = torch.rand(batch, length, units, requires_grad=True), torch.randn(batch, length, units, requires_grad=True)
    return lambda: SCANS[name](a, b).sum().backward()


def threads() -> int:
    """The number of threads that torch uses; set by OMP_NUM_THREADS."""
    return torch.get_num_threads()
