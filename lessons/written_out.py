"""The network of the lesson on the design criteria, written out, and what is measured of it and of others.

network = trained(inputs, targets)                    # inputs (B, T, 6), targets (B, T, 3) m
padded(network)                                       # 0: padding is never read
influence(predictor, 30)                              # m: how far early frames reach
"""

import numpy as np
import torch
from torch import nn

from ballcast.tracks import Track
from lessons.balls import test_balls
from lessons.positions import LEAD_TIME, features, positions, train

LENGTHS = (1, 2, 3, 7, 20, 60, 150, 333, 500)  # frames of the sequences in one batch
EARLY, PERTURBATION, LAGS = 6, 0.005, (1, 4, 8, 11, 16, 30, 40, 60, 80)  # frames, m; frames later
SEEN, HIDDEN_FRAMES, WINDOW = 4, 24, 8  # a ball seen in its first frames; frames of the feed-forward window
STEPS, SLOTS = 1000, 32  # of training; frames of the layer with separate weights


class RNN(nn.Module):
    """The recurrent network of lesson 2: the same U, W, b, V and c at every frame."""

    def __init__(self, inputs=6, units=48, outputs=3):
        super().__init__()
        self.U = nn.Parameter(torch.randn(units, inputs) / units**0.5)
        self.W = nn.Parameter(torch.randn(units, units) / units**0.5)
        self.b = nn.Parameter(torch.zeros(units))
        self.V = nn.Parameter(torch.randn(outputs, units) / units**0.5)
        self.c = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):  # (B, T, inputs)
        h, y = torch.zeros(len(x), len(self.b)), []
        for x_t in x.transpose(0, 1):  # as many frames as there are
            h = torch.tanh(h @ self.W.T + x_t @ self.U.T + self.b)
            y.append(h @ self.V.T + self.c)
        return torch.stack(y, dim=1)  # (B, T, outputs)


def hidden_balls(count, purpose, frames=HIDDEN_FRAMES):
    """Balls that are seen in their first SEEN frames, zeros after; and where they are at each frame, m."""
    measured, _ = positions(count, frames, purpose=purpose)
    x = features(measured)
    x[:, SEEN:] = 0.0
    return x, measured


def trained(inputs, targets, steps=STEPS):
    """A network written out, trained on inputs (B, T, 6) and targets (B, T, 3)."""
    torch.manual_seed(0)
    return train(RNN(), inputs, targets, steps)


def padded(network, seed=0):
    """The largest difference of outputs for sequences of many lengths: each alone, and in one padded batch."""
    x = torch.randn(len(LENGTHS), max(LENGTHS), 6, generator=torch.Generator().manual_seed(seed))
    for row, n in zip(x, LENGTHS):
        row[n:] = 0.0
    with torch.no_grad():
        together = network(x)
        alone = [network(x[k : k + 1, :n])[0, -1] for k, n in enumerate(LENGTHS)]
    return max(float((a - together[k, n - 1]).abs().max()) for k, (a, n) in enumerate(zip(alone, LENGTHS)))


def shuffled(track, seed=0):
    """The track with its positions shuffled among its times; the last one keeps its time."""
    order = np.random.default_rng(seed).permutation(len(track) - 1)
    return Track(track.time, np.concatenate([track.position[:-1][order], track.position[-1:]]))


def reordered(measured, frame, order):
    """Positions (B, frame + 1, 3) m, those before the last one in another order (frame,)."""
    return torch.cat([measured[:, :frame][:, order], measured[:, frame : frame + 1]], dim=1)


def influence(predictor, lag, count=80):
    """How far, m, the forecast `lag` frames after the first EARLY moves if these are moved; median over balls."""
    shifts = []
    for track in [track for track in test_balls(300).tracks if len(track) >= EARLY + max(LAGS)][:count]:
        n = EARLY + lag
        position = track.position[:n].copy()
        position[:EARLY, 0] += PERTURBATION
        times = track.time[n - 1 : n] + LEAD_TIME
        a, b = (predictor.forecast(Track(track.time[:n], p), times).mean for p in (track.position[:n], position))
        shifts.append(np.linalg.norm(a - b))
    return float(np.median(shifts))


def own_influence(network, measured):
    """The same for the network written out: (T,) m, at every frame."""
    moved = measured.clone()
    moved[:, :EARLY, 0] += PERTURBATION
    with torch.no_grad():
        return (network(features(moved)) - network(features(measured))).norm(dim=2).median(dim=0)[0].numpy()


def slot_layer(measured, targets):
    """Least squares (1 + 3 SLOTS, 3): each of the first SLOTS frames has weights of its own; none change with steps."""
    x = with_one(measured[:, :SLOTS])
    return np.linalg.solve(x.T @ x + 1e-4 * np.identity(x.shape[1]), x.T @ targets[:, SLOTS - 1].double().numpy())


def with_one(measured):
    return np.c_[np.ones(len(measured)), measured.reshape(len(measured), -1).double().numpy()]


def delayed_errors(network, layer, measured, targets, delay):
    """Median errors, mm, of both if the ball appears `delay` frames later, with zeros before."""
    x, last = features(measured), SLOTS - 1
    wait = torch.zeros(len(x), delay, 6)
    with torch.no_grad():
        own = network(torch.cat([wait, x[:, :SLOTS]], dim=1))[:, -1] - targets[:, last]
    slots = torch.cat([wait[..., :3], measured[:, : SLOTS - delay]], dim=1)
    separate = with_one(slots) @ layer - targets[:, last - delay].numpy()
    return 1e3 * float(own.norm(dim=1).median()), 1e3 * float(np.median(np.linalg.norm(separate, axis=1)))


def feed_forward(inputs, targets, tests):
    """Median error, mm, at the last frame of a feed-forward network on the last WINDOW frames, tests: (x, target)."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(6 * WINDOW, 48), nn.Tanh(), nn.Linear(48, 3))
    train(layers, inputs[:, -WINDOW:], targets[:, -1], 300)
    with torch.no_grad():
        return 1e3 * float((layers(tests[0][:, -WINDOW:]) - tests[1][:, -1]).norm(dim=1).median())
