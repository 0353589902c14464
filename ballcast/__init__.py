"""Ballcast: where will this ball go next? `from ballcast import sim, tracks, models`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

_HERE = Path(__file__).parent
_IS_CHECKOUT = not (_HERE / "sim" / "__init__.py").exists()
if _IS_CHECKOUT:  # the packages stand beside this folder; an installed Ballcast has them in it
    __path__.append(str(_HERE.parent))

if TYPE_CHECKING:
    from ballcast.warm_up import warm as warm

    __version__: str
else:

    def __getattr__(name):
        """`warm`; `__version__`, read when it is needed, from pyproject.toml in a checkout, else the installation."""
        if name == "warm":
            from ballcast.warm_up import warm

            return warm
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if _IS_CHECKOUT:
            text = (_HERE.parent / "pyproject.toml").read_text(encoding="utf-8")
            return re.search(r'^version = "(.+)"', text, re.MULTILINE)[1]
        from importlib import metadata

        try:
            return metadata.version("ballcast")
        except metadata.PackageNotFoundError:  # its files were copied here
            return "unknown"
