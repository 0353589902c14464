"""PREDICTORS: from a history to a forecast. See predictor.py for the contract."""

if __name__ != "ballcast.models":
    raise ImportError("this package is ballcast.models: write `from ballcast import models`")

from ballcast.models.contract import (
    PREDICTORS,
    Belief,
    Forecast,
    HistoryTooShort,
    Landing,
    Predictor,
    Stream,
    available,
    load,
)

__all__ = ["PREDICTORS", "Belief", "Forecast", "Landing", "Predictor", "Stream", "HistoryTooShort", "available", "load"]
