"""The trunks alone on random numbers, forward and backward: what benchmarks.scan_speed measures."""

import torch

from ballcast.models.nets.network import DEFAULT_SIZES, Network, NetworkShape
from ballcast.models.nets.scan import scan, sequential_scan

FEATURES, RATE = 54, 180.0  # numbers of a frame; frames/s of the ball
SCANS = {"scan": scan, "one_by_one": sequential_scan}


def training_pass(model, length, batch, units):
    """A function that learns once from sequences (batch, length) with that model's trunk; and its parameters."""
    network = Network(NetworkShape(model, FEATURES, 0, **DEFAULT_SIZES.get(model, {}) | {"units": units}))
    features, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / RATE

    def work():
        network.zero_grad()
        network.hidden(features, times).mean().backward()

    return work, sum(p.numel() for p in network.trunk.parameters())


def scan_pass(name, length, batch, units):
    """A function that does a scan of SCANS and its gradient once."""
    a, b = torch.rand(batch, length, units, requires_grad=True), torch.randn(batch, length, units, requires_grad=True)
    return lambda: SCANS[name](a, b).sum().backward()


def threads():
    """How many threads torch takes; OMP_NUM_THREADS sets it."""
    return torch.get_num_threads()
