"""Where compiled code is kept on the disk, and what happens where nothing can be written.

jit.py asks for the folder of each source. This module stands beside it because an edit of jit.py compiles everything
anew; jit.py imports it inside a function, so an edit here compiles nothing.
"""

import functools
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from numba.core import config

CHECKOUT = not (Path(__file__).parents[1].name == "ballcast" and (Path(__file__).parents[1] / "command.py").exists())
NOTED = "BALLCAST_CACHE_NOTED"  # environment variable: this process, or the one that started it, has printed the note


@functools.cache
def cache_folder(folder: str) -> str | None:
    """The folder for compiled code of the sources in `folder`; None if it can be kept nowhere.

    NUMBA_CACHE_DIR where it is set. Else __pycache__ beside the source in a checkout, and the user's cache folder for
    an installed package: files that an uninstall leaves in site-packages would hide a later editable install. Where
    none of these can be written to, a folder of this user among the temporary files, with one note.
    """
    name, failed = f"{Path(folder).name}-{hashlib.sha256(folder.encode()).hexdigest()[:12]}", None
    for path in _candidates(folder, name):
        if _is_writable(path) or (config.CACHE_DIR and any(path.glob("*.nbi"))):  # compiled ahead, by another user
            return str(path)
        failed = path
    reason = f"{failed} cannot be written to" if failed else "this user has no home folder"
    temporary = _temporary_folder()
    if temporary is None:
        note(f"{reason}, nor can the temporary folder: compiling anew in every process; NUMBA_CACHE_DIR names a folder")
        return None
    note(f"{reason}: compiled code goes to {temporary}; NUMBA_CACHE_DIR names another folder")
    return str(temporary / name)


def note(text: str) -> None:
    """Print one line to stderr that compiled code is not kept where it should be; only the first in all processes."""
    if NOTED not in os.environ:
        os.environ[NOTED] = "1"
        print(f"Ballcast: {text}", file=sys.stderr, flush=True)


def _candidates(folder: str, name: str) -> Iterator[Path]:
    if config.CACHE_DIR:
        yield Path(config.CACHE_DIR) / name
        return
    if CHECKOUT:
        yield Path(folder) / "__pycache__"
    if user := os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA"):
        yield Path(user) / "ballcast" / name
        return
    try:
        home = Path.home()
    except RuntimeError:  # HOME is not set, and the system does not know the user
        return
    yield home / ".cache" / "ballcast" / name


def _is_writable(path: Path) -> bool:
    """Whether files can be made in a folder, which need not exist yet. Nothing is made."""
    try:
        while not path.exists():
            path = path.parent
        return path.is_dir() and os.access(path, os.W_OK | os.X_OK)
    except OSError:
        return False


@functools.cache
def _temporary_folder() -> Path | None:
    """A folder of this user alone among the temporary files: compiled code is executed, so nobody else may write it."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    try:
        path = Path(tempfile.gettempdir()) / f"ballcast-{user}"
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    is_own = user == "user" or (found.st_uid == user and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
    return path if stat.S_ISDIR(found.st_mode) and is_own and _is_writable(path) else None
