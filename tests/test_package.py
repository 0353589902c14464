"""The package: what a wheel holds, which imports work, and the command `ballcast`. Nothing is built or downloaded."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ballcast
from ballcast.__main__ import SUBCOMMANDS
from tools import typecheck

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETTINGS = PROJECT["tool"]["setuptools"]
OUTSIDE = {"tests", "lessons", "examples", "benchmarks", "tools"}  # folders of Python files that are not installed
CACHES = {".nbi", ".nbc", ".pyc"}


def files_by_package():
    """Package -> the files of its folder and of folders without Python files below it."""
    found = {}
    for top in sorted({file.relative_to(ROOT).parts[0] for file in ROOT.glob("[a-z]*/*.py")} - OUTSIDE):
        packages = {file.parent for file in (ROOT / top).rglob("*.py")}
        for file in (ROOT / top).rglob("*"):
            if file.is_file() and file.suffix not in CACHES and "__pycache__" not in file.parts:
                folder = next(parent for parent in file.parents if parent in packages)
                name = ".".join(folder.relative_to(ROOT).parts)
                found.setdefault(name if top == "ballcast" else f"ballcast.{name}", []).append(file)
    return found


FILES = files_by_package()


def python(code, *, path=ROOT, folder=None, **environment):
    """Run Python's `-c code` in another process: (exit status, standard output, standard error)."""
    environment = os.environ | {"PYTHONPATH": str(path)} | environment
    run = subprocess.run([sys.executable, *code], cwd=folder, env=environment, capture_output=True, text=True)
    return run.returncode, run.stdout, run.stderr


@pytest.fixture
def crowded(tmp_path):
    """A user's folder with packages of the same names as ours."""
    for name in ("sim", "models", "viewer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the local package was imported')")
    return tmp_path


def test_the_packages_of_a_wheel_are_the_folders_with_python_files():
    assert SETTINGS["packages"] == sorted(FILES)
    tops = {name.split(".")[1] for name in FILES if "." in name}
    assert SETTINGS["package-dir"] == {f"ballcast.{top}": top for top in tops}


@pytest.mark.parametrize("package", FILES)
def test_a_wheel_holds_every_file_of_a_package(package):
    root = ROOT / package if package == "ballcast" else ROOT / Path(*package.split(".")[1:])
    held = {file for pattern in SETTINGS["package-data"].get(package, ()) for file in root.glob(pattern)}
    missing = [file for file in FILES[package] if file.suffix != ".py" and file not in held]
    assert not missing, f"name them in [tool.setuptools.package-data] of pyproject.toml: {missing}"
    assert root / "__init__.py" in FILES[package]


def test_a_top_level_package_refuses_its_short_name():
    names = [name.removeprefix("ballcast.") for name in SETTINGS["package-dir"]]
    code = f"for name in {names}:\n try: __import__(name)\n except ImportError as error: print(error)"
    _, output, errors = python(["-c", code], folder=ROOT)
    lines = [f"this package is ballcast.{name}: write `from ballcast import {name}`" for name in names]
    assert output.splitlines() == lines, errors


def test_the_layout_of_a_wheel_works_beside_packages_of_the_same_names(tmp_path, crowded):
    installed = tmp_path / "site"
    installed.mkdir()
    typecheck.stage(installed)
    code = "from ballcast import models, sim, viewer; print(models.__file__, *sim.names())"
    status, output, errors = python(["-c", code], path=installed, folder=crowded, XDG_CACHE_HOME=str(tmp_path))
    assert status == 0, errors
    assert output.startswith(str(installed / "ballcast" / "models")) and "table_tennis" in output


def test_the_version_stands_in_pyproject_alone():
    assert ballcast.__version__ == PROJECT["project"]["version"]
    status, output, _ = python(["-m", "ballcast", "--version"], folder=Path("/"))
    assert status == 0 and output == f"ballcast {ballcast.__version__} from {ROOT / 'ballcast'}\n"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ballcast.nothing


def test_the_command_is_installed():
    assert PROJECT["project"]["scripts"] == {"ballcast": "ballcast.__main__:main"}


def test_the_command_names_its_subcommands_and_imports_none_of_them():
    code = "import sys; sys.argv[1:] = ['--help']; from ballcast.__main__ import main; main(); print(*sys.modules)"
    status, output, errors = python(["-c", code])
    text, _, modules = output.rstrip().rpartition("\n")
    assert status == 0 and not {"numpy", "tyro", "importlib.metadata"} & set(modules.split()), errors
    assert all(f"\n  {name} " in text for name in SUBCOMMANDS)


@pytest.mark.parametrize("arguments, expected", [([], "name a command"), (["fly"], "there is no command 'fly'")])
def test_an_unknown_subcommand_ends_with_a_line_that_lists_those_there_are(arguments, expected):
    status, _, errors = python(["-m", "ballcast", *arguments])
    assert status == 2 and errors.startswith(f"ballcast: {expected}: play, train") and errors.count("\n") == 1


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_a_subcommand_explains_itself_under_its_name(name, crowded):
    status, output, errors = python(["-m", "ballcast", name, "--help"], folder=crowded)
    assert status == 0 and f"usage: ballcast {name}" in output, errors


def test_a_mistake_is_reported_under_the_name_of_the_subcommand():
    status, _, errors = python(["-m", "ballcast", "play", "--frames", "-1"])
    assert (status, errors) == (2, "ballcast play: --frames -1: 0 or more\n")


def test_a_missing_extra_ends_with_a_line_that_names_it():
    code = """
import sys
from ballcast.__main__ import main

class NoTorch:
    def find_spec(name, *_):
        if name == "torch":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, NoTorch)
sys.argv[1:] = ["train", "--steps", "1", "--out", "none"]
main()"""
    status, _, errors = python(["-c", code])
    line = "ballcast train: torch is not installed: pip install torch, or ballcast[train]\n"
    assert (status, errors) == (2, line)
