"""vision.candidates: a moving ball is found with its streak, also while the camera pans; what stands still is not."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

from ballcast.vision.candidates import NONE, CandidateFinder, components, pan  # noqa: E402
from ballcast.vision.exposure import Light, paint_ball, round_streak  # noqa: E402
from ballcast.vision.textures import noise  # noqa: E402

SIZE = 320, 180
STEP = np.array([22.0, 5.0])  # px per frame


def scenery(seed=0):
    wide = noise(np.random.default_rng(seed), (400, 240), 3.0, 0.8)
    return np.clip(110 + 30 * wide, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def frames(count=5, blur=0.5, shift=0, seed=0):
    """Images of a ball of 4 px radius before a background that moves `shift` px per frame; where the ball is."""
    images, places, background = [], [], scenery(seed)
    for k in range(count):
        image = background[20 : 20 + SIZE[1], 20 + shift * k : 20 + shift * k + SIZE[0]].copy()
        middle = np.array([60.3, 80.7]) + k * STEP
        streak = round_streak(middle - 0.5 * blur * STEP, middle + 0.5 * blur * STEP, 4.0)
        paint_ball(image, streak, (240.0, 250.0, 250.0), Light(ambient=0.9))
        images.append(image)
        places.append(middle)
    return images, places


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("shift", [0, 6])
def test_the_best_candidate_is_the_ball(delay, shift):
    images, places = frames(shift=shift)
    finder = CandidateFinder(delay)
    found = [finder.find(image) for image in images]
    assert len(found[0]) == len(found[1]) == 0
    for k in range(2, 5):
        np.testing.assert_allclose(found[k].pixel[0], places[k - delay], atol=1.0)
        assert (np.diff(found[k].score) <= 0).all()


def test_size_and_direction_of_a_streak():
    images, _ = frames(blur=0.8)
    finder = CandidateFinder()
    found = [finder.find(image) for image in images][-1]
    assert found.diameter[0] == pytest.approx(8.0, abs=2.5)
    assert found.length[0] == pytest.approx(0.8 * np.hypot(*STEP) + 8.0, abs=4.0)
    assert found.angle[0] == pytest.approx(np.arctan2(STEP[1], STEP[0]), abs=0.1)


def test_a_still_picture_has_no_candidates_and_another_size_starts_again():
    finder, image = CandidateFinder(), scenery()
    assert all(len(finder.find(image)) == 0 for _ in range(4))
    assert finder.find(image[:100]) is NONE


def test_a_resting_ball_needs_the_background():
    background, image = scenery(), scenery()
    streak = round_streak(np.array([100.0, 90.0]), np.array([100.0, 90.0]), 5.0)
    paint_ball(image, streak, (250.0, 250.0, 250.0), Light(ambient=0.9))
    for with_background in (False, True):
        finder = CandidateFinder(background=with_background)
        for _ in range(20):
            finder.find(background)
        found = [finder.find(image) for _ in range(4)][-1]
        assert (len(found) > 0) == with_background
    np.testing.assert_allclose(found.pixel[0], [100.0, 90.0], atol=1.0)


def test_a_pan_is_measured_in_whole_pixels():
    coarse = scenery().astype(np.float32)[..., 0]
    assert pan(coarse[20:200, 20:340], coarse[20:200, 26:346], 320) == (-6, 0)
    assert pan(coarse[20:200, 20:340], coarse[20:200, 20:340], 320) == (0, 0)


def test_a_ball_at_a_line_stands_alone_at_a_higher_threshold():
    motion = np.zeros((300, 200), np.uint8)
    motion[50:52] = 20
    cv2.circle(motion, (80, 51), 5, 200, -1)
    found = components(motion)
    np.testing.assert_allclose(found.pixel[0], [80.0, 51.0], atol=1.0)


def test_a_wrong_delay_is_refused():
    with pytest.raises(ValueError, match="delay = 2"):
        CandidateFinder(2)
