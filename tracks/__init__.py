"""Tracks: what was seen of a ball. `Track` is the one shared type; `read_track` and `write_track` are its files.

Needs numpy alone and knows nothing of sports, physics or forecasts.
"""

if __name__ != "ballcast.tracks":
    raise ImportError("this package is ballcast.tracks: write `from ballcast import tracks`")

from ballcast.tracks.files import FORMATS, TrackLineReader, read_track, read_tracks, write_track
from ballcast.tracks.track import Track, TrackError

__all__ = ["FORMATS", "TrackLineReader", "Track", "TrackError", "read_track", "read_tracks", "write_track"]
