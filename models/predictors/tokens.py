"""Motion as language: futures are sampled word by word, as a language model writes.

    predictor = load("tokens")
    predictor.forecast(history, times).samples     # (K, H, 3) m: ways the ball may go
    predictor.vocabulary                           # (V, 3): the displacement that each word stands for (words.py)
    predictor.embedding                            # (V, E): the vector that each word is to the network

A GRU has read the frames, as in `gru`. A second GRU says word after word how the ball is displaced beside what physics
expect of it: it hears what was said before and where that has led, so it can say what one normal law cannot, over the
net or into it. The random numbers are fixed: the same history, the same samples.
"""

from collections import namedtuple

import numpy as np

from ballcast.models.contract import Forecast, Landing
from ballcast.models.encoding.nominal import (
    HORIZON_STEP,
    HORIZONS,
    LANDING_HORIZON,
    NOMINAL_FEATURES,
    fill_nominal_features,
    fill_nominal_start,
    free_flight_sd,
    nominal_trajectory,
)
from ballcast.models.encoding.tokenizer import (
    CONTEXT_FEATURES,
    MAX_CONTACTS,
    PATH_STATE_SIZE,
    advance,
    context_features,
    initial_state,
    propagate,
)
from ballcast.models.estimation.fit import HEIGHT, UNKNOWNS
from ballcast.models.estimation.posterior import median_landing_first, modal_landing
from ballcast.models.predictors.neural import NeuralPredictor
from ballcast.models.runtime.layers import float32
from ballcast.models.runtime.network import belief_head, path_head_input
from ballcast.models.runtime.token_decoder import initial_hidden, pack_token_decoder, sample_tokens, step, token_logits
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.layout import CONTACT_DTYPE

SAMPLES = 32
# of B balls at H times: samples (B, K, H, 3) m, their mean (B, H, 3) and covariance (B, H, 3, 3); the landing as in
# recurrent.py
TokenForecasts = namedtuple("TokenForecasts", "samples mean covariance probability landing landing_covariance")


class Tokens(NeuralPredictor):
    """Samples of the future, said in words."""

    name = "tokens"

    def __init__(self, sport, path=None):
        super().__init__(sport, path)
        self.decoder, self.uniforms = pack_token_decoder(self.tensors), stratified_uniforms(SAMPLES)
        self.vocabulary = self.tensors["token_decoder.vocabulary"]
        self.embedding = self.tensors["token_decoder.embedding.weight"]
        self.belief_inputs = 2 * self.info["shape"]["unknowns"]

    def allocate(self, count, horizons):
        path, landing = ((count, horizons, 3), (count, horizons, 3, 3)), ((count,), (count, 4), (count, 4, 4))
        return TokenForecasts(*map(np.empty, ((count, SAMPLES, horizons, 3), *path, *landing)))

    def predict_into(self, batch, rows, times, out):
        state = batch.hidden[rows], batch.features[rows], batch.raw_features[rows], batch.filter_states[rows]
        constants = (
            self.network,
            self.decoder,
            self.frontend.feature_set,
            self.frontend.sport,
            self.belief_inputs,
            self.uniforms,
        )
        forecast_tokens(*constants, *state, times, out)

    def to_forecast(self, prediction, n, last):
        landing = None
        if prediction.probability[n] >= 0.5:
            at = prediction.landing[n]
            landing = Landing(last + at[0], at[1:], prediction.landing_covariance[n], float(prediction.probability[n]))
        return Forecast(prediction.mean[n], prediction.covariance[n], prediction.samples[n], landing)


def stratified_uniforms(count, seed=0):
    """Fixed random numbers (KNOTS, count) between 0 and 1: at every word one in each stretch of equal length."""
    rng = np.random.default_rng(seed)
    return (np.array([rng.permutation(count) for _ in range(HORIZONS)]) + rng.random((HORIZONS, count))) / count


