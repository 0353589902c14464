"""Spin that is visible only before a long gap: how long each network remembers it."""

from functools import cache

import numpy as np
import torch
from torch import nn

from ballcast import sim
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.tracks import Track
from lessons.balls import NOISE, RATE, errors, interval, networks
from lessons.cells import chrono_initialise, make_cell
from lessons.page import Page, finish, line_style

MODELS = ("gru", "lstm", "rnn", "mingru", "transformer", "mlp")
EARLY_FRAMES, LATE_FRAMES = 36, 4  # frames before the gap, and after it
GAPS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # s
LEAD_TIME, BALL_COUNT = 0.2, 400  # s after the last frame
HISTORY_FRAMES, GAP_LENGTHS, LOW_NOISE = 16, (10, 40, 160), 0.0005  # frames with the ball; empty frames; m
SMALL_MODELS = ("rnn", "lstm", "gru", "gru, biases for the length", "mingru", "transformer")
SMALL_SHAPE = {"units": 32, "layers": 2, "window": 64}
STEPS, BATCH, TEST_BALLS = 200, 64, 500


def lobs(count, seed=0):
    """The sport, and launches (B, 9) of high balls with much spin, which stay in the air for more than a second."""
    generator = np.random.default_rng(seed)
    position = np.array([0.0, -3.5, 0.4]) + generator.normal(0, (0.3, 0.2, 0.1), (count, 3))
    velocity = np.array([0.0, 2.8, 6.0]) + generator.normal(0, (0.3, 0.3, 0.2), (count, 3))
    return sim.load("table_tennis"), np.hstack([position, velocity, generator.normal(0, 120.0, (count, 3))])


def histories_with_gap(gap, count=BALL_COUNT, seed=0):
    """(whole Tracks, Tracks of the late frames, times (B, 1) s, truth (B, 1, 3) m) of balls hidden for `gap` s."""
    sport, launches = lobs(count, seed)
    early = np.arange(EARLY_FRAMES) / RATE
    late = early[-1] + gap + np.arange(1, LATE_FRAMES + 1) / RATE
    times = np.r_[early, late, late[-1] + LEAD_TIME]
    path = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], times).position
    noisy = path[:, :-1] + NOISE * np.random.default_rng(seed + 1).standard_normal(path[:, :-1].shape)
    whole = [Track(times[:-1], positions) for positions in noisy]
    late_only = [Track(late, positions[EARLY_FRAMES:]) for positions in noisy]
    return whole, late_only, np.tile(times[-1:], (count, 1)), path[:, -1:]


def by_gap(predictors, gaps=GAPS, count=BALL_COUNT):
    """(name, whether it was given the early frames) -> errors (B, len(gaps)) m."""
    results = {}
    for gap in gaps:
        whole, late, times, truth = histories_with_gap(gap, count)
        for name, predictor in predictors.items():
            for with_early, tracks in ((True, whole), (False, late)):
                results.setdefault((name, with_early), []).append(errors(predictor, tracks, times, truth)[:, 0])
    return {key: np.stack(columns, 1) for key, columns in results.items()}


def make_network(name, max_length):
    """A small Network with two inputs per frame, and its output layer; with chrono biases if its name says so."""
    torch.manual_seed(0)
    network = Network(NetworkShape(name.split(",")[0], 2, 0, **SMALL_SHAPE))
    if "," in name:
        cell = chrono_initialise(make_cell("gru", 2, SMALL_SHAPE["units"], 0), max_length)
        network.trunk.load_state_dict({f"{part}_l0": a for part, a in cell.state_dict().items()})
    return network, nn.Linear(SMALL_SHAPE["units"], 1)


def gap_sequences(gap, count, seed):
    """Inputs (B, T, 2), targets (B,) and the unit of targets in mm: HISTORY_FRAMES frames with the ball, `gap` without.

    Inputs are the sideways displacement from a straight line along the launch, and whether the frame has the ball; the
    target is the displacement one frame after the gap.
    """
    sport, launches = lobs(count, seed)
    times = np.arange(HISTORY_FRAMES + gap + 1) / RATE
    path = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], times).position[..., 0]
    sideways = path - launches[:, :1] - launches[:, 3:4] * times
    scale, end = (float(np.std(sideways_displacements(n))) for n in (HISTORY_FRAMES, HISTORY_FRAMES + gap))
    noise = LOW_NOISE * np.random.default_rng(seed + 1).standard_normal((count, HISTORY_FRAMES))
    inputs = np.zeros((count, HISTORY_FRAMES + gap, 2), np.float32)
    inputs[:, :HISTORY_FRAMES, 0], inputs[:, :HISTORY_FRAMES, 1] = (sideways[:, :HISTORY_FRAMES] + noise) / scale, 1.0
    return torch.from_numpy(inputs), torch.from_numpy(sideways[:, -1] / end).float(), 1e3 * end


