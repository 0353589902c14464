"""Which finder searches the frames: the shipped network where it can run, else the way without weights."""

import importlib.util
import os
from pathlib import Path

import numpy as np

from ballcast.vision.candidates import CandidateFinder, Candidates
from ballcast.vision.network import NetworkFinder

Finder = CandidateFinder | NetworkFinder
FIRST, FALL = 0.35, 1.3  # probability of the best candidate, and the power of the rank with which it falls
LIMITS = 1e-3, 0.999  # of the probabilities of a network
SHIPPED = Path(__file__).resolve().parent / "ball.onnx"


def open_finder(network: str | os.PathLike | None = None, delay: int = 0, threads: int | None = None) -> Finder:
    """A NetworkFinder of a file of weights, or of the shipped one; CandidateFinder where nothing can run it.

    delay: frames that it waits, 0 or 1. threads: of the processor, None for all. OSError for a file that is no network.
    """
    if network is not None:
        return NetworkFinder(network, delay, threads)
    can_run = any(importlib.util.find_spec(name) for name in ("onnxruntime", "cv2"))
    return NetworkFinder(SHIPPED, delay, threads) if can_run and SHIPPED.is_file() else CandidateFinder(delay)


def probabilities(finder: Finder, candidates: Candidates) -> np.ndarray:
    """How probable (N,) each candidate is the ball in play, by its looks alone: one of them is, or none."""
    if isinstance(finder, NetworkFinder):
        return of_one(candidates.score)
    return rank_probabilities(len(candidates))


def of_one(scores: np.ndarray) -> np.ndarray:
    """Probabilities (N,), sum below 1, of things of which at most one is true, from their own (N,) by themselves."""
    odds = np.clip(scores, LIMITS[0], LIMITS[1])
    odds = odds / (1.0 - odds)
    return odds / (1.0 + odds.sum())


def rank_probabilities(count: int) -> np.ndarray:
    """How probable (N,) the candidates of a CandidateFinder are the ball, by their ranks."""
    return FIRST / np.arange(1.0, count + 1.0) ** FALL
