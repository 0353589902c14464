"""A pipe's lines as frames: what is left out, several balls, clocks that jump, and what is noted once."""

import numpy as np
import pytest

from ballcast.tracks import LiveTracks, TrackError, TrackLineReader

TIME = np.arange(30) / 60.0
FLIGHT = np.column_stack([0.5 * TIME, 6.0 * TIME - 3.0, 1.0 + 4.0 * TIME - 4.905 * TIME**2])
LINES = [f"{t:.6f},{x:.6f},{y:.6f},{z:.6f}\n" for t, (x, y, z) in zip(TIME, FLIGHT)]


def follow(lines, header="t,x,y,z", ground=None, **options):
    """(frames, notes, messages of errors) of a pipe."""
    notes, errors, frames = [], [], []
    live = LiveTracks(TrackLineReader(header, **options), notes.append, ground)
    for row, line in enumerate(lines, 2):
        try:
            frames += live.frames(row, line)
        except TrackError as error:
            errors.append(str(error))
    return frames, notes, errors


def test_frames_come_as_they_are():
    frames, notes, errors = follow(LINES)
    assert not notes and not errors and [frame.is_new for frame in frames] == [True] + [False] * 29
    np.testing.assert_allclose([frame.position for frame in frames], FLIGHT, atol=1e-6)


def test_missed_held_and_zero_frames_are_left_out_with_one_note_each():
    lines = list(LINES)
    for k in (5, 6):
        lines[k] = f"{TIME[k]:.6f},,,\n"
    for k in (10, 11, 12):
        lines[k] = f"{TIME[k]:.6f}," + lines[9].partition(",")[2]
    for k in (20, 21):
        lines[k] = f"{TIME[k]:.6f},0,0,0\n"
    frames, notes, errors = follow(lines)
    assert len(frames) == 23 and not errors
    assert [note.partition(":")[0] for note in notes] == [f"standard input, row {row}" for row in (7, 12, 22)]
    assert "missed frame" in notes[0] and "held" in notes[1] and "(0, 0, 0)" in notes[2]
    assert len(follow(lines, keep_all=True)[0]) == 28


def test_one_late_frame_is_left_out_and_no_new_ball():
    late = [*LINES[:10], LINES[7], *LINES[10:]]
    frames, notes, errors = follow(late)
    assert len(frames) == 30 and not notes and sum(frame.is_new for frame in frames) == 1
    assert len(errors) == 1 and "row 12: time 0.116667 s does not come after 0.15 s" in errors[0]


@pytest.mark.parametrize("first", [0, 3])
def test_a_clock_that_jumps_back_begins_a_new_ball_with_one_note(first):
    frames, notes, errors = follow([*LINES, *LINES[first:], *LINES[first:]])
    begun = [k for k, frame in enumerate(frames) if frame.is_new]
    assert begun == [0, 30, 60 - first] and len(frames) == 90 - 2 * first
    assert len(notes) == 1 and "the clock jumps back from 0.483333 s" in notes[0] and "a new ball begins" in notes[0]
    assert len(errors) == (1 if first else 0)  # at first, a frame after the first one may be merely late


def test_a_clock_set_back_by_seconds_begins_a_new_ball_at_once():
    early = [f"{t - 5:.6f}," + line.partition(",")[2] for t, line in zip(TIME, LINES)]
    frames, _, errors = follow([*LINES, *early])
    assert not errors and [k for k, frame in enumerate(frames) if frame.is_new] == [0, 30]


def test_ids_tell_balls_apart():
    lines = [f"{b}," + line for line in LINES for b in ("red", "blue")]
    frames, notes, errors = follow(lines, header="id,t,x,y,z")
    assert not notes and not errors and [frame.ball for frame in frames[:2]] == ["red", "blue"]
    assert [frame.is_new for frame in frames] == [True, True] + [False] * 58
    numbered = [f"{k}," + line for k, line in enumerate(LINES)]
    frames, notes, _ = follow(numbered, header="id,t,x,y,z")
    assert all(frame.is_new for frame in frames) and len(notes) == 1 and "--columns id= ignores" in notes[0]
    frames, notes, _ = follow(numbered, header="id,t,x,y,z", columns="id=")
    assert sum(frame.is_new for frame in frames) == 1 and not notes


def test_what_looks_wrong_is_noted_once():
    slow = [f"{1000 * t:.3f}," + line.partition(",")[2] for t, line in zip(TIME, LINES)]
    (note,) = follow(slow)[1]
    assert "--time-scale 0.001" in note and not follow(slow, time_scale=0.001)[1]
    long = np.arange(70) / 60.0
    sunk = [f"{t},{t},{2 * t},{-3.0 + 0.1 * t}" for t in long]
    (note,) = follow(sunk, ground=0.0)[1]
    assert "under the ground" in note
    sideways = [f"{t},{t + 1},{-2 * t - 4.905 * t * t},{2 * t}" for t in long]
    (note,) = follow(sideways)[1]
    assert "--axes=x,-z,y" in note and not follow(sideways, axes="x,-z,y")[1]


def test_frame_numbers_and_no_times():
    lines = [line.partition(",")[2] for line in LINES]
    frames, _, _ = follow(lines, header="x,y,z", rate=60.0)
    np.testing.assert_allclose([frame.time for frame in frames], TIME)
