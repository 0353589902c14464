"""A network that reads filters which have seen pixels: encoding/pixel_features.py says what it reads. Compiled."""

import numpy as np

from ballcast.models.encoding.pixel_features import fill_pixel_features
from ballcast.models.estimation.pixel_measurement import observe_pixel
from ballcast.models.runtime.network import advance, standardise
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.borrowed import borrowed


@kernel
def observe_and_read(packed, filter_constants, b, time, image, camera, memory_before):
    """Update the filter of ball b of a packed Memory with a frame at time (B,) s, see observe_pixel; the network reads
    it. Returns whether the filter is lost: then the network has not read it. memory_before (H + M,) gets what the
    network remembered before, for read_again."""
    _, _, memory = borrowed(packed.value)
    state, size = memory.filter_states[b], memory.hidden.shape[1]
    memory_before[:size], memory_before[size:] = memory.hidden[b], memory.cell_state[b]
    before = state.recent_frames[0, 0]
    if observe_pixel(filter_constants, state, time[b], image, camera):
        return True
    advance_network(packed, np.full(1, b), max(time[b] - before, 0.0), time)
    return False


@kernel
def read_again(packed, b, gap, time, memory_before):
    """Let the network of ball b read its filter once more, which has changed since the frame: a fit was finished."""
    _, _, memory = borrowed(packed.value)
    size = memory.hidden.shape[1]
    memory.hidden[b], memory.cell_state[b] = memory_before[:size], memory_before[size:]
    advance_network(packed, np.full(1, b), gap, time)


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
