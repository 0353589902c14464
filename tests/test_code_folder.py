"""Where compiled code is kept: every way in which no folder can be written ends in one note and a working program."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ballcast.sim import code_folder

ROOT = Path(__file__).parents[1]
SOURCES = "/somewhere/site-packages/ballcast/sim"
TOY = "from ballcast.sim.jit import kernel\n\n@kernel\ndef rate(x):\n    return 3.0 * x\n"
PARABOLA = """
import sys
from ballcast.sim import code_folder
code_folder.CHECKOUT, code_folder._candidates = False, {candidates}
from ballcast import models
from ballcast.tracks import Track
track = Track([0.0, 0.1, 0.2, 0.3], [[0.0, t, 1.0] for t in range(4)])
print(models.load("parabola", sport="tennis").forecast(track, [0.4]).mean[0, 1].round(6))
import toy
print(toy.rate(2.0))
"""


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """An installed package without NUMBA_CACHE_DIR, whose temporary files are in tmp_path/t."""
    (tmp_path / "t").mkdir()
    monkeypatch.setattr(code_folder.config, "CACHE_DIR", "")
    monkeypatch.setattr(code_folder, "CHECKOUT", False)
    monkeypatch.setattr(code_folder.tempfile, "tempdir", str(tmp_path / "t"))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", code_folder.NOTED):
        monkeypatch.delenv(name, raising=False)
    functions = code_folder.cache_folder, code_folder._temporary_folder
    for function in functions:
        function.cache_clear()
    yield tmp_path
    os.environ.pop(code_folder.NOTED, None)
    for function in functions:
        function.cache_clear()


def test_an_installed_package_keeps_compiled_code_in_the_users_folder(installed, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(installed))
    folder = Path(code_folder.cache_folder(SOURCES))
    assert installed / "ballcast" == folder.parent and not folder.exists() and not capsys.readouterr().err


def test_a_checkout_that_cannot_be_written_uses_the_users_folder(installed, monkeypatch, capsys):
    monkeypatch.setattr(code_folder, "CHECKOUT", True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(installed))
    (installed / "sim").mkdir()
    assert Path(code_folder.cache_folder(str(installed / "sim"))) == installed / "sim" / "__pycache__"
    assert installed / "ballcast" in Path(code_folder.cache_folder(os.devnull + "/sim")).parents
    assert not capsys.readouterr().err


@pytest.mark.parametrize("way", ["no home", "home is no folder", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"])
def test_without_a_folder_to_write_to_it_is_a_temporary_one_and_one_note_says_so(way, installed, monkeypatch, capsys):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    if way == "no home":
        monkeypatch.setattr(code_folder.Path, "home", no_home)
    elif way == "home is no folder":
        monkeypatch.setattr(code_folder.Path, "home", lambda: Path(os.devnull))
    elif way == "NUMBA_CACHE_DIR":
        monkeypatch.setattr(code_folder.config, "CACHE_DIR", os.devnull + "/numba")
    else:
        monkeypatch.setenv(way, os.devnull)
    folders = {Path(code_folder.cache_folder(f"{SOURCES}/{name}")) for name in ("a", "b")}
    (parent,) = {folder.parent for folder in folders}
    assert parent.parent == installed / "t" and len(folders) == 2
    assert os.name == "nt" or parent.stat().st_mode & 0o077 == 0
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and str(parent) in err and "NUMBA_CACHE_DIR" in err


@pytest.mark.skipif(os.name == "nt", reason="no such permissions there")
def test_a_temporary_folder_that_others_can_write_is_not_used(installed, monkeypatch, capsys):
    """Compiled code is executed: whoever could write there could run code as this user."""
    monkeypatch.setattr(code_folder.config, "CACHE_DIR", os.devnull)
    folder = installed / "t" / f"ballcast-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert code_folder.cache_folder(SOURCES) is None
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and "compiling anew in every process" in err


@pytest.mark.parametrize("where", ["/proc/none", os.devnull])
def test_a_program_works_where_nothing_can_be_kept(tmp_path, where):
    """Also where a folder only seems writable: then saving fails."""
    (tmp_path / "toy.py").write_text(TOY)
    candidates = f"lambda folder, name: [code_folder.Path({where!r})]"
    code = "from ballcast.sim import code_folder\ncode_folder._temporary_folder = lambda: None\n"
    if where == "/proc/none":
        code += "code_folder._is_writable = lambda path: True\n"
    names = ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "NUMBA_CACHE_DIR", code_folder.NOTED)
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{tmp_path}"
    command = [sys.executable, "-c", code + PARABOLA.format(candidates=candidates)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["4.0", "6.0"], done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("Ballcast: "), done.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"toy.py", "__pycache__"}
