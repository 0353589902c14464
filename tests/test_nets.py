"""Networks in torch: losses against closed forms, batches, gradients; and their twins at run time."""

import numpy as np
import pytest
from scipy.stats import multivariate_t

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from ballcast import models, sim  # noqa: E402
from ballcast.models.encoding import decoding  # noqa: E402
from ballcast.models.encoding.nominal import HORIZONS, NOMINAL_FEATURES  # noqa: E402
from ballcast.models.nets import attention, losses  # noqa: E402
from ballcast.models.nets.network import MIXERS, Network, NetworkShape  # noqa: E402
from ballcast.models.nets.scan import scan, sequential_scan  # noqa: E402
from ballcast.models.registry import weights_path  # noqa: E402
from ballcast.models.runtime import network, weights  # noqa: E402
from ballcast.models.training.batches import Batches, prefetch  # noqa: E402
from ballcast.models.training.learner import Learner, network_shape, to_tensors  # noqa: E402
from ballcast.models.training.run_folder import RunFolder, RunState  # noqa: E402
from ballcast.tracks import Track  # noqa: E402

CONFIG = {
    "model": "gru", "sport": "table_tennis", "data": None, "finetune": None, "tracks": [], "batch": 64, "seed": 0,
    "units": 24, "device": "cpu", "rate": 3e-3, "exact": True,
}  # fmt: skip
MODELS = ("gru", "lstm", "rnn", "mlp", "mingru", "transformer")


@pytest.fixture(scope="module")
def sport():
    return sim.load("table_tennis")


