"""Calibration, at the end of a run or by python -m ballcast.models.training.calibrate WEIGHTS|physics [SPORT ...|all].

The variances of a network are scaled so that its 90 % regions hold 90 % of balls. The factors, one for each horizon,
are measured on simulated balls that were not learnt from, and stored in the file of weights. A network that learnt from
several sports has factors for each of them; all balls together, with those of a few random sports, give the factors for
other sports. Balls that touch a net, a board or a bar are left out, because small differences decide where those go.
`physics` has factors too, on the covariance of its fit: see ballcast/models/estimation/fit_spread.py.
"""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from ballcast import command, sim
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation.fit_spread import FILE, FULL_FRAMES, SPEEDS, FitSpread
from ballcast.models.registry import load, predictors_of
from ballcast.models.runtime import weights
from ballcast.models.training.sports import sports_of
from ballcast.sim.files import write_atomically
from ballcast.tracks import Track

PROGRAM = "python -m ballcast.models.training.calibrate"
BALLS, FIRST = 1500, 100_000  # the number of balls of a sport, and the first; purpose validation
RANDOM_SPORTS, RANDOM_BALLS = 8, 400  # of the calibration for other sports
PHYSICS_BALLS, ROUNDS, MIN_BALLS = 3000, 3, 20  # for the factors of `physics`
MIN_FRAMES, MAX_FRAMES = 3, 110  # of a history
COVERAGE = 0.9
MIN_FACTOR, MAX_FACTOR = 0.1, 10.0  # a factor beyond these would be a mistake


def calibrate(path: str | Path, names: str | Sequence[str] | None = None) -> None:
    """Measure the factors of a file of weights, for sports' names or .toml files or `all`, and store them in it."""
    info, tensors = weights.read(path)
    if info["model"] == "tokens":  # its samples need no factors
        return
    sports, before = sports_of(names or list(info["sports"])), info.get("widen", {})
    info["widen"] = {}
    weights.save(path, tensors, info)
    measured = {sport.name: distances(path, info["model"], sport, BALLS) for sport in sports}
    if len(sports) > 1:
        others = [sim.random_sport(n, purpose="validation") for n in range(RANDOM_SPORTS)]
        together = [*measured.values(), *(distances(path, info["model"], sport, RANDOM_BALLS) for sport in others)]
        own = {name: factors(distance2) for name, distance2 in measured.items()}
        info["widen"] = factors({key: _join(part[key] for part in together) for key in together[0]}) | {"sports": own}
    else:
        info["widen"] = factors(measured[sports[0].name])
    keep_pixels(info["widen"], before)
    weights.save(path, tensors, info)


def keep_pixels(factors: dict, before: dict) -> None:
    """Take over the factors for pixels of weights, which pixel_calibration.py measures, from the factors before."""
    if "pixels" in before:
        factors["pixels"] = before["pixels"]
    for name, own in before.get("sports", {}).items():
        if "pixels" in own:
            factors.setdefault("sports", {}).setdefault(name, {})["pixels"] = own["pixels"]


