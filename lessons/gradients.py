"""How much of a change long ago is still felt now: gradients that vanish, that explode, and that gates keep alive.

python -m lessons.gradients
"""

import numpy as np
import torch
from ballcast.models.contract import shipped
from ballcast.models.runtime.weights import read

from ballcast import models, sim
from lessons.cells import carried, cell_of, chrono, jacobians, loaded, products, scaled
from lessons.page import Page, color_of

FRAMES, INPUTS, UNITS = 100, 8, 48
LOUD = 4.0  # times the recurrent weights, at which they explode
BACK = (1, 10, 30, 100)  # frames
NAMES = ("rnn", "lstm", "gru")


def flight(name, seed=0):
    """The frames (FRAMES, F) of one ball, as the trained network of that name reads them."""
    predictor = models.load(name, "table_tennis")
    ball = sim.draw(predictor.sport, 1, seed=seed, purpose="play")
    stream, read_of = predictor.stream(), []
    for time, place in zip(ball.time[:FRAMES], ball.position[:FRAMES]):
        stream.observe(time, place)
        read_of.append(stream.features)
    return torch.from_numpy(np.array(read_of))


def cases(units=UNITS, frames=FRAMES):
    """(model, how it is set) -> norms (frames + 1,) on the same random sequence."""
    torch.manual_seed(1)
    x, found = torch.randn(frames, INPUTS), {}
    for name in NAMES:
        found[name, "as torch makes it"] = carried(cell_of(name, INPUTS, units, 0), x)
        found[name, f"weights x {LOUD:g}"] = carried(scaled(cell_of(name, INPUTS, units, 0), LOUD), x)
        if name != "rnn":
            found[name, "biases for the length"] = carried(chrono(cell_of(name, INPUTS, units, 0), frames), x)
    return found


def trained():
    """The same for the networks that ship, on a ball."""
    sport, found = sim.load("table_tennis"), {}
    for name in NAMES:
        found[name, "trained, on a ball"] = carried(loaded(name, read(shipped(name, sport))[1]), flight(name))
    return found


def clipped(page):
    """What clipping does: of a gradient that explodes it keeps the direction and takes the length."""
    cell = scaled(cell_of("rnn", INPUTS, UNITS, 0), LOUD)
    torch.manual_seed(1)
    x, state = torch.randn(FRAMES, INPUTS), torch.zeros(1, UNITS)
    for frame in x:
        state = cell(frame[None], state)
    state.square().mean().backward()
    before = torch.nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
    after = torch.nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
    page.say(f"clipping, rnn, weights x {LOUD:g}: norm of the gradient {before:.3g} before, {after:.3g} after")


def main():
    page, found = Page("gradients"), cases() | trained()
    page.say("norm of d h_T / d h_t        " + "".join(f"{f'{k} back':>12}" for k in BACK))
    for (name, how), norms in found.items():
        page.say(f"{name:5} {how:24}" + "".join(f"{norms[min(k, len(norms) - 1)]:12.2e}" for k in BACK))
    values = torch.linalg.svdvals(products(jacobians(cell_of("gru", INPUTS, UNITS, 0), torch.randn(30, INPUTS)))[30])
    page.say(f"gru as torch makes it, 30 back, singular values: largest {values[0]:.1e}, middle "
             f"{values[len(values) // 2]:.1e}, smallest {values[-1]:.1e}")  # fmt: skip
    clipped(page)
    figure, plots = page.figure(3)
    for plot, name in zip(plots, NAMES):
        for (mine, how), norms in found.items():
            if mine == name:
                dash = {"as torch makes it": "-", "trained, on a ball": "-."}.get(how, "--" if "x" in how else ":")
                plot.semilogy(norms, color=color_of(name)["color"], linestyle=dash, label=how)
        plot.set_title(name)
        plot.set_xlabel("frames back, T - t")
        plot.set_ylim(1e-16, 1e12)
        plot.legend(fontsize=7)
    plots[0].set_ylabel("norm of d h_T / d h_t")
    page.close(figure)


if __name__ == "__main__":
    main()
