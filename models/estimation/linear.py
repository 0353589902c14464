"""Small systems of equations: Cholesky factors, solutions, inverses, and products of three. Compiled."""

import math

import numpy as np

from ballcast.sim.jit import inlined, kernel

MIN_SCALE = 1e-9  # square root of a diagonal element, at least
FIRST_JITTER, MAX_JITTER = 1e-12, 1e3  # fractions of the diagonal; no scaled matrix needs more to be positive definite


@kernel
def cholesky(matrix, L):
    """Fill L (n, n), lower, so that matrix = L L^T; returns whether the matrix is positive definite."""
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
def scaled_cholesky(matrix, jitter, L):
    """Fill L (n, n), lower, so that D (L L^T) D = matrix, whose diagonal D^2 is enlarged by the fraction `jitter`.

    Returns the diagonal of D (n,). A matrix that is not positive definite gets ten times the jitter until it is.
    """
    n = len(matrix)
    scale, scaled = np.empty(n), np.empty((n, n))
    for i in range(n):
        variance = matrix[i, i]
        scale[i] = MIN_SCALE if variance <= MIN_SCALE * MIN_SCALE else math.sqrt(variance)  # NaN stays NaN
    for i in range(n):
        for j in range(n):
            scaled[i, j] = matrix[i, j] / (scale[i] * scale[j])
        scaled[i, i] += jitter
    while not cholesky(scaled, L):
        if jitter > MAX_JITTER:  # not finite
            L[:] = np.nan
            break
        increase = max(9.0 * jitter, FIRST_JITTER)
        for i in range(n):
            scaled[i, i] += increase
        jitter += increase
    return scale


@kernel
def cholesky_with_jitter(covariance, jitter, L):
    """Fill L (n, n), lower, so that covariance = L L^T, with variances enlarged by the fraction `jitter` or, if the
    covariance is not positive definite, by more: L L^T may be too wide, never too narrow."""
    scale = scaled_cholesky(covariance, jitter, L)
    for i in range(len(L)):
        for j in range(i + 1):
            L[i, j] *= scale[i]


@kernel
def cholesky_solve(L, b):
    """The solution x (n,) of L L^T x = b."""
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
    """The inverse of a positive definite matrix (n, n)."""
    n = len(matrix)
    L = np.empty((n, n))
    scale = scaled_cholesky(matrix, 0.0, L)
    L_inverse = np.zeros((n, n))
    for j in range(n):
        L_inverse[j, j] = 1.0 / L[j, j]
        for i in range(j + 1, n):
            a = 0.0
            for k in range(j, i):
                a -= L[i, k] * L_inverse[k, j]
            L_inverse[i, j] = a / L[i, i]
    return (L_inverse.T @ L_inverse) / np.outer(scale, scale)


@inlined
def matvec3(matrix, vector):
    """The product of a matrix (3, 3) and a tuple of three, as a tuple."""
    return (
        matrix[0, 0] * vector[0] + matrix[0, 1] * vector[1] + matrix[0, 2] * vector[2],
        matrix[1, 0] * vector[0] + matrix[1, 1] * vector[1] + matrix[1, 2] * vector[2],
        matrix[2, 0] * vector[0] + matrix[2, 1] * vector[1] + matrix[2, 2] * vector[2],
    )


@kernel
def inverse3(S):
    """The inverse of a symmetric matrix (3, 3)."""
    a, b, c, d, e, f = S[0, 0], S[0, 1], S[0, 2], S[1, 1], S[1, 2], S[2, 2]
    p, q, r = d * f - e * e, c * e - b * f, b * e - c * d
    out, det = np.empty((3, 3)), a * p + b * q + c * r
    out[0, 0], out[0, 1], out[0, 2] = p / det, q / det, r / det
    out[1, 1], out[1, 2], out[2, 2] = (a * f - c * c) / det, (b * c - a * e) / det, (a * d - b * b) / det
    out[1, 0], out[2, 0], out[2, 1] = out[0, 1], out[0, 2], out[1, 2]
    return out
