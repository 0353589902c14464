"""Motion as tokens: the vocabulary, the decoder in torch and at run time, samples that stay the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast import models, sim  # noqa: E402
from ballcast.models.encoding import tokenizer as words  # noqa: E402
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS  # noqa: E402
from ballcast.models.encoding.vocabulary import compand, learn_vocabulary  # noqa: E402
from ballcast.models.predictors.tokens import sample_paths, stratified_uniforms  # noqa: E402
from ballcast.models.registry import WEIGHTS_FOLDER  # noqa: E402
from ballcast.models.runtime import token_decoder  # noqa: E402
from ballcast.models.runtime.layers import Linear  # noqa: E402
from ballcast.models.training import make_learner  # noqa: E402
from ballcast.models.training.token_learner import token_paths  # noqa: E402
from ballcast.sim.kernels.compiled_sport import compile_sport  # noqa: E402
from ballcast.sim.kernels.layout import CONTACT_DTYPE  # noqa: E402
from ballcast.tracks import Track  # noqa: E402

CONFIG = {
    "model": "tokens", "sport": "table_tennis", "data": None, "finetune": None, "tracks": [], "batch": 64, "seed": 0,
    "units": 24, "device": "cpu", "rate": 3e-3, "exact": True,
}  # fmt: skip
LEAD_TIMES = np.array([0.02, 0.05, 0.13, 0.4, 0.77, 1.3])  # s


@pytest.fixture(scope="module")
def learner():
    """A small one that has learnt for a few steps."""
    learner = make_learner(CONFIG)
    for n in range(3):
        learner.step(learner.batches[n], 1e-2, 1.0)
    return learner


@pytest.fixture(scope="module")
def predictor(learner, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tokens.safetensors"
    learner.save(path, 3, {"words": 0.0})
    return models.load(path)


@pytest.fixture(scope="module")
def histories():
    balls = sim.draw(sim.load("table_tennis"), 8, purpose="validation", seed=7)
    cuts = zip(balls.offsets[:-1], (9, 60, 25, 4, 2, 100, 33, 80))
    return [Track(balls.time[a : a + n], balls.position[a : a + n]) for a, n in cuts]


def test_tokens_are_finer_the_more_common_they_are():
    generator = np.random.default_rng(0)
    displaced = generator.normal(0, 1, (20_000, 3)) * generator.choice([0.1, 3], (20_000, 1))
    vocabulary = learn_vocabulary(displaced, 200, np.random.default_rng(0))
    off = np.linalg.norm(compand(displaced)[:, None] - compand(vocabulary), axis=2).min(axis=1)
    assert np.quantile(off, 0.9) < 1.0 and (np.diff(vocabulary[:, 1]) >= 0).all()
    small = np.linalg.norm(displaced[:, None] - vocabulary, axis=2).min(axis=1)[np.abs(displaced).max(axis=1) < 0.3]
    assert np.median(small) < 0.1


def test_tokens_follow_the_ball_however_long_the_sequence(learner):
    batch = token_paths(learner.batches[3])
    vocabulary = learner.network.token_decoder.vocabulary.double().numpy()
    tokens, _, displaced = learner.tokenize(batch, vocabulary)
    missed = np.linalg.norm((vocabulary[tokens] - displaced) * batch.position_sds[:, None], axis=2)  # m
    assert np.median(missed[:, -1]) < 0.004 and np.median(missed[:, -1]) < 3 * np.median(missed[:, 4])
    away = np.linalg.norm(displaced * batch.position_sds[:, None], axis=2)
    assert missed.mean() < 0.5 * away.mean()


def test_a_token_is_the_nearest_one(learner):
    vocabulary = learner.network.token_decoder.vocabulary.double().numpy()
    tokens, _, displaced = learner.tokenize(token_paths(learner.batches[4]), vocabulary)
    nearest = np.linalg.norm(displaced[:50, :, None] - vocabulary, axis=3).argmin(axis=2)
    assert np.array_equal(tokens[:50], nearest)


def test_a_surprise_is_followed_in_full_and_a_usual_displacement_less():
    end, unit = np.arange(9.0), np.full(3, 0.01)
    calm, shaken = np.r_[np.zeros(9), 6.0], np.r_[np.zeros(9), 6.0]
    words.advance(calm, end, False, np.array([0.0, 1.0, 0.0]), unit)
    words.advance(shaken, end, False, np.array([0.0, 9.0, 0.0]), unit)
    np.testing.assert_allclose(shaken[:6], end[:6] + 0.09 * np.array([0, 1, 0, 0, 1 / HORIZON_STEP, 0]))
    assert 0.3 < (calm[1] - end[1]) / 0.01 < 0.7 and (calm[4] - end[4]) * HORIZON_STEP / 0.01 < 0.3
    assert np.array_equal(calm[6:9], end[6:]) and shaken[9] == 2.0


def test_the_compiled_network_outputs_what_torch_does(learner):
    network = learner.network
    decoder = token_decoder.pack_token_decoder({name: a.numpy() for name, a in network.state_dict().items()})
    inputs, numbers, tokens = (
        torch.randn(6, network.path[0].in_features),
        torch.randn(6, HORIZONS, words.CONTEXT_FEATURES),
        None,
    )
    tokens = torch.randint(0, len(decoder.vocabulary), (6, HORIZONS))
    with torch.no_grad():
        expected = network.token_decoder(inputs, numbers, tokens).numpy()
    h, before = token_decoder.initial_hidden(decoder, inputs.numpy()), np.full(6, -1)
    for k in range(HORIZONS):
        token_decoder.step(decoder, before, np.ascontiguousarray(numbers[:, k].numpy()), h)
        np.testing.assert_allclose(token_decoder.token_logits(decoder, h), expected[:, k], rtol=1e-5, atol=1e-5)
        before = tokens[:, k].numpy()


def single_token_samples(learner, vocabulary, times, count=3, start=None):
    """What is said where only word 0 of a vocabulary (1, 3) is ever said: samples (K, H, 3), landings found (K, 5)."""
    decoder = token_decoder.pack_token_decoder({name: a.numpy() for name, a in learner.network.state_dict().items()})
    logits = Linear(np.ascontiguousarray(decoder.logits.weight[:, :1]), decoder.logits.bias[:1])
    single = decoder._replace(vocabulary=vocabulary.astype(np.float32), embedding=decoder.embedding[:1], logits=logits)
    samples, landings = np.empty((count, len(times), 3)), np.empty((count, 5))
    first = np.zeros((1, decoder.hidden.weight.shape[0]), np.float32)
    sport, unit = compile_sport(learner.sport), np.full(3, 0.01)
    sample_paths(single, first, sport, start, unit, times, stratified_uniforms(count), samples, landings)
    return samples, landings


START = np.r_[0.0, -0.9, 0.3, 0.1, 4.0, 0.5, -100.0, 20.0, 0.0, np.zeros(7)]  # over the net, onto the table


def test_where_nothing_is_displaced_the_simulator_flies(learner):
    times = np.array([0.02, HORIZON_STEP, 0.13, 0.4, 0.77, 1.0, 1.3])
    samples, landings = single_token_samples(learner, np.zeros((1, 3)), times, start=START)
    flight = sim.simulate(learner.sport, START[None, :3], START[None, 3:6], START[None, 6:9], times)
    np.testing.assert_allclose(samples, np.tile(flight.position, (3, 1, 1)), atol=1e-5)
    impacts, table = flight.impacts, [k for k, s in enumerate(learner.sport.surfaces) if s.landing]
    first = np.flatnonzero(np.isin(impacts.surface, table))[0]
    np.testing.assert_allclose(
        landings[1], [impacts.time[first], *impacts.position[first], impacts.surface[first]], atol=1e-5
    )


def test_words_displace_a_path_by_what_they_stand_for(learner):
    times, word = HORIZON_STEP * np.arange(1, 6), np.array([[1.0, 0.0, 0.0]])
    samples, _ = single_token_samples(learner, word, times, start=START)
    state, expected = words.initial_state(START), []
    for _ in times:
        path, none = np.empty((1, 6)), np.empty(0, CONTACT_DTYPE)
        end, has_contact = words.propagate(
            compile_sport(learner.sport), START, state, np.array([HORIZON_STEP]), path, none
        )
        words.advance(state, end, has_contact > 0, word[0], np.full(3, 0.01))
        expected.append(state[:3].copy())
    np.testing.assert_allclose(samples[0], expected, atol=1e-9)
    assert samples[0, 0, 0] > 0.01 and (np.diff(samples[0, :, 0]) > 0.01).all()


def test_the_numbers_that_go_with_words_are_those_it_was_taught_with(learner):
    """Of a sentence that is known, every number is what a path told word by word has at that word."""
    batch = token_paths(learner.batches[0])
    vocabulary, sport = (
        learner.network.token_decoder.vocabulary.double().numpy(),
        learner.batches.pool[batch.sports[0]][1].sport,
    )
    tokens, numbers, _ = learner.tokenize(batch, vocabulary)
    state, out = words.initial_state(batch.starts[0]), np.empty(words.CONTEXT_FEATURES, np.float32)
    for k in range(HORIZONS):
        path, none = np.empty((1, 6)), np.empty(0, CONTACT_DTYPE)
        end, has_contact = words.propagate(sport, batch.starts[0], state, np.array([HORIZON_STEP]), path, none)
        words.context_features(state, end, has_contact, batch.position_sds[0], k, out)
        np.testing.assert_allclose(numbers[0, k], out, rtol=1e-6)
        words.advance(state, end, has_contact, vocabulary[tokens[0, k]], batch.position_sds[0])


def test_mean_and_covariance_are_those_of_the_samples(predictor, histories):
    forecast = predictor.forecast(histories[1], histories[1].time[-1] + LEAD_TIMES)
    np.testing.assert_allclose(forecast.mean, forecast.samples.mean(axis=0), atol=1e-9)
    for k in range(len(LEAD_TIMES)):
        np.testing.assert_allclose(forecast.covariance[k], np.cov(forecast.samples[:, k].T), atol=1e-9)


def test_samples_are_the_same_again_alone_in_a_batch_and_as_a_stream(predictor, histories):
    times = np.array([track.time[-1] + LEAD_TIMES for track in histories])
    for track, row, together in zip(histories, times, predictor.forecast_batch(histories, times)):
        stream = predictor.stream()
        for t, position in zip(track.time, track.position):
            stream.observe(t, position)
        alone = predictor.forecast(track, row)
        assert np.array_equal(alone.samples, predictor.forecast(track, row).samples)
        for other in (together, stream.forecast(row)):
            off = np.abs(alone.samples - other.samples).max(axis=(1, 2))
            assert np.mean(off < 1e-5) > 0.9  # rounding may turn one draw of a word, and with it what follows


def test_what_a_lesson_looks_at_is_there(predictor):
    assert predictor.vocabulary.shape == (512, 3) and predictor.embedding.shape == (512, 48)


def test_tokens_is_trained_on_a_gru():
    with pytest.raises(ValueError, match="weights of lstm for table_tennis; tokens is trained on a gru"):
        make_learner(CONFIG | {"finetune": WEIGHTS_FOLDER / "table_tennis-lstm.safetensors"})
