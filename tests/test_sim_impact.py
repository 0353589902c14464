"""A contact: the exact vectors, and what every rigid-sphere impact keeps. Here x is forward, y left, z up, n = z."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballcast import sim
from ballcast.sim.jit import kernel
from ballcast.sim.kernels import contact as impact
from ballcast.sim.kernels.compiled_sport import compile_sport

UP = (0.0, 0.0, 1.0)


@kernel
def bounce(v, w, n, R, inertia, leave, mu, e_x):
    return impact.impulse_response(v, w, n, R, inertia, leave, mu, e_x)


@kernel
def restitution(surface, factor, speed):
    return impact.restitution(surface, factor, speed)


VECTORS = {  # R, inertia, e, mu, e_x; v, w before; v, w after; grips; kinetic energy after over before
    "table tennis, topspin": (
        0.02, 2 / 3, 0.9, 0.25, 0, (6, 0, -2.5), (0, 400, 0), (6.8, 0, 2.25), (0, 340, 0), 0.96717),
    "table tennis, flat": (
        0.02, 2 / 3, 0.9, 0.25, 0, (8, 0, -1.5), (0, 0, 0), (7.2875, 0, 1.35), (0, 53.4375, 0), 0.84063),
    "table tennis, mixed": (
        0.02, 2 / 3, 0.9, 0.25, 0, (4, 1, -3), (100, -300, 50),
        (2.6351, 0.59053, 2.7), (69.2897, -197.6323, 50), 0.50522),
    "tennis, the ITF's shot": (
        0.033, 0.55, 0.8, 0.55, 0, (28.838, 0, -8.269), (0, 0, 0),
        (20.65169, 0, 6.6152), (0, 451.0364, 0), 0.65788),
    "superball": (
        0.025, 0.4, 0.85, 1.0, 0.6, (3, 0, -3), (0, -100, 0), (0.48571, 0, 2.55), (0, 151.4286, 0), 0.60834),
    "basketball": (0.12, 2 / 3, 0.8, 0.5, 0, (3, 0, -5), (0, -12, 0), (1.224, 0, 4), (0, 10.2, 0), 0.52277),
    "frictionless": (0.12, 2 / 3, 0.8, 0, 0, (3, 2, -5), (1, 2, 3), (3, 2, 4), (1, 2, 3), 0.76399),
    "golf wedge": (
        0.02134, 0.4, 0.3, 0.4, 0, (12, 0, -17), (0, -500, 0), (5.52286, 0, 5.1), (0, 258.8031, 0), 0.14359),
}  # fmt: skip


def floats(a):
    return tuple(float(x) for x in a)


def energy(v, w, R, inertia):
    return np.dot(v, v) + inertia * R * R * np.dot(w, w)


@pytest.mark.parametrize("case", VECTORS)
def test_exact_vectors(case):
    R, inertia, e, mu, e_x, v, w, v_out, w_out, ratio = VECTORS[case]
    v, w = floats(v), floats(w)
    after, spin = bounce(v, w, UP, R, inertia, -e * v[2], float(mu), float(e_x))
    assert np.allclose(after, v_out, rtol=1e-5, atol=1e-4)
    assert np.allclose(spin, w_out, rtol=1e-5, atol=1e-4)
    assert energy(after, spin, R, inertia) / energy(v, w, R, inertia) == pytest.approx(ratio, abs=2e-5)


size, fraction = st.floats(-30, 30), st.floats(0, 1)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(size, size, size), st.tuples(size, size, size), st.tuples(size, size, size), fraction, fraction, fraction
)
def test_what_every_contact_keeps(v, w, n, e, mu, e_x):
    """Angular momentum about the contact point stays, kinetic energy never grows, spin about the normal stays."""
    length = math.hypot(*n)
    n = tuple(x / length for x in n) if length > 1e-3 else UP
    R, inertia = 0.05, 0.5
    vn = np.dot(v, n)
    if vn >= 0:
        v = tuple(a - 2 * vn * b for a, b in zip(v, n, strict=True))
    after, spin = bounce(v, w, n, R, inertia, e * abs(vn), mu, e_x)
    before_l = np.cross(np.multiply(R, n), v) + inertia * R * R * np.array(w)
    after_l = np.cross(np.multiply(R, n), after) + inertia * R * R * np.array(spin)
    assert np.allclose(before_l, after_l, atol=1e-10)
    assert energy(after, spin, R, inertia) <= energy(v, w, R, inertia) * (1 + 1e-12) + 1e-12
    assert np.dot(spin, n) == pytest.approx(np.dot(w, n), abs=1e-9)


def test_restitution_falls_with_speed_and_never_passes_one():
    table = compile_sport(sim.load("table_tennis")).surfaces[0]
    assert restitution(table, 1.0, 2.4) == pytest.approx(0.93)
    assert restitution(table, 1.0, 12.4) == pytest.approx(0.81)
    assert restitution(table, 1.0, 50.0) == pytest.approx(0.70)
    assert restitution(table, 1.5, 2.4) == 1.0
