"""The Fréchet distance between two sets of vectors, each taken as a Gaussian (Heusel et al. 2017).

Conventions
-----------
Sets are (N, D) and (M, D) vectors, such as those of music that was found and of the films' own:
then it is the Fréchet audio distance (Kilgour et al. 2019). Of the means m and the covariances C,
these with the divisor N - 1,

    d = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2)),

which is 0 for a set and itself. The fewer vectors, the larger it is, so only distances of as many
vectors stand beside each other (Gui et al. 2024).

The last trace is the sum of the singular values of A1 A2^T, for any A with A^T A = C: the centred
vectors over sqrt(N - 1) are such, so no root of a matrix is drawn, and there may be fewer vectors
than dimensions.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Float64s


def distance(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Fréchet distance between (N, D) and (M, D) vectors.

    >>> distance([[0.0], [2.0]], [[3.0], [5.0]])
    9.0
    """
    a, b = _validate(first), _validate(second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"vectors of {a.shape[1]} and {b.shape[1]} numbers cannot be compared")
    between = float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum())
    one, two = _factor(a), _factor(b)
    spread = float(np.square(one).sum() + np.square(two).sum())
    shared = float(np.linalg.svd(one @ two.T, compute_uv=False).sum())
    return between + max(0.0, spread - 2 * shared)


def _factor(vectors: Float64s) -> Float64s:
    """Return an A of at most D rows with A^T A the covariance of (N, D) vectors."""
    centred = (vectors - vectors.mean(axis=0)) / math.sqrt(max(1, len(vectors) - 1))
    if len(centred) <= centred.shape[1]:
        return centred
    return np.asarray(np.linalg.qr(centred, mode="r"), np.float64)


def _validate(vectors: ArrayLike) -> Float64s:
    values = np.asarray(vectors, np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"an array of shape {values.shape} is no set of vectors; give (N, D)")
    if not np.isfinite(values).all():
        raise ValueError("a vector holds what is not a finite number")
    return values
