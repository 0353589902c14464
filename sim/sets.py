"""Generated sets: many seeded balls in one file, written and read in constant memory.

    write_set("set.npz", "table_tennis", 100_000)       # or python -m ballcast.sim table_tennis --tracks 100000 ...
    found = open_set("set.npz")                          # reads no balls yet
    balls = found.balls(0, 1000)                         # sim.Balls, the same to the bit as sim.draw gives

A set is an uncompressed .npz: the columns of Balls as arrays, and `info`, JSON in bytes, which describes the set and
holds the sport's TOML. The same balls give the same bytes: joined slices equal the set written at once.
"""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ballcast import __version__
from ballcast.sim.dataset import BATCH, Balls, draw
from ballcast.sim.files import aside, sync_and_rename
from ballcast.sim.sport import parse, read_toml

FORMAT = 1
VERSION = __version__  # of Ballcast: another one may draw other balls
COLUMNS = [field.name for field in dataclasses.fields(Balls) if field.name != "sport"]
# one row per frame; the other columns have one row per ball
PER_FRAME_COLUMNS = ("time", "position", "truth_position", "truth_velocity", "truth_spin")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of every member, so that bytes depend on the balls alone
COPY_CHUNK = 1 << 22  # bytes copied at once
KEYS = ("format", "ballcast", "sport", "version", "toml", "purpose", "seed", "first", "count")


class BallSet:
    """The balls of a set file; `balls` reads some of them."""

    def __init__(self, path: str | Path, info: dict, columns: "dict[str, _Column]"):
        self.path, self.info, self.columns = path, info, columns
        self.sport = parse(info["toml"], f"{path}: sport")

    def __len__(self) -> int:
        return self.info["count"]

    def balls(self, first: int, count: int) -> Balls:
        """Balls `first` to `first + count` of the file, as sim.Balls."""
        if not (0 <= first and 1 <= count and first + count <= len(self)):
            raise ValueError(f"{self.path} holds balls 0 to {len(self)}; {first} to {first + count} are not in it")
        offsets = self.columns["offsets"].read(first, first + count + 1)
        if offsets[0] < 0 or (np.diff(offsets) < 0).any() or offsets[-1] > self.columns["time"].shape[0]:
            raise ValueError(f"{self.path}: its offsets do not rise; the file is damaged, write it anew")
        parts = {"offsets": offsets - offsets[0]}
        for name in COLUMNS[1:]:
            ends = (offsets[0], offsets[-1]) if name in PER_FRAME_COLUMNS else (first, first + count)
            parts[name] = self.columns[name].read(*ends)
        return Balls(self.sport, **parts)


def write_set(path: str | Path, name: str, count: int, first: int = 0, seed: int = 0, purpose: str = "data", *,
              progress: Callable[[int], object] = lambda done: None) -> None:  # fmt: skip
    """Write balls `first` to `first + count` of the set (purpose, seed) of a sport's name or .toml file.

    progress(n) is called after every n balls. The file appears whole or not at all; one that is there is replaced.
    """
    text, where = read_toml(name)
    sport = parse(text, where)
    values = (FORMAT, VERSION, sport.name, sport.version, text, purpose, seed, first, count)
    sizes = {begin: min(BATCH, first + count - begin) for begin in range(first, first + count, BATCH)}
    batches = (draw(sport, size, first=begin, seed=seed, purpose=purpose) for begin, size in sizes.items())
    _write(path, dict(zip(KEYS, values, strict=True)), batches, progress)


def join_sets(path: str | Path, parts: Iterable[str | Path],
              progress: Callable[[int], object] = lambda done: None) -> None:  # fmt: skip
    """Write one set of the slices in the files `parts`; each must begin where the one before ends."""
    slices = sorted((open_set(part) for part in parts), key=lambda s: s.info["first"])
    if not slices:
        raise ValueError("nothing to join; name two set files or more")
    info, end = dict(slices[0].info), slices[0].info["first"]
    for s in slices:
        if other := next((k for k in KEYS[:7] if s.info[k] != info[k]), None):
            raise ValueError(f"{s.path}: its {other} is not that of {slices[0].path}; join slices of one set")
        if s.info["first"] != end:
            raise ValueError(f"{s.path}: begins with ball {s.info['first']}, the slice before ends with ball {end - 1}")
        end += len(s)
    info["count"] = end - info["first"]
    batches = (s.balls(begin, min(BATCH, len(s) - begin)) for s in slices for begin in range(0, len(s), BATCH))
    _write(path, info, batches, progress)


