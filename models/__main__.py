"""Forecasts as CSV: of a recorded track, or live from a tracker's pipe.

python -m ballcast.models stroke.csv --at 0.1 0.2
tail -n +1 -f growing.csv | python -m ballcast.models -      # from its first line, the header, on

One row is printed for every frame and lead time, once there are enough frames: t (s, the last frame), at (s after it),
x, y, z (m), their standard deviations (empty if the predictor gives none), and the expected landing: time (s), position
(m), probability (empty if there is none). Live, every frame is answered at once. A line that is not a frame is reported
on standard error and left out; exit status 1 says that there were such lines.
"""

import contextlib
import itertools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from ballcast import command

if TYPE_CHECKING:
    import numpy as np

    from ballcast.models import Predictor, Stream

PROGRAM = "python -m ballcast.models"
WARM_UP_BALLS = 2
HEADER = "t,at,x,y,z,sd_x,sd_y,sd_z,landing_t,landing_x,landing_y,landing_z,landing_probability"


@dataclass(frozen=True)
class Options:
    """Forecasts as CSV: of a recorded track, or live from a tracker's pipe."""

    file: Annotated[str, tyro.conf.Positional]
    """a track (CSV with t,x,y,z; TT3D; SpinDOE), or - for standard input, line by line from its header on"""
    predictor: str = "physics"  # a name, or module:Class of your own
    sport: str = "table_tennis"  # a sport's name, or a .toml file of your own
    at: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)  # s after the last frame
    without: tuple[str, ...] = ()  # surfaces of the sport that are absent, such as net
    format: str | None = None  # of the track: csv, tt3d or spindoe; found out if not named
    scale: float = 1.0  # metres per unit of the track's positions: 0.001 for millimetres
    axes: str = "x,y,z"  # which of the track's axes are our x (across), y (along) and z (up), as in x,-z,y
    origin: str = "0,0,0"  # our origin in the track's frame, after scale and axes, in metres, as in 0,0,0.76


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
    placement = {"scale": options.scale, "axes": options.axes, "origin": tuple(options.origin.split(","))}
    work = live if options.file == "-" else recorded
    return work(predictor, options, {"format": options.format, **placement})


def recorded(predictor: "Predictor", options: Options, reader_options: dict) -> int:
    """Print the forecasts of all frames of a file."""
    from ballcast.tracks import read_track

    track = read_track(options.file, **reader_options)
    for note in track.notes:
        print(note, file=sys.stderr)
    print(HEADER)
    stream = predictor.stream()
    for t, position in zip(track.time, track.position, strict=True):
        print_forecasts(stream, t, position, options.at)
    return 0


def live(predictor: "Predictor", options: Options, reader_options: dict) -> int:
    """Answer every line as it comes; returns 1 if lines were left out, else 0."""
    from ballcast.tracks import TrackError, TrackLineReader

    warm_up(predictor, options.at)
    decoded = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    lines = ((row, line) for row, line in enumerate(decoded, 1) if line.strip())
    row, first = next(lines, (0, ""))
    if not first:
        raise ValueError("standard input: nothing came; it should start with the line t,x,y,z")
    reader = TrackLineReader(first, **reader_options)
    if reader.has_no_header:
        lines = itertools.chain([(row, first)], lines)
    print(HEADER, flush=True)
    stream, bad = predictor.stream(), 0
    for row, line in lines:
        try:
            print_forecasts(stream, *reader.frame(row, line), options.at)
            sys.stdout.flush()
        except ValueError as error:
            bad += 1
            where = "" if isinstance(error, TrackError) else f"standard input, row {row}: "
            print(f"{PROGRAM}: left out: {where}{' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return int(bad > 0)


def print_forecasts(stream: "Stream", t: float, position: "np.ndarray", lead_times: tuple[float, ...]) -> None:
    """Give the stream a frame and print its forecasts, if it has enough frames."""
    from ballcast.models import HistoryTooShort

    stream.observe(t, position)
    try:
        forecast = stream.forecast([t + lead_time for lead_time in lead_times])
    except HistoryTooShort:
        return
    landing = forecast.landing
    end = [landing.time, *landing.position, landing.probability] if landing else [""] * 5
    for k, lead_time in enumerate(lead_times):
        sd = [""] * 3 if forecast.covariance is None else forecast.covariance[k].diagonal() ** 0.5
        cells = (f"{v:.6g}" if isinstance(v, float) else v for v in (lead_time, *forecast.mean[k], *sd, *end[1:]))
        cells = [f"{t:.6f}", *cells]
        cells.insert(8, f"{end[0]:.6f}" if landing else "")
        print(",".join(cells))


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
