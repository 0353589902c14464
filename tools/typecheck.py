"""Check the types of Ballcast's packages with mypy: python -m tools.typecheck.

In a checkout the packages stand beside ballcast/, and `ballcast.sim` is found through `__path__`, which a type checker
does not follow: it would check three files and report success. So the packages are staged in a temporary folder as an
installation has them, ballcast/sim and so on, and mypy must report as many files as there are.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def stage(folder: Path) -> int:
    """Copy the packages to folder/ballcast as pyproject.toml maps them. The number of Python files."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    for package, source in {"ballcast": "ballcast", **settings["package-dir"]}.items():
        target = folder.joinpath(*package.split("."))
        shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
    return sum(1 for _ in folder.rglob("*.py"))


def main() -> None:
    config = "--config-file", str(ROOT / "pyproject.toml")
    cache = "--cache-dir", os.environ.get("MYPY_CACHE_DIR") or str(ROOT / ".mypy_cache")
    with tempfile.TemporaryDirectory() as folder:
        count = stage(Path(folder))
        command = [sys.executable, "-m", "mypy", *config, *cache, "-p", "ballcast"]
        run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    print(run.stdout.replace(f"ballcast{os.sep}", ""), end="", flush=True)
    checked = re.search(r"\b(?:in|checked) (\d+) source files\)?$", run.stdout.strip())
    if run.returncode == 0 and (checked is None or int(checked[1]) != count):
        raise SystemExit(f"typecheck: mypy checked {checked and checked[1]} of {count} files")
    raise SystemExit(run.returncode)


if __name__ == "__main__":
    main()
