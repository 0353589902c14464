"""Pixels in a pipe: cameras interleaved, missed and late frames, new balls, and what is noted once."""

import tracemalloc

import numpy as np
import pytest

from ballcast.models.answers import Asked
from ballcast.tracks import Camera, LivePixels, PixelLineReader, TrackError

K = [[1200.0, 0.0, 640.0], [0.0, 1200.0, 360.0], [0.0, 0.0, 1.0]]
LEFT, RIGHT = (Camera(K, None, np.eye(3), [0, 0, 5], (1280, 720), name) for name in ("left", "right"))
BOTH = [LEFT, RIGHT]
LINES = [f"{k / 60:.6f},{('left', 'right')[k % 2]},{100 + k},{300 - k},{10 + k}\n" for k in range(12)]


def follow(lines, header="t,camera,u,v,diameter", cameras=BOTH, wait=0.0, **options):
    """(frames, notes, messages of errors) of a pipe."""
    notes, errors, frames = [], [], []
    reader = PixelLineReader(header, cameras, **options)
    live = LivePixels(reader, notes.append, wait)
    for row, line in enumerate([header] * reader.has_no_header + list(lines), 2 - reader.has_no_header):
        try:
            frames += live.frames(row, line)
        except TrackError as error:
            errors.append(str(error))
    return frames + live.rest(), notes, errors


def test_frames_of_interleaved_cameras_come_as_they_are():
    frames, notes, errors = follow(LINES)
    assert not notes and not errors and [frame.is_new for frame in frames] == [True] + [False] * 11
    assert [frame.camera for frame in frames] == [0, 1] * 6 and frames[3].pixel.tolist() == [103, 297]
    assert frames[3].time == 0.05 and frames[3].diameter == 13.0


@pytest.mark.parametrize(
    "first, cameras",
    [
        ("0.0,left,100,300", BOTH),
        ("0.0,left,100,300,12", BOTH),
        ("0.0;left;100;300", [LEFT]),
        ("0.0,100,300", [LEFT]),
    ],
)
def test_a_header_may_be_absent(first, cameras):
    (frame,), notes, errors = follow([], first, cameras)
    assert (frame.camera, frame.time, *frame.pixel) == (0, 0.0, 100.0, 300.0) and not notes and not errors


@pytest.mark.parametrize(
    "first, cameras, message",
    [
        ("0.0,100,300", BOTH, "numbers where the header should be; add the line t,camera,u,v"),
        ("0.0,top,100,300", BOTH, "row 1: no column u, v in"),
        ("t,u,v", BOTH, r"no column camera, and there are 2 cameras \(left, right\); give one of them"),
        ("t,x,y,z", [LEFT], "a track in space"),
        ("Frame,Visibility,X,Y", [LEFT], "say --rate HZ"),
        ("t,u,v", [LEFT, LEFT], "camera 'left' is there twice"),
    ],
)
def test_a_wrong_first_line_is_refused_in_one_line(first, cameras, message):
    with pytest.raises(TrackError, match=message):
        PixelLineReader(first, cameras)


def test_numbers_of_cameras_count_from_0_with_a_note():
    frames, notes, errors = follow(["0,1,5,5\n", "0,0,6,6\n", "0.1,2,6,6\n", "0.1,top,6,6\n"], "t,camera,u,v")
    assert [frame.camera for frame in frames] == [1, 0] and len(notes) == 1
    assert "0 is 'left', 1 is 'right', in the order of the file of cameras" in notes[0]
    assert "row 4: camera 2: numbers of cameras are 0 to 1; the cameras are left, right" in errors[0]
    assert "row 5: unknown camera 'top'; the cameras are left, right" in errors[1]


def test_a_camera_whose_name_is_a_number_is_meant_by_it():
    cameras = [Camera(K, None, np.eye(3), [0, 0, 5], (1280, 720), name) for name in ("2", "1")]
    frames, notes, errors = follow(["0,1,5,5\n", "0,2,6,6\n", "0.1,0,6,6\n"], "t,camera,u,v", cameras)
    assert [frame.camera for frame in frames] == [1, 0] and not notes and "unknown camera '0'" in errors[0]


