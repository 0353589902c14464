"""Candidates of a frame: which one the filter on pixels takes, how sure it is, and what it keeps of the others."""

import math

import numpy as np
import pytest
from test_pixels_fit import SIDE, SPORT, stroke

from ballcast import models
from ballcast.models.contract import HistoryTooShort
from ballcast.models.estimation import association, candidates
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.flight_prior import FlightPrior, near
from ballcast.models.estimation.mixture import COMPONENTS, DEAD, LOG_WEIGHT, ROW
from ballcast.models.estimation.pixel_filter import PixelFilter
from ballcast.models.estimation.pixels import camera_row
from ballcast.models.estimation.prior import FILTER_DEGREES

STARTED, TIME = 8, 0.16  # frames at 50 Hz, and s of the next


@pytest.fixture(scope="module")
def started():
    """(PixelFilter, state, PixelTrack) after STARTED frames of a stroke."""
    track, running, state = stroke([SIDE], 0.6)[0], PixelFilter(SPORT), new_filter_states(1)[0]
    for k in range(STARTED):
        running.observe(state, track.time[k], track.pixel[k], SIDE, None)
    running.finish(state)
    return running, state, track


@pytest.fixture
def stream(request):
    """A stream that has seen the first frames of a stroke, and the track."""
    track, stream = stroke([SIDE], 0.46)[0], models.load(request.param, sport=SPORT).stream()
    for k in range(STARTED):
        stream.observe_pixel(track.time[k], track.pixel[k], SIDE)
    return stream, track


def expected(running, state, pixels, prior, area):
    """The probabilities of candidates (N + 1,), the last of none, by numpy."""
    s, total = state["components"], np.zeros(len(pixels) + 1)
    for i in np.flatnonzero(s[LOG_WEIGHT] > DEAD):
        point, P = s[:3, i] + state["origin"], np.array([[s[ROW[k, j], i] for j in range(3)] for k in range(3)])
        J, variance = SIDE.jacobian(point), pixel_variance(running)
        S = J @ P @ J.T + state["noise_factor"] * variance * np.eye(2)
        offset, weight = pixels - SIDE.project(point), math.exp(s[LOG_WEIGHT, i])
        square = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(S), offset)
        tail = -0.5 * FILTER_DEGREES - 1.0
        share, wider = association.SURPRISE, association.WIDER2
        t = (1.0 - share) * (1.0 + square / FILTER_DEGREES) ** tail
        t += share / wider * (1.0 + square / (wider * FILTER_DEGREES)) ** tail
        total[:-1] += weight * prior * area * t / (2.0 * math.pi * math.sqrt(np.linalg.det(S)))
        total[-1] += weight * (1.0 - prior.sum())
    return total / total.sum()


def pixel_variance(running):
    """The variance of a pixel's coordinate that the filter uses, px2."""
    seen, pseudo = running.seen, running.seen.pseudo_frames
    return (pseudo * seen.usual[0, 0] + seen.sums[0, 0]) / (pseudo + seen.counts[0, 0] + 1e-9)


def test_weights_are_those_of_the_mixture(started):
    """Each component weighs each candidate by Student's t about the pixel that it expects."""
    running, state, track = started
    pixels = track.pixel[STARTED] + [[0.5, 0.0], [4.0, -3.0], [9.0, 12.0], [300.0, 0.0]]
    frame = candidates.check_candidates(TIME, pixels, [0.2, 0.1, 0.3, 0.4])
    associator = candidates.Associator()
    camera_model = running.seen.rows[0].copy()
    running.seen.rows[0] = camera_row(SIDE)  # the camera as given, so that numpy can project
    found = associator.weigh(running, state, TIME, 0, frame)
    copies = np.array([state], state.dtype)
    predicted = copies[0]
    association.predict_frame(running.packed, predicted, TIME)
    reference = expected(running, predicted, pixels, frame.prior, 1280.0 * 720.0)
    running.seen.rows[0] = camera_model
    np.testing.assert_allclose(associator._probability, reference, rtol=2e-3, atol=1e-6)
    assert found.best == 0 and found.probability == associator._probability[0]
    assert frame.prior.sum() == pytest.approx(candidates.DETECTION)


@pytest.mark.parametrize("stream", ["physics", "gru"], indirect=True)
def test_a_ball_among_clutter_is_followed_as_one_alone(stream):
    """With thirty false candidates a frame, and misses, through a bounce: nearly the forecast from true pixels."""
    stream, track = stream
    alone = models.load(stream.predictor.name, sport=SPORT).stream()
    for k in range(STARTED):
        alone.observe_pixel(track.time[k], track.pixel[k], SIDE)
    rng, picked = np.random.default_rng(0), 0
    for k in range(STARTED, len(track) - 1):
        pixels = rng.uniform(0.0, 1.0, (30, 2)) * SIDE.size
        if k % 5:
            pixels[7] = track.pixel[k]
            alone.observe_pixel(track.time[k], track.pixel[k], SIDE)
        found = stream.observe_candidates(track.time[k], pixels, np.full(30, 0.2), SIDE)
        assert np.isfinite(found.covariance).all()
        picked += (found.best == 7) == bool(k % 5)
    assert picked >= len(track) - 1 - STARTED - 1
    later = [track.time[-1] + 0.1]
    one, other = stream.forecast(later), alone.forecast(later)
    assert np.linalg.norm(one.mean - other.mean) < 0.05
    assert one.belief is None or one.belief.covariance[0, 0] > 0.0


