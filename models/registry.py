"""Which predictors exist, what they need, and how one is loaded.

predictor = load("gru", sport="table_tennis")      # a name in PREDICTORS, a file of weights, or module:Class
"""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ballcast import sim
from ballcast.models.contract import Predictor
from ballcast.models.runtime.weights import GENERAL_MODELS

PREDICTORS = {  # name -> "module:Class", imported when used
    "gru_physics": "ballcast.models.predictors.gru_physics:GruPhysics",
    "gru": "ballcast.models.predictors.direct:Gru",
    "physics": "ballcast.models.predictors.physics:Physics",
    "ukf": "ballcast.models.predictors.ukf:Ukf",
    "parabola": "ballcast.models.predictors.parabola:Parabola",
    "constant_velocity": "ballcast.models.predictors.constant_velocity:ConstantVelocity",
    "gru_raw": "ballcast.models.predictors.direct:GruRaw",
    "lstm": "ballcast.models.predictors.direct:Lstm",
    "rnn": "ballcast.models.predictors.direct:Rnn",
    "mingru": "ballcast.models.predictors.direct:MinGru",
    "transformer": "ballcast.models.predictors.direct:Transformer",
    "mlp": "ballcast.models.predictors.direct:Mlp",
    "tokens": "ballcast.models.predictors.tokens:Tokens",
}


class Description(NamedTuple):
    """What people read of a predictor: a plain name, and a line on what it is."""

    title: str
    summary: str

    @property
    def short(self) -> str:
        """A name for where there is little room; the title if there is none."""
        return SHORT_TITLES.get(self.title, self.title)


DESCRIPTIONS = {
    "gru_physics": Description(
        "Network and simulator", "A network estimates speed and spin; a simulator flies the ball on."
    ),
    "gru": Description("Recurrent network (GRU)", "A network with a memory puts out the path itself."),
    "physics": Description("Simulator fit", "The simulated flight that fits the dots best."),
    "ukf": Description("Kalman filter", "The standard filter, with the physics of the sport."),
    "parabola": Description("Parabola", "Gravity alone: no air, no spin, no bounce."),
    "constant_velocity": Description("Straight line", "The ball goes on as it flies now."),
    "gru_raw": Description("GRU without filter", "As the GRU, from the measured positions alone: no filter helps it."),
    "lstm": Description("Recurrent network (LSTM)", "As the GRU, with a memory of another kind."),
    "rnn": Description("Simple recurrent network", "As the GRU, with the simplest memory."),
    "mingru": Description("Parallel network (minGRU)", "A recurrent network that is trained in parallel."),
    "transformer": Description("Transformer", "A network that attends to the last 48 dots."),
    "mlp": Description("Network without memory", "It reads the last dots and keeps nothing."),
    "tokens": Description("Motion as language", "A network that writes futures, token by token."),
}
SHORT_TITLES = {
    "Network and simulator": "GRU + sim", "Recurrent network (GRU)": "GRU", "GRU without filter": "GRU raw",
    "Simulator fit": "Sim fit",
    "Kalman filter": "Kalman", "Straight line": "Line", "Recurrent network (LSTM)": "LSTM",
    "Simple recurrent network": "RNN", "Parallel network (minGRU)": "minGRU", "Network without memory": "MLP",
    "Motion as language": "Tokens",
}  # fmt: skip
DIRECT_PREDICTORS = ("gru", "gru_raw", "lstm", "rnn", "mlp", "mingru", "transformer")
WEIGHTS_OF = {"gru_physics": "gru", "tokens": "tokens"} | {name: name for name in DIRECT_PREDICTORS}  # whose weights
REQUIRED_LIBRARY = {"ukf": "filterpy", "own_trunk": "torch"}  # name -> a library beyond the core
OWN_TRUNK = "own_trunk"  # how the weights of a trunk of your own are loaded; not in PREDICTORS: it needs a file
OWN_TRUNK_CLASS = "ballcast.models.own_trunk:OwnTrunk"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"


def describe(name: str, predictor: Predictor | None = None) -> Description:
    """The Description of a name in PREDICTORS. A file of weights and a class of your own go by their own name; once
    loaded, by what the predictor is: a class may have a `title` and a `summary`."""
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name]
    path = Path(name.partition(".safetensors")[0])
    own = path.parent.name if path.name == "weights" else path.name
    own = own if ".safetensors" in name else name.rpartition(":")[2]
    known = DESCRIPTIONS.get(getattr(predictor, "name", ""), Description("", ""))
    title = getattr(predictor, "title", "") or (f"{known.title}, {own}" if known.title else own or name)
    return Description(title, getattr(predictor, "summary", "") or known.summary)


def available(sport: sim.Sport) -> list[str]:
    """The names in PREDICTORS that can be loaded for a Sport: their weights are there, and their library."""
    return [name for name in PREDICTORS if not missing(name, sport)]


def missing(name: str, sport: sim.Sport) -> str:
    """Why a name in PREDICTORS cannot be loaded for a Sport, in one line; "" if it can."""
    try:
        if name in WEIGHTS_OF:
            require_weights(name, sport)
    except ValueError as error:
        return str(error)
    return _missing_library(name)


