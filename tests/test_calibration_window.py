"""The window of `ballcast calibrate`: points put, moved and taken back by the mouse and keys, the fit, files, sides."""

import io
import sys
import types

import clips
import numpy as np
import pygame
import pytest
from test_calibration import BEHIND, CORNERS, SIDE, SIZE, TABLE, TENNIS, landmarks, looking
from test_court_finder import BEHIND as COURT
from test_court_finder import apart, picture

from ballcast import command, sim
from ballcast.tracks import read_cameras
from ballcast.viewer.calibration import keys, scene
from ballcast.viewer.calibration.view import PictureView
from ballcast.viewer.calibration.window import CalibrationApp
from ballcast.viewer.panels.canvas import Canvas
from ballcast.vision import calibrate as program
from ballcast.vision.calibrate import Options
from ballcast.vision.frames import Frames
from ballcast.vision.landmarks import CalibrationError, read_points
from ballcast.vision.placed_points import PlacedPoints
from ballcast.vision.sides import OPPOSITE, PlaceSide, nearest_side
from ballcast.vision.video import read_frame

FOUR = ["corner_near_doubles_left", "corner_near_doubles_right", "corner_far_doubles_right", "corner_far_doubles_left"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Three grey frames."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return clips.write_clip(path, [np.full((SIZE[1], SIZE[0], 3), 60 * k + 60, np.uint8) for k in range(3)])


@pytest.fixture
def window(clip, tmp_path):
    """window(sport): the app on the clip, with no points."""
    made = []

    def make(sport=TENNIS, **settings):
        options = Options(
            str(clip), sport=sport.name, out=tmp_path / "court.yaml", window=True, headless=True, **settings
        )
        made.append(CalibrationApp(options, sport, (1280, 720), True, None, search=False))
        made[-1].frame()
        return made[-1]

    yield make
    for app in made:
        app.close()


def press(app, key, typed="", mod=0):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, unicode=typed, mod=mod))
    app.frame()


def click(app, place, to=None):
    """Press the mouse at a pixel of the screen, move it to another, release."""
    rel = np.subtract(place if to is None else to, place)
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=1))
    if to is not None:
        pygame.event.post(pygame.event.Event(pygame.MOUSEMOTION, pos=to, rel=tuple(rel), buttons=(1, 0, 0)))
    pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONUP, pos=to or place, button=1))
    app.frame()


def on_screen(app, pixel):
    return tuple(int(p) for p in np.floor(app.view.on_screen(np.array(pixel))))


def put(app, sport, view, names, side="end"):
    """Put points where a View has them, to the pixel of the screen."""
    for name in names:
        app.choose_point(name)
        click(app, on_screen(app, view.project(np.array([landmarks(sport, side)[name]]))[0]))


# --- points -----------------------------------------------------------------------------------------------------------


def test_points_are_put_moved_taken_back_and_read_again(tmp_path):
    placed = PlacedPoints(TENNIS, SIZE)
    assert placed.next_name() == FOUR[0] and placed.is_saved
    placed.place(FOUR[0], (10.12345, 5000.0))
    placed.move(0.25, -0.25)
    assert placed.points == {FOUR[0]: (10.373, 719.25)} and placed.next_name() == FOUR[1]
    placed.frame = 7
    placed.copy_from(0)
    placed.remove(FOUR[0])
    assert placed.undo() and placed.frames == [0, 7] and not placed.is_saved
    placed.place(FOUR[1], (20.0, 30.0))
    placed.write(tmp_path / "points.csv")
    named = read_points(tmp_path / "points.csv")
    assert placed.is_saved and named.frame == 7 and named.names == tuple(FOUR[:2])
    np.testing.assert_array_equal(named.pixels, placed.named().pixels)
    np.testing.assert_array_equal(named.places, [landmarks(TENNIS)[name] for name in FOUR[:2]])
    while placed.undo():
        pass
    assert not placed.frames and placed.redo() and placed.frames == [0]
    with pytest.raises(CalibrationError, match="seen from end has no point 'tee'"):
        placed.place("tee", (0.0, 0.0))


