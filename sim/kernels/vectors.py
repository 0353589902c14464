"""Vectors as tuples of three: compiled code keeps their components in registers."""

import math

from ballcast.sim.jit import inlined


@inlined
def dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@inlined
def norm(a):
    return math.sqrt(dot(a, a))


@inlined
def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@inlined
def scaled(k, a):
    """k a"""
    return k * a[0], k * a[1], k * a[2]


@inlined
def add_scaled(a, k, b):
    """a + k b"""
    return a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2]


@inlined
def minimum(a, b):
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])


@inlined
def maximum(a, b):
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])
