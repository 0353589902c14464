"""How a change of the hidden state long ago changes it now: gradients that vanish and explode, and what helps."""

import numpy as np
import torch
from torch import nn

from ballcast import models, sim
from ballcast.models.registry import weights_path
from ballcast.models.runtime.weights import read
from lessons.boxes import BLUE, GREEN, ORANGE, RED, arrow, box, empty
from lessons.cells import chrono_initialise, forget_less, jacobian_norms, loaded, make_cell, scaled
from lessons.page import Page, finish, line_style
from lessons.positions import features, positions

UNITS, BALLS, STEPS, BATCH, RATE, LIMIT = 32, 4000, 300, 64, 0.01, 10.0
STARTS = ("0.3", "orthogonal", "2", "3")  # how W begins: random numbers times a factor, or orthogonal
FRAMES, INPUTS, CELL_UNITS = 100, 8, 48  # of the table of cells
RECURRENT_GAIN = 4.0  # factor on the recurrent weights of a cell at which gradients explode
LAGS = (1, 10, 30, 100)  # frames
MODELS = ("rnn", "lstm", "gru")
COLORS = {"0.3": "#0072b2", "orthogonal": "#009e73", "2": "#e69f00", "3": "#d55e00"}


class RNN(nn.Module):
    """h_t = tanh(W h_{t-1} + U x_t + b) and y_t = V h_t + c, at every frame: from (B, T, 6) to (B, T, 3)."""

    def __init__(self, W):  # (H, H)
        super().__init__()
        self.W = nn.Parameter(W)
        self.U = nn.Linear(6, len(W))  # U and b
        self.V = nn.Linear(len(W), 3)  # V and c

    def states(self, x):
        h, states = x.new_zeros(len(x), len(self.W)), []
        for x_t in x.unbind(1):
            h = torch.tanh(h @ self.W.T + self.U(x_t))
            states.append(h)
        return torch.stack(states, 1)  # (B, T, H)

    def forward(self, x):
        return self.V(self.states(x))


def first_weights(start, units=UNITS):
    """W (H, H) before training: orthogonal (all singular values are 1), or random numbers times a factor."""
    if start == "orthogonal":
        return nn.init.orthogonal_(torch.empty(units, units))
    return float(start) * torch.randn(units, units) / units**0.5


def jacobian_product(W, h):
    """d h_T / d h_t for t = T, T - 1, ..., 1, 0 (T + 1, H, H), of the states h (T, H) of one sequence."""
    products = [torch.eye(len(W))]
    for h_t in h.flip(0):
        products.append(products[-1] @ torch.diag(1 - h_t**2) @ W)  # d h_t / d h_{t-1} = diag(1 - h_t^2) W
    return torch.stack(products)


def clip(parameters, limit):
    """Shorten the gradient, all parameters together, to the length `limit` if it is longer. Gives its old length."""
    length = torch.sqrt(sum(p.grad.square().sum() for p in parameters))
    for p in parameters:
        p.grad *= min(1.0, limit / float(length))
    return float(length)


def learn(network, inputs, targets, limit, steps=STEPS):
    """Plain gradient descent: each step's loss (summed over T frames, as a mean of balls) and length of gradient."""
    parameters, record = list(network.parameters()), []
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (BATCH,), generator=generator)
        loss = (network(inputs[rows]) - targets[rows]).square().mean(dim=(0, 2)).sum()  # L = sum of L_t
        network.zero_grad()
        loss.backward()
        record.append((loss.item(), clip(parameters, limit)))
        with torch.no_grad():
            for p in parameters:
                p -= RATE * p.grad
    return np.array(record)


def make(start, seed=0):
    torch.manual_seed(seed)
    return RNN(first_weights(start))


def norms(network, ball):
    """The largest and the smallest singular value of d h_T / d h_t (T + 1, 2), on the inputs (T, 6) of a ball."""
    with torch.no_grad():
        products = jacobian_product(network.W, network.states(ball[None])[0])
    values = torch.linalg.svdvals(products.double())
    return values[:, [0, -1]].numpy()


