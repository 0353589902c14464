"""Processes that train together, as torchrun starts them; alone, all of this is nothing."""

import contextlib
import os

import torch
from torch import distributed


def rank():
    return int(os.environ.get("RANK", 0))


def world_size():
    return int(os.environ.get("WORLD_SIZE", 1))


def is_main():
    """Whether this process writes files and speaks."""
    return rank() == 0


@contextlib.contextmanager
def process_group(device):
    """With all processes in touch: gloo, or nccl on GPUs."""
    if world_size() == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def all_reduce_max(number):
    """The largest of the processes' numbers."""
    if world_size() == 1:
        return number
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    tensor = torch.tensor(float(number), device=device)
    distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
    return float(tensor)
