"""The picture: perspective, what hides what, and the same pixels for the same state; with no screen."""

import dataclasses

import numpy as np
import pygame
import pytest
from viewer_fakes import FixedPool, OneBall, Recorder

from ballcast import sim
from ballcast.render import raster
from ballcast.render.camera import OrbitCamera
from ballcast.render.scene import Scene, support_height
from ballcast.viewer.playback.session import FRAME_TIME
from ballcast.viewer.screen import save_png
from ballcast.viewer.window import App

SIZE = (640, 360)


def make_app(name="table_tennis", **options):
    return App(OneBall(sport=sim.load(name)), FixedPool(Recorder()), SIZE, headless=True, **options)


def pixels(app):
    return pygame.surfarray.array3d(app.screen).astype(int)


def view(eye, target=(0, 0, 0)):
    return dataclasses.replace(sim.load("table_tennis").view, eye=eye, target=target, field_of_view=90.0)


# --- the camera -------------------------------------------------------------------------------------------------------


def test_the_target_is_in_the_middle_x_goes_right_and_z_up():
    camera = OrbitCamera.of(view((0, -2, 0.5), (0, 0, 0.5)), (200, 100))
    xy, depth = camera.project(np.array([[0, 0, 0.5], [1, 0, 0.5], [0, 0, 1.5], [0, 2, 0.5]]))
    np.testing.assert_allclose(xy, [[100, 50], [125, 50], [100, 25], [100, 50]], atol=1e-9)
    np.testing.assert_allclose(depth, [2, 2, 2, 4])
    np.testing.assert_allclose(camera.eye, [0, -2, 0.5], atol=1e-12)


def test_what_is_behind_the_camera_has_no_pixel_and_polygons_are_cut_there():
    camera = OrbitCamera.of(view((0, -2, 0.5)), (200, 100))
    assert np.isnan(camera.project(np.array([[0, -3, 0.5]]))[0]).all()
    floor = np.array([[-50, -50, 0], [50, -50, 0], [50, 50, 0], [-50, 50, 0]])
    outline = camera.project_polygon(floor)
    assert len(outline) >= 4 and np.isfinite(outline).all()
    assert len(camera.project_polygon(floor - (0, 60, 0))) == 0


def test_turning_keeps_the_distance_and_stays_above_the_horizon():
    camera = OrbitCamera.of(view((1, -2, 1)), SIZE)
    for turned in (camera.orbited(50, 10), camera.orbited(0, 500), camera.orbited(-7, -500), camera.zoomed(2)):
        away = np.linalg.norm(turned.eye - turned.target)
        assert away == pytest.approx(turned.distance) and turned.eye[2] > 0


# --- what hides what --------------------------------------------------------------------------------------------------


def test_a_net_hides_what_is_behind_it_and_not_what_is_above_or_before_it():
    scene, eye = Scene.of(sim.load("table_tennis")), np.array([0, -3.0, 0.5])
    net = next(occluder for occluder in scene.occluders if occluder.normal is not None and occluder.normal[1])
    points = np.array([[0, 0.5, 0.05], [0, -0.5, 0.05], [0, 0.5, 0.9], [3.0, 0.5, 0.05]])
    assert net.occludes(eye, points).tolist() == [True, False, False, False]


def test_a_table_hides_what_is_below_it():
    scene, eye = Scene.of(sim.load("table_tennis")), np.array([0, -3.0, 2.0])
    table = next(occluder for occluder in scene.occluders if occluder.level)
    assert table.occludes(eye, np.array([[0, 0.5, -0.3], [0, 0.5, 0.001], [0, 3.0, -0.5]])).tolist() == [
        True,
        False,
        False,
    ]
    assert scene.occluders and min(scene.occluders, key=lambda occluder: occluder.depth_key(eye)) is table


def test_a_ball_in_the_ring_is_behind_its_near_side_and_before_its_far_side():
    sport = sim.load("basketball")
    ring = next(s for s in sport.surfaces if s.kind == "ring")
    centre, eye = np.array(ring.low), np.array(ring.low) - (0, 6, 0)
    sport = sport.replace(view=sport.view.bare())
    arcs = [p for p in Scene.of(sport).occluders if p.normal is None and np.abs(p.vertices - centre).max() < 1]
    hidden = [arc.occludes(eye, centre[None])[0] for arc in arcs]
    near = [arc.vertices[:, 1].mean() < centre[1] for arc in arcs]
    assert hidden == near and 0 < sum(near) < len(near)


