"""The ball in space from candidates: flights, bounces, a camera that turns, and forecasts joined in the image."""

import numpy as np
import pytest
from test_pixels_fit import SIDE, SPORT, looking, stroke

from ballcast.models.estimation.flight_prior import flight_prior, near
from ballcast.tracks import Camera
from ballcast.tracks.camera import rotation_of
from ballcast.vision.candidates import Candidates
from ballcast.vision.fitted_bounces import find_bounces
from ballcast.vision.image_tracker import Seen
from ballcast.vision.space_tracker import SpaceTracker, moved
from ballcast.vision.space_view import in_image, joined

CLUTTER = 12
BOUNCE = 0.338  # s, of the stroke


def seen_in(number, time, pixels, pick, flight=0):
    """A Seen of a frame with candidates (N, 2), of which number `pick` is taken for the ball."""
    one = np.full(len(pixels), 5.0)
    found = Candidates(pixels, one, one, one, 0.0 * one)
    return Seen(number, time, pixels[pick], np.eye(2), 0.9, 5.0, 5.0, 0.0, found, flight, "", "")


def follow(tracker, track, cameras, flight=0, first=0):
    """Show a SpaceTracker a track among clutter, seen by a camera of each frame; the frames' Associations."""
    rng, found = np.random.default_rng(2), []
    for k, camera in enumerate(cameras):
        pixels = rng.uniform(0.0, 1.0, (CLUTTER, 2)) * camera.size
        pixels[3] = track.pixel[k]
        seen = seen_in(first + k, track.time[k], pixels, 3, flight)
        tracker.observe(seen, np.full(CLUTTER, 0.3), camera)
        found.append(tracker.found)
    return found


@pytest.fixture(scope="module")
def followed():
    """(SpaceTracker, its Associations, track, truth) after a stroke that bounces."""
    track, times, truth = stroke([SIDE], 0.5)
    tracker = SpaceTracker(SPORT)
    return tracker, follow(tracker, track, [SIDE] * len(track)), track, (times, truth)


def test_a_flight_is_followed_among_clutter(followed):
    tracker, found, track, (times, truth) = followed
    assert all(one is None for one in found[:3]) and sum(one.best == 3 for one in found[3:]) >= len(track) - 4
    later = track.time[-1] + 0.1
    forecast = tracker.forecast(np.array([later]))
    wanted = np.array([np.interp(later, times, truth[:, k]) for k in range(3)])
    assert np.linalg.norm(forecast.mean[0] - wanted) < 0.1
    pixel, covariance = tracker.expected(later)
    offset = pixel - SIDE.project(wanted)
    assert offset @ np.linalg.solve(covariance, offset) < 16.0


def test_its_bounce_is_listed(followed):
    tracker, _, track, _ = followed
    (bounce,) = tracker.bounces
    assert bounce.time == pytest.approx(BOUNCE, abs=0.01) and bounce.frame == pytest.approx(
        50.0 * bounce.time, abs=1e-6
    )
    assert bounce.velocity_before[2] < 0.0 < bounce.velocity_after[2] and bounce.speed_after < bounce.speed_before
    assert np.abs(bounce.pixel - SIDE.project(bounce.place)).max() < 1e-9
    assert bounce.place[2] == pytest.approx(SPORT.ball.radius, abs=1e-6)
    assert find_bounces(SPORT, track[:2], np.arange(2)) == []


def test_a_hit_begins_a_flight_near_where_the_ball_was(followed):
    """The flight after a hit starts with the place of the one before; nothing is forecast until it has begun."""
    tracker, _, track, _ = followed
    before, count = tracker.forecast(np.array([track.time[-1] + 1e-3])).mean[0], len(track)
    shifted = seen_in(count, track.time[-1] + 0.02, track.pixel[-1:], 0, flight=1)
    tracker.observe(shifted, np.ones(1) * 0.5, SIDE)
    assert tracker.forecast(np.array([track.time[-1] + 0.1])) is None and tracker.expected(1.0) is None
    assert np.linalg.norm(tracker._before[1] - before) < 0.05
    assert len(tracker.bounces) == 1
    tracker.observe(shifted._replace(pixel=None, time=track.time[-1] + 0.04), np.ones(1) * 0.5, None)
    assert tracker.camera is None and tracker.forecast(np.array([1.0])) is None


