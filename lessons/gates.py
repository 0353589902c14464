"""LSTM and GRU written out, trained on balls, and what their gates do along a flight and at a bounce."""

import numpy as np
import torch
from torch import nn

from ballcast import models, sim
from lessons.boxes import BLUE, GREEN, ORANGE, RED, arrow, box, empty
from lessons.gradients import RNN
from lessons.page import Page, finish, line_style
from lessons.positions import FRAMES, RATE, errors, features, positions, train

SPORT, BALL_COUNT = "table_tennis", 300
BEFORE, AFTER = 12, 24  # frames about the bounce, of the shipped network
SHOWN = (-8, -4, -2, -1, 0, 1, 2, 4, 8, 16)  # frames from the bounce that are printed
STARTS = (0, 1, 2, 4, 8, 16, 32)  # frames from the first
UNITS, BALLS, STEPS, BATCH, TEST_BALLS = 32, 10_000, 900, 64, 1000
OWN_BEFORE, OWN_AFTER, OWN_SHOWN = 8, 12, (-8, -4, -2, -1, 0, 1, 2, 4, 8)
ERROR_FRAMES = (1, 2, 4, 8, 16, 32, 47)


class LSTM(nn.Module):
    """A cell: the state (h, c) of the frame before, and the inputs x of this frame, give the state of this frame."""

    def __init__(self, inputs, units):
        super().__init__()
        self.U = nn.Linear(inputs, 4 * units)  # the four U and b, one below the other
        self.W = nn.Linear(units, 4 * units)  # the four W; PyTorch gives these a bias too

    def gates(self, x, state):
        i, f, g, o = (self.W(state[0]) + self.U(x)).chunk(4, dim=-1)
        return {"i": torch.sigmoid(i), "f": torch.sigmoid(f), "g": torch.tanh(g), "o": torch.sigmoid(o)}

    def forward(self, x, state):
        gate = self.gates(x, state)
        c = gate["f"] * state[1] + gate["i"] * gate["g"]
        return gate["o"] * torch.tanh(c), c


class GRU(nn.Module):
    """A cell whose state is h alone."""

    def __init__(self, inputs, units):
        super().__init__()
        self.U = nn.Linear(inputs, 3 * units)
        self.W = nn.Linear(units, 3 * units)

    def gates(self, x, state):
        (r, z, n), (r_h, z_h, n_h) = self.U(x).chunk(3, dim=-1), self.W(state[0]).chunk(3, dim=-1)
        r, z = torch.sigmoid(r + r_h), torch.sigmoid(z + z_h)
        return {"r": r, "z": z, "n": torch.tanh(n + r * n_h)}

    def forward(self, x, state):
        gate = self.gates(x, state)
        return ((1 - gate["z"]) * gate["n"] + gate["z"] * state[0],)


class Recurrent(nn.Module):
    """A cell over all frames, from a state of zeros, and its outputs y_t = V h_t + c: (B, T, 6) to (B, T, 3)."""

    def __init__(self, cell, units=UNITS):
        super().__init__()
        self.cell, self.V = cell, nn.Linear(units, 3)

    def states(self, x):
        parts = 2 if isinstance(self.cell, LSTM) else 1
        state = (x.new_zeros(len(x), self.V.in_features),) * parts
        for x_t in x.unbind(1):
            before, state = state, self.cell(x_t, state)
            yield x_t, before, state

    def forward(self, x):
        return self.V(torch.stack([state[0] for _, _, state in self.states(x)], 1))


def make_network(name, units=UNITS, seed=0):
    """An untrained network: rnn, lstm, gru, or "lstm, forget bias 1"."""
    torch.manual_seed(seed)
    if name == "rnn":
        return RNN(torch.randn(units, units) / units**0.5)
    network = Recurrent((GRU if name == "gru" else LSTM)(6, units), units)
    if "forget" in name:
        with torch.no_grad():
            network.cell.U.bias[units : 2 * units] += 1.0  # f starts at about 0.73 in place of 0.5
    return network


def own_gates(network, inputs):
    """letter -> its gate (B, T, H) at every frame of inputs (B, T, 6)."""
    with torch.no_grad():
        frames = [network.cell.gates(x, before) for x, before, _ in network.states(inputs)]
    return {letter: torch.stack([gate[letter] for gate in frames], 1).numpy() for letter in frames[0]}