def test_walls_are_visible_from_inside_alone():
    sport = sim.load("room")
    walls = [w for w in Scene.of(sport).walls if w.color in {s.color for s in sport.surfaces}]
    assert len(walls) == 6 and all(w.is_front_facing(np.array([0, 0, 1.5])) for w in walls)
    outside = [w.is_front_facing(np.array(sport.view.eye)) for w in walls]
    beyond = [np.dot(np.array(sport.view.eye) - w.points[0], w.normal) > 0 for w in walls]
    assert outside == beyond and sum(outside) == 3


def test_the_shadow_falls_on_the_highest_thing_below():
    sport = sim.load("table_tennis")
    assert support_height(sport, (0, 0.5, 0.3)) == 0.0
    assert support_height(sport, (0, 3.0, 0.3)) == support_height(sport, (0, 0.5, -0.1)) == -0.76
    assert support_height(sport, (0, 3.0, -1.0)) is None


@pytest.mark.parametrize("name", sim.names())
def test_every_scene_can_be_drawn_from_all_around(name):
    app = make_app(name)
    app.frame(FRAME_TIME)
    plain = pixels(app)
    assert plain.std() > 5
    for azimuth, elevation, zoom in ((90, 0, 1), (90, 60, 1), (90, -80, 3), (45, 0, 8), (0, 0, 0.05)):
        app.orbit(azimuth, elevation)
        app.zoom(zoom)
        app.frame(FRAME_TIME)
    app.reset_camera()
    app.session.restart()
    app.frame(FRAME_TIME)
    assert np.abs(pixels(app) - plain).max() == 0


def test_a_sport_of_bare_ground_can_be_drawn():
    sport = sim.load("tennis")
    bare = sport.replace(surfaces=sport.surfaces[:1], view=sport.view.bare())
    app = App(OneBall(sport=bare), FixedPool(Recorder()), SIZE, headless=True)
    app.frame(FRAME_TIME)
    assert pixels(app).std() > 5 and not Scene.of(bare).occluders


# --- pixels -----------------------------------------------------------------------------------------------------------


def blank(size=(40, 40)):
    return np.zeros(size, np.uint32)


def light(pixels):
    """The blue of each pixel."""
    return (pixels & 255).astype(int)


def put(xy, radius, alpha, layers=None, layer=0, size=(40, 40)):
    pixels, count = blank(size), len(xy)
    layers = np.zeros(count, int) if layers is None else np.array(layers)
    tones = np.full((count, 3), 200.0)
    raster.discs(pixels, np.array(xy, float), np.full(count, radius), tones, np.full(count, alpha), layers, layer)
    return light(pixels)


def test_discs_lie_where_they_are_put():
    for x, y in ((20.0, 20.0), (20.25, 19.5), (19.7, 20.6)):
        shown = put([(x, y)], 3.0, 1.0)
        centre = [np.average(np.arange(40), weights=shown.sum(axis=axis)) for axis in (1, 0)]
        np.testing.assert_allclose(centre, [x, y], atol=0.05)
        assert shown.max() == 200 and shown.sum() / 200 == pytest.approx(np.pi * 3**2, rel=0.03)


def test_discs_out_of_sight_or_of_another_slot_are_left_out():
    far = [(np.nan, np.nan), (1e6, 0), (-50, 5)]
    assert put(far, 2.0, 1.0).max() == 0 and put(far, 2.0, 1.0, size=(4, 4)).max() == 0
    assert put([(5, 5)], 2.0, 1.0, layers=[1]).max() == 0 < put([(5, 5)], 2.0, 1.0, layers=[1], layer=1).max()


def covered(outlines, size=(40, 36), alpha=1.0):
    pixels, buffer = blank(size), raster.make_coverage_buffer(size)
    corners, starts = np.concatenate(outlines).astype(float), np.cumsum([0, *map(len, outlines)])
    raster.fill(pixels, corners, starts, np.full(3, 255.0), alpha, buffer)
    assert not buffer.any()
    return light(pixels) / 255


