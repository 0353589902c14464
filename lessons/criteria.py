"""Four demands of a sequence on a network, and what happens to a network that does not meet them."""

import numpy as np
import torch

from ballcast import sim
from ballcast.tracks import Track
from lessons.balls import NOISE, RATE, errors, make_cases, networks, test_balls, trained
from lessons.long_memory import lobs
from lessons.page import Page, finish, line_style

MODELS, LEAD_TIME, HISTORY_FRAMES, BALL_COUNT = ("mlp", "rnn", "gru"), 0.3, 45, 400
MAX_LENGTH, LENGTHS = 500, range(1, 501)  # frames
PADDED = (1, 2, 3, 7, 20, 60, 150, 333, 500)  # frames of the tracks in one batch
EARLY, PERTURBATION, LAGS = 6, 0.005, (1, 4, 8, 11, 16, 30, 45, 60, 80)  # frames, m; frames later
SLOTS, START_DELAYS = 20, (0, 10, 20, 40, 60)  # frames of the layer with separate weights; frames left out before them


def long_track(frames=MAX_LENGTH):
    """A Track of a ball that is dropped and bounces for a long time."""
    sport, times = sim.load("table_tennis"), np.arange(frames) / RATE
    path = sim.simulate(sport, [[0.1, -1.0, 1.2]], [[0.05, 0.3, 0.0]], [[0, 0, 0]], times).position[0]
    return Track(times, path + NOISE * np.random.default_rng(0).standard_normal(path.shape))


def padded(predictor, lengths):
    """The largest difference, m, between forecasts of tracks of many lengths: each alone, and in one padded batch."""
    whole = long_track(max(lengths))
    tracks = [whole[:n] for n in lengths if n >= predictor.min_frames]
    times = np.array([track.time[-1] for track in tracks])[:, None] + np.array([0.1, 0.5])
    together = predictor.forecast_batch(tracks, times)
    alone = [predictor.forecast(track, row) for track, row in zip(tracks, times)]
    return max(np.abs(a.mean - b.mean).max() for a, b in zip(alone, together))


def remembered(lengths, seed=0):
    """The largest difference between the shipped gru's hidden states of sequences of many lengths, alone and padded."""
    network, generator = trained("gru"), torch.Generator().manual_seed(seed)
    features = torch.randn(len(lengths), max(lengths), network.shape.features, generator=generator)
    batch, off = features.clone(), 0.0
    for row, n in zip(batch, lengths):
        row[n:] = 0.0
    with torch.no_grad():
        together = network.hidden(batch, None)
        for k, n in enumerate(lengths):
            alone = network.hidden(features[k : k + 1, :n], None)[0, -1]
            off = max(off, float((alone - together[k, n - 1]).abs().max()))
    return off


def shuffled(track, seed=0):
    """The track with its positions shuffled among its times; the last one keeps its time."""
    order = np.random.default_rng(seed).permutation(len(track) - 1)
    return Track(track.time, np.concatenate([track.position[:-1][order], track.position[-1:]]))


def averaged(histories, truth):
    """Errors (B / 2,) m of a model without order, on mean positions; least squares on the other half of the balls."""
    rows = [np.r_[1.0, t.position.mean(axis=0), t.position[-1], t.position.std(axis=0)] for t in histories]
    features, half = np.array(rows), len(histories) // 2
    weights, *_ = np.linalg.lstsq(features[:half], truth[:half, 0], rcond=None)
    return np.linalg.norm(features[half:] @ weights - truth[half:, 0], axis=1)


def influence(predictor, lag, count=80):
    """How far, m, the forecast `lag` frames after the first EARLY moves if these are moved; median over balls."""
    shifts = []
    for track in [track for track in test_balls(300).tracks if len(track) >= EARLY + max(LAGS)][:count]:
        n = EARLY + lag
        position = track.position[:n].copy()
        position[:EARLY, 0] += PERTURBATION
        times = track.time[n - 1 : n] + LEAD_TIME
        a, b = (predictor.forecast(Track(track.time[:n], p), times).mean for p in (track.position[:n], position))
        shifts.append(np.linalg.norm(a - b))
    return float(np.median(shifts))