def curves(balls, steps=STEPS):
    """(how W begins, limit of the gradient) -> what learn() records."""
    limits = (LIMIT, float("inf"))
    return {(start, limit): learn(make(start), *balls, limit, steps) for start in STARTS for limit in limits}


def flight(name, seed=0):
    """The features (FRAMES, F) of one ball, as the shipped network of that name reads them."""
    predictor = models.load(name, "table_tennis")
    ball = sim.draw(predictor.sport, 1, seed=seed, purpose="play")
    stream, rows = predictor.stream(), []
    for time, position in zip(ball.time[:FRAMES], ball.position[:FRAMES]):
        stream.observe(time, position)
        rows.append(stream.features)
    return torch.from_numpy(np.array(rows))


def cases(units=CELL_UNITS, frames=FRAMES):
    """(cell, initialisation) -> norms (frames + 1,), all on the same random sequence."""
    torch.manual_seed(1)
    x, results = torch.randn(frames, INPUTS), {}
    for name in MODELS:
        results[name, "as torch makes it"] = jacobian_norms(make_cell(name, INPUTS, units, 0), x)
        large = scaled(make_cell(name, INPUTS, units, 0), RECURRENT_GAIN)
        results[name, f"weights x {RECURRENT_GAIN:g}"] = jacobian_norms(large, x)
        if name == "lstm":
            results[name, "forget gate's bias 1"] = jacobian_norms(forget_less(make_cell(name, INPUTS, units, 0)), x)
        if name != "rnn":
            slow = chrono_initialise(make_cell(name, INPUTS, units, 0), frames)
            results[name, "biases for the length"] = jacobian_norms(slow, x)
    return results


def trained():
    """The same for the shipped networks, on a ball."""
    sport, results = sim.load("table_tennis"), {}
    for name in MODELS:
        cell = loaded(name, read(weights_path(name, sport))[1])
        results[name, "trained, on a ball"] = jacobian_norms(cell, flight(name))
    return results


def label(start):
    return start if start == "orthogonal" else f"random x {start}"


def print_own(page, ball, learnt):
    """The tables of the RNN of the page: singular values before training, and how it learns."""
    page.print("before training, singular values of d h_T / d h_t on a ball: largest, smallest")
    page.print(f"{'W begins':12}" + "".join(f"{f'{k} back':>23}" for k in (1, 10, 30)))
    for start in STARTS:
        rows = norms(make(start), ball)
        page.print(f"{label(start):12}" + "".join(f"{rows[k, 0]:14.1e}{rows[k, 1]:9.0e}" for k in (1, 10, 30)))
    page.print(f"\n{STEPS} steps of gradient descent: loss L in the last 50, and the longest gradient on the way")
    page.print(f"{'W begins':12}{'clipped to ' + format(LIMIT, 'g'):>30}{'not clipped':>30}")
    for start in STARTS:
        records = [learnt[start, limit] for limit in (LIMIT, float("inf"))]
        page.print(f"{label(start):12}" + "".join(f"{r[-50:, 0].mean():18.2f}{longest(r):12.2g}" for r in records))


def longest(record):
    """The longest gradient while it was finite."""
    return record[np.isfinite(record[:, 1]), 1].max()


def print_cells(page, results):
    page.print("norm of d h_T / d h_t        " + "".join(f"{f'{k} back':>12}" for k in LAGS))
    for (name, how), rows in results.items():
        page.print(f"{name:5} {how:24}" + "".join(f"{rows[min(k, len(rows) - 1)]:12.2e}" for k in LAGS))


