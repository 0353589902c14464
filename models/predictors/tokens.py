"""Motion as language: futures are sampled token by token, as a language model writes.

    predictor = load("tokens")
    predictor.forecast(history, times).samples     # (K, H, 3) m: ways the ball may go
    predictor.vocabulary                           # (V, 3): the displacement of each token (tokenizer.py)
    predictor.embedding                            # (V, E): the network's vector of each token

A GRU reads the frames, as in `gru`. A second GRU outputs, token after token, how the ball deviates from what physics
expects. It reads the previous tokens and where they have led, so that its samples can go over the net or into it, which
no Gaussian can. The random numbers are fixed: the same history gives the same samples.
"""

from pathlib import Path

import numpy as np

from ballcast.models.encoding import nominal, tokenizer
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation.posterior import median_landing_first, modal_landing
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.models.predictors.neural import BatchForecast, NeuralPredictor
from ballcast.models.runtime.network import belief_head, path_head_input
from ballcast.models.runtime.token_decoder import initial_hidden, pack_token_decoder, sample_tokens, step, token_logits
from ballcast.sim import Sport
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.layout import CONTACT_DTYPE
from ballcast.sim.kernels.packed import Packed, pack

SAMPLES = 32


class Tokens(NeuralPredictor):
    """Samples of the future, generated token by token."""

    name = "tokens"
    sample_count, has_velocity = SAMPLES, False

    def __init__(self, sport: Sport, path: Path | str | None = None):
        super().__init__(sport, path)
        self.decoder, self.uniforms = pack_token_decoder(self.tensors), stratified_uniforms(SAMPLES)
        self.vocabulary = self.tensors["token_decoder.vocabulary"]
        self.embedding = self.tensors["token_decoder.embedding.weight"]
        self.constants = pack((self.decoder, 2 * self.info["shape"]["unknowns"], self.uniforms))

    def predict_into(self, balls: Packed, times: np.ndarray, out: BatchForecast) -> None:
        forecast_tokens(balls, self.constants, times, out)


def stratified_uniforms(count: int, seed: int = 0) -> np.ndarray:
    """Fixed random numbers (20, count) between 0 and 1: for every token one in each of `count` equal intervals."""
    rng = np.random.default_rng(seed)
    return (np.array([rng.permutation(count) for _ in range(HORIZONS)]) + rng.random((HORIZONS, count))) / count


@kernel
def forecast_tokens(balls, constants, times, out):
    """Fill the BatchForecast of the balls of a packed Memory at times (B, H) s after their last frames."""
    (frontend, network, memory), (decoder, belief_inputs, uniforms) = balls.value, constants.value
    sport, horizons = frontend.sport, HORIZON_STEP * np.arange(1, HORIZONS + 1)
    start, variances, position_sd = np.empty(UNKNOWNS), np.empty((3, 3)), np.empty(3)
    nominal_landing, landing_sd, landings = np.empty(4), np.empty(4), np.empty((uniforms.shape[1], 5))
    contact_features = np.empty(nominal.CONTACT_FEATURES)
    horizon_positions, nominal_features = np.empty((HORIZONS, 3)), np.empty((1, nominal.NOMINAL_FEATURES))
    for b in range(len(times)):
        features, h = memory.features[b : b + 1], memory.hidden[b : b + 1]
        nominal.fill_nominal_start(frontend.feature_set, memory.filter_states[b], start, variances)
        nominal.nominal_trajectory(
            frontend.feature_set, sport, start, variances, horizons, horizon_positions, nominal_landing, landing_sd,
            contact_features,
        )  # fmt: skip
        nominal.fill_nominal_features(
            frontend.scales, sport, start, variances, horizon_positions, nominal_landing, contact_features,
            nominal_features[0],
        )  # fmt: skip
        nominal.free_flight_sd(variances, HORIZON_STEP, position_sd)
        belief_outputs = np.ascontiguousarray(belief_head(network, features, h)[:, :belief_inputs])
        first = initial_hidden(decoder, path_head_input(network, features, h, nominal_features, belief_outputs))
        sample_paths(decoder, first, sport, start, position_sd, times[b], uniforms, out.samples[b], landings)
        mean_and_covariance(out.samples[b], out.mean[b], out.covariance[b])
        out.probability[b], out.landing[b], out.landing_covariance[b] = modal_landing(
            median_landing_first(landings), len(sport.surfaces)
        )


@kernel
def sample_paths(decoder, first, sport, nominal_start, position_sd, times, uniforms, samples, landings):
    """Fill samples (K, H, 3) m at times (H,) s, ways that a ball may go from unknowns (16,), and landings (K, 5).

    first (1, H): the hidden state before the first token; position_sd (3,) m; uniforms (20, K). After the last token
    the ball is simulated without further displacement.
    """
    count, begun, height = len(samples), 0, nominal_start[HEIGHT]
    h, tokens = np.empty((count, first.shape[1]), np.float32), np.full(count, -1)
    context = np.empty((count, tokenizer.CONTEXT_FEATURES), np.float32)
    states, expected_states = np.empty((count, tokenizer.PATH_STATE_SIZE)), np.empty((count, 9))
    has_contact = np.empty(count, np.bool_)
    trajectory, contacts = np.empty((len(times) + 1, 6)), np.empty(tokenizer.MAX_CONTACTS, CONTACT_DTYPE)
    h[:], landings[:] = first[0], np.inf
    for n in range(count):
        states[n] = tokenizer.initial_state(nominal_start)
    for k in range(HORIZONS + 1):
        until = HORIZON_STEP * (k + 1) if k < HORIZONS else max(nominal.LANDING_HORIZON, times[-1])
        done = np.searchsorted(times, until, side="right")
        step_times = np.append(times[begun:done], until) - HORIZON_STEP * k
        for n in range(count):
            expected_states[n], met = tokenizer.propagate(
                sport, nominal_start, states[n], step_times, trajectory[: len(step_times)], contacts
            )
            has_contact[n] = met > 0
            samples[n, begun:done] = trajectory[: done - begun, :3]
            samples[n, begun:done, 2] += height
            if landings[n, 0] == np.inf:
                first_landing(sport, contacts[:met], HORIZON_STEP * k, height, landings[n])
            if k < HORIZONS:
                tokenizer.context_features(states[n], expected_states[n], has_contact[n], position_sd, k, context[n])
        if k < HORIZONS:
            step(decoder, tokens, context, h)
            tokens[:] = sample_tokens(token_logits(decoder, h), uniforms[k])
            for n in range(count):
                tokenizer.advance(
                    states[n], expected_states[n], has_contact[n], decoder.vocabulary[tokens[n]], position_sd
                )
                for j in range(begun, done):
                    samples[n, j] += step_times[j - begun] / HORIZON_STEP * (states[n, :3] - expected_states[n, :3])
        begun = done


@kernel
def first_landing(sport, contacts, begun, height, out):
    """Fill out (5,) with the first landing among contacts (n,), if there is one; their times start at `begun` s."""
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
