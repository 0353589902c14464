"""The later frames of a recorded ball as a target for a network's belief.

The true state of a recorded ball is not known. What is known is where the ball was later, and the simulator says how
that depends on the state now. Near the flight that was fitted to all frames (whole_flight.py) the dependence is linear:

    error(residual) = offset + slope residual        m, at the times LATER_HORIZONS after the frame

where the residual is the network's output: from the filter's estimate, in its standard deviations. The loss
(nets/losses.py, later_loss) is the likelihood of the measured positions under the belief.
"""

from typing import NamedTuple

import numpy as np

from ballcast import sim
from ballcast.models.encoding.features import FeatureFrontend
from ballcast.models.encoding.nominal import HORIZON_STEP, HORIZONS
from ballcast.models.estimation.unknowns import HEIGHT, LOG_PARAMETERS, UNKNOWNS
from ballcast.models.training.batches import Later, Starts
from ballcast.models.training.whole_flight import launch_of

LATER = np.array([2, 4, 6, 8, 10, 12, 16, 20])  # of the horizons of a path, from 1
MAX_OFFSET = 20.0  # m; beyond, a flight has gone wrong and does not count


class References(NamedTuple):
    """Flights that explain the later frames, at the loss frames."""

    x: np.ndarray  # (B, n, 16) the unknowns
    is_known: np.ndarray  # (B, n)
    variance: np.ndarray  # (B, 3) m2 of the measurements about the flight


def linearise(
    sport: sim.Sport, frontend: FeatureFrontend, references: References, starts: Starts, measured: np.ndarray,
    known: np.ndarray,
) -> Later:  # fmt: skip
    """The Later of loss frames whose filter is in `starts`; measured (B, n, HORIZONS, 3) m, known (B, n, HORIZONS)."""
    shape, active = references.is_known.shape, frontend.scales.active
    x = references.x.reshape(-1, UNKNOWNS)
    position, velocity, spin, parameters = launch_of(x)
    times = HORIZON_STEP * np.arange(1, HORIZONS + 1)[LATER - 1]
    flight, by_launch = sim.simulate_with_jacobian(sport, position, velocity, spin, times, parameters)
    assert flight is not None
    jacobian = np.concatenate([by_launch, np.zeros((*by_launch.shape[:3], 1))], axis=3)  # (B n, L, 3, 16)
    for k in LOG_PARAMETERS:
        jacobian[..., k] *= np.exp(x[:, k])[:, None, None]
    jacobian[:, :, 2, HEIGHT] = 1.0
    path = flight.position + x[:, None, HEIGHT, None] * (0.0, 0.0, 1.0)
    path, jacobian = (a.reshape(*shape, *a.shape[1:]) for a in (path, jacobian))
    with np.errstate(all="ignore"):
        offset = path + np.einsum("bnlij,bnj->bnli", jacobian, starts.x - references.x)
        offset -= measured[:, :, LATER - 1]
        slope = np.zeros_like(jacobian)
        slope[..., active] = np.einsum("bnlij,bnjk->bnlik", jacobian[..., active], np.tril(starts.cholesky))
    is_sound = np.isfinite(offset).all(-1) & np.isfinite(slope).all((-1, -2)) & (np.abs(offset).max(-1) < MAX_OFFSET)
    is_known = known[:, :, LATER - 1] * is_sound * references.is_known[..., None]
    offset, slope = (np.where(is_sound.reshape(*is_sound.shape, *(1,) * (a.ndim - 3)), a, 0.0) for a in (offset, slope))
    variance = np.broadcast_to(references.variance[:, None, None], offset.shape)
    return Later(*(np.ascontiguousarray(a, np.float32) for a in (offset, slope, variance, is_known)))
