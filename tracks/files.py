"""Read track files: our CSV and its relatives, public data sets, motion capture.

    track = read_track("stroke.csv")                     # format recognised; "-" reads standard input
    tracks = read_tracks("folder")                       # without subfolders, in sorted order
    track = read_track("rally")                          # the sample that ships: samples/rally.csv, simulated by us
    track = read_track("unity.csv", scale=0.001, axes="x,-z,y", origin=(0, 0, 0.76))      # the fields of ReadOptions

Formats: `csv`      header t,x,y,z in seconds and metres, in any order, or with other usual names; further columns are
                    kept as text
         `tt3d`     header Timestamp,X,Y,Z (Gossard, Ziegler, Zell, "TT3D", 2025)
         `spindoe`  no header, t;x;y;z (Gossard, Tebbe, Ziegler, Zell, "SpinDOE", 2023)
         `motive`   OptiTrack Motive's CSV, see motive.py
         `hdf5`     many tracks in one file, see hdf5.py
What looks wrong gets a note in `Track.notes` of the file's first track, one of each kind; data that cannot be used
raise TrackError. The reader does not guess units. Frames that measure nothing (no position, held, (0, 0, 0)) are left
out, with a note.
"""

import os
import sys
from pathlib import Path
from typing import IO, Any

from ballcast.tracks.hdf5 import MAGIC, read_hdf5
from ballcast.tracks.motive import is_motive, read_motive
from ballcast.tracks.notes import Notes
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.recording import to_tracks
from ballcast.tracks.text import read_text
from ballcast.tracks.track import Track, TrackError

Source = str | os.PathLike | IO  # a path, the name of a sample, "-" for standard input, or anything with read()
SAMPLES = {file.stem: file for file in sorted((Path(__file__).parent / "samples").glob("*.csv"))}  # that ship
SUFFIXES = (".csv", ".hdf5", ".h5")  # of the files that are read of a folder


def read_track(source: Source, *, ground: float | None = None, **options: Any) -> Track:
    """The track in a file of one ball.

    source   a path, "-" for standard input, or anything with read()
    ground   height of the lowest ground that a ball can lie on, m: a ball under it gets a note
    options  the fields of ReadOptions, such as scale=0.001

    Raises TrackError, one line: what is wrong, in which file and row (as an editor counts), how to fix it.
    """
    tracks = read_file(source, ReadOptions(**options), ground)
    if len(tracks) > 1:
        raise TrackError(f"{name_of(source)}: holds {len(tracks)} balls, one was expected; read_tracks reads them all")
    return tracks[0]


def read_tracks(source: Source | list[Source], *, ground: float | None = None, **options: Any) -> list[Track]:
    """The tracks of a folder, a file, or several of either; options as for read_track.

    Of a folder, the files named .csv, .hdf5 and .h5 are read in sorted order, without subfolders, index.csv and hidden
    files.
    """
    parsed = ReadOptions(**options)
    return [track for file in files_of(source) for track in read_file(file, parsed, ground)]


def read_file(source: Source, options: ReadOptions, ground: float | None = None) -> list[Track]:
    """The tracks in one file; the first of them carries the notes."""
    options.check()
    name, notes = name_of(source), Notes()
    stem, content = Path(name).stem, bytes_of(name, source)
    if options.format == "hdf5" or content.startswith(MAGIC):
        recordings = read_hdf5(name, stem, content, options)
    elif options.format == "motive" or (options.format is None and is_motive(content)):
        recordings = read_motive(name, stem, content, options, notes)
    else:
        recordings = read_text(name, stem, content, options, notes)
    return to_tracks(recordings, options, notes, ground)


def name_of(source: Source) -> str:
    """The name of a source in messages."""
    if hasattr(source, "read"):
        return str(getattr(source, "name", "the stream"))
    return "standard input" if source == "-" else str(source)


def bytes_of(name: str, source: Source) -> bytes:
    """The content of a source as bytes; TrackError, with its `name`, if it cannot be read."""
    if hasattr(source, "read"):
        content = source.read()
        return content.encode() if isinstance(content, str) else content
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return _path(source).read_bytes()
    except IsADirectoryError as error:
        raise TrackError(f"{name}: a folder, not a file; name a file in it") from error
    except OSError as error:
        raise TrackError(f"{name}: cannot be read ({error.strerror}); check the path") from error


def _path(source):
    """The path of a source; of the name of a sample, unless there is a file of this name, that of the sample."""
    path = Path(source)
    return path if path.exists() else SAMPLES.get(str(source), path)


def files_of(source: Source | list[Source]) -> list[Source]:
    """The files of a folder, in sorted order, of a source, or of several of either; TrackError if a folder has none."""
    sources: list[Any] = source if isinstance(source, (list, tuple)) else [source]
    return [file for each in sources for file in _files(each)]


def _files(source):
    """The files of a folder, or the source itself."""
    if hasattr(source, "read") or source == "-" or not os.path.isdir(source):
        return [source]
    folder = Path(source)
    try:
        files = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES and file.is_file()]
    except OSError as error:
        raise TrackError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error
    files = [file for file in files if file.name != "index.csv" and not file.name.startswith(".")]
    if not files:
        raise TrackError(f"{folder}: no .csv track in this folder (its subfolders are not read); name the files")
    return files
