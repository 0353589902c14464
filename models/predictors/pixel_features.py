"""A network that reads filters which have seen pixels: encoding/pixel_features.py says what it reads. Compiled."""

from ballcast.models.encoding.pixel_features import fill_pixel_features
from ballcast.models.runtime.network import advance, standardise
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.borrowed import borrowed


@kernel
def advance_network(packed, rows, gap, time):
    """Let the network of balls `rows` (n,) of a packed Memory read their filters, after a frame at time (B,) s.

    gap: s since the frame before.
    """
    frontend, network, memory = borrowed(packed.value)
    raw_features, hidden = memory.raw_features, memory.hidden
    for n in range(len(rows)):
        b = rows[n]
        fill_pixel_features(frontend, memory.filter_states[b], gap, raw_features[b])
    new_features = standardise(raw_features[rows], network.feature_mean, network.feature_scale_inverse)
    new_hidden = hidden[rows]
    advance(network, new_features, time[rows], new_hidden, memory.cell_state, rows)
    for k in range(len(rows)):
        memory.features[rows[k]], hidden[rows[k]] = new_features[k], new_hidden[k]
