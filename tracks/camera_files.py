"""Read and write files of calibrated cameras.

    cameras = read_cameras("cameras.yaml")              # a list of Camera
    write_cameras("copy.yaml", cameras)

Formats, each recognised by its keys:

    ours    cameras: {NAME: {width, height, K, distortion, R, t}}; rvec, tvec may stand for R, t
    TT3D    rvec, tvec, f, w, h: one camera, its principal point in the middle (w / 2, h / 2), no distortion
    ROS     camera_info, as camera_calibration writes it (image_width, camera_matrix, ...) or as a message (width, K, D,
            ...), with the model plumb_bob or rational_polynomial. It holds no pose: R of a message rectifies. Give R
            and t, or add the lines rvec and tvec to the file
    OpenCV  FileStorage: image_width, image_height, camera_matrix, distortion_coefficients as its calibration program
            writes them, or cameraMatrix, distCoeffs; and rvec, tvec

Matrices may be lists of rows, flat lists, or {rows, cols, data}. What is wrong raises TrackError, one line.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ballcast.tracks.camera import Camera, rotation_of
from ballcast.tracks.pixel_track import check_names
from ballcast.tracks.track import TrackError
from ballcast.tracks.writing import write_whole
from ballcast.tracks.yaml_file import Section, read_yaml, write_yaml

LENS_MODELS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (8,), None: (0, 4, 5, 8)}  # of ROS -> how many numbers
KEYS_OF_OTHERS = {  # in lower case, of ROS and OpenCV
    "width": ("image_width", "width", "imagewidth"), "height": ("image_height", "height", "imageheight"),
    "K": ("camera_matrix", "k", "cameramatrix", "mtx"),
    "D": ("distortion_coefficients", "d", "distcoeffs", "dist_coeffs", "dist"),
}  # fmt: skip
OURS = ("width", "height", "K", "distortion", "R", "t")
POSE = ("R", "t", "rvec", "tvec")


def read_cameras(path: str | os.PathLike, *, R: ArrayLike | None = None, t: ArrayLike | None = None) -> list[Camera]:
    """The cameras in a YAML file, in its order; their names are those in the file, else the file's own.

    R, t   the pose (3, 3), (3,) m of the one camera of a file that holds none
    Raises TrackError, one line: what is wrong, in which file and row, how to fix it.
    """
    name = str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise TrackError(f"{name}: cannot be read ({error.strerror}); check the path") from error
    file = read_yaml(name, content)
    if (R is None) != (t is None):
        raise TrackError(f"{name}: R and t are one pose; give both or none")
    pose = None if R is None or t is None else (R, t)
    if "cameras" in file:
        return _several(name, file["cameras"], pose)
    if "rvec" in file and "f" in file:
        return [_of_tt3d(name, file, pose)]
    if "distortion_model" in file or {key.lower() for key in file} & {*KEYS_OF_OTHERS["K"]} - {"k"}:
        return [_of_others(name, file, pose)]
    if "K" in file:
        return [_ours(name, Path(name).stem, file, pose)]
    found = ", ".join(file)[:80]
    known = "`cameras:` (ours), `rvec, tvec, f, w, h` (TT3D), `camera_matrix` (ROS, OpenCV)"
    raise TrackError(f"{name}: not a camera file known here; it has the keys {found}; expected is {known}")


def write_cameras(path: str | os.PathLike, cameras: Sequence[Camera]) -> None:
    """Write our YAML; read_cameras gives the same cameras, to the bit. The file appears whole or not at all.

    Raises TrackError if it cannot be written, or two cameras have the same name.
    """
    check_names(cameras)
    sections = {
        camera.name or "camera": {
            "width": camera.size[0], "height": camera.size[1], "K": camera.K.tolist(),
            "distortion": camera.distortion.tolist(), "R": camera.R.tolist(), "t": camera.t.tolist(),
        }
        for camera in cameras
    }  # fmt: skip
    write_whole(Path(path), write_yaml(Path(path), {"cameras": sections}))


def _several(name, sections, pose):
    """The cameras of our file."""
    if not isinstance(sections, Section) or not sections:
        raise TrackError(f"{name}: `cameras:` must hold cameras by name, each with {', '.join(OURS)}")
    if pose and len(sections) > 1:
        raise TrackError(f"{name}: R and t are the pose of one camera, but the file holds {len(sections)}")
    cameras = []
    for label, section in sections.items():
        where = f"{name}, row {sections.rows[label]}: camera {label!r}"
        if not isinstance(section, Section):
            raise TrackError(f"{where} must hold {', '.join(OURS)}")
        cameras.append(_ours(where, label, section, pose))
    return cameras


def _ours(where, label, section, pose):
    """A camera of our file."""
    if unknown := [key for key in section if key not in (*OURS, *POSE, "name")]:
        raise TrackError(f"{where}: unknown key {unknown[0]!r}; a camera has {', '.join(OURS)}")
    _require(where, section, "width", "height", "K")
    size = _size(where, section, "width", "height")
    return _camera(where, section["K"], section.get("distortion"), _pose(where, section, pose), size, label)


def _of_tt3d(name, file, pose):
    """The camera of a file of TT3D, named after the file."""
    _require(name, file, "tvec", "w", "h")
    width, height = _size(name, file, "w", "h")
    focal = _number(name, file, "f")
    K = [[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]]
    return _camera(name, K, None, _pose(name, file, pose), (width, height), Path(name).stem)


def _of_others(name, file, pose):
    """The camera of a camera_info file of ROS, or of OpenCV's FileStorage."""
    lower = {key.lower(): key for key in reversed(file)}  # ROS 2 writes k and d
    keys = {part: next((lower[key] for key in known if key in lower), None) for part, known in KEYS_OF_OTHERS.items()}
    if missing := [part for part in ("width", "height", "K") if keys[part] is None]:
        hint = f"add the line {KEYS_OF_OTHERS[missing[0]][0]}"
        raise TrackError(f"{name}: a camera_info or OpenCV file without {missing[0]}; {hint}")
    distortion = _distortion(name, file, keys["D"])
    ours = {key: value for key, value in file.items() if key in ("rvec", "tvec")}  # R of a message is no pose
    if not ours and pose is None:
        hint = "add the lines rvec and tvec to it, or call read_cameras(path, R=..., t=...)"
        raise TrackError(f"{name}: a camera_info or OpenCV file that holds no pose; {hint}")
    size = _size(name, file, keys["width"], keys["height"])
    label = str(file.get("camera_name") or Path(name).stem)
    return _camera(name, file[keys["K"]], distortion, _pose(name, ours, pose), size, label)


