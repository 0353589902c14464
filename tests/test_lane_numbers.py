"""Lanes of float32 numbers in compiled code: every operation gives what numpy gives, in every lane by itself."""

import math

import numba
import numpy as np
import pytest

from ballcast.models.estimation.mixture import COMPONENTS
from ballcast.sim.kernels.lane_numbers import (
    LANES,
    any_lane,
    lane_max,
    lane_sum,
    load,
    new_rows,
    same_in_all,
    store,
    where,
)

RNG = np.random.default_rng(5)
A = RNG.normal(0.0, 3.0, LANES).astype(np.float32)
B = np.where(np.arange(LANES) % 3 == 0, A, RNG.normal(0.0, 3.0, LANES)).astype(np.float32)  # some lanes are equal
PLAIN = np.float32(-0.7)
compiled = numba.njit(error_model="numpy")


def in_lanes(function, a=A, b=B):
    """function(lanes a, lanes b) of arrays (LANES,), as an array (LANES,)."""
    function = compiled(function)

    @compiled
    def run(rows):
        store(rows, 2, function(load(rows, 0), load(rows, 1)))

    rows = new_rows(3)
    rows[0], rows[1] = a, b
    run(rows)
    np.testing.assert_array_equal(rows[:2], [a, b])  # what was loaded is untouched
    return rows[2]


def unary(function):
    """function(lanes) as a function of an array (LANES,)."""
    function = compiled(function)

    @compiled
    def run(rows):
        store(rows, 1, function(load(rows, 0)))

    def call(x):
        rows = new_rows(2)
        rows[0] = x
        run(rows)
        return rows[1]

    return call


exp, log = unary(lambda a: math.exp(a)), unary(lambda a: math.log(a))


@compiled
def sum_of_rows(rows):
    store(rows, 2, load(rows, 0) + load(rows, 1))


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: -a,
        lambda a, b: +a,
    ],
    ids=["add", "sub", "mul", "truediv", "neg", "pos"],
)
def test_arithmetic_is_numpys_to_the_bit(function):
    np.testing.assert_array_equal(in_lanes(function), function(A, B))


@pytest.mark.parametrize(
    "function",
    [lambda a, b: a + PLAIN, lambda a, b: PLAIN - a, lambda a, b: a * 2, lambda a, b: 1.5 / a, lambda a, b: a - 3],
    ids=["lanes + float", "float - lanes", "lanes * int", "float / lanes", "lanes - int"],
)
def test_a_plain_number_is_taken_for_all_lanes(function):
    np.testing.assert_array_equal(in_lanes(function), function(A, B).astype(np.float32))


@pytest.mark.parametrize("plain", [np.float64(0.1), np.float32(0.1), np.int64(-3)], ids=["float64", "float32", "int"])
def test_a_plain_argument_of_any_type_is_rounded_to_float32(plain):
    @compiled
    def run(rows, plain):
        store(rows, 1, plain * load(rows, 0) + plain)
        store(rows, 2, plain)
        store(rows, 3, same_in_all(plain))

    rows = new_rows(4)
    rows[0] = A
    run(rows, plain)
    np.testing.assert_allclose(rows[1], np.float32(plain) * A + np.float32(plain), rtol=1e-6, atol=1e-6)
    assert (rows[2:] == np.float32(plain)).all()


def test_augmented_assignments_are_the_operations():
    def function(a, b):
        c = a
        c += b
        c -= 2.0
        c *= b
        c /= 3.0
        return c

    two, three = np.float32(2.0), np.float32(3.0)
    np.testing.assert_array_equal(in_lanes(function), ((A + B) - two) * B / three)


