"""How well cameras are known, and what play is like: what estimates from pixels assume, and what they learn."""

from dataclasses import replace

import numpy as np

from ballcast import models, sim
from ballcast.models.estimation import flight_prior
from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.pixel_mixture import median_weights
from ballcast.sim.engine import simulate
from ballcast.tracks import Camera
from ballcast.tracks.camera import rotation_of
from tests.test_pixels_fit import BEHIND, SIDE, stroke

SPORT = sim.load("table_tennis")
ONE = CameraModel(scales=(1.0,), scale_shares=(1.0,))


def turned(camera: Camera, degrees: float) -> Camera:
    """A camera that is turned, and 2 % longer in focal length."""
    R = rotation_of(np.radians([degrees, 0.0, 0.0]))
    return Camera(camera.K * [[1.02], [1.02], [1.0]], camera.distortion, R @ camera.R, R @ camera.t, camera.size)


def covariance_of(model: CameraModel) -> np.ndarray:
    track, _, _ = stroke([SIDE], 0.55, rate=25.0, noise=2.0)
    return models.load("physics", sport=SPORT).forecast_pixels(track, [0.56], model).covariance[0]


def test_most_flights_of_the_prior_land_on_the_table_and_few_are_late():
    states = flight_prior._states_in_flight(SPORT)
    flight = simulate(SPORT, states[:, :3], states[:, 3:6], states[:, 6:], np.tile([0.0, 1.5], (len(states), 1)))
    first = np.full(len(states), np.inf)
    surface = np.full(len(states), -1)
    for ball, time, touched in zip(flight.impacts.ball, flight.impacts.time, flight.impacts.surface, strict=True):
        if time < first[ball]:
            first[ball], surface[ball] = time, touched
    table = [part.name for part in SPORT.surfaces].index("table")
    assert 0.6 < (surface == table).mean() < 0.8
    assert (states[:, 2] < -0.1).mean() < 0.1  # below the table: after its edge was passed


def test_weights_count_moments_by_the_first_impact():
    times = np.array([[0.1, 0.5], [0.1, 0.5]])
    kind = sim.simulate(SPORT, [[0.0, 0.5, 0.3], [0.0, 3.0, 0.3]], [[0.0, 0.0, -1.0]] * 2, [[0.0, 0.0, 0.0]] * 2,
                        [[0.0, 0.6]] * 2)  # fmt: skip
    weights = flight_prior._weights(SPORT, times, kind.impacts, np.array([0.5, 0.5]))
    np.testing.assert_allclose(weights[0, 0] / weights[1, 0], 3.0)  # 75 and 25 %, of one ball each
    np.testing.assert_allclose(weights[0, 1] / weights[0, 0], flight_prior.LATE_WEIGHT)


def test_cameras_that_may_be_far_off_widen_the_region():
    usual, heavy = np.trace(covariance_of(ONE)), np.trace(covariance_of(CameraModel()))
    far = np.trace(covariance_of(CameraModel(scales=(1.0, 3.0), scale_shares=(0.02, 0.98))))
    assert far > 1.5 * usual
    assert heavy < far


def test_several_cameras_are_as_is_usual():
    model = CameraModel()
    assert [other.scales for other in model.alternatives(2)] == [(1.0,)]
    assert [other.scales[0] for other in model.alternatives(1)] == list(model.scales)
    track, _, _ = stroke([SIDE, BEHIND], 0.4)
    physics = models.load("physics", sport=SPORT)
    one, other = (physics.forecast_pixels(track, [0.5], m).mean for m in (model, ONE))
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_far_off_cameras_are_off_by_an_angle():
    far, telephoto = CameraModel().alternatives()[-1], replace(CameraModel(), far_turn=0.02)
    assert far.angle == CameraModel().far_turn
    assert telephoto.alternatives()[-1].angle == 0.02
    assert all(other.angle == 0.0 for other in telephoto.alternatives()[:-1])


def test_balls_teach_that_a_camera_is_far_off():
    physics, shares = models.load("physics", sport=SPORT), []
    track, _, _ = stroke([SIDE], 0.55, rate=60.0, noise=0.5)
    for camera in (SIDE, turned(SIDE, 1.5)):
        stream = physics.stream()
        for _ in range(2):
            for time, pixel in zip(track.time, track.pixel, strict=True):
                stream.observe_pixel(float(time), pixel, camera)
            stream.restart()
        model = stream.cameras
        np.testing.assert_allclose(sum(other.scale_shares[0] for other in model.taught), 1.0)
        shares.append(model.taught[-1].scale_shares[0])
    assert shares[1] > 1.5 * shares[0]


def test_median_of_two_bundles_of_flights_is_in_the_heavier():
    rng = np.random.default_rng(0)
    paths = rng.normal(0.0, 0.01, (100, 5, 3))
    paths[70:, :, 1] += 4.0
    weights = np.full(100, 0.01)
    central = median_weights(paths, weights)
    assert abs(np.einsum("n,nti->ti", central, paths)[:, 1]).max() < 0.1
    assert np.einsum("n,nti->ti", weights, paths)[:, 1].min() > 1.0
