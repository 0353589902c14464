"""PREDICTORS: from a history to a forecast. See predictor.py for the contract."""

from models.predictor import PREDICTORS, Belief, Forecast, Landing, Predictor, Stream, TooShort, available, load

__all__ = ["PREDICTORS", "Belief", "Forecast", "Landing", "Predictor", "Stream", "TooShort", "available", "load"]
