"""The loss at every moment, the sum of these losses, and its gradient through time, frame by frame."""

import numpy as np
import torch

from ballcast import sim
from ballcast.models.nets.losses import path_loss
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.models.registry import weights_path
from ballcast.models.runtime.weights import read
from ballcast.models.training.batches import Batches
from ballcast.models.training.learner import to_tensors
from lessons.page import Page, finish

SPORT, BALL_COUNT, SLICES = "table_tennis", 192, 16
PARTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
SHOWN = (0, 1, 3, 7, 11, 15)  # slices that are printed


def trained(name="gru"):
    """The shipped Network."""
    info, parts = read(weights_path(name, sim.load(SPORT)))
    network = Network(NetworkShape(**info["shape"]))
    network.load_state_dict({key: torch.from_numpy(a) for key, a in parts.items()})
    return network


def make_batch(balls=BALL_COUNT):
    """A Batch of tensors, of balls that the network was not trained on."""
    batches = Batches(sim.load(SPORT), "filter", balls, purpose="validation", loss_frames=SLICES)
    return to_tensors(batches[0])


def unrolled(network, features):
    """The hidden states (B, T, U) of a GRU that has its own copy of the weights at every step; and the copies."""
    steps, h, states = [], features.new_zeros(len(features), network.shape.units), []
    for x in features.unbind(1):
        weights = [getattr(network.trunk, part).detach().clone().requires_grad_() for part in PARTS]
        h = torch.gru_cell(x, h, *weights)
        steps.append(weights)
        states.append(h)
    return torch.stack(states, 1), steps


def slices(network, hidden, batch):
    """The loss (N,) of every slice, mean over balls: that of the path forecast at the slice's frame."""
    rows = torch.arange(len(hidden))[:, None]
    features = network.standardise(batch.features)
    inputs, base = torch.cat([hidden[rows, batch.loss_frames], features[rows, batch.loss_frames]], -1), batch.nominal
    base = (base - network.nominal_mean) / network.nominal_scale
    outputs = network.belief(inputs)[..., : 2 * network.shape.unknowns]
    path = network.path(torch.cat([inputs, base, outputs], -1))
    future = (batch.future - network.path_mean) / network.path_scale
    return path_loss(path, future, batch.future_known).reshape(len(hidden), -1).mean(0)


def norm(parts):
    return float(torch.sqrt(sum(part.square().sum() for part in parts)))


def gradients(network, batch):
    """Losses (N,) of the slices; norms (T,) of the gradient of their sum by the weights of each step; the gradient of
    the shared weights, as the sum over steps and from torch; and norms (N, T) by step for each slice alone."""
    hidden, steps = unrolled(network, network.standardise(batch.features))
    losses = slices(network, hidden, batch)
    all_weights = [part for step in steps for part in step]
    by_slice = []
    for loss in losses:
        grads = torch.autograd.grad(loss, all_weights, retain_graph=True, allow_unused=True)
        grads = [torch.zeros_like(p) if g is None else g for g, p in zip(grads, all_weights)]
        by_slice.append(torch.stack([torch.stack([g.square().sum() for g in grads[k : k + 4]]).sum().sqrt()
                                     for k in range(0, len(grads), 4)]))  # fmt: skip
    grads = torch.autograd.grad(losses.sum(), all_weights)
    by_step = [grads[k : k + 4] for k in range(0, len(grads), 4)]
    added = [sum(parts) for parts in zip(*by_step)]
    whole = slices(network, network.hidden(network.standardise(batch.features), batch.times), batch).sum()
    whole = torch.autograd.grad(whole, [getattr(network.trunk, part) for part in PARTS])
    return losses.detach(), np.array([norm(parts) for parts in by_step]), (added, whole), torch.stack(by_slice).numpy()


def main():
    page, network, batch = Page("loss_over_time"), trained(), make_batch()
    losses, by_step, (added, whole), by_slice = gradients(network, batch)
    frames = batch.loss_frames.float().mean(0)
    page.print(f"{'slice':44}" + "".join(f"{n + 1:>8}" for n in SHOWN))
    page.print(f"{'its frame, mean':44}" + "".join(f"{frames[n]:8.0f}" for n in SHOWN))
    page.print(f"{'its loss':44}" + "".join(f"{losses[n]:8.2f}" for n in SHOWN))
    page.print(f"the sum of all {len(losses)}, which a training step reduces: {losses.sum():.2f}")
    steps = (1, 5, 10, 20, 40, 80)
    page.print(f"\n{'gradient of the sum, weights of frame':44}" + "".join(f"{k:>8}" for k in steps))
    page.print(f"{'its norm':44}" + "".join(f"{by_step[k]:8.3f}" for k in steps))
    off = max(float((a - b).abs().max()) for a, b in zip(added, whole))
    page.print(f"norm of the sum of all {len(by_step)}: {norm(added):.3f}; norm of the gradient of the shared weights: "
               f"{norm(whole):.3f}; largest difference {off:.0e}")  # fmt: skip
    late, now = by_slice[SLICES // 2], int(frames[SLICES // 2])  # a slice's frame varies a little between balls
    windows = ("first 10 frames", 0, 10), ("up to 10 frames before it", 10, now - 10), ("last frames", now - 10, None)
    parts = ", ".join(f"{name} {late[a:b].sum() / late.sum():.2f}" for name, a, b in windows)
    page.print(f"\nslice {SLICES // 2 + 1} alone, near frame {frames[SLICES // 2]:.0f}: fractions of its gradient's "
               f"norms: {parts}")  # fmt: skip
    figure, (left, right) = page.figure(2)
    left.bar(frames, losses, width=4, color="#d55e00")
    finish(left, 0, xlabel="frame", ylabel="loss of a slice")
    right.semilogy(np.arange(len(by_step)), by_step, color="#000000", label="of the sum")
    for n in (3, 8, 13):
        right.semilogy(np.where(by_slice[n] > 0, by_slice[n], np.nan), label=f"of slice {n + 1} alone")
    finish(right, ylim=1e-3, xlabel="frame of the weights", ylabel="norm of the gradient")
    page.save(figure)
    page.close()


if __name__ == "__main__":
    main()