def _missing_library(name):
    library = REQUIRED_LIBRARY.get(name)
    found = not library or importlib.util.find_spec(library) is not None
    return "" if found else f"{name} needs {library}: pip install -c constraints.txt {library}"


def weights_path(name: str, sport: sim.Sport) -> Path:
    """The path of the weights that a network of that name has for a Sport, whether they exist or not."""
    model = WEIGHTS_OF[name]
    return WEIGHTS_FOLDER / f"{model if model in GENERAL_MODELS else f'{sport.name}-{model}'}.safetensors"


def require_weights(name: str, sport: sim.Sport) -> Path:
    """The path of a network's weights for a Sport. ValueError, one line, names the sports that have some."""
    path = weights_path(name, sport)
    if not path.exists() and WEIGHTS_OF[name] in GENERAL_MODELS:
        raise ValueError(f"{path} is not there; train it: python train.py --model {name} --sport all")
    if not path.exists():
        end = path.name.removeprefix(sport.name)
        trained = ", ".join(sorted(p.name.removesuffix(end) for p in path.parent.glob(f"*{end}"))) or "no sport"
        command = f"python train.py --model {name} --sport {sport.name}"
        raise ValueError(f"{name} has no weights for {sport.name}, but for {trained}; train some: {command}")
    return path


def check_weights(info: dict, model: str, sport: sim.Sport, path: Path | str) -> None:
    """ValueError if a file's info says that its weights are of another model, sport or version of the sport. Weights
    that learnt from several sports serve every one."""
    if info["model"] != model:
        cure = f"train some: python train.py --model {model}"
        raise ValueError(f"{path}: weights of {info['model']}, not of {model}; {cure}")
    if not serves(info, sport):
        ((name, version),), wanted = info["sports"].items(), f"{sport.name} version {sport.version}"
        command = f"python train.py --sport {sport.name}"
        raise ValueError(f"{path}: weights for {name} version {version}, not for {wanted}; train some: {command}")


def serves(info: dict, sport: sim.Sport) -> bool:
    """Whether weights of that info are for a Sport: they learnt from it alone, or from several sports."""
    return len(info["sports"]) + info["random_sports"] > 1 or info["sports"] == {sport.name: sport.version}


def predictors_of(model: str) -> list[str]:
    """The predictors that weights of that model give: of the path head, and for gru of the belief head."""
    return [OWN_TRUNK if ":" in model else model, *(["gru_physics"] if model == "gru" else [])]


def variance_factors(info: dict, sport: sim.Sport) -> dict:
    """The calibration of a file of weights for a Sport: its own factors, or those of all sports together."""
    factors = info.get("widen", {})
    own = factors.get("sports", {}).get(sport.name, {}) if info["sports"].get(sport.name) == sport.version else {}
    pixels = factors.get("pixels", {}) | own.get("pixels", {})
    return factors | own | ({"pixels": pixels} if pixels else {})


def load(name: str | Path, sport: sim.Sport | str | Path = "table_tennis") -> Predictor:
    """The predictor of that name in PREDICTORS, for a Sport, the name of one, or a path to its .toml.
    A file of weights (.safetensors) gives the predictor it was trained as, `FILE:name` another one of the same weights;
    `module:Class` names one of your own, made as Class(sport): a subclass of Predictor. ValueError (SportError), one
    line, lists the known names."""
    path, model = _weights_and_name(str(name))
    if model not in PREDICTORS and ":" not in model and not (path and model == OWN_TRUNK):
        known = ", ".join(PREDICTORS)
        raise ValueError(f"no predictor is called {model!r}; there are {known}, files of weights, or module:Class")
    if problem := _missing_library(model):
        raise ValueError(problem)
    cls = _import_class(OWN_TRUNK_CLASS if model == OWN_TRUNK else PREDICTORS.get(model, model))
    sport = sport if isinstance(sport, sim.Sport) else sim.load(sport)
    return cls(sport, path) if path else cls(sport)


def _weights_and_name(name):
    """(the file of weights that is named, or None; the predictor's name)."""
    file, _, model = name.partition(".safetensors")
    if file == name:
        return None, name
    from ballcast.models.runtime import weights

    path, model = file + ".safetensors", model.removeprefix(":")
    return path, model or weights.read(path)[0]["predictor"]


def import_object(where: str, what: str = "a class") -> Any:
    """The object at `module:Name`, of an installed module or one in the current folder. ValueError, one line."""
    module, _, name = where.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        raise ValueError(f"{where}: there is no module {error.name!r}; name {what} module:Class") from None
    except Exception as error:  # whatever a user's module does when it is imported
        raise ValueError(f"{where}: {module!r} cannot be imported ({type(error).__name__}: {error})") from error
    if found is None:
        raise ValueError(f"{where}: {module} has no {name!r}; name {what} module:Class")
    return found


def _import_class(where):
    """The Predictor at `module:Class`."""
    cls = import_object(where, "a predictor")
    if not (isinstance(cls, type) and issubclass(cls, Predictor)):
        raise ValueError(f"{where}: not a subclass of models.Predictor, which a predictor must be")
    return cls