@pytest.mark.parametrize(
    "compare, expected",
    [
        (lambda a, b: where(a < b, 1.0, 0.0), A < B),
        (lambda a, b: where(a <= b, 1.0, 0.0), A <= B),
        (lambda a, b: where(a > b, 1.0, 0.0), A > B),
        (lambda a, b: where(a >= b, 1.0, 0.0), A >= B),
        (lambda a, b: where(a == b, 1.0, 0.0), A == B),
        (lambda a, b: where(a < 0.5, 1.0, 0.0), A < 0.5),
        (lambda a, b: where(0.5 < a, 1.0, 0.0), A > 0.5),
        (lambda a, b: where((a < b) & (a > 0.0), 1.0, 0.0), (A < B) & (A > 0)),
        (lambda a, b: where((a < b) | (a > 0.0), 1.0, 0.0), (A < B) | (A > 0)),
        (lambda a, b: where((a < b) ^ (a > 0.0), 1.0, 0.0), (A < B) ^ (A > 0)),
    ],
    ids=["<", "<=", ">", ">=", "==", "lanes < number", "number < lanes", "&", "|", "^"],
)
def test_conditions_hold_where_numpys_do(compare, expected):
    assert 0 < expected.sum() < LANES
    np.testing.assert_array_equal(in_lanes(compare), expected)


def test_nothing_compares_with_nan():
    nan = np.where(np.arange(LANES) % 2, np.float32(np.nan), A)
    for compare in (
        lambda a, b: where(a < b, 1.0, 0.0),
        lambda a, b: where(a >= b, 1.0, 0.0),
        lambda a, b: where(a == a, 1.0, 0.0),
    ):
        assert not in_lanes(compare, nan)[1::2].any()


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda a, b: max(a, b), np.maximum(A, B)),
        (lambda a, b: min(a, b), np.minimum(A, B)),
        (lambda a, b: max(a, 0.25), np.maximum(A, np.float32(0.25))),
        (lambda a, b: min(max(a, -1.0), 1.0), np.clip(A, -1, 1)),
        (lambda a, b: abs(a), np.abs(A)),
        (lambda a, b: math.sqrt(abs(a)), np.sqrt(np.abs(A))),
    ],
    ids=["max", "min", "max with a number", "clip", "abs", "sqrt"],
)
def test_functions_are_numpys_to_the_bit(function, expected):
    np.testing.assert_array_equal(in_lanes(function), expected)


def test_exp_is_good_to_3e_7():
    x = np.concatenate([np.linspace(-86.9, 86.9, 200 * LANES), np.linspace(-1.0, 1.0, 200 * LANES), [0.0] * LANES])
    for part in x.astype(np.float32).reshape(-1, LANES):
        np.testing.assert_allclose(exp(part), np.exp(part.astype(float)), rtol=3e-7, atol=0.0)


def test_exp_stays_finite_and_positive():
    extreme = np.resize(np.float32([-np.inf, -1e30, -1e4, -87.0, 87.0, 1e4, 1e30, np.inf]), LANES)
    np.testing.assert_allclose(exp(extreme), np.exp(np.clip(extreme, -87.0, 87.0).astype(float)), rtol=3e-7)


def test_log_is_good_to_3e_7():
    for part in np.geomspace(1.2e-38, 3.4e38, 400 * LANES).astype(np.float32).reshape(-1, LANES):
        np.testing.assert_allclose(log(part), np.log(part.astype(float)), rtol=3e-7, atol=0.0)
    for part in (1.0 + np.linspace(-0.4, 0.6, 200 * LANES)).astype(np.float32).reshape(-1, LANES):
        np.testing.assert_allclose(log(part), np.log(part.astype(float)), rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda a, b: where(a > b, a, b), np.maximum(A, B)),
        (lambda a, b: where(a > 0.5, a, 2.0), np.where(A > 0.5, A, 2)),
        (lambda a, b: where(a > 0.5, 1, a), np.where(A > 0.5, 1, A)),
        (lambda a, b: where(a > 0.5, 1.0, -1), np.where(A > 0.5, 1, -1)),
        (lambda a, b: where(LANES > 3, a, b), A),
        (lambda a, b: where(LANES < 3, a, b), B),
    ],
    ids=["lanes, lanes", "lanes, number", "number, lanes", "number, number", "plain condition", "plain, false"],
)
def test_where_chooses_in_every_lane(function, expected):
    np.testing.assert_array_equal(in_lanes(function), expected)


