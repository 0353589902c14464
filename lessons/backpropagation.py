"""Backpropagation through time, written by hand; and what is lost where it is cut off.

python -m lessons.backpropagation
"""

import torch

from lessons.boxes import BLUE, GREEN, INK, ORANGE, RED, arrow, box, empty
from lessons.page import Page, finish
from lessons.positions import FRAMES, LEAD_TIME, features, positions
from lessons.through_time import NAMES, backward, by_autograd, forward, make_weights, relative, sum_of_pairs, train
from lessons.written_out import hidden_balls

BALLS, TEST_BALLS = 4000, 500
LENGTHS, TRAINED_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 48), (1, 2, 4, 12, 48)  # frames of truncation


def make_data(count, purpose):
    """Inputs (T, B, inputs) and targets (T, B, 3) m: the frame is the first axis here."""
    measured, targets = positions(count, purpose=purpose)
    return features(measured).double().transpose(0, 1), targets.double().transpose(0, 1)


def missing(weights, x, target):
    """For each truncation: the part of the gradient for W, U and b that is lost."""
    h, y = forward(weights, x)
    by_length = {k: torch.cat([g.flatten() for g in backward(weights, x, h, y, target, k)[:3]]) for k in LENGTHS}
    return [relative(gradient, by_length[FRAMES]) for gradient in by_length.values()]


def errors(weights, x, target):
    """Median distance (T,) mm of the outputs from the targets."""
    distances = [(y - target_t).norm(dim=1).median() for y, target_t in zip(forward(weights, x)[1], target)]
    return 1e3 * torch.stack(distances).numpy()


def hidden_data(count, purpose):
    """The balls of lesson 4 that are seen in their first frames alone: inputs (T, B, 6), positions (T, B, 3) m."""
    return [part.double().transpose(0, 1) for part in hidden_balls(count, purpose)]


def draw_chain(page, steps=4):
    """The unrolled network: losses forward, gradients back."""
    figure, plot = page.figure(1, 8.4, 3.6)
    empty(plot, (-1.0, 8.8), (-0.5, 3.7))
    for t in range(steps):
        x, name = 2.4 * t + 0.6, str(t + 1)
        for row, (letter, color) in enumerate((("x", BLUE), ("h", GREEN), ("L", ORANGE))):
            box(plot, (x, 1.4 * row + 0.1), f"${letter}_{name}$", color)
        arrow(plot, (x - 0.12, 0.1), (x - 0.12, 1.5), "$U$", beside=(-0.18, 0.0))
        arrow(plot, (x - 0.12, 1.5), (x - 0.12, 2.9), "$V$", beside=(-0.18, 0.0))
        arrow(plot, (x + 0.14, 2.9), (x + 0.14, 1.5), color=RED, linestyle="--")
        if t:
            arrow(plot, (x - 2.4, 1.62), (x, 1.62), "$W$", gap=0.45, color=INK)
            arrow(plot, (x, 1.36), (x - 2.4, 1.36), "", gap=0.45, color=RED, linestyle="--")
            plot.text(x - 1.2, 1.1, rf"$\partial h_{name}/\partial h_{t}$", color=RED, ha="center", fontsize=9)
    plot.text(4.2, 3.45, "black: forward, left to right        red: gradients, back to the first frame", ha="center",
              fontsize=9)  # fmt: skip
    page.save(figure, "drawing")


def draw_truncation(page, lost, results):
    """What truncation takes from the gradient, and what it does to a network."""
    figure, (left, right) = page.figure(2)
    for name, row in lost.items():
        left.plot(LENGTHS[:-1], [100 * part for part in row[:-1]], marker=".", label=name)
    finish(left, xlabel="truncation, frames", ylabel="gradient that is lost, %", xscale="log", ylim=(0, 105))
    left.set_xticks(LENGTHS[:-1], LENGTHS[:-1])
    left.minorticks_off()
    for length, row in results.items():
        right.plot(range(1, FRAMES + 1), row, label=f"truncation {length}" if length < FRAMES else "no truncation")
    finish(right, xlabel="frame", ylabel=f"error {LEAD_TIME:g} s ahead, mm", ylim=(0, 300))
    page.save(figure)


def check(page, x, target):
    """Print how far the gradients by hand are from autograd's."""
    weights = make_weights(x.shape[2])
    by_hand = backward(weights, x, *forward(weights, x), target)
    page.print("gradient by hand against autograd: difference, as a part of its length")
    for name, a, b in zip(NAMES, by_hand, by_autograd(weights, x, target)):
        page.print(f"dL/d{name}   {bound(relative(a, b))}")
    return weights


def bound(part, small=1e-13):
    """A number, or that it is small: rounding differs from machine to machine."""
    return f"less than {small:g}" if part < small else f"{part:.0e}"


def main():
    page = Page("backpropagation")
    page.code(forward, backward)
    page.code(train)
    print("training networks, about a minute", flush=True)
    (x, target), test = make_data(BALLS, "train"), make_data(TEST_BALLS, "test")
    batch = x[:, :256], target[:, :256]
    weights = check(page, *batch)
    networks = {length: train(x, target, length) for length in TRAINED_LENGTHS[::-1]}
    lost = {"untrained network": missing(weights, *batch), "trained network": missing(networks[FRAMES], *batch)}
    results = {length: errors(network, *test) for length, network in networks.items()}
    page.print(f"\n{'truncation, frames':34}" + "".join(f"{k:>7}" for k in LENGTHS))
    for name, row in lost.items():
        page.print(f"{'gradient lost, ' + name + ', %':34}" + "".join(f"{100 * part:7.0f}" for part in row))
    means = {k: f"{results[k][8:].mean():7.0f}" if k in results else f"{'':7}" for k in LENGTHS}
    page.print(f"{'error after training with it, mm':34}" + "".join(means.values()))
    draw_chain(page)
    draw_truncation(page, lost, results)
    page.next_block()
    one = x[:, :1], target[:, :1]
    off = relative(backward(weights, one[0], *forward(weights, one[0]), one[1])[0], sum_of_pairs(weights, *one))
    page.print(f"{FRAMES * (FRAMES + 1) // 2} pairs; their sum differs from one way back by {bound(off)} of its length")
    page.next_block()
    (x, target), test = hidden_data(BALLS, "train"), hidden_data(TEST_BALLS, "test")
    page.print(f"error at the last of {len(x)} frames, mm")
    page.print(f"{'no network: the mean position':34}{errors_of_mean(target, test[1]):7.0f}")
    for length in (8, 16, len(x)):
        error = errors(train(x, target, length, first_loss=len(x) - 1), *test)[-1]
        page.print(f"{f'truncation {length}' if length < len(x) else 'no truncation':34}{error:7.0f}")
    page.close()


def errors_of_mean(target, test):
    """Median distance, mm, of the last positions of the test from the mean one."""
    return 1e3 * float((test[-1] - target[-1].mean(0)).norm(dim=1).median())


if __name__ == "__main__":
    main()
