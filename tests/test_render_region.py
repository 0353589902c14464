"""The drawn region of a forecast, held to brute force; and where the drawn line of a path ends."""

from types import SimpleNamespace

import numpy as np
import pytest

from ballcast import sim
from ballcast.render import place as place_module
from ballcast.render import raster
from ballcast.render.camera import OrbitCamera
from ballcast.render.confidence_tube import CHI_90_3DOF, MIN_LEAD_TIME, MIN_RADIUS, RegionGrid
from ballcast.render.draw_list import paint_region
from ballcast.render.painter import Painter
from ballcast.render.place import Place
from ballcast.render.scene import Scene

SIZE = (320, 180)


def place_of(name):
    sport = sim.load(name)
    return Place(sport.surfaces, Scene.of(sport), sport.ball.radius, sport.world.gravity)


def make(name, size=SIZE):
    return RegionGrid(place_of(name), OrbitCamera.of(sim.load(name).view, size))


def forecast(centre, deviations, step=(0.0, 0.0, 0.0), growth=0.0, count=8, seed=0):
    """Times, means and covariances of a ball that moves by `step` m in all; deviations (3,) m, on random axes."""
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    part = np.linspace(0.0, 1.0, count)
    covariance = axes @ np.diag(np.square(deviations)) @ axes.T * (1 + growth * part[:, None, None]) ** 2
    return 0.1 + 0.4 * part, centre + part[:, None] * np.array(step), covariance


def everywhere(grid, region):
    """The region's density at all grid points, -1 where it has none."""
    density = np.full(grid._density.shape, -1.0)
    left, top = np.array(region.corner) // region.spacing
    density[top : top + region.density.shape[0], left : left + region.density.shape[1]] = region.density
    return density


# --- the region -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, centre", [("table_tennis", (0.1, 0.4, 0.1)), ("room", (2.5, 1.0, 0.3)), ("soccer", (-2, 40, 1))]
)
@pytest.mark.parametrize("seed", range(3))
def test_a_point_is_as_dense_as_the_nearest_point_of_its_ray_within_the_place(name, centre, seed):
    grid, camera = make(name), OrbitCamera.of(sim.load(name).view, SIZE)
    scale = 0.012 * camera.distance
    times, mean, covariance = forecast(np.array(centre, float), scale * np.array([0.5, 1.0, 2.0]), count=2, seed=seed)
    region = grid.region(0.0, times, mean, covariance)
    smallest = MIN_RADIUS * region.spacing / camera.focal_length * camera.project(mean[:1])[1][0]  # m
    precision = np.linalg.inv(CHI_90_3DOF**2 * covariance[0] + smallest**2 * np.eye(3))
    density, ratios = everywhere(grid, region), []
    reach = 3.0 * CHI_90_3DOF * scale * 2.0
    depth = np.linalg.norm(mean[0] - camera.eye) + np.linspace(-reach, reach, 400)
    left, top = np.array(region.corner) // region.spacing
    for j in range(top, top + region.density.shape[0]):
        for i in range(left, left + region.density.shape[1], 2):
            x, y = (np.array([i, j]) * region.spacing - camera.principal_point) / camera.focal_length
            points = camera.eye + depth[:, None] * (np.array([x, y, 1.0]) @ camera.basis)
            off = points[in_place(name, camera.eye, points)] - mean[0]
            nearest = np.einsum("ni,ij,nj->n", off, precision, off).min(initial=2.0)
            assert (density[j, i] > 0) == (nearest < 1) or 0.9 < nearest < 1.1
            if nearest < 0.7:
                ratios.append(density[j, i] / (1 - nearest))
    assert len(ratios) > 5 and 0.3 < min(ratios) > 0.95 * max(ratios) and max(ratios) <= 1.05


def in_place(name, eye, points):
    """Which points (N, 3) m are inside all planes and not hidden by a table: from the sport's surfaces."""
    inside = np.ones(len(points), bool)
    for s in sim.load(name).surfaces:
        axis = next(i for i in range(3) if s.low[i] == s.high[i]) if s.kind in ("plane", "rectangle") else None
        if s.kind == "plane":
            inside &= points[:, axis] >= s.low[axis] if s.low[axis] <= 0 else points[:, axis] <= s.low[axis]
        elif s.kind == "rectangle" and axis == 2:
            fraction = (eye[2] - s.low[2]) / (eye[2] - points[:, 2])
            hit = eye + fraction[:, None] * (points - eye)
            over = ((hit >= np.array(s.low) - 1e-9) & (hit <= np.array(s.high) + 1e-9))[:, :2].all(axis=1)
            inside &= ~((points[:, 2] < s.low[2]) & over)
    return inside


