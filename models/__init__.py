"""Predictors: from a history to a forecast. contract.py says what each does, registry.py which there are."""

if __name__ != "ballcast.models":
    raise ImportError("this package is ballcast.models: write `from ballcast import models`")

from ballcast.models.contract import (
    Belief,
    Crossing,
    Forecast,
    HistoryTooShort,
    Landing,
    Moment,
    Predictor,
    Stream,
    TooShort,
)
from ballcast.models.frame_gate import FrameStatus
from ballcast.models.registry import PREDICTORS, Description, available, describe, load, missing


def __getattr__(name: str):
    """`smooth` and `Smoothed`, which load the fit when they are asked for."""
    if name in ("smooth", "Smoothed"):
        from ballcast.models import smoothing as module

        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["PREDICTORS", "Belief", "Crossing", "Description", "Forecast", "FrameStatus", "HistoryTooShort", "Landing",
           "Moment", "Predictor", "Stream", "TooShort", "available", "describe", "load", "missing"]  # fmt: skip
