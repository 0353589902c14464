"""Lines in and rows of forecasts out: what `python -m ballcast.models` does alike with positions and with pixels."""

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ballcast.models import Forecast, Stream
    from ballcast.tracks import Camera

PROGRAM = "python -m ballcast.models"
HEADER = "t,at,x,y,z,sd_x,sd_y,sd_z,landing_t,landing_x,landing_y,landing_z,landing_probability"


def begin_reading(header: str) -> tuple[tuple[int, str], str, Iterator[tuple[int, str]]]:
    """The first line (row, line) of standard input, the comment before it, and an iterator over the lines after it.

    header: what the first line should be, for the message if nothing comes."""
    decoded = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    lines = ((row, line) for row, line in enumerate(decoded, 1) if line.strip())
    comment = ""
    for first in lines:
        if not first[1].lstrip("\ufeff \t").startswith("#"):
            break
        comment = first[1].lstrip("\ufeff \t#").strip()
    else:
        raise ValueError(f"standard input: nothing came; it should start with the line {header}")
    return first, comment, ((row, line) for row, line in lines if not line.lstrip().startswith("#"))


def answer_lines(lines: Iterable[tuple[int, str]], answer: Callable[[int, str], None]) -> int:
    """Call answer(row, line) for every line; returns 1 if lines were left out, each with a line that says why."""
    from ballcast.tracks import TrackError

    bad = 0
    for row, line in lines:
        try:
            answer(row, line)
            sys.stdout.flush()
        except ValueError as error:
            bad += 1
            where = "" if isinstance(error, TrackError) else f"standard input, row {row}: "
            print(f"{PROGRAM}: left out: {where}{' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return int(bad > 0)


def print_forecasts(
    stream: "Stream", t: float, lead_times: tuple[float, ...], end: Sequence[str] = (), cameras: Sequence["Camera"] = ()
) -> None:
    """Print a stream's forecasts after its frame at t s, if it has enough frames.

    cameras: those in whose images the ball is forecast too; end: further cells of each row."""
    from ballcast.models import HistoryTooShort

    try:
        forecast = stream.forecast([t + lead_time for lead_time in lead_times])
    except HistoryTooShort:
        return
    landing = forecast.landing
    landing_cells = [f"{landing.time:.6f}", *landing.position, landing.probability] if landing else [""] * 5
    for k, lead_time in enumerate(lead_times):
        sd = [""] * 3 if forecast.covariance is None else forecast.covariance[k].diagonal() ** 0.5
        images = [in_image(camera, forecast, k) for camera in cameras]
        values = (f"{t:.6f}", lead_time, *forecast.mean[k], *sd, *landing_cells, *itertools.chain(*images))
        cells = [f"{v:.6g}" if isinstance(v, float) else v for v in values]
        print(",".join([*cells, *end]))


def in_image(camera: "Camera", forecast: "Forecast", k: int) -> list[float | str]:
    """Where a camera will see the ball at the k-th asked time: u, v, their standard deviations, px; "" if unknown."""
    u, v = camera.project(forecast.mean[k]).tolist()
    if not math.isfinite(u + v):  # behind the camera
        return [""] * 4
    if forecast.covariance is None:
        return [u, v, "", ""]
    jacobian = camera.jacobian(forecast.mean[k])
    return [u, v, *((jacobian @ forecast.covariance[k] @ jacobian.T).diagonal() ** 0.5).tolist()]