@pytest.mark.parametrize("seed", range(5))
def test_every_point_of_every_ellipsoid_in_the_air_is_drawn(seed):
    """A region that moves and grows: what steps are joined for must leave nothing of it out."""
    grid, camera, rng = make("tennis"), OrbitCamera.of(sim.load("tennis").view, SIZE), np.random.default_rng(seed)
    arc = forecast((1.0, -8.0, 3.0), (0.1, 0.15, 0.25), (-2.0, 12.0, 0.0), growth=2.0, count=25, seed=seed)
    arc[1][:, 2] += np.linspace(0, 2, 25) * np.linspace(2, 0, 25)
    region = grid.region(0.0, *arc)
    picture = raster.new_picture(SIZE)
    paint_region(picture, region, (255, 255, 255))
    assert region.until == arc[0][-1]
    hits = []
    for mean, covariance in zip(*arc[1:]):
        direction = rng.normal(size=(200, 3))
        direction *= 0.9 * CHI_90_3DOF / np.linalg.norm(direction, axis=1, keepdims=True)
        points = mean + direction @ np.linalg.cholesky(covariance).T
        x, y = np.round(camera.project(points[points[:, 2] > 0])[0]).astype(int).T
        hits.append(picture[x, y] > 0)
    assert np.concatenate(hits).mean() > 0.99


def test_the_middle_is_denser_than_the_rim_and_small_regions_than_large_ones():
    grid = make("tennis")
    small, large = (grid.region(0.0, *forecast((0.0, 0.0, 3.0), np.full(3, size))) for size in (0.1, 0.5))
    assert small.density.max() > 0.9 and large.density.max() < 0.7 * small.density.max()
    picture = raster.new_picture(SIZE)
    paint_region(picture, large, (255, 255, 255))
    light = picture[picture > 0] & 255
    assert light.max() > 3 * light.min() and len(np.unique(light)) > 20


def test_a_region_ends_before_it_fills_the_picture_and_no_sooner_than_it_must():
    grid, arc = make("tennis"), forecast((0.0, -5.0, 2.0), (0.05, 0.05, 0.05), (0.0, 2.0, 0.0), growth=40.0, count=40)
    region = grid.region(0.1, *arc)
    assert 0.1 < region.share < 0.15 and arc[0][5] < region.until < arc[0][-1]
    at_once = grid.region(0.1, arc[0], arc[1], np.tile(4.0 * np.eye(3), (40, 1, 1)))
    assert 0.1 + MIN_LEAD_TIME <= at_once.until < 0.1 + MIN_LEAD_TIME + 0.05
    assert grid.region(0.1, arc[0], arc[1] - (0, 60, 0), arc[2]) is None  # behind the camera


def test_a_grid_gives_the_same_region_again_to_the_bit():
    grid, arc = make("room"), forecast((0.5, 0.0, 1.0), (0.1, 0.2, 0.3), (0.5, 1.0, 0.0), growth=1.0)
    first, second, fresh = grid.region(0.0, *arc), grid.region(0.0, *arc), make("room").region(0.0, *arc)
    for other in (second, fresh):
        assert np.array_equal(first.density, other.density) and first[1:] == other[1:]


def test_the_painter_says_until_when_it_drew_a_region():
    sport = sim.load("tennis")
    times, mean, covariance = forecast((0.0, -5.0, 2.0), (0.05, 0.05, 0.05), (0.0, 2.0, 0.0))
    current = SimpleNamespace(times=times, mean=mean, covariance=covariance, landing=None, made_at=0.0)
    forecaster = SimpleNamespace(number=2, forecast=lambda now: current, past=lambda now: [current])
    track = SimpleNamespace(time=times, position=mean)
    ball = SimpleNamespace(state_at=lambda time: [mean[0], np.zeros(3), None], track=track, pixels=None)
    session = SimpleNamespace(
        now=0.05, ball=ball, forecasters=[forecaster], observed_frames=np.arange(0), orientation=np.eye(3)
    )
    painter, picture = Painter(sport), raster.new_picture(SIZE)
    painter.paint(picture, session, OrbitCamera.of(sport.view, SIZE))
    assert list(painter.regions) == [2] and painter.regions[2].until == times[-1]
    current.covariance = None
    painter.paint(picture, session, OrbitCamera.of(sport.view, SIZE))
    assert painter.regions == {}


# --- where a line ends ------------------------------------------------------------------------------------------------

TIMES = np.linspace(0.02, 2.0, 100)


def thrown(position, velocity, times=TIMES):
    """A parabola through everything."""
    path = np.array(position) + times[:, None] * np.array(velocity, float)
    path[:, 2] -= 0.5 * 9.81 * times**2
    return path


