"""A recurrent network written out: a hidden state that is updated at every frame, by the same weights."""

import numpy as np
import torch
from torch import nn

from lessons.balls import networks
from lessons.drawing import HIDDEN, INPUT, OUTPUT, arrow, box, canvas, unrolled
from lessons.feedforward import learn as learn_slices
from lessons.feedforward import slices, weights
from lessons.page import Page, finish
from lessons.pair import AHEAD, PAST, SPIN, apart, measured, own_forecasts, shipped_forecasts, spin_pair, spinning
from lessons.positions import FRAMES, errors, features, positions, train

BALL_COUNT, TEST_COUNT, UNITS, LENGTH = 12_000, 1000, 64, 4  # LENGTH: frames of the feed-forward network's slice
SHOWN = (1, 2, 4, 8, 16, 24, 32, 48)  # frames whose errors are printed
GIVEN = (2, 4, 6, 9, 12, 15, 18)  # frames of the pair that are given


class RNN(nn.Module):
    """h_t = tanh(W h_{t-1} + U x_t + b); y_t = V h_t + c."""

    def __init__(self, inputs=6, units=UNITS, outputs=3):
        super().__init__()
        self.W = nn.Linear(units, units, bias=False)
        self.U = nn.Linear(inputs, units)  # its bias is b
        self.V = nn.Linear(units, outputs)  # its bias is c

    def step(self, x, h):
        """The next hidden state (B, units), from the frame x (B, inputs) and the hidden state before."""
        return torch.tanh(self.W(h) + self.U(x))

    def hidden(self, x):
        """The hidden states (B, T, units) of sequences x (B, T, inputs)."""
        h = x.new_zeros(len(x), self.W.out_features)
        states = []
        for frame in x.unbind(1):  # one frame after the other
            h = self.step(frame, h)
            states.append(h)
        return torch.stack(states, dim=1)

    def forward(self, x):
        return self.V(self.hidden(x))  # (B, T, outputs)


def learn(inputs, targets, steps=1500, seed=0):
    """A trained RNN."""
    torch.manual_seed(seed)
    return train(RNN(), inputs, targets, steps)


def show_pair(page, forecasters, pair):
    """Print how far apart the forecasts are, by the frames given; name -> these distances, m."""
    truth = np.linalg.norm(pair[0, PAST + 11] - pair[1, PAST + 11])
    page.print(f"two balls with the same position and velocity now, spin {-SPIN[0]:.0f} and {SPIN[0]:.0f} rad/s: "
               f"{AHEAD:g} s later {1e3 * truth:.0f} mm apart")  # fmt: skip
    page.print(f"{'forecasts apart, mm; frames given':36}" + "".join(f"{n:>7}" for n in GIVEN))
    past, results = measured(pair), {}
    for name, forecast in forecasters.items():
        results[name] = [apart(pair, forecast(past[:, :, PAST - n :])) for n in GIVEN]
        page.print(f"{name:36}" + "".join(f"{1e3 * v:7.0f}" for v in results[name]))
    return results


def main():
    page = Page("recurrence")
    page.code(RNN)
    page.print(f"error {AHEAD:g} s ahead, mm, median of {TEST_COUNT} balls, at frame")
    page.print(f"{'':24}{'weights':>8}" + "".join(f"{k:>7}" for k in SHOWN))
    (balls, truth), (test, test_truth) = positions(BALL_COUNT), positions(TEST_COUNT, purpose="test")
    plain, recurrent = learn_slices(slices(balls, LENGTH), truth, LENGTH), learn(features(balls), truth)
    rows = {f"slice of {LENGTH}": (plain, slices(test, LENGTH)), "recurrent": (recurrent, features(test))}
    results = {name: np.median(errors(network, x, test_truth), axis=0) for name, (network, x) in rows.items()}
    for name, (network, _) in rows.items():
        page.print(f"{name:24}{weights(network):8}" + "".join(f"{results[name][k - 1]:7.0f}" for k in SHOWN))
    page.next_block()
    gru = networks("gru")["gru"]
    spins, spin_truth = spinning(BALL_COUNT)
    spin_plain = learn_slices(slices(spins, LENGTH), spin_truth, LENGTH)
    spin_recurrent = learn(features(spins), spin_truth, steps=2500)
    forecasters = {
        f"slice of {LENGTH}": lambda tracks: own_forecasts(spin_plain, lambda p: slices(p, LENGTH), tracks),
        "recurrent": lambda tracks: own_forecasts(spin_recurrent, features, tracks),
        "recurrent, learned from all balls": lambda tracks: own_forecasts(recurrent, features, tracks),
        "gru, as shipped": lambda tracks: shipped_forecasts(gru, tracks),
    }
    pair = spin_pair()
    distances = show_pair(page, forecasters, pair)
    page.next_block()
    solutions(page, recurrent, test, test_truth)
    draw_network(page)
    draw(page, results, pair, forecasters, distances)
    draw_units(page, recurrent)
    page.close()


