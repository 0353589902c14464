"""Forecasts as CSV: of a recorded track, or live from a tracker's pipe; of positions, or of pixels of cameras.

python -m ballcast.models stroke.csv --at 0.1 0.2
tail -n +1 -f growing.csv | python -m ballcast.models -      # from its first line, the header, on
python -m ballcast.models ball.csv --cameras cameras.yaml    # pixels: t,camera,u,v[,diameter]; see pixel_pipe.py

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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from ballcast import command
from ballcast.models.pipe import HEADER, PROGRAM, answer_lines, begin_reading, print_forecasts
from ballcast.tracks import ReadOptions

if TYPE_CHECKING:
    from ballcast.models import Predictor, Stream
    from ballcast.tracks import LiveFrame

WARM_UP_BALLS = 2


@dataclass(frozen=True)
class Options:
    """Forecasts as CSV: of a recorded track, or live from a tracker's pipe."""

    file: Annotated[str, tyro.conf.Positional]
    """a file of tracks (CSV, TT3D, SpinDOE, Motive, HDF5), or - for standard input, line by line from its header on;
    `rally`: a sample that ships. With --cameras: a file of pixels (`t,camera,u,v[,diameter]`)"""
    cameras: str | None = None  # the file of the calibrated cameras (YAML) that measured pixels
    image: bool = False  # with --cameras: also where the ball will be in the image of each camera
    wait: float = 0.0  # s; with --cameras and -: wait so long for cameras whose frames come later than others'
    predictor: str = "physics"  # a name, or module:Class of your own; from pixels gru_physics is faster
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
    if options.cameras is None and (options.image or options.wait):
        raise ValueError(f"--{'image' if options.image else 'wait'} is for pixels: add --cameras FILE")
    if options.cameras is not None:
        from ballcast.models import pixel_pipe

        return (pixel_pipe.live if options.file == "-" else pixel_pipe.recorded)(predictor, options, options.cameras)
    options.reading.check()
    return (live if options.file == "-" else recorded)(predictor, options)


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
            stream.observe(t, position)
            print_forecasts(stream, t, options.at, end)
    return 0


def live(predictor: "Predictor", options: Options) -> int:
    """Answer every line as it comes; returns 1 if lines were left out, else 0."""
    from ballcast.tracks import LiveTracks, TrackLineReader

    warm_up(predictor, options.at)
    first, comment, lines = begin_reading("t,x,y,z")
    reader = TrackLineReader(first[1], comment=comment, **vars(options.reading))
    if reader.has_no_header:
        lines = itertools.chain([first], lines)
    balls = LiveTracks(reader, lambda note: command.print_notes([note]), predictor.sport.ground)
    has_ids = reader.layout.id is not None
    print(HEADER + ",ball" * has_ids, flush=True)
    streams: dict[str, Stream] = {}

    def answer(row, line):
        for frame in balls.frames(row, line):
            stream = stream_of(predictor, streams, frame)
            stream.observe(frame.time, frame.position)
            print_forecasts(stream, frame.time, options.at, [frame.ball] * has_ids)

    return answer_lines(lines, answer)


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
