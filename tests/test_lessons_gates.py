"""Lessons 7 to 9: gradients, gates, scan and attention, long memory. What is written out equals torch's own."""

import numpy as np
import pytest
import torch
from torch import nn

from ballcast import sim
from lessons import gates, gradients, long_memory, parallel
from lessons.balls import networks
from lessons.cells import chrono_initialise, forget_less, make_cell
from lessons.gradients import RNN, clip, first_weights, jacobian_product
from lessons.positions import errors, features, positions, train


@pytest.fixture(autouse=True)
def one_thread():
    """Steps this small are faster on one thread, by far if other programs run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_written_out_rnn_equals_torch():
    torch.manual_seed(0)
    network, x = RNN(first_weights("orthogonal", 8)), torch.randn(3, 5, 6)
    other = nn.RNN(6, 8, batch_first=True)
    with torch.no_grad():
        other.weight_hh_l0.copy_(network.W)
        other.weight_ih_l0.copy_(network.U.weight)
        other.bias_ih_l0.copy_(network.U.bias)
        other.bias_hh_l0.zero_()
    torch.testing.assert_close(network.states(x), other(x)[0])


def test_the_product_of_jacobians_equals_autograd():
    torch.manual_seed(0)
    network, x = RNN(first_weights("2", 8)), torch.randn(1, 6, 6)
    first = network.states(x[:, :1])[0, 0].detach().requires_grad_()

    def last(h):
        for x_t in x[0, 1:]:
            h = torch.tanh(network.W @ h + network.U(x_t))
        return h

    expected = torch.autograd.functional.jacobian(last, first)
    products = jacobian_product(network.W, network.states(x)[0])
    torch.testing.assert_close(products[5], expected)


def test_a_clipped_gradient_keeps_its_direction():
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0, 0.0]), torch.tensor([0.0, 4.0])
    assert clip(parameters, 10.0) == pytest.approx(5.0) and parameters[1].grad[1] == 4.0
    assert clip(parameters, 1.0) == pytest.approx(5.0)
    torch.testing.assert_close(parameters[0].grad, torch.tensor([0.6, 0.0, 0.0]))
    torch.testing.assert_close(parameters[1].grad, torch.tensor([0.0, 0.8]))


def test_without_clipping_large_weights_spoil_the_training():
    inputs, targets = positions(200)
    balls = features(inputs), targets
    clipped, free = (gradients.learn(gradients.make("3"), *balls, limit, 40)[:, 0] for limit in (10.0, float("inf")))
    assert clipped.max() < 2 * clipped[0] and not free.max() < 100 * free[0]  # nor is nan


def test_gradients_vanish_and_explode_but_not_where_gates_are_set_for_the_length():
    results = gradients.cases()
    span = {case: float(norms.max() / norms.min()) for case, norms in results.items()}
    for name in ("rnn", "lstm", "gru"):
        assert span[name, "as torch makes it"] > 1e3, name
    for name in ("lstm", "gru"):
        assert span[name, "biases for the length"] < 1e2, name
    assert results["lstm", "forget gate's bias 1"][30] > 100 * results["lstm", "as torch makes it"][30]
    large = ("rnn", "weights x 4")
    assert span[large] > 1e3 and results[large][-1] > 1e3 > 1 > results["rnn", "as torch makes it"][-1] * 1e3


@pytest.mark.parametrize(("own", "cell"), [(gates.LSTM, nn.LSTMCell), (gates.GRU, nn.GRUCell)])
def test_the_written_out_cells_equal_torch(own, cell):
    torch.manual_seed(0)
    own, cell, x = own(6, 8), cell(6, 8), torch.randn(3, 6)
    with torch.no_grad():
        for linear, part in ((own.U, "ih"), (own.W, "hh")):
            linear.weight.copy_(getattr(cell, f"weight_{part}"))
            linear.bias.copy_(getattr(cell, f"bias_{part}"))
    state = torch.randn(3, 8), torch.randn(3, 8)
    expected = cell(x, state) if isinstance(cell, nn.LSTMCell) else (cell(x, state[0]),)
    for value, other in zip(own(x, state), expected, strict=True):
        torch.testing.assert_close(value, other)


def test_the_bias_of_the_forget_gate_is_where_f_reads_it():
    network, plain = gates.make_network("lstm, forget bias 1"), gates.make_network("lstm")
    x, state = torch.randn(2, 6), (torch.zeros(2, gates.UNITS), torch.ones(2, gates.UNITS))
    changed, gate = network.cell.gates(x, state), plain.cell.gates(x, state)
    assert (changed["f"] > gate["f"]).all() and all(torch.equal(changed[k], gate[k]) for k in "igo")
    cell = make_cell("lstm", 6, 8, 0)
    before = cell.bias_ih.clone()
    assert (forget_less(cell).bias_ih - before).nonzero().flatten().tolist() == list(range(8, 16))
    assert (chrono_initialise(make_cell("gru", 6, 8, 0), 100).bias_ih[8:16] >= 0).all()  # z near 1 keeps


def test_gates_of_the_shipped_network_open_at_the_bounce():
    predictor = networks("gru")["gru"]
    balls = sim.draw(predictor.sport, 48, seed=3, purpose="validation")
    about = gates.aligned(gates.gates_along_flight(predictor, balls), gates.bounces(balls))[:, :, 0].mean(axis=(0, 2))
    assert 1 - about[gates.BEFORE] > 1.3 * (1 - about[: gates.BEFORE - 1]).max()


def test_the_frame_of_a_bounce_is_where_the_vertical_velocity_turns():
    frames = gates.first_bounces(40)
    height = positions(40, purpose="test")[0][..., 2].numpy()
    found = [(b, k) for b, k in enumerate(frames) if k >= 0]
    rises = [height[b, k + 2] - height[b, k] > height[b, k - 1] - height[b, k - 3] for b, k in found]
    assert len(found) > 15 and np.mean(rises) > 0.9


@pytest.mark.parametrize("length", [1, 2, 7, 8, 48])
def test_the_scan_equals_the_loop(length):
    torch.manual_seed(0)
    a, b = torch.rand(2, length, 3), torch.randn(2, length, 3)
    h, loop = torch.zeros(2, 3), []
    for t in range(length):
        h = a[:, t] * h + b[:, t]
        loop.append(h)
    torch.testing.assert_close(parallel.scan(a, b), torch.stack(loop, 1))


def test_the_written_out_attention_equals_torch():
    torch.manual_seed(0)
    own, x = parallel.Attention(8), torch.randn(2, 5, 8)
    other = nn.MultiheadAttention(8, 1, batch_first=True)
    with torch.no_grad():
        other.in_proj_weight.copy_(torch.cat([own.Q.weight, own.K.weight, own.V.weight]))
        other.in_proj_bias.copy_(torch.cat([own.Q.bias, own.K.bias, own.V.bias]))
        other.out_proj.weight.copy_(torch.eye(8))
        other.out_proj.bias.zero_()
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
    output, weights = other(x, x, x, attn_mask=mask)
    torch.testing.assert_close(own(x), output)
    torch.testing.assert_close(own.weights(x), weights)


def test_a_causal_network_does_not_read_the_future():
    x = features(positions(2)[0])
    other = x.clone()
    other[:, 30:] += 1.0
    for name in ("mingru", "attention", "attention, no mask"):
        network = parallel.make_network(name)
        difference = (network(x) - network(other))[:, :30].abs().max()
        assert (difference == 0) == ("mask" not in name), name


def test_the_parallel_networks_learn():
    inputs, targets = positions(300)
    for name in ("mingru", "attention"):
        network = parallel.make_network(name)
        before = np.median(errors(network, features(inputs), targets))
        train(network, features(inputs), targets, 40, 32, 2e-3)
        assert np.median(errors(network, features(inputs), targets)) < 0.6 * before, name


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_small_network_waits_only_where_its_gates_are_set_for_the_length(kind):
    (unset, nothing), (longer, _) = (long_memory.trained(n, 60, 100) for n in (kind, f"{kind}, biases for the length"))
    assert longer < 0.6 * nothing and longer < 0.7 * unset


def test_layers_of_attention_add_to_what_is_in_reach():
    assert [long_memory.frames_in_reach(layers) for layers in (1, 2)] == [48, 95]


def test_where_lines_cross():
    assert parallel.break_even_length([1, 2, 4], [2, 2, 2], (10, 100, 1000)) == 100
    assert parallel.break_even_length([1, 4, 4], [2, 2, 2], (10, 100, 1000)) == 32
    assert parallel.break_even_length([3, 4], [2, 2], (10, 100)) == 10
    assert parallel.break_even_length([3, 1], [2, 2], (10, 100)) is None


def test_what_is_kept_for_the_way_back_grows_with_the_length():
    sizes = [parallel.saved_activation_bytes(parallel.timed_pass("gru", length, 1)) for length in (50, 200)]
    assert 3 * sizes[0] < sizes[1] < 5 * sizes[0]
