"""The straight line through the last frames: the baseline that every other predictor has to beat."""

import numpy as np

from ballcast.models.contract import Forecast, Predictor


class ConstantVelocity(Predictor):
    """Least-squares line through the last 8 frames. No landing."""

    name = "constant_velocity"
    window = 8

    def predict(self, time: np.ndarray, position: np.ndarray, times: np.ndarray) -> Forecast:
        t, middle = time - time.mean(), position.mean(axis=0)
        velocity = t @ (position - middle) / (t @ t)
        mean = middle + np.multiply.outer(times - time.mean(), velocity)
        return Forecast(mean, velocity=np.tile(velocity, (len(times), 1)))
