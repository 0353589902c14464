"""Training on pixels: sets of balls that cameras saw, the learner that mixes them in, and their regions."""

import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast import models, sim  # noqa: E402
from ballcast.models.encoding.features import make_frontend  # noqa: E402
from ballcast.models.estimation.unknowns import HEIGHT  # noqa: E402
from ballcast.models.registry import WEIGHTS_FOLDER  # noqa: E402
from ballcast.models.runtime import weights  # noqa: E402
from ballcast.models.training import pixel_calibration, pixel_set, train  # noqa: E402
from ballcast.models.training.calibrate import keep_pixels  # noqa: E402
from ballcast.models.training.pixel_learner import PixelLearner  # noqa: E402
from ballcast.models.training.pixel_set import PixelSet  # noqa: E402

GRU, SPORTS = WEIGHTS_FOLDER / "gru.safetensors", ("table_tennis", "tennis")
BALLS, FRAMES = 4, 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small set: two parts to learn from, and the one that is kept."""
    path = tmp_path_factory.mktemp("pixels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixel_set, "PART_BALLS", BALLS)
        patch.setattr(pixel_set, "MAX_FRAMES", FRAMES)
        for number in (5, 6, 7):
            pixel_set.write_part(pixel_set.part_file(path, 0, number), pixel_set.make_part(SPORTS, 0, number))
    return path


@pytest.fixture(scope="module")
def seen():
    """(sport, balls) of one camera without a clock of its own, and the sensor."""
    sport = sim.load("table_tennis")
    balls = sim.draw(sport, 2, seed=3, purpose="train", cameras=sim.random_cameras(sport, 1, 3, kinds=("side",)))
    return sport, balls


def test_a_part_depends_on_its_number_alone(folder, monkeypatch):
    monkeypatch.setattr(pixel_set, "PART_BALLS", BALLS)
    monkeypatch.setattr(pixel_set, "MAX_FRAMES", FRAMES)
    again = pixel_set.make_part(SPORTS, 0, 7)
    with np.load(pixel_set.part_file(folder, 0, 7)) as stored:
        for name in again:
            np.testing.assert_array_equal(again[name], stored[name], name)


def test_features_are_those_of_a_live_network(seen):
    """Training reads what a stream reads, frame by frame."""
    sport, balls = seen
    frontend, stream = make_frontend(sport, "filter"), models.load("gru", sport).stream()
    followed = pixel_set.follow(sport, frontend, balls.pixels, 0)
    live = []
    for frame in pixel_set.frames_of(balls.pixels, 0):
        stream.observe_pixel(frame.time, frame.pixel, frame.camera, frame.diameter)
        if stream.batch.filter_states["frames"][0]:
            live.append(stream.batch.memory.raw_features[0].copy())
    assert len(followed.time) > 10
    np.testing.assert_allclose(followed.features, live[: len(followed.time)], rtol=1e-9, atol=1e-9)


def test_targets_are_the_true_flight(folder):
    """The residuals lead from the filter's estimate to the true state; paths begin there."""
    kept = PixelSet(folder, kept=True)
    batch, x, path = kept.batch(np.arange(len(kept))), kept.arrays["x"], kept.arrays["path"]
    frontend = make_frontend(pixel_calibration.place(kept.sport[0], kept.variant[0]), "filter")
    covariance, rows = np.zeros((16, 16)), pixel_set.TRIANGLE
    covariance[rows] = kept.arrays["triangle"][0, 0]
    covariance = np.tril(covariance) + np.tril(covariance, -1).T
    active = frontend.scales.active
    L = np.linalg.cholesky(covariance[np.ix_(active, active)] + 1e-9 * np.diag(np.diag(covariance)[active]))
    true = x[0, 0, active] + L @ batch.truth[0, 0, active]
    np.testing.assert_allclose(true[:3], path[0, 0, 0], atol=1e-3)
    assert (batch.active[:, HEIGHT] == 0.0).all() and np.isfinite(batch.features).all()
    assert np.linalg.norm(path[:, :, 1] - path[:, :, 0], axis=-1).max() < 0.05 * 90.0  # m: 0.05 s at 90 m/s


def test_the_mean_clock_is_the_time():
    """A filter takes the mean of the cameras' clocks for the time; targets are of the true time."""
    sport = sim.load("table_tennis")
    first, second = sim.random_cameras(sport, 2, 0, kinds=("side",))
    cameras = first.replace(clock_offset=0.0, jitter=0.0), second.replace(clock_offset=0.01, jitter=0.0)
    frames = list(pixel_set.frames_of(sim.draw(sport, 1, cameras=cameras).pixels, 0))
    assert {frame.late for frame in frames} <= {0.0, 0.005, 0.01} and frames[-1].late == pytest.approx(0.005)
    assert frames[-1].cameras == 2


def test_a_stopped_set_continues(folder, tmp_path, monkeypatch, capsys):
    """Parts that are there are kept; the others are made."""
    shutil.copy(pixel_set.part_file(folder, 0, 5), tmp_path / "pixels-0-00000.npz")
    made = []
    monkeypatch.setattr(pixel_set, "_make_part", lambda work: made.append(work[-1]))
    pixel_set.make(pixel_set.Options(tmp_path, sport=("table_tennis",), balls=3 * pixel_set.PART_BALLS))
    assert made == [1, 2] and "3 parts" in capsys.readouterr().out


