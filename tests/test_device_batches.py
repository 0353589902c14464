"""Batches made on the device that learns: the features and targets of batches.py, here on the CPU."""

import importlib.util
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ballcast import sim
from ballcast.models.encoding.features import FEATURE_SIZES, make_frontend
from ballcast.models.encoding.nominal import HORIZONS, NOMINAL_FEATURES
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.models.training import device_batches, device_beliefs, distributed, learner, makes_on_device, train
from ballcast.models.training.batches import Sequences, Targets, assemble, future_of
from ballcast.models.training.device_batches import CHUNK, DeviceBatches, cut, raw_batch

BALLS, LOSS_FRAMES = 24, 8
CONFIG = {"model": "gru_raw", "sport": ["table_tennis"], "data": None, "finetune": None, "tracks": [], "batch": 64,
          "seed": 0, "units": 16, "device": "cpu", "rate": 3e-3, "exact": True}  # fmt: skip


@pytest.mark.parametrize("name", ["table_tennis", "golf"])
def test_features_and_targets_are_those_of_the_cpus_batches(name):
    sport, generator = sim.load(name).levelled(), np.random.default_rng(5)
    balls, frontend = sim.draw(sport, BALLS, seed=2), make_frontend(sport, "raw")
    start, jitter = generator.random(BALLS), generator.random((BALLS, LOSS_FRAMES))
    start[:8] = 0.0
    sequences, begin = cut(balls, torch.from_numpy(start), torch.from_numpy(jitter))
    count, loss_frames = sequences.count.numpy(), sequences.loss_frames.numpy()
    first = np.array([a + np.flatnonzero(balls.time[a:b] == t)[0]
                      for a, b, t in zip(balls.offsets, balls.offsets[1:], begin.numpy())])  # fmt: skip
    future, has_landing, landing = future_of(balls, balls.time[first[:, None] + loss_frames])
    ours = raw_batch(frontend, sequences, *(torch.from_numpy(a.copy()) for a in (future, has_landing, landing)))
    flat = Sequences(balls.time, balls.position, first, count, loss_frames)
    theirs, *_ = assemble(frontend, flat, Targets(None, future, None, has_landing, landing), 30.0)
    assert ours.frame_count.sum() == theirs.frame_count
    for key in ("features", "times", "nominal", "future", "has_landing", "landing", "active"):
        mine, wanted = getattr(ours, key).numpy(), getattr(theirs, key)
        assert mine.shape == wanted.shape, key
        np.testing.assert_allclose(mine, wanted, atol=2e-3 if key == "features" else 2e-4, rtol=1e-3, err_msg=key)


def test_a_large_batch_is_learnt_in_parts(monkeypatch):
    monkeypatch.setattr(learner, "makes_on_device", lambda config: True)
    monkeypatch.setattr(learner, "SCALING_BATCHES", 1)
    monkeypatch.setattr(device_batches, "CHUNK", 2)
    own = learner.Learner(CONFIG)
    batch, parameters = own.batches[0], list(own.network.parameters())
    whole = own._backward(batch)
    gradients = [p.grad.clone() for p in parameters]
    own.optimizer.zero_grad()
    monkeypatch.setattr(learner, "MAX_SEQUENCES", 24)
    parts = own._backward(batch)
    for a, b in zip(whole, parts):
        assert float(a.detach()) == pytest.approx(float(b), abs=1e-5)
    for p, wanted in zip(parameters, gradients):
        torch.testing.assert_close(p.grad, wanted, atol=1e-5, rtol=1e-3)
    losses = [float(sum(own.step(batch, 3e-3, 1.0).losses)) for _ in range(5)]
    assert losses[-1] < losses[0]  # and it learns


