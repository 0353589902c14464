"""ballcast.data: the balls of sim.draw and of sets, as tensors."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from torch.utils.data import DataLoader  # noqa: E402

from ballcast import data, sim  # noqa: E402
from ballcast.data import FreshBalls, SetBalls  # noqa: E402
from ballcast.sim.sets import write_set  # noqa: E402

COLUMNS = {
    "seen": (96,), "time": (96,), "position": (96, 3), "truth_position": (96, 3), "truth_velocity": (96, 3),
    "truth_spin": (96, 3), "future": (96, 2, 3), "launch_position": (3,), "launch_velocity": (3,), "launch_spin": (3,),
    "parameters": (6,), "rate": (), "noise": (3,), "jitter": (), "number": (),
}  # fmt: skip


def test_the_columns_are_those_of_the_page_and_hold_the_balls_of_draw():
    (batch,) = DataLoader(FreshBalls("table_tennis", horizons=(1e-9, 0.1), first=60, count=6), batch_size=6)
    assert {name: tuple(a.shape[1:]) for name, a in batch.items()} == COLUMNS
    assert {a.dtype for name, a in batch.items() if name != "number"} == {torch.float32}
    balls = sim.draw(sim.load("table_tennis"), 6, first=60)
    for n, (a, b) in enumerate(zip(balls.offsets, balls.offsets[1:])):
        count = min(b - a, 96)
        assert batch["seen"][n].sum() == count and batch["seen"][n, :count].all()
        np.testing.assert_allclose(batch["position"][n, :count], balls.position[a : a + count], rtol=1e-6)
        np.testing.assert_allclose(batch["time"][n, :count], balls.time[a : a + count] - balls.time[a], atol=1e-6)
        assert not batch["position"][n, count:].any() and not batch["future"][n, count:].any()
    np.testing.assert_allclose(batch["future"][:, :, 0], batch["truth_position"], atol=1e-5)
    later = balls.flight(np.array([[balls.time[a + 5] + 0.1] for a in balls.offsets[:-1]])).position[:, 0]
    np.testing.assert_allclose(batch["future"][:, 5, 1], later, atol=1e-5)
    with open("docs/data.md", encoding="utf-8") as page:
        documented = page.read()
    assert all(f"| `{name}` |" in documented for name in COLUMNS)


def test_the_program_of_the_page_runs(capsys):
    with open("docs/data.md", encoding="utf-8") as page:
        exec(re.search(r"```python\n(.+?)```", page.read(), re.DOTALL)[1], {})
    assert capsys.readouterr().out == "torch.Size([64, 96, 3]) torch.Size([64, 96, 3, 3])\n"


def test_workers_and_processes_share_the_balls_and_splits_do_not(monkeypatch):
    monkeypatch.setattr(data, "BLOCK", 4)
    whole = [ball["number"].item() for ball in FreshBalls("room", count=19)]
    assert whole == list(range(19))
    parts = []
    for rank in range(2):
        for worker in range(2):
            info = type("Info", (), {"id": worker, "num_workers": 2})
            monkeypatch.setattr(data, "get_worker_info", lambda info=info: info)
            parts += [ball["number"].item() for ball in FreshBalls("room", count=19, rank=rank, ranks=2)]
    assert sorted(parts) == whole
    monkeypatch.setattr(data, "get_worker_info", lambda: None)
    first = {split: next(iter(FreshBalls("room", split)))["position"] for split in data.SPLITS}
    assert not any(torch.equal(a, b) for k, a in first.items() for m, b in first.items() if k < m)
    assert torch.equal(first["test"], next(iter(FreshBalls("room", "test")))["position"])


def test_a_set_gives_its_balls_once(tmp_path):
    write_set(tmp_path / "set.npz", "room", 12, purpose="train")
    stored = SetBalls(tmp_path / "set.npz", frames=20, first=2)
    assert len(stored) == 10
    for ball, fresh in zip(stored, FreshBalls("room", frames=20, first=2, count=10), strict=True):
        assert all(torch.equal(ball[name], fresh[name]) for name in fresh)


@pytest.mark.parametrize(
    "options, why",
    [({"split": "mine"}, "there are train"), ({"count": 0}, "at least 1"), ({"horizons": (0.0,)}, "above 0"),
     ({"horizons": 0.2}, "a sequence of seconds"), ({"rank": 2, "ranks": 2}, "from 0 to 1")],
)  # fmt: skip
def test_wrong_options_are_refused(options, why):
    with pytest.raises(ValueError, match=why):
        FreshBalls("room", **options)
    with pytest.raises(TypeError, match="no end"):
        len(FreshBalls("room"))
