"""Four things that a sequence asks of a network, and what happens to one that lacks them.

python -m lessons.order
"""

import numpy as np
import torch
from ballcast.tracks import Track

from ballcast import sim
from lessons.balls import NOISE, RATE, errors, networks, some
from lessons.long_memory import lobs
from lessons.loss_over_time import trained
from lessons.page import Page, color_of

NAMES, ASKED, FRAMES, BALLS = ("mlp", "rnn", "gru"), 0.3, 45, 400
LONGEST, LENGTHS = 500, range(1, 501)  # frames
PADDED = (1, 2, 3, 7, 20, 60, 150, 333, 500)  # of tracks that lie in one batch
EARLY, MOVED, HEARD = 6, 0.005, (1, 4, 8, 11, 16, 30, 45, 60, 80)  # frames, m; frames later
SLOTS, LATER = 20, (0, 10, 20, 40, 60)  # frames of the network with weights of their own; frames that it begins later


def long_track(frames=LONGEST):
    """A ball seen in so many frames: it is let fall and bounces for long."""
    sport, times = sim.load("table_tennis"), np.arange(frames) / RATE
    path = sim.simulate(sport, [[0.1, -1.0, 1.2]], [[0.05, 0.3, 0.0]], [[0, 0, 0]], times).position[0]
    return Track(times, path + NOISE * np.random.default_rng(0).standard_normal(path.shape))


def padded(predictor, lengths):
    """By how much, m, forecasts differ of tracks of many lengths: each alone, and all in one padded batch."""
    whole = long_track(max(lengths))
    tracks = [Track(whole.time[:n], whole.position[:n]) for n in lengths if n >= predictor.needs]
    times = np.array([track.time[-1] for track in tracks])[:, None] + np.array([0.1, 0.5])
    together = predictor.forecast_batch(tracks, times)
    alone = [predictor.forecast(track, row) for track, row in zip(tracks, times)]
    return max(np.abs(a.mean - b.mean).max() for a, b in zip(alone, together))


def remembered(lengths, seed=0):
    """The largest difference in what the shipped gru remembers of sequences of all lengths: alone, and padded."""
    network, chance = trained("gru"), torch.Generator().manual_seed(seed)
    features = torch.randn(len(lengths), max(lengths), network.shape.features, generator=chance)
    batch, off = features.clone(), 0.0
    for row, n in zip(batch, lengths):
        row[n:] = 0.0
    with torch.no_grad():
        together = network.memory(batch, None)
        for k, n in enumerate(lengths):
            alone = network.memory(features[k : k + 1, :n], None)[0, -1]
            off = max(off, float((alone - together[k, n - 1]).abs().max()))
    return off


def cases(count=BALLS, frames=FRAMES):
    """(Tracks of so many frames, times (B, 1) s, truth (B, 1, 3) m)."""
    suite = some(count)
    rows = np.array([i for i, track in enumerate(suite.tracks) if len(track) >= frames])
    seen = [Track(suite.tracks[i].time[:frames], suite.tracks[i].position[:frames]) for i in rows]
    times = np.array([track.time[-1] for track in seen])[:, None] + ASKED
    return seen, times, suite.flight(rows, times).position


def shuffled(track, seed=0):
    """The same places at the same times, but not each at its own; the last stays."""
    order = np.random.default_rng(seed).permutation(len(track) - 1)
    return Track(track.time, np.concatenate([track.position[:-1][order], track.position[-1:]]))


def averaged(seen, times, truth):
    """Errors (B,) of what knows no order: means of all places, by least squares on half of the balls."""
    read = np.array([np.r_[1.0, t.position.mean(axis=0), t.position[-1], t.position.std(axis=0)] for t in seen])
    half = len(seen) // 2
    weights, *_ = np.linalg.lstsq(read[:half], truth[:half, 0], rcond=None)
    return np.linalg.norm(read[half:] @ weights - truth[half:, 0], axis=1)


def heard(predictor, after, count=80):
    """How far, m, in the median, a forecast moves so many frames after the first EARLY, where those are moved."""
    moved = []
    for track in [track for track in some(300).tracks if len(track) >= EARLY + max(HEARD)][:count]:
        n = EARLY + after
        position = track.position[:n].copy()
        position[:EARLY, 0] += MOVED
        times = track.time[n - 1 : n] + ASKED
        a, b = (predictor.forecast(Track(track.time[:n], p), times).mean for p in (track.position[:n], position))
        moved.append(np.linalg.norm(a - b))
    return float(np.median(moved))


