"""Estimation from pixels: the camera's derivatives, and what one camera and two tell of a simulated stroke."""

import numpy as np
import pytest

from ballcast import models, sim
from ballcast.models.contract import HistoryTooShort
from ballcast.models.estimation import pixel_fit, pixels
from ballcast.models.estimation.pixel_starts import to_pixels
from ballcast.models.estimation.unknowns import UNKNOWNS
from ballcast.sim.engine import simulate
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.tracks import Camera, PixelTrack, Track

SPORT = sim.load("table_tennis")
LENS = [-0.25, 0.1, 1e-3, -5e-4, 0.02, 0.05, -0.02, 0.01]
START = [0.1, -1.3, 0.25], [0.4, 6.0, 1.2], [-60.0, 10.0, 20.0]  # position, velocity, spin; it bounces at 0.37 s
LATER = 0.15  # s


def looking(position, target, focal=1200.0, distortion=(), name="") -> Camera:
    """A camera at a position (3,) m that looks at a target (3,) m."""
    z = np.subtract(target, position) / np.linalg.norm(np.subtract(target, position))
    x = np.cross(z, [0.0, 0.0, 1.0])
    x /= np.linalg.norm(x)
    R = np.array([x, np.cross(z, x), z])
    K = [[focal, 0.0, 640.0], [0.0, focal, 360.0], [0.0, 0.0, 1.0]]
    return Camera(K, distortion, R, -R @ np.array(position, float), (1280, 720), name)


SIDE = looking([4.0, -0.5, 1.2], [0.0, 0.0, 0.1], name="side")
BEHIND = looking([0.8, -4.5, 1.6], [0.0, 0.3, 0.1], name="behind")


def stroke(cameras, until, rate=50.0, noise=1.0, late=0.0, diameter=False):
    """(PixelTrack, times, true positions (T, 3)) of one stroke seen by cameras in turn; the second clock is late."""
    times = np.arange(0.0, until + 0.5, 1.0 / rate / len(cameras))
    truth = simulate(SPORT, *(np.array([a]) for a in START), times).position[0]
    rng, which = np.random.default_rng(1), np.arange(len(times)) % len(cameras)
    pixel = np.array([cameras[c].project(p) for c, p in zip(which, truth, strict=True)])
    pixel += rng.normal(0.0, noise, pixel.shape)
    stamps = times - late * (which == 1)
    order = np.argsort(stamps, kind="stable")
    order = order[times[order] <= until]
    size = np.array([cameras[c].diameters(p, 2 * SPORT.ball.radius) for c, p in zip(which, truth, strict=True)])
    size = (size + rng.normal(0.0, 0.5, len(size)))[order] if diameter else None
    return PixelTrack(stamps[order], pixel[order], which[order], cameras, size), times, truth


@kernel
def image_at(row, errors, point):
    """Pixel and scale of a point (3,), and their derivatives by it, (3, 3)."""
    a, b, c = pixels.into_camera(row, point[0], point[1], point[2])
    x, y, z = pixels.erring(errors, a, b, c)
    image, by_u, by_v, by_scale = pixels.image_of(row, x, y, z)
    out = np.empty((4, 3))
    for i in range(3):
        out[0, i] = image[i]
    for i in range(3):
        by = by_u if i == 0 else (by_v if i == 1 else by_scale)
        d = pixels.out_of_camera(row, by[0], by[1], by[2])
        for j in range(3):
            out[1 + i, j] = d[j]
    return out