@pytest.fixture(scope="module")
def batches(sport):
    return {kind: Batches(sport, kind, 64) for kind in ("filter", "frames", "raw")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of small networks that have learnt for a few steps, by model."""
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for model in MODELS:
        learner = Learner(CONFIG | {"model": model})
        for n in range(3):
            learner.step(learner.batches[n], 1e-2, 1.0)
        files[model] = folder / f"{model}.safetensors"
        learner.save(files[model], 3, {"belief": 0.0})
    return files


@pytest.fixture(scope="module")
def histories(sport):
    balls = sim.draw(sport, 12, purpose="validation", seed=7)
    cuts = zip(balls.offsets[:-1], (9, 60, 25, 4, 2, 100, 33, 80, 12, 6, 47, 90))
    return [Track(balls.time[a : a + n], balls.position[a : a + n]) for a, n in cuts]


def test_a_gradient_that_overflows_leaves_the_weights_alone_and_is_reported():
    learner = Learner(CONFIG)
    batch, before = learner.batches[0], {name: a.clone() for name, a in learner.network.state_dict().items()}

    def unchanged():
        return [torch.equal(a, before[name]) for name, a in learner.network.state_dict().items()]

    assert learner.step(batch._replace(truth=np.full_like(batch.truth, np.inf)), 1e-2, 1.0).skipped
    assert all(unchanged())
    assert not learner.step(batch, 1e-2, 1.0).skipped
    assert not all(unchanged())


def test_a_sport_whose_balls_hardly_ever_land_in_time_trains():
    learner = Learner(CONFIG | {"sport": "golf", "batch": 32})
    result = learner.step(learner.batches[0], 1e-2, 1.0)
    assert not result.skipped and all(np.isfinite(float(term)) for term in result.losses)


@pytest.mark.parametrize("model", MODELS)
def test_a_run_resumes_from_its_checkpoint_to_the_bit(tmp_path, model):
    whole, half, other = (Learner(CONFIG | {"model": model, "seed": seed}) for seed in (0, 0, 1))
    for n in range(4):
        whole.step(whole.batches[n], 1e-2, 1.0)
    for n in range(2):
        half.step(half.batches[n], 1e-2, 1.0)
    state = RunState(2, 0.5, 1)
    RunFolder(tmp_path).save_checkpoint(state, half.network, half.optimizer)
    assert RunFolder(tmp_path).load_checkpoint(other.network, other.optimizer) == state
    for n in (2, 3):
        other.step(half.batches[n], 1e-2, 1.0)
    assert all(torch.equal(a, whole.network.state_dict()[n]) for n, a in other.network.state_dict().items())


# --- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size, degrees", [(3, 4.0), (14, 8.0)])
def test_the_loss_is_students_t_up_to_a_constant(size, degrees):
    rng = np.random.default_rng(size)
    scales, regressions = rng.normal(0, 0.5, size), rng.normal(0, 0.5, size * (size - 1) // 2)
    A = decoding.regression_factor(scales, regressions)
    errors = rng.normal(0, 2.0, (5, size))
    law = multivariate_t(np.zeros(size), A @ A.T, df=degrees)
    row = [torch.tensor(np.broadcast_to(a, (5, len(a))).copy()) for a in (scales, regressions)]
    loss = losses.student_t_nll(torch.tensor(errors), *row, degrees).numpy()
    constant = loss + law.logpdf(errors)
    np.testing.assert_allclose(constant, constant[0], atol=1e-9)


def test_unknowns_that_do_not_vary_count_for_nothing():
    generator = torch.Generator().manual_seed(1)
    belief, truth = torch.randn(2, 5, 16 * 19 // 2, generator=generator), torch.randn(2, 5, 16, generator=generator)
    active = torch.ones(2, 16)
    active[0, [9, 13, 14]], active[1, 15] = 0.0, 0.0
    loss = losses.belief_loss(belief, truth, active)
    off = truth + 100.0 * (1.0 - active)[:, None]
    assert torch.equal(loss, losses.belief_loss(belief, off, active))
    for b, row in enumerate(active):  # as a network that has no other outputs
        rows = torch.arange(16)[row > 0]
        pairs = [int(i * (i - 1) // 2 + j) for i in rows for j in rows if j < i]
        columns = torch.cat([rows, 16 + rows, 32 + torch.tensor(pairs)])
        alone = losses.belief_loss(belief[b : b + 1][..., columns], truth[b : b + 1][..., rows])
        assert torch.allclose(loss[b], alone[0], rtol=1e-5)
        outputs = belief[b, 0].double().numpy()
        parts = decoding.active_outputs(outputs, rows.numpy())
        assert np.array_equal(np.concatenate(parts), outputs[columns.numpy()])
    assert torch.allclose(losses.belief_loss(belief, truth), losses.belief_loss(belief, truth, torch.ones(2, 16)))


def test_what_is_not_known_does_not_count(batches):
    path = torch.randn(2, 3, 9 * HORIZONS + 15)
    future, known = torch.randn(2, 3, HORIZONS, 3), torch.zeros(2, 3, HORIZONS)
    known[..., :5] = 1
    wild = torch.where(known[..., None] > 0, future, 1e3 * torch.ones(()))
    assert torch.equal(losses.path_loss(path, future, known), losses.path_loss(path, wild, known))
    lands, landing = torch.tensor([[1.0, 0.0, -1.0]]), torch.randn(1, 3, 4)
    loss = losses.landing_loss(path[:1], lands, landing)
    assert loss[0, 2] == 0 and (loss[0, :2] != 0).all()


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["filter", "frames", "raw"])
def test_a_batch_is_the_same_again_and_slices_make_the_whole(sport, batches, kind):
    whole = batches[kind][5]
    again = Batches(sport, kind, 64)[5]
    parts = [Batches(sport, kind, 64, rank=rank, ranks=2)[5] for rank in range(2)]
    for name in ("features", "times", "loss_frames", "nominal", "truth", "future", "has_landing", "landing"):
        a = getattr(whole, name)
        assert np.isfinite(a).all()
        assert np.array_equal(a, getattr(again, name))
        assert np.array_equal(a, np.concatenate([getattr(part, name) for part in parts]))
    assert not np.array_equal(whole.features, batches[kind][6].features)


def test_groups_of_balls_are_of_sports_by_their_shares_and_the_same_again():
    sports = [sim.load(name) for name in ("golf", "room", "table_tennis")]
    whole, again = (Batches(sports, "filter", 96, random_sports=4, keep_paths=True) for _ in range(2))
    parts = [Batches(sports, "filter", 96, random_sports=4, rank=rank, ranks=3) for rank in range(3)]
    a, b, slices = whole[3], again[3], [part[3] for part in parts]
    assert np.array_equal(a.features, b.features) and np.array_equal(a.paths.sport, b.paths.sport)
    for name in ("features", "nominal", "truth", "active", "future", "landing"):
        assert np.isfinite(getattr(a, name)).all()
        assert np.array_equal(getattr(a, name), np.concatenate([getattr(part, name) for part in slices]))
    assert all(len(np.unique(group)) == 1 for group in a.paths.sport.reshape(-1, 32))
    index = np.concatenate([whole.pool.draw(np.random.default_rng(n), 6) for n in range(2000)])
    shares = np.array([np.mean(index == 0), np.mean(index == 1), np.mean(index == 2), np.mean(index > 2)])
    np.testing.assert_allclose(shares, np.array([0.10, 0.10, 0.20, 0.22]) / 0.62, atol=0.015)
    assert set(index) == set(range(7))
    for sport, row in zip(a.paths.sport, a.active):
        assert row.sum() == len(whole.pool[sport][1].scales.active)
    assert not (a.truth * (1 - a.active)[:, None]).any()


def test_threads_make_the_same_batches_in_the_same_order(batches):
    with prefetch(batches["frames"], 3, workers=4) as feed:
        made = [next(feed) for _ in range(9)]
    for n, batch in enumerate(made):
        assert np.array_equal(batch.features, batches["frames"][3 + n].features)


def test_targets_relative_to_the_filter_are_of_the_size_of_one(batches):
    batch = batches["filter"][2]
    assert 0.3 < np.median(np.abs(batch.truth)) < 1.2
    assert 0.3 < np.median(np.abs(batch.future)) < 1.5
    assert 0.3 < np.median(np.abs(batch.landing[batch.has_landing > 0])) < 1.5


def test_two_slices_have_the_gradient_of_the_whole(sport):
    whole = Learner(CONFIG)
    halves = [Learner(CONFIG) for _ in range(2)]
    gradients = []
    for rank, learner in enumerate(halves):
        part = Batches(sport, "filter", 64, rank=rank, ranks=2)[1]
        gradients.append(gradient(learner, part))
    for a, b, c in zip(gradient(whole, whole.batches[1]), *gradients):
        np.testing.assert_allclose(a, (b + c) / 2, atol=1e-5)


def gradient(learner, batch):
    sum(learner.losses(learner.network, to_tensors(batch))).backward()
    return [p.grad.numpy() for p in learner.network.parameters()]


# --- at run time ------------------------------------------------------------------------------------------------------


FRAMES = 30
ROUNDING = 2e-3  # of float32 sums of terms of some hundreds, in another order


@pytest.mark.parametrize("model", MODELS)
def test_a_file_of_weights_is_the_same_network_in_torch_and_compiled(batches, tmp_path, model):
    kind = "frames" if model == "mlp" else "filter"
    net = wild(network_shape(model, batches[kind], units=24, window=7))
    info = dict.fromkeys(weights.KEYS) | {"shape": vars(net.shape)}
    weights.save(tmp_path / "w.safetensors", {name: a.numpy() for name, a in net.state_dict().items()}, info)
    info, tensors = weights.read(tmp_path / "w.safetensors")
    net.load_state_dict({name: torch.from_numpy(a) for name, a in tensors.items()})
    packed = network.pack_weights(info["shape"], tensors)
    x, base = torch.randn(5, FRAMES, batches[kind].size), torch.randn(5, FRAMES, NOMINAL_FEATURES)
    x[:, ::4, ::3] *= 50  # beyond FEATURE_LIMIT
    base[:, ::4, ::3] *= 50
    times = uneven(5, FRAMES)
    with torch.no_grad():
        belief, path = net(x, times, torch.arange(FRAMES).expand(5, FRAMES), base)
    state, rows = np.zeros((9, network.state_size(packed)), np.float32), np.arange(5) + 3
    h = np.zeros((5, 24), np.float32)
    for t in range(FRAMES):
        raw = network.standardise(x[:, t].numpy().astype(float), packed.feature_mean, packed.feature_scale_inverse)
        network.advance(packed, raw, times[:, t].numpy() + 1e4, h, state, rows)
        first = np.empty((5, 0), np.float32)
        if belief is not None:
            output = network.belief_head(packed, raw, h)
            np.testing.assert_allclose(output, belief[:, t], rtol=1e-5, atol=ROUNDING)
            first = np.ascontiguousarray(output[:, : 2 * net.shape.unknowns])
        output = network.path_head(packed, raw, h, base[:, t].numpy().astype(float), first)
        np.testing.assert_allclose(output, path[:, t], rtol=1e-5, atol=ROUNDING)
    assert not state[:3].any() and not state[8:].any()  # balls that were not seen


NAMES = {  # of tensors in a file of format 2, without the layers of a second block
    "all": "feature_mean nominal_mean path_mean landing_mean feature_scale nominal_scale path_scale landing_scale "
    "belief.0.weight belief.0.bias belief.2.weight belief.2.bias path.0.weight path.0.bias path.2.weight path.2.bias",
    "gru": "trunk.weight_ih_l0 trunk.weight_hh_l0 trunk.bias_ih_l0 trunk.bias_hh_l0",
    "blocks": "trunk.input.weight trunk.input.bias trunk.norm.weight trunk.norm.bias trunk.blocks.0.norm.weight "
    "trunk.blocks.0.norm.bias trunk.blocks.0.out.weight trunk.blocks.0.out.bias trunk.blocks.0.mlp.0.weight "
    "trunk.blocks.0.mlp.0.bias trunk.blocks.0.mlp.1.weight trunk.blocks.0.mlp.1.bias trunk.blocks.0.mlp.3.weight "
    "trunk.blocks.0.mlp.3.bias",
    "mingru": "trunk.blocks.0.mixer.gates.weight trunk.blocks.0.mixer.gates.bias",
    "transformer": "trunk.blocks.0.mixer.qkv.weight trunk.blocks.0.mixer.qkv.bias trunk.blocks.0.mixer.frequencies",
    "tokens": "vocabulary embedding.weight logit_bias initial_hidden.0.weight initial_hidden.0.bias "
    "initial_hidden.2.weight initial_hidden.2.bias cell.weight_ih_l0 cell.weight_hh_l0 cell.bias_ih_l0 cell.bias_hh_l0 "
    "project.weight project.bias",
}


@pytest.mark.parametrize("model", ["gru", "mingru", "transformer", "tokens"])
def test_the_names_in_a_shipped_file_are_those_of_the_format(model):
    info, tensors = weights.read(weights_path(model, sim.load("table_tennis")))
    names = set(NAMES["all"].split()) | set(NAMES["gru" if model in ("gru", "tokens") else "blocks"].split())
    if model == "tokens":
        names |= {f"token_decoder.{name}" for name in NAMES["tokens"].split()}
    elif model != "gru":
        names |= set(NAMES[model].split())
    assert {name for name in tensors if ".blocks.1." not in name} == names
    assert info["format"] == 2 and NetworkShape(**info["shape"]).belief_hidden == 128


@pytest.mark.parametrize("beyond", [7.5, 40.0])
def test_log_scales_are_clamped_alike_in_the_loss_and_at_run_time(beyond):
    scales, regressions, errors = np.array([beyond, -beyond, 0.3]), np.array([0.4, -0.2, 0.1]), np.ones(3)
    held, row = np.clip(scales, -7.0, 7.0), torch.tensor(regressions)[None]
    loss = [losses.student_t_nll(torch.tensor(errors)[None], torch.tensor(s)[None], row, 4.0) for s in (scales, held)]
    factors = [decoding.regression_factor(s, regressions) for s in (scales, held)]
    assert torch.equal(*loss) and np.array_equal(*factors)
    np.testing.assert_allclose(np.diag(factors[0]), np.exp(held))


def wild(shape):
    """A Network of a Shape with weights that are not as calm as fresh ones."""
    torch.manual_seed(3)
    net = Network(shape)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return net


def uneven(balls, frames):
    """Times (B, T) s of frames of which many are missing."""
    return torch.cumsum(torch.rand(balls, frames, dtype=torch.double) ** 2 * 0.05, 1)


@pytest.mark.parametrize("name", [*MODELS, "gru_physics"])
def test_alone_in_a_batch_and_as_a_stream_it_outputs_the_same(trained, histories, name):
    model = "gru" if name == "gru_physics" else name
    predictor = models.load(f"{trained[model]}:{name}")
    assert predictor.name == name
    times = np.array([track.time[-1] + np.linspace(0.02, 1.3, 9) for track in histories])
    together = predictor.forecast_batch(histories, times)
    batch = predictor.streams(len(histories))
    for k in range(max(map(len, histories))):
        frame = [(t.time[k], *t.position[k]) if k < len(t) else [np.nan] * 4 for t in histories]
        batch.observe(np.array(frame)[:, 0], np.array(frame)[:, 1:])
    batch_forecasts = batch.forecasts(times)
    for track, row, a, b in zip(histories, times, together, batch_forecasts):
        stream = predictor.stream()
        for t, position in zip(track.time, track.position):
            stream.observe(t, position)
        for other in (predictor.forecast(track, row), stream.forecast(row), b):
            np.testing.assert_allclose(a.mean, other.mean, atol=1e-5)
            np.testing.assert_allclose(a.covariance, other.covariance, rtol=1e-3, atol=1e-5)
        assert np.linalg.eigvalsh(a.covariance).min() > 0


def test_a_history_of_any_length(trained, sport):
    flight = np.arange(0, 6.0, 1 / 180)
    ball = sim.simulate(sport, [[0, -1, 0.4]], [[0.1, 3, 1]], [[0, 0, 0]], flight).position[0]
    for name in ("gru", "gru_physics"):
        forecast = models.load(f"{trained['gru']}:{name}").forecast(Track(flight, ball), [6.1, 6.9])
        assert np.isfinite(forecast.mean).all() and np.isfinite(forecast.covariance).all()


@pytest.mark.parametrize("model", ["gru", "mingru", "transformer"])
def test_its_memory_does_not_grow(trained, model):
    stream = models.load(f"{trained[model]}:{model}").stream()
    held = [
        a.nbytes
        for a in (stream.batch.filter_states, stream.batch.hidden, stream.batch.cell_state, stream.batch.features)
    ]
    for k in range(2000):
        stream.observe(k / 100, [0.0, 0.1 * np.sin(k / 10), 0.3])
    assert held == [
        a.nbytes
        for a in (stream.batch.filter_states, stream.batch.hidden, stream.batch.cell_state, stream.batch.features)
    ]
    assert np.isfinite(stream.forecast([20.5]).mean).all()


def test_a_missing_net_is_an_input_of_the_network(trained, sport):
    with_net, without = (models.load(f"{trained['gru']}:gru", s) for s in (sport, sport.without("net")))
    assert (with_net.frontend.surfaces_absent, without.frontend.surfaces_absent) == (0.0, 1.0)


# --- parallel over time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 2, 15, 16, 17, 96, 255, 257, 2000, 5000])
@pytest.mark.parametrize("dtype, near", [(torch.float32, 2e-6), (torch.bfloat16, 2e-2)])
def test_the_scan_is_its_reference_with_its_gradients(frames, dtype, near):
    torch.manual_seed(frames)
    a = torch.sigmoid(3.0 * torch.randn(2, frames, 8)).to(dtype).requires_grad_()
    b = torch.randn(2, frames, 8).to(dtype).requires_grad_()
    exact = [x.detach().double().requires_grad_() for x in (a, b)]
    slope = torch.randn(2, frames, 8).to(dtype)
    h, truth = scan(a, b), sequential_scan(*exact)
    h.backward(slope)
    truth.backward(slope.double())
    assert h.dtype == a.grad.dtype == b.grad.dtype == dtype
    of_a = torch.zeros_like(exact[0]) if exact[0].grad is None else exact[0].grad  # one frame: a does not matter
    for computed, true in ((h, truth), (a.grad, of_a), (b.grad, exact[1].grad)):
        assert torch.allclose(computed.double(), true, rtol=near, atol=near * float(true.detach().abs().max()))


@pytest.mark.parametrize("frames", [1, 5, 7, 8, 20, 50])
def test_attention_block_by_block_is_attention_under_a_mask(frames):
    q, k, v = torch.randn(3, 2, attention.ATTENTION_HEADS, frames, 6)
    back = torch.arange(frames)[:, None] - torch.arange(frames)
    mask = (back >= 0) & (back < 7)
    whole = torch.nn.functional.scaled_dot_product_attention(q, k, v, mask)
    for way in (attention.sliding_window_attention, attention.blockwise_attention):
        assert torch.allclose(way(q, k, v, 7), whole, atol=1e-6)


@pytest.mark.parametrize("model", MIXERS)
def test_all_frames_at_once_are_frame_by_frame_and_alone(batches, model):
    net = wild(network_shape(model, batches["filter"], units=24, window=7))
    x, times = torch.randn(3, 50, batches["filter"].size), uneven(3, 50)
    with torch.no_grad():
        whole = net.hidden(x, times)
        memory = torch.zeros(3, net.trunk.state_size)
        for k in range(50):
            output, memory = net.trunk.step(x[:, k], times[:, k], memory)
            assert torch.allclose(output, whole[:, k], atol=1e-5)
        for b, count in enumerate((1, 9, 33)):  # what comes after, be it padding, changes nothing
            assert torch.allclose(
                net.hidden(x[b : b + 1, :count], times[b : b + 1, :count]), whole[b, :count], atol=1e-5
            )
        later = net.hidden(x, times + 5.0)
        assert torch.allclose(later, whole, atol=1e-4)


def test_a_transformer_takes_whole_heads():
    with pytest.raises(ValueError, match="--units 20: a transformer needs a multiple of 8"):
        Learner(CONFIG | {"model": "transformer", "units": 20})


# --- files ------------------------------------------------------------------------------------------------------------


def test_weights_read_back_as_they_were_but_for_their_rounding(trained):
    info, tensors_ = weights.read(trained["gru"])
    assert info["model"] == "gru" and info["sports"] == {"table_tennis": 2} and info["shape"]["units"] == 24
    assert info["features"] == weights.FEATURES_VERSION and info["frames"] == 0
    assert len(tensors_) == 20 and all(a.dtype == np.float32 for a in tensors_.values())


def damaged(path, trained, how):
    from safetensors.numpy import load, save

    content = trained["gru"].read_bytes()
    info, parts = weights.read_metadata(content), load(content)
    if how == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif how == "a pickle":
        path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/ballcast-pwned'\ntR.")
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "another format":
        import json

        path.write_bytes(save(parts, {"ballcast": json.dumps(info | {"format": 99})}))
    elif how == "no description":
        path.write_bytes(save(parts))
    return path


@pytest.mark.parametrize("how", ["cut short", "a pickle", "empty", "another format", "no description", "not there"])
def test_a_file_that_holds_no_weights_is_refused_in_a_line(tmp_path, trained, how):
    path = damaged(tmp_path / "bad.safetensors", trained, how)
    with pytest.raises(ValueError, match="bad.safetensors") as caught:
        models.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number, cure", [(1, "train them again with train.py"), (99, "a newer Ballcast may read")])
def test_weights_of_another_format_say_what_to_do(tmp_path, trained, number, cure):
    info, tensors = weights.read(trained["gru"])
    weights.save(tmp_path / "w.safetensors", tensors, info | {"format": number})
    with pytest.raises(ValueError, match=f"format {number}, and this Ballcast reads format 2; {cure}"):
        models.load(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    "version, more, command",
    [
        (99, {}, "python train.py --model gru --sport all"),
        (1, {"model": "lstm", "predictor": "lstm"}, "python train.py --model lstm --sport table_tennis"),
        (None, {"sports": {"tennis": 1}, "predictor": "mingru"}, "python train.py --model mingru --sport tennis"),
    ],
)
def test_weights_of_other_features_are_refused_with_the_command_that_trains(tmp_path, trained, version, more, command):
    info, tensors = weights.read(trained["gru"])
    weights.save(tmp_path / "w.safetensors", tensors, info | more | {"features": version})
    with pytest.raises(ValueError) as caught:
        models.load(tmp_path / "w.safetensors")
    found, own = f"features of version {version}", f"version {weights.FEATURES_VERSION}"
    assert found in str(caught.value) and own in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).endswith(f"train them anew: {command}")


def test_weights_that_learnt_from_several_sports_serve_every_sport(tmp_path, histories):
    learner = Learner(CONFIG | {"sport": ["tennis", "room"]})
    learner.step(learner.batches[0], 1e-2, 1.0)
    path = tmp_path / "several.safetensors"
    learner.save(path, 1, {"belief": 0.0}, 123)
    info, tensors = weights.read(path)
    own = {"path": [4.0] * HORIZONS, "landing": 4.0, "flown": [4.0] * HORIZONS, "flown_landing": 4.0}
    weights.save(path, tensors, info | {"widen": {"sports": {"tennis": own}}})
    assert info["frames"] == 123 and info["sports"] == {"tennis": 1, "room": 1} and info["random_sports"] == 0
    for name in ("gru", "gru_physics"):
        for sport in ("golf", sim.random_sport(2, purpose="test"), sim.load("soccer").replace(gravity=1.6)):
            forecast = models.load(f"{path}:{name}", sport).forecast(histories[1], histories[1].time[-1] + [0.1, 0.4])
            assert np.isfinite(forecast.mean).all() and np.linalg.eigvalsh(forecast.covariance).min() > 0
    factors = [models.load(f"{path}:gru", sport).output_scaling.variance_factor[1] for sport in ("tennis", "room")]
    assert factors == [4.0, 1.0]


def test_weights_of_another_sport_or_model_are_refused(trained):
    with pytest.raises(ValueError, match="weights for table_tennis version 2, not for tennis"):
        models.load(f"{trained['gru']}:gru", "tennis")
    with pytest.raises(ValueError, match="weights of gru, not of lstm"):
        models.load(f"{trained['gru']}:lstm")
    with pytest.raises(ValueError, match="has no weights for room"):
        models.load("lstm", "room")