def print_solutions(page, ball):
    """The figures of the two exercises."""
    page.next_block()
    for factor in (0.9, 1.0, 1.1):
        network = make("orthogonal")
        network.W.data *= factor
        rows = norms(network, ball)
        page.print(f"orthogonal W x {factor:g}: {rows[30, 0]:8.1e} over 30 frames; without tanh {factor**30:8.1e}")
    page.next_block()
    for factor in (0.1, 1.0, 3.0, 10.0):
        network = make("orthogonal")
        with torch.no_grad():
            slopes = 1 - network.states(factor * ball[None]) ** 2
        text = f"{norms(network, factor * ball)[30, 0]:8.1e} over 30 frames; mean of 1 - h_j^2: {slopes.mean():.2f}"
        page.print(f"inputs x {factor:<4g} largest singular value {text}")


def draw_chain(page):
    """The chain of Jacobians: forward in black, back in red."""
    figure, plot = page.figure(1, 8.4, 2.9)
    empty(plot, (-0.7, 8.7), (-0.75, 2.5))
    for k, name in enumerate(("t", "t+1", "t+2", "T")):
        x = 2.6 * k
        box(plot, (x, 1), f"$h_{{{name}}}$", BLUE)
        box(plot, (x, -0.3), f"$x_{{{name}}}$", GREEN)
        arrow(plot, (x, -0.3), (x, 1), "$U$", beside=(0.2, 0.0))
        if k:
            arrow(plot, (x - 2.6, 1), (x, 1), "$W$, tanh" if k < 3 else "...", beside=(0.0, -0.2))
            factor = f"$\\mathrm{{diag}}(1-h_{{{name}}}^2)\\,W$"
            arrow(plot, (x, 1), (x - 2.6, 1), factor, color=RED, bend=0.35, beside=(0.0, 0.78))
    box(plot, (7.8, 2.05), "$L_T$", ORANGE)
    arrow(plot, (7.8, 1), (7.8, 2.05), gap=0.34)
    page.save(figure, "drawing")


def draw_learning(page, learnt, ball):
    """How fast the products grow or shrink, and the curves of learning, clipped and not."""
    figure, plots = page.figure(3)
    for start in STARTS:
        rows = norms(make(start), ball)
        plots[0].semilogy(rows[:, 0], color=COLORS[start], label=label(start))
        for plot, limit in zip(plots[1:], (LIMIT, float("inf"))):
            plot.semilogy(smooth(learnt[start, limit][:, 0]), color=COLORS[start], label=label(start))
    finish(plots[0], xlabel="frames back, T - t", ylabel="norm of d h_T / d h_t", ylim=(1e-16, 1e16))
    for plot, title in zip(plots[1:], (f"clipped to {LIMIT:g}", "not clipped")):
        finish(plot, title=title, xlabel="step", ylabel="loss L", ylim=(1.5, 1e3))
    page.save(figure)


def smooth(values, width=10):
    """Means of `width` neighbours; a curve ends where it is no longer a number."""
    return np.convolve(values, np.full(width, 1 / width), "valid")


def draw_cells(page, results):
    figure, plots = page.figure(3)
    dashes = {"as torch makes it": "-", "trained, on a ball": "-.", "forget gate's bias 1": (0, (1, 3))}
    for plot, name in zip(plots, MODELS):
        for (model, how), rows in results.items():
            if model == name:
                dash = dashes.get(how, "--" if " x " in how else ":")
                plot.semilogy(rows, color=line_style(name)["color"], linestyle=dash, label=how)
        finish(plot, title=name, xlabel="frames back, T - t", ylim=(1e-16, 1e12))
    plots[0].set_ylabel("norm of d h_T / d h_t")
    page.save(figure, "cells")


def main():
    print("gradients: an RNN with several beginnings of W", flush=True)
    page, (x, y) = Page("gradients"), positions(BALLS)
    page.code(RNN, first_weights, jacobian_product, clip, learn)
    inputs = features(x)
    learnt, results = curves((inputs, y)), cases() | trained()
    print_own(page, inputs[0], learnt)
    page.next_block()
    print_cells(page, results)
    print_solutions(page, inputs[0])
    draw_chain(page)
    draw_learning(page, learnt, inputs[0])
    draw_cells(page, results)
    page.close()


if __name__ == "__main__":
    main()
