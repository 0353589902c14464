"""What cameras see of simulated balls: geometry, borders, what hides a ball, noise, and the same bits every time."""

import dataclasses
import math

import numpy as np
import pytest

from ballcast import sim
from ballcast.sim import detector
from ballcast.sim.detector import draw_exposures, measure_pixels
from ballcast.sim.pixel_sensor import Lens, project
from ballcast.tracks import Camera, PixelTrack

SPORT = sim.load("table_tennis")
K = np.array([[1200.0, 0.0, 640.0], [0.0, 1150.0, 360.0], [0.0, 0.0, 1.0]])
LENSES = {0: [], 4: [-0.2, 0.05, 0.002, -0.001], 5: [-0.25, 0.12, -0.001, 0.003, -0.02],
          8: [0.4, -0.1, 0.001, 0.002, 0.01, 0.6, -0.05, 0.003]}  # fmt: skip


def camera(centre, target, distortion=(), name="one", size=(1280, 720)):
    """A Camera at `centre` (3,) m that looks at `target`."""
    forwards = np.subtract(target, centre) / np.linalg.norm(np.subtract(target, centre))
    right = np.cross(forwards, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    R = np.array([right, np.cross(forwards, right), forwards])
    return Camera(K, distortion, R, -R @ centre, size, name)


SIDE = camera([-4.5, 0.0, 1.3], [0.0, 0.0, 0.2], name="side")
BACK = camera([0.5, -6.0, 1.8], [0.0, 0.0, 0.2], LENSES[5], "back")
CLEAN = {"noise": 0.0, "exposure": 0.0}


def sensor(one=SIDE, **numbers):
    return sim.PixelSensor.of(one, **({"rate": 100.0} | CLEAN | numbers))


def seen(position, cameras, velocity=(0.0, 0.0, 0.0), count=1, duration=0.5):
    """The Pixels of balls that move evenly along one line."""
    position, velocity = np.asarray(position, float), np.asarray(velocity, float)
    paths = [
        sim.see_path(SPORT, lambda t: position + np.asarray(t)[:, None] * velocity, duration, cameras, number)
        for number in range(count)
    ]
    return paths[0] if count == 1 else paths


# --- geometry ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lens", LENSES)
def test_the_compiled_projection_is_that_of_a_camera(lens):
    one = camera([-4.0, -2.0, 1.5], [0.0, 0.3, 0.2], LENSES[lens])
    points = np.random.default_rng(0).uniform([-1.0, -2.0, -0.5], [1.0, 2.0, 1.5], (500, 3))
    pixels, inside = sim.PixelSensor.of(one).project(points), one.sees(points)
    np.testing.assert_allclose(pixels[inside], one.project(points)[inside], atol=1e-9)
    assert inside.sum() > 300 and np.isnan(sim.PixelSensor.of(one).project(one.centre[None] - [[0.5, 0, 0]])).all()


def test_without_noise_a_pixel_is_where_the_ball_is():
    balls = sim.draw(SPORT, 50, purpose="test", cameras=[sensor(SIDE), sensor(BACK, rate=60.0)])
    pixels, cameras = balls.pixels, (SIDE, BACK)
    for k, one in enumerate(cameras):
        mine = pixels.camera == k
        np.testing.assert_allclose(pixels.pixel[mine], one.project(pixels.truth_position[mine]), atol=1e-9)
    for ball in (0, 7, 49):
        part = slice(pixels.offsets[ball], pixels.offsets[ball + 1])
        times, order = np.unique(pixels.exposed[part], return_inverse=True)
        one = slice(ball, ball + 1)
        launch = balls.launch_position[one], balls.launch_velocity[one], balls.launch_spin[one]
        flight = sim.simulate(SPORT, *launch, times, balls.parameters[one])
        np.testing.assert_allclose(pixels.truth_position[part], flight.position[0][order], atol=1e-9)
        np.testing.assert_allclose(pixels.truth_velocity[part], flight.velocity[0][order], atol=1e-9)


def test_the_frames_of_a_ball_are_a_pixel_track():
    sensors = [sensor(SIDE, diameter_noise=0.5), sensor(BACK, clock_offset=0.004, jitter=0.001)]
    pixels = sim.draw(SPORT, 20, purpose="test", cameras=sensors).pixels
    for ball in range(len(pixels)):
        time, pixel, which, diameter = pixels.of(ball)
        track = PixelTrack(time, pixel, which, [Camera(*s.calibrated) for s in pixels.sensors[ball]], diameter)
        assert np.isnan(track.diameter[track.camera == 1]).all() and (track.diameter[track.camera == 0] > 0).all()
        for k in (0, 1):
            assert (np.diff(time[which == k]) > 0).all()


def test_a_camera_has_its_own_rate_and_phase_and_a_trigger_joins_them():
    free = seen([0, 0, 0.5], [sensor(SIDE), sensor(BACK)])
    assert len(set(free.exposed[free.camera == 0]) & set(free.exposed[free.camera == 1])) == 0
    joined = seen([0, 0, 0.5], [sensor(SIDE, trigger=0), sensor(BACK, trigger=0)])
    assert np.array_equal(joined.exposed[joined.camera == 0], joined.exposed[joined.camera == 1])
    for pixels in (free, joined):
        np.testing.assert_allclose(np.diff(pixels.exposed[pixels.camera == 0]), 0.01, atol=1e-12)
    phases = [p.exposed[0] for p in seen([0, 0, 0.5], [sensor()], count=400)]
    assert 0 <= min(phases) and max(phases) < 0.01 and np.std(phases) == pytest.approx(0.01 / math.sqrt(12), rel=0.08)


def test_a_clock_offset_and_jitter_are_in_the_stamps_alone():
    plain = seen([0, -1, 0.5], [sensor()], [0, 2, 0])
    late = seen([0, -1, 0.5], [sensor(clock_offset=0.004)], [0, 2, 0])
    assert np.array_equal(plain.pixel, late.pixel) and np.array_equal(plain.exposed, late.exposed)
    np.testing.assert_allclose(late.time - plain.time, 0.004, atol=1e-12)
    shaken = np.concatenate([p.time - p.exposed for p in seen([0, 0, 0.5], [sensor(jitter=0.001)], count=40)])
    assert shaken.std() == pytest.approx(0.001, rel=0.05) and abs(shaken.mean()) < 1e-4


# --- what is not seen -------------------------------------------------------------------------------------------------


def test_a_ball_is_seen_within_the_image_alone():
    pixels = seen([0.0, -4.0, 0.5], [sensor()], [0.0, 8.0, 0.0], duration=1.0)
    assert SIDE.holds(pixels.pixel).all() and 30 < len(pixels.time) < 80
    assert len(seen([-6.0, 0.0, 1.3], [sensor()]).time) == 0  # behind the camera


@pytest.mark.parametrize(
    "position, one, is_seen",
    [
        ([0.0, -0.8, 0.02], SIDE, True),  # on the table
        ([0.0, -0.8, -0.02], SIDE, False),  # under it
        ([0.5, 1.0, -0.3], SIDE, False),
        ([0.5, 1.0, -0.3], camera([0.5, 4.0, -0.4], [0.5, 1.0, -0.3]), True),  # seen from below
        ([0.5, 0.2, 0.3], camera([0.5, 2.5, -0.6], [0.5, 0.2, 0.3]), False),  # above it, seen from below
        ([1.2, 0.0, -0.3], camera([4.5, 0.0, 0.6], [1.2, 0.0, -0.3]), True),  # beside the table
        ([0.0, 0.5, 0.08], camera([0.0, -4.0, 0.1], [0.0, 0.5, 0.08]), False),  # behind the net
        ([0.0, -0.5, 0.08], camera([0.0, -4.0, 0.1], [0.0, 0.5, 0.08]), True),  # before it
        ([0.0, 0.5, 0.08], camera([0.0, -4.0, 0.9], [0.0, 0.5, 0.08]), True),  # over it
    ],
)
def test_a_table_and_a_net_hide_a_ball(position, one, is_seen):
    assert (len(seen(position, [sensor(one)]).time) > 0) == is_seen


def test_a_net_shows_a_ball_in_some_frames_and_is_not_there_without_it():
    one = camera([0.0, -4.0, 0.1], [0.0, 0.5, 0.08])
    pixels = seen([0.0, 0.5, 0.08], [sensor(one, net=0.3)], duration=20.0)
    assert len(pixels.time) / 2000 == pytest.approx(0.7, abs=0.04)
    bare = SPORT.without("net")
    found = sim.see_path(bare, lambda t: np.tile([0.0, 0.5, 0.08], (len(t), 1)), 0.5, [sensor(one)])
    assert len(found.time) == 50


def test_a_board_hides_a_ball():
    sport = sim.load("basketball")
    one = camera([0.0, 6.0, 3.4], [0.0, 12.4, 3.4])
    for y, is_seen in ((12.5, True), (13.2, False)):
        pixels = sim.see_path(sport, lambda t, y=y: np.tile([0.0, y, 3.4], (len(t), 1)), 0.3, [sensor(one)])
        assert (len(pixels.time) > 0) == is_seen


# --- noise ------------------------------------------------------------------------------------------------------------


def test_noise_is_what_the_sensor_says():
    pixels = seen([0, 0, 0.5], [sensor(noise=1.7, diameter_noise=0.4, diameter_scale=1.1)], duration=60.0)
    off = pixels.pixel - SIDE.project([0, 0, 0.5])
    np.testing.assert_allclose(off.std(axis=0), 1.7, rtol=0.04)
    assert np.abs(off.mean(axis=0)).max() < 0.1 and abs(np.corrcoef(off.T)[0, 1]) < 0.05
    assert pixels.diameter.std() == pytest.approx(0.4, rel=0.05)
    assert pixels.diameter.mean() == pytest.approx(1.1 * SIDE.diameters([0, 0, 0.5], 0.04), abs=0.03)


@pytest.mark.parametrize("one", (SIDE, BACK))
def test_the_diameter_is_that_of_the_camera(one):
    points = np.random.default_rng(1).uniform([-0.7, -1.3, 0.1], [0.7, 1.3, 0.8], (20, 3))
    for point in points:
        pixels = seen(point, [sensor(one, diameter_noise=0.0)])
        assert pixels.diameter[0] == pytest.approx(one.diameters(point, 0.04), rel=1e-3)


def test_a_streak_is_measured_in_its_middle_with_more_noise_along_it():
    velocity, exposure = [0.0, 12.0, 4.0], 0.005
    paths = seen([0, -1.5, 0.3], [sensor(exposure=exposure, blur_noise=0.1, noise=0.5)], velocity, 200, 0.2)
    off, length, along, across = [], [], [], []
    for pixels in paths:
        half = 0.5 * exposure * np.asarray(velocity)
        ends = SIDE.project(pixels.truth_position - half), SIDE.project(pixels.truth_position + half)
        streak = ends[1] - ends[0]
        size = np.linalg.norm(streak, axis=1, keepdims=True)
        error = pixels.pixel - 0.5 * (ends[0] + ends[1])
        along.append((error * streak / size).sum(axis=1))
        across.append(error[:, 0] * streak[:, 1] / size[:, 0] - error[:, 1] * streak[:, 0] / size[:, 0])
        length.append(size[:, 0])
        off.append(error)
    along, across, length = map(np.concatenate, (along, across, length))
    assert across.std() == pytest.approx(0.5, rel=0.05) and np.abs(np.concatenate(off).mean(axis=0)).max() < 0.1
    assert along.std() == pytest.approx(math.sqrt(0.5**2 + np.mean((0.1 * length) ** 2)), rel=0.05)
    assert length.mean() > 14


def test_misses_have_the_asked_rate_and_come_in_runs():
    for burst in ((1.0, 1.0), (2.0, 6.0)):
        pixels = seen([0, 0, 0.5], [sensor(miss=0.15, burst=burst)], duration=200.0)
        assert 1 - len(pixels.time) / 20000 == pytest.approx(0.15, abs=0.015)
        gaps = np.round(np.diff(pixels.exposed) * 100).astype(int) - 1
        assert gaps[gaps > 0].min() == burst[0]


def test_false_detections_have_the_asked_rate_and_are_in_the_image():
    pixels = seen([0, 0, 0.5], [sensor(outlier=0.05, diameter_noise=0.2)], duration=100.0)
    far = np.linalg.norm(pixels.pixel - SIDE.project([0, 0, 0.5]), axis=1)
    assert np.array_equal(far > 1.0, pixels.is_false) and SIDE.holds(pixels.pixel).all()
    assert pixels.is_false.mean() == pytest.approx(0.05, abs=0.007)
    assert 0.3 < (far[pixels.is_false] < 150).mean() < 0.7 and (pixels.diameter > 0).all()
    nothing = seen([0.5, 0, -0.3], [sensor(outlier=0.05)], duration=100.0)  # the ball is under the table
    assert nothing.is_false.all() and 350 < len(nothing.time) < 650


# --- the same bits ----------------------------------------------------------------------------------------------------


def fields(pixels, ball):
    part = slice(pixels.offsets[ball], pixels.offsets[ball + 1])
    names = [field.name for field in dataclasses.fields(pixels)]
    return {name: getattr(pixels, name)[part] for name in names if name not in ("sensors", "offsets")}


def test_a_ball_depends_on_its_number_alone():
    numbers = {"noise": 1.0, "miss": 0.1, "outlier": 0.05, "exposure": 0.002, "jitter": 0.001, "diameter_noise": 0.5}
    cameras = [sensor(SIDE, **numbers), sensor(BACK, **numbers)]
    many = sim.draw(SPORT, 700, purpose="test", seed=3, cameras=cameras)
    few = sim.draw(SPORT, 3, first=600, purpose="test", seed=3, cameras=cameras)
    for ball in range(3):
        for name, values in fields(few.pixels, ball).items():
            assert np.array_equal(values, fields(many.pixels, 600 + ball)[name], equal_nan=True), name
    own = sim.draw(SPORT, 3, first=600, purpose="test", seed=3, cameras=lambda i: cameras[: 1 + i % 2])
    assert [len(rig) for rig in own.pixels.sensors] == [1, 2, 1]
    for ball in range(3):
        mine = fields(few.pixels, ball)["camera"] < len(own.pixels.sensors[ball])
        for name, values in fields(own.pixels, ball).items():
            assert np.array_equal(values, fields(few.pixels, ball)[name][mine], equal_nan=True), name
    other = sim.draw(SPORT, 3, first=600, purpose="test", seed=4, cameras=cameras)
    assert not np.array_equal(other.pixels.exposed[:5], few.pixels.exposed[:5])


def test_cameras_leave_the_tracks_in_space_as_they_are():
    plain = sim.draw(SPORT, 30, purpose="validation")
    with_pixels = sim.draw(SPORT, 30, purpose="validation", cameras=[SIDE, BACK])
    for field in dataclasses.fields(plain):
        if field.name != "sport":
            assert np.array_equal(getattr(plain, field.name), getattr(with_pixels, field.name)), field.name
    assert not hasattr(plain, "pixels") and len(with_pixels.pixels) == 30


def test_a_rally_is_seen_like_a_flight():
    rally = sim.rally(SPORT, seed=1)
    pixels = sim.see_path(SPORT, rally.position, rally.end, [sensor(SIDE), sensor(BACK)])
    np.testing.assert_allclose(pixels.truth_position, rally.position(pixels.exposed), atol=1e-9)
    assert len(pixels.time) > 100


@pytest.mark.parametrize(
    "numbers, message",
    [
        ({"rate": 0}, "rate = 0 of camera 'side' must be from"),
        ({"noise": -1}, "noise = -1"),
        ({"miss": 1.0}, "miss = 1.0"),
        ({"net": 1.5}, "net = 1.5"),
        ({"outlier": math.nan}, "outlier = nan"),
        ({"burst": (3, 2)}, "burst = .* must rise"),
        ({"exposure": 0.02}, "exposure = 0.02 s is longer than the frame interval, 0.01 s"),
    ],
)
def test_a_wrong_sensor_is_refused_in_one_line(numbers, message):
    with pytest.raises(ValueError, match=message):
        sensor(**numbers)


def test_wrong_arguments_are_refused_in_one_line():
    with pytest.raises(ValueError, match="no cameras"):
        sim.draw(SPORT, 2, cameras=[])
    for arguments, message in (({"purpose": "fun"}, "purpose 'fun' is not known"), ({"duration": 0}, "duration = 0")):
        with pytest.raises(ValueError, match=message):
            sim.see_path(SPORT, lambda t: np.zeros((len(t), 3)), **({"duration": 1, "cameras": [SIDE]} | arguments))


def test_every_kernel_is_compiled_once():
    seen([0, 0, 0.5], [sensor(rate=100)], duration=1)
    sim.draw(sim.load("room"), 2, seed=np.int64(1), cameras=[SIDE], duration=1)
    kernels = [v for v in vars(detector).values() if getattr(v, "signatures", None)] + [project]
    assert {draw_exposures, measure_pixels} <= set(kernels)
    assert not [kernel.signatures for kernel in kernels if len(kernel.signatures) > 1]  # 0: loaded from the disk


# --- random cameras ---------------------------------------------------------------------------------------------------


def rigs(name, count=12, cameras=2, **options):
    return [sim.random_cameras(sim.load(name), cameras, purpose="test", number=i, **options) for i in range(count)]


@pytest.mark.parametrize("name", sim.names())
def test_a_random_camera_sees_most_of_the_play_of_any_sport(name):
    sport = sim.load(name)
    for rig in rigs(name):
        for one in rig:
            calibrated, true = Camera(*one.calibrated), Camera(*one.lens)  # which checks them
            assert 25.0 <= one.rate <= 240.0 and one.exposure * one.rate <= 0.5 and abs(one.clock_offset) <= 0.03
            assert true.centre[2] > sport.ground and one.lens.name == calibrated.name
            half = 0.5 * np.array(true.size)
            middle = true.rays(half)[1]
            assert np.degrees(2 * np.arctan(half[0] / true.K[0, 0])) <= 91.0 and middle @ true.R[2] > 0.9
    shares = [share for rig in rigs(name) for share in seen_shares(sport, rig)]
    assert np.median(shares) > (0.5 if name in ("golf", "baseball", "room") else 0.6)


@pytest.mark.parametrize("number", range(6))
def test_random_sports_have_random_cameras(number):
    sport = sim.random_sport(number, purpose="test")
    rig = sim.random_cameras(sport, 2, purpose="test", number=number)
    assert all(Camera(*one.lens) and Camera(*one.calibrated) for one in rig)
    assert np.min(seen_shares(sport, rig)) > 0.25


def seen_shares(sport, rig):
    """Which share of the frames in play each camera of a rig sees, before anything is missed."""
    clean = [one.replace(noise=0.0, miss=0.0, outlier=0.0, net=0.0) for one in rig]
    duration = 0.5 * sport.sensor.duration
    pixels = sim.draw(sport, 30, purpose="test", duration=duration, cameras=clean).pixels
    return np.bincount(pixels.camera, minlength=len(rig)) / [30 * duration * one.rate for one in rig]


def test_random_cameras_depend_on_their_numbers_alone():
    first, again = rigs("table_tennis"), rigs("table_tennis")
    for one, other in zip(first, again):
        for a, b in zip(one, other):
            assert same(a, b)
    more = sim.random_cameras(SPORT, 3, purpose="test", number=5)
    assert all(same(a, b) for a, b in zip(first[5], more))
    centres = {tuple(one.lens.t) for rig in first for one in rig}
    for options in ({"seed": 1}, {"purpose": "train"}, {"number": 6}):
        rig = sim.random_cameras(SPORT, 2, **({"purpose": "test", "number": 5} | options))
        assert options == {"number": 6} or not {tuple(one.lens.t) for one in rig} & centres
    assert len(centres) == 24


def same(a, b):
    """Whether two sensors are equal to the bit."""
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        pairs = zip(x, y) if isinstance(x, Lens) else [(x, y)]
        if not all(np.array_equal(p, q, equal_nan=not isinstance(p, (str, tuple))) for p, q in pairs):
            return False
    return True


def test_random_cameras_are_of_all_kinds_and_as_their_kinds_say():
    every = [one for rig in rigs("table_tennis", 60) for one in rig]
    assert {one.lens.name.partition("_")[0] for one in every} == set(sim.camera_kinds())
    phones = [rig[0] for rig in rigs("table_tennis", 10, 1, kinds=["phone"])]
    for one in phones:
        height = Camera(*one.lens).centre[2] - SPORT.ground
        assert 0.9 <= height <= 1.8 and one.lens.name == "phone_1"
    high = [Camera(*rig[0].lens).centre for rig in rigs("table_tennis", 10, 1, kinds=["ceiling"])]
    assert all(centre[2] > np.hypot(*centre[:2]) for centre in high)
    share = np.mean([rig[0].trigger >= 0 for rig in rigs("table_tennis", 150)])
    assert 0.25 < share < 0.55
    for rig in rigs("table_tennis", 40):
        assert rig[0].clock_offset == 0.0
        if rig[0].trigger >= 0:
            assert rig[0].rate == rig[1].rate and rig[1].clock_offset == 0.0
    assert {one.lens is one.calibrated for one in every} == {True, False}


def test_a_calibration_is_off_by_some_pixels_in_the_picture():
    off = []
    for rig in rigs("table_tennis", 60):
        for one in rig:
            if one.lens is not one.calibrated:
                points = np.random.default_rng(0).uniform([-0.7, -1.3, 0.0], [0.7, 1.3, 0.3], (50, 3))
                pixels = Camera(*one.lens).project(points), Camera(*one.calibrated).project(points)
                off.append(np.linalg.norm(pixels[0] - pixels[1], axis=1))
    assert 0.8 < np.median(off) < 4.0 and np.quantile(off, 0.95) < 15.0


def test_random_cameras_refuse_what_is_wrong():
    for arguments, message in (
        ({"kinds": ["drone"]}, "camera kind 'drone' is not known; there are broadcast, side"),
        ({"purpose": "fun"}, "purpose 'fun' is not known"),
        ({"count": 0}, "count = 0"),
        ({"number": -1}, "number = -1"),
    ):
        with pytest.raises(ValueError, match=message):
            sim.random_cameras(SPORT, **({"count": 1} | arguments))
