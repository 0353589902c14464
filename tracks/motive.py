"""Files that OptiTrack Motive exports as CSV (format versions 1.2 to 1.25).

Line 1 is pairs of key and value: Format Version, Capture Frame Rate, Export Frame Rate, Length Units, ... Then come, in
some versions after a blank line, the rows Type, Name, ID, perhaps Parent, and Rotation or Position; then the row
Frame, Time (Seconds), X, Y, Z, ...; then the frames. Cells are empty where an object was not seen.

Each object with positions is a track: the rigid bodies, or the markers where there are none. Only those whose name
contains "ball" are read, if there are any. y points up in Motive, unless the export was set to something else.
"""

import csv

import numpy as np

from ballcast.tracks.notes import Notes
from ballcast.tracks.options import ReadOptions
from ballcast.tracks.recording import Recording
from ballcast.tracks.table import Lines
from ballcast.tracks.track import TrackError

UNITS = {"meters": 1.0, "centimeters": 0.01, "millimeters": 0.001, "inches": 0.0254, "feet": 0.3048}  # m
OBJECT_TYPES = ("Rigid Body", "Marker")  # the first of these that is there is read
AXES = "x,-z,y"  # our axes in a frame whose y points up


def is_motive(content: bytes) -> bool:
    """Whether this is the content of such a file."""
    return content[:80].decode("utf-8-sig", "replace").lstrip('"').startswith("Format Version")


def read_motive(name: str, stem: str, content: bytes, options: ReadOptions, notes: Notes) -> list[Recording]:
    """The recordings in a file called `name`, for tracks called `stem`. Raises TrackError, one line."""
    lines = Lines.of(name, content)
    table = list(csv.reader(lines.texts))
    metadata = dict(zip(table[0][::2], table[0][1::2])) if table else {}
    start = next((k for k, cells in enumerate(table) if cells and cells[0].strip() == "Frame"), None)
    if start is None or start < 4:
        raise TrackError(f"{name}: not the Motive format known here: no row Frame,Time (Seconds) under its titles")
    types, names, components, axes = table[1], table[2], table[start - 1], table[start]
    rows, frames = lines.rows[start + 1 :], table[start + 1 :]
    if len(frames) < 2:
        raise TrackError(f"{name}: {len(frames)} frames; a track needs at least 2")
    unit = UNITS.get(metadata.get("Length Units", "Meters").strip().lower())
    if unit is None:
        raise TrackError(f"{name}: unknown Length Units {metadata['Length Units']!r}; known are {', '.join(UNITS)}")
    objects = _objects(name, types, names, components, axes)
    time = _times(name, rows, frames, axes, metadata, options)
    if len(objects) > 1:
        shown = ", ".join(list(objects)[:4]) + (", ..." if len(objects) > 4 else "")
        notes.add("objects", f"{name}: {len(objects)} objects, each is a track: {shown}")
    recordings = []
    for key, columns in objects.items():
        position = unit * np.array([_numbers(name, row, cells, columns) for row, cells in zip(rows, frames)])
        where, label = (name, stem) if len(objects) == 1 else (f"{name}: {key}", f"{stem}/{key}")
        recordings.append(Recording(where, label, time, position, rows, axes=AXES))
    return recordings


def _objects(name, types, names, components, axes):
    """Name of an object -> its columns of x, y and z."""
    width = min(map(len, (types, names, components, axes)))
    found = {}  # type -> name -> axis -> column
    for k in range(width):
        if components[k].strip() == "Position" and axes[k].strip() in ("X", "Y", "Z"):
            found.setdefault(types[k].strip(), {}).setdefault(names[k].strip(), {})[axes[k].strip()] = k
    objects = next((found[kind] for kind in OBJECT_TYPES if kind in found), {})
    whole = {key: [columns[axis] for axis in "XYZ"] for key, columns in objects.items() if len(columns) == 3}
    if not whole:
        raise TrackError(f"{name}: no positions of rigid bodies or markers; export them from Motive")
    return {key: columns for key, columns in whole.items() if "ball" in key.lower()} or whole


def _times(name, rows, frames, axes, metadata, options):
    """Times (T,) s: of the column of times, or of the frame numbers and the rate."""
    column = next((k for k, title in enumerate(axes) if title.strip().startswith("Time") and "(" in title), None)
    if column is not None and not options.rate:
        return np.array([_numbers(name, row, cells, [column])[0] for row, cells in zip(rows, frames)])
    rate = options.rate or float(metadata.get("Export Frame Rate", 0) or metadata.get("Capture Frame Rate", 0) or 0)
    if not rate > 0:
        raise TrackError(f"{name}: no times and no frame rate; say --rate HZ")
    return np.array([_numbers(name, row, cells, [0])[0] for row, cells in zip(rows, frames)]) / rate


def _numbers(name, row, cells, columns):
    """The numbers in some cells of a row; NaN for empty ones."""
    try:
        return [float(cells[k]) if k < len(cells) and cells[k].strip() else np.nan for k in columns]
    except ValueError:
        raise TrackError(f"{name}, row {row}: not a number among {[cells[k] for k in columns]}") from None
