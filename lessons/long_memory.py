"""Spin that is visible only before a long gap: how long each network remembers it."""

from functools import cache

import numpy as np
import torch
from torch import nn

from ballcast import sim
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.tracks import Track
from lessons.balls import NOISE, RATE, errors, interval, networks
from lessons.boxes import BLUE, GREEN, GREY, ORANGE, arrow, box, empty
from lessons.cells import chrono_initialise, forget_less, make_cell
from lessons.page import Page, finish, line_style

MODELS = ("gru", "lstm", "rnn", "mingru", "transformer", "mlp")
EARLY_FRAMES, LATE_FRAMES = 36, 4  # frames before the gap, and after it
GAPS = (0.0, 0.1, 0.2, 0.4, 0.5, 0.6)  # s
LEAD_TIME, BALL_COUNT = 0.2, 200  # s after the last frame
HISTORY_FRAMES, GAP_LENGTHS, LOW_NOISE = 16, (10, 40, 100), 0.0005  # frames with the ball; empty frames; m
BIASED, FORGETTING_LESS = ", biases for the length", ", forget bias 1"
SMALL_MODELS = (
    "rnn",
    "lstm",
    "lstm" + FORGETTING_LESS,
    "lstm" + BIASED,
    "gru",
    "gru" + BIASED,
    "mingru",
    "transformer",
)
SMALL_SHAPE = {"units": 32, "layers": 2}  # the transformer's window is the usual one, 48 frames
DASHES = {BIASED: ":", FORGETTING_LESS: "--", "": "-"}
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
    """A small Network with two inputs per frame, and its output layer; with other biases if its name says so."""
    torch.manual_seed(0)
    kind, _, biases = name.partition(", ")
    network = Network(NetworkShape(kind, 2, 0, **SMALL_SHAPE))
    if biases:
        cell = make_cell(kind, 2, SMALL_SHAPE["units"], 0)
        cell = forget_less(cell) if biases in FORGETTING_LESS else chrono_initialise(cell, max_length)
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


def trained(name, gap, steps=STEPS, max_length=None):
    """Median errors, mm, on new balls: of a small network trained for a gap, and of the best constant answer.
    `max_length` frames, the whole sequence if None, are what "biases for the length" are set for."""
    network, output = make_network(name, max_length or HISTORY_FRAMES + gap)
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


def print_shipped(page):
    """The errors of the shipped networks, with the frames before the gap and without."""
    results = by_gap(networks(*MODELS))
    page.print(f"as they ship: error {LEAD_TIME:g} s ahead, mm, median of {BALL_COUNT} balls; "
               f"{EARLY_FRAMES} frames, a gap, {LATE_FRAMES} frames")  # fmt: skip
    page.print(f"{'gap, s':38}" + "".join(f"{gap:>7g}" for gap in GAPS))
    for with_early in (True, False):
        for name in MODELS:
            label = name if with_early else f"{name}, the last {LATE_FRAMES} frames alone"
            page.print(f"{label:38}" + "".join(f"{1e3 * v:7.0f}" for v in np.median(results[name, with_early], axis=0)))
    half = [interval(errors) for errors in results["gru", True].T]
    page.print(f"{'half the 95 % interval, gru':38}" + "".join(f"{1e3 * v:7.1f}" for v in half))
    return results


def print_small(page):
    """The errors of the small networks, and that of a constant answer, by the number of empty frames."""
    page.next_block()
    page.print(f"small networks, trained for the gap: error, mm, after {HISTORY_FRAMES} frames with the ball "
               "and a number of empty ones")  # fmt: skip
    page.print(f"{'empty frames':38}" + "".join(f"{gap:>7}" for gap in GAP_LENGTHS))
    small = {}
    for name in SMALL_MODELS:
        small[name] = np.array([trained(name, gap) for gap in GAP_LENGTHS])
        page.print(f"{name:38}" + "".join(f"{v:7.0f}" for v in small[name][:, 0]))
    constant = small["gru"][:, 1]
    page.print(f"{'the same answer for every ball':38}" + "".join(f"{v:7.0f}" for v in constant))
    return small, constant


