"""Which sports a network learns from: one, several, or all, those that ship and random ones.

    pool = SportPool(sports_of(["all"]), random_count_of(["all"]), "filter", purpose="train")
    number = pool.draw(generator, 8)         # (8,) which sport each group of balls is of
    sport, frontend = pool[number[0]]        # built once, when it is used first

Numbers count the sports that are named, then the random ones; each has two: with its optional surfaces, and without.
"""

from collections.abc import Sequence

import numpy as np

from ballcast import sim
from ballcast.models.encoding.features import FeatureFrontend, make_frontend

# Of the groups of balls, where all sports are mixed: more of those that are scored on recordings or are learnt slowly.
SHARES = {
    "table_tennis": 0.20, "golf": 0.10, "room": 0.10, "baseball": 0.08, "tennis": 0.075, "basketball": 0.06,
    "volleyball": 0.06, "soccer": 0.055, "cricket": 0.05, "random": 0.22,
}  # fmt: skip
OTHER_SHARE = 0.07  # of a sport of the user's own
RANDOM_SPORTS = 96  # of `all`


def sports_of(names: str | Sequence[str]) -> list[sim.Sport]:
    """The Sports of these names or .toml files; `all` stands for those that ship. SportError for an unknown name."""
    names = [names] if isinstance(names, str) else list(names)
    listed = [name for given in names for name in (sim.names() if given == "all" else [given])]
    return [sim.load(name) for name in dict.fromkeys(listed)]


def random_count_of(names: str | Sequence[str]) -> int:
    """How many random sports come with these names: RANDOM_SPORTS with `all`, else none."""
    return RANDOM_SPORTS if "all" in ([names] if isinstance(names, str) else names) else 0


class SportPool:
    """The sports of a run, with their frontends."""

    def __init__(self, sports: Sequence[sim.Sport], random_count: int, feature_set: str, purpose: str):
        self.sports, self.random_count = list(sports), random_count
        self.feature_set, self.purpose = feature_set, purpose
        shares = np.array([SHARES.get(sport.name, OTHER_SHARE) for sport in sports] + [SHARES["random"]])
        if not random_count:
            shares = shares[:-1]
        self.cumulative = np.cumsum(shares / shares.sum())
        self._built: dict[int, tuple[sim.Sport, FeatureFrontend]] = {}

    def draw(self, generator: np.random.Generator, groups: int) -> np.ndarray:
        """The indices (groups,) of the sports of some groups of balls: named ones first, then random ones."""
        pick, which = generator.random(groups), generator.integers(max(self.random_count, 1), size=groups)
        index = np.minimum(np.searchsorted(self.cumulative, pick, side="right"), len(self.cumulative) - 1)
        return np.where(index == len(self.sports), index + which, index)

    def has_variants(self, index: int) -> bool:
        """Whether the sport of that index has optional surfaces."""
        return any(s.optional for s in self[2 * index][0].surfaces)

    def __getitem__(self, number: int) -> tuple[sim.Sport, FeatureFrontend]:
        """The Sport and FeatureFrontend of a number: 2 index, or 2 index + 1 without the optional surfaces."""
        number = int(number)
        if number not in self._built:
            sport = self._sport(number // 2)
            if number % 2:
                sport = sport.without(*(s.name for s in sport.surfaces if s.optional))
            self._built[number] = sport, make_frontend(sport, self.feature_set)
        return self._built[number]

    def sport_name(self, index: int) -> str:
        """The name of the sport of that index, as sim.load takes it."""
        return self[2 * index][0].name

    def _sport(self, index):
        if index < len(self.sports):
            return self.sports[index].levelled()  # as predictors see it: networks read positions in the sport's frame
        return sim.random_sport(index - len(self.sports), purpose=self.purpose)