def test_wrong_sets_are_refused_in_one_line(folder, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="holds too few balls; make some: python -m"):
        PixelSet(tmp_path)
    (tmp_path / "pixels-0-00000.npz").write_bytes(b"no set")
    with pytest.raises(ValueError, match="is not a part made by"):
        PixelSet(tmp_path)
    monkeypatch.setattr(pixel_set, "FEATURES_VERSION", 99)
    with pytest.raises(ValueError, match="make another set"):
        PixelSet(folder)
    with pytest.raises(ValueError, match="--balls must be"):
        pixel_set.make(pixel_set.Options(tmp_path, balls=1))


@pytest.fixture(scope="module")
def learner(folder):
    options = train.Options(sport=SPORTS, finetune=GRU, pixels=folder, batch=32)
    return PixelLearner(train.to_config(options) | {"exact": True})


def test_trackers_keep_the_network_and_cameras_teach_it(learner):
    """A fresh learner is at distance 0 for 3D trackers; steps on pixels lower their loss."""
    tracker, pixels = (learner.batches[n] for n in (0, 1))
    tensors = [models.training.learner.to_tensors(batch) for batch in (tracker, pixels)]
    with torch.no_grad():
        of_tracker, before = (learner.losses(learner.network, batch) for batch in tensors)
    assert sum(of_tracker) == pytest.approx(0.0, abs=1e-5) and before.distance == 0.0
    for _ in range(8):
        learner.step(pixels, 1e-3, 1.0)
    with torch.no_grad():
        moved, after = (learner.losses(learner.network, batch) for batch in tensors)
    assert sum(after) < sum(before) - 1.0 and moved.distance > 1e-3
    assert moved.belief == moved.path == moved.landing == 0.0


def test_regions_of_pixels_hold_nine_in_ten(learner, folder, tmp_path):
    """The factors make the regions of the kept balls hold 90 %; those of 3D trackers stay, and calibrating these later
    keeps those of pixels."""
    path, kept = tmp_path / "weights.safetensors", PixelSet(folder, kept=True)
    learner.save(path, 8, {})
    info, tensors = weights.read(path)
    weights.save(path, tensors, info | {"widen": {"path": [1.5] * 20}})
    pixel_calibration.calibrate_pixels(path, kept)
    info, _ = weights.read(path)
    alike = (kept.cameras == 1) == (kept.cameras[0] == 1)
    seen_by = "one" if kept.cameras[0] == 1 else "several"
    factors = info["widen"]["pixels"][seen_by]
    assert set(factors) == {"path_now", "path", "landing", "flown_now", "flown", "flown_landing"}
    place = pixel_calibration.place(kept.sport[0], kept.variant[0])
    network = models.nets.network.Network(models.nets.network.NetworkShape(**info["shape"]))
    network.load_state_dict({name: torch.from_numpy(a) for name, a in weights.read(path)[1].items()})
    found = pixel_calibration.distances(path, "gru", network, place, kept, np.flatnonzero(alike))
    for name in ("path", "flown"):
        inside = (found[name] / np.array(factors[name]) <= 6.2514).mean(axis=0)
        clipped = np.isin(factors[name], (0.1, 10.0))
        np.testing.assert_allclose(inside[~clipped], 0.9, atol=0.02)
    assert info["widen"]["path"] == [1.5] * 20
    later = {"path": [2.0] * 20}
    keep_pixels(later, info["widen"])
    assert later["pixels"][seen_by] == factors
    assert later["sports"][str(kept.sport[0])]["pixels"][seen_by].keys() == factors.keys()


def test_a_stream_of_pixels_has_their_regions(seen, tmp_path):
    """The factors of pixels are for pixels alone; the region now is the filter's own, and so are all means."""
    sport, balls = seen
    info, tensors = weights.read(GRU)
    own = {"pixels": {"one": {"path_now": 4.0, "path": [4.0] * 20, "landing": 1.0}}}
    path, sizes = tmp_path / "gru.safetensors", []
    for widen in ({}, own):
        weights.save(path, tensors, info | {"widen": widen, "pixels": True})
        stream = models.load(f"{path}:gru", sport).stream()
        frames = list(pixel_set.frames_of(balls.pixels, 0))[:8]
        for frame in frames:
            stream.observe_pixel(frame.time, frame.pixel, frame.camera, frame.diameter)
        sizes.append(stream.forecast(frames[-1].time + np.array([1e-6, 0.1])).covariance)
        P, state = stream.batch.filter_states["P"][0], stream.batch.filter_states["x"][0]
    physical = models.load(f"{path}:gru_physics", sport).stream()
    for frame in frames:
        physical.observe_pixel(frame.time, frame.pixel, frame.camera, frame.diameter)
    np.testing.assert_allclose(physical.forecast(frames[-1].time + np.array([1e-6])).mean[0], state[:3], atol=1e-4)
    ahead = frames[-1].time + np.array([0.1, 0.2])
    np.testing.assert_allclose(physical.forecast(ahead).mean, stream.forecast(ahead).mean, atol=1e-3)
    np.testing.assert_allclose(sizes[1], 4.0 * sizes[0], rtol=1e-6)
    np.testing.assert_allclose(sizes[0][0], P[:3, :3], rtol=2e-2, atol=1e-3 * P.diagonal()[:3].max())
    tracked = models.load(f"{path}:gru", sport)
    assert tracked.output_scaling.variance_factor[1] == 1.0
    assert tracked.of_cameras(1).output_scaling.variance_factor[1] == 4.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": "x"}, "--pixels goes with --finetune"),
        ({"pixels": "x", "finetune": GRU, "tracks": ("y",)}, "--tracks cannot be given too"),
        ({"pixels": "x", "finetune": GRU, "data": "y"}, "--data cannot be given too"),
        ({"pixels": "x", "finetune": GRU, "model": "mlp"}, "takes no pixels"),
    ],
)
def test_wrong_options_end_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        train.check(train.Options(**changes))
