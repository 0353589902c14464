"""The loss at every time step and the total loss, their sum; and what a network learns from the last loss alone."""

import numpy as np
import torch

from lessons.drawing import HIDDEN, arrow, box, canvas, unrolled
from lessons.page import Page, finish
from lessons.positions import FRAMES, errors, features, positions, train
from lessons.recurrence import RNN

BALL_COUNT, TEST_COUNT, STEPS = 12_000, 1000, 1500
BATCH_SHOWN = 192  # balls whose gradient is taken apart
SHOWN = (1, 2, 4, 8, 16, 24, 32, 40, 48)  # frames that are printed
PARTS = ("W.weight", "U.weight", "U.bias")


def step_losses(network, x, targets):
    """L_t (T,) m^2: the squared distance from the truth at each time step, mean over the balls."""
    return (network(x) - targets).square().sum(dim=-1).mean(dim=0)


def all_steps(losses):
    return losses.sum()  # L = L_1 + ... + L_T


def last_step(losses):
    return losses[-1]  # L_T alone


def learn(x, targets, total_loss, steps=STEPS, seed=0):
    """A recurrent network that is trained on this total loss."""
    torch.manual_seed(seed)
    return train(RNN(), x, targets, steps, loss=lambda *batch: total_loss(step_losses(*batch)))


def unrolled_losses(network, x, targets):
    """L_t (T,), of a network with its own copy of W, U and b at every time step; and the copies, a list per step."""
    h, losses, copies = x.new_zeros(len(x), network.W.out_features), [], []
    parts = dict(network.named_parameters())
    for frame, target in zip(x.unbind(1), targets.unbind(1)):
        W, U, b = (parts[name].detach().clone().requires_grad_() for name in PARTS)
        h = torch.tanh(h @ W.T + frame @ U.T + b)
        losses.append((network.V(h) - target).square().sum(dim=-1).mean())
        copies.append([W, U, b])
    return torch.stack(losses), copies


def norm(parts):
    return float(torch.sqrt(sum(part.square().sum() for part in parts)))


def contributions(network, x, targets):
    """Norms (T, T) of d L_t / d (the weights of step s), row t, column s; and the largest difference between the sum
    over all copies and the gradient of the shared weights."""
    losses, copies = unrolled_losses(network, x, targets)
    flat = [part for step in copies for part in step]
    table = np.zeros((len(losses), len(losses)))
    added = [torch.zeros_like(part) for part in copies[0]]
    for t, loss in enumerate(losses):
        used = flat[: 3 * (t + 1)]  # later copies have no part in this loss
        grads = torch.autograd.grad(loss, used, retain_graph=True)
        for s in range(t + 1):
            table[t, s] = norm(grads[3 * s : 3 * s + 3])
            added = [a + g for a, g in zip(added, grads[3 * s : 3 * s + 3])]
    shared = [dict(network.named_parameters())[name] for name in PARTS]
    whole = torch.autograd.grad(step_losses(network, x, targets).sum(), shared)
    return table, max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(added, whole))


def main():
    page = Page("loss_over_time")
    page.code(step_losses, all_steps, last_step, learn, train)
    page.print(f"error 0.2 s ahead, mm, median of {TEST_COUNT} balls, at frame")
    page.print(f"{'trained on':24}" + "".join(f"{k:>7}" for k in SHOWN))
    (balls, truth), (test, test_truth) = positions(BALL_COUNT), positions(TEST_COUNT, purpose="test")
    x, test_x, results, networks = features(balls), features(test), {}, {}
    for name, total in (("the loss of all frames", all_steps), ("the last loss alone", last_step)):
        networks[name] = learn(x, truth, total)
        results[name] = np.median(errors(networks[name], test_x, test_truth), axis=0)
        page.print(f"{name:24}" + "".join(f"{results[name][k - 1]:7.0f}" for k in SHOWN))
    page.next_block()
    network, rows = networks["the loss of all frames"], slice(0, BATCH_SHOWN)
    table, off = show_contributions(page, network, test_x[rows], test_truth[rows])
    page.next_block()
    solutions(page, network, test_x[rows], test_truth[rows], table)
    draw_network(page)
    draw(page, results, table)


def show_contributions(page, network, x, targets):
    """Print the losses, their sum, and how the gradients of the copies add up."""
    with torch.no_grad():
        losses = step_losses(network, x, targets)
    page.print(f"{'frame t':24}" + "".join(f"{k:>7}" for k in SHOWN))
    page.print(f"{'L_t, m^2':24}" + "".join(f"{losses[k - 1]:7.3f}" for k in SHOWN))
    page.print(f"L, the sum of all {len(losses)}: {losses.sum():.2f} m^2")
    table, off = contributions(network, x, targets)
    page.print(f"the gradients by the {FRAMES} copies of the weights, added up, differ from the gradient of the shared "
               f"weights by {off:.0e} of its size")  # fmt: skip
    return table, off


def solutions(page, network, x, targets, table):
    """Print the figures of both exercises."""
    sizes = []
    for total in (torch.sum, torch.mean):
        grads = torch.autograd.grad(total(step_losses(network, x, targets)), list(network.parameters()))
        sizes.append(norm(grads))
    page.print(f"norm of the gradient of the sum {sizes[0]:.3g}, of the mean {sizes[1]:.3g}: "
               f"ratio {sizes[0] / sizes[1]:.1f}")  # fmt: skip
    page.next_block()
    row = table[-1] / table[-1].sum()
    page.print(f"{f'share in the gradient of L_{FRAMES}':32}{'by the weights of steps':>26}")
    for a, b in ((0, 12), (12, 24), (24, 36), (36, 48)):
        page.print(f"{row[a:b].sum():32.3f}{f'{a + 1} to {b}':>26}")


def draw_network(page):
    """The unrolled network with a loss at every step, and their sum."""
    figure, plot = canvas(page, (0, 11), (0, 6.4))
    box(plot, 1.2, 1.9, "$h_0$", HIDDEN)
    unrolled(plot, 2.9, 0.6, ("1", "2", "3", None, "T"), top="L")
    box(plot, 6.3, 5.8, "$L = L_1 + L_2 + ... + L_T$", "#fdbf6f", 2.0)
    for x in (2.9, 4.6, 6.3, 9.7):
        arrow(plot, (x, 4.8), (min(max(x, 4.5), 8.1), 5.5))
    page.save(figure, "drawing")


def draw(page, results, table):
    """Errors by frame of both networks; and the contribution of each step's weights to each loss."""
    figure, (left, right) = page.figure(2)
    for (name, row), color in zip(results.items(), ("#0072b2", "#d55e00")):
        left.semilogy(np.arange(1, FRAMES + 1), row, color=color, label=f"trained on {name}")
    finish(left, xlabel="frame", ylabel="error 0.2 s ahead, mm")
    shares = np.where(table > 0, table / table.sum(axis=1, keepdims=True), np.nan)
    image = right.imshow(np.log10(shares), origin="lower", extent=(0.5, FRAMES + 0.5) * 2, vmin=-4, vmax=0)
    finish(right, 0, xlabel="weights of step s", ylabel="loss of step t")
    right.grid(False)
    figure.colorbar(image, label="share in the gradient of $L_t$, power of 10")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
