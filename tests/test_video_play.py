"""play.py --video: what is drawn, what is said, how the clip is wound, and that memory is bounded."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import pygame
import pytest
from clips import cv2, picture, turned, with_durations, write_clip

from ballcast import sim
from ballcast.tracks import Camera
from ballcast.viewer import play
from ballcast.viewer.clip import following, keys, panel
from ballcast.viewer.clip import play as clip_play
from ballcast.viewer.clip.clip import Clip, fitting, open_clip
from ballcast.viewer.clip.headless import Reel, show
from ballcast.viewer.clip.marks import Marks, Placement
from ballcast.viewer.clip.options import ClipOptions
from ballcast.viewer.clip.picture import ClipPicture
from ballcast.viewer.clip.player import Player
from ballcast.viewer.clip.results import MAX_RESULTS, Landing, Path, Result, Results
from ballcast.viewer.clip.shown import shown_of
from ballcast.viewer.clip.timeline import ClipTimeline
from ballcast.viewer.panels.canvas import Canvas
from ballcast.vision.candidates import NONE
from ballcast.vision.feed import Feed
from ballcast.vision.finders import open_finder
from ballcast.vision.follow import Follower, Seen, VideoForecast
from ballcast.vision.stills import Stills
from ballcast.vision.video import Frame, open_video

SIZE, RATE, BALL = (160, 96), 25.0, (250, 250, 250)
WINDOW = 480, 288


class LineFollower:
    """In place of a Follower: the ball is what is bright, and goes on as between the last two frames."""

    def __init__(self, finder, size, **options):
        self.last = self.before = None

    def observe(self, frame):
        rows, columns = np.nonzero(frame.image[:, :, 0] > 200)
        pixel = np.array([columns.mean(), rows.mean()]) if len(rows) else None
        self.before, self.last = self.last, None if pixel is None else (frame.time, pixel)
        return Seen(frame.number, frame.time, pixel, None, 0.9, 12.0, 12.0, 0.0, NONE, 0, "", "")

    def forecast(self, times):
        if self.last is None or self.before is None:
            return None
        (time, pixel), (earlier, other) = self.last, self.before
        ahead = pixel + np.outer((times - time) / (time - earlier), pixel - other)
        return VideoForecast(times, ahead, np.tile(4.0 * np.eye(2), (len(times), 1, 1)))


@pytest.fixture(autouse=True)
def quick_follower(monkeypatch):
    monkeypatch.setattr(following, "Follower", LineFollower)
    monkeypatch.setattr(following, "open_finder", lambda: None)


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory):
    """A ball that flies to the right, 9 px a frame, and is in mid-flight at the end."""
    return write_clip(tmp_path_factory.mktemp("clips") / "ball.mp4", [picture(k) for k in range(14)], RATE)


def result(number, rate=RATE, pixel=(80.0, 48.0), **changes):
    times = number / rate + np.arange(1, 9) * 0.02
    ahead = np.array(pixel) + np.outer(np.arange(1, 9), (4.0, 1.0))
    path = Path(times, ahead, np.tile(4.0 * np.eye(2), (8, 1, 1)))
    seen = Result(number, number / rate, np.array(pixel), 0.9, 8.0, 0, "", "", np.empty((0, 2)), path, None)
    return seen._replace(**changes)


def surface(size=WINDOW):
    pygame.font.init()
    return pygame.Surface(size, 0, 32)


def wait_for(player, condition, seconds=20.0):
    """Let a Player go on until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        player.advance(1 / 60)
        player.wait(0.005)


# the frames


def test_a_video_goes_on_from_any_frame(clip_file):
    with open_video(clip_file, keep_repeats=True) as video:
        frames = list(video)
        for number in (9, 3, 0, 13):
            video.seek(number)
            frame = video.read()
            assert frame.number == number and frame.time == frames[number].time
            assert (frame.image == frames[number].image).all()
        video.seek(500)
        assert video.read() is None


def test_a_feed_begins_anywhere_and_says_when_a_frame_is_there(clip_file):
    feed = Feed(clip_file, start=5)
    assert feed.wait(10.0) and feed.next_time == pytest.approx(5 / RATE)
    assert [frame.number for frame in feed.take(feed.next_time)] == [5]
    feed.close()


