"""The scene of a sport: strips, nets and rods are drawn where they are, whole, and hide what is behind them."""

import numpy as np
import pytest

from ballcast import sim
from ballcast.render import shapes
from ballcast.render.backdrop import Backdrop
from ballcast.render.camera import OrbitCamera
from ballcast.render.palette import LIGHT_LINE_COLOR
from ballcast.render.scene import LINE_ALPHA, Scene
from ballcast.render.shapes import Polygon

SIZE = (320, 180)


def whole(sport, camera=None):
    return Backdrop.of(Scene.of(sport), sport.view, camera or OrbitCamera.of(sport.view, SIZE)).whole


def channels(pixels):
    return np.stack([(pixels >> shift) & 255 for shift in (16, 8, 0)], axis=-1).astype(int)


def painted(polygons, camera):
    scene = Scene(None, tuple(polygons), (), np.zeros(2), np.ones(2), 1.0)
    return channels(Backdrop.of(scene, sim.load("tennis").view, camera).whole)


CAMERA = OrbitCamera((0.0, 0.0, 0.0), 0.0, 40.0, 4.0, 50.0, SIZE)
SQUARE = np.array([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [-1.0, 1.0, 0.0]])


def test_polygons_that_cross_are_painted_as_one():
    """Half covered twice is not three quarters covered: a strip has one alpha, whichever way its pieces turn."""
    first, second = SQUARE, SQUARE[::-1] + (0.5, 0.0, 0.0)
    strip = painted([Polygon(np.stack([first, second]), (255, 255, 255), 0.5)], CAMERA)
    alone = [painted([Polygon(points, (255, 255, 255), 0.5)], CAMERA) for points in (first, second)]
    differs = (np.abs(strip - np.maximum(*alone)) > 2).any(axis=-1)
    overlap = (np.minimum(*alone) > 100).all(axis=-1)
    assert overlap.sum() > 1000 and differs[overlap].mean() < 0.05  # its edges alone
    assert differs.mean() < 0.02


def test_a_strip_that_reaches_behind_the_camera_is_cut_as_its_parts_are():
    long = SQUARE * (0.1, 60.0, 1.0)
    strip = painted([Polygon(np.stack([long, long + (2.0, 0, 0), long - (9.0, 0, 0)]), (255, 255, 255))], CAMERA)
    parts = painted([Polygon(long + (x, 0, 0), (255, 255, 255)) for x in (0.0, 2.0, -9.0)], CAMERA)
    assert np.abs(strip - parts).max() <= 2 and (strip[:, -1] == 255).all(axis=-1).any()


