"""Predictors that tests hand to the harness by name, own_predictors:Class."""

import numpy as np

from ballcast.models import Forecast, Predictor


class Raises(Predictor):
    name = "raises"

    def predict(self, time, position, times):
        raise RuntimeError("out of ideas")


class Nan(Predictor):
    name = "nan"

    def predict(self, time, position, times):
        return Forecast(np.full((len(times), 3), np.nan))


class Shape(Predictor):
    name = "shape"

    def predict(self, time, position, times):
        return Forecast(np.zeros((len(times), 2)))


class Still(Predictor):
    """The last place, for ever; a metre unsure."""

    name = "still"

    def predict(self, time, position, times):
        return Forecast(np.tile(position[-1], (len(times), 1)), np.tile(np.eye(3), (len(times), 1, 1)))


class NoPredictor:
    pass