def _distortion(name, file, key):
    """The coefficients of a file of ROS or OpenCV, which may end with zeros: a thin prism, a tilt that is not there."""
    model = file.get("distortion_model")
    if model not in LENS_MODELS:
        raise TrackError(f"{name}: distortion model {model!r}; known are {', '.join(filter(None, LENS_MODELS))}")
    distortion = _matrix(name, key, file[key]).ravel() if key else np.empty(0)
    if len(distortion) in (12, 14) and not distortion[8:].any():
        distortion = distortion[:8]
    if len(distortion) not in LENS_MODELS[model]:
        counts, what = " or ".join(map(str, LENS_MODELS[model])), f"of the model {model}" if model else "of distortion"
        raise TrackError(f"{name}: {len(distortion)} coefficients {what}; there should be {counts}")
    return distortion


def _camera(where, K, distortion, pose, size, label):
    """A Camera; its errors say where it is."""
    K = _matrix(where, "K", K)
    distortion = None if distortion is None else _matrix(where, "distortion", distortion).ravel()
    try:
        return Camera(K.reshape(3, 3) if K.size == 9 else K, distortion, *pose, size, label)
    except TrackError as error:
        raise TrackError(f"{where}: {error}") from error


def _pose(where, section, given):
    """R and t: those given, else those of a section."""
    if given:
        return given
    if "rvec" in section and "R" in section:
        raise TrackError(f"{where}: has both R and rvec; delete one of them")
    if not ("R" in section or "rvec" in section) or not ("t" in section or "tvec" in section):
        raise TrackError(f"{where}: has no pose; add R and t, or rvec and tvec")
    t = section["t"] if "t" in section else section["tvec"]
    if "R" in section:
        R = _matrix(where, "R", section["R"])
        return (R.reshape(3, 3) if R.size == 9 else R), _matrix(where, "t", t)
    try:
        return rotation_of(_matrix(where, "rvec", section["rvec"])), _matrix(where, "tvec", t)
    except TrackError as error:
        raise TrackError(f"{where}: {error}" * (not str(error).startswith(where)) or str(error)) from error


def _matrix(where, what, values):
    """An array of numbers: lists, or rows, cols and data."""
    if isinstance(values, dict):
        _require(f"{where}: {what}", values, "data")
        values = values["data"]
    try:
        return np.array([] if values is None else values, dtype=float)
    except (TypeError, ValueError):
        raise TrackError(f"{where}: {what} must be a list of numbers, or of rows of as many numbers") from None


def _size(where, section, *keys):
    """Width and height in whole pixels."""
    sides = [_number(where, section, key) for key in keys]
    for key, side in zip(keys, sides):
        if side != int(side) or side < 1:
            raise TrackError(f"{where}: {key} is {side:g}; give a whole number of pixels")
    return tuple(int(side) for side in sides)


def _number(where: str, section: dict[str, Any], key: str) -> float:
    """A finite number above 0."""
    try:
        value = float(section[key])
    except (TypeError, ValueError):
        value = np.nan
    if not 0.0 < value < np.inf:
        raise TrackError(f"{where}: {key} is {section[key]!r}; give a number of pixels above 0")
    return value


def _require(where, section, *keys):
    if missing := [key for key in keys if key not in section]:
        raise TrackError(f"{where}: {', '.join(missing)} is missing; add it")
