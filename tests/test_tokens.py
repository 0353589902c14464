"""Motion as words: the vocabulary, the network that speaks in torch and at run time, samples that stay the same."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

import models  # noqa: E402
import sim  # noqa: E402
from models import speech, words  # noqa: E402
from models.baseline import KNOTS, STEP  # noqa: E402
from models.landed import FINE, landing_of  # noqa: E402
from models.nets.learning import learner_of, tensors  # noqa: E402
from models.nets.losses import whitened  # noqa: E402
from models.nets.speaking import READ  # noqa: E402
from models.nets.speech import coloured  # noqa: E402
from models.nets.vocabulary import learn  # noqa: E402
from models.tokens import chances, say  # noqa: E402
from models.told import law_of  # noqa: E402
from tracks import Track  # noqa: E402

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


def test_what_is_said_leads_where_the_ball_went():
    rng = np.random.default_rng(0)
    z = np.cumsum(rng.normal(0, 0.3, (500, KNOTS, 3)), axis=1)
    vocabulary = learn(z, 400)
    off = np.linalg.norm(words.decode(words.encode(z, vocabulary), vocabulary) - z, axis=2)
    between = np.linalg.norm(vocabulary[:, None] - vocabulary, axis=2) + 1e9 * np.eye(len(vocabulary))
    assert np.quantile(off, 0.99) < np.quantile(between.min(axis=1), 0.99)
    assert off[:, -1].mean() < 1.2 * off[:, 4].mean()  # errors do not add up


def test_a_word_is_its_own_step():
    vocabulary = np.random.default_rng(1).normal(size=(50, 3))
    said = np.arange(40).reshape(2, KNOTS)
    assert np.array_equal(words.encode(words.decode(said, vocabulary), vocabulary), said)


def test_coloured_undoes_whitened_and_is_the_law_at_run_time():
    z, scales, regressions = torch.randn(3, 4, KNOTS, 3, dtype=torch.double)
    error = coloured(z, scales, regressions)
    assert torch.allclose(whitened(error, scales, regressions), z)
    row = torch.cat([torch.zeros_like(z), scales, regressions], -1)[0].flatten().numpy()
    off, A = law_of(row, np.zeros((KNOTS, 3)), np.ones((KNOTS, 3)), np.ones(KNOTS))
    assert np.allclose(np.einsum("kij,kj->ki", A[1:], z[0].numpy()), error[0])


def test_the_compiled_network_speaks_as_torch_does(learner):
    network = learner.network
    told = speech.speech_of({name: a.numpy() for name, a in network.state_dict().items()})
    read, numbers, said = torch.randn(6, network.path[0].in_features), torch.randn(6, KNOTS, 16), None
    said = torch.randint(0, len(told.vocabulary), (6, KNOTS))
    with torch.no_grad():
        expected = network.speech(read, numbers, said).numpy()
    h, before = speech.begin(told, read.numpy()), np.full(6, -1)
    for k in range(KNOTS):
        speech.move(told, before, np.ascontiguousarray(numbers[:, k].numpy()), h)
        np.testing.assert_allclose(speech.query(told, h), expected[:, k], rtol=1e-5, atol=1e-5)
        before = said[:, k].numpy()


def test_the_numbers_that_go_with_words_are_those_it_was_taught_with(learner):
    """Where every word is certain, what is said at run time is what torch would say at the places reached."""
    network, batch = learner.network, tensors(learner.batches[0])
    features, times, frames, base, future, unit = (getattr(batch, name)[:1] for name in READ)
    with torch.no_grad():
        read, law = network.law(features, times, frames, base)
        _, numbers, said = network.sentences(features, times, frames, base, future, unit)
        start = features[0, frames[0, 0]]
        places = (base[0, 0, : 3 * KNOTS].view(KNOTS, 3) + start[:3]).double().numpy()
        z = torch.zeros(1, 1, KNOTS, 3)
        mine = network.numbers(law[:, :1], torch.tensor(places[None, None]).float(), unit[:, :1], start[None, None], z)
    off, A = law_of(law[0, 0].flatten().double().numpy(), network.path_mean.double().numpy(),
                    network.path_scale.double().numpy(), np.ones(KNOTS))  # fmt: skip
    u, place, velocity, out = unit[0, 0].double().numpy(), start[:3].double().numpy(), start[3:6].double().numpy(), None
    for k in range(KNOTS):
        middle, out = places[k] + u[k] * off[k + 1], np.empty(16, np.float32)
        speech.note(place, velocity, np.zeros(3), (middle - place) / STEP, u[k] * np.diag(A[k + 1]), k / KNOTS, out)
        np.testing.assert_allclose(out, mine[0, 0, k], rtol=1e-4, atol=1e-4)
        velocity, place = (middle - place) / STEP, middle


def test_certain_words_lead_along_their_path(learner):
    told = speech.speech_of({name: a.numpy() for name, a in learner.network.state_dict().items()})
    worth = np.full(len(told.worth), -100.0, np.float32)
    worth[7] = 100.0
    silent = told._replace(Q=0 * told.Q, q=0 * told.q, worth=worth)
    first, spot = np.zeros((1, told.Wh.shape[0]), np.float32), np.zeros(16)
    off, A = np.zeros((KNOTS + 1, 3)), np.tile(np.eye(3), (KNOTS + 1, 1, 1))
    beside = say(silent, first, off, A, np.zeros((KNOTS, 3)), np.ones((3, 3)), spot, chances(5))
    expected = told.vocabulary[7] * np.arange(1, KNOTS + 1)[:, None]
    np.testing.assert_allclose(beside[:, 1:], np.tile(expected, (5, 1, 1)), rtol=1e-6)


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


def test_a_bounce_between_two_looks_is_found():
    times, ground = FINE * np.arange(1, 101), np.array([[-0.7, -1.3, 0.02, 0.7, 1.3, 0.02]])
    height = 0.02 + np.abs(0.3337 - times) * 3.0
    path = np.stack([0.1 * times, 1.5 * times, height], 1)[None]
    at, spread = np.empty(4), np.empty((4, 4))
    assert landing_of(np.repeat(path, 3, 0), times, ground, at, spread) == 1.0
    np.testing.assert_allclose(at, [0.3337, 0.03337, 0.50055, 0.02], atol=1e-6)
    path[0, :, 0] += 1.0  # beside the table
    assert landing_of(path, times, ground, at, spread) == 0.0
