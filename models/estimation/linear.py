"""Small systems of equations, compiled: Cholesky's factor, solution, inverse."""

import math

import numpy as np

from ballcast.sim.jit import kernel


@kernel
def cholesky(matrix, L):
    """L (n, n), lower, of A = L L^T; whether A is positive definite."""
    n = len(matrix)
    for j in range(n):
        d = matrix[j, j]
        for k in range(j):
            d -= L[j, k] * L[j, k]
        if not d > 0.0:
            return False
        d = math.sqrt(d)
        L[j, j] = d
        for i in range(j + 1, n):
            a = matrix[i, j]
            for k in range(j):
                a -= L[i, k] * L[j, k]
            L[i, j] = a / d
        for i in range(j):
            L[i, j] = 0.0
    return True


@kernel
def cholesky_solve(L, b):
    """x (n,) of L L^T x = b."""
    n, x = len(b), b.copy()
    for i in range(n):
        for k in range(i):
            x[i] -= L[i, k] * x[k]
        x[i] /= L[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= L[k, i] * x[k]
        x[i] /= L[i, i]
    return x


@kernel
def spd_inverse(matrix):
    """The inverse of A (n, n), positive definite; NaN where it is not."""
    n = len(matrix)
    L, scale = np.empty((n, n)), np.sqrt(np.diag(matrix))
    if not cholesky(matrix / np.outer(scale, scale), L):
        return np.full((n, n), np.nan)
    L_inverse = np.zeros((n, n))  # the inverse of L
    for j in range(n):
        L_inverse[j, j] = 1.0 / L[j, j]
        for i in range(j + 1, n):
            a = 0.0
            for k in range(j, i):
                a -= L[i, k] * L_inverse[k, j]
            L_inverse[i, j] = a / L[i, i]
    return (L_inverse.T @ L_inverse) / np.outer(scale, scale)
