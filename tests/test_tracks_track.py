"""Track: what it accepts, what it refuses, and that nobody can change it afterwards."""

import dataclasses

import numpy as np
import pytest

from ballcast.tracks import Track, TrackError

TIME = np.array([5.0, 5.1, 5.3, 5.4])
POSITION = np.arange(12.0).reshape(4, 3)


def test_takes_anything_that_is_numbers_and_gives_float64():
    track = Track([0, 1], [[0, 0, 1], [0, 1, 1]])
    assert track.time.dtype == track.position.dtype == np.float64
    assert len(track) == 2 and track.notes == () and not track.columns


def test_owns_its_arrays():
    time, position, speed = TIME.copy(), POSITION.copy(), np.ones(4)
    track = Track(time, position, columns={"speed": speed})
    time[:], position[:], speed[:] = 0, 0, 0
    np.testing.assert_array_equal(track.time, TIME)
    np.testing.assert_array_equal(track.position, POSITION)
    np.testing.assert_array_equal(track.columns["speed"], 1)
    for array in (track.time, track.position, track.columns["speed"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        track.time = TIME
    with pytest.raises(TypeError):
        track.columns["speed"] = TIME


@pytest.mark.parametrize(
    "time, position, message",
    [
        ([0, 1, 1], np.zeros((3, 3)), r"row 2 \(counting from 0\): time 1.0 s does not come after 1.0 s; sort"),
        ([0, 2, 1], np.zeros((3, 3)), "row 2 .* time 1.0 s does not come after 2.0 s"),
        ([0, np.nan, 1], np.zeros((3, 3)), "row 1 .* not finite"),
        ([-np.inf, 0], np.zeros((2, 3)), "row 0 .* not finite"),
        ([0, 1], [[0, 0, 0], [0, np.nan, 0]], "row 1 .* t, x, y, z = 1, 0, nan, 0 is not finite; delete the row"),
        ([0, 1], [[np.inf, 0, 0], [0, 0, 0]], "row 0 .* not finite"),
        ([0, 1], np.zeros((2, 2)), r"got \(2,\) and \(2, 2\)"),
        ([0, 1], np.zeros((3, 3)), r"got \(2,\) and \(3, 3\)"),
        ([[0, 1]], np.zeros((2, 3)), r"got \(1, 2\)"),
        (["a", "b"], np.zeros((2, 3)), "time must be an array of numbers"),
        ([0, 1], [[0, 0, 0], [0, 0]], "position must be an array of numbers"),
        ([0, 1], None, "position"),
    ],
)
def test_refuses_with_one_line_that_names_the_row(time, position, message):
    with pytest.raises(TrackError, match=message) as error:
        Track(time, position)
    assert "\n" not in str(error.value)


def test_refuses_a_further_column_of_another_length():
    with pytest.raises(TrackError, match="column 'u' must have one value per row"):
        Track(TIME, POSITION, columns={"u": [1, 2]})


def test_until_keeps_the_frame_at_that_very_time():
    track = Track(TIME, POSITION, "stroke", {"u": ["a", "b", "c", "d"]})
    history = track.until(5.3)
    np.testing.assert_array_equal(history.time, TIME[:3])
    np.testing.assert_array_equal(history.position, POSITION[:3])
    assert history.name == "stroke" and list(history.columns["u"]) == ["a", "b", "c"]
    assert len(track.until(5.29)) == 2 and len(track.until(9)) == 4
    assert track.until(0).position.shape == (0, 3)


def test_is_cut_by_slices_and_masks_but_not_by_one_number():
    track = Track(TIME, POSITION)
    np.testing.assert_array_equal(track[-2:].time, TIME[-2:])
    np.testing.assert_array_equal(track[TIME > 5.2].position, POSITION[2:])
    with pytest.raises(TypeError, match="slice or a mask"):
        track[0]
    with pytest.raises(TrackError, match="does not come after"):
        track[::-1]
