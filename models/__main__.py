"""Forecasts as CSV: of a recorded track, or live from a tracker's pipe.

python -m ballcast.models stroke.csv --at 0.1 0.2
tail -n +1 -f growing.csv | python -m ballcast.models -      # from its first line, the header, on

One row is printed for every frame and lead time, once there are enough frames: t (s, the last frame), at (s after it),
x, y, z (m), their standard deviations (empty if the predictor gives none), and the expected landing: time (s), position
(m), probability (empty if there is none). With several balls, told apart by an id, the last column is `ball`.
Live, every frame is answered at once; a clock that jumps back begins a new ball. A line that is not a frame is reported
on standard error and left out; exit status 1 says that there were such lines. A frame without a position is not
answered; nor is one that is held or (0, 0, 0), see tracks/held.py.
"""

import contextlib
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from ballcast import command
from ballcast.tracks import ReadOptions

if TYPE_CHECKING:
    import numpy as np

    from ballcast.models import Predictor, Stream
    from ballcast.tracks import LiveFrame, TrackLineReader

PROGRAM = "python -m ballcast.models"
WARM_UP_BALLS = 2
HEADER = "t,at,x,y,z,sd_x,sd_y,sd_z,landing_t,landing_x,landing_y,landing_z,landing_probability"


@dataclass(frozen=True)
class Options:
    """Forecasts as CSV: of a recorded track, or live from a tracker's pipe."""

    file: Annotated[str, tyro.conf.Positional]
    """a file of tracks (CSV, TT3D, SpinDOE, Motive, HDF5), or - for standard input, line by line from its header on;
    `rally`: a sample that ships"""
    predictor: str = "physics"  # a name, or module:Class of your own
    sport: str = "table_tennis"  # a sport's name, or a .toml file of your own
    at: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)  # s after the last frame
    without: tuple[str, ...] = ()  # surfaces of the sport that are absent, such as net
    reading: Annotated[ReadOptions, tyro.conf.arg(name="")] = ReadOptions()


def main() -> None:
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    options = command.options(Options, PROGRAM)
    status = []
    command.run(PROGRAM, lambda: status.append(run(options)))
    raise SystemExit(status[0])


def run(options: Options) -> int:
    """Print the forecasts; returns 1 if lines were left out, else 0. Raises ValueError or OSError, one line each."""
    from ballcast import sim
    from ballcast.models import load

    if not options.at or any(not 0 < v < 60 for v in options.at) or list(options.at) != sorted(set(options.at)):
        raise ValueError(f"--at {' '.join(f'{v:g}' for v in options.at)}: seconds above 0 that increase")
    predictor = load(options.predictor, sim.load(options.sport).without(*options.without))
    options.reading.check()
    work = live if options.file == "-" else recorded
    return work(predictor, options)


def recorded(predictor: "Predictor", options: Options) -> int:
    """Print the forecasts of all frames of a file, ball by ball."""
    from ballcast.tracks import read_tracks

    tracks = read_tracks(options.file, ground=predictor.sport.ground, **vars(options.reading))
    command.print_notes(note for track in tracks for note in track.notes)
    has_ids = len(tracks) > 1
    print(HEADER + ",ball" * has_ids)
    stream = predictor.stream()
    for track in tracks:
        stream.restart()
        end = [track.name.rpartition("/")[2]] * has_ids
        for t, position in zip(track.time, track.position, strict=True):
            print_forecasts(stream, t, position, options.at, end)
    return 0


def live(predictor: "Predictor", options: Options) -> int:
    """Answer every line as it comes; returns 1 if lines were left out, else 0."""
    from ballcast.tracks import LiveTracks, TrackError

    warm_up(predictor, options.at)
    decoded = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    reader, lines = begin_reading(((row, line) for row, line in enumerate(decoded, 1) if line.strip()), options.reading)
    balls = LiveTracks(reader, lambda note: command.print_notes([note]), predictor.sport.ground)
    has_ids = reader.layout.id is not None
    print(HEADER + ",ball" * has_ids, flush=True)
    streams, bad = {}, 0
    for row, line in lines:
        try:
            for frame in balls.frames(row, line):
                stream = stream_of(predictor, streams, frame)
                print_forecasts(stream, frame.time, frame.position, options.at, [frame.ball] * has_ids)
            sys.stdout.flush()
        except ValueError as error:
            bad += 1
            where = "" if isinstance(error, TrackError) else f"standard input, row {row}: "
            print(f"{PROGRAM}: left out: {where}{' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return int(bad > 0)


def begin_reading(lines: Iterator[tuple[int, str]], options: ReadOptions) -> tuple["TrackLineReader", Iterator]:
    """(A reader of the lines, made from the first of them, the lines of frames). lines: (row, line)."""
    from ballcast.tracks import TrackLineReader

    comment = ""
    for first in lines:
        if not first[1].lstrip("\ufeff \t").startswith("#"):
            break
        comment = first[1].lstrip("\ufeff \t#").strip()
    else:
        raise ValueError("standard input: nothing came; it should start with the line t,x,y,z")
    reader = TrackLineReader(first[1], comment=comment, **vars(options))
    remaining = itertools.chain([first], lines) if reader.has_no_header else lines
    return reader, ((row, line) for row, line in remaining if not line.lstrip().startswith("#"))


def stream_of(predictor: "Predictor", streams: dict[str, "Stream"], frame: "LiveFrame") -> "Stream":
    """The stream of a frame's ball, begun anew with a new ball. As many are kept as LiveTracks remembers balls."""
    from ballcast.tracks.live import MAX_BALLS

    stream = streams.get(frame.ball)
    if stream is None:
        if len(streams) >= MAX_BALLS:
            streams.pop(next(iter(streams)))
        stream = streams[frame.ball] = predictor.stream()
    elif frame.is_new:
        stream.restart()
    return stream


def print_forecasts(
    stream: "Stream", t: float, position: "np.ndarray", lead_times: tuple[float, ...], end: Sequence[str] = ()
) -> None:
    """Give the stream a frame and print its forecasts, if it has enough frames. `end`: further cells of each row."""
    from ballcast.models import HistoryTooShort

    stream.observe(t, position)
    try:
        forecast = stream.forecast([t + lead_time for lead_time in lead_times])
    except HistoryTooShort:
        return
    landing = forecast.landing
    landing_cells = [f"{landing.time:.6f}", *landing.position, landing.probability] if landing else [""] * 5
    for k, lead_time in enumerate(lead_times):
        sd = [""] * 3 if forecast.covariance is None else forecast.covariance[k].diagonal() ** 0.5
        values = (f"{t:.6f}", lead_time, *forecast.mean[k], *sd, *landing_cells)
        cells = [f"{v:.6g}" if isinstance(v, float) else v for v in values]
        print(",".join([*cells, *end]))


def warm_up(predictor: "Predictor", lead_times: tuple[float, ...]) -> None:
    """Forecast simulated balls to their end, so that no frame of the real one waits for the compiler."""
    from ballcast import sim
    from ballcast.models import HistoryTooShort

    balls = sim.draw(predictor.sport, WARM_UP_BALLS, purpose="play")
    for begin, end in itertools.pairwise(balls.offsets):
        stream = predictor.stream()
        for t, position in zip(balls.time[begin:end], balls.position[begin:end], strict=True):
            stream.observe(t, position)
            with contextlib.suppress(HistoryTooShort):
                stream.forecast([t + lead_time for lead_time in lead_times])


if __name__ == "__main__":
    main()
