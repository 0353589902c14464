"""The running filter on pixels: what it measures, that it follows the fit, and that networks take pixels."""

import numpy as np
import pytest
from test_pixels_fit import BEHIND, SIDE, SPORT, stroke

from ballcast import models
from ballcast.models.estimation import pixel_filter, pixel_measurement
from ballcast.models.estimation.camera_model import CameraModel
from ballcast.models.estimation.filter_state import new_filter_states
from ballcast.models.estimation.mixture import ROW
from ballcast.models.estimation.pixel_filter import PixelFilter
from ballcast.models.estimation.pixel_mixture import fit_mixture, warm_steps
from ballcast.models.estimation.pixels import camera_row
from ballcast.models.estimation.posterior import standard_normal_samples
from ballcast.models.estimation.steps import finished
from ballcast.models.estimation.unknowns import HEIGHT, UNKNOWNS
from ballcast.sim.jit import kernel
from ballcast.sim.kernels.compiled_sport import compile_sport
from ballcast.sim.kernels.lane_numbers import LANES, empty_rows, lane_sum


def observed(track, running=None):
    """(PixelFilter, state) after the frames of a track."""
    running, state = running or PixelFilter(SPORT), new_filter_states(1)[0]
    sizes = np.full(len(track), np.nan) if track.diameter is None else track.diameter
    for t, pixel, c, size in zip(track.time, track.pixel, track.camera, sizes, strict=True):
        running.observe(state, t, pixel, track.cameras[c], None if np.isnan(size) else size)
    return running, state


@kernel
def measured(state, y):
    """Residual (3,), H P H^T (6,) and R (6,) of equal lanes, as measure_pixel has them."""
    U, out = empty_rows(3 * UNKNOWNS), np.empty(15)
    r, h, R = pixel_measurement.measure_pixel(state, state.components[:], U, y)
    out[0], out[1], out[2] = lane_sum(r[0]), lane_sum(r[1]), lane_sum(r[2])
    out[3], out[4], out[5] = lane_sum(h[0]), lane_sum(h[1]), lane_sum(h[2])
    out[6], out[7], out[8] = lane_sum(h[3]), lane_sum(h[4]), lane_sum(h[5])
    out[9], out[10], out[11] = lane_sum(R[0]), lane_sum(R[1]), lane_sum(R[2])
    out[12], out[13], out[14] = lane_sum(R[3]), lane_sum(R[4]), lane_sum(R[5])
    return out / LANES


@pytest.mark.parametrize("diameter", [0.0, 13.0])
def test_measurement_is_the_camera_in_metres(diameter):
    """Residual and covariance are those of the camera's own projection and Jacobian, at the ball's distance."""
    state, ball, point = new_filter_states(1)[0], 2.0 * SPORT.ball.radius, np.array([0.1, -0.4, 0.3])
    state["origin"] = [0.0, -0.5, 0.2]
    for k in range(3):
        state["components"][k] = (point - state["origin"])[k]
        state["components"][ROW[k, k]] = 0.01 * (k + 1)
    frame, metres = np.zeros(pixel_measurement.FRAME_SIZE), 0.003
    pixel = SIDE.project(point) + [2.0, -1.0]
    frame[:8] = *pixel, diameter, 4.0, 0.25, metres, ball, 0.0
    frame[8:] = camera_row(SIDE)
    out = measured(state, frame)
    np.testing.assert_allclose(out[:2], metres * np.array([2.0, -1.0]), atol=2e-5)
    J = metres * SIDE.jacobian(point)
    P = np.diag([0.01, 0.02, 0.03])
    expected = J @ P @ J.T
    np.testing.assert_allclose(out[3:6], [expected[0, 0], expected[0, 1], expected[1, 1]], rtol=1e-4)
    np.testing.assert_allclose(out[[9, 11]], metres**2 * 4.0, rtol=1e-5)
    off = (diameter - SIDE.diameters(point, ball)) / 0.5 if diameter else 0.0
    np.testing.assert_allclose(out[2] / np.sqrt(out[14]), off, atol=1e-3)
    assert (out[8] > 1e-4) == (diameter > 0.0)