def test_a_floor_that_reaches_behind_the_camera_keeps_its_edge():
    """Corners just before the camera are far outside the picture; moved to its border each edge would lean."""
    area = np.array([[0.0, -60.0, 0.0], [60.0, -60.0, 0.0], [60.0, 60.0, 0.0], [0.0, 60.0, 0.0]])
    picture = painted([Polygon(area, (255, 255, 255))], OrbitCamera((0.0, 0.0, 0.0), 0.0, 3.0, 1.0, 50.0, SIZE))
    covered = (picture[:, -40:] > 250).all(axis=-1)
    assert covered[SIZE[0] // 2 + 2 :].all() and not covered[: SIZE[0] // 2 - 2].any()


def test_a_path_is_mitred_and_has_square_ends():
    path = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    first, second = shapes.path_quads(path, 0.2, np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(sorted(first[:, 0]), [-0.1, -0.1, 0.9, 1.1])
    np.testing.assert_allclose(sorted(second[:, 1]), [-0.1, 0.1, 1.1, 1.1])
    closed = np.concatenate([SQUARE, SQUARE[:1]])
    quads = shapes.path_quads(closed, 0.2, np.array([0.0, 0.0, 1.0]))
    assert np.abs(quads[..., :2]).max() == pytest.approx(1.1) and np.abs(quads[..., :2]).max(axis=-1).min() > 0.89


def test_the_goal_net_hides_a_ball_behind_it_and_not_one_before_it():
    sport = sim.load("soccer")
    nets = [o for o in Scene.of(sport).occluders if o.normal is not None]
    assert len(nets) == 4
    eye, points = np.array([0.0, 30.0, 1.5]), np.array([[0.0, 57.0, 0.5], [0.0, 53.0, 0.5], [9.0, 60.0, 0.5]])
    assert np.any([net.occludes(eye, points) for net in nets], axis=0).tolist() == [True, False, False]


def test_a_ball_in_the_basket_is_between_the_sides_of_its_net():
    sport = sim.load("basketball")
    centre = np.array([0.0, 12.425, 2.85])
    (tube,) = [net for net in sport.view.nets if net.rims[0][1] > 0]
    parts = shapes.tube(np.array(tube.rims), np.array(tube.radii), tube.color)
    hidden = [part.occludes(np.array([0.0, 6.0, 2.85]), centre[None])[0] for part in parts]
    near = [part.vertices[:, 1].mean() < centre[1] for part in parts]
    assert hidden == near and 0 < sum(near) < len(near)


def test_what_is_before_a_board_is_painted_after_it():
    """Also from above, where the middle of the board is nearer to the camera than the ring before it."""
    sport = sim.load("basketball")
    for eye in (np.array([0.5, 11.0, 6.0]), np.array([0.0, 3.0, 2.0]), np.array([3.0, 12.0, 3.4])):
        order = Scene.of(sport).far_to_near(eye)
        board = next(i for i, o in enumerate(order) if o.normal is not None and o.vertices[:, 1].min() == 12.8)
        ring = [i for i, o in enumerate(order) if np.linalg.norm(o.vertices - (0, 12.425, 3.05), axis=1).max() < 0.23]
        assert len(order) == len(set(map(id, order))) and len(ring) == 8 and min(ring) > board


def test_hidden_surfaces_are_not_drawn_and_stay_in_play():
    sport = sim.load("cricket")
    assert "stumps" in [s.name for s in sport.surfaces] and "stumps" in sport.view.hidden
    occluders = Scene.of(sport).occluders
    assert len(occluders) == 2 and all(o.normal is None for o in occluders)
    assert len(Scene.of(sport.replace(view=sport.view.bare())).occluders) == 2


def test_stripes_of_a_rod_take_turns():
    rod = shapes.rods(np.array([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]), 0.01, (200, 0, 0), 0.1)
    red = [p for p in rod.polygons if p.color[2] == 0]
    light = [p for p in rod.polygons if p.color[2] > 0]
    assert sum(len(p.points) for p in red) == sum(len(p.points) for p in light) == 10
    assert np.ptp(rod.vertices[:, 2]) == 1.0


@pytest.mark.parametrize("name", sim.names())
def test_the_ball_stays_the_brightest_thing(name):
    """Of large areas, that is: lines are as thin as the rules have them, and are painted with less than full alpha."""
    sport = sim.load(name)
    ball = np.dot(sport.view.ball_color, (0.299, 0.587, 0.114))
    brightness = channels(whole(sport)) @ (0.299, 0.587, 0.114)
    assert np.quantile(brightness, 0.97) < max(ball, 120) and LINE_ALPHA < 0.9 and max(LIGHT_LINE_COLOR) < 240


@pytest.mark.parametrize("name", sim.names())
def test_the_same_place_is_the_same_picture(name):
    sport = sim.load(name)
    first = whole(sport).copy()
    whole(sim.load("room"))
    assert (whole(sport) == first).all()
    assert (whole(sport.replace(view=sport.view.bare())) != first).any()


def test_memory_of_an_old_backdrop_gives_the_same_picture():
    for name in ("table_tennis", "golf"):
        sport = sim.load(name)
        scene, camera = Scene.of(sport), OrbitCamera.of(sport.view, SIZE)
        turned = camera.orbited(0.4, 0.1)
        fresh = [Backdrop.of(scene, sport.view, view).whole.copy() for view in (camera, turned)]
        old = None
        for view, whole in zip((camera, turned, camera), (*fresh, fresh[0])):
            old = Backdrop.of(scene, sport.view, view, old)
            assert np.array_equal(old.whole, whole)


@pytest.mark.parametrize("name", ["table_tennis", "room"])
def test_the_first_picture_of_a_camera_is_that_of_all_others(name):
    """It is painted without `ground` and `whole`, the second with `whole`, one in which something is hidden without."""
    sport = sim.load(name)
    backdrop, pictures = Backdrop.of(Scene.of(sport), sport.view, OrbitCamera.of(sport.view, SIZE)), []
    for hidden in (set(), set(), {0}):
        pixels = np.zeros(SIZE, np.uint32, order="F")
        backdrop.paint(pixels, hidden | {len(backdrop.layers)}, lambda layer: None)
        pictures.append(pixels)
    assert np.array_equal(pictures[0], pictures[1]) and np.array_equal(pictures[0], pictures[2])
