"""How much wider the spreads a network tells must be so that nine in ten balls lie in its regions of nine in ten.

Measured on simulated balls that were not learnt from, at every knot; kept in the file of weights.
Balls that touch a net, a board or a bar are left out: which way they go is a matter of a hair.
"""

import numpy as np
from ballcast.models.contract import load
from ballcast.models.encoding.nominal import KNOTS, STEP
from ballcast.models.runtime import weights
from ballcast.tracks import Track
from scipy.stats import chi2

from ballcast import sim

BALLS, FIRST = 1500, 100_000  # of purpose validation
LEAST, MOST = 3, 110  # frames seen
SHARE = 0.9
NARROW, WIDE = 0.1, 10.0  # a factor beyond these would be a mistake


def calibrate(path, sport):
    """Measure the factors of a file of weights, for a sport's name or .toml, and keep them there."""
    info, tensors = weights.read(path)
    if info["model"] == "tokens":  # its samples are spread as they are
        return
    sport = sim.load(sport)
    tracks, times, truth, landings, clear = questions(sport)
    info["widen"] = {}
    weights.save(path, tensors, info)
    names = [info["model"], *(["gru_physics"] if info["model"] == "gru" else [])]
    for name, (key, landing_key) in zip(names, (("path", "landing"), ("flown", "flown_landing"))):
        forecasts = load(f"{path}:{name}", sport).forecast_batch(tracks, times)
        off = np.array([f.mean for f in forecasts]) - truth
        square = squares(off, np.array([f.covariance for f in forecasts]))[clear]
        info["widen"][key] = [factor(square[:, k], 3) for k in range(KNOTS)]
        square = [
            squares(np.array([f.landing.time, *f.landing.place]) - at, f.landing.covariance)
            for f, at, ok in zip(forecasts, landings, clear)
            if ok and f.landing is not None and np.isfinite(at).all()
        ]
        info["widen"][landing_key] = factor(np.array(square), 4)
    weights.save(path, tensors, info)


def questions(sport):
    """Tracks, times (B, KNOTS) s to ask, places there (B, KNOTS, 3), next landings (B, 4), and which balls count."""
    balls = sim.draw(sport, BALLS, first=FIRST, purpose="validation")
    lengths, chance = np.diff(balls.offsets), np.random.default_rng(0)
    seen = np.minimum(chance.integers(LEAST, MOST, BALLS), lengths - 1)
    first = balls.offsets[:-1]
    tracks = [Track(balls.time[a : a + n], balls.position[a : a + n]) for a, n in zip(first, seen)]
    times = np.array([track.time[-1] for track in tracks])[:, None] + STEP * np.arange(1, KNOTS + 1)
    flight = balls.flight(times)
    hits, flat = flight.impacts, np.array([s.carries or s.kind == "plane" for s in sport.surfaces])
    clear = np.ones(BALLS, bool)
    clear[hits.ball[~flat[hits.surface]]] = False
    landings = np.full((BALLS, 4), np.nan)
    after = np.isin(hits.surface, sport.landing_surfaces) & (hits.time > times[hits.ball, 0] - STEP)
    for n in np.flatnonzero(after)[::-1]:  # the first of each ball is the last to be written
        landings[hits.ball[n]] = hits.time[n], *hits.place[n]
    return tracks, times, flight.position, landings, clear


def squares(off, covariance):
    """Squared distances (...) in standard deviations of off (..., D)."""
    return np.einsum("...i,...i->...", off, np.linalg.solve(covariance, off[..., None])[..., 0])


def factor(square, size):
    """What variances must be multiplied with so that SHARE of the squares (N,) lie within the region of that share."""
    if not len(square):
        return 1.0
    return round(float(np.clip(np.quantile(square, SHARE) / chi2.ppf(SHARE, size), NARROW, WIDE)), 4)