def test_two_cameras_recover_the_state():
    track, _, truth = stroke([SIDE, BEHIND], 0.5)
    running, state = observed(track)
    assert np.linalg.norm(state["x"][:3] - truth[len(track) - 1]) < 0.03
    assert 1 < running.fits < 12
    assert abs(state["x"][HEIGHT]) < 1e-3


def test_depth_of_one_camera_collapses_at_the_bounce():
    sds = []
    for until in (0.3, 0.5):
        track, _, truth = stroke([SIDE], until)
        _, state = observed(track)
        ray, P = SIDE.rays(track.pixel[-1])[1], state["P"][:3, :3]
        offset = truth[len(track) - 1] - state["x"][:3]
        sds.append(np.sqrt(ray @ P @ ray))
        assert offset @ np.linalg.solve(P, offset) < 11.3  # 99 %
    assert sds[0] > 0.08
    assert sds[1] < 0.5 * sds[0]


def test_filter_is_near_the_fit_of_all_frames():
    track, _, _ = stroke([SIDE], 0.6)
    _, state = observed(track)
    belief = models.load("physics", sport=SPORT).forecast(track, [track.time[-1] + 0.01]).belief
    offset = state["x"][:6] - np.concatenate([belief.position, belief.velocity])
    P = belief.covariance[:6, :6] + state["P"][:6, :6]
    assert offset @ np.linalg.solve(P, offset) < 12.6  # 95 %


def test_samples_have_the_moments_of_the_mixture():
    track, _, _ = stroke([SIDE], 0.3)
    _, state = observed(track)
    normal = standard_normal_samples(4000)
    samples = np.zeros((4000, UNKNOWNS))
    samples = samples[: pixel_measurement.mixture_samples(state, normal, samples)]
    assert len(samples) > 3900
    sd = np.sqrt(np.diag(state["P"]))[:9]
    assert (np.abs(samples[:, :9].mean(axis=0) - state["x"][:9]) < 0.12 * sd).all()
    np.testing.assert_allclose(samples[:, :9].std(axis=0), sd, rtol=0.15)


def test_a_hit_starts_the_filter_anew():
    """The path breaks off where another begins: after a few frames the filter is where the new ball is."""
    track, _, truth = stroke([SIDE, BEHIND], 0.35)
    running, state = observed(track)
    other, _, path = stroke([SIDE, BEHIND], 0.3)
    for t, pixel, c in zip(other.time + 0.5, other.pixel, other.camera, strict=True):
        running.observe(state, t, pixel, other.cameras[c], None)
    assert np.linalg.norm(state["x"][:3] - path[len(other) - 1]) < 0.05


def test_networks_take_pixels():
    track, times, truth = stroke([SIDE, BEHIND], 0.5)
    network = models.load("gru_physics", sport=SPORT)
    forecast = network.forecast(track, [0.5 + 0.1])
    assert np.linalg.norm(forecast.mean[0] - truth[np.searchsorted(times, 0.6 - 1e-6)]) < 0.1
    stream = network.stream()
    stream.observe_pixels(track)
    np.testing.assert_allclose(stream.forecast([0.6]).mean, forecast.mean, atol=1e-6)
    with pytest.raises(ValueError, match="seen pixels"):
        stream.observe(0.7, [0.0, 0.0, 0.3])
    stream.restart()
    stream.observe(0.0, [0.0, 0.0, 0.3])
    with pytest.raises(ValueError, match="seen positions"):
        stream.observe_pixel(0.1, [640.0, 300.0], SIDE)


