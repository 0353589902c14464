"""What all tests share: no screen, no deadlines, and where the recorded balls are."""

import os

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # before pygame is imported anywhere

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ballcast", deadline=None, database=None)  # the first example of a test may compile
settings.load_profile("ballcast")


@pytest.fixture(scope="session")
def data_folder():
    """The folder of recorded balls (tt3d/3d, tt3d/pixels, spindoe): BALLCAST_DATA, else ../shared/data."""
    folder = Path(os.environ.get("BALLCAST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recorded balls at {folder}; BALLCAST_DATA names their folder")
    return folder
