"""Where the camera stands: fitted to the place, still while it can be, the ball and its forecast in the picture."""

import numpy as np
import pytest
from viewer_fakes import FixedPool, Recorder

from ballcast import models, sim
from ballcast.render.camera import OrbitCamera
from ballcast.tracks import Track
from ballcast.viewer import framing
from ballcast.viewer.framing import Free, Lens, Rectangle
from ballcast.viewer.options import DEFAULT, DisplayOptions
from ballcast.viewer.picture import Picture, free_part
from ballcast.viewer.place import launches_of, place_of, stored_launches
from ballcast.viewer.playback.session import FRAME_TIME, Session
from ballcast.viewer.playback.source import LiveSource, RecordedSource
from benchmarks import viewer_framing

SIZE = (640, 360)
SPORT = sim.load("table_tennis")


def make_session(sport=SPORT, predictor="parabola", seed=0):
    return Session(LiveSource(sport, seed, rallies=True), FixedPool(models.load(predictor, sport)))


@pytest.mark.parametrize("azimuth, elevation", [(0, 8), (90, 8), (200, 40), (0, 88)])
def test_the_nearest_camera_shows_every_point_and_none_nearer_does(azimuth, elevation):
    part, points = Rectangle(200, 20, 600, 300), np.random.default_rng(azimuth).normal(size=(50, 3))
    camera = OrbitCamera((0.0, 0.0, 0.0), azimuth, elevation, 5.0, 40.0, SIZE, 80.0)
    lens = Lens(camera, part, 10.0)
    limits = lens.limits(points)
    position = lens.nearest(limits)
    pixels, _ = camera.moved_to(position).project(points)
    assert (pixels >= np.add(part[:2], 10 - 1e-6)).all() and (pixels <= np.subtract(part[2:], 10 - 1e-6)).all()
    assert lens.shows(position, limits)
    for x, y in ((0, 0), (0.1, 0), (-0.1, 0), (0, 0.1), (0, -0.1)):
        assert not lens.shows(position + (x, y, 0.3), limits)


@pytest.mark.parametrize("name", sim.names())
def test_every_view_is_fitted_to_where_balls_fly(name):
    session = Session(LiveSource(sim.load(name), rallies=True), FixedPool(Recorder()))
    picture, place = Picture(session.sport), place_of(session.source)
    for direction in viewer_framing.VIEWS.values():
        camera = picture.fitted_camera(session, SIZE, DEFAULT, direction)
        pixels = camera.project(place.paths.reshape(-1, 3))[0].reshape(*place.paths.shape[:2], 2)
        free = free_part(SIZE, DEFAULT)
        is_inside = ((pixels >= free.whole[:2]) & (pixels <= free.whole[2:])).all(axis=(1, 2))
        shown = is_inside & ~free.is_covered(pixels).any(axis=1)
        assert shown.mean() >= min(framing.SHARES) - 0.01
        assert np.ptp(pixels[is_inside].reshape(-1, 2), axis=0).max() > 0.3 * SIZE[0]  # it is not small
        assert camera.eye[2] > (session.sport.ground or 0.0)


@pytest.mark.parametrize("name, moving", [("table_tennis", 50), ("volleyball", 30), ("baseball", 80)])
def test_ball_and_forecast_stay_in_the_picture_and_the_camera_is_mostly_still(name, moving):
    results = viewer_framing.measure(sim.load(name), 1, 240, "parabola")
    for view, (shown, ball, moves, _) in results.items():
        assert shown >= 95 and ball >= 99, view
        assert moves <= moving or view == "follow", view


def test_the_camera_does_not_jump():
    session, picture = make_session(seed=1), Picture(SPORT)
    camera, before = picture.fitted_camera(session, SIZE, DEFAULT), None
    middle = np.array([SPORT.view.target])
    for _ in range(150):
        camera = picture.framed_camera(session, camera, SIZE, DEFAULT)
        pixel = camera.project(middle)[0][0]
        assert before is None or np.abs(pixel - before).max() < 0.06 * SIZE[0]
        before = pixel
        session.advance(FRAME_TIME)
        if session.index:
            break


