"""Clips for tests, made here: a ball that crosses a noisy picture, written by OpenCV's encoder."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra video)")

SIZE = 160, 96  # px


def picture(k, size=SIZE, seed=0):
    """Image k (H, W, 3): a ball at x = 10 + 9 k px, and the noise of a sensor."""
    noise = np.random.default_rng((seed, k)).normal(0.0, 3.0, (size[1], size[0], 1))
    image = np.clip(90.0 + noise, 0, 255).astype(np.uint8).repeat(3, axis=2)
    return cv2.circle(image, (10 + 9 * k % size[0], size[1] // 2), 6, (250, 250, 250), -1)


def write_clip(path, pictures, rate=25.0, codec="mp4v"):
    """Write images (H, W, 3) as a video; the path."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, (width, height))
    assert writer.isOpened()
    for image in pictures:
        writer.write(image)
    writer.release()
    return path


def with_durations(path, durations):
    """The MP4 file with these durations (n,) of its frames, in units of the first one's: a variable rate."""
    data = path.read_bytes()
    old = _table(data)
    (unit,) = struct.unpack(">I", old[20:24])  # of the one entry: how many frames, for how long each
    entries = b"".join(struct.pack(">II", 1, round(unit * d)) for d in durations)
    new = struct.pack(">I", 16 + len(entries)) + b"stts" + bytes(4) + struct.pack(">I", len(durations)) + entries
    grown = len(new) - len(old)
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = data.index(box) - 4
        data = data[:at] + struct.pack(">I", struct.unpack(">I", data[at : at + 4])[0] + grown) + data[at + 4 :]
    path.write_bytes(data.replace(old, new))
    return path


def turned(path):
    """The MP4 file with the flag that its pictures are to be turned by 90 degrees, as phones set it."""
    data = path.read_bytes()
    at = data.index(b"tkhd") + 44
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, SIZE[1] << 16, 0, 1 << 30)
    path.write_bytes(data[:at] + matrix + data[at + 36 :])
    return path


def _table(data):
    """The box of an MP4 file that holds the durations of its frames."""
    at = data.index(b"stts") - 4
    (length,) = struct.unpack(">I", data[at : at + 4])
    return data[at : at + length]


def calibrate(*arguments, folder):
    """(exit status, output, errors) of `ballcast calibrate` in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "ballcast", "calibrate", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr
