"""The layers: imports point down only, heavy libraries stay where they belong, and play.py starts without torch."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {  # package or script -> those of ours it may import besides itself
    "command": set(),
    "sim": {"command"},
    "tracks": set(),
    "models": {"command", "sim", "tracks"},
    "evaluation": {"sim", "tracks", "models"},
    "viewer": {"sim", "tracks", "models"},
    "lessons": {"sim", "tracks", "models", "evaluation"},
    "benchmarks": {"sim", "tracks", "models", "evaluation", "viewer"},
    "play": {"command", "sim", "tracks", "models", "viewer"},
    "train": {"command", "sim", "tracks", "models"},
    "evaluate": {"command", "sim", "tracks", "models", "evaluation"},
}
LIVES_IN = {  # library -> the only places that import it
    "pygame": ("viewer/", "benchmarks/viewer_soak.py"),
    "torch": ("models/nets/", "train.py", "lessons/"),
    "mujoco": ("benchmarks/",),
    "matplotlib": ("evaluation/figures.py", "lessons/page.py"),
    "jinja2": ("evaluation/report.py", "evaluation/leaderboard.py"),
}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for owner in MAY_IMPORT
    for path in [*(ROOT / owner).rglob("*.py"), *ROOT.glob(f"{owner}.py")]
)


def imported(file):
    """The top-level modules that a file imports, anywhere in it; relative imports are its own package's."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"), file)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("file", FILES)
def test_imports_point_down(file):
    owner = file.partition("/")[0].removesuffix(".py")
    up = (imported(file) & MAY_IMPORT.keys()) - MAY_IMPORT[owner] - {owner}
    assert not up, f"{file} imports {', '.join(sorted(up))}, which stands beside or above it"


@pytest.mark.parametrize("file", FILES)
def test_heavy_libraries_stay_where_they_live(file):
    for library in imported(file) & LIVES_IN.keys():
        assert file.startswith(LIVES_IN[library]), f"{library} is imported in {', '.join(LIVES_IN[library])} alone"


def test_no_module_lies_outside_the_layers():
    top = {
        path.name.removesuffix(".py")
        for path in [*ROOT.glob("*.py"), *(init.parent for init in ROOT.glob("*/__init__.py"))]
    }
    assert top <= MAY_IMPORT.keys()
    assert not (ROOT / "tests" / "__init__.py").exists(), "tests stay flat, or `import sim` finds tests/sim"


@pytest.mark.parametrize(
    "modules, without",
    [
        ("tracks", {"scipy", "numba", "pygame", "torch"}),
        ("sim", {"pygame", "torch", "mujoco", "matplotlib"}),
        ("models, viewer", {"torch", "mujoco", "matplotlib"}),
    ],
)
def test_an_import_brings_in_no_more_than_it_needs(modules, without):
    code = f"import {modules}, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert not without & set(run.stdout.split())
