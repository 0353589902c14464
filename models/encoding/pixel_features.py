"""What a network reads of a filter that has seen pixels: the features of features.py. Compiled.

The mean velocities of "motion" are of where the filter had the ball at the frames, since no frame says where it was.
"""

import math

from ballcast.models.encoding.features import _filter_features, active_cholesky
from ballcast.models.encoding.nominal import fill_nominal_start
from ballcast.models.estimation.filter_state import summary
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.borrowed import borrowed


@kernel
def fill_pixel_features(frontend, state, gap, out):
    """Fill the features (F + 1,) of a filter state, `gap` s after the frame before."""
    _filter_features(frontend.sport, frontend.scales, summary(state), gap, out[:-1])
    out[-1] = frontend.surfaces_absent
    for k in range(len(out)):  # rounding may spoil a covariance that is nearly singular, as one camera leaves it
        if not math.isfinite(out[k]):
            out[k] = 0.0


@kernel
def read_filter(packed, states, gap, features, x, variances, cholesky):
    """Fill what training takes of the first of states (B,): features (F + 1,), and x (16,), variances (3, 3) and
    cholesky (D, D) as in Starts of models/training/batches.py. packed: a FeatureFrontend."""
    frontend, state = borrowed(packed.value), states[0]
    fill_pixel_features(frontend, state, gap, features)
    fill_nominal_start(frontend.feature_set, state, x, variances)
    active_cholesky(summary(state).covariance, frontend.scales.active, cholesky)
