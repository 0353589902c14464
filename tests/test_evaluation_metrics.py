"""Metrics against closed forms and scoringrules; intervals cover what they should; three tracks by hand."""

import numpy as np
import pytest
import scoringrules

from ballcast.evaluation import bootstrap, metrics
from ballcast.evaluation.metrics import STATISTICS

RNG = np.random.default_rng(7)
MEAN, TRUTH = RNG.normal(size=(20, 3)), RNG.normal(size=(20, 3))
ROOT = RNG.normal(size=(20, 3, 3))
COVARIANCE = ROOT @ ROOT.transpose(0, 2, 1) + 0.1 * np.eye(3)


def test_energy_score_equals_scoringrules():
    samples = RNG.normal(size=(50, 20, 3))
    expected = scoringrules.es_ensemble(TRUTH, samples, m_axis=0, v_axis=-1)
    assert np.allclose(metrics.energy(samples, TRUTH), expected, rtol=0, atol=1e-9)


def test_crps_equals_scoringrules():
    sd = np.sqrt(np.diagonal(COVARIANCE, axis1=1, axis2=2))
    expected = scoringrules.crps_normal(TRUTH, MEAN, sd).mean(axis=1)
    assert np.allclose(metrics.crps(MEAN, COVARIANCE, TRUTH), expected, rtol=0, atol=1e-9)


def test_nll_equals_the_normal_density():
    from scipy.stats import multivariate_normal

    expected = [-multivariate_normal(m, c).logpdf(t) for m, c, t in zip(MEAN, COVARIANCE, TRUTH, strict=True)]
    assert np.allclose(metrics.nll(MEAN, COVARIANCE, TRUTH), expected, rtol=0, atol=1e-9)


def test_regions_contain_their_fraction_of_a_normal_law():
    truth = np.random.default_rng(0).multivariate_normal(MEAN[0], COVARIANCE[0], 20000)
    for fraction in (0.5, 0.9):
        inside = metrics.in_region(MEAN[0], COVARIANCE[0], truth, fraction)
        assert abs(inside.mean() - fraction) < 0.012


def test_gaussian_samples_have_exactly_the_mean_and_covariance():
    samples = metrics.gaussian_samples(MEAN, COVARIANCE)
    off = samples - MEAN
    assert np.allclose(samples.mean(axis=0), MEAN, atol=1e-12)
    assert np.allclose(np.einsum("kni,knj->nij", off, off) / len(samples), COVARIANCE, atol=1e-9)


def test_three_tracks_by_hand():
    """Errors of 3 and 4 and 5 m beside each other, two horizons: every figure is known."""
    truth = np.zeros((3, 2, 3))
    mean = np.array([[[3, 0, 0], [0, 4, 0]], [[0, 0, 5], [3, 4, 0]], [[1, 2, 2], [0, 0, 0]]], float)
    errors = metrics.distance(mean, truth)
    assert errors.tolist() == [[3, 4], [5, 5], [3, 0]]
    assert metrics.ade(errors).tolist() == [3.5, 5, 1.5] and metrics.fde(errors).tolist() == [4, 5, 0]
    figures = {name: statistic(errors).tolist() for name, statistic in STATISTICS.items()}
    assert figures["median"] == [3, 4] and figures["mean"] == pytest.approx([11 / 3, 3])
    assert figures["rmse"] == pytest.approx([np.sqrt(43 / 3), np.sqrt(41 / 3)])
    assert figures["p90"] == pytest.approx([4.6, 4.8])


@pytest.mark.parametrize("name, truth", [("mean", 1.0), ("median", np.log(2.0))])
def test_bootstrap_intervals_cover(name, truth):
    """Of 1,000 simulated sets of 200 exponential errors, the interval holds the true figure in 93 to 97 %."""
    generator = np.random.default_rng(11)
    values = generator.exponential(size=(200, 1000))
    rows = bootstrap.resampled(200, seed=3, count=400)
    statistic = STATISTICS[name]
    held = 0
    for first in range(0, 1000, 100):
        part = values[:, first : first + 100]
        found = statistic(np.moveaxis(part[rows], 1, 0))  # as `interval` does, for many sets at once
        low, high = np.quantile(found, [0.025, 0.975], axis=0)
        held += ((low <= truth) & (truth <= high)).sum()
    assert 930 <= held <= 970
    alone = bootstrap.interval(values[:, 0], statistic, seed=3, count=400)
    assert np.allclose(alone, np.quantile(statistic(values[:, 0][rows].T), [0.025, 0.975]))


def test_paired_difference_is_narrower_than_the_errors_apart():
    errors = np.random.default_rng(2).exponential(size=300)
    difference, low, high = bootstrap.paired(errors + 0.1, errors, STATISTICS["median"])
    assert difference == pytest.approx(0.1) and low == pytest.approx(0.1) and high == pytest.approx(0.1)
    _, low, high = bootstrap.paired(errors, errors[::-1], STATISTICS["median"])
    assert low <= 0.0 <= high


def test_min_ade_is_that_of_the_best_way():
    truth = np.zeros((4, 3))
    samples = np.stack([np.full((4, 3), 1.0), np.full((4, 3), 0.1), np.full((4, 3), -2.0)])
    assert metrics.min_ade(samples, truth) == pytest.approx(0.1 * np.sqrt(3))