def first_bounces(count, purpose="test", seed=0):
    """The frame (B,) of positions() that follows each ball's first contact; -1 without enough frames about it."""
    balls = sim.draw(sim.load(SPORT), count, seed=seed, purpose=purpose)
    launch = balls.launch_position, balls.launch_velocity, balls.launch_spin
    impacts = sim.simulate(balls.sport, *launch, np.array([1e-3, FRAMES / RATE]), balls.parameters).impacts
    frames = np.full(count, -1)
    for b in np.unique(impacts.ball):
        k = int(np.ceil(impacts.time[impacts.ball == b].min() * RATE))
        frames[b] = k if OWN_BEFORE <= k < FRAMES - OWN_AFTER else -1
    return frames


def gates_along_flight(predictor, balls):
    """Update gates z and reset gates r (B, T, 2, U) of the shipped network at every frame; NaN after the last."""
    lengths = np.diff(balls.offsets)
    batch, results = predictor.streams(len(lengths)), []
    for k in range(lengths.max()):
        rows = np.minimum(balls.offsets[:-1] + k, len(balls.time) - 1)
        is_present, before = k < lengths, batch.hidden.copy()
        batch.observe(
            np.where(is_present, balls.time[rows], np.nan),
            np.where(is_present[:, None], balls.position[rows], np.nan),
        )
        gates = predictor.gates(batch.features, before)
        gates[:, 0] = 1.0 - gates[:, 0]  # the predictor gives the fraction that is new
        results.append(np.where(is_present[:, None, None], gates, np.nan))
    return np.stack(results, 1)


def bounces(balls):
    """The frame (B,) after each ball's first contact; -1 if that is not on the table, or has too few frames around."""
    impacts = balls.flight(np.array([1e-3, balls.time.max()])).impacts
    table = [k for k, surface in enumerate(balls.sport.surfaces) if surface.landing]
    frames = np.full(len(balls), -1)
    for b, (first, end) in enumerate(zip(balls.offsets[:-1], balls.offsets[1:])):
        ball_rows = np.flatnonzero(impacts.ball == b)
        if len(ball_rows) and impacts.surface[ball_rows[0]] in table:
            k = np.searchsorted(balls.time[first:end], impacts.time[ball_rows].min())
            frames[b] = k if BEFORE <= k < end - first - AFTER else -1
    return frames


def aligned(gates, frames, before=BEFORE, after=AFTER):
    """Gates (B', before + after, ...) around the bounces of the balls that have one."""
    return np.stack([gates[b, k - before : k + after] for b, k in enumerate(frames) if k >= 0])


def print_row(page, label, values, form="7.2f"):
    page.print(f"{label:34}" + "".join(f"{value:{form}}" for value in values))


def train_all(page, names):
    """name -> (the trained network, its median error (T,) mm on new balls); prints them."""
    inputs, targets = positions(BALLS)
    test, truth = positions(TEST_BALLS, purpose="test")
    results = {}
    page.print(f"{UNITS} units, {STEPS} steps: median error 0.2 s ahead, mm, of {TEST_BALLS} new balls")
    print_row(page, "frames seen", [k + 1 for k in ERROR_FRAMES], "7d")
    for name in names:
        network = train(make_network(name), features(inputs), targets, STEPS, BATCH)
        error = np.median(errors(network, features(test), truth), axis=0)
        results[name] = network, error
        print_row(page, name, error[list(ERROR_FRAMES)], "7.0f")
    return results


def print_own(page, networks):
    """Mean gates of the own networks about the bounce. Gives letter, network -> (frames, units)."""
    page.next_block()
    test, _ = positions(TEST_BALLS, purpose="test")
    frames, about = first_bounces(TEST_BALLS), {}
    print_row(page, f"frames from the bounce, {np.sum(frames >= 0)} balls", OWN_SHOWN, "7d")
    for name, letters in (("lstm, forget bias 1", "fio"), ("gru", "zr")):
        gates = own_gates(networks[name], features(test))
        for letter in letters:
            about[name, letter] = aligned(gates[letter], frames, OWN_BEFORE, OWN_AFTER).mean(axis=0)
            units, shown = about[name, letter], [OWN_BEFORE + k for k in OWN_SHOWN]
            print_row(page, f"{name}: {letter}", units[shown].mean(axis=1))
            changes = np.abs(units[OWN_BEFORE + 2] - units[OWN_BEFORE - 2])
            print_row(page, "   the unit that changes most", units[shown, np.argmax(changes)])
    return about