@kernel
def forecast_tokens(
    network,
    decoder,
    feature_set,
    sport,
    belief_inputs,
    uniforms,
    h,
    features,
    raw_features,
    filter_states,
    times,
    out,
):
    """What is Spoken, into out, of balls with memories h (B, H), features x (B, F), at times (B, H) s ahead."""
    nominal_start, variances, nominal_landing, landing_sd, position_sd = (
        np.empty(UNKNOWNS),
        np.empty((3, 3)),
        np.empty(4),
        np.empty(4),
        np.empty(3),
    )
    horizon_positions, nominal_features, horizons = (
        np.empty((HORIZONS, 3)),
        np.empty((1, NOMINAL_FEATURES)),
        HORIZON_STEP * np.arange(1, HORIZONS + 1),
    )
    landings = np.empty((uniforms.shape[1], 5))
    for b in range(len(times)):
        fill_nominal_start(feature_set, filter_states[b], raw_features[b], nominal_start, variances)
        nominal_trajectory(
            feature_set,
            sport,
            nominal_start,
            variances,
            horizons,
            horizon_positions,
            nominal_landing,
            landing_sd,
        )
        fill_nominal_features(horizon_positions, nominal_landing, nominal_start, nominal_features[0])
        free_flight_sd(variances, HORIZON_STEP, position_sd)
        ball_slice = slice(b, b + 1)
        belief_outputs = np.ascontiguousarray(
            belief_head(network, features[ball_slice], h[ball_slice])[:, :belief_inputs]
        )
        first = initial_hidden(
            decoder, path_head_input(network, features[ball_slice], h[ball_slice], nominal_features, belief_outputs)
        )
        sample_paths(decoder, first, sport, nominal_start, position_sd, times[b], uniforms, out.samples[b], landings)
        mean_and_covariance(out.samples[b], out.mean[b], out.covariance[b])
        out.probability[b], out.landing[b], out.landing_covariance[b] = modal_landing(
            median_landing_first(landings), len(sport.surfaces)
        )


@kernel
def sample_paths(decoder, first, sport, nominal_start, position_sd, times, uniforms, samples, landings):
    """Say K ways that a ball may go from a spot on: samples (K, H, 3) m at times (H,) s, first landings found (K, 5).

    first (1, H): what is remembered before the first word; unit (3,) m; chances (KNOTS, K). After the last word the
    ball flies on as it is.
    """
    count, begun, height = len(samples), 0, nominal_start[HEIGHT]
    h, tokens, context = (
        np.empty((count, first.shape[1]), np.float32),
        np.full(count, -1),
        np.empty((count, CONTEXT_FEATURES), float32),
    )
    states, expected_states = np.empty((count, PATH_STATE_SIZE)), np.empty((count, 9))
    has_contact = np.empty(count, np.bool_)
    trajectory, contacts = np.empty((len(times) + 1, 6)), np.empty(MAX_CONTACTS, CONTACT_DTYPE)
    h[:], landings[:] = first[0], np.inf
    for n in range(count):
        states[n] = initial_state(nominal_start)
    for k in range(HORIZONS + 1):
        until = HORIZON_STEP * (k + 1) if k < HORIZONS else max(LANDING_HORIZON, times[-1])
        done = np.searchsorted(times, until, side="right")
        step_times = np.append(times[begun:done], until) - HORIZON_STEP * k
        for n in range(count):
            expected_states[n], met = propagate(
                sport, nominal_start, states[n], step_times, trajectory[: len(step_times)], contacts
            )
            has_contact[n] = met > 0
            samples[n, begun:done] = trajectory[: done - begun, :3]
            samples[n, begun:done, 2] += height
            if landings[n, 0] == np.inf:
                first_landing(sport, contacts[:met], HORIZON_STEP * k, height, landings[n])
            if k < HORIZONS:
                context_features(states[n], expected_states[n], has_contact[n], position_sd, k, context[n])
        if k < HORIZONS:
            step(decoder, tokens, context, h)
            tokens[:] = sample_tokens(token_logits(decoder, h), uniforms[k])
            for n in range(count):
                advance(states[n], expected_states[n], has_contact[n], decoder.vocabulary[tokens[n]], position_sd)
                for j in range(begun, done):
                    samples[n, j] += step_times[j - begun] / HORIZON_STEP * (states[n, :3] - expected_states[n, :3])
        begun = done


@kernel
def first_landing(sport, contacts, begun, height, out):
    """The first landing among contacts (n,) of a stretch that began at `begun` s, into found (5,)."""
    for contact in contacts:
        if sport.is_landing[contact["surface"]]:
            out[0], out[4] = begun + contact["time"], contact["surface"]
            out[1:4] = contact["position"]
            out[3] += height
            return


@kernel
def mean_and_covariance(samples, mean, covariance):
    """Mean (H, 3) and covariance (H, 3, 3) of samples (K, H, 3)."""
    count = len(samples)
    mean[:], covariance[:] = 0.0, 0.0
    for n in range(count):
        mean += samples[n] / count
    for n in range(count):
        deviation = samples[n] - mean
        for k in range(len(mean)):
            for i in range(3):
                for j in range(3):
                    covariance[k, i, j] += deviation[k, i] * deviation[k, j] / (count - 1)