@pytest.mark.parametrize("options", [DEFAULT, DisplayOptions(follow=True)])
def test_a_moment_gone_back_to_has_the_camera_that_it_had(options):
    session, picture, cameras = make_session(), Picture(SPORT), {}
    camera = picture.fitted_camera(session, SIZE, options)

    def at_now():
        return picture.camera(session, picture.framed_camera(session, camera, SIZE, options), options)

    for _ in range(90):
        cameras[session.now] = at_now()
        session.advance(FRAME_TIME)
    assert len(set(cameras.values())) > 3  # it had to move
    for time in list(cameras)[::-7]:
        session.rewind(time)
        assert at_now() == cameras[time]
    picture.camera(session, picture.fitted_camera(session, SIZE, options, (90, 8)), options)
    assert at_now() == cameras[session.now]


def test_a_camera_that_somebody_has_moved_stays():
    session, picture = make_session(), Picture(SPORT)
    fitted = picture.fitted_camera(session, SIZE, DEFAULT)
    for camera in (fitted.orbited(10, 0), fitted.zoomed(3.0), fitted.panned(30, 10)):
        for _ in range(5):
            session.advance(FRAME_TIME)
            assert picture.framed_camera(session, camera, SIZE, DEFAULT) == camera
    follower = picture.camera(session, fitted.orbited(10, 0), DisplayOptions(follow=True))
    assert follower.azimuth == fitted.azimuth + 10 and follower != fitted.orbited(10, 0)


def test_a_long_ball_and_a_changed_world_keep_the_last_moments(monkeypatch):
    monkeypatch.setattr(framing, "MAX_MOMENTS", 20)
    session, picture = make_session(), Picture(SPORT)
    camera = picture.fitted_camera(session, SIZE, DEFAULT)
    for frame in range(100):
        session.advance(FRAME_TIME)
        if frame == 50:
            session.rewind(session.now - 0.3)
            session.set_override("gravity", 3.0)
            session.paused = False
        picture.framed_camera(session, camera, SIZE, DEFAULT)
    known = picture._cameras(session).standing
    assert known._times[known._count - 1] == session.now and (np.diff(known._times[: known._count]) > 0).all()


def test_a_panel_is_left_free_where_it_matters_and_overlapped_where_nothing_is():
    free = Free(Rectangle(0, 0, 640, 340), Rectangle(0, 0, 150, 100))
    parts = free.parts()
    assert parts[-1] == Rectangle(150, 0, 640, 340) and Rectangle(0, 100, 640, 340) in parts
    assert free.is_covered(np.array([[10, 10], [10, 200], [200, 10]])).tolist() == [True, False, False]
    right = free_part(SIZE, DisplayOptions(sliders=True)).whole.right
    assert right < free_part(SIZE, DEFAULT).whole.right == SIZE[0]


def test_recordings_are_fitted_to_what_was_measured():
    track = LiveSource(SPORT, 5).ball(0).track
    place = place_of(RecordedSource(SPORT, [track]))
    assert np.abs(place.all_paths[0, 0] - track.position[0]).max() < 1e-9
    short = Track(track.time[:2], track.position[:2], "two frames")
    assert np.isfinite(place_of(RecordedSource(SPORT, [short])).paths).all()


@pytest.mark.parametrize("name", sim.names())
def test_stored_launches_are_those_of_the_simulator(name):
    for stored, simulated in zip(stored_launches(sim.load(name)), launches_of(sim.load(name)), strict=True):
        np.testing.assert_allclose(
            stored, simulated, rtol=1e-4, atol=1e-3, err_msg="run python -m ballcast.viewer.place"
        )


def test_no_launches_are_stored_for_another_sport():
    assert stored_launches(SPORT.replace(gravity=1.6)) is None
