"""Files of compiled code that a stopped process, or two at once, leave behind are never run for other code."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from ballcast.sim import jit

SOURCE = """
from typing import NamedTuple

from ballcast.sim.jit import kernel


class {record}(NamedTuple):
    factor: float


@kernel
def scaled(x, record=None):
    return x[0] * {factor}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(factor, record="Record"):
        (tmp_path / "scaling.py").write_text(SOURCE.format(factor=factor, record=record))
        sys.modules.pop("scaling", None)
        importlib.invalidate_caches()
        for cached in (jit.closure_digest, jit._imported):
            cached.cache_clear()
        return importlib.import_module("scaling").scaled

    yield load
    sys.modules.pop("scaling", None)


def files(function, suffix):
    return sorted(Path(function._cache.cache_path).glob(f"*scaled-*{suffix}"))


def test_an_index_without_its_code_takes_no_code_of_an_older_source(load):
    old = load(2.0)
    assert old(np.ones(2)) == 2.0
    kept = {file: file.read_bytes() for file in files(old, ".nbc")}
    assert kept
    new = load(3.0)
    assert new(np.ones(2)) == 3.0
    assert len(files(new, ".nbi")) == 1, "files of older sources are removed"
    for file in files(new, ".nbc"):
        file.unlink()  # as if the process was stopped before it wrote them
    for file, content in kept.items():
        file.write_bytes(content)
    assert load(3.0)(np.ones(2)) == 3.0


def test_code_of_another_signature_is_not_loaded(load):
    first = load(2.0)
    first(np.ones(2))
    (file,) = files(first, ".nbc")
    contiguous = file.read_bytes()
    file.unlink()
    files(first, ".nbi")[0].unlink()
    second = load(2.0)
    second(np.ones(4)[::2])
    (file,) = files(second, ".nbc")
    file.write_bytes(contiguous)  # both processes chose the same name, and the other wrote last
    third = load(2.0)
    assert third(np.array([1.0, 0.0, 3.0])[::2]) == 2.0
    assert [sig[0].layout for sig in third.signatures] == ["A"]


def test_an_index_of_an_older_source_may_name_a_class_that_is_gone(load):
    old = load(2.0)
    assert old(np.ones(2), sys.modules["scaling"].Record(1.0)) == 2.0
    new = load(2.0, record="Renamed")
    assert new(np.ones(2), sys.modules["scaling"].Renamed(1.0)) == 2.0