def solutions(page, network, test, truth):
    """Print the figures of both exercises."""
    x = features(test)
    h = torch.zeros(1, UNITS)
    with torch.no_grad():
        for frame in x[:1].unbind(1):
            h = torch.tanh(h @ network.W.weight.T + frame @ network.U.weight.T + network.U.bias)
        off = float((network.V(h) - network(x[:1])[:, -1]).abs().max())
    page.print(f"forecast at frame {FRAMES} from h alone and from the loop differ by {off:.0e} m; "
               f"h is {UNITS} numbers, the frames that it stands for are {3 * FRAMES}")  # fmt: skip
    page.next_block()
    fresh = np.median(errors(network, features(test[:, 32:]), truth[:, 32:]), axis=0)
    kept = np.median(errors(network, x, truth)[:, 32:], axis=0)
    page.print(f"{'frame':32}" + "".join(f"{33 + k:>7}" for k in (0, 1, 3, 7, 15)))
    for name, row in (("error, mm, h kept", kept), ("error, mm, h set to 0 before 33", fresh)):
        page.print(f"{name:32}" + "".join(f"{row[k]:7.0f}" for k in (0, 1, 3, 7, 15)))


def draw_network(page):
    """The loop, and the same network unrolled."""
    figure, plot = canvas(page, (0, 13), (0, 4.2))
    for row, (letter, color) in enumerate((("x", INPUT), ("h", HIDDEN), ("y", OUTPUT))):
        box(plot, 1.2, 0.6 + 1.3 * row, f"${letter}_t$", color)
    for height, letter in ((0.9, "$U$"), (2.2, "$V$")):
        arrow(plot, (1.2, height), (1.2, height + 0.7), letter, shift=(0.22, 0))
    plot.plot([1.62, 2.3, 2.3], [1.75, 1.75, 2.05], color="#404040", linewidth=1)
    arrow(plot, (2.3, 2.05), (1.62, 2.05))
    plot.text(2.55, 1.9, "$W$", fontsize=10, ha="center", va="center")
    plot.text(3.55, 1.9, "=", fontsize=16, ha="center", va="center")
    box(plot, 4.6, 1.9, "$h_0$", HIDDEN)
    unrolled(plot, 6.3, 0.6, ("1", "2", None, "T"))
    plot.text(1.2, 3.9, "the loop", ha="center", fontsize=9)
    plot.text(8.6, 3.9, "unrolled: the same U, W and V at every step", ha="center", fontsize=9)
    page.save(figure, "drawing")


def draw(page, results, pair, forecasters, distances):
    """Errors by frame; the pair from the side; how far apart the forecasts are."""
    figure, (left, side, right) = page.figure(3, 4.0)
    colors = dict(zip(distances, ("#8c6d1f", "#0072b2", "#56b4e9", "#d55e00")))
    for name, row in results.items():
        left.semilogy(np.arange(1, FRAMES + 1), row, color=colors[name], label=name)
    finish(left, xlabel="frame", ylabel=f"error {AHEAD:g} s ahead, mm")
    past = measured(pair)
    for k, (how, mark) in enumerate((("topspin", "^"), ("backspin", "v"))):
        side.plot(past[0, k, :, 1], past[0, k, :, 2], mark, color="#7a7a7a", markersize=3, label=f"{how}, measured")
        side.plot(*pair[k, PAST - 1 :, 1:].T, color="#000000", linewidth=0.8)
        for name, width in ((next(iter(colors)), 5), ("recurrent", 9)):
            ahead = np.median(forecasters[name](past)[:, k], axis=0)
            label = f"{name}: {how}, forecast"
            side.plot(*ahead[1:], mark, color=colors[name], markersize=width, fillstyle="none", label=label)
    finish(side, 6, xlabel="along the table, m", ylabel="height, m")
    for name, row in distances.items():
        right.plot(GIVEN, 1e3 * np.array(row), ".-", color=colors[name], label=name)
    right.axhline(1e3 * np.linalg.norm(pair[0, -1] - pair[1, -1]), color="#000000", linewidth=0.8, label="the balls")
    finish(right, 6, xlabel="frames given", ylabel="forecasts apart, mm")
    page.save(figure)


def draw_units(page, network):
    """The hidden state along a flight, and the height of the ball below it."""
    figure, _ = page.figure(1, 7.2, 3.8)
    figure.clear()
    units, height = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    x, _ = positions(1, purpose="test", seed=1)
    with torch.no_grad():
        states = network.hidden(features(x))[0]  # (T, units)
    order = states.diff(dim=0).abs().mean(0).argsort()
    image = units.imshow(states[:, order].T, aspect="auto", origin="lower", vmin=-1, vmax=1, cmap="RdBu_r",
                         extent=(0.5, FRAMES + 0.5, 0, UNITS))  # fmt: skip
    units.grid(False)
    finish(units, 0, ylabel="hidden unit, the slowest first")
    height.plot(np.arange(1, FRAMES + 1), x[0, :, 2], color="#000000", linewidth=1)
    finish(height, 0, xlabel="frame", ylabel="height, m")
    figure.colorbar(image, label="value", ax=units)
    page.save(figure, "units")


if __name__ == "__main__":
    main()
