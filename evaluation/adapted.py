"""Zero-shot or adapted: which recorded tracks a predictor has learnt from, so that it is not scored on them.

A file of weights that was fine-tuned says so in its description: `adapted`, with the names of the `tracks` that it
learnt from, and of those `kept` for its stopping and its calibration. A sport that was identified from recordings has
their names in `identified`. A predictor that uses either is adapted; every other one is zero-shot.

Tracks are compared by name: a file's name without suffix, FILE/BALL in a file of several, or SET/NAME as evaluate.py
prints it. Balls of different sets that share a name count as the same; under the frozen rule of splits.toml they are in
the same split.
"""

from functools import cache

import numpy as np

from ballcast import sim
from ballcast.evaluation.suites import Suite
from ballcast.models.runtime import weights


def adapted_tracks(name: str, sport: sim.Sport) -> frozenset[str] | None:
    """The names of the tracks that the predictor of that name learnt from, with that Sport; None if it is zero-shot."""
    identified = tuple(getattr(sport, "identified", ()))
    file, suffix, _ = name.partition(".safetensors")
    learnt = _of_weights(file + suffix) if suffix else None
    if learnt is None and not identified:
        return None
    return frozenset((*(learnt or ()), *identified))


@cache
def _of_weights(path):
    """The names of the tracks in the description of a file of weights; None if it was not fine-tuned."""
    adapted = weights.read(path)[0].get("adapted")
    return None if adapted is None else (*adapted.get("tracks", ()), *adapted.get("kept", ()))


def is_unseen(suite: Suite, learnt: frozenset[str] | None) -> np.ndarray:
    """Which tracks (B,) of a Suite are not among the names `learnt`. Of simulated balls that is every one."""
    if not learnt or suite.balls is not None:
        return np.ones(len(suite.tracks), bool)
    names = [{track.name, track.name.replace("/", "#"), suite.full_name(i)} for i, track in enumerate(suite.tracks)]
    return np.array([not own & learnt for own in names], bool)
