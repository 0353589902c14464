"""Processes that train together, started by torchrun. A single process needs none of this."""

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import distributed

from ballcast import command

SEES_ONE = "BALLCAST_SEES_ONE_GPU"


def rank() -> int:
    return int(os.environ.get("RANK", 0))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def spare_cores(device: str) -> int:
    """How many threads of a process may make batches: half of its cores where the others learn, all but one beside a
    GPU."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    own = cores // here
    return max(1, own - 1 if device.startswith("cuda") else own // 2)


def own_gpu(device: str) -> None:
    """Let this process see its own GPU alone, before torch or numba-cuda look at any: `cuda` is then another one for
    each process of a machine."""
    if device == "cuda" and "LOCAL_RANK" in os.environ and not os.environ.get(SEES_ONE):
        visible, number = os.environ.get("CUDA_VISIBLE_DEVICES"), int(os.environ["LOCAL_RANK"])
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[number] if visible else str(number)
        os.environ[SEES_ONE] = "1"  # also after a restart


def launch_command() -> str:
    """The command, without options, that starts train.py as this process was started: alone, or by torchrun."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))
    called = command.CALLED_AS.get("train.py")  # ballcast train, where that is installed
    if world_size() == 1:
        return called or "python train.py"
    machines = f"--nnodes {world_size() // here} " if world_size() > here else ""
    return f"torchrun {machines}--nproc-per-node {here} " + ("-m ballcast train" if called else "train.py")


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
