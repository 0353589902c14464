"""The path within a step: its three forms are one polynomial, and its velocity is the derivative of its position."""

import numpy as np
import pytest

from ballcast.sim.jit import kernel
from ballcast.sim.kernels.dormand_prince import A_MATRIX, ERROR_WEIGHTS, POSITION_WEIGHTS, B
from ballcast.sim.kernels.layout import Motion
from ballcast.sim.kernels.literals import literals
from ballcast.sim.kernels.quintic import (
    interpolate,
    quintic_bounds,
    quintic_coefficients,
    quintic_position,
    quintic_velocity,
    unit_coefficients,
    unit_position,
)

ZERO = (0.0, 0.0, 0.0)
START = Motion((0.1, -0.4, 1.2), (3.0, -1.5, 2.0), ZERO, (0.3, 2.0, -9.0))
END = Motion((0.42, -0.53, 1.33), (3.1, -1.2, 0.9), ZERO, (-0.4, 1.0, -11.0))
H, STEP = 0.1, 1e-6
FRACTIONS = (0.0, 0.2, 0.5, 0.9, 1.0)


@kernel
def by_weights(start, end, f, h):
    return interpolate(start, end, f, h)


@kernel
def by_coefficients(start, end, t, h):
    c = quintic_coefficients(start, end, h)
    return quintic_position(start, c, t), quintic_velocity(start, c, t), quintic_bounds(start, end, h)


@kernel
def over_the_unit_interval(n, start, end, f, h, i):
    v, a = h * start.velocity[i], 0.5 * h * h * start.acceleration[i]
    v1, a1 = h * end.velocity[i], 0.5 * h * h * end.acceleration[i]
    return unit_position(unit_coefficients(n, start.position[i], v, a, end.position[i], v1, a1), f)


@pytest.mark.parametrize("f", FRACTIONS)
def test_the_three_forms_agree(f):
    position, velocity = by_weights(START, END, f, H)
    same, derivative, (low, high) = by_coefficients(START, END, f * H, H)
    unit = [over_the_unit_interval(literals(1.0), START, END, f, H, i) for i in range(3)]
    assert np.allclose(position, same, rtol=0, atol=1e-13) and np.allclose(position, unit, rtol=0, atol=1e-13)
    assert np.allclose(velocity, derivative, rtol=0, atol=1e-11)
    assert (np.array(low) <= np.array(position) + 1e-12).all() and (np.array(position) <= np.array(high) + 1e-12).all()


@pytest.mark.parametrize("f", FRACTIONS[1:-1])
def test_the_velocity_is_the_derivative_of_the_position(f):
    before, after = (np.array(by_weights(START, END, f + sign * STEP / H, H)[0]) for sign in (-1, 1))
    assert np.allclose(by_weights(START, END, f, H)[1], (after - before) / (2 * STEP), atol=1e-8)


def test_it_takes_position_and_velocity_at_both_ends():
    for f, motion in ((0.0, START), (1.0, END)):
        position, velocity = by_weights(START, END, f, H)
        assert np.allclose(position, motion.position, atol=1e-14) and np.allclose(velocity, motion.velocity, atol=1e-12)


def test_the_tableau_satisfies_the_order_conditions():
    """Of a rule of order five: sums of b, of b c^k, and of b with A c."""
    c = A_MATRIX.sum(axis=1)
    for k in range(5):
        assert B @ c**k == pytest.approx(1 / (k + 1))
    assert B @ A_MATRIX @ c == pytest.approx(1 / 6) and B @ A_MATRIX @ c**2 == pytest.approx(1 / 12)
    assert sum(ERROR_WEIGHTS) == pytest.approx(0.0, abs=1e-15)
    assert sum(POSITION_WEIGHTS) == pytest.approx(1 / 2)
