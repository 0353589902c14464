"""Spin that shows only before a long gap: how long each network remembers it.

python -m lessons.long_memory
"""

from functools import cache

import numpy as np
import torch
from ballcast.models.nets.network import Network, Shape
from ballcast.tracks import Track
from torch import nn

from ballcast import sim
from lessons.balls import NOISE, RATE, errors, interval, networks
from lessons.cells import cell_of, chrono
from lessons.page import Page, color_of

NAMES = ("gru", "lstm", "rnn", "mingru", "transformer", "mlp")
EARLY, LATE = 36, 4  # frames seen before the gap, and after it
GAPS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # s
ASKED, BALLS = 0.2, 400  # s after the last frame
SEEN, WAITS, QUIET = 16, (10, 40, 160), 0.0005  # frames; frames of nothing; m of noise
SMALLS = ("rnn", "lstm", "gru", "gru, biases for the length", "mingru", "transformer")
SMALL = {"units": 32, "layers": 2, "window": 64}
STEPS, BATCH, TESTED = 200, 64, 500


def lobs(count, seed=0):
    """Launches (B, 9) and the sport: high balls of much spin, that stay in the air for a second and more."""
    chance = np.random.default_rng(seed)
    place = np.array([0.0, -3.5, 0.4]) + chance.normal(0, (0.3, 0.2, 0.1), (count, 3))
    velocity = np.array([0.0, 2.8, 6.0]) + chance.normal(0, (0.3, 0.3, 0.2), (count, 3))
    return sim.load("table_tennis"), np.hstack([place, velocity, chance.normal(0, 120.0, (count, 3))])


def seen(gap, count=BALLS, seed=0):
    """(whole Tracks, those of the late frames alone, times (B, 1) s, truth (B, 1, 3)) of balls hidden for `gap` s."""
    sport, launches = lobs(count, seed)
    early = np.arange(EARLY) / RATE
    late = early[-1] + gap + np.arange(1, LATE + 1) / RATE
    times = np.r_[early, late, late[-1] + ASKED]
    path = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], times).position
    noisy = path[:, :-1] + NOISE * np.random.default_rng(seed + 1).standard_normal(path[:, :-1].shape)
    whole = [Track(times[:-1], one) for one in noisy]
    return whole, [Track(late, one[EARLY:]) for one in noisy], np.tile(times[-1:], (count, 1)), path[:, -1:]


def by_gap(predictors, gaps=GAPS, count=BALLS):
    """(name, whether it saw the early frames) -> errors (B, len(gaps)) m."""
    found = {}
    for gap in gaps:
        whole, late, times, truth = seen(gap, count)
        for name, predictor in predictors.items():
            for told, tracks in ((True, whole), (False, late)):
                found.setdefault((name, told), []).append(errors(predictor, tracks, times, truth)[:, 0])
    return {key: np.stack(columns, 1) for key, columns in found.items()}


def memory_of(name, longest):
    """A small Network that reads two numbers a frame; with biases for the length where its name says so."""
    torch.manual_seed(0)
    network = Network(Shape(name.split(",")[0], 2, 0, **SMALL))
    if "," in name:
        cell = chrono(cell_of("gru", 2, SMALL["units"], 0), longest)
        network.trunk.load_state_dict({f"{part}_l0": a for part, a in cell.state_dict().items()})
    return network, nn.Linear(SMALL["units"], 1)


def blanks(gap, count, seed):
    """(what is read (B, T, 2), where the balls go (B,), how many mm one of that is): balls whose sideways curve is seen
    in SEEN frames; then there are `gap` frames of nothing, and then they are asked for.

    Read are the sideways place, beside a straight line through its launch, and whether there was a ball.
    """
    sport, launches = lobs(count, seed)
    times = np.arange(SEEN + gap + 1) / RATE
    path = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], times).position[..., 0]
    beside = path - launches[:, :1] - launches[:, 3:4] * times
    scale, end = float(np.std(lobbed(SEEN))), float(np.std(lobbed(SEEN + gap)))
    noisy = beside[:, :SEEN] + QUIET * np.random.default_rng(seed + 1).standard_normal((count, SEEN))
    read = np.zeros((count, SEEN + gap, 2), np.float32)
    read[:, :SEEN, 0], read[:, :SEEN, 1] = noisy / scale, 1.0
    return torch.from_numpy(read), torch.from_numpy(beside[:, -1] / end).float(), 1e3 * end