@pytest.mark.parametrize(
    "name, position, velocity, end",
    [
        ("tennis", (0, 0, 1), (0, 5, 0), (2, 0.033)),  # a floor
        ("table_tennis", (0, -0.5, 0.5), (0, 1, 0), (2, 0.02)),  # a table
        ("table_tennis", (0, 0.5, 0.5), (0, 5, 0), (2, -0.74)),  # beside it
        ("table_tennis", (0, 1.0, -0.7), (0, -1, 5.0), (2, -0.02)),  # from below
        ("room", (0, 0, 1.5), (20, 0, 1), (0, 2.97)),  # a wall
        ("room", (0, 0, 1.5), (0, 0, 8), (2, 2.97)),  # a ceiling
    ],
)
def test_a_path_through_a_surface_ends_before_it(name, position, velocity, end):
    axis, at = end
    times, path, reason = place_of(name).drawn_path(TIMES, thrown(position, velocity))
    assert reason == place_module.PASSES_BARRIER and path[-1, axis] == pytest.approx(at, abs=1e-9)
    np.testing.assert_allclose(path[-1], thrown(position, velocity, times[-1:])[0], atol=2e-3)


def flown(name, position, velocity, times=TIMES):
    state = (np.array([v], float) for v in (position, velocity, (0, 0, 0)))
    return sim.simulate(sim.load(name), *state, times).position[0]


def test_a_ball_that_leaves_the_place_ends_on_the_floor_and_one_in_it_goes_on():
    for name, position, velocity, ground in (
        ("table_tennis", (0, 0, 0.3), (0, 4, 0), -0.74),
        ("tennis", (0, 5, 1), (0, 20, 1), 0.033),
    ):
        path = flown(name, position, velocity)
        times, drawn, reason = place_of(name).drawn_path(TIMES, path)
        assert reason == place_module.ENDS_ON_FLOOR and drawn[-1, 2] == pytest.approx(ground)
        assert times[-1] < 1.5 and np.array_equal(drawn[:-1], path[: len(drawn) - 1])
    times, drawn, _ = place_of("tennis").drawn_path(TIMES, flown("tennis", (0, -5, 1), (0, 4, 1)))
    assert times[-1] >= TIMES[-1]


def test_a_ball_that_has_left_and_rises_or_rolls_keeps_its_line():
    for position, velocity in (((0, 14, 0.04), (0, 5, 3)), ((0, 14, 0.033), (0, 5, 0))):
        times, _, _ = place_of("tennis").drawn_path(TIMES, flown("tennis", position, velocity))
        assert times[-1] > TIMES[0] + 0.5


def test_a_ball_at_rest_ends_its_line_there():
    path = np.minimum(TIMES, 1.0)[:, None] * np.array([1.0, 2, 0]) + (0, 0, 0.033)
    times, drawn, reason = place_of("tennis").drawn_path(TIMES, path)
    assert reason == place_module.RESTS and times[-1] == pytest.approx(1.0, abs=0.021)
    np.testing.assert_allclose(drawn[-1], path[-1], atol=0.01)


def test_a_path_that_ends_in_the_air_falls_to_its_landing_or_the_floor():
    path, place = thrown((0, -5, 1), (0, 5, 8), TIMES[:50]), place_of("tennis")
    times, drawn, reason = place.drawn_path(TIMES[:50], path)
    assert reason == place_module.FALLS and drawn[-1, 2] == pytest.approx(0.033)
    np.testing.assert_allclose(drawn[-1], thrown((0, -5, 1), (0, 5, 8), times[-1:])[0], atol=0.02)
    landing = SimpleNamespace(time=1.6, position=np.array([0.5, 3.5, 0.033]))
    times, drawn, reason = place.drawn_path(TIMES[:50], path, landing)
    assert reason == place_module.FALLS and times[-1] == pytest.approx(1.6, abs=0.02)
    np.testing.assert_allclose(drawn[-1], landing.position, atol=0.1)


@pytest.mark.parametrize("name", sim.names())
def test_no_simulated_flight_passes_a_surface_and_no_line_ends_below_the_ground(name):
    sport, place = sim.load(name), place_of(name)
    times = np.linspace(0.02, 1.0, 60) * sport.sensor.duration
    for path in sim.draw(sport, 20, seed=5, purpose="play").flight(times).position:
        _, drawn, reason = place.drawn_path(times, path)
        assert drawn[-1, 2] > place.ground - 0.3  # frames are tilted
        assert reason != place_module.PASSES_BARRIER or len(drawn) == len(path)  # unless it bounces after its end
