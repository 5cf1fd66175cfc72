"""How sure a figure is: intervals and tests over clips, without assuming a distribution.

Conventions: the clip is the unit that was drawn at random. Several seeds or cuts of one clip are
no independent witnesses, so they are summed before anything is resampled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 4000
EXACT = 40  # clips up to which all sign patterns are counted
FLIPS = 100_000  # sign patterns drawn beyond


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where nothing was measured."""

    value: float
    low: float
    high: float
    n: int  # clips


def ratio(parts: ArrayLike, wholes: ArrayLike, seed: int = 0) -> Estimate:
    """Return sum(parts) / sum(wholes) over clips, with a percentile bootstrap of the clips.

    Efron & Tibshirani 1993, chapter 13. Clips whose whole is 0 have no say.
    """
    a, b = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"parts of shape {a.shape} do not belong to wholes of shape {b.shape}")
    a, b = a[b > 0], b[b > 0]
    if not len(a):
        return Estimate(math.nan, math.nan, math.nan, 0)
    picks = np.random.default_rng(seed).integers(len(a), size=(RESAMPLES, len(a)))
    low, high = np.percentile(a[picks].sum(1) / b[picks].sum(1), [2.5, 97.5])
    return Estimate(float(a.sum() / b.sum()), float(low), float(high), len(a))


def mean(values: ArrayLike, seed: int = 0) -> Estimate:
    """Return the mean over clips, with a percentile bootstrap; NaN is left out."""
    a = np.asarray(values, np.float64)
    a = a[np.isfinite(a)]
    return ratio(a, np.ones(len(a)), seed)


def sign_flip(differences: Sequence[float] | NDArray[np.float64], seed: int = 0) -> float:
    """Return the two-sided p-value that paired differences are 0 on average.

    Fisher's randomisation test: each difference could as well have had the other sign. All 2^n
    patterns are counted for up to EXACT differences that are not 0, by meeting in the middle of
    the sums of both halves; beyond, FLIPS patterns are drawn.

    >>> sign_flip([1.0, 2.0, 3.0])
    0.25
    """
    d = np.asarray(differences, np.float64)
    if not np.isfinite(d).all():
        raise ValueError("a difference is not a finite number; leave out clips without a figure")
    d = d[d != 0]
    slack = 1e-9 * float(np.abs(d).sum())  # sums of the same numbers differ by their order
    total = abs(float(d.sum())) - slack
    if total <= 0:
        return 1.0
    if len(d) > EXACT:
        rng = np.random.default_rng(seed)
        sums = sum(rng.choice([-1.0, 1.0], FLIPS) * x for x in d)
        return float((1 + (np.abs(sums) >= total).sum()) / (1 + FLIPS))
    left, right = _sums(d[: len(d) // 2]), np.sort(_sums(d[len(d) // 2 :]))
    above = len(right) * len(left) - int(np.searchsorted(right, total - left).sum())
    return min(1.0, 2 * above / 2 ** len(d))


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 2^n sums of ``values`` under all signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
