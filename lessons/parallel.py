"""Frame after frame, or all frames at once: what learning from a sequence costs, by its length and how many there are.

python -m lessons.parallel
"""

import time

import numpy as np
import torch
from ballcast.models.nets.network import Network, Shape
from ballcast.models.nets.timing import FEATURES, RATE

from ballcast import models
from lessons.balls import SPORT, some
from lessons.page import Page, color_of

NAMES = ("rnn", "gru", "mingru", "transformer")
LENGTHS, BATCHES, UNITS = (50, 200, 1000, 5000), (1, 8, 64), 64
LEAST = 0.3  # s, to repeat up to
STREAMED, TIMED = 4000, 200  # frames


def work_of(name, length, batch):
    """A function that does forward and backward of a trunk once, on random numbers."""
    network = Network(Shape(name, FEATURES, 0, units=UNITS))
    x, times = torch.randn(batch, length, FEATURES), torch.arange(length).expand(batch, length) / RATE

    def work():
        network.zero_grad()
        network.memory(x, times).mean().backward()

    return work


def seconds(work):
    """Seconds that it takes; what is quick is repeated, and its first time is not counted."""
    taken = []
    while sum(taken) < LEAST or len(taken) == 1 and taken[0] < LEAST:
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken[1:] or taken))


def kept(work):
    """Bytes that are kept from the way there for the way back: every tensor that autograd holds, once."""
    held = {}

    def pack(tensor):
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        alive.append(tensor)  # so that no address is given out twice
        return tensor

    alive = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work()
    return sum(held.values())


def crossing(mine, theirs, lengths):
    """From which length on `mine` (L,) frames/s is above `theirs`, by lines between logarithms; None: not at last."""
    ahead = np.log(np.asarray(mine) / theirs)
    if (ahead <= 0).all() or ahead[-1] <= 0:
        return None
    k = int(np.flatnonzero(ahead <= 0)[-1]) + 1 if (ahead <= 0).any() else 0
    if k == 0:
        return lengths[0]
    share = -ahead[k - 1] / (ahead[k] - ahead[k - 1])
    return round(float(np.exp(np.interp(share, (0, 1), np.log(lengths[k - 1 : k + 1])))))


def streamed(name):
    """Microseconds a frame that the network that ships needs to watch a ball: its first TIMED frames, and those after
    STREAMED; the frame's own filter included."""
    predictor, track = models.load(name, SPORT), max(some(50).tracks, key=len)
    found = []
    for before in (0, STREAMED):
        stream, gap = predictor.stream(), 1.0 / RATE
        places = [track.position[k % len(track)] for k in range(before + TIMED)]
        for k, place in enumerate(places[:before]):
            stream.observe(gap * k, place)
        taken = []
        for k, place in enumerate(places[before:], before):
            begun = time.perf_counter()
            stream.observe(gap * k, place)
            taken.append(time.perf_counter() - begun)
        found.append(1e6 * float(np.median(taken)))
    return found


def main():
    page, speed, memory = Page("parallel"), {}, {}
    page.say(f"forward and backward of a trunk of {UNITS} units: thousand frames/s | MB kept for the way back")
    page.say(f"{'batch':>5}{'length':>8}" + "".join(f"{name:>22}" for name in NAMES) + f"{'mingru/gru':>12}")
    for batch in BATCHES:
        for length in LENGTHS:
            for name in NAMES:
                work, key = work_of(name, length, batch), (name, batch, length)
                speed[key], memory[key] = batch * length / seconds(work), kept(work)
            row = [f"{speed[n, batch, length] / 1e3:12.1f} |{memory[n, batch, length] / 1e6:8.1f}" for n in NAMES]
            ratio = speed["mingru", batch, length] / speed["gru", batch, length]
            page.say(f"{batch:5}{length:8}" + "".join(row) + f"{ratio:12.2f}")
    for batch in BATCHES:
        of = {name: [speed[name, batch, length] for length in LENGTHS] for name in NAMES}
        where = {name: crossing(of[name], of["gru"], LENGTHS) for name in ("mingru", "transformer")}
        said = (
            f"{name} {'not at the longest' if at is None else f'from length {at} on'}" for name, at in where.items()
        )
        page.say(f"batch {batch}: ahead of gru {'; '.join(said)}")
    page.say(f"\nlive, as they ship, one ball: microseconds a frame at first, and after {STREAMED:,} frames")
    for name in NAMES:
        page.say(f"{name:14}" + "".join(f"{v:9.0f}" for v in streamed(name)))
    drawn(page, speed, memory)


def drawn(page, speed, memory):
    """Speed at one sequence and at many, and memory."""
    figure, plots = page.figure(3)
    for plot, batch in zip(plots, (BATCHES[0], BATCHES[-1])):
        for name in NAMES:
            plot.loglog(LENGTHS, [speed[name, batch, n] for n in LENGTHS], marker=".", **color_of(name))
        plot.set_title(f"{batch} sequence{'s' if batch > 1 else ''} at once")
        plot.set_ylabel("frames learnt from, 1/s")
    for name in NAMES:
        plots[2].loglog(LENGTHS, [memory[name, 1, n] / n / 1e3 for n in LENGTHS], marker=".", **color_of(name))
    plots[2].set_title("one sequence")
    plots[2].set_ylabel("kept for the way back, kB a frame")
    for plot in plots:
        plot.set_xlabel("length, frames")
        plot.legend(fontsize=7)
    page.close(figure)


if __name__ == "__main__":
    main()
