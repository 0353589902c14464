"""Motion as words: the vocabulary, the network that speaks in torch and at run time, samples that stay the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast.models.encoding import tokenizer as words  # noqa: E402
from ballcast.models.encoding.nominal import KNOTS, STEP  # noqa: E402
from ballcast.models.encoding.vocabulary import grouped, narrow  # noqa: E402
from ballcast.models.predictors.tokens import chances, say  # noqa: E402
from ballcast.models.runtime import token_decoder as speech  # noqa: E402
from ballcast.models.training.learner import learner_of  # noqa: E402
from ballcast.models.training.token_learner import paths  # noqa: E402
from ballcast.sim.kernels.flight import surroundings  # noqa: E402
from ballcast.tracks import Track  # noqa: E402

from ballcast import models, sim  # noqa: E402

CONFIG = {
    "model": "tokens", "sport": "table_tennis", "data": None, "finetune": None, "tracks": [], "batch": 64, "seed": 0,
    "units": 24, "device": "cpu", "rate": 3e-3, "exact": True,
}  # fmt: skip
AHEAD = np.array([0.02, 0.05, 0.13, 0.4, 0.77, 1.3])  # s


@pytest.fixture(scope="module")
def learner():
    """A small one that has learnt for a few steps."""
    learner = learner_of(CONFIG)
    for n in range(3):
        learner.step(learner.batches[n], 1e-2, 1.0)
    return learner


@pytest.fixture(scope="module")
def predictor(learner, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tokens.safetensors"
    learner.keep(path, 3, {"words": 0.0})
    return models.load(path)


@pytest.fixture(scope="module")
def seen():
    balls = sim.draw(sim.load("table_tennis"), 8, purpose="validation", seed=7)
    cuts = zip(balls.offsets[:-1], (9, 60, 25, 4, 2, 100, 33, 80))
    return [Track(balls.time[a : a + n], balls.position[a : a + n]) for a, n in cuts]


def test_words_are_told_apart_the_finer_the_more_common_they_are():
    chance = np.random.default_rng(0)
    displaced = chance.normal(0, 1, (20_000, 3)) * chance.choice([0.1, 3], (20_000, 1))
    vocabulary = grouped(displaced, 200, np.random.default_rng(0))
    off = np.linalg.norm(narrow(displaced)[:, None] - narrow(vocabulary), axis=2).min(axis=1)
    assert np.quantile(off, 0.9) < 1.0 and (np.diff(vocabulary[:, 1]) >= 0).all()
    small = np.linalg.norm(displaced[:, None] - vocabulary, axis=2).min(axis=1)[np.abs(displaced).max(axis=1) < 0.3]
    assert np.median(small) < 0.1


def test_words_lead_where_the_ball_went_however_long_the_sentence(learner):
    own = paths(learner.batches[3])
    vocabulary = learner.network.speech.vocabulary.double().numpy()
    said, _, displaced = learner.spelled(own, vocabulary)
    missed = np.linalg.norm((vocabulary[said] - displaced) * own.units[:, None], axis=2)  # m
    assert np.median(missed[:, -1]) < 0.004 and np.median(missed[:, -1]) < 3 * np.median(missed[:, 4])
    away = np.linalg.norm(displaced * own.units[:, None], axis=2)
    assert missed.mean() < 0.5 * away.mean()


def test_a_spelled_word_is_the_nearest_one(learner):
    vocabulary = learner.network.speech.vocabulary.double().numpy()
    said, _, displaced = learner.spelled(paths(learner.batches[4]), vocabulary)
    nearest = np.linalg.norm(displaced[:50, :, None] - vocabulary, axis=3).argmin(axis=2)
    assert np.array_equal(said[:50], nearest)


def test_a_surprise_is_believed_in_full_and_a_habit_less():
    end, unit = np.arange(9.0), np.full(3, 0.01)
    calm, shaken = np.r_[np.zeros(9), 6.0], np.r_[np.zeros(9), 6.0]
    words.lead(calm, end, False, np.array([0.0, 1.0, 0.0]), unit)
    words.lead(shaken, end, False, np.array([0.0, 9.0, 0.0]), unit)
    np.testing.assert_allclose(shaken[:6], end[:6] + 0.09 * np.array([0, 1, 0, 0, 1 / STEP, 0]))
    assert 0.3 < (calm[1] - end[1]) / 0.01 < 0.7 and (calm[4] - end[4]) * STEP / 0.01 < 0.3
    assert np.array_equal(calm[6:9], end[6:]) and shaken[9] == 2.0


def test_the_compiled_network_speaks_as_torch_does(learner):
    network = learner.network
    told = speech.speech_of({name: a.numpy() for name, a in network.state_dict().items()})
    read, numbers, said = torch.randn(6, network.path[0].in_features), torch.randn(6, KNOTS, words.NUMBERS), None
    said = torch.randint(0, len(told.vocabulary), (6, KNOTS))
    with torch.no_grad():
        expected = network.speech(read, numbers, said).numpy()
    h, before = speech.begin(told, read.numpy()), np.full(6, -1)
    for k in range(KNOTS):
        speech.move(told, before, np.ascontiguousarray(numbers[:, k].numpy()), h)
        np.testing.assert_allclose(speech.query(told, h), expected[:, k], rtol=1e-5, atol=1e-5)
        before = said[:, k].numpy()


def spoken(learner, vocabulary, times, count=3, spot=None):
    """What is said where only word 0 of a vocabulary (1, 3) is ever said: samples (K, H, 3), landings found (K, 5)."""
    told = speech.speech_of({name: a.numpy() for name, a in learner.network.state_dict().items()})
    one = told._replace(vocabulary=vocabulary.astype(np.float32), embedding=told.embedding[:1], worth=told.worth[:1])
    landing = np.array([s.landing for s in learner.sport.surfaces])
    samples, found = np.empty((count, len(times), 3)), np.empty((count, 5))
    first = np.zeros((1, told.Wh.shape[0]), np.float32)
    place, unit = surroundings(learner.sport), np.full(3, 0.01)
    say(one, first, place, landing, spot, unit, times, chances(count), samples, found)
    return samples, found


SPOT = np.r_[0.0, -0.9, 0.3, 0.1, 4.0, 0.5, -100.0, 20.0, 0.0, np.zeros(7)]  # over the net, onto the table


def test_where_nothing_is_displaced_the_simulator_flies(learner):
    times = np.array([0.02, STEP, 0.13, 0.4, 0.77, 1.0, 1.3])
    samples, found = spoken(learner, np.zeros((1, 3)), times, spot=SPOT)
    flight = sim.simulate(learner.sport, SPOT[None, :3], SPOT[None, 3:6], SPOT[None, 6:9], times)
    np.testing.assert_allclose(samples, np.tile(flight.position, (3, 1, 1)), atol=1e-5)
    hits, table = flight.impacts, [k for k, s in enumerate(learner.sport.surfaces) if s.landing]
    first = np.flatnonzero(np.isin(hits.surface, table))[0]
    np.testing.assert_allclose(found[1], [hits.time[first], *hits.place[first], hits.surface[first]], atol=1e-5)


def test_words_displace_a_path_by_what_they_stand_for(learner):
    times, word = STEP * np.arange(1, 6), np.array([[1.0, 0.0, 0.0]])
    samples, _ = spoken(learner, word, times, spot=SPOT)
    state, expected = words.outset(SPOT), []
    for _ in times:
        path, none = np.empty((1, 6)), np.empty((0, 6))
        end, met = words.onward(surroundings(learner.sport), SPOT, state, np.array([STEP]), path, none)
        words.lead(state, end, met, word[0], np.full(3, 0.01))
        expected.append(state[:3].copy())
    np.testing.assert_allclose(samples[0], expected, atol=1e-9)
    assert samples[0, 0, 0] > 0.01 and (np.diff(samples[0, :, 0]) > 0.01).all()


def test_the_numbers_that_go_with_words_are_those_it_was_taught_with(learner):
    """Of a sentence that is known, every number is what a path told word by word has at that word."""
    own = paths(learner.batches[0])
    vocabulary, place = learner.network.speech.vocabulary.double().numpy(), learner.batches.surroundings[own.bare[0]]
    said, numbers, _ = learner.spelled(own, vocabulary)
    state, out = words.outset(own.spots[0]), np.empty(words.NUMBERS, np.float32)
    for k in range(KNOTS):
        path, none = np.empty((1, 6)), np.empty((0, 6))
        end, met = words.onward(place, own.spots[0], state, np.array([STEP]), path, none)
        words.note(state, end, met, own.units[0], k, out)
        np.testing.assert_allclose(numbers[0, k], out, rtol=1e-6)
        words.lead(state, end, met, vocabulary[said[0, k]], own.units[0])


def test_mean_and_covariance_are_those_of_the_samples(predictor, seen):
    forecast = predictor.forecast(seen[1], seen[1].time[-1] + AHEAD)
    np.testing.assert_allclose(forecast.mean, forecast.samples.mean(axis=0), atol=1e-9)
    for k in range(len(AHEAD)):
        np.testing.assert_allclose(forecast.covariance[k], np.cov(forecast.samples[:, k].T), atol=1e-9)


def test_samples_are_the_same_again_alone_in_a_batch_and_as_a_stream(predictor, seen):
    times = np.array([track.time[-1] + AHEAD for track in seen])
    for track, row, together in zip(seen, times, predictor.forecast_batch(seen, times)):
        stream = predictor.stream()
        for t, place in zip(track.time, track.position):
            stream.observe(t, place)
        alone = predictor.forecast(track, row)
        assert np.array_equal(alone.samples, predictor.forecast(track, row).samples)
        for other in (together, stream.forecast(row)):
            np.testing.assert_allclose(alone.samples, other.samples, atol=1e-5)


def test_what_a_lesson_looks_at_is_there(predictor):
    assert predictor.vocabulary.shape == (512, 3) and predictor.embedding.shape == (512, 48)


def test_tokens_is_taught_on_a_gru():
    with pytest.raises(ValueError, match="weights of lstm for table_tennis; tokens is taught on a gru"):
        learner_of(CONFIG | {"finetune": models.predictor.SHIPPED / "table_tennis-lstm.safetensors"})
