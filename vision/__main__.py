"""python -m ballcast.vision COMMAND: the programs of this package."""

import importlib
import sys

COMMANDS = {  # name -> the module with main()
    "calibrate": "ballcast.vision.calibrate",
    "detect": "ballcast.vision.detect",
    "render": "ballcast.vision.rendering",
}


def main() -> None:
    from ballcast import command

    name = (sys.argv[1:2] or [""])[0]
    if name not in COMMANDS:
        command.fail("python -m ballcast.vision", f"name a command: {', '.join(COMMANDS)}; --help explains it")
    del sys.argv[1]
    command.CALLED_AS[f"python -m {COMMANDS[name]}"] = f"python -m ballcast.vision {name}"
    importlib.import_module(COMMANDS[name]).main()


if __name__ == "__main__":
    main()
