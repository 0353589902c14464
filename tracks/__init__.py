"""Tracks: what was measured of a ball. `Track` is the shared type; `read_track` and `write_track` are its files.

Needs only numpy. Knows nothing of sports, physics or forecasts.
"""

if __name__ != "ballcast.tracks":
    raise ImportError("this package is ballcast.tracks: write `from ballcast import tracks`")

from ballcast.tracks.files import FORMATS, TrackLineReader, read_track, read_tracks, write_track
from ballcast.tracks.landings import recorded_landings
from ballcast.tracks.track import Track, TrackError

__all__ = ["FORMATS", "Track", "TrackError", "TrackLineReader", "read_track", "read_tracks", "recorded_landings",
           "write_track"]  # fmt: skip