@pytest.mark.parametrize("durations", [None, [1 + 2 * (k % 4 == 0) for k in range(14)]])
def test_frames_seen_before_are_read_again(tmp_path, durations):
    path = write_clip(tmp_path / "ball.mp4", [picture(k) for k in range(14)], RATE)
    path = path if durations is None else with_durations(path, durations)
    with open_video(path, keep_repeats=True) as video:
        frames = list(video)
    stills, end = Stills(path, memory=8 * 3 * SIZE[0] * SIZE[1]), time.monotonic() + 20.0
    for number in (0, 1, 7, 6, 5, 3, len(frames) - 1):
        while (image := stills.get(number, frames[number].time)) is None and time.monotonic() < end:
            time.sleep(0.001)
        assert image is not None and (image == frames[number].image).all(), number
        assert len(stills._images) <= 8
    stills.close()


# what is kept


def test_results_are_bounded_and_found_by_their_times():
    results = Results(limit=100)
    for number in range(130):
        results.add(result(number))
    assert len(results) == 100 <= MAX_RESULTS and results.at(10.0) is None
    assert results.at(129.6 / RATE).number == 129 and results.next(129 / RATE, -1).number == 128
    results.add(result(129, event="bounce"))
    assert len(results) == 100 and results.events() == [(129 / RATE, "bounce")]
    assert results.covered() == [(30 / RATE, 129 / RATE)]
    results.add(result(200))
    assert len(results.covered()) == 2 and results.next(200 / RATE, -1) is None
    assert [r.number for r in results.before(result(129), 0.1)] == [127, 128, 129]


# following, without a window


def test_every_frame_gives_a_result_and_a_ball_in_flight_a_forecast(clip_file):
    shown = show(open_clip(str(clip_file)), WINDOW)
    assert len(shown.results) == 14 and shown.frame.number == 13
    last = shown.frame
    assert abs(last.pixel - (127.0, 48.0)).max() < 3.0
    ahead = [np.interp(last.time + 0.08, last.path.times, axis) for axis in last.path.pixel.T]
    np.testing.assert_allclose(ahead, last.pixel + (18.0, 0.0), atol=2.0)  # 9 px a frame
    assert last.path.landing is None and last.path.mean is None and last.camera is None


def test_a_follower_of_the_package_is_taken_as_it_is(clip_file, monkeypatch):
    monkeypatch.setattr(following, "Follower", Follower)
    monkeypatch.setattr(following, "open_finder", open_finder)
    shown = show(open_clip(str(clip_file)), WINDOW, frames=6)
    assert len(shown.results) == 6 and shown.frame.candidates.shape[1] == 2


