"""The contract of every predictor, and the registry: from the seen track of one ball to a forecast of its flight.

    predictor = load("physics", sport="table_tennis")
    forecast = predictor.forecast(history, times)      # times (H,) s, all after the last seen frame
    stream = predictor.stream()                        # live: stream.observe(t, p); stream.forecast(times)

A predictor sees the history and what it declares in `told`, never the truth.
"""

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ballcast import sim

PREDICTORS = {  # name -> "module:Class", imported when used
    "gru_physics": "ballcast.models.predictors.gru_physics:GruPhysics",
    "gru": "ballcast.models.predictors.direct:Gru",
    "physics": "ballcast.models.predictors.physics:Physics",
    "ukf": "ballcast.models.predictors.ukf:Ukf",
    "parabola": "ballcast.models.predictors.parabola:Parabola",
    "constant_velocity": "ballcast.models.predictors.constant_velocity:ConstantVelocity",
    "lstm": "ballcast.models.predictors.direct:Lstm",
    "rnn": "ballcast.models.predictors.direct:Rnn",
    "mingru": "ballcast.models.predictors.direct:MinGru",
    "transformer": "ballcast.models.predictors.direct:Transformer",
    "mlp": "ballcast.models.predictors.direct:Mlp",
    "tokens": "ballcast.models.predictors.tokens:Tokens",
}
NETWORK_PREDICTORS = ("gru", "lstm", "rnn", "mlp", "mingru", "transformer")
WEIGHTS_OF = {"gru_physics": "gru", "tokens": "tokens"} | {
    name: name for name in NETWORK_PREDICTORS
}  # name -> whose weights
REQUIRED_LIBRARY = {"ukf": "filterpy"}  # name -> a library beyond the core
WEIGHTS_FOLDER = Path(__file__).parent / "weights"


class HistoryTooShort(ValueError):
    """Fewer frames were seen than the predictor needs."""


@dataclass(frozen=True, eq=False)
class Landing:
    """The first contact with a landing surface after the last seen frame."""

    time: float  # s
    position: np.ndarray  # (3,) m, the ball's centre
    covariance: np.ndarray | None = None  # (4, 4) of time and place
    probability: float = 1.0


@dataclass(frozen=True, eq=False)
class Belief:
    """The state at the last seen frame, as the predictor believes it."""

    position: np.ndarray  # (3,) m
    velocity: np.ndarray  # (3,) m/s
    spin: np.ndarray  # (3,) rad/s
    parameters: np.ndarray  # (6,) in the order of sim.PARAMETERS
    covariance: np.ndarray | None = None  # (15, 15) of all of these in this order


@dataclass(frozen=True, eq=False)
class Forecast:
    """Where the ball will be at the asked times."""

    mean: np.ndarray  # (H, 3) m
    covariance: np.ndarray | None = None  # (H, 3, 3) m2, of the true position
    samples: np.ndarray | None = None  # (K, H, 3) m
    landing: Landing | None = None
    belief: Belief | None = None


class Predictor:
    """Base of all predictors. One that remembers nothing but its last `window` frames defines `predict` alone."""

    name = ""
    side_information = "nothing"  # what it knows beyond the history: "nothing", "gravity" or "sport"
    min_frames = 2  # frames
    window = 60  # frames, the most it looks back

    def __init__(self, sport):
        self.sport = sport

    def predict(self, time, position, times):
        """The Forecast at times (H,) s from the frames time (T,) s and position (T, 3) m, all of it checked."""
        raise NotImplementedError

    def forecast(self, history, times):
        """The Forecast at times (H,) s (absolute, increasing, after the last seen frame) from a Track.

        TooShort when the history has fewer than `needs` frames; ValueError for times that cannot be.
        """
        times = self.check_times(history.time, times)
        return self.predict(history.time[-self.window :], history.position[-self.window :], times)

    def forecast_batch(self, tracks, times):
        """One Forecast a track. times (H,) s for all of them, or a row for each, (B, H)."""
        times = np.asarray(times, float)
        rows = times if times.ndim == 2 else [times] * len(tracks)
        return [self.forecast(track, row) for track, row in zip(tracks, rows, strict=True)]

    def stream(self):
        """A Stream, for one ball watched live."""
        return Stream(self)

    def check_times(self, frame_times, times):
        """The asked times as an array (H,); seen (T,) s are the frames'."""
        if len(frame_times) < self.min_frames:
            raise HistoryTooShort(f"{self.name} needs {self.min_frames} frames; {len(frame_times)} were seen")
        times = np.asarray(times, float)
        if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise ValueError("times must be one row of finite seconds that increase")
        if len(times) and times[0] <= frame_times[-1]:
            raise ValueError(
                f"time {times[0]:g} s is not after the last seen frame at {frame_times[-1]:g} s; ask for later ones"
            )
        return times


