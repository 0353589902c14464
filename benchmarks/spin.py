"""How well the spin is estimated, which no frame shows: python -m benchmarks.spin [--balls 500]

The median length, rad/s, of the error of the spin vector, for predictors that estimate it and for the limit `informed`:
on simulated balls after 0.3 s without a contact, and on the balls of SpinDOE, whose spin was measured (Gossard et al.
2023; in the folder that BALLCAST_DATA names, skipped without it), before they reach the table.

Keys of the last line: NAME_simulated and NAME_spindoe for each of these, for `none` (the answer "no spin") and `balls`.
"""

import json
import os
from pathlib import Path

import numpy as np
import tyro

from ballcast import models, sim
from ballcast.evaluation import limits, protocols
from ballcast.evaluation.suites import simulated
from ballcast.tracks import read_track

HISTORY, MIN_HEIGHT, MIN_FRAMES = 0.3, 0.06, 15  # s; m above the table, where the part before the bounce ends; frames
PREDICTORS = ("gru_physics", "physics")
ROOT = Path(__file__).parents[1]


def before_first_contact(count):
    """(Suite, Cases) of simulated balls, the ends (N, 1) s of histories, and the numbers of cases without a contact."""
    suite = simulated(sim.load("table_tennis"), count, 0)
    cases = protocols.horizon(suite, HISTORY, (0.1,))
    ends = np.array([[track.time[-1]] for track in cases.histories])
    met = np.unique(suite.flight(cases.track_numbers, ends).impacts.ball)
    return suite, cases, ends, np.setdiff1d(np.arange(len(cases)), met)


def simulated_errors(count):
    """Median errors by name, and the number of balls."""
    suite, cases, ends, free = before_first_contact(count)
    truth = suite.flight(cases.track_numbers, ends).spin[:, 0]
    forecasters = {name: models.load(name, suite.sport).forecast for name in PREDICTORS}
    spins = {name: [f(cases.histories[n], cases.times[n]).belief.spin for n in free] for name, f in forecasters.items()}
    informed, truths = limits.load("informed", suite.sport), {n: suite.truth_of(cases.track_numbers[n]) for n in free}
    forecasts = (informed.forecast(cases.histories[n], cases.times[n], t) for n, t in truths.items())
    spins["informed"] = [forecast.belief.spin for forecast in forecasts]
    return medians(spins, truth[free])


def spindoe_errors(folder):
    """The same on recorded balls, whose spin was measured by their markings."""
    measured = np.loadtxt(folder / "index.csv", delimiter=",", skiprows=1)  # number, spin (rad/s)
    sport, histories, truth = sim.load("table_tennis").without("net"), [], []
    for path in sorted(folder.glob("[0-9]*.csv")):
        track, row = read_track(path), measured[measured[:, 0] == int(path.stem)]
        low = np.flatnonzero(track.position[:, 2] < MIN_HEIGHT)
        part = track.until(track.time[low[0] - 1]) if len(low) and low[0] else track
        if len(part) >= MIN_FRAMES and len(row):
            histories.append(part), truth.append(row[0, -3:])
    forecasters = {name: models.load(name, sport).forecast for name in PREDICTORS}
    spins = {name: [f(t, t.time[-1:] + 0.01).belief.spin for t in histories] for name, f in forecasters.items()}
    return medians(spins, np.array(truth))


def medians(spins, truth):
    """Median lengths of the errors of spins {name: (N, 3)} rad/s and of the answer "no spin", and N as `balls`."""
    off = {name: np.linalg.norm(np.array(s) - truth, axis=1) for name, s in (spins | {"none": 0.0 * truth}).items()}
    return {name: round(float(np.median(a)), 1) for name, a in off.items()} | {"balls": len(truth)}


def main(balls: int = 500):
    results = {"simulated": simulated_errors(balls)}
    folder = Path(os.environ.get("BALLCAST_DATA", ROOT.parent / "shared" / "data")) / "spindoe"
    if folder.is_dir():
        results["spindoe"] = spindoe_errors(folder)
    else:
        print(f"{folder} does not exist: SpinDOE is skipped")
    for suite, errors in results.items():
        print(f"{suite}: " + ", ".join(f"{name} {v}" for name, v in errors.items()))
    print(json.dumps({f"{name}_{suite}": v for suite, errors in results.items() for name, v in errors.items()}))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