def test_a_picture_without_a_window_is_the_same_every_time(clip_file, tmp_path):
    for name in ("a.png", "b.png"):
        show(open_clip(str(clip_file)), (321, 201), frames=9, screenshot=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert pygame.image.load(tmp_path / "a.png").get_size() == (321, 201)


def test_a_film_has_each_frame_for_as_long_as_it_lasts():
    film = SimpleNamespace(frames=0, rate=25.0)
    film.add = lambda screen: setattr(film, "frames", film.frames + 1)
    reel, counts = Reel(film, None), []
    for seconds in (0.0, 0.04, 0.08, 0.20, 0.201, 0.24):
        reel.hold(seconds)
        counts.append(film.frames)
    assert counts == [0, 1, 2, 5, 6, 7]


def test_a_film_of_a_clip_lasts_as_long_as_the_clip(clip_file, tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    show(open_clip(str(clip_file)), (160, 96), record=tmp_path / "out.mp4")
    with open_video(tmp_path / "out.mp4", keep_repeats=True) as video:
        assert len(list(video)) == 14 and video.rate == RATE


@pytest.mark.parametrize("kind", ["no ball", "still", "one frame"])
def test_a_clip_without_a_ball_in_flight_has_an_empty_forecast(tmp_path, kind):
    empty = [np.full((96, 160, 3), 60 + 10 * (k % 2), np.uint8) for k in range(6)]
    pictures = {"no ball": empty, "still": [picture(5)] * 6, "one frame": [picture(5)]}[kind]
    shown = show(open_clip(str(write_clip(tmp_path / "clip.mp4", pictures))), WINDOW)
    assert shown.frame.path is None or kind == "still"
    assert panel.ball_line(shown, shown.frame) == "no ball found yet" or kind != "no ball"


def test_a_camera_of_larger_pictures_is_scaled_and_one_of_another_shape_refused():
    camera = Camera(
        [[1200.0, 0, 959.5], [0, 1200, 539.5], [0, 0, 1]], [0.1, 0, 0, 0], np.eye(3), (0, 0, 5), (1920, 1080)
    )
    small, point = fitting(camera, (1280, 720), "c.yaml"), np.array([[0.3, -0.4, 1.0]])
    placed = (camera.project(point) + 0.5) / 1.5 - 0.5
    np.testing.assert_allclose(small.project(point), placed, atol=1e-9)
    with pytest.raises(ValueError, match="c.yaml: it is of pictures of 1920x1080 px, the video has 720x1280"):
        fitting(camera, (720, 1280), "c.yaml")


# the court


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("is_there", [False, True])
def test_the_court_is_looked_for_in_a_few_frames(monkeypatch, in_thread, is_there):
    from ballcast.vision import court_search
    from ballcast.vision.landmarks import CalibrationError

    tried = []

    def find(image, sport, name):
        tried.append(image)
        if is_there and len(tried) == 3:
            return SimpleNamespace(camera="the camera")
        raise CalibrationError("no lines")

    monkeypatch.setattr(court_search, "find_court", find)
    search, end, number = court_search.CourtSearch(sim.load("tennis"), in_thread), time.monotonic() + 10.0, 0
    while not search.is_over and time.monotonic() < end:
        search.offer(Frame(number, number / 25.0, np.zeros((2, 2, 3), np.uint8)))
        number += 1
        time.sleep(0.0005)
    search.close()
    assert len(tried) == (3 if is_there else court_search.TRIES)
    assert search.camera == ("the camera" if is_there else None)
    assert ("not found" in search.message) != is_there


# the picture


def test_the_frame_is_scaled_into_the_window_with_bars_beside_it():
    shown, target = shown_of(Clip("x", "x", (96, 160), RATE, 4, False)), surface((480, 320))
    shown.image, shown.frame = np.full((160, 96, 3), (10, 120, 200), np.uint8), None
    ClipPicture(shown.clip).paint(target, shown, ClipOptions(panel=False))
    assert target.get_at((240, 100))[:3] == (200, 120, 10)  # blue, green, red become red, green, blue
    assert target.get_at((140, 100))[:3] == target.get_at((340, 100))[:3] == (0, 0, 0)


def test_the_forecast_is_drawn_where_it_is():
    place = Placement(3.0, 0, 0, (480, 288))
    target = surface()
    marks = Marks(target, place)
    marks.forecast(result(3, pixel=(40.0, 30.0)))
    marks.paint()
    drawn = pygame.surfarray.array3d(target).max(axis=2)
    for step in (2, 5, 8):
        x, y = place.of(np.array([40.0 + 4.0 * step, 30.0 + step])).round().astype(int)
        assert drawn[x - 1 : x + 2, y - 1 : y + 2].max() > 100
    assert drawn[: 3 * 30].max() == 0 and drawn[3 * 90 :].max() == 0


def test_a_landing_is_marked_with_its_region_and_its_time():
    base = result(3)
    landing = Landing(base.time + 0.31, np.array([110.0, 60.0]), 9.0 * np.eye(2), None)
    shown = shown_of(Clip("x", "x", SIZE, RATE, 10, False))
    shown.image, shown.frame = np.zeros((96, 160, 3), np.uint8), base._replace(path=base.path._replace(landing=landing))
    shown.results.add(shown.frame)
    target, options = surface(), ClipOptions(panel=False)
    label = ClipPicture(shown.clip)._frame(target, shown, options)
    assert label[1] == "0.31 s"
    np.testing.assert_allclose(label[0], Placement(3.0, 0, 0, WINDOW).of(landing.pixel))
    rim = Placement(3.0, 0, 0, WINDOW).of(landing.pixel + (2.146 * 3.0, 0)).round().astype(int)  # 90 %
    assert pygame.surfarray.array3d(target).max(axis=2)[rim[0] - 2 : rim[0] + 3, rim[1]].max() > 80
    shown.frame = base._replace(path=base.path._replace(landing=landing._replace(time=base.time - 0.2)))
    assert ClipPicture(shown.clip)._frame(surface(), shown, options) is None  # it is past


@pytest.mark.parametrize(
    "changes, says",
    [
        ({}, "ball found, 90 %"),
        ({"pixel": None}, "ball hidden, still followed"),
        ({"pixel": None, "path": None}, "no ball found yet"),
        ({"note": "two balls: the faster one is followed"}, "two balls: the faster one is followed"),
    ],
)
def test_the_panel_says_what_is_known(changes, says):
    shown = shown_of(Clip("clips/game.mp4", "clips/game.mp4", SIZE, RATE, 10, False))
    shown.frame = result(3)._replace(**changes)
    shown.results.add(shown.frame)
    lines = [text for text, _, _ in panel.rows(shown)]
    assert says in lines and lines[0] == "game.mp4" and "0.12 s" in lines[1]
    assert any(line.startswith("no calibration: forecast in the image alone") for line in lines)


def test_a_camera_shows_the_court_and_the_ball_in_space():
    sport = sim.load("table_tennis")
    R = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = Camera([[150.0, 0, 79.5], [0, 150, 47.5], [0, 0, 1]], [], R, -R @ (0.0, -4.0, 0.6), SIZE)
    times = 0.12 + np.arange(1, 9) * 0.02
    mean = np.column_stack([np.zeros(8), np.linspace(0, 1, 8), np.full(8, 0.3)])
    path = Path(
        times, camera.project(mean), np.tile(np.eye(2), (8, 1, 1)), None, mean, None, np.array([0.0, -0.1, 0.3])
    )
    shown = shown_of(Clip("x", "x", SIZE, RATE, 10, False, sport, camera))
    shown.image, shown.frame = np.zeros((96, 160, 3), np.uint8), result(3, path=path, camera=camera)
    shown.results.add(shown.frame)
    painter, targets = ClipPicture(shown.clip), []
    for options in (ClipOptions(), ClipOptions(court=False), ClipOptions(swapped=True), ClipOptions(inset=False)):
        targets.append(surface())
        painter.paint(targets[-1], shown, options)
    pixels = [pygame.surfarray.array2d(target) for target in targets]
    assert all((pixels[0] != other).any() for other in pixels[1:])
    small = painter.small_box(WINDOW)
    assert len(np.unique(pixels[0][small.left : small.right, small.top : small.bottom])) > 100


def test_the_help_lists_every_key_and_fits():
    shown = shown_of(Clip("x", "x", SIZE, RATE, 10, False))
    for size in ((320, 180), (1280, 720)):
        target = surface(size)
        ClipPicture(shown.clip).paint(target, shown, ClipOptions(help=True))
    used = [key for binding in keys.BINDINGS for key in binding.keys]
    assert len(used) == len(set(used)) and all(b.help or not b.label for b in keys.BINDINGS)


# the player


@pytest.fixture
def player(clip_file):
    player = Player(open_clip(str(clip_file)))
    yield player
    player.close()


def test_a_clip_plays_to_its_end_and_its_last_frame_stays_with_its_forecast(player):
    wait_for(player, lambda: player.is_over)
    assert player.frame.number == 13 and player.frame.path is not None and player.image.shape == (96, 160, 3)
    assert player.now == pytest.approx(13 / RATE) and len(player.results) + player.dropped >= 14
    player.pause()
    assert not player.is_over and not player.paused  # from the beginning again
    wait_for(player, lambda: player.frame.number < 5)
    wait_for(player, lambda: player.is_over)


def test_frames_are_stepped_through_in_both_directions(player):
    player.change_speed(-3)  # so that no frame is left out
    wait_for(player, lambda: player.frame is not None and player.frame.number >= 3)
    number = player.frame.number
    for step in (1, 1, -1, -1, -1):
        player.step(step)
        number += step
        wait_for(player, lambda: player.frame.number == number)  # noqa: B023
        with open_video(player.clip.source, keep_repeats=True) as video:
            video.seek(number)
            assert (video.read().image == player.image).all()


def test_a_moment_gone_back_to_looks_as_it_did(player):
    wait_for(player, lambda: player.is_over)
    kept = player.results.at(6 / RATE)
    player.paused = True
    player.go_to(6 / RATE)
    wait_for(player, lambda: player.frame is kept)


def test_a_jump_to_where_nothing_is_known_begins_there(clip_file):
    player = Player(open_clip(str(clip_file)))
    wait_for(player, lambda: player.frame is not None)
    player.pause()
    player.go_to(10 / RATE, is_final=False)  # dragged: the image alone
    wait_for(player, lambda: player.preview or player.results.at(10 / RATE) is not None)
    player.go_to(10 / RATE)
    wait_for(player, lambda: player.frame is not None and player.frame.number == 10)
    player.close()


def test_slow_motion_leaves_no_frame_out(player):
    player.change_speed(-3)
    wait_for(player, lambda: player.is_over)
    assert player.dropped == 0 and len(player.results) == 14


class Live:
    """A camera that sends pictures as fast as they are taken, and then vanishes."""

    name, is_camera, size, rate, count, notes = "camera 0", True, SIZE, 30.0, None, ()

    def __init__(self, count):
        self.left, self.number = count, -1

    def read(self):
        from ballcast.vision.video import VideoError

        self.number += 1
        if self.number >= self.left:
            raise VideoError("camera 0: it sends no more frames; is it still connected?")
        time.sleep(0.002)
        return Frame(self.number, self.number / 30.0, picture(self.number))

    def close(self):
        pass


def test_a_camera_is_shown_live_and_what_it_says_when_it_vanishes():
    player = Player(Clip(0, "camera 0", SIZE, 30.0, None, True, opened=Live(60)))
    wait_for(player, lambda: player.frame is not None)
    player.step(-1)
    player.go_to(0.0)
    with pytest.raises(ValueError, match="camera 0: it sends no more frames"):
        wait_for(player, lambda: False)
    assert player.frame.number > 0 and player.image is not None
    player.close()


def test_the_timeline_says_which_moment_a_pixel_is(clip_file):
    shown = shown_of(open_clip(str(clip_file)))
    timeline = ClipTimeline(Canvas(surface()), shown)
    assert timeline.contains((240, 280)) and not timeline.contains((240, 100))
    assert timeline.time_at((0, 280)) == 0.0 and timeline.time_at((480, 280)) == pytest.approx(14 / RATE)


# the command line


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"track": ("rally",)}, "--video shows a video; leave out --track"),
        ({"game": True}, "leave out --game"),
        ({"seen_by": "camera"}, "leave out --seen-by"),
        ({"camera": "c.yaml"}, "--camera needs the sport"),
        ({"predictor": ("gru", "physics")}, "name one predictor, not 2"),
        ({"show": ("truth",)}, "--show truth: of a video there are candidates, help"),
        ({"video": None, "camera": "c.yaml"}, "add --video FILE"),
        ({"video": "99", "headless": True}, "camera 99: no picture comes from it"),
    ],
)
def test_options_that_do_not_go_together_are_refused(changes, message):
    options = dataclasses.replace(play.Options(video="clip.mp4"), **changes)
    with pytest.raises(ValueError, match=message):
        play.run(options)


def test_a_predictor_that_takes_pixels_is_chosen():
    assert clip_play.predictor_name(play.Options(), None) == "physics"
    assert play.takes_pixels(clip_play.predictor_name(play.Options(), sim.load("tennis")))
    assert clip_play.predictor_name(play.Options(predictor=("physics",)), sim.load("tennis")) == "physics"


def test_a_phone_s_picture_is_upright(tmp_path):
    path = turned(write_clip(tmp_path / "phone.mp4", [picture(k) for k in range(4)]))
    clip = open_clip(str(path))
    assert clip.size == (96, 160) and cv2 is not None
    shown = show(clip, WINDOW)
    assert shown.image.shape == (160, 96, 3)
