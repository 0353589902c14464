"""Recurrent cells as steps, and the derivative of their last state with respect to earlier ones."""

import torch
from torch import nn

CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def make_cell(name, inputs, units, seed):
    """A cell with torch's default initialisation."""
    torch.manual_seed(seed)
    return CELLS[name](inputs, units)


def scaled(cell, factor):
    """The cell, its recurrent weights multiplied by a factor in place."""
    with torch.no_grad():
        cell.weight_hh *= factor
    return cell


def chrono_initialise(cell, max_length):
    """The cell, its biases set in place for memories of up to `max_length` frames (Tallec and Ollivier 2018)."""
    units = cell.hidden_size
    timescales = torch.log(1.0 + torch.rand(units) * (max_length - 2.0))
    with torch.no_grad():
        cell.bias_hh.zero_()
        cell.bias_ih[units : 2 * units] = timescales  # the forget gate; of a GRU torch's update gate, which keeps too
        if isinstance(cell, nn.LSTMCell):
            cell.bias_ih[:units] = -timescales  # the input gate
    return cell


def forget_less(cell, bias=1.0):
    """The LSTM cell, with this added in place to the bias of its forget gate, which then starts nearer to 1."""
    with torch.no_grad():
        cell.bias_ih[cell.hidden_size : 2 * cell.hidden_size] += bias
    return cell


def loaded(name, tensors):
    """The trained cell in a file of weights: its trunk."""
    parts = {part: torch.from_numpy(tensors[f"trunk.{part}_l0"]) for part in PARTS}
    cell = CELLS[name](parts["weight_ih"].shape[1], parts["weight_hh"].shape[1])
    cell.load_state_dict(parts)
    return cell


def jacobians(cell, x):
    """d state_t / d state_{t-1} (T, S, S) along a sequence x (T, F), starting with a state of zeros."""
    is_lstm = isinstance(cell, nn.LSTMCell)

    def step(state, x):
        if is_lstm:  # its state is h and c, concatenated
            return torch.cat(cell(x[None], tuple(part[None] for part in state.chunk(2))), 1)[0]
        return cell(x[None], state[None])[0]

    states = [torch.zeros(cell.hidden_size * (2 if is_lstm else 1))]
    with torch.no_grad():
        for frame in x[:-1]:
            states.append(step(states[-1], frame))
        return torch.func.vmap(torch.func.jacrev(step))(torch.stack(states), x)


def jacobian_products(steps):
    """d state_T / d state_t (T + 1, S, S), from t = T (the identity) back to the start."""
    results = [torch.eye(steps.shape[1], dtype=torch.float64)]
    for step in steps.flip(0).double():
        results.append(results[-1] @ step)
    return torch.stack(results)


def jacobian_norms(cell, x):
    """The largest singular values (T + 1,) of d state_T / d state_t against T - t."""
    return torch.linalg.matrix_norm(jacobian_products(jacobians(cell, x)), ord=2)