def test_points_of_another_side_come_back_when_the_plan_is_turned():
    placed = PlacedPoints(TABLE, SIZE)
    placed.place("net_post_top_near", (5.0, 6.0))
    placed.place("corner_near_left", (7.0, 8.0))
    placed.turn()
    assert placed.side.seen_from == "end" and list(placed.points) == ["corner_near_left"]
    placed.turn("side")
    assert len(placed.points) == 2


@pytest.mark.parametrize("name", [name for name in sim.names() if sim.load(name).view.landmarks])
def test_right_and_away_are_what_the_names_say(name):
    for side in PlaceSide.all_of(sim.load(name)):
        for words, axis in zip(OPPOSITE, (side.right, side.away)):
            between = side._between(*words)
            assert not between.any() or between @ axis > 0.9 * np.linalg.norm(between)
        assert sorted(side.order) == sorted(side.places)


def test_a_camera_at_the_other_end_is_turned_to_the_named_one():
    beyond = looking((-1.0, 24.0, 7.0), (0.0, 0.0, -1.0), 1250.0).camera(SIZE)
    side, camera = nearest_side(beyond, TENNIS)
    points = np.array(list(landmarks(TENNIS).values()))
    assert side == "end" and camera.centre[1] == pytest.approx(-24.0)
    np.testing.assert_allclose(camera.project(points), beyond.project(points * [-1, -1, 1]), atol=1e-6)
    assert nearest_side(SIDE.camera(SIZE), TABLE)[0] == "side"
    soccer = sim.load("soccer")
    assert nearest_side(beyond, soccer)[1] is beyond  # half a pitch looks different from its other end


# --- the picture ------------------------------------------------------------------------------------------------------


def test_pixels_stay_under_the_mouse_when_the_picture_is_zoomed():
    view = PictureView((1920, 1080))
    view.arrange((0, 0, 980, 628))
    pixel = view.in_video((300, 200))
    view.zoom_at((300, 200), 6.0)
    np.testing.assert_allclose(view.on_screen(pixel), [300.5, 200.5])
    view.pan(50, -20)
    np.testing.assert_allclose(view.on_screen(pixel), [350.5, 180.5])
    view.pan(1e6, 1e6)
    np.testing.assert_allclose(view.on_screen([-0.5, -0.5]), [0, 0])
    view.zoom_at((0, 0), 1e-3)
    assert view.zoom == 1.0 and view.holds((490, 314)) and not view.holds((490, 10))


def test_any_frame_is_reached_a_little_at_a_time(clip):
    frames = Frames(clip)
    for number in (2, 0, 1, 99):
        frames.ask(number)
        while (frame := frames.read_some(0.0)) is None:
            pass
        assert frame.number == min(number, 2)
        np.testing.assert_array_equal(frame.image, read_frame(clip, frame.number).image)
    frames.close()


# --- the window -------------------------------------------------------------------------------------------------------


def test_points_are_clicked_and_the_saved_points_give_the_same_camera(window, tmp_path):
    app = window()
    put(app, TENNIS, BEHIND, FOUR[:3])
    assert app.fitting.view is None and app.wanted == FOUR[3]
    put(app, TENNIS, BEHIND, [FOUR[3], "net_post_top_left"])
    assert app.fitting.fit.result.rms < 1.5 and app.wanted == "net_center_top"
    assert np.linalg.norm(app.expected(app.wanted) - BEHIND.project(np.array([landmarks(TENNIS)[app.wanted]]))) < 5.0
    press(app, pygame.K_s, "s")
    assert app.message.startswith("saved ") and app.placed.is_saved
    (saved,) = read_cameras(tmp_path / "court.yaml")
    points = tmp_path / "court.points.csv"
    program.run(Options(app.settings.video, "tennis", points=points, out=tmp_path / "again.yaml"))
    (again,) = read_cameras(tmp_path / "again.yaml")
    np.testing.assert_array_equal(again.R, saved.R)
    np.testing.assert_array_equal(again.K, saved.K)
    press(app, pygame.K_ESCAPE)
    assert not app.running


