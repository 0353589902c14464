"""Backpropagation through time, written by hand: the network of the lesson on it, without autograd.

h, y = forward(weights, x)                         # x (T, B, inputs): the frame is the first axis
gradients = backward(weights, x, h, y, target)     # for W, U, b, V and c
weights = train(x, target)
"""

import torch

from lessons.positions import FRAMES

UNITS, STEPS, BATCH, RATE, CLIP = 32, 600, 64, 5e-3, 1.0
NAMES = ("W", "U", "b", "V", "c")


def make_weights(inputs, outputs=3, units=UNITS, seed=0):
    """Random weights W, U, b, V, c, in double precision."""
    torch.manual_seed(seed)
    sizes = ((units, units), (units, inputs), (units,), (outputs, units), (outputs,))
    return [torch.randn(size, dtype=torch.float64) / units**0.5 * (len(size) > 1) for size in sizes]


def forward(weights, x):  # (T, B, inputs)
    """Hidden states h_0 ... h_T and outputs y_1 ... y_T."""
    W, U, b, V, c = weights
    h, y = [torch.zeros(x.shape[1], len(b), dtype=x.dtype)], []
    for x_t in x:
        h.append(torch.tanh(h[-1] @ W.T + x_t @ U.T + b))
        y.append(h[-1] @ V.T + c)
    return h, y


def backward(weights, x, h, y, target, truncation=FRAMES, first_loss=0):
    """The gradients of the total loss, for W, U, b, V and c: of the losses from frame `first_loss` on. Every
    `truncation` frames nothing is passed on."""
    W, U, b, V, c = weights
    dW, dU, db, dV, dc = (torch.zeros_like(weight) for weight in weights)
    from_later = torch.zeros_like(h[0])  # dL/dh_t by way of h_{t+1}
    for t in reversed(range(len(x))):  # h[t + 1] is the state after frame t, h[t] the one before
        dy = (
            2.0 * (y[t] - target[t]) / x.shape[1] * (t >= first_loss)
        )  # of L_t = the mean over the batch of |y_t - target_t|^2
        dV += dy.T @ h[t + 1]
        dc += dy.sum(0)
        dh = dy @ V + from_later  # what the loss of this frame says, and what all later ones say
        da = dh * (1.0 - h[t + 1] ** 2)  # through tanh
        dW += da.T @ h[t]
        dU += da.T @ x[t]
        db += da.sum(0)
        from_later = da @ W if t % truncation else torch.zeros_like(dh)  # through W, to the frame before
    return dW, dU, db, dV, dc


def total_loss(weights, x, target):
    """The sum of the losses of all frames."""
    return sum((y - target_t).square().sum(1).mean() for y, target_t in zip(forward(weights, x)[1], target))


def by_autograd(weights, x, target):
    """The same gradients by PyTorch."""
    leaves = [weight.clone().requires_grad_() for weight in weights]
    return torch.autograd.grad(total_loss(leaves, x, target), leaves)


def train(inputs, targets, truncation=FRAMES, steps=STEPS, first_loss=0):
    """Weights trained with the gradients by hand: autograd is off."""
    weights, generator = make_weights(inputs.shape[2]), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(weights, RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(inputs.shape[1], (BATCH,), generator=generator)
        x, target = inputs[:, rows], targets[:, rows]
        for weight, gradient in zip(
            weights, backward(weights, x, *forward(weights, x), target, truncation, first_loss)
        ):
            weight.grad = gradient
        torch.nn.utils.clip_grad_norm_(weights, CLIP * (len(inputs) - first_loss))
        optimizer.step()
        schedule.step()
    return weights


def sum_of_pairs(weights, x, target):
    """dL/dW of one ball (T, 1, inputs) by the formula itself: a sum over all pairs of a loss t and a frame k <= t."""
    W, _, _, V, _ = weights
    h, y = forward(weights, x)
    total = torch.zeros_like(W)
    for t in range(len(x)):
        chain = 2.0 * (y[t] - target[t])[0] @ V  # dL_t/dh_t
        for k in range(t, -1, -1):
            slope = 1.0 - h[k + 1][0] ** 2
            total += torch.outer(chain * slope, h[k][0])  # dL_t/dh_k times what W does directly to h_k
            chain = chain @ (slope[:, None] * W)  # from h_k to h_{k-1}: diag(1 - h_k^2) W
    return total


def relative(a, b):
    """How far a is from b, as a part of b's length."""
    return float((a - b).norm() / b.norm())
