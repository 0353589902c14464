"""Batches made on the device that learns: the features and targets of batches.py, here on the CPU."""

import numpy as np
import pytest
import torch

from ballcast import sim
from ballcast.models.encoding.features import make_frontend
from ballcast.models.training import device_batches
from ballcast.models.training.batches import Sequences, Targets, assemble, future_of
from ballcast.models.training.device_batches import CHUNK, DeviceBatches, cut, raw_batch

BALLS, LOSS_FRAMES = 24, 8


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


def test_chunks_are_dealt_to_batches_without_repeats(monkeypatch):
    monkeypatch.setattr(device_batches, "CHUNK", 2)
    batches = DeviceBatches([sim.load("table_tennis"), sim.load("tennis")], 64, seed=1, device="cpu")
    first, second, third = (batches[n] for n in range(3))
    assert CHUNK > 2 and len(first.features) == 64
    starts = torch.cat([b.features[:, 0, :3] for b in (first, second, third)])
    assert len(starts.unique(dim=0)) == len(starts)  # no ball twice
    assert len(first.features[:, 0, 40:].unique(dim=0)) >= 2  # both sports in a batch
    again = DeviceBatches([sim.load("table_tennis"), sim.load("tennis")], 64, seed=1, device="cpu")[1]
    assert torch.equal(again.features, second.features) and again.frame_count == second.frame_count
    assert first.frame_count == (first.features != 0).any(-1).sum()
