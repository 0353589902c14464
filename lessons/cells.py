"""Recurrent cells as steps, and how far what they remember at the end hangs on what they remembered before.

cell = cell_of("gru", 32, 64, seed=0)
norms = carried(cell, x)               # (T + 1,): the norm of d h_T / d h_t against T - t
"""

import torch
from torch import nn

CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def make_cell(name, inputs, units, seed):
    """A cell as torch makes it by default."""
    torch.manual_seed(seed)
    return CELLS[name](inputs, units)


def scaled(cell, factor):
    """The cell with its recurrent weights times a factor, in place."""
    with torch.no_grad():
        cell.weight_hh *= factor
    return cell


def chrono_initialise(cell, max_length):
    """The cell with biases for memories of up to `longest` frames (Tallec and Ollivier 2018), in place."""
    units = cell.hidden_size
    timescales = torch.log(1.0 + torch.rand(units) * (max_length - 2.0))
    with torch.no_grad():
        cell.bias_hh.zero_()
        if isinstance(cell, nn.LSTMCell):
            cell.bias_ih[units : 2 * units], cell.bias_ih[:units] = timescales, -timescales  # forget, and take in
        else:
            cell.bias_ih[units : 2 * units] = timescales  # torch's update gate says how much of the old is kept
    return cell


def loaded(name, tensors):
    """A trained cell: the trunk of a file of weights."""
    parts = {part: torch.from_numpy(tensors[f"trunk.{part}_l0"]) for part in PARTS}
    units, inputs = parts["weight_hh"].shape[1], parts["weight_ih"].shape[1]
    cell = CELLS[name](inputs, units)
    cell.load_state_dict(parts)
    return cell


def make_step(cell):
    """One step on what is remembered as a single vector: an LSTM's h and c after each other."""

    def step(state, x):
        if isinstance(cell, nn.LSTMCell):
            return torch.cat(cell(x[None], tuple(part[None] for part in state.chunk(2))), 1)[0]
        return cell(x[None], state[None])[0]

    return step


def jacobians(cell, x):
    """d state_t / d state_{t-1} (T, S, S) along a sequence x (T, F), from a memory of nothing."""
    step, size = make_step(cell), cell.hidden_size * (2 if isinstance(cell, nn.LSTMCell) else 1)
    states = [torch.zeros(size)]
    with torch.no_grad():
        for frame in x[:-1]:
            states.append(step(states[-1], frame))
        return torch.func.vmap(torch.func.jacrev(step))(torch.stack(states), x)


def jacobian_products(steps):
    """d state_T / d state_t (T + 1, S, S), from t = T (one) back to the start."""
    product, results = torch.eye(steps.shape[1], dtype=torch.float64), []
    results.append(product)
    for step in steps.flip(0).double():
        product = product @ step
        results.append(product)
    return torch.stack(results)


def jacobian_norms(cell, x):
    """Norms (T + 1,), the largest singular values, of d state_T / d state_t against T - t."""
    return torch.linalg.matrix_norm(jacobian_products(jacobians(cell, x)), ord=2)