def test_what_was_not_seen_is_left_out_with_one_note_each():
    unseen = ["0.01,left,,,\n", ",left,nan,nan,\n", "0.02,right,0,0,\n", "0.03,left,-1,-1,\n"]
    frames, notes, errors = follow([*unseen, *[line.replace("0.", "1.", 1) for line in LINES]])
    assert len(frames) == 12 and not errors and len(notes) == 2
    assert "row 2: no pixel: a missed frame" in notes[0] and "row 4: is (0, 0) or (-1, -1)" in notes[1]
    assert len(follow(unseen[2:], keep_all=True)[0]) == 2


@pytest.mark.parametrize(
    "line, message",
    [
        ("0.5,left,1\n", "row 14: 3 cells where there should be 5"),
        ("soon,left,1,2,3\n", "row 14: 'soon' is not a number"),
        ("0.5,left,1,two,3\n", "row 14: 'two' is not a number"),
        ("0.5,left,1,inf,3\n", "row 14: t, u, v = 0.5, 1, inf is not finite"),
        ("0.5,left,1,2,-3\n", "row 14: diameter -3 px; give a number above 0"),
        ("0.15,left,1,2,3\n", "row 14: time 0.15 s does not come after 0.166667 s, of the camera 'left'"),
        ("0.166667,left,1,2,3\n", "row 14: time 0.166667 s does not come after 0.166667 s"),
    ],
)
def test_a_bad_line_is_left_out_in_one_line(line, message):
    frames, notes, errors = follow([*LINES, line, "0.6,left,5,5,\n"])
    assert len(frames) == 13 and not notes and len(errors) == 1 and message in errors[0] and "\n" not in errors[0]


def test_a_camera_that_comes_late_can_be_waited_for():
    late = [LINES[k] for k in (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 11)]
    frames, notes, errors = follow(late)
    assert len(errors) == 5 and not notes and len(frames) == 7
    assert "camera 'right' comes 0.0167 s after a younger frame; --wait 0.017 waits for it" in errors[0]
    frames, notes, errors = follow(late, wait=0.017)
    assert not errors and not notes and [frame.pixel[0] for frame in frames] == list(range(100, 112))
    with pytest.raises(TrackError, match="wait -1: seconds"):
        follow(late, wait=-1)


@pytest.mark.parametrize("wait", [0.0, 0.03])
@pytest.mark.parametrize("first", [0, 4])
def test_a_clock_that_jumps_back_begins_a_new_ball_with_one_note(first, wait):
    frames, notes, errors = follow([*LINES, *LINES[first:], *LINES[first:]], wait=wait)
    begun = [k for k, frame in enumerate(frames) if frame.is_new]
    assert len(notes) == 1 and "the clock jumps back from" in notes[0] and "a new ball begins" in notes[0]
    if first:  # a frame after the first one may be merely late: of each camera one, before the second says more
        assert len(begun) == 3 and len(frames) >= 36 - 2 * first - 2
    else:
        assert begun == [0, 12, 24] and len(frames) == 36 and not errors


def test_pixels_of_another_resolution_get_a_note():
    lines = [f"{k / 60:.6f},left,{1500 + 10 * k},300\n" for k in range(40)]
    frames, notes, errors = follow(lines, "t,camera,u,v")
    assert len(frames) == 40 and not errors and len(notes) == 2
    assert "row 2: pixel (1500, 300) is outside the image of 'left', 1280 x 720" in notes[0]
    assert "30 of 30 pixels of 'left' are outside its image; of another resolution?" in notes[1]


def test_times_that_are_no_seconds_get_a_note():
    _, notes, errors = follow([f"{k},left,{100 + k},300\n" for k in range(40)], "t,camera,u,v")
    assert not errors and len(notes) == 1
    assert "camera 'left' has one frame every 1 s: frame numbers? try --rate" in notes[0]


def test_memory_is_bounded():
    live = LivePixels(PixelLineReader("t,camera,u,v", BOTH), print, 0.02)
    for k in range(2000):
        live.frames(k, f"{k / 60:.6f},left,{100 + k % 7},300\n")
    tracemalloc.start()
    for k in range(2000, 6000):
        live.frames(k, f"{k / 60:.6f},left,{100 + k % 7},300\n")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000


def test_each_camera_has_columns_of_its_own(capsys):
    Asked((0.1,), cameras=BOTH).print_header(False)
    columns = "probability,left_u,left_v,left_sd_u,left_sd_v,right_u,right_v,right_sd_u,right_sd_v\n"
    assert capsys.readouterr().out.endswith(columns)
