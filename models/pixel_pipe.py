"""Forecasts as CSV from pixels of cameras: of a file, or live from a pipe. `python -m ballcast.models` calls this.

python -m ballcast.models ball.csv --cameras cameras.yaml --at 0.1 0.2
tail -n +1 -f pixels.csv | python -m ballcast.models - --cameras cameras.yaml --image

Rows are those of models/__main__.py. With --image each camera adds its columns: u and v (px) where it will see the
ball, and their standard deviations, under its name. Live, frames of several cameras come in the order of time; see
tracks/live_pixels.py for those that come late, and for where a new ball begins.
"""

import contextlib
import io
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ballcast import command
from ballcast.models.answers import Asked, parse_plane
from ballcast.models.pipe import answer_lines, begin_json, begin_reading
from ballcast.models.sight_check import check_sight

if TYPE_CHECKING:
    from ballcast.models import Predictor
    from ballcast.models.__main__ import Options
    from ballcast.tracks import Camera

WARM_UP_BALLS, WARM_UP_STEP = 2, 5  # every fifth frame is answered


def recorded(predictor: "Predictor", options: "Options", camera_file: str) -> int:
    """Print the forecasts of all frames of files of pixels, ball by ball. Raises ValueError or OSError, one line."""
    from ballcast.tracks import read_cameras, read_pixel_tracks

    if options.wait:
        raise ValueError("--wait is for a pipe; the frames of a file are put in order")
    cameras = read_cameras(camera_file)
    tracks = read_pixel_tracks(options.file, cameras, **vars(options.reading))
    command.print_notes(note for track in tracks for note in track.notes)
    check_sight(predictor.sport, cameras, camera_file)
    has_names, question = len(tracks) > 1, asked(options, cameras)
    question.print_header(has_names)
    stream = predictor.stream()
    for track in tracks:
        stream.restart()
        sizes = [math.nan] * len(track) if track.diameter is None else track.diameter
        for t, pixel, c, size in zip(track.time, track.pixel, track.camera, sizes, strict=True):
            stream.observe_pixel(t, pixel, cameras[c], None if math.isnan(size) else size)
            question.answer(stream, float(t), track.name if has_names else None)
    return 0


def live(predictor: "Predictor", options: "Options", camera_file: str) -> int:
    """Answer every line as it comes; returns 1 if lines were left out, else 0."""
    from ballcast.tracks import LivePixels, PixelLineReader, read_cameras

    cameras, to_row = read_cameras(camera_file), str
    check_sight(predictor.sport, cameras, camera_file)
    question = asked(options, cameras)
    warm_up(predictor, cameras, question)
    if options.json:
        first, lines, to_row = begin_json("t,camera,u,v")
    else:
        first, _, lines = begin_reading("t,camera,u,v")
    reader = PixelLineReader(first[1], cameras, **vars(options.reading))
    if reader.has_no_header:
        lines = itertools.chain([first], lines)
    pixels = LivePixels(reader, lambda note: command.print_notes([note]), options.wait)
    stream = predictor.stream()
    question.print_header(False)

    def answer_frames(frames):
        for frame in frames:
            if frame.is_new or frame.time - stream.last_time > options.silence:
                stream.restart()
            stream.observe_pixel(frame.time, frame.pixel, cameras[frame.camera], frame.diameter)
            question.answer(stream, frame.time)

    status = answer_lines(lines, lambda row, line: answer_frames(pixels.frames(row, to_row(line))))
    answer_frames(pixels.rest())
    return status


def asked(options: "Options", cameras: Sequence["Camera"]) -> Asked:
    """What the options ask for, with --image in the images of these cameras too."""
    plane = parse_plane(options.plane) if options.plane else None
    return Asked(options.at, options.latency, plane, options.json, cameras if options.image else ())


def warm_up(predictor: "Predictor", cameras: Sequence["Camera"], question: Asked) -> None:
    """Forecast simulated balls as these cameras see them, so that no frame of the real one waits for the compiler."""
    from ballcast import sim

    pixels = sim.draw(predictor.sport, WARM_UP_BALLS, purpose="play", cameras=cameras).pixels
    for ball in range(len(pixels)):
        stream = predictor.stream()
        for k, (t, pixel, camera, _) in enumerate(zip(*pixels.of(ball), strict=True)):
            stream.observe_pixel(t, pixel, cameras[camera])
            if k % WARM_UP_STEP == 0:
                with contextlib.redirect_stdout(io.StringIO()):
                    question.answer(stream, t)