@pytest.mark.parametrize("stream", ["physics", "gru_physics"], indirect=True)
def test_a_frame_without_candidates_changes_nothing(stream):
    stream, track = stream
    before = stream.forecast([TIME + 0.1])
    found = stream.observe_candidates(TIME, [], [], SIDE)
    assert found.best == -1 and found.probability == 1.0
    offset = found.pixel - track.pixel[STARTED]
    assert offset @ np.linalg.solve(found.covariance, offset) < 16.0
    np.testing.assert_array_equal(stream.forecast([TIME + 0.1]).mean, before.mean)
    stream.observe_candidates(TIME - 0.01, [], [], SIDE)  # no frame has been taken since


@pytest.mark.parametrize("stream", ["physics"], indirect=True)
def test_two_candidates_that_are_as_likely_widen_the_belief(stream):
    """The covariance holds both: it is wider than with one of them, along the line between them."""
    stream, track = stream
    middle = stream.observe_candidates(TIME, [], [], SIDE).pixel
    pair = middle + np.array([[0.0, 7.0], [0.0, -7.0]])
    found = stream.observe_candidates(TIME, pair, [0.4, 0.4], SIDE)
    assert 0.4 < found.probability < 0.6
    belief = stream.forecast([TIME + 0.05]).belief
    J = SIDE.jacobian(belief.position)
    assert np.linalg.norm(SIDE.project(belief.position) - middle) < 2.5
    assert (J @ belief.covariance[:3, :3] @ J.T)[1, 1] > 2.0**2


def test_joining_keeps_the_moments(started):
    """Two filters joined have the mean and the covariance of both together."""
    running, state, _ = started
    two = np.array([state, state], state.dtype)
    alive = two[1]["components"][LOG_WEIGHT] > DEAD
    two[1]["components"][1] += np.where(alive, 0.2, 0.0).astype(np.float32)
    two[1]["components"][4] -= np.where(alive, 1.0, 0.0).astype(np.float32)
    x, P = state["x"].copy(), state["P"] - running.common
    association.join(running.packed, two[0], two[1], 0.25)
    shift = np.zeros(16)
    shift[1], shift[4] = 0.2, -1.0
    np.testing.assert_allclose(two[0]["x"], x + 0.25 * shift, atol=2e-3)
    wanted = P + 0.25 * 0.75 * np.outer(shift, shift) + running.common
    np.testing.assert_allclose(two[0]["P"][:6, :6], wanted[:6, :6], atol=0.02 * np.abs(wanted[:6, :6]).max())
    assert (two[0]["components"][LOG_WEIGHT] > DEAD).sum() <= COMPONENTS


def test_a_prior_near_a_place_is_the_product():
    prior = FlightPrior(np.array([0.5, 0.5]), np.zeros((2, 9)), np.array([np.eye(9), np.eye(9)]))
    prior.means[1, 0] = 4.0
    prior.covariances[:, 3, 0] = prior.covariances[:, 0, 3] = 0.5
    found = near(prior, np.array([1.0, 0.0, 0.0]), np.eye(3))
    np.testing.assert_allclose(found.means[0, [0, 3]], [0.5, 0.25])
    np.testing.assert_allclose(found.covariances[0, [0, 3], [0, 3]], [0.5, 1.0 - 0.125])
    assert found.weights[1] / found.weights[0] == pytest.approx(math.exp(-0.25 * (9.0 - 1.0)))


WRONG = {
    "pixels of candidates": ((TIME, [[1.0, 2.0, 3.0]], [0.5], SIDE), ValueError),
    "scores must be 1": ((TIME, [[1.0, 2.0]], [0.5, 0.5], SIDE), ValueError),
    "above 0 and up to 1": ((TIME, [[1.0, 2.0]], [0.0], SIDE), ValueError),
    "diameters must be": ((TIME, [[1.0, 2.0]], [0.5], SIDE, [-1.0]), ValueError),
    "finite time": ((math.nan, [], [], SIDE), ValueError),
    "comes before": ((0.0, [], [], SIDE), ValueError),
    "must be a Camera": ((TIME, [], [], "side"), ValueError),
    "must be numbers": ((TIME, [["a", "b"]], [0.5], SIDE), ValueError),
}


@pytest.mark.parametrize("stream", ["physics"], indirect=True)
def test_wrong_input_raises_one_line(stream):
    for words, (arguments, error) in WRONG.items():
        with pytest.raises(error, match=words) as raised:
            stream[0].observe_candidates(*arguments)
        assert "\n" not in str(raised.value)
    for name in ("physics", "gru"):
        with pytest.raises(HistoryTooShort, match="give these with observe_pixel"):
            models.load(name, sport=SPORT).stream().observe_candidates(0.0, [[1.0, 2.0]], [0.5], SIDE)
