"""Many tracks in one HDF5 file, by h5py: the sets of the Max Planck Institute's table-tennis launchers.

Each group with `positions` (T, 3) and `time_stamps` (or `timestamps`, `time`) (T,) is a track:

    originals/N/positions, time_stamps       Achterhold et al. 2023 (ball_prediction)
    processed/NAME/positions, timestamps     Dittrich et al., "AIMY", the set of L4DC 2023

Where a file has both `processed` and others, only `processed` is read. Units are as in the file: metres and seconds in
the first, --time-scale and --scale mend others.
"""

import io
import re

import numpy as np

from ballcast.tracks.options import ReadOptions
from ballcast.tracks.recording import Recording
from ballcast.tracks.track import TrackError

MAGIC = b"\x89HDF\r\n\x1a\n"
TIME_NAMES = ("time_stamps", "timestamps", "time_stamp", "timestamp", "times", "time", "t")


def read_hdf5(name: str, stem: str, content: bytes, options: ReadOptions) -> list[Recording]:
    """The recordings in a file called `name`, for tracks called `stem`/GROUP. Raises TrackError, one line."""
    try:
        import h5py
    except ModuleNotFoundError:
        raise TrackError(f"{name}: an HDF5 file needs h5py: pip install h5py, or ballcast[formats]") from None
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            groups: list[str] = []
            file.visititems(lambda key, item: groups.append(key) if _is_track(item) else None)
            if any(key.startswith("processed/") for key in groups):
                groups = [key for key in groups if key.startswith("processed/")]
            if not groups:
                raise TrackError(f"{name}: no group with positions and time_stamps in this HDF5 file")
            return [_recording(name, stem, key, file[key], options) for key in sorted(groups, key=_in_order)]
    except OSError as error:
        raise TrackError(
            f"{name}: cannot be read as HDF5 ({str(error).splitlines()[0][:120]}); is it whole?"
        ) from error


def _is_track(item):
    """Whether an item of a file is a group that holds a track."""
    return hasattr(item, "keys") and "positions" in item and any(name in item for name in TIME_NAMES)


def _in_order(key):
    """Sorts numbers in names by their value: 2 before 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", key)]


def _recording(name, stem, key, group, options):
    """The recording of one group; its rows are counted from 0."""
    where = f"{name}: {key}"
    try:
        time = np.array(group[next(n for n in TIME_NAMES if n in group)], dtype=float)
        position = np.array(group["positions"], dtype=float)
    except (TypeError, ValueError) as error:
        raise TrackError(f"{where}: positions and times must be numbers") from error
    if time.ndim != 1 or position.shape != (len(time), 3):
        raise TrackError(f"{where}: positions {position.shape} and times {time.shape}; there should be (T, 3) and (T,)")
    if options.rate:
        time = np.arange(len(time)) / options.rate
    return Recording(where, f"{stem}/{key.rpartition('/')[2]}", time, position, range(len(time)))
