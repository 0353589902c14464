"""Processes that train together, started by torchrun. A single process needs none of this."""

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import distributed


def rank() -> int:
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


@contextlib.contextmanager
def process_group(device: str) -> Iterator[None]:
    """With all processes connected: by gloo, or by nccl on GPUs."""
    if world_size() == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def all_reduce_max(number: float) -> float:
    """The largest of the processes' numbers."""
    if world_size() == 1:
        return number
    tensor = torch.tensor(float(number), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
    distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
    return float(tensor)
