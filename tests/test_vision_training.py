"""vision.training and vision.network: sets that never meet, answers that say where balls are, a network that learns."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

from ballcast.vision import network  # noqa: E402
from ballcast.vision.network import ANSWERED, PLANES, SHRINK, NetworkFinder, decode, prepared  # noqa: E402
from ballcast.vision.training.images import Sample, draw_sample  # noqa: E402
from ballcast.vision.training.targets import batch, stacked  # noqa: E402

SIDE = 96


def test_a_sample_depends_on_its_number_alone_and_purposes_never_meet():
    first, again = draw_sample(3, 0, "train", SIDE), draw_sample(3, 0, "train", SIDE)
    assert first.images.shape == (3, SIDE, SIDE, 3) and (first.images == again.images).all()
    for other in (draw_sample(4, 0, "train", SIDE), draw_sample(3, 1, "train", SIDE), draw_sample(3, 0, "test", SIDE)):
        assert (first.images != other.images).any()
    with pytest.raises(ValueError, match="holiday"):
        draw_sample(0, 0, "holiday")


def test_samples_have_balls_that_differ_from_what_was_there_before():
    samples = [draw_sample(number, 0, "train") for number in range(48)]
    shown = [ball for sample in samples for ball in sample.balls[1] if ball[5]]
    assert len(shown) > 20
    assert min(ball[2] for ball in shown) < 3.0 and max(ball[2] for ball in shown) > 10.0
    assert any(not len(sample.balls[1]) for sample in samples)


def one_ball(u=40.3, v=30.7, diameter=5.0, streak=(6.0, 6.0), weight=1.0):
    rows = np.array([[u, v, diameter, *streak, weight]])
    return Sample(np.zeros((3, SIDE, SIDE, 3), np.uint8), (rows, rows, rows))


def as_output(answer):
    """An answer as the network would give it, if it were right."""
    output = answer.reshape(len(ANSWERED), PLANES, *answer.shape[1:]).copy()
    output[:, 0] = 12.0 * output[:, 0] - 6.0
    return output.reshape(answer.shape)


def test_a_right_answer_decodes_to_the_ball():
    _, answers, weights = stacked([one_ball()])
    found = decode(as_output(answers[0]), 1)
    assert len(found) == 1 and weights.all()
    np.testing.assert_allclose((found.pixel[0] + 0.5) / SHRINK - 0.5, [40.3, 30.7], atol=1e-4)
    assert found.diameter[0] == pytest.approx(10.0, abs=1e-3)
    assert found.length[0] == pytest.approx(10.0 + 2.0 * np.hypot(6.0, 6.0), abs=1e-3)
    assert found.angle[0] == pytest.approx(np.pi / 4, abs=1e-4)


def test_nothing_is_asked_where_a_ball_has_no_weight():
    _, answers, weights = stacked([one_ball(weight=0.0)])
    assert not answers.any() and weights[0, 0, 15, 20] == 0.0 and weights[0, 0, 40, 40] == 1.0


def test_a_frame_is_halved_and_padded():
    image = np.full((90, 130, 3), 255, np.uint8)
    planes = prepared(image)
    assert planes.shape == (3, 48, 80) and planes.dtype == np.float32 and np.allclose(planes, 0.5)


def test_the_network_keeps_its_budget():
    pytest.importorskip("torch", reason="torch is not installed (extra train)")
    from ballcast.vision.training.net import BallNet, macs

    net = BallNet()
    assert macs(net, 368, 640) <= 1.5e9
    assert 4 * sum(p.numel() for p in net.parameters()) <= 2e6


@pytest.mark.parametrize("runs_by_opencv", [True, False], ids=["OpenCV", "onnxruntime"])
def test_it_learns_a_handful_of_images_and_the_file_says_the_same(tmp_path, monkeypatch, runs_by_opencv):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    from ballcast.vision.training.net import normalised
    from ballcast.vision.training.train import Learner, Options, export

    torch.set_num_threads(1)
    learner = Learner(Options(out=tmp_path, steps=400, rate=4e-3))
    inputs = batch(range(6), 0, "train", SIDE)
    losses = [learner.take_step(inputs)["loss"] for _ in range(90)]
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5]), losses[::10]
    learner.save()
    other = Learner(Options(out=tmp_path, steps=400, seed=1))
    other.load(tmp_path / "checkpoint.pt")
    assert other.step == 90
    assert other.take_step(inputs)["loss"] == pytest.approx(learner.take_step(inputs)["loss"], rel=1e-3)
    pytest.importorskip("onnx", reason="onnx is not installed (extra export)")
    export(learner.net, tmp_path / "ball.onnx")
    if not runs_by_opencv:
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra export)")
    find_spec = network.importlib.util.find_spec
    monkeypatch.setattr(network.importlib.util, "find_spec", lambda name: None if runs_by_opencv else find_spec(name))
    finder = NetworkFinder(tmp_path / "ball.onnx")
    for number in range(3):
        found = finder.find(cv2.resize(draw_sample(0, 0, "train", SIDE).images[number], None, fx=2, fy=2))
    with torch.no_grad():
        output = learner.net(normalised(torch.from_numpy(inputs[0][:1])))[0].numpy()
    wanted = decode(output, 1)
    np.testing.assert_allclose(found.score[:1], wanted.score[:1], atol=0.2)


def test_a_network_that_is_not_there_ends_in_one_line(tmp_path):
    with pytest.raises(OSError, match="no such file"):
        NetworkFinder(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(OSError, match="no network that can be read"):
        NetworkFinder(tmp_path / "bad.onnx")