def calibrate_physics(names: str | Sequence[str] | None = None) -> None:
    """Measure the factors of FitSpread, for sports' names or `all`, and write them; other sports keep theirs."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    table |= {sport.name: measure_fit_spread(sport)._asdict() for sport in sports_of(names or ["all"])}
    own = [spread for name, spread in table.items() if name != "other"]
    usual = {key: [float(np.median([np.median(spread[key]) for spread in own]))] for key in ("flight", "contact")}
    table["other"] = {"speed": [0.0], **usual}
    lines = [f"{name} = {{ {', '.join(f'{k} = {list(v)}' for k, v in row.items())} }}" for name, row in table.items()]
    write_atomically(FILE, "\n".join([f"# {PROGRAM} physics", *lines, ""]).encode())


def measure_fit_spread(sport: sim.Sport, balls: int = PHYSICS_BALLS) -> FitSpread:
    """The factors for which the regions of `physics` hold 90 % of balls: found in a few rounds, since flights bend."""
    predictor: Any = load("physics", sport)  # a Physics
    tracks, times, truth, _, clear = calibration_cases(sport, balls)
    chosen = [n for n in np.flatnonzero(clear) if len(tracks[n]) >= FULL_FRAMES]
    predictor.spread = spread = FitSpread()
    fits = [predictor.fit_track(tracks[n].time, tracks[n].position) for n in chosen]
    has_contact = np.array([fit.last_contact > -np.inf for fit, _ in fits])
    speed = np.array([np.linalg.norm(fit.final[3:6]) for fit, _ in fits])
    edges = np.quantile(speed, np.linspace(0.0, 1.0, SPEEDS + 1))
    group = np.clip(np.searchsorted(edges, speed) - 1, 0, SPEEDS - 1)
    speeds = tuple(float(np.median(speed[group == g]).round(2)) for g in range(SPEEDS))
    for _ in range(ROUNDS):
        predictor.spread = spread
        forecasts = [predictor.forecast_fit(*fit, times[n], tracks[n].time[-1]) for n, fit in zip(chosen, fits)]
        errors = np.array([f.mean for f in forecasts]) - truth[chosen]
        found = mahalanobis2(errors, np.array([f.covariance for f in forecasts]))
        needed = [[_more(found[(group == g) & rows]) for g in range(SPEEDS)] for rows in (~has_contact, has_contact)]
        before = [[spread.factor(FULL_FRAMES, contact, v) for v in speeds] for contact in (False, True)]
        flight, contact = np.maximum(np.multiply(before, needed), 1.0).round(2).tolist()
        spread = FitSpread(speeds, tuple(flight), tuple(contact))
        print(sport.name, len(chosen), spread, flush=True)
    return spread


def _more(distance2):
    """The factor of some balls; of too few, 1."""
    return variance_factor(distance2.ravel(), 3) if len(distance2) >= MIN_BALLS else 1.0


def _join(parts):
    """Squared distances of several sports, as one; at the horizons a column each."""
    return np.concatenate(list(parts))


def factors(distance2: dict[str, np.ndarray]) -> dict:
    """The factors by name of squared distances: (N, HORIZONS) of positions, (N,) of landings."""
    return {
        name: [variance_factor(column, 3) for column in a.T] if a.ndim == 2 else variance_factor(a, 4)
        for name, a in distance2.items()
    }


def distances(path: str | Path, model: str, sport: sim.Sport, balls: int) -> dict[str, np.ndarray]:
    """Squared Mahalanobis distances of the truth to forecasts, (N, HORIZONS), and to landings, (M,), by the names of
    their factors: of the network and, for `gru`, of its belief simulated ahead."""
    tracks, times, truth, landings, clear = calibration_cases(sport, balls)
    out = {}
    for name, (key, landing_key) in zip(predictors_of(model), (("path", "landing"), ("flown", "flown_landing"))):
        forecasts = load(f"{path}:{name}", sport).forecast_batch(tracks, times)
        error = np.array([f.mean for f in forecasts]) - truth
        out[key] = mahalanobis2(error, np.array([f.covariance for f in forecasts]))[clear]
        landed = [
            mahalanobis2(np.array([f.landing.time, *f.landing.position]) - target, np.asarray(f.landing.covariance))
            for f, target, counts in zip(forecasts, landings, clear)
            if counts and f.landing is not None and np.isfinite(target).all()
        ]
        out[landing_key] = np.array(landed)
    return out


def calibration_cases(
    sport: sim.Sport, count: int
) -> tuple[list[Track], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Histories, times (B, HORIZONS) s, positions (B, HORIZONS, 3), next landings (B, 4), which balls count (B,)."""
    balls = sim.draw(sport, count, first=FIRST, purpose="validation")
    lengths, generator = np.diff(balls.offsets), np.random.default_rng(0)
    frame_counts = np.minimum(generator.integers(MIN_FRAMES, MAX_FRAMES, count), lengths - 1)
    slices = [slice(start, start + n) for start, n in zip(balls.offsets[:-1], frame_counts)]
    tracks = [Track(balls.time[rows], balls.position[rows]) for rows in slices]
    times = np.array([track.time[-1] for track in tracks])[:, None] + HORIZON_STEP * np.arange(1, HORIZONS + 1)
    flight = balls.flight(times)
    impacts, is_clear_surface = flight.impacts, np.array([s.supports or s.kind == "plane" for s in sport.surfaces])
    assert impacts is not None
    clear = np.ones(count, bool)
    clear[impacts.ball[~is_clear_surface[impacts.surface]]] = False
    landings = np.full((count, 4), np.nan)
    after = np.isin(impacts.surface, sport.landing_surfaces) & (impacts.time > times[impacts.ball, 0] - HORIZON_STEP)
    for n in np.flatnonzero(after)[::-1]:  # backwards, so that the first landing of each ball is written last
        landings[impacts.ball[n]] = impacts.time[n], *impacts.position[n]
    return tracks, times, flight.position, landings, clear


def mahalanobis2(error: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Squared Mahalanobis distances (...) of errors (..., D)."""
    return np.einsum("...i,...i->...", error, np.linalg.solve(covariance, error[..., None])[..., 0])


def variance_factor(distance2: np.ndarray, size: int) -> float:
    """The factor on variances for which COVERAGE of the squared distances (N,) lie within the region of COVERAGE."""
    if not len(distance2):
        return 1.0
    return round(float(np.clip(np.quantile(distance2, COVERAGE) / chi2.ppf(COVERAGE, size), MIN_FACTOR, MAX_FACTOR)), 4)


if __name__ == "__main__":
    what = calibrate_physics if sys.argv[1:2] == ["physics"] else lambda names: calibrate(sys.argv[1], names)
    command.run(PROGRAM, lambda: what(sys.argv[2:]))
