"""The recorded sets and their frozen splits, as splits.toml has them. split_files.py is the command.

split_of("002")                    # "validation", "train" or "test": the name of the ball decides
recorded_sets()["spindoe"]         # where the set is, and how it is read
"""

import os
import tomllib
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("splits.toml")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class RecordedSet:
    """One set of recorded balls."""

    name: str
    folder: str  # in the folder of recorded balls
    files: str  # pattern of the file names
    sport: str
    without: tuple[str, ...] = ()  # surfaces of the sport that were not there
    axes: str = "x,y,z"  # the files' axes that are our x, y and z
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m, ours in the files' frame, after `axes`
    suite: bool = False  # part of evaluate.py --suite real
    note: str = ""  # what a reader of its scores has to know
    events: bool = False  # a file of states after shots and bounces of match play, see events.py

    cameras: str = ""  # of pixels: the file of the cameras that saw them, in the folder of recorded balls
    views: tuple[str, ...] = ()  # cameras whose pixels are used; all, if none is named
    truth: str = ""  # of pixels: the folder of the same balls' tracks in space, in files of the same names
    same_start: bool = False  # the clocks of pixels and tracks differ, but both begin with the first frame
    pixel_noise: float | None = None  # px, of pixels, if it is known

    def paths(self, data: str | Path) -> list[Path]:
        """The set's files in the folder of recorded balls, sorted; index.csv is none of them."""
        return sorted(path for path in (Path(data) / self.folder).glob(self.files) if path.name != "index.csv")

    def ball_name(self, track: str) -> str:
        """The name of a ball, which decides its split, by the name of its track; of an event, the name of its rally."""
        return track.rpartition("/")[0] if self.events else track.replace("/", "#")


@cache
def _table():
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def recorded_sets() -> dict[str, RecordedSet]:
    """All sets, by name."""
    sets = {}
    for name, table in _table()["sets"].items():
        lists = {key: tuple(table[key]) for key in ("without", "origin", "views") if key in table}
        sets[name] = RecordedSet(name, **table | lists)
    return sets


def split_of(name: str) -> str:
    """The split of a recorded ball, by its name: a file's name without suffix, or FILE#BALL in a file of several."""
    rule = _table()["rule"]
    remainder = zlib.crc32(name.encode()) % rule["modulus"]
    return next(split for split in SPLITS if remainder in rule[split])


def data_folder() -> Path:
    """The folder of recorded balls: BALLCAST_DATA, else ../shared/data beside the checkout. It may not exist."""
    return Path(os.environ.get("BALLCAST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


if __name__ == "__main__":
    from ballcast.evaluation.split_files import main  # which imports this module

    main()