@cache
def lobbed(frames, count=500):
    """How far (B,) m balls have gone sideways after so many frames."""
    sport, launches = lobs(count, 7)
    path = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], [frames / RATE]).position[:, 0, 0]
    return path - launches[:, 0] - launches[:, 3] * frames / RATE


def learnt(name, gap, steps=STEPS):
    """Errors, mm, in the median of fresh balls: of a small network that has learnt to wait for so many frames, and of
    one that says the same of every ball."""
    network, tell = memory_of(name, SEEN + gap)
    times = torch.arange(SEEN + gap).expand(BATCH, -1) / RATE
    parameters = [*network.trunk.parameters(), *tell.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    read, wanted, mm = blanks(gap, BATCH * steps, 10)
    for k in range(steps):
        own = slice(k * BATCH, (k + 1) * BATCH)
        loss = (tell(network.memory(read[own], times)[:, -1])[:, 0] - wanted[own]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    read, wanted, mm = blanks(gap, TESTED, 11)
    with torch.no_grad():
        off = tell(network.memory(read, times[:1].expand(TESTED, -1))[:, -1])[:, 0] - wanted
    return mm * float(off.abs().median()), mm * float((wanted - wanted.median()).abs().median())


def main():
    page = Page("long_memory")
    found = by_gap(networks(*NAMES))
    page.say(
        f"as they ship: error {ASKED:g} s ahead, mm, median of {BALLS} balls; {EARLY} frames, a gap, {LATE} frames"
    )
    page.say(f"{'gap, s':38}" + "".join(f"{gap:>7g}" for gap in GAPS))
    for told in (True, False):
        for name in NAMES:
            label = name if told else f"{name}, the last {LATE} frames alone"
            page.say(f"{label:38}" + "".join(f"{1e3 * v:7.0f}" for v in np.median(found[name, told], axis=0)))
    page.say(
        f"{'half an interval of 95 %, gru':38}" + "".join(f"{1e3 * interval(e):7.1f}" for e in found["gru", True].T)
    )
    page.say(
        f"\nsmall networks, each taught to wait: error, mm, where the ball was seen in {SEEN} frames, then in none"
    )
    page.say(f"{'frames of nothing':38}" + "".join(f"{gap:>7}" for gap in WAITS))
    waited = {name: np.array([learnt(name, gap) for gap in WAITS]) for name in SMALLS}
    waited = {}
    for name in SMALLS:
        waited[name] = np.array([learnt(name, gap) for gap in WAITS])
        page.say(f"{name:38}" + "".join(f"{v:7.0f}" for v in waited[name][:, 0]))
    same = waited["gru"][:, 1]
    page.say(f"{'the same said of every ball':38}" + "".join(f"{v:7.0f}" for v in same))
    drawn(page, found, waited, same)


def drawn(page, found, waited, same):
    """Errors against the gap: of what ships, and of the small networks as shares of knowing nothing."""
    figure, (left, right) = page.figure(2)
    for name in NAMES:
        left.semilogy(GAPS, 1e3 * np.median(found[name, True], axis=0), marker=".", **color_of(name))
    alone = 1e3 * np.median(found["gru", False], axis=0)
    left.semilogy(GAPS, alone, color="#7a7a7a", linestyle=":", label="gru, late frames alone")
    left.set_xlabel("gap, s")
    left.set_ylabel(f"error {ASKED:g} s ahead, mm")
    left.legend(fontsize=6)
    for name, off in waited.items():
        style = color_of(name.split(",")[0]) | ({"linestyle": ":"} if "," in name else {}) | {"label": name}
        right.semilogx(WAITS, off[:, 0] / same, marker=".", **style)
    right.axhline(1.0, color="#7a7a7a", linewidth=0.6)
    right.set_ylim(0)
    right.set_xlabel("frames of nothing")
    right.set_ylabel("error, of that of knowing nothing")
    right.legend(fontsize=6)
    page.close(figure)


if __name__ == "__main__":
    main()
