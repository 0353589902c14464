"""Lessons 4 to 6: design criteria, encoding and backpropagation through time, in small."""

import numpy as np
import pytest
import torch

from lessons import encoding, next_word, text, through_time, written_out
from lessons.backpropagation import make_data
from lessons.balls import errors as errors_of
from lessons.balls import make_cases, networks
from lessons.positions import errors, features, positions


def torch_cell(network, inputs):
    """torch's own cell with the weights of a network written out."""
    cell = torch.nn.RNNCell(inputs, len(network.b))
    weights = {"weight_ih": network.U, "weight_hh": network.W, "bias_ih": network.b, "bias_hh": 0 * network.b}
    cell.load_state_dict({name: weight.detach() for name, weight in weights.items()})
    return cell


def by_cell(network, x):
    """Outputs (B, T, outputs) of torch's own cell for x (B, T, inputs)."""
    cell, h, y = torch_cell(network, x.shape[2]), torch.zeros(len(x), len(network.b)), []
    for x_t in x.transpose(0, 1):
        h = cell(x_t, h)
        y.append(h @ network.V.T + network.c)
    return torch.stack(y, dim=1)


def test_the_networks_written_out_are_torchs_own():
    torch.manual_seed(0)
    network, x = written_out.RNN(), torch.randn(4, 9, 6)
    torch.testing.assert_close(network(x), by_cell(network, x))
    words, indices = next_word.NextWord(20), torch.randint(20, (4, 9))
    torch.testing.assert_close(words(indices), by_cell(words, words.embedding[indices]))


@pytest.fixture(scope="module")
def small():
    """A network of the lesson on the criteria, trained for a moment."""
    torch.set_num_threads(1)
    measured, targets = positions(1000)
    return written_out.trained(features(measured), targets, steps=200), measured, targets


def test_lengths_do_not_matter_order_does_and_weights_are_shared(small):
    network, measured, targets = small
    assert written_out.padded(network) < 1e-4
    frames = 30
    plain, mixed = (
        np.median(errors(network, features(written_out.reordered(measured, frames, order)), targets[:, : frames + 1]))
        for order in (torch.arange(frames), torch.randperm(frames, generator=torch.Generator().manual_seed(0)))
    )
    assert mixed > 3 * plain
    layer = written_out.slot_layer(measured, targets)
    now, later = (written_out.delayed_errors(network, layer, measured, targets, delay) for delay in (0, 2))
    assert later[0] < 1.1 * now[0] and later[1] > 2 * now[1]


def test_what_the_beginning_decides_is_remembered_and_is_not_in_a_window():
    torch.set_num_threads(1)
    data, test = written_out.hidden_balls(1000, "train"), written_out.hidden_balls(200, "test")
    assert float(data[0][:, written_out.SEEN :].abs().max()) == 0.0
    own = np.median(errors(written_out.trained(*data, steps=200), *test)[:, -1])
    assert own < 0.75 * written_out.feed_forward(*data, test)


def test_shipped_networks_use_the_order_and_the_past_outside_the_window():
    predictors = networks("mlp", "gru")
    histories, times, truth = make_cases(80, 45, 0.2)
    mixed = [written_out.shuffled(track, n) for n, track in enumerate(histories)]
    for predictor in predictors.values():
        plain, other = (np.median(errors_of(predictor, tracks, times, truth)) for tracks in (histories, mixed))
        assert other > 3 * plain
    far = {name: written_out.influence(predictor, 30, count=8) for name, predictor in predictors.items()}
    assert far["mlp"] == 0.0 and far["gru"] > 1e-3


def test_an_embedding_is_one_hot_times_a_matrix():
    matrix, indices = torch.randn(7, 3), torch.tensor([0, 6, 2])
    torch.testing.assert_close(torch.nn.functional.one_hot(indices, 7).float() @ matrix, matrix[indices])


def test_sentences_become_indices_and_back():
    sentences = text.draw_sentences(50)
    vocabulary = next_word.make_vocabulary(sentences)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    indices, words = next_word.encode(sentences, vocabulary), list(vocabulary)
    for row, sentence in zip(indices.tolist(), sentences):
        assert [words[i] for i in row if i >= 0] == [next_word.START, *sentence]
    for sentence in sentences:
        if "with" in sentence:
            assert sentence[-2] == text.TOOLS[sentence[1]][1]


def test_the_next_word_is_learned_and_similar_words_come_together():
    torch.set_num_threads(1)
    sentences = text.draw_sentences(400)
    vocabulary = next_word.make_vocabulary(sentences)
    indices, words = next_word.encode(sentences, vocabulary), len(vocabulary)
    other = next_word.encode(text.draw_sentences(300, seed=1), vocabulary)
    network = next_word.trained(indices, words, 500)
    with torch.no_grad():
        loss = float(next_word.loss(network, other))
        sentence = next_word.sample(network, list(vocabulary), torch.Generator().manual_seed(0))
    assert text.grammar_loss() < loss < 0.8 * encoding.counted(indices, other, words, 1)
    same, apart = encoding.apart(network.embedding.detach(), vocabulary)
    assert apart > 1.4 * same and set(sentence.split()) <= set(vocabulary)


def test_gradients_by_hand_are_those_of_autograd():
    x, target = make_data(16, "train")
    weights = through_time.make_weights(6)
    gradients = through_time.backward(weights, x, *through_time.forward(weights, x), target)
    for a, b in zip(gradients, through_time.by_autograd(weights, x, target), strict=True):
        assert through_time.relative(a, b) < 1e-6
    x, target = x[:12, :1], target[:12, :1]
    whole = through_time.backward(weights, x, *through_time.forward(weights, x), target)[0]
    assert through_time.relative(through_time.sum_of_pairs(weights, x, target), whole) < 1e-6


def test_a_truncated_gradient_lacks_more_the_shorter_it_is_and_never_gets_to_the_beginning():
    x, target = make_data(64, "train")
    weights = through_time.make_weights(6)
    h, y = through_time.forward(weights, x)
    whole = through_time.backward(weights, x, h, y, target)[0]
    lost = [through_time.relative(through_time.backward(weights, x, h, y, target, k)[0], whole) for k in (1, 4, 16, 48)]
    assert lost[0] > lost[1] > lost[2] > lost[3] == 0.0
    seen_early = x.clone()
    seen_early[4:] = 0.0
    states = through_time.forward(weights, seen_early)
    of_inputs = [through_time.backward(weights, seen_early, *states, target, k, first_loss=47)[1] for k in (48, 16)]
    assert float(of_inputs[0].abs().max()) > 0.0 == float(of_inputs[1].abs().max())