def late(predictor, delay, count=BALL_COUNT):
    """Errors (B,) m on lobs of which SLOTS frames from frame `delay` on are given: of a predictor, and of a layer with
    separate weights for each slot (least squares), trained on the first SLOTS frames of other lobs."""
    sport, launches = lobs(2 * count)
    times = np.arange(delay + SLOTS) / RATE
    query_times = np.r_[times, times[SLOTS - 1] + LEAD_TIME, times[-1] + LEAD_TIME]
    grid, columns = np.unique(query_times, return_inverse=True)
    path = sim.simulate(sport, *np.split(launches, 3, axis=1), grid).position[:, columns]
    measured = path[:, :-2] + NOISE * np.random.default_rng(1).standard_normal(path[:, :-2].shape)
    slots = [measured[:, k : k + SLOTS].reshape(2 * count, -1) for k in (0, delay)]
    inputs = [np.hstack([np.ones((2 * count, 1)), positions]) for positions in slots]
    weights, *_ = np.linalg.lstsq(inputs[0][:count], path[:count, -2], rcond=None)
    slot_errors = np.linalg.norm(inputs[1][count:] @ weights - path[count:, -1], axis=1)
    tracks = [Track(times[delay:], positions[delay:]) for positions in measured[count:]]
    return errors(predictor, tracks, np.full((count, 1), query_times[-1]), path[count:, -1:])[:, 0], slot_errors


def main():
    page, predictors = Page("criteria"), networks(*MODELS)
    page.print("1. any length")
    page.print(f"gru: hidden states of {len(LENGTHS)} sequences of 1 to {MAX_LENGTH} frames, each alone and all in "
               f"one padded batch, differ by at most {remembered(LENGTHS):.0e}")  # fmt: skip
    for name, predictor in predictors.items():
        off = padded(predictor, PADDED)
        page.print(f"{name}: forecasts of {len(PADDED) - 1} tracks of 2 to {MAX_LENGTH} frames differ by {off:.0e} m")
    histories, times, truth = make_cases(BALL_COUNT, HISTORY_FRAMES, LEAD_TIME)
    mixed = [shuffled(track, n) for n, track in enumerate(histories)]
    page.print(f"\n2. order: error {LEAD_TIME:g} s ahead, mm, median of {len(histories)} balls "
               f"with {HISTORY_FRAMES} frames")  # fmt: skip
    page.print(f"{'':34}{'in order':>10}{'shuffled':>10}{'ratio':>10}")
    both = histories, mixed
    orders = {k: [1e3 * np.median(errors(p, t, times, truth)) for t in both] for k, p in predictors.items()}
    orders["no order: mean position"] = [1e3 * np.median(averaged(t, truth)) for t in both]
    for name, (plain, mix) in orders.items():
        page.print(f"{name:34}{plain:10.0f}{mix:10.0f}{mix / plain:10.1f}")
    page.print(f"\n3. distant past: movement of the forecast, mm, if the first {EARLY} frames are moved by "
               f"{1e3 * PERTURBATION:g} mm")  # fmt: skip
    page.print(f"{'frames later':34}" + "".join(f"{n:>7}" for n in LAGS))
    influences = {name: [1e3 * influence(p, n) for n in LAGS] for name, p in predictors.items()}
    for name, row in influences.items():
        page.print(f"{name:34}" + "".join(f"{v:7.2f}" for v in row))
    page.print(f"\n4. the same weights at every frame: error {LEAD_TIME:g} s ahead, mm, of lobs with {SLOTS} frames")
    page.print(f"{'first frame given':34}" + "".join(f"{n:>7}" for n in START_DELAYS))
    shared = np.array([[np.median(e) for e in late(predictors["gru"], n)] for n in START_DELAYS]) * 1e3
    for name, row in zip(("gru", "separate weights for each slot"), shared.T):
        page.print(f"{name:34}" + "".join(f"{v:7.0f}" for v in row))
    clock = [predictors["gru"].forecast(Track(t.time + s, t.position), row + s).mean
             for s in (0.0, 1000.0) for t, row in zip(histories[:1], times)]  # fmt: skip
    page.print(f"gru, clock shifted by 1,000 s: the forecast moves by {np.abs(clock[0] - clock[1]).max():.0e} m")
    draw(page, orders, influences, shared)


def draw(page, orders, influences, shared):
    """Three of the four experiments, side by side."""
    figure, (left, middle, right) = page.figure(3)
    for k, (name, pair) in enumerate(orders.items()):
        style = {"color": "#7a7a7a"} if "order" in name else {"color": line_style(name)["color"]}
        left.bar([k - 0.2, k + 0.2], pair, width=0.38, alpha=0.9, **style)
    left.set_xticks(range(len(orders)), [name.partition(":")[0] for name in orders])
    left.set_ylabel("error in order, and shuffled, mm")
    for name, row in influences.items():
        middle.plot(LAGS, row, marker=".", **line_style(name))
    moved = f"movement of the forecast, for {1e3 * PERTURBATION:g} mm early on, mm"
    finish(middle, xlabel="frames later", ylabel=moved)
    separate = {"color": "#7a7a7a", "label": "separate weights for each slot"}
    for row, style in zip(shared.T, (line_style("gru"), separate)):
        right.semilogy(START_DELAYS, row, marker=".", **style)
    finish(right, xlabel="first frame given", ylabel="error, mm")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
