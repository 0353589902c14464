"""Fine-tuning on recorded balls: python -m benchmarks.finetuning [--parts half small forgetting wrong] [--out FOLDER]

    half        half of lfg (crc32 of the name is even) to learn from, the other half scored: median errors of `gru` and
                `gru_physics` before and after, how many 90 % regions hold the ball, and what one is to the other
    small       the train splits of TT3D and SpinDOE together, their test splits scored: every cell of evaluate.py, with
                its paired interval, and the geometric mean of the ratios. Cells of fewer than 30 tracks do not count
    forgetting  the errors of the weights of `half`, over those before, on simulated balls of three sports
    wrong       recordings that are refused, and what is said of them

Runs are started as a user starts them, `train.py --finetune WEIGHTS --tracks ...`, in FOLDER; a run that is there
already is scored as it is. Recorded balls are found through BALLCAST_DATA. Keys of the last line: PART_FIGURE.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro
from scipy.stats import chi2

from ballcast import models, sim
from ballcast.evaluation import bootstrap, metrics, protocols
from ballcast.evaluation.real import REAL_HISTORIES, read_set
from ballcast.evaluation.results import MIN_TRACKS
from ballcast.evaluation.splits import data_folder, recorded_sets, split_of
from ballcast.evaluation.suites import Suite, simulated
from ballcast.tracks import Track, write_track

HEADS = ("gru", "gru_physics")
HALF_HISTORIES, HALF_HORIZONS = (0.1, 0.2, 0.4), (0.1, 0.2, 0.3, 0.4)  # s
SMALL, FORGETTING = ("tt3d", "spindoe"), ("table_tennis", "tennis", "soccer")
SIMULATED = 300  # balls of a sport
CHI2_90 = chi2.ppf(0.9, 3)


class Scored:
    """Errors (N, H) m of one head of a file of weights on the cases of one history, and whether regions hold (N, H)."""

    def __init__(self, weights: Path, head: str, suite: Suite, cases: protocols.Cases):
        predictor, rows, inside = models.load(f"{weights}:{head}", suite.sport), [], []
        for n, history in enumerate(cases.histories):
            asked, times = np.isfinite(cases.times[n]), cases.times[n]
            error, holds = np.full((2, len(times)), np.nan)
            if asked.any():
                forecast, truth = predictor.forecast(history, times[asked]), cases.truth[n, asked]
                error[asked] = metrics.distance(forecast.mean, truth)
                region = forecast.covariance + cases.sensor_covariance[n, asked]
                holds[asked] = metrics.mahalanobis2(forecast.mean, region, truth) <= CHI2_90
            rows.append(error)
            inside.append(holds)
        self.error, self.inside = np.array(rows), np.array(inside)


def fine_tune(out: Path, base: Path, sources: Sequence[Path], *options: str) -> Path:
    """The file of weights of a run of train.py in a folder; if it is there, nothing is run."""
    if not (out / "weights.safetensors").exists():
        began = time.monotonic()
        command = [sys.executable, "train.py", "--finetune", str(base), "--out", str(out), "--tracks"]
        subprocess.run([*command, *map(str, sources), *options], check=True)
        (out / "seconds").write_text(f"{time.monotonic() - began:.0f}")
    return out / "weights.safetensors"


def half(base: Path, out: Path) -> dict:
    """The part `half`."""
    chosen = recorded_sets()["lfg"]
    is_own = {path: zlib.crc32(path.stem.encode()) % 2 == 0 for path in chosen.paths(data_folder())}
    tuned = fine_tune(out / "half", base, [path for path, own in is_own.items() if own], "--without", "net")
    tracks = [track for track in read_set(chosen, data_folder()) if zlib.crc32(track.name.encode()) % 2]
    suite = Suite("lfg", sim.load(chosen.sport).without(*chosen.without), tracks)
    result: dict = {"half_tracks": len(tracks)}
    regions: dict = {head: [] for head in HEADS}
    ratios = []
    for history in HALF_HISTORIES:
        cases = protocols.horizon(suite, history, HALF_HORIZONS)
        found = {(w, head): Scored(w, head, suite, cases) for w in (base, tuned) for head in HEADS}
        for head in HEADS:
            old, new = found[base, head], found[tuned, head]
            regions[head].append(new.inside)
            print(f"{head}, after {history:g} s: " + ", ".join(_cell(h, old.error[:, k], new.error[:, k])
                                                               for k, h in enumerate(HALF_HORIZONS)))  # fmt: skip
            result[f"half_{head}_{history:g}"] = [_mm(new.error[:, k]) for k in range(len(HALF_HORIZONS))]
        medians = [np.nanmedian(found[tuned, head].error, axis=0) for head in HEADS]
        ratios.append(np.log(medians[1] / medians[0]))
    result |= {f"half_{head}_regions": round(float(np.nanmean(np.concatenate(regions[head]))), 3) for head in HEADS}
    return result | {"half_gru_physics_over_gru": round(float(np.exp(np.mean(ratios))), 3)}


def small(base: Path, out: Path) -> dict:
    """The part `small`."""
    sets = [recorded_sets()[name] for name in SMALL]
    sources = [path for s in sets for path in s.paths(data_folder()) if split_of(path.stem) == "train"]
    tuned = fine_tune(out / "small", base, sources, "--without", "net")
    result: dict = {}
    for head in HEADS:
        logs, worse = [], 0
        for chosen in sets:
            tracks = [track for track in read_set(chosen, data_folder()) if split_of(track.name) == "test"]
            suite = Suite(chosen.name, sim.load(chosen.sport).without(*chosen.without), tracks)
            for history in REAL_HISTORIES:
                cases = protocols.horizon(suite, history, protocols.HORIZONS)
                errors = [Scored(w, head, suite, cases).error for w in (base, tuned)]
                for k, horizon in enumerate(protocols.HORIZONS):
                    old, new = (e[np.isfinite(e[:, k]), k] for e in errors)
                    if len(old) < MIN_TRACKS:
                        continue
                    _, low, _ = bootstrap.paired(new, old, metrics.STATISTICS["median"])
                    logs.append(np.log(np.median(new) / np.median(old)))
                    worse += low > 0.0
                    print(f"{head} {chosen.name} after {history:g} s {_cell(horizon, old, new)}{' WORSE' * (low > 0)}")
        result |= {f"small_{head}_ratio": round(float(np.exp(np.mean(logs))), 3), f"small_{head}_worse": int(worse),
                   f"small_{head}_cells": len(logs)}  # fmt: skip
    return result


def forgetting(base: Path, out: Path) -> dict:
    """The part `forgetting`."""
    result, tuned = {}, out / "half" / "weights.safetensors"
    for name in FORGETTING:
        suite = simulated(sim.load(name), SIMULATED, 0)
        for head in HEADS:
            logs = []
            for history in protocols.HISTORIES:
                cases = protocols.horizon(suite, history, protocols.HORIZONS)
                old, new = (np.nanmedian(Scored(w, head, suite, cases).error, axis=0) for w in (base, tuned))
                logs.append(np.log(new / old))
            result[f"forgetting_{name}_{head}"] = round(float(np.exp(np.mean(logs))), 3)
            print(f"{name} {head}: {result[f'forgetting_{name}_{head}']:.3f} of the errors before")
    return result


def wrong(base: Path, out: Path) -> dict:
    """The part `wrong`."""
    chosen, refused = recorded_sets()["lfg"], 0
    tracks = read_set(chosen, data_folder())[:40]
    table = "--without=net"
    stray = np.random.default_rng(0)
    cases = {
        "3 tracks": (tracks[:3], table),
        "another sport": (tracks, "--sport=basketball"),
        "10 cm too high": ([Track(t.time, t.position + [0, 0, 0.1], t.name) for t in tracks], table),
        "half are corrupt": ([Track(t.time, t.position + (n % 2) * stray.normal(0, 0.3, t.position.shape), t.name)
                              for n, t in enumerate(tracks)], table),
        "a net that was not there": (tracks, "--sport=table_tennis"),
    }  # fmt: skip
    for name, (recorded, option) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            for track in recorded:
                write_track(Path(folder) / f"{track.name}.csv", track)
            target = out / "refused"
            command = [sys.executable, "train.py", "--finetune", str(base), "--tracks", folder, "--out", str(target)]
            run = subprocess.run([*command, option], capture_output=True, text=True)
        lines = run.stderr.strip().splitlines()
        is_refused = run.returncode == 2 and len(lines) == 1 and not target.exists()
        refused += is_refused
        print(f"{name}: {'' if is_refused else 'NOT REFUSED '}{lines[-1] if lines else run.stdout}")
    return {"wrong_refused": f"{refused} of {len(cases)}"}


def _mm(errors):
    return round(1e3 * float(np.nanmedian(errors)), 1)


def _cell(horizon, old, new):
    known = np.isfinite(old)
    _, low, high = bootstrap.paired(new[known], old[known], metrics.STATISTICS["median"])
    return f"+{horizon:g} s {_mm(old)} -> {_mm(new)} mm ({1e3 * low:+.1f} to {1e3 * high:+.1f}, {known.sum()} tracks)"


PARTS = {"half": half, "small": small, "forgetting": forgetting, "wrong": wrong}


def main(parts: tuple[str, ...] = tuple(PARTS), weights: Path | None = None, out: Path = Path("runs/finetuning")):
    base, result = weights or models.registry.WEIGHTS_FOLDER / "gru.safetensors", {}
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--parts {unknown.pop()}: unknown; there are {', '.join(PARTS)}")
    if not data_folder().is_dir():
        raise SystemExit("no recorded balls; BALLCAST_DATA names their folder")
    os.makedirs(out, exist_ok=True)
    for part in parts:
        print(f"--- {part}", flush=True)
        result |= PARTS[part](base, out)
    print(json.dumps(result))


if __name__ == "__main__":
    tyro.cli(main)
