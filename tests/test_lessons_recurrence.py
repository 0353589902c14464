"""The first lessons: a picture, slices, recurrence, and the loss over time; small versions of their claims."""

import numpy as np
import pytest
import torch

from lessons import feedforward, loss_over_time, pair, picture, recurrence
from lessons.balls import networks
from lessons.positions import errors, features, positions


def median(network, inputs, targets, frames):
    return np.median(errors(network, inputs, targets)[:, frames])


@pytest.fixture(scope="module")
def balls():
    return positions(1500), positions(300, purpose="test")


def test_the_convolution_written_out_is_that_of_torch():
    torch.manual_seed(0)
    layer, pictures = torch.nn.Conv2d(2, 8, 5, stride=2, padding=2), torch.randn(3, 2, 24, 48)
    torch.testing.assert_close(picture.convolution(pictures, layer.weight, layer.bias, 2), layer(pictures))


def test_the_camera_shows_the_ball_where_it_is_and_a_streak_is_the_same_both_ways():
    torch.manual_seed(0)
    points = torch.tensor([[-0.6, 0.3], [0.9, 0.7]])[:, None, None]  # (2, 1, 1, 2)
    for image, (along, up) in zip(picture.Camera()(points)[:, 0], points[:, 0, 0]):
        row, column = divmod(int(image.argmax()), picture.WIDTH)
        assert abs((column - (picture.WIDTH - 1) / 2) * picture.SIDE - along) < picture.SIDE
        assert abs(row * picture.SIDE + picture.BOTTOM - up) < picture.SIDE
    streak = torch.tensor([[0.0, 0.3], [0.1, 0.3], [0.2, 0.3]])[None, None]
    there, back = picture.Camera()(torch.cat([streak, streak.flip(2)]))
    assert float((there - back).abs().max()) < 10 * picture.NOISE


def test_two_pictures_say_more_than_one():
    (points, ahead), (test, truth) = picture.moments(500, "train"), picture.moments(60, "test")
    off = [
        np.median(errors(picture.learn(picture.sharp(points, k), ahead, 150), picture.sharp(test, k), truth))
        for k in (1, 2)
    ]
    assert off[1] < 0.8 * off[0]


def test_a_slice_of_one_frame_is_worse_and_nothing_before_a_slice_counts(balls):
    (train, truth), (test, test_truth) = balls
    learned = {n: feedforward.learn(feedforward.slices(train, n), truth, n, 150) for n in (1, 4)}
    one, four = (feedforward.late(network, feedforward.slices(test, n), test_truth) for n, network in learned.items())
    assert four < 0.7 * one
    assert feedforward.moved(learned[4], test, 4, 4) == 0.0 < 1.0 < feedforward.moved(learned[4], test, 4, 3)


def test_a_slice_is_the_last_frames_in_order():
    path = torch.arange(24, dtype=torch.float32).reshape(1, 8, 3) ** 2
    cut = feedforward.slices(path, 3)
    assert cut.shape == (1, 8, 9)
    steps = torch.cat([path[0, 4] - path[0, 3], path[0, 5] - path[0, 4]]) * feedforward.RATE / feedforward.SPEED
    torch.testing.assert_close(cut[0, 5, 3:], steps)
    assert float(cut[0, 0, 3:].abs().max()) == 0.0


def test_the_recurrent_network_written_out_is_that_of_torch():
    torch.manual_seed(0)
    network, x, h = recurrence.RNN(), torch.randn(5, 12, 6), torch.zeros(5, recurrence.UNITS)
    cell = torch.nn.RNNCell(6, recurrence.UNITS)
    with torch.no_grad():
        cell.weight_hh.copy_(network.W.weight)
        cell.weight_ih.copy_(network.U.weight)
        cell.bias_ih.copy_(network.U.bias)
        cell.bias_hh.zero_()
        for t, states in enumerate(network.hidden(x).unbind(1)):
            h = cell(x[:, t], h)
            torch.testing.assert_close(states, h)


def test_the_pair_is_one_ball_now_and_two_balls_later():
    both = pair.spin_pair()
    now, before = pair.PAST - 1, pair.PAST - 4
    assert np.linalg.norm(both[0, now] - both[1, now]) < 1e-3
    assert np.linalg.norm(both[0, -1] - both[1, -1]) > 0.08 and np.linalg.norm(both[0, 0] - both[1, 0]) > 0.2
    assert np.linalg.norm(both[0, before] - both[1, before]) < 0.02


def test_a_recurrent_network_that_saw_the_past_knows_the_spin_and_a_slice_does_not(monkeypatch):
    monkeypatch.setattr(pair, "LOW", (0.0, -2.8, -0.5, 0.2, 7.0, 2.0, -300.0, 0.0, 0.0))  # a smaller task
    monkeypatch.setattr(pair, "HIGH", (0.1, -2.5, 0.1, 0.4, 9.0, 6.0, 300.0, 0.0, 0.0))
    both, (spins, truth) = pair.spin_pair(), pair.spinning(6000)
    past, length = pair.measured(both), recurrence.LENGTH
    plain = feedforward.learn(feedforward.slices(spins, length), truth, length, 400)
    network = recurrence.learn(features(spins), truth, 1800)
    from_slice = pair.own_forecasts(plain, lambda p: feedforward.slices(p, length), past)
    from_past = pair.own_forecasts(network, features, past)
    assert pair.apart(both, from_slice) < 0.02 < 0.04 < pair.apart(both, from_past)


def test_the_shipped_gru_knows_the_spin_from_the_past():
    gru, both = networks("gru")["gru"], pair.spin_pair()
    past = pair.measured(both)[:4]
    few, many = (pair.apart(both, pair.shipped_forecasts(gru, past[:, :, -n:])) for n in (4, 18))
    assert few < 0.01 < 0.06 < many


def test_a_loss_at_the_last_step_alone_teaches_nothing_about_the_first(balls):
    (train, truth), (test, test_truth) = balls
    x, test_x = features(train), features(test)
    everywhere, last = (
        loss_over_time.learn(x, truth, total, 100) for total in (loss_over_time.all_steps, loss_over_time.last_step)
    )
    assert median(everywhere, test_x, test_truth, slice(1, 8)) < 0.7 * median(last, test_x, test_truth, slice(1, 8))


def test_the_contributions_of_all_steps_add_up_and_no_loss_depends_on_a_later_step():
    torch.manual_seed(0)
    network, (path, truth) = recurrence.RNN(), positions(16, frames=12)
    table, off = loss_over_time.contributions(network, features(path), truth)
    assert table.shape == (12, 12) and off < 1e-4
    assert (table[np.triu_indices(12, 1)] == 0).all() and (table[np.tril_indices(12)] > 0).all()
