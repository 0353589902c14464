"""Four design criteria of sequence models, and what happens to a network that does not meet one.

python -m lessons.criteria
"""

import numpy as np
import torch

from lessons import positions as data
from lessons.balls import errors, make_cases, networks
from lessons.boxes import BLUE, GREEN, ORANGE, arrow, box, empty
from lessons.page import Page, finish, line_style
from lessons.positions import FRAMES, LEAD_TIME, features, positions
from lessons.written_out import (
    EARLY,
    HIDDEN_FRAMES,
    LAGS,
    LENGTHS,
    PERTURBATION,
    RNN,
    SEEN,
    WINDOW,
    delayed_errors,
    feed_forward,
    hidden_balls,
    influence,
    own_influence,
    padded,
    reordered,
    shuffled,
    slot_layer,
    trained,
)

MODELS, HISTORY_FRAMES, BALL_COUNT = ("mlp", "rnn", "gru"), 45, 400
TRAINING_BALLS, OWN = 6000, "written out"  # of the network written out in the lesson
DELAYS = (0, 1, 2, 4, 8, 16)  # frames before the ball appears


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
    finish(middle, xlabel="frames later", ylabel="the forecast moves by, mm")
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
