"""Write a track as our CSV.

write_track("out.csv", track)                        # read_track returns the same numbers, to the bit, with keep_all
"""

import csv
import io
import os
from pathlib import Path

from ballcast.tracks.track import Track, TrackError

HEADER = ("t", "x", "y", "z")


def write_track(path: str | os.PathLike, track: Track) -> None:
    """Write our CSV: t,x,y,z and the track's further columns. The file appears whole or not at all.

    Raises TrackError if the file cannot be written, or a further column cannot be in a CSV.
    """
    path = Path(path)
    header = (*HEADER, *track.columns)
    if len(set(header)) < len(header) or "" in header:
        raise TrackError(f"{path}: names of columns must be unique, not empty, not t, x, y, z: {list(track.columns)}")
    table = [track.time.tolist(), *track.position.T.tolist(), *(values.tolist() for values in track.columns.values())]
    for key, values in zip(header[4:], table[4:], strict=True):
        if any("\n" in str(value) or "\r" in str(value) for value in (key, *values)):
            raise TrackError(f"{path}: column {key!r} contains a line break; a row of a track file must be one line")
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*table, strict=True))
    write_whole(path, lines.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Write a file of text that appears whole or not at all; TrackError if it cannot be written."""
    temporary_path = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary_path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    except OSError as error:
        raise TrackError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary_path.unlink(missing_ok=True)
