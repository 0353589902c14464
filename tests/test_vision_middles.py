"""The middle of a ball, from the still picture behind it."""

import numpy as np
import pytest

from ballcast.vision.candidates import Candidates
from ballcast.vision.middles import EVERY, FEWEST, Middles

RADIUS, SPEED, LAG = 4.0, 5.0, 2.5  # px; px a frame; px by which the candidate is behind
STILL = np.zeros(2)


def picture(number, rng, shift=0):
    """A frame (120, 200, 3) of a ball that moves to the right before a still wall, and where it is."""
    wall = np.random.default_rng(7).uniform(60, 140, (120, 240, 3))
    image = wall[:, 20 + shift : 220 + shift] + rng.normal(0.0, 2.0, (120, 200, 3))
    u, v = 20.0 + SPEED * number, 60.4
    y, x = np.mgrid[0:120, 0:200]
    cover = np.clip(RADIUS - np.hypot(x - u, y - v) + 0.5, 0.0, 1.0)[..., None]
    dark = 1.0 - 0.3 * np.clip((y - v) / RADIUS, -1.0, 1.0)[..., None]  # lit from above
    return np.clip(image * (1.0 - cover) + 220.0 * dark * cover, 0, 255).astype(np.uint8), np.array([u, v])


def candidate(pixel, score=0.6):
    """The Candidates of one streak."""
    return Candidates(np.array([pixel]), *(np.array([x]) for x in (score, 2 * RADIUS, 3 * RADIUS, 0.0)))


def errors(count=20, spoil=lambda image, number: image, shift=lambda number: 0):
    """How far (px) the refined candidates of some frames are from the ball."""
    rng, middles, found = np.random.default_rng(3), Middles(), []
    for number in range(count):
        image, true = picture(number, rng, shift(number))
        moved = np.array([shift(number - 1) - shift(number), 0.0]) if number else STILL
        one = middles.refined(spoil(image, number), number * EVERY, candidate(true - [LAG, 0.0]), moved)
        found.append(np.hypot(*(one.pixel[0] - true)))
    return np.array(found)


def test_a_place_behind_the_ball_is_moved_to_its_middle():
    off = errors()
    assert (off[:FEWEST] == LAG).all()  # too few frames are known
    assert off[FEWEST + 2 :].max() < 0.6


def test_it_stays_where_something_else_moves_beside_the_ball():
    def spoil(image, number):
        if number == 15:
            image[40:54, 80:120] = 250
        return image

    assert errors(spoil=spoil)[15] == pytest.approx(LAG)


def test_it_stays_where_the_camera_turns():
    assert errors(shift=lambda number: number) == pytest.approx(LAG)


def test_no_candidates_and_faint_ones_are_left_alone():
    middles, rng = Middles(), np.random.default_rng(1)
    for number in range(8):
        image, true = picture(number, rng)
        assert len(middles.refined(image, number * EVERY, Candidates(np.empty((0, 2)), *[np.empty(0)] * 4), STILL)) == 0
    faint = middles.refined(image, 8 * EVERY, candidate(true - [LAG, 0.0], 0.1), STILL)
    np.testing.assert_array_equal(faint.pixel[0], true - [LAG, 0.0])