@pytest.mark.parametrize("distortion", [[], LENS])
def test_compiled_image_is_that_of_camera(distortion):
    camera = looking([3.0, -2.0, 1.0], [0.0, 0.0, 0.2], distortion=distortion)
    row, none = pixels.camera_row(camera), np.zeros(pixels.ERRORS)
    for point in np.random.default_rng(0).uniform([-0.7, -1.4, 0.0], [0.7, 1.4, 0.6], (20, 3)):
        found = image_at(row, none, point)
        np.testing.assert_allclose(found[0, :2], camera.project(point), atol=1e-9)
        np.testing.assert_allclose(found[0, 2], camera.diameters(point, 1.0), rtol=1e-9)
        np.testing.assert_allclose(found[1:3], camera.jacobian(point), rtol=1e-9, atol=1e-9)
        if not len(distortion):  # with a lens the scale's derivative is not exact
            ends = [[image_at(row, none, point + s * d)[0, 2] for s in (1, -1)] for d in 1e-5 * np.eye(3)]
            np.testing.assert_allclose(found[3], -np.diff(ends)[:, 0] / 2e-5, rtol=1e-5)


def test_jacobian_of_residuals_is_that_of_differences():
    """By the state, the ball's parameters and the errors of two cameras, past a bounce."""
    track, _, _ = stroke([SIDE, looking([0.8, -4.5, 1.6], [0.0, 0.3, 0.1], distortion=LENS[:5], name="b")], 0.5,
                         diameter=True)  # fmt: skip
    frames, compiled = to_pixels(track), compile_sport(SPORT)
    x = np.zeros(UNKNOWNS + 2 * pixels.ERRORS)
    x[:9] = np.concatenate(START)
    x[UNKNOWNS:] = np.tile([2e-3, -1e-3, 3e-3, 0.01, 0.02, -0.01, 0.01, 0.0], 2)
    x[-1] = 1e-3

    def residuals(x):
        at = pixel_fit.new_linearised(len(track), len(x))
        pixel_fit.linearise(compiled, frames, x, at)
        return at.residual.copy(), at.jacobian.copy()

    _, jacobian = residuals(x)
    steps = np.append(np.repeat([1e-5, 1e-5, 1e-2, 1e-4, 1e-3], [3, 3, 3, 4, 3]), np.full(2 * pixels.ERRORS, 1e-6))
    for j, step in enumerate(steps):
        if j in (15, UNKNOWNS + pixels.CLOCK):  # the tracker's height; a clock that moves frames before the first
            continue
        d = step * np.eye(len(x))[j]
        by = (residuals(x + d)[0] - residuals(x - d)[0]) / (2.0 * step)
        rows = 2 if j >= UNKNOWNS else 3  # of the scale, second order in a turn
        np.testing.assert_allclose(jacobian[:, :rows, j], by[:, :rows], rtol=2e-2, atol=2e-2 * abs(by).max() + 1e-6)


def test_two_cameras_recover_the_state():
    track, times, truth = stroke([SIDE, BEHIND], 0.5)
    forecast = models.load("physics", sport=SPORT).forecast(track, [track.time[-1] + 1e-6, 0.5 + LATER])
    assert np.linalg.norm(forecast.mean[0] - truth[len(track) - 1]) < 0.03
    assert np.linalg.norm(forecast.mean[1] - truth[np.searchsorted(times, 0.5 + LATER - 1e-6)]) < 0.08
    assert forecast.landing is not None or forecast.covariance[1].trace() < 0.1


def test_depth_of_one_camera_collapses_at_the_bounce():
    """Along the ray the spread is wide before the bounce and narrow after it; the ball is in the region both times."""
    physics, sds = models.load("physics", sport=SPORT), []
    for until in (0.3, 0.5):
        track, _, truth = stroke([SIDE], until)
        forecast = physics.forecast(track, [track.time[-1] + 1e-6])
        offset, ray = truth[len(track) - 1] - forecast.mean[0], SIDE.rays(track.pixel[-1])[1]
        sds.append(np.sqrt(ray @ forecast.covariance[0] @ ray))
        assert offset @ np.linalg.solve(forecast.covariance[0], offset) < 11.3  # 99 %
    assert sds[0] > 0.08
    assert sds[1] < 0.5 * sds[0]


def test_diameter_tells_depth_before_the_bounce():
    physics, errors = models.load("physics", sport=SPORT), []
    for diameter in (False, True):
        track, _, _ = stroke([SIDE], 0.3, diameter=diameter)
        ray = SIDE.rays(track.pixel[-1])[1]
        covariance = physics.forecast(track, [0.31]).covariance[0]
        errors.append(np.sqrt(ray @ covariance @ ray))
    assert errors[1] < 0.6 * errors[0]


