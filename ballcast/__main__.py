"""The command `ballcast`, also `python -m ballcast`: its subcommands are the programs of the packages.

A subcommand's module is imported only when it is chosen, so that the others do not slow it down.
"""

import importlib
import sys
from pathlib import Path

import ballcast

SUBCOMMANDS = {  # name -> (module with main(), the name that the module gives itself, what it does)
    "play": ("ballcast.viewer.play", "play.py", "open the viewer: a ball and its forecast"),
    "train": ("ballcast.models.training.train", "train.py", "train a network on simulated balls"),
    "evaluate": ("ballcast.evaluation.evaluate", "evaluate.py", "score predictors on the same balls"),
    "simulate": ("ballcast.sim.__main__", "python -m ballcast.sim", "write a file of simulated balls"),
    "forecast": ("ballcast.models.__main__", "python -m ballcast.models", "print forecasts of a track as CSV"),
    "identify": ("ballcast.models.identify", "python -m ballcast.models.identify", "fit a sport to your recordings"),
    "calibrate": (
        "ballcast.vision.calibrate",
        "python -m ballcast.vision.calibrate",
        "find a clip's camera, from lines or by hand",
    ),
    "detect": ("ballcast.vision.detect", "python -m ballcast.vision.detect", "find the ball in a video"),
    "render": ("ballcast.vision.rendering", "python -m ballcast.vision.rendering", "make a video of simulated play"),
    "warm": ("ballcast.warm_up", "ballcast warm", "compile ahead of time"),
}


def usage() -> str:
    lines = [f"  {name:10}{does}" for name, (_, _, does) in SUBCOMMANDS.items()]
    head, foot = "usage: ballcast COMMAND [OPTIONS]\n", "\nballcast COMMAND --help explains a command's options."
    return "\n".join([head, *lines, foot])


def main() -> None:
    name, arguments = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    if name in SUBCOMMANDS:
        module, own_name, _ = SUBCOMMANDS[name]
        sys.argv[1:] = arguments
        from ballcast import command

        command.CALLED_AS[own_name] = f"ballcast {name}"  # its messages name it as it was called here
        importlib.import_module(module).main()
    elif name == "--version":
        print(f"ballcast {ballcast.__version__} from {Path(ballcast.__file__).parent}")
    elif name in ("--help", "-h"):
        print(usage())
    else:
        mistake = f"there is no command {name!r}" if name else "name a command"
        print(f"ballcast: {mistake}: {', '.join(SUBCOMMANDS)}; --help explains them", file=sys.stderr)
        raise SystemExit(2)


if __name__ == "__main__":
    main()
