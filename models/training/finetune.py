"""Fine-tuning on recorded balls: a Learner that starts from trained weights and sees simulated and recorded balls.

    learner = FineTuner(config)          # the config of a run with --finetune and --tracks

Even steps are simulated balls, so that nothing is forgotten: of the sport of the tracks and, if the weights serve all
sports, of the others too. Odd steps are views of the recorded tracks (recorded.py). Both heads learn from these: the
path from the positions measured later, the belief from how the simulator would fly it there (later_frames.py).
"""

import copy
import os
import time
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ballcast import command
from ballcast.models.estimation.recordings_check import NOISE_FACTOR, check_recordings, track_noise
from ballcast.models.nets.losses import later_loss, path_loss
from ballcast.models.nets.network import Network, NetworkShape
from ballcast.models.registry import predictors_of, serves
from ballcast.models.runtime import weights
from ballcast.models.training.batches import Batch
from ballcast.models.training.kept import calibrate_recorded, coverage, kept_cases, median_lines, ratio, scores
from ballcast.models.training.learner import Learner
from ballcast.models.training.recorded import MixedBatches, RecordedSet, split_tracks
from ballcast.models.training.remember import distances
from ballcast.models.training.sports import SportPool, sports_of
from ballcast.sim.files import write_atomically
from ballcast.sim.sport import Sport
from ballcast.tracks import Track, read_tracks

MIN_TRACKS, FEW_TRACKS = 6, 20  # fewer are refused; with fewer it is said what to expect
FEW_NOTE = f"with fewer than {FEW_TRACKS} tracks expect little: the kept ones hardly tell an improvement from luck"
FULL_TRACKS = 120  # with fewer the learning rate is lower in proportion
STEPS_PER_TRACK = 10  # more would learn a few tracks by heart
RANDOM_SPORTS = 6  # beside the others, if the weights serve every sport
FINISH_TIME = 40.0  # s, that the end of a run takes

Losses = namedtuple("Losses", "belief path later")


@dataclass(frozen=True)
class Recipe:
    """How weights are fine-tuned."""

    steps: int = 800
    views: int = 8  # of a track
    twins: int = 12  # of a track
    twin_share: float = 0.7  # of the views are of twins
    recorded_share: float = 0.75  # views of recorded tracks in an odd step, over the balls of an even one
    own_share: float = 0.5  # of the simulated balls are of the sport of the tracks


class FocusedPool(SportPool):
    """A pool that draws one sport, the first, with a share of its own."""

    def __init__(self, *arguments, share: float):
        super().__init__(*arguments)
        weights = np.diff(self.cumulative, prepend=0.0)
        if len(weights) > 1:
            weights[1:] *= (1.0 - share) / weights[1:].sum()
            weights[0] = share
        self.cumulative = np.cumsum(weights)


def recorded_place(config: dict) -> Sport:
    """The sport of a run, as it was where the tracks were recorded."""
    return sports_of(config["sport"])[0].without(*config.get("without") or ())


def read_recordings(config: dict, notify: bool = False) -> list[Track]:
    """The tracks of a run that can be learned from; with `notify` notes on them go to standard error. Raises
    ValueError, one line, for recordings that cannot be right."""
    reading, place = config.get("reading") or {}, recorded_place(config)
    tracks = read_tracks(list(config["tracks"]), **reading)
    origin = [float(v) for v in str(reading.get("origin", "0,0,0")).split(",")]
    notes = check_recordings(place, tracks, MIN_TRACKS, origin)
    if notify:
        command.print_notes(notes)
    return [track for track in tracks if track_noise(track) <= NOISE_FACTOR * place.sensor.noise[1]]


