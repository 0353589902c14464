"""The repository: pins are complete, the Makefile installs and runs what it should, documents match the files."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import source
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
    for folder in (".", "docs", "lessons")
    for file in sorted((ROOT / folder).glob("*.md"))
}
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
    installed = {canonicalize_name(distribution.name) for distribution in metadata.distributions()}
    extras = [need for part in ("lint", "train", "report", "export", "docs") for need in NEEDS[part]]
    extras = [need for need in extras if canonicalize_name(Requirement(need).name) in installed]
    todo, checked = [Requirement(need) for need in NEEDS["core"] + NEEDS["test"] + extras], set()
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


def test_the_changelog_begins_with_unreleased_changes_and_then_this_version():
    heads = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads[0] == "Unreleased" and heads[1:2] in ([], [PROJECT["version"]])


# --- the Makefile -----------------------------------------------------------------------------------------------------


@pytest.fixture
def make(tmp_path):
    """Run make in a copy of the repository, a path with spaces, whose pip only records what it was asked to install."""
    if not shutil.which("make"):
        pytest.skip("no make here")
    checkout = tmp_path / "a checkout"
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copyfile(ROOT / name, checkout / name)
    python.write_text(
        "#!/bin/sh\n"
        'case "$*" in "-m pip install"*) echo "$*" >>installs; exit ${PIP_EXIT:-0};; esac\n'
        'case "$*" in "-m "*|play.py*) echo "ran $*"; exit;; esac\n'
        f'exec "{sys.executable}" "$@"\n'
    )
    python.chmod(0o755)

    def run(*arguments, **environment):
        (checkout / "installs").unlink(missing_ok=True)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS", "VENV"))}
        done = subprocess.run(
            ["make", *arguments], cwd=checkout, env=clean | environment, capture_output=True, text=True
        )
        installs = (checkout / "installs").read_text() if (checkout / "installs").exists() else ""
        return done, installs

    run.checkout = checkout
    return run


def test_a_target_installs_what_it_needs_once(make):
    done, installs = make("play", 'ARGS=--frames 3 --screenshot "my out.png"')
    assert done.stdout == "ran play.py --frames 3 --screenshot my out.png\n"
    assert "-c constraints.txt" in installs and "pygame-ce" in installs
    assert "pytest" not in installs and "ruff" not in installs and "torch" not in installs
    done, installs = make("play")
    assert not installs and done.stderr == ""
    assert "pytest" in make("test")[1] and "ruff" in make("lint")[1]
    assert "mkdocs-material" in make("docs")[1]
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
    with open(make.checkout / "constraints.txt", "a") as file:
        file.write("# another day\n")
    assert "ruff" in make("lint")[1]


def test_a_failed_install_is_tried_again(make):
    done, _ = make("lint", PIP_EXIT="1")
    assert done.returncode == 2 and "ran" not in done.stdout
    assert "ruff" in make("lint")[1]


def test_without_a_python_it_says_so_in_a_line(make):
    shutil.rmtree(make.checkout / ".venv")
    done, _ = make("lint", "PYTHON=/none/python")
    messages = [line for line in done.stderr.splitlines() if "make" not in line]
    assert done.returncode == 2 and "/none/python is not Python 3.11 to 3.14" in messages[-1]
    assert not (make.checkout / ".venv").exists()


# --- documents --------------------------------------------------------------------------------------------------------


def test_the_documents_name_the_targets_of_make_and_no_others():
    targets = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())
    in_makefile = set(re.findall(r"[a-z]+", re.search(r"^# make ([a-z |]+)", MAKEFILE)[1]))
    in_documents = {name for text in DOCUMENTS.values() for name in re.findall(r"`make ([a-z]+)", text)}
    assert in_makefile == in_documents == targets


def tree():
    """The paths named by the file tree in docs/architecture.md: an indented line is in the folder above it.

    A line names one or more files or folders (these end in a slash), then says what they are.
    """
    named, folders = set(), []  # folders: (indent, path) of those the line is in
    for line in re.search(r"```text\n(.+?)```", DOCUMENTS["docs/architecture.md"], re.DOTALL)[1].splitlines():
        indent = len(line) - len(line.lstrip())
        folders = [(outer, path) for outer, path in folders if outer < indent]
        for name in itertools.takewhile(re.compile(r"[\w.*/-]*(\.\w+|/)$").match, line.split()):
            path = (folders[-1][1] if folders else "") + name
            named.add(path)
            if name.endswith("/"):
                folders.append((indent, path))
    return named


def test_the_tree_in_the_architecture_is_the_repository():
    named = tree()
    missing = sorted(name for name in named if not list(ROOT.glob(name)))
    assert not missing, f"in the tree of docs/architecture.md but not on the disk: {missing}"
    modules = {name for name in source.files(tests=False) if not name.rpartition("/")[2].startswith("__")}
    modules |= {name.rpartition("/")[0] + "/" for name in source.files(tests=False) if "/" in name}
    assert modules <= named, f"on the disk but not in the tree of docs/architecture.md: {sorted(modules - named)}"