def test_chunks_are_dealt_to_batches_without_repeats(monkeypatch):
    monkeypatch.setattr(device_batches, "CHUNK", 2)
    batches = DeviceBatches([sim.load("table_tennis"), sim.load("tennis")], "raw", 64, seed=1, device="cpu")
    first, second, third = (batches[n] for n in range(3))
    assert CHUNK > 2 and len(first.features) == 64
    starts = torch.cat([b.features[:, 0, :3] for b in (first, second, third)])
    assert len(starts.unique(dim=0)) == len(starts)  # no ball twice
    assert len(first.features[:, 0, 40:].unique(dim=0)) >= 2  # both sports in a batch
    again = DeviceBatches([sim.load("table_tennis"), sim.load("tennis")], "raw", 64, seed=1, device="cpu")[1]
    assert torch.equal(again.features, second.features) and again.frame_count == second.frame_count
    assert first.frame_count == (first.features != 0).any(-1).sum()


def test_batches_of_the_filters_features_are_learnt(monkeypatch):
    def follow(frontend, sequences):  # in place of the kernels, which test_sim_cuda.py holds against the CPU
        shape, one = sequences.loss_frames.shape, torch.ones
        features = torch.rand(*sequences.time.shape, FEATURE_SIZES["filter"] + 1)
        mean, covariance = torch.zeros(*shape, UNKNOWNS), torch.eye(UNKNOWNS).expand(*shape, -1, -1)
        path = one(*shape, HORIZONS, 3)
        nominal = SimpleNamespace(position=0 * path, sd=path, landing=0.0, scale=1.0,
                                  features=torch.rand(*shape, NOMINAL_FEATURES))  # fmt: skip
        return SimpleNamespace(features=features, mean=mean.double(), covariance=covariance.double()), nominal

    monkeypatch.setattr(device_beliefs, "follow", follow)
    monkeypatch.setattr(learner, "makes_on_device", lambda config: True)
    monkeypatch.setattr(learner, "SCALING_BATCHES", 1)
    monkeypatch.setattr(device_batches, "CHUNK", 2)
    own = learner.Learner(CONFIG | {"model": "gru"})
    losses = own.step(own.batches[1], 3e-3, 1.0).losses
    assert all(float(loss) > 0.0 and np.isfinite(float(loss)) for loss in losses)


def test_where_batches_are_made(monkeypatch, capsys):
    on_gpu = CONFIG | {"device": "cuda"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert makes_on_device(on_gpu) and not makes_on_device(CONFIG)
    assert makes_on_device(on_gpu | {"model": "gru"}) and makes_on_device(on_gpu | {"model": "gru_physics"})
    for other in ({"model": "tokens"}, {"model": "mlp"}, {"data": "set"}, {"tracks": ["a"]}, {"workers": 2}):
        assert not makes_on_device(on_gpu | other)
    options = train.Options(features="raw", device="cuda")
    assert train.to_config(options)["batch"] == train.DEVICE_BATCH
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not makes_on_device(on_gpu) and train.to_config(options)["batch"] == 192
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    train.require_device(on_gpu)
    train.require_device(on_gpu | {"workers": 3})
    train.require_device(on_gpu | {"model": "mlp", "workers": 3})
    first, *others = capsys.readouterr().out.splitlines()
    assert first.endswith("of the CPU make the batches, since numba-cuda is missing (extra gpu)")
    asked, unable = "as --workers asks", "since a GPU makes filter and raw features alone, of fresh balls"
    assert others == [f"3 threads of the CPU make the batches, {why}" for why in (asked, unable)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="--device cuda: torch finds no NVIDIA GPU here"):
        train.require_device(on_gpu)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_too_little_memory_of_a_gpu_is_one_line(error):
    with pytest.raises(ValueError, match="^--batch 64: the balls of a batch need more memory than the GPU has free"):
        with train.within_memory(CONFIG | {"device": "cuda"}):
            raise error


def test_too_little_memory_of_the_cpu_is_not_laid_to_a_gpu():
    with pytest.raises(MemoryError):
        with train.within_memory(CONFIG | {"device": "cpu"}):
            raise MemoryError


def test_each_process_of_a_machine_has_its_own_gpu(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    for visible, own in (("", "1"), ("4,6", "6")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        monkeypatch.delenv(distributed.SEES_ONE, raising=False)
        for _ in range(2):  # once is enough
            distributed.own_gpu("cuda")
            assert os.environ["CUDA_VISIBLE_DEVICES"] == own
    monkeypatch.delenv(distributed.SEES_ONE)
    distributed.own_gpu("cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