def print_shipped(page):
    """What the gates of the shipped network do; gives its update gates (frames, units) about the bounce."""
    page.next_block()
    predictor = models.load("gru", SPORT)
    balls = sim.draw(predictor.sport, BALL_COUNT, seed=0, purpose="test")
    gates = gates_along_flight(predictor, balls)
    about = aligned(gates, bounces(balls))
    along, mean = np.nanmean(gates, axis=(0, 3)), about.mean(axis=(0, 3))
    print_row(page, "frames from the first", STARTS, "7d")
    for k, name in enumerate(("z: share that is kept", "r: share of the old that is read")):
        print_row(page, name, along[list(STARTS), k])
    print_row(page, f"\nframes from the bounce, {len(about)} balls", SHOWN, "7d")
    for k, name in enumerate(("z: share that is kept", "r: share of the old that is read")):
        print_row(page, name, mean[[BEFORE + n for n in SHOWN], k])
    units = about.mean(axis=0)[:, 0]
    calm, after = units[2 : BEFORE - 2].mean(axis=0), units[BEFORE]
    scales = np.sort(1 / (1 - calm))
    tenth = len(scales) // 10
    page.print(f"\nunits in flight remember for 1 / (1 - z) frames: fastest tenth {scales[tenth]:.1f}, "
               f"median {np.median(scales):.0f}, slowest tenth {scales[-tenth]:.0f}")  # fmt: skip
    taking, keeping = np.mean(1 - after > 1.5 * (1 - calm)), np.mean(1 - after < (1 - calm) / 1.5)
    page.print(f"at the bounce 1 - z rises by at least half in {taking:.0%} of {len(calm)} units, and falls by at "
               f"least a third in {keeping:.0%}")  # fmt: skip
    return units


def print_solutions(page, results):
    """The figures of the exercises."""
    page.next_block()
    print_row(page, "frames", (10, 50, 100), "9d")
    for bias in (0.0, 1.0, 3.0, 5.0):
        f = 1 / (1 + np.exp(-bias))
        print_row(page, f"bias {bias:g}: f = {f:.3f}; f^n", f ** np.array((10.0, 50.0, 100.0)), "9.1e")
    page.next_block()
    test, truth = positions(TEST_BALLS, purpose="test")
    print_row(page, "error, mm; frames seen", [k + 1 for k in ERROR_FRAMES], "7d")
    network, error = results["gru"]
    print_row(page, "gru", error[list(ERROR_FRAMES)], "7.0f")
    with torch.no_grad():
        for part, name in ((0, "r"), (1, "z")):
            old = network.cell.U.bias.clone()
            network.cell.U.bias[part * UNITS : (part + 1) * UNITS] += 3.0
            values = np.median(errors(network, features(test), truth), axis=0)
            network.cell.U.bias.copy_(old)
            print_row(page, f"gru, 3 added to the bias of {name}", values[list(ERROR_FRAMES)], "7.0f")


