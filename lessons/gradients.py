"""How a change of the memory long ago changes it now: gradients that vanish, that explode, and that gates preserve."""

import numpy as np
import torch

from ballcast import models, sim
from ballcast.models.registry import weights_path
from ballcast.models.runtime.weights import read
from lessons.cells import chrono_initialise, jacobian_norms, jacobian_products, jacobians, loaded, make_cell, scaled
from lessons.page import Page, finish, line_style

FRAMES, INPUTS, UNITS = 100, 8, 48
RECURRENT_GAIN = 4.0  # factor on the recurrent weights at which gradients explode
LAGS = (1, 10, 30, 100)  # frames
MODELS = ("rnn", "lstm", "gru")


def flight(name, seed=0):
    """The features (FRAMES, F) of one ball, as the trained network of that name reads them."""
    predictor = models.load(name, "table_tennis")
    ball = sim.draw(predictor.sport, 1, seed=seed, purpose="play")
    stream, features = predictor.stream(), []
    for time, position in zip(ball.time[:FRAMES], ball.position[:FRAMES]):
        stream.observe(time, position)
        features.append(stream.features)
    return torch.from_numpy(np.array(features))


def cases(units=UNITS, frames=FRAMES):
    """(model, initialisation) -> norms (frames + 1,), all on the same random sequence."""
    torch.manual_seed(1)
    x, results = torch.randn(frames, INPUTS), {}
    for name in MODELS:
        results[name, "as torch makes it"] = jacobian_norms(make_cell(name, INPUTS, units, 0), x)
        loud = scaled(make_cell(name, INPUTS, units, 0), RECURRENT_GAIN)
        results[name, f"weights x {RECURRENT_GAIN:g}"] = jacobian_norms(loud, x)
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


def clipped(page):
    """Print what clipping does to a gradient that explodes: its norm before and after."""
    cell = scaled(make_cell("rnn", INPUTS, UNITS, 0), RECURRENT_GAIN)
    torch.manual_seed(1)
    x, state = torch.randn(FRAMES, INPUTS), torch.zeros(1, UNITS)
    for frame in x:
        state = cell(frame[None], state)
    state.square().mean().backward()
    before = torch.nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
    after = torch.nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
    words = f"clipping, rnn, weights x {RECURRENT_GAIN:g}: norm of the gradient"
    page.print(f"{words} {before:.3g} before, {after:.3g} after")


def main():
    page, results = Page("gradients"), cases() | trained()
    page.print("norm of d h_T / d h_t        " + "".join(f"{f'{k} back':>12}" for k in LAGS))
    for (name, how), norms in results.items():
        page.print(f"{name:5} {how:24}" + "".join(f"{norms[min(k, len(norms) - 1)]:12.2e}" for k in LAGS))
    steps = jacobians(make_cell("gru", INPUTS, UNITS, 0), torch.randn(30, INPUTS))
    values = torch.linalg.svdvals(jacobian_products(steps)[30])
    page.print(f"gru as torch makes it, 30 back, singular values: largest {values[0]:.1e}, middle "
               f"{values[len(values) // 2]:.1e}, smallest {values[-1]:.1e}")  # fmt: skip
    clipped(page)
    figure, plots = page.figure(3)
    for plot, name in zip(plots, MODELS):
        for (model, how), norms in results.items():
            if model == name:
                dash = {"as torch makes it": "-", "trained, on a ball": "-."}.get(how, "--" if "x" in how else ":")
                plot.semilogy(norms, color=line_style(name)["color"], linestyle=dash, label=how)
        finish(plot, title=name, xlabel="frames back, T - t", ylim=(1e-16, 1e12))
    plots[0].set_ylabel("norm of d h_T / d h_t")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
