"""Files that appear whole or not at all: written aside, synced, renamed."""

import os
from pathlib import Path


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write bytes to a file; one that is there is replaced. OSError where it cannot be written."""
    temporary_path = aside(path)
    try:
        temporary_path.write_bytes(content)
        sync_and_rename(temporary_path, path)
    finally:
        temporary_path.unlink(missing_ok=True)


def aside(path: str | Path) -> Path:
    """A hidden name in the same folder, for what is to become this file; no other process takes it."""
    path = Path(path)
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def sync_and_rename(temporary_path: Path, path: str | Path) -> None:
    """Give a finished file its name, once it is safe on the disk."""
    with open(temporary_path, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary_path, path)