def draw_cells(page):
    """The two cells as boxes: what is multiplied, what is added."""
    figure, (left, right) = page.figure(2, 5.0, 3.6)
    for plot in (left, right):
        empty(plot, (-0.8, 6.8), (-1.1, 4.4))
    lstm = (("$f_t$", 1.2, RED), ("$i_t$", 2.8, RED), ("$g_t$", 3.8, GREEN), ("$o_t$", 5.2, RED))
    for text, x, color in lstm:
        box(left, (x, 1.2), text, color if color == GREEN else ORANGE)
        arrow(left, (2.8, -0.5), (x, 1.2), gap=0.42)
    box(left, (2.8, -0.5), "$h_{t-1},\\ x_t$", BLUE, (1.5, 0.6))
    box(left, (-0.2, 3.4), "$c_{t-1}$", BLUE)
    for text, x, y in (("x", 1.2, 3.4), ("x", 3.3, 2.3), ("+", 3.3, 3.4), ("x", 5.2, 2.3)):
        box(left, (x, y), text, size=(0.46, 0.46), fontsize=11)
    box(left, (6.3, 3.4), "$c_t$", BLUE)
    box(left, (6.3, 2.3), "$h_t$", BLUE)
    chain = [((-0.2, 3.4), (1.2, 3.4)), ((1.2, 3.4), (3.3, 3.4)), ((3.3, 3.4), (6.3, 3.4)), ((1.2, 1.2), (1.2, 3.4)),
             ((2.8, 1.2), (3.3, 2.3)), ((3.8, 1.2), (3.3, 2.3)), ((3.3, 2.3), (3.3, 3.4)), ((5.2, 1.2), (5.2, 2.3)),
             ((5.2, 2.3), (6.3, 2.3))]  # fmt: skip
    for start, end in chain:
        arrow(left, start, end, gap=0.34)
    arrow(left, (5.2, 3.4), (5.2, 2.3), "tanh", gap=0.24, beside=(0.35, 0.0))
    left.set_title("LSTM")
    box(right, (2.8, -0.5), "$h_{t-1},\\ x_t$", BLUE, (1.5, 0.6))
    for text, x, color in (("$z_t$", 1.2, ORANGE), ("$r_t$", 2.8, ORANGE), ("$n_t$", 4.6, GREEN)):
        box(right, (x, 1.2), text, color)
        arrow(right, (2.8, -0.5), (x, 1.2), gap=0.42)
    arrow(right, (2.8, 1.2), (4.6, 1.2), "x", gap=0.4)
    box(right, (-0.2, 3.4), "$h_{t-1}$", BLUE)
    box(right, (6.3, 3.4), "$h_t$", BLUE)
    for text, x, y in (("x", 1.2, 3.4), ("x", 4.6, 2.3), ("+", 4.6, 3.4)):
        box(right, (x, y), text, size=(0.46, 0.46), fontsize=11)
    for start, end in (((-0.2, 3.4), (1.2, 3.4)), ((1.2, 3.4), (4.6, 3.4)), ((4.6, 3.4), (6.3, 3.4)),
                       ((1.2, 1.2), (1.2, 3.4)), ((4.6, 1.2), (4.6, 2.3)), ((4.6, 2.3), (4.6, 3.4))):  # fmt: skip
        arrow(right, start, end, gap=0.34)
    arrow(right, (1.2, 1.2), (4.6, 2.3), "1 - z", gap=0.4, beside=(-0.2, 0.25))
    right.set_title("GRU")
    page.save(figure, "drawing")


def draw(page, results, about, units):
    """Errors by frame; gates of the own networks about the bounce; every unit of the shipped one."""
    figure, plots = page.figure(4, 4.0)
    for name, (_, error) in results.items():
        style = line_style(name.split(",")[0]) | {"label": name} | ({"linestyle": ":"} if "," in name else {})
        plots[0].semilogy(np.arange(1, FRAMES + 1), error, **style)
    finish(plots[0], xlabel="frames seen", ylabel="error 0.2 s ahead, mm", title="trained on positions alone")
    for plot, (name, letter) in zip(plots[1:], (("lstm, forget bias 1", "f"), ("gru", "z"))):
        frames, rows = np.arange(-OWN_BEFORE, OWN_AFTER), about[name, letter]
        plot.plot(frames, rows, color=line_style(name.split(",")[0])["color"], linewidth=0.6)
        plot.plot(frames, rows.mean(axis=1), color="#222222", label="mean of all units")
        plot.axvline(0, color="#7a7a7a", linewidth=0.6)
        finish(
            plot, ylim=(0, 1), xlabel="frames from the bounce", ylabel="gate of each unit", title=f"{name}: {letter}"
        )
    order = np.argsort(-units[: BEFORE - 2].mean(axis=0))
    extent = (-BEFORE - 0.5, AFTER - 0.5, 0, units.shape[1])
    image = plots[3].imshow(units[:, order].T, aspect="auto", origin="lower", extent=extent, vmin=0, vmax=1)
    finish(plots[3], 0, xlabel="frames from the bounce", ylabel="unit, the slowest first", title="the shipped gru: z")
    plots[3].grid(False)
    figure.colorbar(image)
    page.save(figure)


def main():
    print("gates: four networks, trained on positions alone", flush=True)
    page = Page("gates")
    page.code(LSTM, GRU, Recurrent)
    results = train_all(page, ("rnn", "lstm", "lstm, forget bias 1", "gru"))
    about = print_own(page, {name: network for name, (network, _) in results.items()})
    units = print_shipped(page)
    print_solutions(page, results)
    draw_cells(page)
    draw(page, results, about, units)
    page.close()


if __name__ == "__main__":
    main()
