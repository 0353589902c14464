"""What `python -m ballcast.models` answers after each frame: rows of CSV, or one line of JSON."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from ballcast.models import Crossing, Forecast, Landing, Stream
    from ballcast.tracks import Camera

HEADER = "t,at,x,y,z,sd_x,sd_y,sd_z,landing_t,landing_x,landing_y,landing_z,landing_probability"
CROSSING_COLUMNS = ("t", "x", "y", "z", "vx", "vy", "vz", "sd_t", "sd_x", "sd_y", "sd_z", "probability")
SIGNIFICANT = 9  # figures of a number in JSON


class Plane(NamedTuple):
    """A plane: normal . position = offset."""

    normal: tuple[float, float, float]
    offset: float


@dataclass(frozen=True)
class Asked:
    """What is asked after each frame."""

    lead_times: tuple[float, ...]  # s after the frame and the latency
    latency: float = 0.0  # s
    plane: Plane | None = None  # whose crossing is asked for
    is_json: bool = False
    cameras: Sequence["Camera"] = ()  # in whose images the ball is forecast too

    def print_header(self, has_balls: bool) -> None:
        """Print the header of the rows; JSON has none."""
        crossing = [f"crossing_{name}" for name in CROSSING_COLUMNS] if self.plane else []
        images = [f"{camera.name}_{key}" for camera in self.cameras for key in ("u", "v", "sd_u", "sd_v")]
        if not self.is_json:
            print(",".join([HEADER, *crossing, *images, *["ball"] * has_balls]), flush=True)

    def answer(self, stream: "Stream", t: float, ball: str | None = None) -> None:
        """Print a stream's forecasts after its frame at t s, if it has enough frames; ball: the name of several."""
        from ballcast.models import HistoryTooShort

        times = t + self.latency + np.array(self.lead_times)
        try:
            forecast, rows = self._forecast(stream, t, times)
        except HistoryTooShort:
            return
        crossing = forecast.at_plane(*self.plane) if self.plane else None
        if self.is_json:
            print(json.dumps(self._as_json(forecast, rows, t, times, crossing, ball)))
            return
        end = [] if ball is None else [ball]
        for k, lead_time in zip(rows, self.lead_times, strict=True):
            images = itertools.chain(*(in_image(camera, forecast, k) for camera in self.cameras))
            values = (f"{t:.6f}", lead_time, *_path_cells(forecast, k), *_landing_cells(forecast.landing))
            values = (*values, *(_crossing_cells(crossing) if self.plane else ()), *images)
            print(",".join([*(f"{v:.6g}" if isinstance(v, float) else v for v in values), *end]))

    def _forecast(self, stream, t, times):
        """The Forecast at the asked times, and at those that a crossing needs; the rows of the asked ones."""
        from ballcast.models.contract import AHEAD, times_ahead, with_times

        if self.plane is None:
            return stream.forecast(times), range(len(times))
        every = np.unique(np.concatenate([times, t + times_ahead(max(AHEAD, times[-1] - t))]))
        return with_times(stream.forecast(every), every), np.searchsorted(every, times)

    def _as_json(self, forecast, rows, t, times, crossing, ball):
        """The answer as plain lists and numbers."""
        answer: dict[str, Any] = {"t": round(t, 6)} | ({} if ball is None else {"ball": ball})
        answer["forecast"] = [
            {"at": at, "t": round(float(time), 6), **_path_json(forecast, k), **_images_json(self.cameras, forecast, k)}
            for k, at, time in zip(rows, self.lead_times, times, strict=True)
        ]
        answer["landing"] = _event_json(forecast.landing)
        return answer | ({"crossing": _event_json(crossing)} if self.plane else {})


def parse_plane(text: str) -> Plane:
    """The plane of `y=1.2`, or of `a,b,c,d`: a x + b y + c z = d, in m. ValueError, one line, for anything else."""
    from ballcast.models.crossing import plane

    axis, _, rest = text.replace(" ", "").partition("=")
    try:
        if axis in ("x", "y", "z"):
            *normal, offset = (*(float(axis == name) for name in "xyz"), float(rest))
        else:
            *normal, offset = (float(word) for word in text.split(","))
        plane(normal, offset)
    except ValueError:
        raise ValueError(f"--plane {text}: write y=1.2, or a,b,c,d for the plane a x + b y + c z = d, in m") from None
    return Plane((normal[0], normal[1], normal[2]), offset)


def _path_cells(forecast, k):
    sd = [""] * 3 if forecast.covariance is None else forecast.covariance[k].diagonal() ** 0.5
    return *forecast.mean[k], *sd


def _landing_cells(landing: "Landing | None"):
    return [f"{landing.time:.6f}", *landing.position, landing.probability] if landing else [""] * 5


def _crossing_cells(crossing: "Crossing | None"):
    if crossing is None:
        return [""] * len(CROSSING_COLUMNS)
    sd = [""] * 4 if crossing.covariance is None else _sd(crossing.covariance)
    return [f"{crossing.time:.6f}", *crossing.position, *crossing.velocity, *sd, crossing.probability]


def _sd(covariance):
    """Standard deviations; what is exactly known may be negative by rounding."""
    return np.sqrt(np.maximum(np.diagonal(covariance), 0.0))


def _path_json(forecast, k):
    found = {"position": forecast.mean[k]}
    if forecast.velocity is not None:
        found["velocity"] = forecast.velocity[k]
    if forecast.covariance is not None:
        found["sd"] = _sd(forecast.covariance[k])
    return {key: _plain(value) for key, value in found.items()}


def _event_json(event: "Landing | Crossing | None"):
    if event is None:
        return None
    found = {"t": round(event.time, 6), "position": _plain(event.position), "probability": round(event.probability, 6)}
    if (velocity := getattr(event, "velocity", None)) is not None:
        found["velocity"] = _plain(velocity)
    if event.covariance is not None:
        found["sd"] = _plain(_sd(event.covariance))
    return found


def _images_json(cameras, forecast, k):
    """Where each camera will see the ball; nothing without cameras."""
    images = {camera.name: [v for v in in_image(camera, forecast, k) if v != ""] for camera in cameras}
    keys = ("u", "v", "sd_u", "sd_v")
    return {"images": {name: dict(zip(keys, found)) for name, found in images.items()}} if images else {}


def _plain(values):
    """Numbers as JSON has them."""
    return [float(f"{v:.{SIGNIFICANT}g}") for v in values]


def in_image(camera: "Camera", forecast: "Forecast", k: int) -> list[float | str]:
    """Where a camera will see the ball at the k-th asked time: u, v, their standard deviations, px; "" if unknown."""
    u, v = camera.project(forecast.mean[k]).tolist()
    if not math.isfinite(u + v):  # behind the camera
        return [""] * 4
    if forecast.covariance is None:
        return [u, v, "", ""]
    jacobian = camera.jacobian(forecast.mean[k])
    return [u, v, *((jacobian @ forecast.covariance[k] @ jacobian.T).diagonal() ** 0.5).tolist()]