class FineTuner(Learner):
    """A Learner on simulated and recorded balls. `tracks` and `recipe` are for experiments: (training, kept)."""

    validation_interval, patience = 50, 5

    def __init__(self, config: dict, rank: int = 0, ranks: int = 1, recipe: Recipe | None = None, tracks: Any = None):
        self.began, self.recipe = time.monotonic(), recipe or Recipe()
        torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1)))  # one makes batches
        self.info, self.start = weights.read(config["finetune"])
        self.sport = recorded_place(config)
        self.all_tracks = sum(tracks, []) if tracks else read_recordings(config)
        self.training_tracks, self.kept_tracks = tracks or split_tracks(self.all_tracks)
        super().__init__(config, rank, ranks)
        self._simulate_all_sports_that_are_served()
        r, features = self.recipe, self.batches.feature_set
        self.default_steps = min(r.steps, STEPS_PER_TRACK * len(self.all_tracks))
        self.recorded = RecordedSet(
            self.training_tracks, self.sport, features, r.views, config["seed"], r.twins, self.sports[0]
        )
        self.kept = RecordedSet(self.kept_tracks, self.sport, features, 1)
        recorded_batch = max(1, round(r.recorded_share * config["batch"] / ranks))
        self.batches: Any = MixedBatches(self.batches, self.recorded, config["seed"], recorded_batch, r.twin_share)
        self.first = copy.deepcopy(self.network).requires_grad_(False)
        if rank == 0:
            few = f"; {FEW_NOTE}" if len(self.all_tracks) < FEW_TRACKS else ""
            print(f"{len(self.training_tracks)} tracks to learn from, {len(self.kept_tracks)} kept{few}", flush=True)

    def _simulate_all_sports_that_are_served(self):
        """Let the simulated balls be of the sport of the tracks and, if the weights serve others, of those too."""
        if len(self.info["sports"]) + self.info["random_sports"] > 1:
            sports = [self.sports[0], *(s for s in sports_of("all") if s != self.sports[0])]
            pool = sports, RANDOM_SPORTS, self.batches.feature_set, "train"
            self.batches.pool = FocusedPool(*pool, share=self.recipe.own_share)

    def initial_network(self) -> Network:
        """The network of the file."""
        path, info = self.config["finetune"], self.info
        shape, units = NetworkShape(**info["shape"]), self.config["units"]
        if info["model"] != self.weights_model or not serves(info, self.sports[0]) or units not in (None, shape.units):
            found = f"{info['model']} for {', '.join(info['sports'])} with {shape.units} units"
            raise ValueError(
                f"--finetune {path}: weights of a {found}; set --model, --features, --sport and --units to match"
            )
        network = Network(shape)
        network.load_state_dict({name: torch.from_numpy(a) for name, a in self.start.items()})
        return network

    def validation(self) -> list[Batch]:
        """The kept tracks, as one batch."""
        return [self.kept.batch(np.arange(len(self.kept)))]

    def scores(self, batches: list[Batch]) -> dict[str, float]:
        """The losses of kept tracks: of the path and, if there is such a head, of the belief by the later frames."""
        found = super().scores(batches)
        return {"path": found["path"]} | ({"belief": found["later"]} if self.network.belief is not None else {})

    def seconds_left(self) -> float:
        """How long the run may still take before it is calibrated, s."""
        return self.began + 60.0 * self.config["minutes"] - FINISH_TIME - time.monotonic()

    def metadata(self) -> dict:
        """The description of the file that the run began with, and what was learned from."""
        keys = ("model", "predictor", "random_sports", "kind", "shape", "widen", "pixels")
        base = {key: self.info[key] for key in keys if key in self.info}
        sports = self.info["sports"] | {self.sports[0].name: self.sports[0].version}
        adapted = {
            "tracks": [track.name for track in self.all_tracks], "kept": [track.name for track in self.kept_tracks],
            "without": list(self.config.get("without") or ()), "from": Path(self.config["finetune"]).name,
        }  # fmt: skip
        return base | {"sports": sports, "seed": self.config["seed"], "adapted": adapted}

    def finish(self, path: Path, state: Any) -> None:
        """Calibrate the weights on the kept tracks, and say what they are worth there. If they are worth no more than
        the file that the run began with, that file takes their place."""
        old, names = self.config["finetune"], predictors_of(self.weights_model)
        cases = kept_cases(self.kept_tracks, self.sport)
        before = {name: scores(old, name, self.sport, cases) for name in names}
        after = {name: scores(path, name, self.sport, cases) for name in names}
        ratios = {name: ratio(cases, before[name], after[name]) for name in names}
        if not state.best_step or np.mean([np.log(found[0]) for found in ratios.values()]) >= 0.0:
            write_atomically(path, Path(old).read_bytes())
            print(f"the kept tracks did not improve: {path} holds the weights of {old} as they were")
            return
        calibrate_recorded(path, self.sport, cases, kept_cases(self.training_tracks, self.sport), names)
        print(f"best after step {state.best_step} of {state.step}; on the {len(self.kept_tracks)} kept tracks:")
        for name in names:
            middle, low, high = ratios[name]
            regions = coverage(cases, before[name]), coverage(cases, scores(path, name, self.sport, cases))
            print(f"{name}: {middle:.2f} of the errors before ({low:.2f} to {high:.2f}); regions of 90 % hold "
                  f"{regions[0]:.0%} before, {regions[1]:.0%} now")  # fmt: skip
            for line in median_lines(cases, before[name], after[name]):
                print(line)

    def losses(self, network: torch.nn.Module, batch: Batch) -> Losses:
        """The losses of recorded balls, `later` is that of the belief; of simulated ones, how far the outputs are from
        those of the first network. The gradient of the path of recorded balls reaches the trunk, too."""
        is_recorded = batch.future_known is not None
        self.network.attached = is_recorded
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            belief, path = network(batch.features, batch.times, batch.loss_frames, batch.nominal)
        path, zero = path.float(), 0.0 * path.float().sum()
        if not is_recorded:
            return Losses(*distances(batch, (belief, path), self.first_outputs(batch)), zero)
        future = (batch.future - self.network.path_mean) / self.network.path_scale
        later_term = zero if belief is None else later_loss(belief.float(), batch.later, batch.active).mean()
        return Losses(zero, path_loss(path, future, batch.future_known).mean(), later_term)

    @torch.no_grad()
    def first_outputs(self, batch: Batch) -> tuple[torch.Tensor | None, torch.Tensor]:
        """The outputs of the first network."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            return self.first(batch.features, batch.times, batch.loss_frames, batch.nominal)

    def step(self, batch: Batch, rate: float, max_norm: float) -> Any:
        """As Learner.step; with few tracks the steps are smaller."""
        return super().step(batch, rate * min(1.0, len(self.all_tracks) / FULL_TRACKS), max_norm)
