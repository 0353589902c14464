"""Networks that read raw positions, whole as ONNX; and trunks of one's own."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast import models, sim  # noqa: E402
from ballcast.models.nets import export, own_trunk  # noqa: E402
from ballcast.models.runtime import weights  # noqa: E402
from ballcast.models.training import train  # noqa: E402
from ballcast.models.training.learner import Learner  # noqa: E402

CONFIG = {
    "model": "gru_raw", "sport": ["table_tennis"], "data": None, "finetune": None, "tracks": [], "batch": 32, "seed": 0,
    "units": 24, "device": "cpu", "rate": 3e-3, "exact": False,
}  # fmt: skip
ROOT = Path(__file__).parents[1]
AHEAD = 0.05 * np.arange(1, 21)  # s


def saved(path, **options):
    """A file of weights of a small network that has learnt for a few steps."""
    learner = Learner(CONFIG | options)
    for n in range(3):
        learner.step(learner.batches[n], 1e-2, 1.0)
    learner.save(path, 3, {"path": 0.0}, 1000)
    info, tensors = weights.read(path)
    info["widen"] = {"path": np.linspace(0.6, 1.7, 20).tolist(), "landing": 1.4}  # as calibration leaves it
    weights.save(path, tensors, info)
    return path


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("raw") / "weights.safetensors")


@pytest.fixture(scope="module")
def frames():
    """Measured frames (T, B, 4) of balls, some of them not seen."""
    balls, count = sim.draw(sim.load("table_tennis"), 5, purpose="validation", seed=3), 40
    columns = np.column_stack([balls.time + 1e5, balls.position])
    found = np.stack([columns[a : a + count] for a in balls.offsets[:-1]], 1)
    found[7, 2], found[20:24, 0], found[0, 4], found[1, 4] = np.nan, np.nan, np.nan, np.nan
    return found


def test_the_whole_network_as_onnx_forecasts_what_the_predictor_does(raw, frames, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert importlib.util.find_spec("onnx"), "the extra test has it"
    file = tmp_path / "raw.onnx"
    export.run(export.Options(str(raw), file))
    session, predictor = onnxruntime.InferenceSession(file), models.load(raw)
    stream, last = predictor.streams(5), np.zeros(5)
    memory = {"history": np.zeros((5, 17, 4)), "state": np.zeros((5, 25), np.float32)}
    for k, frame in enumerate(frames):
        mean, covariance, landing, landing_covariance, *after = session.run(None, {"frame": frame} | memory)
        unseen = np.isnan(frame).any(1)
        assert all(np.array_equal(a[unseen], b[unseen]) for a, b in zip(after, memory.values()))
        memory = dict(zip(memory, after))
        last = np.where(unseen, last, frame[:, 0])
        stream.observe(frame[:, 0], frame[:, 1:])
        if k in (1, 2, 3, 20, 39):
            expected, seen = stream.forecast(last[:, None] + AHEAD), last > 0
            np.maximum(mean[..., 2], predictor.ground, out=mean[..., 2])
            for ours, theirs in ((mean, expected.mean), (landing[:, 1:], expected.landing),
                                 (landing[:, 0], expected.probability)):  # fmt: skip
                np.testing.assert_allclose(ours[seen], theirs[seen], atol=1e-4)
            np.testing.assert_allclose(covariance[seen], expected.covariance[seen], rtol=5e-3, atol=1e-7)
            np.testing.assert_allclose(
                landing_covariance[seen], expected.landing_covariance[seen], rtol=5e-3, atol=1e-7
            )


def test_the_programs_of_the_page_run_and_one_needs_no_ballcast(raw, tmp_path, monkeypatch, capsys):
    pytest.importorskip("onnxruntime")
    trunk, elsewhere = re.findall(r"```python\n(.+?)```", (ROOT / "docs/own_model.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    export.run(export.Options(str(raw), tmp_path / "gru_raw.onnx"))
    exec(elsewhere, {})
    assert "lands with probability" in capsys.readouterr().out
    assert "ballcast" not in elsewhere and len(elsewhere.strip().splitlines()) <= 20
    (tmp_path / "my_trunk_of_the_page.py").write_text(trunk)
    monkeypatch.syspath_prepend(tmp_path)
    own_trunk.make("my_trunk_of_the_page:MyTrunk", 5, 8)


def test_a_network_that_reads_the_filter_is_not_exported(tmp_path):
    with pytest.raises(ValueError, match="weights of gru, not of gru_raw"):
        export.run(export.Options(str(models.registry.weights_path("gru", sim.load("golf"))), tmp_path / "no.onnx"))
    assert not list(tmp_path.iterdir())


def test_what_a_raw_network_reads_and_knows(raw, frames):
    predictor = models.load(raw)
    assert predictor.name == "gru_raw" and predictor.reads == "positions" and models.load("gru").reads == "the filter"
    with pytest.raises(ValueError, match="gru_raw, not of gru"):
        models.load(f"{raw}:gru_physics")
    stream = predictor.stream()
    for t, *p in frames[:12, 1]:
        stream.observe(t, p)
    spread = [np.sqrt(np.trace(c)) for c in stream.forecast(t + np.array([0.001, 0.05, 0.3])).covariance]
    assert spread[0] == pytest.approx(spread[1], rel=1e-6) and spread[2] > 0  # not the metre that the line begins with


def test_a_trunk_of_my_own_with_the_weights_of_the_gru_forecasts_the_same(raw, frames, tmp_path):
    info, tensors = weights.read(raw)
    own = {name.replace("trunk.", "trunk.inner."): a for name, a in tensors.items()}
    info = info | {"predictor": "own_trunk", "model": "own_trunks:Gru"}
    info["shape"] = info["shape"] | {"model": "own_trunks:Gru"}
    weights.save(tmp_path / "own.safetensors", own, info)
    theirs, mine = (models.load(path).streams(5) for path in (raw, tmp_path / "own.safetensors"))
    last = np.zeros(5)
    for frame in frames:
        last = np.where(np.isnan(frame).any(1), last, frame[:, 0])
        for stream in (theirs, mine):
            stream.observe(frame[:, 0], frame[:, 1:])
    a, b = (stream.forecast(last[:, None] + AHEAD) for stream in (theirs, mine))
    for name in ("mean", "covariance", "landing", "probability"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-3, atol=1e-4)
    mine.restart([2])
    assert not mine.cell_state[2].any() and mine.cell_state[1].any()


def test_of_a_long_track_a_trunk_of_my_own_reads_the_last_frames_in_order():
    from ballcast.models.own_trunk import unroll
    from ballcast.models.runtime.network import OWN_FRAMES, keep_frame

    kept, rows = np.zeros((2, 1 + OWN_FRAMES * 5), np.float32), np.array([1])
    for n in range(3 * OWN_FRAMES + 7):
        keep_frame(np.full((1, 3), n, np.float32), np.array([1e9 + 0.005 * n]), kept, rows)
    features, times, count = unroll(kept, 3)
    assert count.tolist() == [0, OWN_FRAMES] and not features[0].any()
    assert features[1, :, 0].tolist() == list(range(2 * OWN_FRAMES + 7, 3 * OWN_FRAMES + 7))
    np.testing.assert_allclose(times[1], 0.005 * np.arange(OWN_FRAMES), atol=1e-6)


@pytest.mark.parametrize(
    "name, why",
    [
        ("Attends", "depends on later frames"),
        ("Narrow", r"returned \(2, 12, 4\), not"),
        ("WithoutWidth", r"cannot be made as WithoutWidth\(channels, width\)"),
        ("WithoutTimes", r"forward must take \(features, times\)"),
        ("Plain", "not a torch.nn.Module"),
        ("Nobody", "own_trunks has no 'Nobody'"),
    ],
)
def test_a_trunk_that_cannot_forecast_is_refused_in_a_line(name, why):
    with pytest.raises(ValueError, match=why) as found:
        own_trunk.make(f"own_trunks:{name}", 5, 8)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "options, why",
    [
        ({"model": "gru_physics", "features": "raw"}, "built on the filter"),
        ({"model": "mlp", "features": "filter"}, "reads no filter"),
        ({"features": "pixels"}, "there are filter and raw"),
        ({"features": "raw", "finetune": "w", "pixels": "p"}, "takes no pixels"),
    ],
)
def test_features_that_a_model_does_not_read_are_refused(options, why):
    with pytest.raises(ValueError, match=why):
        train.check(train.Options(**options))


def test_a_gru_that_reads_raw_positions_has_one_name(tmp_path):
    configs = [train.to_config(train.Options(**o)) for o in ({"features": "raw"}, {"model": "gru_raw"})]
    assert configs[0] | {"features": None} == configs[1] | {"features": None}
    assert train.run_folder(train.Options(features="raw")).folder.name == "table_tennis-gru_raw"
    assert train.run_folder(train.Options(model="mine:Trunk")).folder.name == "table_tennis-Trunk"
    with pytest.raises(ValueError, match="set --model, --features"):
        Learner(CONFIG | {"model": "gru", "finetune": str(saved(tmp_path / "w.safetensors"))})
