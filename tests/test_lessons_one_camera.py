"""Lesson 11: what one camera says of the depth, before and after a bounce."""

import numpy as np
import pytest

from lessons import one_camera
from lessons.two_views import AFTER, VIEWS, camera, part, split, strokes

SIDE = camera("side", (5.0, 0.0, 0.1), 1250.0)  # level: it looks along -x
FEW = 8


def test_a_camera_looks_at_its_target_upright():
    for name, (at, focal) in VIEWS.items():
        view = camera(name, at, focal)
        np.testing.assert_allclose(view.centre, at, atol=1e-12)
        np.testing.assert_allclose(view.project([0.0, 0.0, 0.1]), [640.0, 360.0], atol=1e-9)
        assert view.project([0.0, 0.0, 0.3])[1] < 360.0


def test_the_depths_that_are_written_out_are_exact_where_nothing_else_acts():
    time = np.arange(6) / 25.0
    ball = np.stack([0.0 * time, 5.0 * time - 1.0, 0.3 + 1.0 * time - 0.5 * 9.81 * time**2], axis=1)
    assert one_camera.depth_by_gravity(time, SIDE.project(ball), SIDE) == pytest.approx(5.0, abs=1e-6)
    assert one_camera.depth_by_size(np.array([9.0, 10.0]), SIDE) == pytest.approx(5.0)
    above = camera("side", *VIEWS["side"])
    bounce = np.array([0.3, -0.4, 0.02])
    np.testing.assert_allclose(one_camera.on_table(above.project(bounce), above), bounce, atol=1e-9)


def test_an_offset_is_split_along_and_across_the_ray():
    along, across = split(np.array([0.3, 0.0, 0.4]), np.array([0.0, 0.0, 0.1]), SIDE)
    assert (along, across) == pytest.approx((0.3, 0.4))


def test_what_is_given_ends_at_the_asked_time_and_the_truth_is_not_in_it():
    for track, truth, bounce in strokes(FEW):
        given, true = part(track, truth, "back", bounce, False)
        assert given.diameter is None and set(given.camera) == {1} and given.time[-1] <= bounce and not given.columns
        view = track.cameras[1]
        assert np.abs(view.project(true) - given.pixel[-1]).max() < 10.0  # px: of the same frame, with its noise
        assert part(track, truth, "both", bounce + AFTER, True)[0].time[-1] > bounce


def test_the_bounce_tells_the_depth():
    before, after = (np.median(one_camera.errors("side", when, False, FEW), axis=0) for when in (0.0, AFTER))
    sized = np.median(one_camera.errors("side", 0.0, True, FEW), axis=0)
    both = np.median(one_camera.errors("both", 0.0, False, FEW), axis=0)
    assert after[0] < 0.5 * before[0] and sized[0] < before[0] and both[0] < 0.3 * before[0]
    assert max(before[1], after[1], both[1]) < 0.03


def test_the_belief_collapses_at_the_bounce():
    track, truth, bounce = strokes(FEW)[one_camera.SHOWN]
    time, mean, sd = one_camera.along_ray(track, truth, "side", False)
    assert sd[time > bounce].max() < 0.5 * sd[time < bounce].min()
    assert np.all(np.abs(mean) < 3.0 * sd)