@cache
def sideways_displacements(frames, count=500):
    """Sideways displacements (B,) m of balls after a number of frames, from a straight line along the launch."""
    sport, launches = lobs(count, 7)
    path = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], [frames / RATE]).position[:, 0, 0]
    return path - launches[:, 0] - launches[:, 3] * frames / RATE


def trained(name, gap, steps=STEPS):
    """Median errors, mm, on new balls: of a small network trained for a gap, and of the best constant answer."""
    network, output = make_network(name, HISTORY_FRAMES + gap)
    times = torch.arange(HISTORY_FRAMES + gap).expand(BATCH, -1) / RATE
    parameters = [*network.trunk.parameters(), *output.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    inputs, targets, mm = gap_sequences(gap, BATCH * steps, 10)
    for k in range(steps):
        rows = slice(k * BATCH, (k + 1) * BATCH)
        loss = (output(network.hidden(inputs[rows], times)[:, -1])[:, 0] - targets[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    inputs, targets, mm = gap_sequences(gap, TEST_BALLS, 11)
    with torch.no_grad():
        off = output(network.hidden(inputs, times[:1].expand(TEST_BALLS, -1))[:, -1])[:, 0] - targets
    return mm * float(off.abs().median()), mm * float((targets - targets.median()).abs().median())


def main():
    page, results = Page("long_memory"), by_gap(networks(*MODELS))
    page.print(f"as they ship: error {LEAD_TIME:g} s ahead, mm, median of {BALL_COUNT} balls; "
               f"{EARLY_FRAMES} frames, a gap, {LATE_FRAMES} frames")  # fmt: skip
    page.print(f"{'gap, s':38}" + "".join(f"{gap:>7g}" for gap in GAPS))
    for with_early in (True, False):
        for name in MODELS:
            label = name if with_early else f"{name}, the last {LATE_FRAMES} frames alone"
            page.print(f"{label:38}" + "".join(f"{1e3 * v:7.0f}" for v in np.median(results[name, with_early], axis=0)))
    half = [interval(errors) for errors in results["gru", True].T]
    page.print(f"{'half the 95 % interval, gru':38}" + "".join(f"{1e3 * v:7.1f}" for v in half))
    page.print(f"\nsmall networks, trained for the gap: error, mm, after {HISTORY_FRAMES} frames with the ball "
               "and a number of empty ones")  # fmt: skip
    page.print(f"{'empty frames':38}" + "".join(f"{gap:>7}" for gap in GAP_LENGTHS))
    small = {}
    for name in SMALL_MODELS:
        small[name] = np.array([trained(name, gap) for gap in GAP_LENGTHS])
        page.print(f"{name:38}" + "".join(f"{v:7.0f}" for v in small[name][:, 0]))
    constant = small["gru"][:, 1]
    page.print(f"{'the same answer for every ball':38}" + "".join(f"{v:7.0f}" for v in constant))
    draw(page, results, small, constant)


def draw(page, results, small, constant):
    """Errors against the gap: of the shipped networks, and of the small ones relative to a constant answer."""
    figure, (left, right) = page.figure(2)
    for name in MODELS:
        left.semilogy(GAPS, 1e3 * np.median(results[name, True], axis=0), marker=".", **line_style(name))
    alone = 1e3 * np.median(results["gru", False], axis=0)
    left.semilogy(GAPS, alone, color="#7a7a7a", linestyle=":", label="gru, late frames alone")
    finish(left, 6, xlabel="gap, s", ylabel=f"error {LEAD_TIME:g} s ahead, mm")
    for name, off in small.items():
        style = line_style(name.split(",")[0]) | ({"linestyle": ":"} if "," in name else {}) | {"label": name}
        right.semilogx(GAP_LENGTHS, off[:, 0] / constant, marker=".", **style)
    right.axhline(1.0, color="#7a7a7a", linewidth=0.6)
    finish(right, 6, ylim=0, xlabel="empty frames", ylabel="error, over that of a constant answer")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
