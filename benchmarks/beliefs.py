"""Is the belief as sure as it should be? python -m benchmarks.beliefs [--sport table_tennis] [--balls 500]

On simulated balls (test set), for the running filter under the networks (its mean and covariance: of a mixture, the
moment-matched Gaussian) and for the belief of `gru_physics`, which corrects it: the normalised estimation error squared
(NEES) of position and velocity divided by their dimension, mean over balls, 1 if the covariance is right; the median
NEES divided by that of a right one, which no single ball decides; how many balls are certain and wrong, beyond the
99.99 % quantile of position and velocity together; and how often the 90 % interval of each component of the spin
contains it. Rows: after a time seen, and so many frames after the first and the second contact. Asked are 0.8-1.3 and
85-95 %.

Keys of the last line: SPORT_WHO_ROW_position, _velocity (mean NEES / 3), _spin (the least of the three coverages).
"""

import json
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import tyro
from scipy.stats import chi2, norm

from ballcast import models, sim
from ballcast.evaluation.suites import Suite, simulated
from ballcast.models.estimation.unknowns import to_belief
from ballcast.models.predictors.neural import Memory
from benchmarks.feeds import filter_estimate

SEEN = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)  # s
AFTER_CONTACT, CONTACTS = (3, 10, 20), ("first", "second")  # frames after a contact
MIN_FRAMES = 3
INTERVAL = norm.ppf(0.95)  # standard deviations of half a 90 % interval
PARTS = {"position": slice(0, 3), "velocity": slice(3, 6), "both": slice(0, 6)}  # of a Belief's covariance
NEES_RANGE, COVERAGE_RANGE = (0.8, 1.3), (0.85, 0.95)  # asked


def moments(suite: Suite) -> dict[int, list[tuple[int, str]]]:
    """Number of a frame -> (ball, row of the table) of what is scored after it."""
    ends = np.array([[track.time[-1]] if len(track) else [1e-3] for track in suite.tracks])
    impacts, found = suite.flight(np.arange(len(ends)), ends).impacts, defaultdict(list)
    for ball, track in enumerate(suite.tracks):
        after = [np.searchsorted(track.time, track.time[0] + seen) for seen in SEEN] if len(track) else []
        for k, seen in zip(after, SEEN):
            found[int(k)].append((ball, f"{seen:g} s"))
        contacts = np.sort(impacts.time[impacts.ball == ball])[: len(CONTACTS)]
        for name, time in zip(CONTACTS, contacts):
            for count in AFTER_CONTACT:
                k = np.searchsorted(track.time, time, side="right") + count - 1
                found[int(k)].append((ball, f"{name} contact, frame {count}"))
    return {k: [(b, row) for b, row in v if MIN_FRAMES <= k < len(suite.tracks[b])] for k, v in sorted(found.items())}


def beliefs(predictor: models.Predictor, suite: Suite) -> Iterator[tuple[str, int, float, list]]:
    """(row, ball, time, [belief of the filter, of the network]) at all moments(): a Belief in the tracker's frame."""
    batch, wanted = predictor.streams(len(suite.tracks)), moments(suite)
    for k in range(max(wanted) + 1):
        time, position = np.full(len(suite.tracks), np.nan), np.full((len(suite.tracks), 3), np.nan)
        for ball, track in enumerate(suite.tracks):
            if k < len(track):
                time[ball], position[ball] = track.time[k], track.position[k]
        batch.observe(time, position)
        here = wanted.get(k, [])
        for (ball, row), corrected in zip(here, network_beliefs(batch, np.array([b for b, _ in here], int))):
            estimate = filter_estimate(batch, ball)
            yield row, ball, time[ball], [to_belief(estimate.mean, estimate.covariance), corrected]


def network_beliefs(batch, balls: np.ndarray) -> list[models.Belief]:
    """The network's Belief of some balls of a StreamBatch."""
    predictor = batch.predictor
    out = predictor.allocate(len(balls), 1)
    if len(balls):
        memory = Memory(*(array[balls] for array in batch.memory))
        predictor.predict_into(predictor.pack(memory), np.full((len(balls), 1), 0.01), out)
    return [to_belief(x, P) for x, P in zip(out.x, out.P)]


