"""The exponential and the logarithm of vector loops: accurate over their range, and no call in a loop."""

import math
import re
from decimal import Context

import numba
import numpy as np
import pytest

from ballcast.sim.jit import FASTMATH
from ballcast.sim.kernels.exponential import exponential, logarithm

LARGEST = {np.float32: 87.0, np.float64: 708.0}
RNG = np.random.default_rng(7)
EXACT = Context(prec=30)


@numba.njit(error_model="numpy", fastmath=FASTMATH)
def compute(x, exps, logs):
    for i in range(len(x)):
        exps[i] = exponential(x[i])
        logs[i] = logarithm(x[i])


def computed(x):
    """exp and log of an array, in its precision."""
    exps, logs = np.empty_like(x), np.empty_like(x)
    compute(x, exps, logs)
    return exps, logs


def error(found, x, exact):
    """The largest error, in units of the last place of what is exact."""
    true = [exact(EXACT.create_decimal(float(v))) for v in x]
    units = np.spacing(np.abs(np.array(true, float).astype(x.dtype)))  # where the logarithm is 0, the smallest number
    off = [abs(EXACT.create_decimal(float(f)) - t) for f, t in zip(found, true)]
    return np.max(np.array(off, float) / units)


@pytest.mark.parametrize("dtype", LARGEST)
def test_both_are_within_units_of_the_last_place(dtype):
    largest = LARGEST[dtype]
    ends = [0.0, largest, -largest, 0.5 * math.log(2.0), -0.5 * math.log(2.0)]
    x = np.concatenate([RNG.uniform(-largest, largest, 5000), RNG.normal(0.0, 0.5, 5000), ends]).astype(dtype)
    assert error(computed(x)[0], x, EXACT.exp) < 1.1
    near_one = 1.0 + np.concatenate([RNG.uniform(-0.5, 1.0, 5000), RNG.normal(0.0, 1e-3, 1000)])
    ends = [0.5**0.5, 2.0**0.5, 2.0, 0.5, 1e-18, float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)]
    x = np.concatenate([np.exp(RNG.uniform(-largest, largest, 5000)), near_one, ends]).astype(dtype)
    assert error(computed(x)[1], x, EXACT.ln) < 1.1


@pytest.mark.parametrize("dtype", LARGEST)
def test_an_exponential_stays_finite_and_positive(dtype):
    x = np.array([-np.inf, -1e6, 1e6, np.inf], dtype)
    expected = np.exp(np.clip(x, -LARGEST[dtype], LARGEST[dtype]).astype(float))
    np.testing.assert_allclose(computed(x)[0], expected, rtol=2 * np.finfo(dtype).eps)
    assert np.isnan(computed(np.array([np.nan], dtype))[0])


def test_loops_become_vector_instructions_of_their_precision():
    for dtype, name in ((np.float32, "float"), (np.float64, "double")):
        x = np.ones(4, dtype)
        computed(x)
        code = compute.inspect_llvm((numba.typeof(x),) * 3)
        assert re.search(rf"fmul contract <\d+ x {name}>", code)
        assert not re.search(r"call .*@(llvm\.)?(exp|log)", code)


def test_without_the_compiler_they_are_pythons():
    assert exponential(0.3) == math.exp(0.3) and logarithm(0.3) == math.log(0.3)
