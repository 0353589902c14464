"""Over the net or into it: python -m benchmarks.net_clip [--balls 300]

How well samples describe the future of balls that reach the net (evaluation/net_clip.py): the energy score, mean over
the times, and the average error of the best of SAMPLES paths (minADE). `gru` forecasts a normal distribution; its
samples use one normal deviate per path. `gru_physics` has 18 samples; of the others SAMPLES are used.

Keys of the last line: balls; for each NAME, in m, NAME_energy, NAME_min_ade and NAME_median (of its forecast's error,
over all times); tokens_over_gru_energy, tokens_over_gru_min_ade: ratios of means, with 95 % intervals over balls.
"""

import json

import numpy as np
import tyro

from ballcast import sim
from ballcast.evaluation import limits, metrics
from ballcast.evaluation.bootstrap import interval
from ballcast.evaluation.harness import load
from ballcast.evaluation.net_clip import net_clips

PREDICTORS = ("tokens", "gru", "gru_physics", "informed")
SAMPLES = 20


def select_samples(forecast):
    """At most SAMPLES samples (K, H, 3) m of a Forecast."""
    if forecast.samples is None:
        return metrics.gaussian_samples(forecast.mean, forecast.covariance, SAMPLES)
    return forecast.samples[:: max(1, len(forecast.samples) // SAMPLES)][:SAMPLES]


def scores(name, suite, cases):
    """(energy score, minADE, median error over the times), each (N,) m over the cases."""
    predictor, results = load(name, suite.sport), []
    for row, history, times, truth in zip(cases.track_numbers, cases.histories, cases.times, cases.truth):
        truth_argument = (suite.truth_of(row),) if name in limits.LIMITS else ()
        forecast = predictor.forecast(history, times, *truth_argument)
        samples, error = select_samples(forecast), np.median(metrics.distance(forecast.mean, truth))
        results.append((metrics.energy(samples, truth).mean(), metrics.min_ade(samples, truth), error))
    return np.array(results).T


def ratio(numerator, denominator):
    """The ratio of means over cases, and its interval."""
    both = np.stack([numerator, denominator], 1)
    return [round(float(v), 3) for v in (ratio_of_means(both), *interval(both, ratio_of_means))]


def ratio_of_means(pairs):
    """The ratio of means of pairs (N, ..., 2)."""
    return pairs[..., 0].mean(axis=0) / pairs[..., 1].mean(axis=0)


def main(balls: int = 300):
    suite, cases = net_clips(sim.load("table_tennis"), balls)
    by_predictor, result = {}, {"balls": len(cases)}
    print(f"{len(cases)} balls that reach the net, mm  {'energy':>12}{'minADE':>10}{'median':>10}")
    for name in PREDICTORS:
        by_predictor[name] = energies, best_errors, errors = scores(name, suite, cases)
        energy, best, error = energies.mean(), best_errors.mean(), np.median(errors)
        result |= {f"{name}_energy": energy, f"{name}_min_ade": best, f"{name}_median": error}
        print(f"{name:34}{1e3 * energy:>12.1f}{1e3 * best:>10.1f}{1e3 * error:>10.1f}", flush=True)
    for n, key in enumerate(("energy", "min_ade")):
        result[f"tokens_over_gru_{key}"] = estimate = ratio(by_predictor["tokens"][n], by_predictor["gru"][n])
        print(f"tokens over gru, {key}: {estimate[0]} [{estimate[1]}, {estimate[2]}]")
    print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in result.items()}))


if __name__ == "__main__":
    tyro.cli(main, description=__doc__.splitlines()[0])
