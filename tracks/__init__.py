"""Tracks: what was measured of a ball. `Track` is the shared type; `read_track` and `write_track` are its files.

What cameras saw of it, in pixels, is a `PixelTrack`; a calibrated camera is a `Camera`. Needs only numpy, h5py for HDF5
files and PyYAML for files of cameras. Knows nothing of sports, physics or forecasts.
"""

if __name__ != "ballcast.tracks":
    raise ImportError("this package is ballcast.tracks: write `from ballcast import tracks`")

from ballcast.tracks.camera import Camera
from ballcast.tracks.camera_files import read_cameras, write_cameras
from ballcast.tracks.files import read_track, read_tracks
from ballcast.tracks.held import RepeatFilter, RepeatFilters, measured_frames
from ballcast.tracks.landings import recorded_landings
from ballcast.tracks.live import LiveFrame, LiveTracks, TrackLineReader
from ballcast.tracks.live_pixels import LivePixels, PixelFrame, PixelLineReader
from ballcast.tracks.moving_camera import MovingCamera, read_moving_camera, write_moving_camera
from ballcast.tracks.options import FORMATS, ReadOptions
from ballcast.tracks.pixel_files import read_pixel_tracks, read_pixels, write_pixels
from ballcast.tracks.pixel_track import PixelTrack
from ballcast.tracks.track import Track, TrackError
from ballcast.tracks.writing import write_track

__all__ = [
    "Camera", "FORMATS", "LiveFrame", "LivePixels", "LiveTracks", "MovingCamera", "PixelFrame", "PixelLineReader",
    "PixelTrack", "ReadOptions", "RepeatFilter", "RepeatFilters", "Track", "TrackError", "TrackLineReader",
    "measured_frames", "read_cameras", "read_moving_camera", "read_pixel_tracks", "read_pixels", "read_track",
    "read_tracks", "recorded_landings", "write_cameras", "write_moving_camera", "write_pixels", "write_track",
]  # fmt: skip
