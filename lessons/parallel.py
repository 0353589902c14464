"""Frame by frame, or all frames at once: the cost of training on sequences, by their length and their number."""

import time

import numpy as np
import torch

from ballcast import models
from ballcast.models.nets.network import Network, NetworkShape
from lessons.balls import SPORT, test_balls
from lessons.page import Page, finish, line_style

MODELS = ("rnn", "gru", "mingru", "transformer")
LENGTHS, BATCHES, UNITS = (50, 200, 1000, 5000), (1, 8, 64), 64
FEATURES, RATE = 54, 180.0  # of a frame; frames/s
MIN_TIME = 0.3  # s, for which a pass is repeated
STREAM_FRAMES, TIMED_FRAMES = 4000, 200  # frames


def timed_pass(name, length, batch):
    """A function that runs one forward and backward pass of a trunk, on random numbers."""
    network = Network(NetworkShape(name, FEATURES, 0, units=UNITS))
    x, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / RATE

    def work():
        network.zero_grad()
        network.hidden(x, times).mean().backward()

    return work


def seconds(work):
    """The median time of work(), s; it is repeated for MIN_TIME, and the first time is not counted."""
    taken = []
    while sum(taken) < MIN_TIME:
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
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


def main():
    page, speed, memory = Page("parallel"), {}, {}
    page.print(f"forward and backward of a trunk of {UNITS} units: thousand frames/s | MB saved for the backward pass")
    page.print(f"{'batch':>5}{'length':>8}" + "".join(f"{name:>22}" for name in MODELS) + f"{'mingru/gru':>12}")
    for batch in BATCHES:
        for length in LENGTHS:
            for name in MODELS:
                work, key = timed_pass(name, length, batch), (name, batch, length)
                speed[key], memory[key] = batch * length / seconds(work), saved_activation_bytes(work)
            row = [f"{speed[n, batch, length] / 1e3:12.1f} |{memory[n, batch, length] / 1e6:8.1f}" for n in MODELS]
            ratio = speed["mingru", batch, length] / speed["gru", batch, length]
            page.print(f"{batch:5}{length:8}" + "".join(row) + f"{ratio:12.2f}")
    for batch in BATCHES:
        speeds = {name: [speed[name, batch, length] for length in LENGTHS] for name in MODELS}
        where = {name: break_even_length(speeds[name], speeds["gru"], LENGTHS) for name in ("mingru", "transformer")}
        summary = {n: "not at the longest" if at is None else f"from length {at} on" for n, at in where.items()}
        page.print(f"batch {batch}: faster than gru: " + "; ".join(" ".join(item) for item in summary.items()))
    page.print(f"\nlive, as they ship, one ball: microseconds per frame at first, and after {STREAM_FRAMES:,} frames")
    for name in MODELS:
        page.print(f"{name:14}" + "".join(f"{v:9.0f}" for v in stream_speed(name)))
    draw(page, speed, memory)


def draw(page, speed, memory):
    """Speed with one sequence and with many, and memory."""
    figure, plots = page.figure(3)
    for plot, batch in zip(plots, (BATCHES[0], BATCHES[-1])):
        for name in MODELS:
            plot.loglog(LENGTHS, [speed[name, batch, n] for n in LENGTHS], marker=".", **line_style(name))
        title = f"{batch} sequence{'s' if batch > 1 else ''} at once"
        finish(plot, title=title, xlabel="length, frames", ylabel="training speed, frames/s")
    for name in MODELS:
        plots[2].loglog(LENGTHS, [memory[name, 1, n] / n / 1e3 for n in LENGTHS], marker=".", **line_style(name))
    label = "saved for the backward pass, kB/frame"
    finish(plots[2], title="one sequence", xlabel="length, frames", ylabel=label)
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