def measure(sport: sim.Sport, count: int) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """(who, row) -> NEES of PARTS (B,), and whether the intervals of the spin contain it (B, 3)."""
    suite, predictor = simulated(sport, count, 5), models.load("gru_physics", sport)
    found = [(row, ball, time, pair) for row, ball, time, pair in beliefs(predictor, suite)]
    balls, times = np.array([f[1] for f in found]), np.array([[f[2]] for f in found])
    flight, table = suite.flight(balls, times), defaultdict(lambda: defaultdict(list))
    truth = np.concatenate([flight.position[:, 0], flight.velocity[:, 0], flight.spin[:, 0]], axis=1)
    for (row, _, _, pair), true in zip(found, truth):
        for who, belief in zip(("filter", "gru_physics"), pair):
            off = np.concatenate([belief.position, belief.velocity, belief.spin]) - true
            for name, part in PARTS.items():
                nees = off[part] @ np.linalg.solve(belief.covariance[part, part], off[part])
                table[who, row][name].append(nees)
            sd = np.sqrt(np.diagonal(belief.covariance)[6:9])
            table[who, row]["spin"].append(np.abs(off[6:9]) <= INTERVAL * sd)
    return {key: {name: np.array(values) for name, values in table[key].items()} for key in table}


def show(sport: sim.Sport, table: dict) -> dict:
    """Print the table of one sport; return the keys of the last line."""
    rows = [f"{s:g} s" for s in SEEN] + [f"{c} contact, frame {k}" for c in CONTACTS for k in AFTER_CONTACT]
    result, missed, cells = {}, 0, 0
    for who in ("filter", "gru_physics"):
        print(f"\n{sport.name}, {who}: NEES / dimension, mean (median); 90 % intervals of the spin")
        columns = " ".join(f"{name:>15}" for name in PARTS)
        print(f"{'':<26} {'balls':>5} {columns} {'wrong':>6} {'x':>6} {'y':>6} {'z':>6}")
        for row in (row for row in rows if (who, row) in table):
            found = table[who, row]
            mean = {name: found[name].mean() / (part.stop - part.start) for name, part in PARTS.items()}
            median = {n: np.median(found[n]) / chi2.ppf(0.5, p.stop - p.start) for n, p in PARTS.items()}
            inside = found["spin"].mean(axis=0)
            cells_text = " ".join(f"{f'{mean[n]:.2f} ({median[n]:.2f})':>15}" for n in PARTS)
            wrong, shares = int((found["both"] > chi2.ppf(0.9999, 6)).sum()), " ".join(f"{v:>6.0%}" for v in inside)
            print(f"{row:<26} {len(found['spin']):>5} {cells_text} {wrong:>6} {shares}")
            key = f"{sport.name}_{who}_{row.replace(' ', '_').replace(',', '')}"
            result |= {f"{key}_{name}": round(float(mean[name]), 3) for name in ("position", "velocity")}
            result[f"{key}_spin"] = round(float(inside.min()), 3)
            outside = [not NEES_RANGE[0] <= mean[n] <= NEES_RANGE[1] for n in ("position", "velocity")]
            outside += [not COVERAGE_RANGE[0] <= v <= COVERAGE_RANGE[1] for v in inside]
            missed, cells = missed + sum(outside), cells + len(outside)
    asked = f"{'asked':<26} {'':>5} {'0.8-1.3':>15} {'0.8-1.3':>15}"
    print(f"{asked} {'':>15} {'0':>6}  85-95%; {missed} of {cells} cells miss it")
    return result


def main(sport: tuple[str, ...] = ("table_tennis",), balls: int = 500):
    result = {}
    for chosen in map(sim.load, sport):
        result |= show(chosen, measure(chosen, balls))
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