def test_no_frame_waits_for_a_whole_fit(monkeypatch):
    """Fits are made in steps: a frame takes about SHARE of the time since the one before, and the first fit alone is
    made at once."""
    frames, fits, make = [], [], pixel_filter._fit_steps

    def noted(*arguments):
        fits.append(0.0)
        steps = make(*arguments)
        while True:
            try:
                work = next(steps)
            except StopIteration as end:
                return end.value
            frames[-1].append(work)
            fits[-1] += work
            yield work

    monkeypatch.setattr(pixel_filter, "_fit_steps", noted)
    track, _, truth = stroke([SIDE], 0.5, rate=200.0)
    running, state = PixelFilter(SPORT), new_filter_states(1)[0]
    for t, pixel in zip(track.time, track.pixel, strict=True):
        frames.append([])
        running.observe(state, t, pixel, SIDE, None)
    started = pixel_filter.MIN_FRAMES
    budget, largest = 1e3 * pixel_filter.SHARE / 200.0, max(max(works, default=0.0) for works in frames)
    assert max(sum(works) for works in frames[started:]) <= budget + largest
    assert max(fits[1:]) > 2.0 * budget  # several frames share one fit
    running.finish(state)
    assert len(fits) == running.fits > 3
    assert np.linalg.norm(state["x"][:3] - truth[len(track) - 1]) < 0.15


def test_fits_go_on_from_the_modes_before():
    """They are as likely as those of a search among all starts."""
    track, _, _ = stroke([SIDE, BEHIND], 0.5)
    compiled, model = compile_sport(SPORT), CameraModel()
    early = fit_mixture(SPORT, compiled, track[:12], model)
    warm = finished(warm_steps(SPORT, compiled, track, model, early))
    cold = fit_mixture(SPORT, compiled, track, model)
    assert warm.fits[0].cost < cold.fits[0].cost + 1.0
    np.testing.assert_allclose(warm.fits[0].x[:6], cold.fits[0].x[:6], atol=0.05)


@pytest.mark.parametrize("name", ["gru_physics", "physics"])
def test_bad_frames_leave_a_stream_as_it_was(name):
    track, _, _ = stroke([SIDE, BEHIND], 0.3)
    stream = models.load(name, sport=SPORT).stream()
    for t, pixel, c in zip(track.time, track.pixel, track.camera, strict=True):
        stream.observe_pixel(float(t), pixel, track.cameras[c])
    before, last = stream.forecast([0.5]), float(track.time[-1])
    left_out = [
        ((last + 0.01, [np.nan, 3.0], SIDE), "not finite"),
        ((np.inf, [1.0, 3.0], SIDE), "not finite"),
        ((last - 0.01, [1.0, 3.0], SIDE), "late"),
        ((last, [1.0, 3.0], track.cameras[track.camera[-1]]), "late"),
    ]
    for arguments, status in left_out:
        assert stream.observe_pixel(*arguments) == status
    bad = [
        ((last + 0.01, [1.0, 2.0, 3.0], SIDE), "time and a pixel"),
        ((last + 0.01, [1.0, 3.0], "side"), "must be a Camera"),
        ((last + 0.01, [1.0, 3.0], SIDE, -2.0), "diameter"),
    ]
    for arguments, message in bad:
        with pytest.raises(ValueError, match=message) as error:
            stream.observe_pixel(*arguments)
        assert "\n" not in str(error.value)
    np.testing.assert_array_equal(stream.forecast([0.5]).mean, before.mean)
    stream.observe_pixel(last + 0.01, SIDE.project([0.0, 1.0, 0.1]), SIDE)


def test_a_long_stream_keeps_a_bounded_number_of_frames():
    """A ball that rolls on and then one whose pixels stand still: no more is kept, and the state stays finite."""
    track, _, _ = stroke([SIDE], 1.2, rate=200.0)
    running, state = observed(track)
    for k in range(300):
        running.observe(state, track.time[-1] + 0.005 * (k + 1), track.pixel[-1], SIDE, None)
    assert running.frames_kept <= pixel_filter.RING
    assert np.isfinite(state["x"]).all() and np.isfinite(state["P"]).all()
