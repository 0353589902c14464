"""Predictors: from a history to a forecast. contract.py says what each does, registry.py which there are."""

if __name__ != "ballcast.models":
    raise ImportError("this package is ballcast.models: write `from ballcast import models`")

from ballcast.models.contract import Belief, Forecast, HistoryTooShort, Landing, Predictor, Stream, TooShort
from ballcast.models.registry import PREDICTORS, Description, available, describe, load, missing

__all__ = ["PREDICTORS", "Belief", "Description", "Forecast", "HistoryTooShort", "Landing", "Predictor", "Stream",
           "TooShort", "available", "describe", "load", "missing"]  # fmt: skip