class Stream:
    """One ball watched live: constant time and memory per frame, however long."""

    def __init__(self, predictor):
        self.predictor = predictor
        self._frames = np.empty((2 * predictor.window, 4))  # t, x, y, z; the last `window` of them count
        self._end = 0

    @property
    def frames(self):
        """The frames kept: time (T,) s and position (T, 3) m, T at most the predictor's window."""
        frames = self._frames[max(0, self._end - self.predictor.window) : self._end]
        return frames[:, 0], frames[:, 1:]

    def observe(self, time, position):
        """Take in a frame: time in s, after the one before; position (3,) m. ValueError for anything else."""
        frame = self.check_frame(time, position)
        if self._end and frame[0] <= self._frames[self._end - 1, 0]:
            last = self._frames[self._end - 1, 0]
            raise ValueError(f"frame at {frame[0]:g} s does not come after the one before, at {last:g} s")
        if self._end == len(self._frames):
            self._end = self.predictor.window
            self._frames[: self._end] = self._frames[self._end :]
        self._frames[self._end] = frame
        self._end += 1

    @staticmethod
    def check_frame(time, position):
        """A frame as (4,): t, x, y, z. ValueError where it is none."""
        frame = np.array([time, *position], float)
        if frame.shape != (4,) or not np.isfinite(frame).all():
            raise ValueError(f"a frame is a finite time and position (3,), not {time!r}, {position!r}")
        return frame

    def forecast(self, times):
        """The Forecast at times (H,) s, as Predictor.forecast."""
        time, position = self.frames
        return self.predictor.predict(time, position, self.predictor.check_times(time, times))


def available(sport):
    """The names in PREDICTORS that can be loaded for a Sport: a network needs weights of it, a rival its library."""
    installed = [
        name for name in PREDICTORS if name not in REQUIRED_LIBRARY or importlib.util.find_spec(REQUIRED_LIBRARY[name])
    ]
    return [name for name in installed if name not in WEIGHTS_OF or weights_path(name, sport).exists()]


def weights_path(name, sport):
    """The path of the weights that a network of that name has for a Sport, if it has any."""
    return WEIGHTS_FOLDER / f"{sport.name}-{WEIGHTS_OF[name]}.safetensors"


def load(name, sport="table_tennis"):
    """The predictor of that name in PREDICTORS, for a Sport, the name of one, or a path to its .toml.

    A file of weights (.safetensors) gives what it was trained as, or with `FILE:name` one of those it holds;
    `module:Class` names one of your own, made as Class(sport): a subclass of Predictor. ValueError (SportError) says in
    a line which names there are.
    """
    path, model = _weights(str(name))
    if model not in PREDICTORS and ":" not in model:
        known = ", ".join(PREDICTORS)
        raise ValueError(f"no predictor is called {model!r}; there are {known}, files of weights, or module:Class")
    if model in REQUIRED_LIBRARY and not importlib.util.find_spec(REQUIRED_LIBRARY[model]):
        raise ValueError(
            f"{model} needs {REQUIRED_LIBRARY[model]}: pip install -c constraints.txt {REQUIRED_LIBRARY[model]}"
        )
    cls = _import_class(PREDICTORS.get(model, model))
    sport = sport if isinstance(sport, sim.Sport) else sim.load(sport)
    return cls(sport, path) if path else cls(sport)


def _weights(name):
    """(the file of weights that is named, or None, and the predictor's name)."""
    file, _, model = name.partition(".safetensors")
    if file == name:
        return None, name
    from ballcast.models.runtime import weights

    path, model = file + ".safetensors", model.removeprefix(":")
    return path, model or weights.read(path)[0]["predictor"]


def _import_class(where):
    """The class at `module:Class`, also of a module in the folder one is in."""
    module, _, name = where.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        cls = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"{where}: there is no module {error.name!r}; name a predictor module:Class") from None
    except Exception as error:  # whatever a module of somebody else's does when it is imported
        raise ValueError(f"{where}: {module!r} cannot be imported ({type(error).__name__}: {error})") from error
    if cls is None:
        raise ValueError(f"{where}: {module} has no {name!r}; name a predictor module:Class")
    if not (isinstance(cls, type) and issubclass(cls, Predictor)):
        raise ValueError(f"{where}: not a subclass of models.Predictor, which a predictor must be")
    return cls
