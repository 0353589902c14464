"""All frames at once: a scan and attention written out, trained on balls; and what they cost beside step by step."""

import time
from math import sqrt

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

from ballcast import models
from ballcast.models.nets.network import Network, NetworkShape
from lessons.balls import SPORT, test_balls
from lessons.boxes import BLUE, GREEN, ORANGE, arrow, box, empty
from lessons.page import Page, finish, line_style
from lessons.positions import FRAMES, errors, features, positions, train

MODELS = ("rnn", "gru", "mingru", "transformer")
CASES = ((1, 50), (1, 200), (1, 1000), (1, 5000), (64, 50), (64, 200), (64, 1000))  # (batch, length)
BATCHES, UNITS = (1, 64), 64
FEATURES, RATE = 54, 180.0  # of a frame; frames/s
MIN_TIME = 0.2  # s, for which a pass is repeated
STREAM_FRAMES, TIMED_FRAMES = 4000, 200  # frames
BALLS, STEPS, BATCH, LEARNING_RATE, TEST_BALLS, OWN_UNITS = 10_000, 700, 64, 2e-3, 1000, 32
ERROR_FRAMES = (1, 2, 4, 8, 16, 32, 35, 47)


def scan(a, b):
    """h_t = a_t h_{t-1} + b_t for all t in log2 T rounds, with a state of zero before the first. All (B, T, H)."""
    span = 1
    while span < a.shape[1]:  # each (a, b) leads over the last `span` frames; join it with the one before it
        before_a, before_b = shift(a, span, 1.0), shift(b, span, 0.0)
        a, b = a * before_a, a * before_b + b
        span *= 2
    return b


def shift(a, frames, fill):
    """a (B, T, H), later by some frames, and `fill` at the first ones."""
    return pad(a[:, :-frames], (0, 0, frames, 0), value=fill)


class MinGRU(nn.Module):
    """A GRU whose gate z and new value n come from x_t alone, not from h_{t-1}: h_t = z_t h_{t-1} + (1 - z_t) n_t."""

    def __init__(self, units):
        super().__init__()
        self.U = nn.Linear(units, 2 * units)

    def forward(self, x):
        z, n = self.U(x).chunk(2, dim=-1)
        z = torch.sigmoid(z)
        return scan(z, (1 - z) * n)


class Attention(nn.Module):
    """Each frame asks (query) all frames up to its own (keys), and takes the mean of what they say (values)."""

    def __init__(self, units, causal=True):
        super().__init__()
        self.Q, self.K, self.V = (nn.Linear(units, units) for _ in range(3))
        self.causal = causal

    def weights(self, x):
        scores = self.Q(x) @ self.K(x).mT / sqrt(x.shape[-1])  # (B, T, T): how well query t fits key s
        if self.causal:
            future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(future, -torch.inf)
        return torch.softmax(scores, dim=-1)

    def forward(self, x):
        return self.weights(x) @ self.V(x)


class Layers(nn.Module):
    """Two layers. In each, frames exchange information (`mix`), then every frame is transformed alone (`feed`)."""

    def __init__(self, mixer, with_positions=False, units=OWN_UNITS, frames=FRAMES):
        super().__init__()
        self.input, self.output = nn.Linear(6, units), nn.Linear(units, 3)
        first = 0.05 * torch.randn(frames, units) if with_positions else torch.zeros(frames, units)
        self.position = nn.Parameter(first, requires_grad=with_positions)  # a vector for each number of a frame
        self.mix = nn.ModuleList(nn.Sequential(nn.LayerNorm(units), mixer(units)) for _ in range(2))
        self.feed = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(units), nn.Linear(units, 2 * units), nn.SiLU(), nn.Linear(2 * units, units))
            for _ in range(2)
        )

    def forward(self, x):
        h = self.input(x) + self.position[: x.shape[1]]
        for mix, feed in zip(self.mix, self.feed):
            h = h + mix(h)
            h = h + feed(h)
        return self.output(h)


def make_network(name):
    """mingru, attention, or attention without positions or mask."""
    torch.manual_seed(0)
    if name == "mingru":
        return Layers(MinGRU)
    return Layers(lambda units: Attention(units, "mask" not in name), "positions" not in name)


def train_all(names, steps=STEPS, balls=BALLS):
    """name -> (trained network, median errors (T,) mm on new balls)."""
    inputs, targets = positions(balls)
    test, truth = positions(TEST_BALLS, purpose="test")
    results = {}
    for name in names:
        network = train(make_network(name), features(inputs), targets, steps, BATCH, LEARNING_RATE)
        results[name] = network, np.median(errors(network, features(test), truth), axis=0)
    return results


def print_errors(page, results):
    page.print(f"{'frames seen':32}" + "".join(f"{k + 1:7d}" for k in ERROR_FRAMES))
    for name, (_, error) in results.items():
        page.print(f"{name:32}" + "".join(f"{error[k]:7.0f}" for k in ERROR_FRAMES))


