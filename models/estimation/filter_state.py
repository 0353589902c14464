"""What the running filter holds of one ball: the record, and the parts of it that others read. Compiled."""

from collections import namedtuple

import numpy as np

from ballcast.models.estimation.mixture import COMPONENTS, KEPT_ROWS, ROWS
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.jit import inlined
from ballcast.sim.kernels.lane_numbers import prefetch

HISTORY_FRAMES = 24  # frames kept
MAX_POINTS = 12  # normal points (smoothing.py)
CACHE_LINE = 64  # bytes: rows of lanes begin at multiples of it, so that none lies in two lines
_FIELDS = np.dtype([
    ("frames", np.int64), ("frames_since_start", np.int64), ("consecutive_outliers", np.int64),  # numbers of frames
    ("start_time", np.float64), ("last_contact_time", np.float64),  # s; it started at the frame of start_time
    ("origin", np.float64, (3,)),  # m: the components' positions are relative to it
    ("components", np.float32, (ROWS, COMPONENTS)),  # see mixture.py
    ("anchor", np.float32, (KEPT_ROWS, COMPONENTS)), ("anchor_time", np.float64),
    ("points", np.float64, (MAX_POINTS, 7)), ("point_count", np.int64), ("frames_per_point", np.int64),
    ("frames_since_anchor", np.int64), ("phase", np.int64),
    ("x", np.float64, (UNKNOWNS,)), ("P", np.float64, (UNKNOWNS, UNKNOWNS)),  # mean and covariance of the mixture
    ("jump", np.float64, (6, 6)),  # covariance of velocity and spin by the side of a contact (contact_side.py)
    ("noise", np.float64, (4,)),  # variances of the axes (m2) and of the time stamps (s2)
    ("noise_sums", np.float64, (5,)),  # sums of expected variances, and their number
    ("innovation", np.float64, (3,)), ("innovation_sd", np.float64, (3,)), ("mahalanobis2", np.float64),  # m, m, -
    ("inflation", np.float64),  # how many times less than an inlier the last frame counted
    ("effective_components", np.float64), ("top_weight", np.float64),  # 1 / sum of squared weights; the largest
    ("nis_average", np.float64),  # running average of mahalanobis2
    ("noise_factor", np.float64), ("error_average", np.float64, (4,)),  # see correlated_noise.py
    ("error_sums", np.float64, (2,)),
    ("drift", np.float64, (3,)),  # running average of the innovation over its standard deviations
    ("rolling", np.float64), ("between", np.float64, (3,)),  # probability; share of the velocity's variance
    ("recent_frames", np.float64, (HISTORY_FRAMES, 4)),  # newest first: t, x, y, z
])  # fmt: skip

_PADDING = ("padding", np.uint8, (-_FIELDS.itemsize % CACHE_LINE,))  # a field: numpy drops a gap at the end in copies
FILTER_STATE_DTYPE = np.dtype([*_FIELDS.descr, _PADDING])
_OFFSETS = {name: place[1] for name, place in (FILTER_STATE_DTYPE.fields or {}).items()}
STATE_BYTES, ANCHOR_OFFSET, AFTER_ANCHOR = FILTER_STATE_DTYPE.itemsize, _OFFSETS["anchor"], _OFFSETS["anchor_time"]
assert _OFFSETS["components"] % CACHE_LINE == ANCHOR_OFFSET % CACHE_LINE == 0

# what others read of one filter, as in FILTER_STATE_DTYPE; arrays are views
FilterSummary = namedtuple(
    "FilterSummary",
    "frames mean covariance noise innovation innovation_sd mahalanobis2 inflation start_time last_contact_time "
    "recent_frames components top_weight nis_average rolling between",
)


@inlined
def summary(state):
    """The FilterSummary of one filter state."""
    return FilterSummary(
        state.frames, state.x[:], state.P[:], state.noise[:], state.innovation[:], state.innovation_sd[:],
        state.mahalanobis2, state.inflation, state.start_time, state.last_contact_time, state.recent_frames[:],
        state.effective_components, state.top_weight, state.nis_average, state.rolling, state.between[:],
    )  # fmt: skip


def new_filter_states(count: int) -> np.ndarray:
    """Filter states (B,) of balls without a frame."""
    size = count * FILTER_STATE_DTYPE.itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    first = -memory.ctypes.data % CACHE_LINE
    states = memory[first : first + size].view(FILTER_STATE_DTYPE)
    states["noise_factor"] = 1.0
    return states


def last_times(states: np.ndarray) -> np.ndarray:
    """The times (B,) s of the last frames; 0 before the first."""
    return states["recent_frames"][:, 0, 0]


def kept_frames(state: np.record) -> tuple[np.ndarray, np.ndarray]:
    """The frames that one filter keeps, oldest first: time (T,) s and position (T, 3) m."""
    recent = state["recent_frames"][: min(state["frames"], HISTORY_FRAMES)][::-1]
    return recent[:, 0], recent[:, 1:]


@inlined
def prefetch_state(states, b):
    """Ask for what a frame takes of state b of states (B,), while another is at work; passes take the anchor too."""
    prefetch(states, b, 0, ANCHOR_OFFSET)
    prefetch(states, b, AFTER_ANCHOR, STATE_BYTES)


@inlined
def store_frame(state, t, y):
    """Count a frame and keep it among the recent ones."""
    state.frames += 1
    for n in range(HISTORY_FRAMES - 1, 0, -1):
        for k in range(4):
            state.recent_frames[n, k] = state.recent_frames[n - 1, k]
    state.recent_frames[0, 0] = t
    for k in range(3):
        state.recent_frames[0, 1 + k] = y[k]
