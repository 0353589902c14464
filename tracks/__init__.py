"""Tracks: what was measured of a ball. `Track` is the shared type; `read_track` and `write_track` are its files.

Needs only numpy, and h5py for HDF5 files. Knows nothing of sports, physics or forecasts.
"""

if __name__ != "ballcast.tracks":
    raise ImportError("this package is ballcast.tracks: write `from ballcast import tracks`")

from ballcast.tracks.files import read_track, read_tracks
from ballcast.tracks.held import RepeatFilter, RepeatFilters, measured_frames
from ballcast.tracks.landings import recorded_landings
from ballcast.tracks.live import LiveFrame, LiveTracks, TrackLineReader
from ballcast.tracks.options import FORMATS, ReadOptions
from ballcast.tracks.track import Track, TrackError
from ballcast.tracks.writing import write_track

__all__ = [
    "FORMATS", "LiveFrame", "LiveTracks", "ReadOptions", "RepeatFilter", "RepeatFilters", "Track", "TrackError",
    "TrackLineReader", "measured_frames", "read_track", "read_tracks", "recorded_landings", "write_track",
]  # fmt: skip
