"""Four design criteria of sequence models, and what happens to a network that does not meet one.

python -m lessons.criteria
"""

import numpy as np
import torch
from torch import nn

from ballcast.tracks import Track
from lessons import positions as data
from lessons.balls import errors, make_cases, networks, test_balls
from lessons.boxes import BLUE, GREEN, ORANGE, arrow, box, empty
from lessons.page import Page, finish, line_style
from lessons.positions import FRAMES, LEAD_TIME, features, positions, train

MODELS, HISTORY_FRAMES, BALL_COUNT = ("mlp", "rnn", "gru"), 45, 400
TRAINING_BALLS, STEPS, OWN = 6000, 1000, "written out"  # of the network written out in the lesson
LENGTHS = (1, 2, 3, 7, 20, 60, 150, 333, 500)  # frames of the sequences in one batch
EARLY, PERTURBATION, LAGS = 6, 0.005, (1, 4, 8, 11, 16, 30, 40, 60, 80)  # frames, m; frames later
SEEN, HIDDEN_FRAMES, WINDOW = 4, 24, 8  # a ball seen in its first frames; frames of the feed-forward window
SLOTS, DELAYS = 32, (0, 1, 2, 4, 8, 16)  # frames of the layer with separate weights; frames before the ball appears


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


def compare_order(page, network, predictors, tests):
    """Print the errors in order and shuffled; {name: (in order, shuffled)} mm."""
    histories, times, truth = make_cases(BALL_COUNT, HISTORY_FRAMES, LEAD_TIME)
    both = histories, [shuffled(track, n) for n, track in enumerate(histories)]
    results = {k: [1e3 * np.median(errors(p, t, times, truth)) for t in both] for k, p in predictors.items()}
    measured, targets = tests
    orders = torch.arange(HISTORY_FRAMES - 1), torch.from_numpy(np.random.default_rng(0).permutation(44))
    results = {OWN: [order_error(network, measured, targets, order) for order in orders], **results}
    page.print(f"\n2. order: error {LEAD_TIME:g} s ahead, mm, median of balls with {HISTORY_FRAMES} frames")
    page.print(f"{'':28}{'in order':>10}{'shuffled':>10}{'ratio':>10}")
    for name, (plain, mixed) in results.items():
        page.print(f"{name:28}{plain:10.0f}{mixed:10.0f}{mixed / plain:10.1f}")
    return results


def order_error(network, measured, targets, order):
    frame = len(order)
    x = features(reordered(measured, frame, order))
    return float(np.median(data.errors(network, x, targets[:, : frame + 1])[:, -1]))


def compare_influence(page, network, predictors, measured):
    """Print how far early frames reach; {name: row over LAGS} mm."""
    page.print(f"\n3. distant past: movement of the forecast, mm, if the first {EARLY} frames are moved by "
               f"{1e3 * PERTURBATION:g} mm")  # fmt: skip
    page.print(f"{'frames later':28}" + "".join(f"{n:>7}" for n in LAGS))
    own = own_influence(network, measured)
    results = {OWN: [1e3 * own[EARLY + n - 1] for n in LAGS if EARLY + n <= FRAMES]}
    results |= {name: [1e3 * influence(p, n) for n in LAGS] for name, p in predictors.items()}
    for name, row in results.items():
        page.print(f"{name:28}" + "".join(f"{v:7.2f}" for v in row))
    return results


def compare_hidden(page):
    inputs, targets = hidden_balls(TRAINING_BALLS, "train")
    tests = hidden_balls(800, "test")
    page.print(f"a ball is seen in its first {SEEN} frames; error of where it is at frame {HIDDEN_FRAMES}, mm")
    page.print(f"{OWN:28}{np.median(data.errors(trained(inputs, targets), *tests)[:, -1]):7.0f}")
    page.print(f"{f'the last {WINDOW} frames alone':28}{feed_forward(inputs, targets, tests):7.0f}")


def compare_delays(page, network, layer, tests):
    page.print(f"\n4. shared weights: error {LEAD_TIME:g} s ahead, mm, if the ball appears later")
    results = np.array([delayed_errors(network, layer, *tests, delay) for delay in DELAYS])
    page.print(f"{'frames later':28}" + "".join(f"{n:>7}" for n in DELAYS))
    for name, row in zip((OWN, "separate weights for a frame"), results.T):
        page.print(f"{name:28}" + "".join(f"{v:7.0f}" for v in row))
    return results


