"""Small parts of the estimation: factors of covariances that are not positive definite, and the unknowns' layout."""

import numba
import numpy as np
import pytest

from ballcast import sim
from ballcast.models.estimation import linear, unknowns
from ballcast.models.estimation.posterior import JITTER, standard_normal_samples, transform_samples

SD = np.array([1e-3, 2.0, 50.0, 0.1])


def scaled(correlation):
    return np.asarray(correlation, float) * np.outer(SD, SD)


REGULAR = 0.5 * np.eye(4) + 0.5
SINGULAR = np.ones((4, 4))
INDEFINITE = 1.2 - 0.2 * np.eye(4)  # correlations above 1, as rounding makes them, and more


@pytest.mark.parametrize("correlation", [REGULAR, SINGULAR, INDEFINITE], ids=["regular", "singular", "indefinite"])
def test_a_factor_is_never_narrower_than_its_covariance(correlation):
    covariance, L = scaled(correlation), np.empty((4, 4))
    linear.cholesky_with_jitter(covariance, JITTER, L)
    excess = (L @ L.T - covariance) / np.outer(SD, SD)
    assert np.array_equal(L, np.tril(L)) and np.linalg.eigvalsh(excess).min() > -1e-12
    if correlation is not INDEFINITE:
        assert np.abs(excess).max() < 1e-6


def test_an_inverse_of_a_singular_matrix_is_finite_and_wide():
    matrix = scaled(REGULAR)
    np.testing.assert_allclose(linear.spd_inverse(matrix) @ matrix, np.eye(4), atol=1e-9)
    inverse = linear.spd_inverse(scaled(SINGULAR))
    assert np.isfinite(inverse).all() and (np.diag(inverse) * SD**2 > 1e9).all()


def test_what_is_not_finite_stays_visible():
    L = np.empty((2, 2))
    linear.cholesky_with_jitter(np.full((2, 2), np.nan), JITTER, L)
    assert np.isnan(L).all()


def test_samples_have_the_mean_and_the_covariance_of_the_estimate():
    rng = np.random.default_rng(0)
    mean, factor = rng.standard_normal(unknowns.UNKNOWNS), rng.standard_normal((unknowns.UNKNOWNS,) * 2)
    samples = transform_samples(mean, factor @ factor.T, standard_normal_samples(40))
    np.testing.assert_allclose(samples[0], mean, atol=1e-12)
    np.testing.assert_allclose(samples.mean(axis=0), mean, atol=1e-9)
    np.testing.assert_allclose(np.cov(samples.T), factor @ factor.T, rtol=1e-6, atol=1e-6)


def test_a_launch_and_a_belief_read_the_unknowns_alike():
    x = np.linspace(-0.5, 1.0, unknowns.UNKNOWNS)
    to_launch = numba.njit(lambda x: unknowns.to_launch(x))  # a piece that is inlined cannot be called from Python
    launch, belief = to_launch(x), unknowns.to_belief(x, np.eye(unknowns.UNKNOWNS))
    np.testing.assert_allclose(launch[9:], belief.parameters)
    np.testing.assert_allclose(launch[:9], [*belief.position, *belief.velocity, *belief.spin] - np.eye(9)[2] * x[-1])
    assert len(belief.parameters) == len(sim.PARAMETERS)


def test_unknowns_are_kept_within_bounds():
    x = np.full(unknowns.UNKNOWNS, 1e6)
    unknowns.clamp(x)
    assert (x[3:6] == unknowns.MAX_SPEED).all() and (x[6:9] == unknowns.MAX_SPIN).all()
    assert (x[9:13] == unknowns.MAX_LOG).all() and x[unknowns.HEIGHT] == unknowns.MAX_HEIGHT