def test_where_chooses_among_plain_numbers_and_in_python():
    choose = compiled(lambda x: where(x > 0.0, 2.0, 3.0))
    assert choose(1.0) == where(True, 2.0, 3.0) == 2.0
    assert choose(-1.0) == where(False, 2.0, 3.0) == 3.0


def test_a_lane_that_is_not_chosen_may_hold_anything():
    zero = np.where(np.arange(LANES) % 2, np.float32(0.0), np.float32(2.0))
    result = in_lanes(lambda a, b: where(a > 0.0, 1.0 / a, 7.0), zero)
    np.testing.assert_array_equal(result, np.where(zero > 0, 0.5, 7.0))


def test_a_variable_may_be_plain_here_and_lanes_there():
    @compiled
    def run(rows, use):
        total = 0.0
        for k in range(3):
            total += load(rows, k)
        smallest = 1  # an integer before lanes
        if use:
            smallest = load(rows, 0)
        store(rows, 3, total)
        store(rows, 4, smallest)

    rows = new_rows(5)
    rows[:3] = A, B, A
    run(rows, True)
    np.testing.assert_array_equal(rows[3:], [A + B + A, A])
    run(rows, False)
    np.testing.assert_array_equal(rows[4], np.ones(LANES))


def test_load_and_store_touch_their_row_alone():
    @compiled
    def swap(rows, i, j):
        a, b = load(rows, i), load(rows, j)
        store(rows, i, b)
        store(rows, j, a)

    rows = RNG.normal(size=(7, LANES)).astype(np.float32)
    expected = rows[[0, 4, 2, 3, 1, 5, 6]]
    swap(rows, 1, 4)
    np.testing.assert_array_equal(rows, expected)
    swap(rows, np.int32(1), np.uint8(4))  # any integer names a row
    np.testing.assert_array_equal(rows, expected[[0, 4, 2, 3, 1, 5, 6]])


@pytest.mark.parametrize("offset", range(1, 8))
def test_a_row_may_begin_at_any_float(offset):
    buffer = RNG.normal(size=3 * LANES + offset).astype(np.float32)
    rows = buffer[offset:].reshape(3, LANES)
    expected = rows[0] + rows[1]
    sum_of_rows(rows)
    np.testing.assert_array_equal(rows[2], expected)


def test_only_rows_of_float32_are_loaded():
    with pytest.raises(numba.TypingError):
        sum_of_rows(np.zeros((3, LANES)))
    with pytest.raises(numba.TypingError):
        sum_of_rows(np.zeros(3 * LANES, np.float32))


def test_reductions_are_those_of_all_lanes():
    reduce = compiled(lambda rows: (lane_sum(load(rows, 0)), lane_max(load(rows, 0)), lane_max(-load(rows, 0))))
    rows = new_rows(1)
    for k in range(LANES):  # the largest in every lane once
        rows[0] = np.roll(A, k)
        total, largest, smallest = reduce(rows)
        assert (largest, -smallest) == (A.max(), A.min())
        assert total == pytest.approx(A.astype(float).sum(), rel=1e-6)
    rows[0] = np.arange(1, LANES + 1)  # exact in any order
    assert reduce(rows)[0] == LANES * (LANES + 1) / 2


def test_any_lane_finds_a_single_one():
    holds = compiled(lambda rows: any_lane(load(rows, 0) > 0.5))
    rows = new_rows(1)
    assert holds(rows) is False
    for k in range(LANES):
        rows[:] = 0.0
        rows[0, k] = 1.0
        assert holds(rows) is True


def test_rows_are_new_and_zero():
    rows = new_rows(3)
    assert rows.shape == (3, LANES) and rows.dtype == np.float32 and not rows.any() and COMPONENTS == LANES
