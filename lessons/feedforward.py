"""A feed-forward network on slices of a flight: every moment for itself, and nothing before the slice."""

import numpy as np
import torch
from torch import nn

from lessons.drawing import HIDDEN, INPUT, OUTPUT, arrow, box, canvas
from lessons.page import Page, finish
from lessons.positions import CENTRE, FRAMES, LEAD_TIME, RATE, SPEED, SPREAD, errors, positions, train

BALL_COUNT, TEST_COUNT, UNITS, BATCH = 12_000, 1000, 64, 1024
LENGTHS = (1, 2, 4, 8, 16, 32)  # frames of a slice
SHOWN = (1, 2, 4, 8, 16, 32, 48)  # frames whose errors are printed
ORDER_LENGTH = 8  # frames of the slices for the experiments on order


def slices(positions, frames):
    """The slice (B, T, 3 * frames) that ends at each frame of positions (B, T, 3) m: its last position, and the steps
    between its frames, each divided by its usual size. Before the first frame that frame is repeated."""
    padded = torch.cat([positions[:, :1].expand(-1, frames - 1, -1), positions], dim=1)
    cut = padded.unfold(1, frames, 1)  # (B, T, 3, frames)
    last = (cut[..., -1] - torch.tensor(CENTRE)) / torch.tensor(SPREAD)
    return torch.cat([last, torch.diff(cut, dim=-1).mT.flatten(2) * RATE / SPEED], dim=-1)


class FeedForward(nn.Module):
    """a = max(0, W1 x + b1); y = W2 a + b2."""

    def __init__(self, frames, units=UNITS):
        super().__init__()
        self.hidden = nn.Linear(3 * frames, units)  # W1, b1
        self.output = nn.Linear(units, 3)  # W2, b2

    def forward(self, x):  # (..., 3 * frames)
        a = torch.relu(self.hidden(x))  # (..., units)
        return self.output(a)  # (..., 3) m


def learn(inputs, targets, frames, steps=2000, seed=0):
    """A network that is trained on slices (B, T, 3 * frames), every one a sample of its own."""
    torch.manual_seed(seed)
    return train(FeedForward(frames), inputs.flatten(0, 1), targets.flatten(0, 1), steps, BATCH)


def weights(network):
    """How many numbers a network has learned."""
    return sum(part.numel() for part in network.parameters())


def late(network, inputs, targets):
    """The median error, mm, at the frames after the 32nd, where all slices are full."""
    return float(np.median(errors(network, inputs, targets)[:, max(LENGTHS) :]))


def shuffled(positions, frames, seed=0):
    """Slices as those of `slices`, but the frames before the last one in an order of their own in every slice."""
    generator = torch.Generator().manual_seed(seed)
    padded = torch.cat([positions[:, :1].expand(-1, frames - 1, -1), positions], dim=1)
    cut = padded.unfold(1, frames, 1)
    order = torch.rand(*cut.shape[:2], 1, frames, generator=generator)
    order[..., -1] = 2.0  # the last frame stays the last
    cut = cut.gather(-1, order.argsort(-1).expand(cut.shape))
    last = (cut[..., -1] - torch.tensor(CENTRE)) / torch.tensor(SPREAD)
    return torch.cat([last, (cut[..., :-1] - cut[..., -1:]).mT.flatten(2) * RATE / SPEED], dim=-1)


def moved(network, positions, frames, before):
    """The largest change, mm, of the forecasts at the last frame if all but the last `before` frames move by 10 mm."""
    other = positions.clone()
    other[:, : positions.shape[1] - before] += 0.01
    with torch.no_grad():
        a, b = (network(slices(p, frames)[:, -1]) for p in (positions, other))
    return 1e3 * float((a - b).abs().max())


def order_rows(page, balls, truth, test, test_truth, network):
    """Print what happens when the numbers of a slice stand in another order, and when the past changes."""
    n = ORDER_LENGTH
    inputs, others = slices(balls, n), slices(test, n)
    columns = torch.randperm(3 * n, generator=torch.Generator().manual_seed(0))
    same = learn(inputs[..., columns], truth, n)
    page.print(f"slices of {n} frames, error of the network, mm:")
    page.print(f"{'numbers in the order of time':48}{late(network, others, test_truth):7.0f}")
    page.print(f"{'in another order, the same for every slice':48}{late(same, others[..., columns], test_truth):7.0f}")
    outside, inside = (moved(network, test, n, before) for before in (n, n - 1))
    page.print(f"the {FRAMES - n} frames before the slice move by 10 mm: the forecast moves by {outside:g} mm")
    page.print(f"the first frame of the slice moves too: the forecast moves by up to {inside:.0f} mm")
    page.next_block()
    mixed = learn(shuffled(balls, n), truth, n)
    off = late(mixed, shuffled(test, n), test_truth)
    page.print(f"every slice of {n} frames in an order of its own: error {off:.0f} mm")


