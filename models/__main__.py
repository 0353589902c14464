"""Forecasts as CSV or JSON: of a recorded track, or live from a tracker's pipe; of positions, or of pixels of cameras.

python -m ballcast.models stroke.csv --at 0.1 0.2
tail -n +1 -f growing.csv | python -m ballcast.models -      # from its first line, the header, on
python -m ballcast.models ball.csv --cameras cameras.yaml    # pixels: t,camera,u,v[,diameter]; see pixel_pipe.py
tracker | python -m ballcast.models - --json --latency 0.03 --plane y=1.2 --predictor gru_physics

One row is printed for every frame and lead time, once there are enough frames: t (s, the last frame), at (s after it
and the latency), x, y, z (m), their standard deviations (empty if the predictor gives none), and the expected landing:
time (s), position (m), probability (empty if there is none). With --plane the crossing follows: time, position,
velocity, standard deviations of time and position, probability. With several balls, told apart by an id, the last
column is `ball`. With --json one line for each frame has all of this, and lines of standard input are JSON too.
Live, every frame is answered at once; a clock that jumps back begins a new ball, and so does a ball that was silent. A
line that is not a frame is reported on standard error and left out; exit status 1 says that there were such lines. A
frame without a position is not answered; nor is one that is held or (0, 0, 0), see tracks/held.py.
"""

import contextlib
import io
import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from ballcast import command
from ballcast.models.answers import Asked, parse_plane
from ballcast.models.pipe import PROGRAM, answer_lines, begin_json, begin_reading
from ballcast.tracks import ReadOptions

if TYPE_CHECKING:
    from ballcast.models import Predictor, Stream
    from ballcast.tracks import LiveFrame

WARM_UP_BALLS = 2


@dataclass(frozen=True)
class Options:
    """Forecasts as CSV or JSON: of a recorded track, or live from a tracker's pipe."""

    file: Annotated[str, tyro.conf.Positional]
    """a file of tracks (CSV, TT3D, SpinDOE, Motive, HDF5), or - for standard input, line by line from its header on;
    `rally`: a sample that ships. With --cameras: a file of pixels (`t,camera,u,v[,diameter]`)"""
    cameras: str | None = None  # the file of the calibrated cameras (YAML) that measured pixels
    image: bool = False  # with --cameras: also where the ball will be in the image of each camera
    wait: float = 0.0  # s; with --cameras and -: wait so long for cameras whose frames come later than others'
    predictor: str = "physics"  # a name, or module:Class of your own; from pixels gru_physics is faster
    sport: str = "table_tennis"  # a sport's name, or a .toml file of your own
    at: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)  # s after the last frame and the latency
    latency: float = 0.0  # s from a frame to the moment at which its answer counts: camera, computing, motors
    plane: str = ""  # when and where the ball crosses it: y=1.2, or a,b,c,d for a x + b y + c z = d, in m
    json: bool = False  # one line of JSON for each frame; lines of standard input are JSON objects: t, x, y, z[, id]
    silence: float = 2.0  # s; a ball that was not seen for so long is closed, what comes then is a new ball
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

    if not 0.0 <= options.latency < 60.0:
        raise ValueError(f"--latency {options.latency:g}: seconds, 0 or more")
    first = -options.latency  # with a latency, `--at 0` is after the frame
    if not options.at or any(not first < v < 60 for v in options.at) or list(options.at) != sorted(set(options.at)):
        raise ValueError(f"--at {' '.join(f'{v:g}' for v in options.at)}: seconds above {first + 0.0:g} that increase")
    predictor = load(options.predictor, sim.load(options.sport).without(*options.without))
    if options.cameras is None and (options.image or options.wait):
        raise ValueError(f"--{'image' if options.image else 'wait'} is for pixels: add --cameras FILE")
    asked(options)
    if not options.silence > 0.0:
        raise ValueError(f"--silence {options.silence:g}: seconds above 0")
    if options.cameras is not None:
        from ballcast.models import pixel_pipe

        return (pixel_pipe.live if options.file == "-" else pixel_pipe.recorded)(predictor, options, options.cameras)
    options.reading.check()
    return (live if options.file == "-" else recorded)(predictor, options)


def asked(options: Options) -> Asked:
    """What the options ask for. ValueError, one line, for a wrong plane."""
    plane = parse_plane(options.plane) if options.plane else None
    return Asked(options.at, options.latency, plane, options.json)


def recorded(predictor: "Predictor", options: Options) -> int:
    """Print the forecasts of all frames of a file, ball by ball."""
    from ballcast.tracks import read_tracks

    tracks = read_tracks(options.file, ground=predictor.sport.ground, **vars(options.reading))
    command.print_notes(note for track in tracks for note in track.notes)
    has_ids, question = len(tracks) > 1, asked(options)
    question.print_header(has_ids)
    stream = predictor.stream()
    for track in tracks:
        stream.restart()
        ball = track.name.rpartition("/")[2] if has_ids else None
        for t, position in zip(track.time, track.position, strict=True):
            if t - stream.last_time > options.silence:
                stream.restart()
            stream.observe(t, position)
            question.answer(stream, float(t), ball)
    return 0


def live(predictor: "Predictor", options: Options) -> int:
    """Answer every line as it comes; returns 1 if lines were left out, else 0."""
    from ballcast.tracks import LiveTracks, TrackLineReader

    question = asked(options)
    warm_up(predictor, question)
    comment, to_row = "", str
    if options.json:
        first, lines, to_row = begin_json("t,x,y,z")
    else:
        first, comment, lines = begin_reading("t,x,y,z")
    reader = TrackLineReader(first[1], comment=comment, **vars(options.reading))
    if reader.has_no_header:
        lines = itertools.chain([first], lines)
    balls = LiveTracks(reader, lambda note: command.print_notes([note]), predictor.sport.ground, options.silence)
    has_ids = reader.layout.id is not None
    question.print_header(has_ids)
    streams: dict[str, Stream] = {}

    def answer(row, line):
        for frame in balls.frames(row, to_row(line)):
            stream = stream_of(predictor, streams, frame)
            stream.observe(frame.time, frame.position)
            question.answer(stream, frame.time, frame.ball if has_ids else None)
        for closed in streams.keys() - balls.open:
            del streams[closed]

    return answer_lines(lines, answer)


def stream_of(predictor: "Predictor", streams: dict[str, "Stream"], frame: "LiveFrame") -> "Stream":
    """The stream of a frame's ball, begun anew with a new ball."""
    stream = streams.get(frame.ball)
    if stream is None:
        stream = streams[frame.ball] = predictor.stream()
    elif frame.is_new:
        stream.restart()
    return stream


def warm_up(predictor: "Predictor", question: Asked) -> None:
    """Forecast simulated balls to their end, so that no frame of the real one waits for the compiler."""
    from ballcast import sim

    balls = sim.draw(predictor.sport, WARM_UP_BALLS, purpose="play")
    for begin, end in itertools.pairwise(balls.offsets):
        stream = predictor.stream()
        for t, position in zip(balls.time[begin:end], balls.position[begin:end], strict=True):
            stream.observe(t, position)
            with contextlib.redirect_stdout(io.StringIO()):
                question.answer(stream, t)


if __name__ == "__main__":
    main()