def open_set(path: str | Path) -> BallSet:
    """The BallSet in a file. ValueError in one line if the file holds none or is cut off."""
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            columns = {m.filename.removesuffix(".npy"): _Column(path, file, m) for m in archive.infolist()}
        text = columns.pop("info")
        info = json.loads(text.read(0, text.shape[0]).tobytes())
        _check(info, columns)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a set written by python -m ballcast.sim") from None
    except Exception as error:  # zipfile and numpy raise a dozen kinds over damaged headers
        cause = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: not a set written by python -m ballcast.sim, or cut off ({cause})") from error
    return BallSet(path, info, columns)


def _check(info, columns):
    """Refuse columns that do not fit together. Raises ValueError."""
    if missing := [k for k in (*COLUMNS, *KEYS) if k not in columns and k not in info]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    if info["format"] != FORMAT:
        raise ValueError(f"format {info['format']} is not known")
    count, offsets = info["count"], columns["offsets"]
    frames = int(offsets.read(offsets.shape[0] - 1, offsets.shape[0])[0])
    rows = {name: frames if name in PER_FRAME_COLUMNS else count for name in COLUMNS} | {"offsets": count + 1}
    for name, row in rows.items():
        if columns[name].shape[0] != row:
            raise ValueError(f"{columns[name].shape[0]} rows of {name} where {row} should be")


class _Column:
    """One array of a file, read by rows (a memory map would keep all that it has read)."""

    def __init__(self, path, file, member):
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("it is compressed")
        file.seek(member.header_offset + 26)
        name, extra = np.frombuffer(file.read(4), "<u2")
        begin = file.seek(int(name) + int(extra), os.SEEK_CUR)
        np.lib.format.read_magic(file)
        shape, order, dtype = np.lib.format.read_array_header_1_0(file)
        if order or dtype.hasobject:
            raise ValueError(f"{member.filename} is no plain array")
        if begin + member.file_size != file.tell() + dtype.itemsize * int(np.prod(shape)):
            raise ValueError(f"{member.filename} is shorter or longer than it says")
        self.path, self.begin, self.dtype, self.shape = path, file.tell(), dtype, shape

    def read(self, first, last):
        """Rows `first` to `last`: a new array."""
        width = int(np.prod(self.shape[1:]))
        begin = self.begin + int(first) * width * self.dtype.itemsize
        a = np.fromfile(self.path, self.dtype, int(last - first) * width, offset=begin)
        return a.reshape(int(last - first), *self.shape[1:])


def _write(path, info, batches, progress):
    """Write a set of batches of Balls: each column grows in a temporary file of its own, then they are put together."""
    folder, frames, kinds = aside(path), 0, {"info": (np.dtype(np.uint8), ())}
    folder.mkdir()
    try:
        with contextlib.ExitStack() as stack:
            files = {name: stack.enter_context(open(folder / name, "w+b")) for name in COLUMNS}
            for balls in batches:
                for name, file in files.items():
                    a = getattr(balls, name)
                    if name == "offsets":
                        a, frames = a[1:] + frames if frames else a, frames + a[-1]
                    kinds[name] = a.dtype, a.shape[1:]
                    file.write(np.ascontiguousarray(a).data)
                progress(len(balls))
            _join_columns(folder / "whole", files, kinds, info)
        sync_and_rename(folder / "whole", path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _join_columns(path, files, kinds, info):
    """Write the archive of the columns in `files`; kinds: dtype and shape of a row of each."""
    text = io.BytesIO(json.dumps(info, sort_keys=True).encode())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, file in (files | {"info": text}).items():
            dtype, row = kinds[name]
            size = file.seek(0, os.SEEK_END) // (dtype.itemsize * int(np.prod(row)))
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (size, *row)}
            file.seek(0)
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w", force_zip64=True) as out:
                np.lib.format.write_array_header_1_0(out, header)
                shutil.copyfileobj(file, out, COPY_CHUNK)
            file.truncate(0)  # the disk then never holds the set twice