def draw_criteria(page):
    """One row of boxes for each criterion."""
    figure, plot = page.figure(1, 9.4, 3.0)
    empty(plot, (-0.5, 12.5), (-0.6, 3.6))
    titles = ("variable length", "long-term dependency", "order", "shared parameters")
    for k, title in enumerate(titles):
        plot.text(3.2 * k + 1.0, 3.4, title, ha="center", fontsize=10, weight="bold")
    for row, count in enumerate((3, 1, 2)):
        for n in range(count):
            box(plot, (0.8 * n + 0.2, 1.0 * row + 0.3), f"$x_{n + 1}$", BLUE, (0.6, 0.6))
    for n, name in enumerate(("x_1", "x_2", r"\dots", "x_T")):
        box(plot, (3.3 + 0.7 * n, 0.5), f"${name}$", BLUE if n in (0, 3) else "#ffffff", (0.6, 0.6))
    box(plot, (5.4, 2.0), "$y_T$", ORANGE, (0.6, 0.6))
    arrow(plot, (3.3, 0.5), (5.4, 2.0), "decides", gap=0.45, bend=-0.25, beside=(-0.55, 0.45))
    for row, names in enumerate(((1, 2, 3), (3, 1, 2))):
        for n, name in enumerate(names):
            box(plot, (6.6 + 0.8 * n, 1.6 * row + 0.5), f"$x_{name}$", BLUE, (0.6, 0.6))
    plot.text(7.4, 1.3, r"$\neq$", ha="center", va="center", fontsize=16)
    for n in range(3):
        box(plot, (9.9 + 0.9 * n, 0.4), f"$x_{n + 1}$", BLUE, (0.6, 0.6))
        box(plot, (9.9 + 0.9 * n, 2.2), f"$h_{n + 1}$", GREEN, (0.6, 0.6))
        arrow(plot, (9.9 + 0.9 * n, 0.4), (9.9 + 0.9 * n, 2.2), "$U$", beside=(-0.2, 0.0))
        if n:
            arrow(plot, (9.0 + 0.9 * n, 2.2), (9.9 + 0.9 * n, 2.2), "$W$", gap=0.31, beside=(0.0, 0.45))
    page.save(figure, "drawing")


def draw(page, orders, influences, delays):
    """Three of the four experiments, side by side."""
    figure, (left, middle, right) = page.figure(3)
    styles = {OWN: {"color": "#111111", "label": OWN}, **{name: line_style(name) for name in MODELS}}
    for k, (name, pair) in enumerate(orders.items()):
        left.bar([k - 0.2, k + 0.2], pair, width=0.38, alpha=0.9, color=styles[name]["color"])
    left.set_xticks(range(len(orders)), list(orders))
    left.set_ylabel("error in order, and shuffled, mm")
    for name, row in influences.items():
        middle.plot(LAGS[: len(row)], row, marker=".", **styles[name])
    moved = f"movement of the forecast, for {1e3 * PERTURBATION:g} mm early on, mm"
    finish(middle, xlabel="frames later", ylabel=moved)
    for row, style in zip(delays.T, (styles[OWN], {"color": "#d55e00", "label": "separate weights for a frame"})):
        right.semilogy(DELAYS, row, marker=".", **style)
    finish(right, xlabel="the ball appears so many frames later", ylabel="error, mm")
    page.save(figure)


def print_reversed(page, network, tests):
    """What the network says of balls whose frames come in reverse."""
    measured, targets = (part[:, :HISTORY_FRAMES] for part in tests)
    with torch.no_grad():
        forward, back = (network(features(part))[:, -1] for part in (measured, measured.flip(1)))
    cosine = torch.cosine_similarity(forward, back, dim=1).median()
    came_from = measured[:, 0] - measured[:, 12]
    page.print(f"cosine of the angle between the two forecasts, median: {cosine:.2f}")
    page.print(f"cosine of the angle to where the ball came from:       "
               f"{torch.cosine_similarity(back, came_from, dim=1).median():.2f}")  # fmt: skip


def main():
    page, predictors = Page("criteria"), networks(*MODELS)
    page.code(RNN)
    torch.set_num_threads(1)  # small matrices: a second thread would only wait
    print("training a network", flush=True)
    measured, targets = positions(TRAINING_BALLS)
    network, layer, tests = trained(features(measured), targets), slot_layer(measured, targets), test_positions()
    page.print(
        f"1. variable length: outputs for {len(LENGTHS)} sequences of 1 to {max(LENGTHS)} frames, each alone and"
    )
    page.print(f"all in one padded batch, differ by less than 0.0001: {'yes' if padded(network) < 1e-4 else 'no'}")
    orders = compare_order(page, network, predictors, tests)
    influences = compare_influence(page, network, predictors, tests[0])
    compare_hidden(page)
    delays = compare_delays(page, network, layer, tests)
    draw_criteria(page)
    draw(page, orders, influences, delays)
    page.next_block()
    page.print(f"{'weights':28}{'48 frames':>12}{'500 frames':>12}")
    page.print(f"{OWN:28}" + f"{sum(w.numel() for w in network.parameters()):12,}" * 2)
    page.print(f"{'a layer of 48 on all frames':28}" + "".join(f"{48 * (6 * n + 1) + 147:12,}" for n in (48, 500)))
    page.next_block()
    print_reversed(page, network, tests)
    page.close()


def test_positions():
    return positions(800, purpose="test")


if __name__ == "__main__":
    main()
