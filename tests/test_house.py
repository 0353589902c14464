"""The house: the Makefile does what it says, the pins are complete, and the README tells the truth."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDS = {"core": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}


def pins():
    """Package -> version, from constraints.txt."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    return {canonicalize_name(line.partition("==")[0]): Requirement(line).specifier for line in lines if line}


# --- pins and versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", NEEDS)
def test_every_dependency_is_pinned_within_its_range(part):
    for need in map(Requirement, NEEDS[part]):
        (pin,) = pins()[canonicalize_name(need.name)]
        assert pin.operator == "==" and need.specifier.contains(pin.version), f"{need} against {pin}"


def test_what_the_dependencies_need_is_pinned_too():
    todo, checked = [Requirement(need) for need in NEEDS["core"] + NEEDS["test"]], set()
    while todo:
        need = todo.pop()
        name = canonicalize_name(need.name)
        if name not in checked and (need.marker is None or need.marker.evaluate({"extra": ""})):
            checked.add(name)
            todo += map(Requirement, metadata.requires(name) or [])
    assert checked <= pins().keys(), f"not in constraints.txt: {checked - pins().keys()}"


def test_the_makefile_takes_the_pythons_that_pyproject_takes():
    low, high = re.search(r"not \(3, (\d+)\) <= sys.version_info\[:2\] < \(3, (\d+)\)", MAKEFILE).groups()
    assert PROJECT["requires-python"] == f">=3.{low},<3.{high}"


def test_the_changelog_is_headed_by_what_is_unreleased_then_by_this_version():
    heads = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads[0] == "Unreleased" and heads[1:2] in ([], [PROJECT["version"]])


# --- the Makefile -----------------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path):
    """Run make in a copy of the house (a path with spaces) whose pip only writes down what it was asked to install."""
    if not shutil.which("make"):
        pytest.skip("no make here")
    house = tmp_path / "a house"
    python = house / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copyfile(ROOT / name, house / name)
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in "-m pip install"*) echo "$*" >>installs; exit ${PIP_EXIT:-0};; esac\n'
        'case "$*" in "-m "*|play.py*) echo "ran $*"; exit;; esac\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)

    def run(*arguments, **environment):
        (house / "installs").unlink(missing_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "VENV"))}
        done = subprocess.run(["make", *arguments], cwd=house, env=clean | environment, capture_output=True, text=True)
        installs = (house / "installs").read_text() if (house / "installs").exists() else ""
        return done, installs

    run.house = house
    return run


def test_a_target_installs_what_it_needs_once(make):
    done, installs = make("play", 'ARGS=--frames 3 --screenshot "my out.png"')
    assert done.stdout == "ran play.py --frames 3 --screenshot my out.png\n"
    assert "-c constraints.txt" in installs and "pygame-ce" in installs
    assert "pytest" not in installs and "ruff" not in installs and "torch" not in installs
    done, installs = make("play")
    assert not installs and done.stderr == ""
    assert "pytest" in make("test")[1] and "ruff" in make("lint")[1]
    assert not make("test")[1] and not make("setup")[1]


@pytest.mark.parametrize("target, folder", (("lessons", "lessons"), ("bench", "benchmarks")))
def test_a_target_of_many_runs_them_one_by_one(make, target, folder):
    done, _ = make(target)
    ran = re.findall(rf"^ran -m {folder}\.(\w+)\s*$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and len(ran) > 7 and len(ran) == len(set(ran)) == len(done.stdout.splitlines())
    assert all((ROOT / folder / f"{name}.py").exists() for name in ran)
    pages = {page.stem for page in (ROOT / folder).glob("[a-z]*.md")}
    assert pages <= set(ran)


def test_changed_pins_make_the_environment_stale(make):
    make("lint")
    with open(make.house / "constraints.txt", "a") as file:
        file.write("# another day\n")
    assert "ruff" in make("lint")[1]


def test_a_failed_install_is_tried_again(make):
    done, _ = make("lint", PIP_EXIT="1")
    assert done.returncode == 2 and "ran" not in done.stdout
    assert "ruff" in make("lint")[1]


def test_without_a_python_it_says_so_in_a_line(make):
    shutil.rmtree(make.house / ".venv")
    done, _ = make("lint", "PYTHON=/none/python")
    messages = [line for line in done.stderr.splitlines() if "make" not in line]
    assert done.returncode == 2 and "/none/python is not Python 3.11 to 3.14" in messages[-1]
    assert not (make.house / ".venv").exists()


# --- the README -------------------------------------------------------------------------------------------------------


def test_the_readme_names_the_targets_of_make_and_no_others():
    targets = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())
    assert set(re.findall(r"make ([a-z]+)", README)) == targets


def test_the_files_that_the_readme_shows_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_tree_in_the_readme_is_the_repository():
    """Every module stands in the tree, and every name in the tree stands on the disk."""
    named, folder = set(), ""
    for line in re.search(r"```text\n(.+?)```", README, re.DOTALL)[1].splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else name if name.endswith("/") else ""
        named.add(name if name == folder else folder + name)
    missing = [name for name in named if not list(ROOT.glob(name))]
    assert not missing, f"in the tree but not on the disk: {missing}"
    modules = {path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.py"), *ROOT.glob("[a-z]*/*.py")]}
    modules = {name for name in modules if not name.startswith("tests/") and not name.split("/")[-1].startswith("__")}
    assert modules <= named, f"on the disk but not in the tree: {modules - named}"


def test_the_python_in_the_readme_runs(tmp_path):
    code = re.search(r"```python\n(.+?)```", README, re.DOTALL)[1]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
