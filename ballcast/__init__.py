"""Ballcast: where will this ball go next? `from ballcast import sim, tracks, models`."""

from pathlib import Path

_HERE = Path(__file__).parent
if not (_HERE / "sim" / "__init__.py").exists():  # a checkout: the packages stand beside this folder
    __path__.append(str(_HERE.parent))