def test_arrows_drag_delete_and_undo(window):
    app = window()
    put(app, TENNIS, BEHIND, FOUR[:1])
    u, v = app.placed.points[FOUR[0]]
    press(app, pygame.K_RIGHT)
    press(app, pygame.K_UP, mod=pygame.KMOD_SHIFT)
    assert app.placed.points[FOUR[0]] == pytest.approx((u + 0.25, v - 2.0))
    at = on_screen(app, app.placed.points[FOUR[0]])
    click(app, at, (at[0] + 49, at[1] - 98))
    assert app.placed.points[FOUR[0]] == pytest.approx((u + 0.25 + 64.0, v - 2.0 - 128.0))
    press(app, pygame.K_u, "u")
    assert app.placed.points[FOUR[0]] == pytest.approx((u + 0.25, v - 2.0))  # the whole drag was one step
    app.choose_point(FOUR[0])
    press(app, pygame.K_DELETE)
    assert not app.placed.points and app.wanted == FOUR[0]
    press(app, pygame.K_TAB, "\t")
    assert app.wanted == FOUR[1]
    press(app, pygame.K_z, "z", pygame.KMOD_CTRL)
    assert list(app.placed.points) == [FOUR[0]]


def test_a_wrong_point_is_marked_as_the_worst(window):
    app = window()
    names = [*FOUR, "net_post_top_left", "net_post_top_right", "service_near_center"]
    points = np.array([landmarks(TENNIS)[name] for name in names])
    app.placed.place_all(dict(zip(names, map(tuple, BEHIND.project(points)))))
    app.frame()
    assert not app.shows_worst
    app.placed.place("service_near_center", tuple(np.add(app.placed.points["service_near_center"], (40, 0))))
    app.frame()
    assert app.shows_worst and app.fitting.fit.worst == "service_near_center"
    assert app.hint()[0].startswith("service near center is left out: 4")
    assert app.fitting.wrong == {"service_near_center"} and "service_near_center" not in app.fitting.fit.result.notes


def test_two_cameras_that_fit_are_shown_and_one_is_chosen(window):
    app = window(TABLE)
    corners = np.array([landmarks(TABLE, "side")[name] for name in CORNERS])
    app.placed.place_all(dict(zip(CORNERS, map(tuple, SIDE.project(corners)))))
    app.frame()
    assert {fit.seen_from for fit in app.fitting.rivals} == {"side", "end"} and "Two cameras fit" in app.hint()[0]
    other = app.fitting.rivals[1].seen_from
    click(app, scene.thumbs(Canvas(app.screen), app)[1].center)
    assert app.placed.side.seen_from == other and not app.fitting.rivals
    app.frame()
    assert not app.fitting.rivals and app.fitting.fit.seen_from == other and len(app.placed.points) == 4
    with pytest.raises(CalibrationError, match="seen-from"):
        program.run(Options(app.settings.video, "table_tennis", points=unnamed_places(app)))


def unnamed_places(app):
    """The points of a window as a file without their places."""
    path = app.settings.out.with_name("bare.csv")
    path.write_text("\n".join(["name,u,v", *(f"{n},{u},{v}" for n, (u, v) in app.placed.points.items())]))
    return path


def test_the_plan_turns_by_itself_where_only_the_other_side_fits(window):
    app, end = window(TABLE), looking((0.3, -4.5, 2.0), focal=1150.0)
    put(app, TABLE, end, CORNERS, "end")
    assert app.placed.side.seen_from == "end" and "the plan is turned" in app.message
    press(app, pygame.K_t, "t")
    assert app.placed.side.seen_from == "side" and app.fitting.has_chosen


def test_escape_asks_and_nothing_is_written_without_saving(window, tmp_path):
    app = window()
    put(app, TENNIS, BEHIND, FOUR[:1])
    press(app, pygame.K_ESCAPE)
    assert app.running and app.is_asking
    press(app, pygame.K_ESCAPE)
    assert app.running and not app.is_asking
    press(app, pygame.K_s, "s")
    assert app.message.startswith("not saved: 1 points are too few")
    press(app, pygame.K_q, "q")
    press(app, pygame.K_n, "n")
    assert not app.running and not list(tmp_path.glob("court*"))


