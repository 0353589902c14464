"""How far a network that is fine-tuned has gone from the one that it began as, on simulated balls.

As a loss this keeps what is known. It has less noise than the losses of the same balls.
"""

from torch import Tensor

from ballcast.models.nets.losses import divergence, path_divergence
from ballcast.models.training.batches import Batch

Outputs = tuple[Tensor | None, Tensor]  # of the belief head, or None, and of the path head


def distances(batch: Batch, ours: Outputs, theirs: Outputs) -> tuple[Tensor, Tensor]:
    """Mean divergences, of the belief and of the path, of a network's outputs on a Batch of tensors from those of
    another network; 0 for the belief if there is none."""
    (belief, path), (other_belief, other_path) = ours, theirs
    path = path.float()
    path_term = path_divergence(path, other_path.float()).mean()
    if belief is None or other_belief is None:
        return 0.0 * path.sum(), path_term
    own, active = (belief.float(), other_belief.float()), batch.active[:, None]
    return divergence(*own, batch.active.shape[-1], active).mean(), path_term
