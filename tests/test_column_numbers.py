"""Columns of float64 numbers in compiled code: every operation gives what numpy gives, with plain numbers too."""

import numba
import numpy as np
import pytest

from ballcast.sim.kernels.column_numbers import WIDTH, last_and_others, load, store

RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(2, WIDTH))
FORMULAS = {  # of columns and plain numbers on both sides
    "sums": lambda a, b: 0.5 + a - b + 2.0 - (1.0 - b),
    "products": lambda a, b: 3.0 * a * b * 0.25,
    "the last, and others": lambda a, b: last_and_others(a, b),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_columns_are_computed_one_by_one(name):
    formula = numba.njit(FORMULAS[name])

    @numba.njit
    def run(flat, out):
        store(out, 5, formula(load(flat, 3), load(flat, 3 + WIDTH)))

    flat, out = np.concatenate([np.zeros(3), A, B]), np.zeros((2, 2, 5))
    run(flat, out)
    expected = [A[-1], *B[:-1]] if name == "the last, and others" else FORMULAS[name](A, B)
    np.testing.assert_allclose(out.ravel()[5 : 5 + WIDTH], expected, rtol=1e-15)
    assert not out.ravel()[:5].any() and not out.ravel()[5 + WIDTH :].any()  # nothing else is written


def test_they_are_numbers_of_float64_arrays_alone():
    @numba.njit
    def first_two(flat):
        store(flat, 0, load(flat, 0) + load(flat, 0))

    with pytest.raises(numba.TypingError):
        first_two(np.zeros(WIDTH, np.float32))