def test_a_camera_that_turns_is_replaced_by_the_first():
    """Pixels of a turned camera are moved to those of the first, so that the flight is the same."""
    track, _, truth = stroke([SIDE], 0.2)
    turned = [Camera(SIDE.K * [[s], [s], [1.0]], SIDE.distortion, rotation_of([0.0, a, 0.0]) @ SIDE.R,
                     rotation_of([0.0, a, 0.0]) @ SIDE.t, SIDE.size, SIDE.name)
              for a, s in zip(np.linspace(0.0, 0.05, len(track)), np.linspace(1.0, 1.1, len(track)))]  # fmt: skip
    there = [camera.project(point) for camera, point in zip(turned, truth)]
    here = [moved(pixel[None], camera, turned[0])[0] for pixel, camera in zip(there, turned)]
    np.testing.assert_allclose(here, SIDE.project(truth[: len(track)]), atol=1e-6)
    still, panned = SpaceTracker(SPORT), SpaceTracker(SPORT)
    exact = type(track)(track.time, SIDE.project(truth[: len(track)]), track.camera, track.cameras)
    follow(still, exact, [turned[0]] * len(track))
    follow(panned, type(track)(track.time, np.array(there), track.camera, track.cameras), turned)
    later = np.array([0.3])
    assert np.linalg.norm(still.forecast(later).mean - panned.forecast(later).mean) < 0.02


def test_a_predictor_without_pixels_is_refused():
    with pytest.raises(ValueError, match="parabola takes positions, not pixels"):
        SpaceTracker(SPORT, "parabola")


def test_forecasts_are_joined():
    """Equal ones are one that is surer; the narrower counts more; one that is not finite does not count."""
    camera = looking([4.0, 0.0, 1.0], [0.0, 0.0, 0.0])
    pixel, covariance = in_image(camera, np.zeros((1, 3)), 1e-4 * np.eye(3)[None])
    J = camera.jacobian(np.zeros(3))
    np.testing.assert_allclose(covariance[0], 1e-4 * J @ J.T)
    assert np.isnan(in_image(camera, np.zeros((1, 3)), None)[1]).all()
    mean, spread = joined(pixel, covariance, pixel + 3.0, 9.0 * covariance)
    np.testing.assert_allclose(mean - pixel, [[0.3, 0.3]])
    np.testing.assert_allclose(spread, covariance * 0.9 / 0.5)
    alone = joined(pixel, np.full((1, 2, 2), np.nan), pixel + 3.0, covariance)
    np.testing.assert_allclose(alone[0], pixel + 3.0)


def test_a_flight_goes_on_from_the_one_before_or_begins_anywhere():
    """Of the prior, all of what is likely near the place, and the share that is left of everything else."""
    prior, place = flight_prior(SPORT), np.array([0.2, 1.2, 0.4])
    both = near(prior, place, 0.01 * np.eye(3), 0.7)
    there = len(both.weights) - len(prior.weights)
    assert 0 < there < len(prior.weights) and both.weights.sum() == pytest.approx(1.0)
    assert both.weights[:there].sum() == pytest.approx(0.7)
    assert np.linalg.norm(both.means[:there, :3] - place, axis=1).max() < 0.3
    np.testing.assert_allclose(both.weights[there:], 0.3 * prior.weights)
    alone = near(prior, place, 0.01 * np.eye(3))
    np.testing.assert_allclose(alone.means, both.means[:there])


@pytest.mark.parametrize(("probability", "is_followed"), [(0.95, True), (0.8, False)])
def test_two_sure_picks_that_the_stream_does_not_explain_are_followed(probability, is_followed):
    """The flight keeps its frames before them, and goes on with them; of unsure ones two are too few."""
    tracker, track = SpaceTracker(SPORT), stroke([SIDE], 0.15)[0]
    follow(tracker, track, [SIDE] * len(track))
    count, last = len(tracker._rows), track.time[-1]
    for k in (1, 2):
        expected, _ = tracker.expected(last + 0.02 * k)
        seen = seen_in(100 + k, last + 0.02 * k, np.array([expected, expected + [90.0 + 9.0 * k, -200.0]]), 1)
        tracker.observe(seen._replace(probability=probability), np.array([0.8, 0.1]), SIDE)
    kept, tail = tracker._rows[:-2], [np.abs(row.pixel - seen.pixel).max() for row in tracker._rows[-1:]]
    assert len(kept) == count and (tail[0] == 0.0) == is_followed
    assert tracker._missed == 0 and tracker.forecast(np.array([last + 0.1])) is not None