def timed_pass(name, length, batch):
    """A function that runs one forward and backward pass of a trunk, on random numbers."""
    network = Network(NetworkShape(name, FEATURES, 0, units=UNITS))
    x, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / RATE

    def work():
        network.zero_grad()
        network.hidden(x, times).mean().backward()

    return work


def seconds(work):
    """The median time of work() on a core, s; it is repeated for MIN_TIME, and the first time is not counted."""
    taken = []
    while sum(taken) < MIN_TIME:
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return float(np.median(taken[1:] or taken))


def saved_activation_bytes(work):
    """Bytes that autograd saves in the forward pass for the backward pass, every tensor counted once."""
    held, alive = {}, []

    def pack(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        alive.append(tensor)  # so that no address is reused
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()
    return sum(held.values())


def break_even_length(speeds, baseline, lengths):
    """The length from which speeds (L,) exceed the baseline (L,), interpolated in logarithms; None if not at last."""
    log_ratio = np.log(np.asarray(speeds) / baseline)
    if log_ratio[-1] <= 0:
        return None
    if (log_ratio > 0).all():
        return lengths[0]
    k = int(np.flatnonzero(log_ratio <= 0)[-1]) + 1
    fraction = -log_ratio[k - 1] / (log_ratio[k] - log_ratio[k - 1])
    return round(float(np.exp(np.interp(fraction, (0, 1), np.log(lengths[k - 1 : k + 1])))))


def stream_speed(name):
    """Microseconds per frame that a shipped network's stream takes, its filter included: for the first TIMED_FRAMES
    frames of a ball, and for those after STREAM_FRAMES."""
    predictor, track = models.load(name, SPORT), max(test_balls(50).tracks, key=len)
    results = []
    for before in (0, STREAM_FRAMES):
        stream, gap = predictor.stream(), 1.0 / RATE
        positions = [track.position[k % len(track)] for k in range(before + TIMED_FRAMES)]
        for k, position in enumerate(positions[:before]):
            stream.observe(gap * k, position)
        taken = []
        for k, position in enumerate(positions[before:], before):
            begun = time.perf_counter()
            stream.observe(gap * k, position)
            taken.append(time.perf_counter() - begun)
        results.append(1e6 * float(np.median(taken)))
    return results


def measure(page):
    """Speed in frames/s and bytes saved, by (model, batch, length); prints them."""
    speed, memory = {}, {}
    page.print(f"one core, forward and backward, {UNITS} units: thousand frames/s | MB saved for the backward pass")
    page.print(f"{'batch':>5}{'length':>8}" + "".join(f"{name:>22}" for name in MODELS) + f"{'mingru/gru':>12}")
    for batch, length in CASES:
        for name in MODELS:
            work, key = timed_pass(name, length, batch), (name, batch, length)
            speed[key], memory[key] = batch * length / seconds(work), saved_activation_bytes(work)
        row = [f"{speed[n, batch, length] / 1e3:12.1f} |{memory[n, batch, length] / 1e6:8.1f}" for n in MODELS]
        ratio = speed["mingru", batch, length] / speed["gru", batch, length]
        page.print(f"{batch:5}{length:8}" + "".join(row) + f"{ratio:12.2f}")
    for batch in BATCHES:
        lengths = lengths_of(batch)
        speeds = {name: [speed[name, batch, length] for length in lengths] for name in MODELS}
        where = {name: break_even_length(speeds[name], speeds["gru"], lengths) for name in ("mingru", "transformer")}
        summary = {n: "not at the longest" if at is None else f"from length {at} on" for n, at in where.items()}
        page.print(f"batch {batch}: faster than gru: " + "; ".join(" ".join(item) for item in summary.items()))
    page.print(f"\nlive, as they ship, one ball: microseconds per frame at first, and after {STREAM_FRAMES:,} frames")
    for name in MODELS:
        page.print(f"{name:14}" + "".join(f"{v:9.0f}" for v in stream_speed(name)))
    return speed, memory


def lengths_of(batch):
    return [length for b, length in CASES if b == batch]


def print_scan(page):
    """Exercise 1: the scan by hand, round by round, and beside the loop."""
    page.next_block()
    a, b, span = torch.full((1, 8, 1), 0.5), torch.ones(1, 8, 1), 1
    while span < 8:
        a, b = a * shift(a, span, 1.0), a * shift(b, span, 0.0) + b
        span *= 2
        page.print(f"spans of {span}: b = " + " ".join(f"{value:6.4f}" for value in b[0, :, 0]))
    h, loop = 0.0, []
    for _ in range(8):
        h = 0.5 * h + 1.0
        loop.append(h)
    page.print("step by step:   " + " ".join(f"{value:6.4f}" for value in loop))


def draw_parts(page):
    """A scan over eight frames in three rounds; and the attention of one frame."""
    figure, (left, right) = page.figure(2, 5.2, 3.4)
    for plot, title in ((left, "scan: 8 frames, 3 rounds"), (right, "attention of frame 4")):
        empty(plot, (-0.8, 7.8), (-0.8, 4.9))
        plot.set_title(title)
    for level in range(4):
        for t in range(8):
            box(left, (t, 1.4 * level), f"{max(1, t + 2 - 2**level)}-{t + 1}" if level else f"{t + 1}",
                BLUE if level else GREEN, (0.78, 0.5), 8)  # fmt: skip
            if level:
                arrow(left, (t, 1.4 * (level - 1)), (t, 1.4 * level), gap=0.28, color="#999999")
                if t >= 2 ** (level - 1):
                    arrow(left, (t - 2 ** (level - 1), 1.4 * (level - 1)), (t, 1.4 * level), gap=0.3)
    for t in range(5):
        x, seen = 1.7 * t, t < 4
        box(right, (x, 0), f"$x_{t + 1}$", GREEN)
        query = "q_4, " if t == 3 else ""
        box(right, (x, 1.5), f"${query}k_{t + 1}, v_{t + 1}$", BLUE, (1.4, 0.6), dashed=not seen)
        arrow(right, (x, 0), (x, 1.5), gap=0.36)
        if seen:
            arrow(right, (x, 1.5), (3.4, 3.2), f"$w_{t + 1}$", gap=0.42, beside=((-0.6, -0.4, -0.3, 0.45)[t], -0.05))
    box(right, (3.4, 3.2), r"softmax($q_4 \cdot k_s$), sum of $w_s v_s$", ORANGE, (4.0, 0.6), 9)
    box(right, (3.4, 4.4), "output of frame 4", size=(2.6, 0.6), fontsize=9)
    arrow(right, (3.4, 3.2), (3.4, 4.4), gap=0.34)
    right.text(6.8, 2.2, "future: masked", ha="center", fontsize=8)
    page.save(figure, "drawing")


def draw_own(page, results):
    """Errors of the networks of the page, and to which frames attention looks, on one ball."""
    figure, plots = page.figure(3)
    for name in ("mingru", "attention"):
        style = line_style({"attention": "transformer"}.get(name, name)) | {"label": name}
        plots[0].semilogy(np.arange(1, FRAMES + 1), results[name][1], **style)
    finish(plots[0], xlabel="frames seen", ylabel="error 0.2 s ahead, mm")
    network, x = results["attention"][0], features(positions(1, purpose="test")[0])
    with torch.no_grad():
        h = network.input(x) + network.position
        for k, plot in enumerate(plots[1:]):
            norm, attention = network.mix[k]
            plot.imshow(attention.weights(norm(h))[0], vmax=0.4, origin="upper", extent=(0.5, 48.5, 48.5, 0.5))
            h = h + network.mix[k](h)
            h = h + network.feed[k](h)
            finish(plot, 0, title=f"weights of layer {k + 1}", xlabel="frame that is read", ylabel="frame that asks")
            plot.grid(False)
    page.save(figure, "own")


def draw_speed(page, speed, memory):
    """Speed with one sequence and with many, and memory."""
    figure, plots = page.figure(3)
    for plot, batch in zip(plots, BATCHES):
        for name in MODELS:
            values = [speed[name, batch, n] for n in lengths_of(batch)]
            plot.loglog(lengths_of(batch), values, marker=".", **line_style(name))
        title = f"{batch} sequence{'s' if batch > 1 else ''} at once"
        finish(plot, title=title, xlabel="length, frames", ylabel="training speed, frames/s")
    for name in MODELS:
        values = [memory[name, 1, n] / n / 1e3 for n in lengths_of(1)]
        plots[2].loglog(lengths_of(1), values, marker=".", **line_style(name))
    finish(plots[2], title="one sequence", xlabel="length, frames", ylabel="saved for the backward pass, kB/frame")
    page.save(figure)


def main():
    print("parallel: two networks that read all frames at once", flush=True)
    page = Page("parallel")
    page.code(scan, shift, MinGRU)
    page.code(Attention, Layers)
    results = train_all(("mingru", "attention", "attention, no positions", "attention, no mask"))
    page.print(f"{OWN_UNITS} units, 2 layers, {STEPS} steps: median error 0.2 s ahead, mm, of {TEST_BALLS} new balls")
    print_errors(page, {name: results[name] for name in ("mingru", "attention", "attention, no positions")})
    page.next_block()
    speed, memory = measure(page)
    print_scan(page)
    page.next_block()
    print_errors(page, {name: results[name] for name in ("attention", "attention, no mask")})
    draw_parts(page)
    draw_own(page, results)
    draw_speed(page, speed, memory)
    page.close()


if __name__ == "__main__":
    main()