@pytest.mark.parametrize("seed", range(20))
def test_an_outline_covers_of_each_pixel_what_it_covers_of_its_area(seed):
    rng, fine = np.random.default_rng(seed), 16
    thin = np.array([(5, 5), (5.4, 5), (30.4, 30), (30, 30)]) + rng.uniform(0, 1, 2)
    flat = np.array([(-500, 3.2), (800, 3.9), (800, 9), (-500, 8)]) + rng.uniform(-0.2, 0.2, (4, 2))
    for outline in (rng.uniform(-10, 50, (3, 2)), thin, flat, flat[::-1]):
        x, y = np.meshgrid(*((np.arange(n * fine) + 0.5) / fine for n in (40, 36)), indexing="ij")
        sides = [
            (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) for a, b in zip(np.roll(outline, 1, 0), outline)
        ]
        inside = np.all(np.array(sides) >= 0, axis=0) | np.all(np.array(sides) <= 0, axis=0)
        expected = inside.reshape(40, fine, 36, fine).mean(axis=(1, 3))
        np.testing.assert_allclose(covered([outline]), expected, atol=0.05)


def test_outlines_that_overlap_cover_once_whichever_way_they_turn():
    square = np.array([(5, 5), (15, 5), (15, 15), (5, 15)])
    once, twice = covered([square], alpha=0.5), covered([square, square[::-1] + 2], alpha=0.5)
    assert np.allclose(once[5:15, 5:15], 0.5, atol=3e-3) and once.max() == twice.max() < 0.51


def test_points_along_a_line_are_evenly_spaced_and_a_break_in_it_stays_open():
    bend = np.array([[0, 0], [10, 0], [10, 10.0]])
    xy, values, line = raster.resample_polylines(
        bend, np.array([[0.0], [1], [2]]), np.array([0, 3]), np.array([2.0]), (50, 50)
    )
    assert len(xy) == 10 and np.allclose(np.abs(np.diff(xy, axis=0)).sum(axis=1), 2) and not line.any()
    np.testing.assert_allclose(values[:, 0], np.arange(10) / 5)
    broken = np.array([[0, 0], [4, 0], [np.nan, np.nan], [9, 0], [12, 0.0]])
    xy, _, _ = raster.resample_polylines(broken, np.zeros((5, 1)), np.array([0, 5]), np.array([1.0]), (50, 50))
    assert len(xy) and not np.any((xy[:, 0] > 4) & (xy[:, 0] < 9))


def test_the_ball_shows_how_it_is_turned():
    shown = []
    for orientation in (np.eye(3), _tilt(0.7), np.eye(3)):
        pixels = blank()
        raster.sphere(pixels, 20.0, 20.0, 12.0, np.array([200.0, 100, 50]), orientation)
        shown.append(light(pixels))
    first, tilted, again = shown
    assert np.array_equal(first, again) and np.abs(first - tilted).max() > 30
    assert first[20, 5] == 0 and first[20, 20] > 0


def _tilt(angle):
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


# --- the whole --------------------------------------------------------------------------------------------------------


def test_the_same_state_gives_the_same_png_byte_for_byte(tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        make_app(frames=30, screenshot=file).run()
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_ball_track_forecast_and_landing_are_in_the_picture():
    app = make_app()
    for _ in range(25):
        app.frame(FRAME_TIME)
    full = pixels(app)
    session, camera, size = app.session, app.camera, 5
    at = session.ball.state_at(session.now)[0]
    for what, point in {
        "the ball": at,
        "a dot": session.ball.track.position[session.observed_frames[5]],
        "the landing": np.array(session.forecast.landing.position) - (0, 0, 0.02),
    }.items():
        app.session.restart()
        app.picture.paint(app.screen, app.session, camera)
        bare = pixels(app)
        x, y = np.round(camera.project(point[None])[0][0]).astype(int)
        changed = np.abs(full - bare)[x - size : x + size + 1, y - size : y + size + 1]
        assert changed.max() > 40, what


def test_a_screenshot_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "out.png").mkdir()
    with pytest.raises(OSError):
        save_png(pygame.Surface((4, 4)), tmp_path / "out.png")
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]
