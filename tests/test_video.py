"""vision.video and vision.feed: times, repeats, rotation, wrong files and cameras, a thread that never waits."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import clips
import numpy as np
import pytest

from ballcast.vision import feed as feeds
from ballcast.vision import video as videos
from ballcast.vision.repeats import Cadence, RepeatFinder, find_cadence
from ballcast.vision.video import Frame, VideoError, open_video, read_frame

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("BALLCAST_DATA", ROOT.parent / "shared" / "data")) / "video"


@pytest.fixture
def clip(tmp_path):
    return clips.write_clip(tmp_path / "clip.mp4", [clips.picture(k) for k in range(12)])


def frames_of(source, **options):
    with open_video(source, **options) as video:
        return list(video), video


def test_frames_have_the_times_of_the_file(clip):
    frames, video = frames_of(clip)
    assert [frame.number for frame in frames] == list(range(12))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(12) / 25.0, atol=1e-6)
    assert video.size == clips.SIZE and frames[0].image.shape == (96, 160, 3) and video.count == 12
    assert abs(frames[4].image.astype(int) - clips.picture(4)).mean() < 8
    assert not video.notes and not video.repeated


def test_times_follow_a_variable_rate(clip):
    durations = [
        1,
        2,
        1,
        0.5,
        0.5,
        1,
        1.5,
        0.5,
        1,
        0.5,
        1.5,
        1,
    ]  # as long together as before, as the file says elsewhere
    frames, _ = frames_of(clips.with_durations(clip, durations))
    np.testing.assert_allclose([f.time for f in frames], np.cumsum([0, *durations[:-1]]) / 25.0, atol=2e-3)


def test_a_phone_held_upright_gives_upright_pictures(clip):
    frames, video = frames_of(clips.turned(clip))
    assert video.size == (96, 160) and frames[0].image.shape == (160, 96, 3)
    ball = np.argmax(frames[5].image[..., 0].max(axis=1))  # x of the file is y of the picture
    assert abs(ball - 55) < 8


# --- repeats ----------------------------------------------------------------------------------------------------------


def pulldown(fresh, count):
    """Pictures of which those that are not fresh repeat the one before."""
    shown = np.cumsum([fresh[k % len(fresh)] for k in range(count)])
    return [clips.picture(int(k)) for k in shown]


@pytest.mark.parametrize(
    "fresh, rate", [((1, 1, 1, 0, 1, 1), 30.0), ((1, 1, 1, 1, 0), 30.0), ((1, 0), 50.0), ((1, 0, 0, 1, 0), 60.0)]
)
def test_regular_repeats_are_dropped_and_the_rest_is_evenly_spaced(tmp_path, fresh, rate):
    path = clips.write_clip(tmp_path / "film.mp4", pulldown(fresh, 48), rate)
    frames, video = frames_of(path)
    kept = [k for k in range(48) if fresh[k % len(fresh)]]
    assert [frame.number for frame in frames] == kept and video.repeated == 48 - len(kept)
    true = np.diff([frame.time for frame in frames])
    np.testing.assert_allclose(true, len(fresh) / sum(fresh) / rate, atol=1e-6)
    assert abs(np.mean([f.time - f.number / rate for f in frames])) < 0.3 / rate
    assert len(video.notes) == 1 and "repeat the one before" in video.notes[0]
    assert len(frames_of(path, keep_repeats=True)[0]) == 48


def test_single_repeats_are_dropped_and_times_stay(tmp_path):
    shown = [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, 13]
    frames, video = frames_of(clips.write_clip(tmp_path / "clip.mp4", [clips.picture(k) for k in shown]))
    assert video.repeated == 2 and not {5, 13} & {frame.number for frame in frames}
    np.testing.assert_allclose([f.time for f in frames], [f.number / 25.0 for f in frames], atol=1e-6)
    assert "2 of 16 frames repeat" in video.notes[0]


def test_a_picture_in_which_nothing_moves_has_no_repeats_but_for_equal_ones():
    finder, rest = RepeatFinder(), clips.picture(3)
    moving = [finder.change(clips.picture(k)) for k in range(8)]
    assert all(change.loud for change in moving)
    noise = [clips.picture(3, seed=1 + k) for k in range(20)]
    finder.change(noise[0])
    assert not any(finder.change(image).same for image in noise[1:])
    assert not any(finder.change(image).quiet for image in noise[10:])
    finder.change(rest)
    assert finder.change(rest).same


def test_a_cadence_is_found_only_where_there_is_one():
    stamps = np.arange(30) * 40.0
    assert find_cadence([k % 6 == 3 for k in range(30)], stamps).fresh == (True, True, True, False, True, True)
    assert find_cadence([k % 6 == 3 for k in range(30)], stamps**1.1) is None
    assert find_cadence([False] * 30, stamps) is None
    assert find_cadence([k in (4, 9, 17) for k in range(30)], stamps) is None
    assert find_cadence([], []) is None


def test_a_cadence_follows_a_cut():
    cadence = Cadence((True, True, True, False, True, True))
    cadence.saw_repeat(9)
    assert cadence.expects(15)
    for number in (25, 31):  # two of them, a period apart
        cadence.saw_repeat(number)
    assert cadence.expects(37) and not cadence.expects(39)
    times = [k + cadence.delay(k) for k in range(32, 60) if not cadence.expects(k)]
    np.testing.assert_allclose(np.diff(times), 1.2)


@pytest.mark.skipif(not DATA.is_dir(), reason="the recorded clips are not here: set BALLCAST_DATA")
@pytest.mark.parametrize("name, first, count", [("tennis3", 3, 93), ("tennis5", 2, 123), ("ball", None, 60)])
def test_every_sixth_frame_of_the_recorded_broadcasts_is_dropped(name, first, count):
    frames, video = frames_of(DATA / f"{name}.mp4")
    dropped = sorted(set(range(count)) - {frame.number for frame in frames})
    assert dropped == ([] if first is None else list(range(first, count, 6)))
    if first is not None:
        np.testing.assert_allclose(np.diff([frame.time for frame in frames]), 0.04, atol=1e-4)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_wrong_sources_are_named_in_one_line(tmp_path, clip):
    corrupt = tmp_path / "corrupt.mp4"
    corrupt.write_bytes(b"no video" * 99)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (tmp_path / "folder").mkdir()
    for source, words in (
        (tmp_path / "none.mp4", "there is no such file"),
        (tmp_path / "folder", "there is no such file"),
        (corrupt, "no video that OpenCV can read"),
        (cut, "no video that OpenCV can read"),
        (999, "camera 999: no picture comes from it"),
        ("998", "camera 998: no picture"),
        (-1, "numbered from 0"),
    ):
        with pytest.raises(VideoError, match=words) as caught:
            open_video(source)
        assert "\n" not in str(caught.value)
    with pytest.raises(VideoError, match="no frame 12; it has 12"):
        read_frame(clip, 12)
    assert read_frame(clip, 11).number == 11


def test_opencv_prints_nothing_of_its_own(tmp_path):
    (tmp_path / "corrupt.mp4").write_bytes(b"no video" * 99)
    code = (
        "from ballcast.vision.video import open_video\nfor source in ('corrupt.mp4', 0):\n    try: open_video(source)\n"
    )
    code += "    except ValueError as error: print(error)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == "" and run.stdout.startswith("corrupt.mp4: no video")


class Capture:
    """What stands in for cv2.VideoCapture: frames, then None; it may wait before each."""

    def __init__(self, images, stamps=None, wait=0.0, count=0.0):
        self.images, self.stamps, self.wait, self.count, self.at = images, stamps, wait, count, -1

    def get(self, what):
        import cv2

        if what == cv2.CAP_PROP_POS_MSEC:
            return self.stamps[self.at]
        return {cv2.CAP_PROP_FPS: 25.0, cv2.CAP_PROP_FRAME_COUNT: self.count}.get(what, 0.0)

    def grab(self):
        self.at += 1
        time.sleep(self.wait)
        return self.at < len(self.images)

    def retrieve(self):
        return True, self.images[self.at]

    def release(self):
        pass


def test_a_file_that_ends_early_and_one_whose_time_stands_still_say_so():
    pictures = [clips.picture(k) for k in range(6)]
    video = videos.Video(Capture(pictures, [0, 40, 40, 30, 160, 200], count=40), "x.mp4", False, None, False)
    times = [frame.time for frame in video]
    assert (np.diff(times) > 0).all() and times[-1] == pytest.approx(0.2)
    assert video.notes == [
        "x.mp4: time stamps do not rise; frames are taken to be 1/25 s apart there",
        "x.mp4: ends after 6 of 40 frames; the file is cut off or damaged",
    ]


# --- the thread -------------------------------------------------------------------------------------------------------


def camera(count, wait):
    """A function that opens a camera which sends `count` frames, one every `wait` s, and then no more."""
    pictures = [clips.picture(k) for k in range(count)]
    return lambda source: videos.Video(Capture(pictures, wait=wait), "camera 0", True, None, True)


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_feed_gives_the_frames_that_are_due_and_loses_none_that_are_not(clip):
    feed = feeds.Feed(clip, ahead=4)
    until(lambda: len(feed._frames) == 4)
    assert [f.number for f in feed.take(until=0.05)] == [0, 1]
    until(lambda: len(feed._frames) == 4)
    taken = []
    while not feed.ended:
        taken += [frame.number for frame in feed.take(limit=9)]
    assert taken == list(range(2, 12)) and feed.dropped == 0 and feed.note == ""
    assert feed.take() == []
    feed.close()


def test_who_asks_too_late_gets_the_newest_frames_and_learns_how_many_are_lost(clip):
    feed = feeds.Feed(clip, ahead=5)
    until(lambda: len(feed._frames) == 5)
    assert [f.number for f in feed.take(until=9.0, limit=2)] == [3, 4]
    assert feed.dropped == 3 and feed.note == "3 frames dropped: the forecast is slower than the video"
    feed.close()


def test_a_camera_never_waits_for_who_asks():
    feed = feeds.Feed(0, ahead=2, open_=camera(30, 0.002))
    until(lambda: feed._ended)
    assert [f.number for f in feed.take()] == [28, 29] and feed.dropped == 28
    with pytest.raises(VideoError, match="camera 0: it sends no more frames; is it still connected"):
        feed.take()


def test_a_camera_that_hangs_is_missed_without_waiting():
    feed = feeds.Feed(0, silence=0.1, open_=camera(5, 0.0))
    feed.take()
    hanging = feeds.Feed(0, silence=0.1, open_=camera(3, 0.4))
    until(lambda: hanging.video is not None)
    start, messages = time.monotonic(), []
    while not messages and time.monotonic() < start + 3.0:
        asked = time.monotonic()
        try:
            hanging.take()
        except VideoError as error:
            messages.append(str(error))
        assert time.monotonic() - asked < 0.05
    assert messages == ["camera 0: no frame came for 0.1 s; is it still connected?"]
    hanging.close()


def test_what_is_wrong_with_a_source_is_raised_where_frames_are_taken(tmp_path):
    feed = feeds.Feed(tmp_path / "none.mp4")
    until(lambda: feed._ended)
    for _ in range(2):
        with pytest.raises(VideoError, match="no such file"):
            feed.take()
    feed.close()


def test_memory_is_bounded_over_ten_thousand_frames():
    image = np.zeros((8, 8, 3), np.uint8)

    class Endless(Capture):
        def grab(self):
            self.at += 1
            return self.at < 10_000

        def retrieve(self):
            return True, image + np.uint8(self.at % 251)

    feed = feeds.Feed(0, open_=lambda source: videos.Video(Endless([]), "camera 0", True, None, True))
    most = 0
    while not feed._ended:
        most = max(most, len(feed._frames))
    assert most <= feeds.AHEAD and feed.dropped == 10_000 - feeds.AHEAD
    feed.close()
    assert "video" not in {thread.name for thread in threading.enumerate() if thread is feed._thread}


def test_a_frame_is_a_plain_tuple():
    number, stamp, image = Frame(3, 0.12, np.zeros((2, 2, 3), np.uint8))
    assert (number, stamp, image.shape) == (3, 0.12, (2, 2, 3))