def late(predictor, later, count=BALLS):
    """Errors (B,) of a predictor that sees SLOTS frames of lobs from frame `later` on, and of a network with weights of
    its own for every slot (one layer, least squares), learnt from the first SLOTS frames of other lobs."""
    sport, launches = lobs(2 * count)
    times = np.arange(later + SLOTS) / RATE
    asked = np.r_[times, times[SLOTS - 1] + ASKED, times[-1] + ASKED]
    order = np.argsort(asked, kind="stable")
    path = np.empty((len(launches), len(asked), 3))
    flown = sim.simulate(sport, launches[:, :3], launches[:, 3:6], launches[:, 6:], np.unique(asked)).position
    path[:, order] = flown[:, np.searchsorted(np.unique(asked), asked[order])]
    seen = path[:, :-2] + NOISE * np.random.default_rng(1).standard_normal(path[:, :-2].shape)
    read = [np.hstack([np.ones((2 * count, 1)), seen[:, k : k + SLOTS].reshape(2 * count, -1)]) for k in (0, later)]
    weights, *_ = np.linalg.lstsq(read[0][:count], path[:count, -2], rcond=None)
    own = np.linalg.norm(read[1][count:] @ weights - path[count:, -1], axis=1)
    tracks = [Track(times[later:], one[later:]) for one in seen[count:]]
    return errors(predictor, tracks, np.full((count, 1), asked[-1]), path[count:, -1:])[:, 0], own


def main():
    page, predictors = Page("order"), networks(*NAMES)
    page.say("1. any length")
    page.say(f"gru: what is remembered of {len(LENGTHS)} sequences of 1 to {LONGEST} frames, each alone and all in one "
             f"padded batch, differs by {remembered(LENGTHS):.0e} at most")  # fmt: skip
    for name, predictor in predictors.items():
        off = padded(predictor, PADDED)
        page.say(f"{name}: forecasts of {len(PADDED) - 1} tracks of 2 to {LONGEST} frames differ by {off:.0e} m")
    seen, times, truth = cases()
    mixed = [shuffled(track, n) for n, track in enumerate(seen)]
    page.say(f"\n2. order: error {ASKED:g} s ahead, mm, median of {len(seen)} balls seen in {FRAMES} frames")
    page.say(f"{'':34}{'as seen':>10}{'shuffled':>10}{'times':>10}")
    orders = {}
    for name, predictor in predictors.items():
        orders[name] = [1e3 * np.median(errors(predictor, tracks, times, truth)) for tracks in (seen, mixed)]
    orders["no order: means of the places"] = [1e3 * np.median(averaged(t, times, truth)) for t in (seen, mixed)]
    for name, (plain, mix) in orders.items():
        page.say(f"{name:34}{plain:10.0f}{mix:10.0f}{mix / plain:10.1f}")
    page.say(f"\n3. long ago: the first {EARLY} frames are moved by {1e3 * MOVED:g} mm; so the forecast moves, mm")
    page.say(f"{'frames later':34}" + "".join(f"{n:>7}" for n in HEARD))
    felt = {name: [1e3 * heard(p, n) for n in HEARD] for name, p in predictors.items()}
    for name, row in felt.items():
        page.say(f"{name:34}" + "".join(f"{v:7.2f}" for v in row))
    page.say(f"\n4. the same weights at every frame: error {ASKED:g} s ahead, mm, of lobs seen in {SLOTS} frames")
    page.say(f"{'first frame that is seen':34}" + "".join(f"{n:>7}" for n in LATER))
    shared = np.array([[np.median(e) for e in late(predictors["gru"], n)] for n in LATER]) * 1e3
    for name, row in zip(("gru", "own weights for every slot"), shared.T):
        page.say(f"{name:34}" + "".join(f"{v:7.0f}" for v in row))
    clock = [predictors["gru"].forecast(Track(t.time + s, t.position), row + s).mean
             for s in (0.0, 1000.0) for t, row in zip(seen[:1], times)]  # fmt: skip
    page.say(f"gru, the clock put on by 1,000 s: the forecast moves by {np.abs(clock[0] - clock[1]).max():.0e} m")
    drawn(page, orders, felt, shared)


def drawn(page, orders, felt, shared):
    """Three of the four, side by side."""
    figure, (left, middle, right) = page.figure(3)
    for k, (name, pair) in enumerate(orders.items()):
        style = {"color": "#7a7a7a"} if "order" in name else {"color": color_of(name)["color"]}
        left.bar([k - 0.2, k + 0.2], pair, width=0.38, alpha=0.9, **style)
    left.set_xticks(range(len(orders)), [name.partition(":")[0] for name in orders])
    left.set_ylabel("error as seen, and shuffled, mm")
    for name, row in felt.items():
        middle.plot(HEARD, row, marker=".", **color_of(name))
    middle.set_xlabel("frames later")
    middle.set_ylabel(f"forecast moves, of {1e3 * MOVED:g} mm long ago, mm")
    middle.legend(fontsize=7)
    for row, style in zip(shared.T, (color_of("gru"), {"color": "#7a7a7a", "label": "own weights for every slot"})):
        right.semilogy(LATER, row, marker=".", **style)
    right.set_xlabel("first frame that is seen")
    right.set_ylabel("error, mm")
    right.legend(fontsize=7)
    page.close(figure)


if __name__ == "__main__":
    main()
