"""Calibration for pixels: as calibrate.py, on the kept balls of a set that random cameras saw.

The belief of a filter is wider and less normal from cameras than from 3D trackers, so weights that have learnt from
pixels have factors of their own for them, also for the last frame: some for balls that one camera sees, others for
several. A sport's factors are drawn towards those of all sports, since a set is small. All balls count, also those that
hit a net.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ballcast import sim
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.nets.network import Network, NetworkShape, gather_frames
from ballcast.models.registry import load
from ballcast.models.runtime import weights
from ballcast.models.training.calibrate import mahalanobis2, variance_factor
from ballcast.models.training.pixel_set import TRIANGLE, PixelSet

SHARED_BALLS = 24.0  # that the factors of all sports count for beside a sport's own
FLOOR = 1e-6  # m2 or s2, added to variances: cameras know the height of a surface, where all samples land
NOW = 1e-6  # s after the last frame
KEYS = {False: ("path_now", "path", "landing"), True: ("flown_now", "flown", "flown_landing")}  # by is_flown
Distances = dict[str, np.ndarray]  # by the names of the factors


class Part(NamedTuple):
    """Some balls of one sport."""

    sport: str
    balls: int  # number
    found: Distances


def calibrate_pixels(path: str | Path, kept: PixelSet) -> None:
    """Measure the factors for pixels of a file of weights on the balls of a set, and store them in it."""
    info, tensors = weights.read(path)
    network = Network(NetworkShape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    widen = info.get("widen", {})
    for before in (widen, *widen.get("sports", {}).values()):
        before.pop("pixels", None)
    for seen_by in ("one", "several"):
        parts = []
        for name, is_variant in sorted(set(zip(kept.sport.tolist(), kept.variant.tolist()))):
            is_own = (kept.sport == name) & (kept.variant == is_variant) & ((kept.cameras == 1) == (seen_by == "one"))
            if (rows := np.flatnonzero(is_own)).size:
                found = distances(path, info["model"], network, place(name, is_variant), kept, rows)
                parts.append(Part(name, len(rows), found))
        if parts:
            _store(widen, info["sports"], seen_by, parts)
    weights.save(path, tensors, info | {"widen": widen})


def _store(widen, sports, seen_by, parts):
    """Store the factors of Parts, for all sports and for those of them that the weights have learnt from."""
    shared = _factors([part.found for part in parts])
    widen.setdefault("pixels", {})[seen_by] = {key: _as_stored(a) for key, a in shared.items()}
    for sport in sports if len(sports) > 1 else ():
        own = [part for part in parts if part.sport == sport]
        if own:
            drawn = _factors([part.found for part in own])
            count = sum(part.balls for part in own)
            stored = {key: _as_stored(drawn_to(a, shared[key], count)) for key, a in drawn.items()}
            widen.setdefault("sports", {}).setdefault(sport, {}).setdefault("pixels", {})[seen_by] = stored


def place(name: str, is_variant: bool) -> sim.Sport:
    """The sport of that name, perhaps without its optional surfaces."""
    sport = sim.load(name)
    return sport.without(*(s.name for s in sport.surfaces if s.optional)) if is_variant else sport


def drawn_to(own: np.ndarray, shared: np.ndarray, count: int) -> np.ndarray:
    """The factors of a sport of `count` balls, drawn towards those of all sports."""
    return np.exp((count * np.log(own) + SHARED_BALLS * np.log(shared)) / (count + SHARED_BALLS))


def _factors(parts):
    """The factors (n,) of squared distances, by name, of several parts together."""
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return {key: np.array([variance_factor(column, 3) for column in a.T]) if a.ndim == 2 else
            np.array([variance_factor(a, 4)]) for key, a in joined.items()}  # fmt: skip


def _as_stored(factors):
    """A list, or a number where there is one."""
    return [round(float(v), 4) for v in factors] if len(factors) > 1 else round(float(factors[0]), 4)


@torch.no_grad()
def distances(
    path: str | Path, model: str, network: Network, sport: sim.Sport, kept: PixelSet, rows: np.ndarray
) -> Distances:
    """Squared Mahalanobis distances of the truth to the forecasts, without factors, of balls `rows` of one sport: of
    the network and, for `gru`, of its belief simulated ahead."""
    batch, arrays = kept.batch(rows), {name: kept.arrays[name][rows] for name in kept.arrays}
    inputs, frames = network.standardise(torch.from_numpy(batch.features)), torch.from_numpy(batch.loss_frames)
    hidden = network.hidden(inputs, torch.from_numpy(batch.times))
    hidden, inputs = (gather_frames(a, frames).flatten(0, 1).numpy() for a in (hidden, inputs))
    x, triangle, truth, landing = (arrays[k].reshape(len(hidden), *arrays[k].shape[2:])
                                   for k in ("x", "triangle", "path", "next_landing"))  # fmt: skip
    out: Distances = {}
    for name in (model, "gru_physics") if model == "gru" else (model,):
        predictor: Any = load(f"{path}:{name}", sport)  # a NeuralPredictor
        predictor.leave_means()
        predictor.use_factors({})
        balls = predictor.streams(len(hidden))
        balls.filter_states["x"], balls.hidden[:], balls.features[:] = x, hidden, inputs
        P = balls.filter_states["P"]
        P[:, *TRIANGLE] = triangle
        P[:, TRIANGLE[1], TRIANGLE[0]] = triangle
        found = balls.forecast(np.concatenate([[NOW], HORIZON_STEP * np.arange(1, HORIZONS + 1)]))
        path2 = mahalanobis2(truth - found.mean, found.covariance + FLOOR * np.eye(3))
        landed = np.isfinite(landing).all(1) & (found.probability > 0.5)
        covariance = found.landing_covariance[landed] + FLOOR * np.eye(4)
        landing2 = mahalanobis2(landing[landed] - found.landing[landed], covariance)
        out |= dict(zip(KEYS[name == "gru_physics"], (path2[:, :1], path2[:, 1:], landing2)))
    return out