def test_clock_is_found():
    track, _, _ = stroke([SIDE, BEHIND], 0.6, rate=100.0, noise=0.5, late=0.004)
    clock = models.smooth(track, SPORT).clock
    assert abs(clock[1] - clock[0] - 0.004) < 0.0015
    assert abs(clock.sum()) < 1e-3


def test_stream_forecasts_near_the_fit_of_its_frames_and_learns():
    track, _, _ = stroke([SIDE, BEHIND], 0.4)
    physics = models.load("physics", sport=SPORT)
    stream = physics.stream()
    for t, pixel, camera in zip(track.time, track.pixel, track.camera, strict=True):
        stream.observe_pixel(t, pixel, track.cameras[camera])
    live, whole = stream.forecast([0.6]), physics.forecast(track, [0.6])
    offset = live.mean[0] - whole.mean[0]
    assert offset @ np.linalg.solve(live.covariance[0] + whole.covariance[0], offset) < 6.25  # 90 %
    assert live.landing.probability > 0.9
    stream.restart()
    mean, covariance = stream.cameras.likeliest(2).learned
    difference = np.zeros(len(mean))
    difference[pixels.CLOCK :: pixels.ERRORS] = 1.0, -1.0
    assert difference @ covariance @ difference < 0.003**2


def test_smooth_takes_pixels_and_positions():
    track, times, truth = stroke([SIDE, BEHIND], 0.6)
    smoothed = models.smooth(track, "table_tennis")
    assert np.linalg.norm(smoothed.position - truth[: len(track)], axis=1).mean() < 0.02
    rng = np.random.default_rng(0)
    positions = Track(times[:60], truth[:60] + rng.normal(0.0, 0.003, (60, 3)))
    smoothed = models.smooth(positions, "table_tennis")
    assert smoothed.position.shape == (60, 3)
    assert np.linalg.norm(smoothed.position - truth[:60], axis=1).mean() < 0.004


def test_outliers_do_not_turn_the_fit():
    track, _, truth = stroke([SIDE, BEHIND], 0.5)
    pixel = track.pixel.copy()
    pixel[[5, 22]] += [80.0, -60.0]
    forecast = models.load("physics", sport=SPORT).forecast(
        PixelTrack(track.time, pixel, track.camera, track.cameras), [track.time[-1] + 1e-6]
    )
    assert np.linalg.norm(forecast.mean[0] - truth[len(track) - 1]) < 0.04


def test_refusals_are_one_line():
    track, _, _ = stroke([SIDE], 0.3)
    with pytest.raises(ValueError, match="takes positions, not pixels") as error:
        models.load("parabola", sport=SPORT).forecast(track, [0.5])
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="takes positions, not pixels"):
        models.load("constant_velocity", sport=SPORT).stream().observe_pixel(0.0, [1.0, 2.0], SIDE)
    physics = models.load("physics", sport=SPORT)
    with pytest.raises(HistoryTooShort, match="3 frames"):
        physics.forecast(track[:2], [0.5])
    stream = physics.stream()
    stream.observe_pixel(0.0, [640.0, 300.0], SIDE)
    assert stream.observe_pixel(-0.1, [1.0, 2.0], SIDE) == stream.observe_pixel(0.0, [1.0, 2.0], SIDE) == "late"
    assert stream.observe_pixel(0.1, [np.nan, 2.0], SIDE) == "not finite"
    for bad, match in (((0.0, [1.0], SIDE), "time and a pixel"), ((0.1, [1.0, 2.0], "side"), "must be a Camera"),
                       ((0.1, [1.0, 2.0], SIDE, -1.0), "diameter")):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            stream.observe_pixel(*bad)
    with pytest.raises(ValueError, match="seen pixels"):
        stream.observe(0.2, [0.0, 0.0, 0.3])
