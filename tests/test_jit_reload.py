"""A kernel loaded from the disk loads the kernels it calls, also through pieces that were not compiled with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BOTTOM = """
from typing import NamedTuple
from ballcast.sim.jit import inlined, kernel

class Record(NamedTuple):
    factor: float

@kernel
def leaf(record, x):
    return record.factor * x + 1.0

@inlined
def piece(record, x):
    return leaf(record, x) + 1.0
"""
TOP = """
from ballcast.sim.jit import compiled_here, kernel
from toy_cache.bottom import Record, piece

@kernel
def top(x):
    return piece(Record(2.0), x) * 10.0

print(top(1.0), compiled_here())
"""


@pytest.fixture
def toy(tmp_path):
    """Write a module of the package `toy_cache` and run its top: what it prints."""
    folder = tmp_path / "toy_cache"
    folder.mkdir()
    (folder / "__init__.py").touch()
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(**modules):
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        command = [sys.executable, "-c", "import toy_cache.top"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_a_caller_compiled_with_pieces_from_the_disk_loads_their_kernels(toy):
    toy(bottom=BOTTOM, top=TOP)
    assert toy(top=TOP.replace("10.0", "20.0")) == ["80.0", "True"]
    assert toy() == ["80.0", "False"]