def frames_in_reach(layers, frames=200):
    """How many of the last frames a small transformer's output depends on."""
    torch.manual_seed(0)
    network = Network(NetworkShape("transformer", 2, 0, **SMALL_SHAPE | {"layers": layers}))
    x = torch.randn(1, frames, 2, requires_grad=True)
    network.hidden(x, torch.arange(frames)[None] / RATE)[0, -1].square().sum().backward()
    return int((x.grad[0].abs().amax(dim=1) > 0).sum())


def print_solutions(page):
    """The figures of the exercises."""
    page.next_block()
    for layers in (1, 2, 3):
        page.print(f"{layers} layers: the output depends on the last {frames_in_reach(layers)} frames")
    page.next_block()
    for length in (2, 16, 1000):
        error = trained("lstm" + BIASED, 40, max_length=length)[0]
        page.print(f"lstm, biases for {length:4} frames, 40 empty ones: error {error:4.0f} mm")


def draw_task(page):
    """The sequence that a small network reads: frames with the ball, empty frames, a question at the end."""
    figure, plot = page.figure(1, 8.4, 2.4)
    empty(plot, (-0.6, 9.6), (-0.8, 2.5))
    inputs = ("$x_1$", "$x_2$", "...", "$x_{16}$", "empty", "empty", "...", "empty")
    for k, text in enumerate(inputs):
        box(plot, (1.1 * k, 0), text, GREEN if k < 4 else GREY, (0.9, 0.6), 8, dashed=k > 3)
        box(plot, (1.1 * k, 1.3), "$h$", BLUE)
        arrow(plot, (1.1 * k, 0), (1.1 * k, 1.3))
        if k:
            arrow(plot, (1.1 * k - 1.1, 1.3), (1.1 * k, 1.3), gap=0.4)
    box(plot, (9.0, 1.3), "where?", ORANGE, (0.9, 0.6), 9)
    arrow(plot, (7.7, 1.3), (9.0, 1.3), gap=0.42)
    plot.text(1.65, 2.2, "the ball bends sideways: spin", ha="center", fontsize=9)
    plot.text(6.05, 2.2, "nothing to be seen: h must keep it", ha="center", fontsize=9)
    page.save(figure, "drawing")


def draw(page, results, small, constant):
    """Errors against the gap: of the shipped networks, and of the small ones relative to a constant answer."""
    figure, (left, right) = page.figure(2)
    for name in MODELS:
        left.semilogy(GAPS, 1e3 * np.median(results[name, True], axis=0), marker=".", **line_style(name))
    alone = 1e3 * np.median(results["gru", False], axis=0)
    left.semilogy(GAPS, alone, color="#7a7a7a", linestyle=":", label="gru, late frames alone")
    finish(left, 6, xlabel="gap, s", ylabel=f"error {LEAD_TIME:g} s ahead, mm")
    for name, off in small.items():
        kind, comma, biases = name.partition(", ")
        style = line_style(kind) | {"linestyle": DASHES[comma + biases], "label": name}
        right.semilogx(GAP_LENGTHS, off[:, 0] / constant, marker=".", **style)
    right.axhline(1.0, color="#7a7a7a", linewidth=0.6)
    finish(right, 6, ylim=0, xlabel="empty frames", ylabel="error, over that of a constant answer")
    page.save(figure)


def main():
    print("long_memory: shipped networks, then small ones trained for a gap", flush=True)
    page = Page("long_memory")
    page.code(forget_less, chrono_initialise)
    page.code(trained)
    results = print_shipped(page)
    small, constant = print_small(page)
    print_solutions(page)
    draw_task(page)
    draw(page, results, small, constant)
    page.close()


if __name__ == "__main__":
    main()