def test_points_belong_to_their_frame(window):
    app = window()
    put(app, TENNIS, BEHIND, FOUR)
    before = app.fitting.view
    press(app, pygame.K_PERIOD, ".")
    assert app.number == 1 and not app.placed.points and app.fitting.view is before and app.fitting.frame == 0
    press(app, pygame.K_k, "k")
    assert len(app.placed.points) == 4 and app.placed.frames == [0, 1] and app.fitting.frame == 1
    left, right, y = scene.slider(Canvas(app.screen))
    click(app, (int(right), int(y)))
    assert app.number == 2


def test_every_key_does_something_and_none_is_bound_twice(window):
    bound = [key for binding in keys.BINDINGS for key in binding.keys]
    assert len(bound) == len(set(bound))
    app = window()
    for binding in keys.BINDINGS:
        if binding.act is not None:
            binding.act(app)
            app.frame()
    assert not app.running


def test_the_lines_begin_and_correct(tmp_path):
    clips.write_clip(tmp_path / "clip.mp4", [picture(TENNIS, COURT)])
    options = Options(str(tmp_path / "clip.mp4"), sport="tennis", out=tmp_path / "a.yaml", window=True, headless=True)
    app = CalibrationApp(options, TENNIS, (640, 360), True)
    app.frame()
    assert len(app.placed.points) == 17 and "The painted lines gave" in app.message and not app.placed.is_saved
    assert apart(TENNIS, app.fitting.fit.result.camera, COURT) < 1.5
    points = dict(app.placed.points)
    for name in FOUR:
        app.placed.place(name, tuple(np.add(points[name], 3.0)))
    for name in set(points) - set(FOUR):
        app.placed.remove(name)
    app.frame()
    assert apart(TENNIS, app.fitting.fit.result.camera, COURT) > 2.0
    press(app, pygame.K_l, "l")
    assert apart(TENNIS, app.fitting.fit.result.camera, COURT) < 1.5
    app.close()


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_paints_the_window_without_a_screen(clip, tmp_path, capsys):
    rows = [f"{name},{u:.2f},{v:.2f}" for name, (u, v) in zip(CORNERS, SIDE.project(np.array(
        [landmarks(TABLE, "side")[name] for name in CORNERS])))]  # fmt: skip
    (tmp_path / "points.csv").write_text("\n".join(["name,u,v", *rows]))
    settings = {"sport": "table_tennis", "points": tmp_path / "points.csv", "window": True, "headless": True}
    program.run(Options(str(clip), screenshot=tmp_path / "window.png", size="640x360", **settings))
    assert capsys.readouterr().out == f"{tmp_path / 'window.png'}: the window\n"
    assert pygame.image.load(tmp_path / "window.png").get_size() == (640, 360)
    with pytest.raises(CalibrationError, match="is not known from 'above'; its sides are side, end"):
        program.run(Options(str(clip), seen_from="above", **settings))


@pytest.mark.parametrize("answer, has_screen, opened", [("\n", True, True), ("n\n", True, False), ("\n", False, False)])
def test_where_lines_are_not_found_the_window_is_offered(
    clip, tmp_path, monkeypatch, capsys, answer, has_screen, opened
):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    calls = []
    stub = types.SimpleNamespace(open_window=lambda *arguments: calls.append(arguments) or "saved")
    monkeypatch.setattr(command, "load_window", lambda name: stub)
    monkeypatch.setattr(program, "has_display", lambda: has_screen)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", Terminal())
    options = Options(str(clip), sport="tennis", out=tmp_path / "court.yaml")
    if opened:
        program.run(options)
        assert len(calls) == 1 and capsys.readouterr().out == "saved\n"
    else:
        with pytest.raises(CalibrationError, match="are not found in the picture"):
            program.run(options)
        assert not calls
    asked = sys.stderr.getvalue()
    assert asked.count("Open the window now? [Y/n]") == has_screen and "\n" not in asked


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"window": True}, "--window needs --out camera.yaml"),
        ({"headless": True}, "are for --window: add it"),
        ({"window": True, "moving": "m.csv"}, "leave out --window"),
        ({}, "are not found in the picture"),  # nobody is there to answer: no question
    ],
)
def test_options_that_cannot_work_end_in_one_line(clip, tmp_path, settings, words):
    if "moving" in settings:
        settings = settings | {"moving": tmp_path / "m.csv"}
    with pytest.raises(CalibrationError, match=words):
        program.run(Options(str(clip), sport="tennis", **settings))
