"""Sets in a file: the same balls to the bit, slices joined are the whole, broken files are refused in a line."""

import dataclasses

import numpy as np
import pytest

import sim
from sim.sets import join_sets, open_set, write_set


@pytest.fixture
def whole(tmp_path):
    write_set(tmp_path / "whole.npz", "table_tennis", 60, seed=3)
    return tmp_path / "whole.npz"


def test_a_set_holds_what_draw_gives(whole):
    found, drawn = (
        open_set(whole).balls(17, 20),
        sim.draw(sim.load("table_tennis"), 20, first=17, seed=3, purpose="data"),
    )
    for field in dataclasses.fields(sim.Balls):
        if field.name != "sport":
            assert np.array_equal(getattr(found, field.name), getattr(drawn, field.name)), field.name
    assert found.sport == drawn.sport
    with np.load(whole) as plain:
        assert plain["position"].shape == (plain["offsets"][-1], 3)


def test_slices_joined_are_the_whole_byte_for_byte(whole, tmp_path):
    write_set(tmp_path / "a.npz", "table_tennis", 25, seed=3)
    write_set(tmp_path / "b.npz", "table_tennis", 35, first=25, seed=3)
    join_sets(tmp_path / "joined.npz", [tmp_path / "b.npz", tmp_path / "a.npz"])
    assert (tmp_path / "joined.npz").read_bytes() == whole.read_bytes()
    assert len([p for p in tmp_path.iterdir() if not p.name.endswith(".npz")]) == 0, "nothing is left lying about"


def test_slices_that_do_not_fit_are_refused(whole, tmp_path):
    write_set(tmp_path / "far.npz", "table_tennis", 5, first=70, seed=3)
    write_set(tmp_path / "other.npz", "table_tennis", 5, first=60, seed=4)
    with pytest.raises(ValueError, match="begins with ball 70"):
        join_sets(tmp_path / "joined.npz", [whole, tmp_path / "far.npz"])
    with pytest.raises(ValueError, match="its seed"):
        join_sets(tmp_path / "joined.npz", [whole, tmp_path / "other.npz"])
    assert not (tmp_path / "joined.npz").exists()


def test_files_that_are_no_sets_are_refused(whole, tmp_path):
    cut, plain, packed = tmp_path / "cut.npz", tmp_path / "plain.npz", tmp_path / "packed.npz"
    cut.write_bytes(whole.read_bytes()[:20000])
    np.savez(plain, a=np.zeros(3))
    np.savez_compressed(packed, info=np.zeros(3))
    for bad in (cut, plain, packed):
        with pytest.raises(ValueError, match=f"{bad.name}: not a set"):
            open_set(bad)
    with pytest.raises(ValueError, match="no such file"):
        open_set(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="holds balls 0 to 60"):
        open_set(whole).balls(50, 20)


def test_a_writer_that_is_stopped_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path / "set.npz", "table_tennis", 10, progress=stop)
    assert list(tmp_path.iterdir()) == []
