"""The layers: imports point down only, heavy libraries stay where they belong, and play.py starts without torch."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {  # package or script -> those of ours it may import besides itself; `command` imports nothing of ours
    "sim": {"command"},
    "tracks": set(),
    "render": {"sim"},
    "models": {"command", "sim", "tracks"},
    "vision": {"command", "sim", "tracks", "render", "models"},
    "env": {"sim", "render", "models"},
    "evaluation": {"command", "sim", "tracks", "models", "vision"},
    "viewer": {"command", "sim", "tracks", "render", "models", "vision"},
    "ballcast": {"warm_up", "sim", "tracks", "render", "models", "vision", "evaluation", "viewer"},
    "lessons": {"sim", "tracks", "models", "evaluation"},
    "benchmarks": {"sim", "tracks", "render", "models", "env", "vision", "evaluation", "viewer"},
    "examples": {"sim", "tracks", "models"},
    "tools": {"sim", "models"},
    "play": {"viewer"},
    "train": {"models"},
    "evaluate": {"evaluation"},
}
MAY_IMPORT_INSIDE = {  # part of a package -> the parts of it that it may import; a part is a folder, or a file
    "sim": {
        "kernels": {"jit"},
    },
    "models": {
        "contract": set(),
        "estimation": {"contract"},
        "encoding": {"estimation"},
        "runtime": set(),
        "registry": {"contract", "runtime"},
        "predictors": {"contract", "registry", "estimation", "encoding", "runtime"},
        "nets": {"encoding", "runtime", "registry"},
        "training": {"contract", "registry", "estimation", "encoding", "runtime", "nets"},
    },
    "viewer": {
        "playback": set(),
        "options": set(),
        "film": set(),
        "keys": set(),
        "game": {"playback"},
        "panels": {"playback", "keys", "game", "options"},
        "picture": {"panels", "options", "playback"},
        "calibration": {"panels"},
        "clip": {"film", "panels"},
    },
}
LIVES_IN = {  # library -> the only places that import it
    "pygame": ("viewer/", "benchmarks/viewer_soak.py"),
    "torch": (
        "models/nets/",
        "models/training/",
        "vision/training/",
        "ballcast/data.py",
        "lessons/",
        "examples/own_model.py",
        "benchmarks/train_speed.py",
        "benchmarks/scan_speed.py",
        "benchmarks/gpu_speed.py",
        "benchmarks/gpu_training.py",
    ),
    "mujoco": ("benchmarks/",),
    "cv2": ("vision/", "benchmarks/court_finder.py", "benchmarks/detection.py", "benchmarks/following.py"),
    "gymnasium": ("env/", "benchmarks/catch.py"),
    "rerun": ("render/rerun_file.py",),
    "h5py": ("tracks/hdf5.py",),
    "yaml": ("tracks/yaml_file.py",),
    "matplotlib": (
        "evaluation/figures.py",
        "evaluation/identification_report.py",
        "lessons/page.py",
        "lessons/boxes.py",
    ),
    "jinja2": ("evaluation/report.py", "evaluation/leaderboard.py"),
}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for owner in MAY_IMPORT
    for path in [*(ROOT / owner).rglob("*.py"), *ROOT.glob(f"{owner}.py")]
)


def imported(file):
    """The modules that a file imports, anywhere in it; of a name taken from a package, package.name."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"), file)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports are not used here"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def ours(file):
    """Of those the ones in the package ballcast, without its name."""
    return {name.removeprefix("ballcast.") for name in imported(file) if name.startswith("ballcast.")}


@pytest.mark.parametrize("file", FILES)
def test_imports_point_down(file):
    owner = file.partition("/")[0].removesuffix(".py")
    packages = {name.partition(".")[0] for name in ours(file)}
    up = packages - MAY_IMPORT[owner] - {owner, "command", "__version__"}
    assert not up, f"{file} imports {', '.join(sorted(up))}, which stands beside or above it"


@pytest.mark.parametrize("file", FILES)
def test_heavy_libraries_stay_where_they_live(file):
    for library in {name.partition(".")[0] for name in imported(file)} & LIVES_IN.keys():
        assert file.startswith(LIVES_IN[library]), f"{library} is imported in {', '.join(LIVES_IN[library])} alone"


@pytest.mark.parametrize("file", [f for f in FILES if f.partition("/")[0] in MAY_IMPORT_INSIDE])
def test_imports_within_a_package_point_down(file):
    package, _, rest = file.partition("/")
    rules, own = MAY_IMPORT_INSIDE[package], rest.partition("/")[0].removesuffix(".py")
    parts = {name.split(".")[1] for name in ours(file) if name.startswith(f"{package}.")} & rules.keys()
    assert own not in rules or parts <= rules[own] | {own}, f"{file} imports {parts - rules[own] - {own}}"


def test_every_rule_is_about_something_that_is_there():
    named = [*MAY_IMPORT, *(f"{package}/{part}" for package, parts in MAY_IMPORT_INSIDE.items() for part in parts)]
    named += [place.removesuffix(".py") for places in LIVES_IN.values() for place in places]
    missing = [name for name in named if not ((ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file())]
    assert not missing and len(FILES) > 100


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
        ("models, viewer", {"torch", "mujoco", "matplotlib", "cv2"}),
        ("vision", {"torch", "pygame", "cv2"}),
    ],
)
def test_an_import_brings_in_no_more_than_it_needs(modules, without):
    code = f"import sys; from ballcast import {modules}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert not without & set(run.stdout.split())