def main():
    page = Page("feedforward")
    page.code(slices, FeedForward)
    page.print(f"error {LEAD_TIME:g} s ahead, mm, median of {TEST_COUNT} balls, at frame")
    page.print(f"{'slice, frames':16}{'weights':>8}" + "".join(f"{k:>7}" for k in SHOWN))
    (balls, truth), (test, test_truth) = positions(BALL_COUNT), positions(TEST_COUNT, purpose="test")
    networks, results = {}, {}
    for n in LENGTHS:
        networks[n] = learn(slices(balls, n), truth, n)
        results[n] = np.median(errors(networks[n], slices(test, n), test_truth), axis=0)
        page.print(f"{n:<16}{weights(networks[n]):8}" + "".join(f"{results[n][k - 1]:7.0f}" for k in SHOWN))
    page.next_block()
    order_rows(page, balls, truth, test, test_truth, networks[ORDER_LENGTH])
    page.next_block()
    page.print("weights of a slice of 48 frames by formula and counted: "
               f"{UNITS} * (3 * 48) + {UNITS} + 3 * {UNITS} + 3 = {weights(FeedForward(48))}")  # fmt: skip
    draw_network(page)
    draw(page, results, {n: weights(network) for n, network in networks.items()})


def draw_network(page):
    """A flight, a slice of it, and the network that reads the slice."""
    figure, plot = canvas(page, (0, 13), (0, 4.2))
    x = np.linspace(0.4, 6.6, 18)
    y = 1.2 + 2.2 * (1 - ((x - 4.2) / 4.2) ** 2)
    for k in range(len(x)):
        plot.plot(x[k], y[k], "o", color="#0072b2" if 9 <= k < 13 else "#bdbdbd", markersize=6)
    plot.plot([x[9] - 0.17, x[12] + 0.17, x[12] + 0.17, x[9] - 0.17, x[9] - 0.17],
              [2.8, 2.8, 3.7, 3.7, 2.8], color="#0072b2", linewidth=1)  # fmt: skip
    plot.text(1.9, 3.7, "before the slice: lost", ha="center", fontsize=9, color="#7a7a7a")
    plot.text((x[9] + x[12]) / 2, 3.85, "slice", ha="center", fontsize=9, color="#0072b2")
    arrow(plot, (x[12] + 0.3, 3.1), (7.75, 2.1))
    plot.text(6.9, 0.35, "time", ha="right", fontsize=9)
    arrow(plot, (0.4, 0.65), (6.9, 0.65))
    box(plot, 8.2, 2.1, "$x$", INPUT, 0.4, 0.9)
    arrow(plot, (8.6, 2.1), (9.6, 2.1), "$W_1, b_1$", shift=(0, 0.25))
    box(plot, 10.0, 2.1, "$a$", HIDDEN, 0.4, 1.5)
    arrow(plot, (10.4, 2.1), (11.4, 2.1), "$W_2, b_2$", shift=(0, 0.25))
    box(plot, 11.8, 2.1, "$y$", OUTPUT, 0.4, 0.5)
    for x, text in ((8.2, "slice"), (10.0, "hidden layer"), (11.8, "where next")):
        plot.text(x, 0.3, text, ha="center", fontsize=9)
    page.save(figure, "drawing")


def draw(page, results, counts):
    """Errors by frame, and errors and weights by the length of the slice."""
    figure, (left, right) = page.figure(2)
    for n in (1, 2, 4, 16):
        left.semilogy(np.arange(1, FRAMES + 1), results[n], label=f"slice of {n}")
    finish(left, xlabel="frame", ylabel="error 0.2 s ahead, mm")
    right.semilogx(LENGTHS, [results[n][max(LENGTHS) :].mean() for n in LENGTHS], "o-", color="#d55e00")
    right.set_xticks(LENGTHS, LENGTHS)
    right.minorticks_off()
    right.set_ylim(0)
    finish(right, 0, xlabel="frames of a slice", ylabel="error at frames from 33 on, mm (orange)")
    other = right.twinx()
    other.plot(LENGTHS, list(counts.values()), "s--", color="#0072b2")
    other.set_ylim(0)
    other.set_ylabel("weights (blue)")
    other.grid(False)
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
