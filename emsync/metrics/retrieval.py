"""Retrieval: at which place among candidates the right one is found.

Conventions
-----------
Scores are (Q, G): those of G candidates for each of Q queries, the higher, the better. Which are
right is told by (Q, G) booleans, at least one for each query; by default candidate q is for query
q, its own. A query has R right candidates and W wrong ones.

Measures, with the rank of a query that of the first of its right candidates, 1 the best:

recall      R@K, the share of queries of rank K or less
median      the median of the ranks
percentile  the mean of (rank - 1) / W, the share of wrong candidates before the first right one:
            0 is perfect, 1 the worst

Wrong candidates of the same score as the first right one count as in the mean over all orders of
the equal ones: w of them and r right ones give w / (r + 1), which for one right one is the middle
of their ranks. So nothing is won by a system that scores all alike: its percentile is that of
chance, and its R@K of a large gallery is 0.

Chance is a random order, by counting: R@K is 1 - C(W, K) / C(W + R, K), the percentile 1 / (R + 1).

How sure they are
-----------------
Intervals are 95 %, by a percentile bootstrap over units (Efron & Tibshirani 1993): a film or, where
several are by one hand, the source that they come from. ``permutation_p`` is a permutation test:
how often queries that ask for each other's candidates do as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emsync.arrays import Float64s, Int64s
from emsync.metrics.statistics import RESAMPLES, Estimate

PLACES = (1, 5, 10, 25)  # K of R@K
PERMUTATIONS = 999
AT_ONCE = 2**22  # weights of queries in resamples that are held at once

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Figures:
    """What is measured on ranks; n of the estimates is the number of units."""

    recall: Mapping[int, Estimate]  # R@K in [0, 1], by K
    median: Estimate
    percentile: Estimate


@dataclass(frozen=True)
class Chance:
    """What a random order gives."""

    recall: Mapping[int, float]
    median: float
    percentile: float


def own(scores: ArrayLike) -> Bools:
    """Return that candidate q is right for query q."""
    queries, candidates = np.shape(scores)
    return np.eye(queries, candidates, dtype=np.bool_)


def ranks(scores: ArrayLike, right: ArrayLike | None = None) -> Float64s:
    """Return the (Q,) ranks of the first right candidate, the best 1.

    >>> ranks([[0.5, 0.9, 0.1], [0.2, 0.2, 0.2]]).tolist()
    [2.0, 2.0]
    """
    values, mine = _validate(scores, right)
    best = np.where(mine, values, -np.inf).max(axis=1, keepdims=True)
    level = values == best
    equal, rivals = (level & mine).sum(axis=1), (level & ~mine).sum(axis=1)
    before: Int64s = (values > best).sum(axis=1)
    found: Float64s = 1 + before + rivals / (equal + 1)
    return found


def percentiles(scores: ArrayLike, right: ArrayLike | None = None) -> Float64s:
    """Return the (Q,) shares of the wrong candidates that come before the first right one."""
    values, mine = _validate(scores, right)
    return _shares(ranks(values, mine), mine)


def figures(
    scores: ArrayLike,
    right: ArrayLike | None = None,
    units: Sequence[object] | None = None,
    places: Sequence[int] = PLACES,
    seed: int = 0,
) -> Figures:
    """Return what is measured on (Q, G) scores.

    ``units`` are what each of the Q queries is of; by default each is a unit itself.
    """
    values, mine = _validate(scores, right)
    found = ranks(values, mine)
    units = range(len(found)) if units is None else units
    if len(units) != len(found):
        raise ValueError(f"there are {len(units)} units of {len(found)} queries; give one of each")
    numbers = {unit: number for number, unit in enumerate(dict.fromkeys(units))}
    unit = np.array([numbers[u] for u in units])
    rows = np.stack([*(found <= place for place in places), _shares(found, mine)])  # (K + 1, Q)
    means, medians = _resampled(rows.astype(np.float64), found, unit, seed)
    *recall, percentile = (
        _estimate(float(row.mean()), drawn, len(numbers))
        for row, drawn in zip(rows, means, strict=True)
    )
    return Figures(
        dict(zip(places, recall, strict=True)),
        _estimate(float(np.median(found)), medians, len(numbers)),
        percentile,
    )


def chance(
    scores: ArrayLike, right: ArrayLike | None = None, places: Sequence[int] = PLACES
) -> Chance:
    """Return what a random order of the candidates gives.

    >>> chance(np.zeros((4, 4)), places=[1]).recall
    {1: 0.25}
    """
    _, mine = _validate(scores, right)
    candidates = mine.shape[1]
    kinds, counts = np.unique(mine.sum(axis=1), return_counts=True)
    within = np.zeros(candidates + 1)  # share of queries of at most each rank
    for rights, count in zip(kinds.tolist(), counts.tolist(), strict=True):
        missed = 1.0
        for place in range(1, candidates + 1):
            missed *= max(0, candidates - rights - place + 1) / (candidates - place + 1)
            within[place] += (1 - missed) * count / len(mine)
    first = int((within >= 0.5 - 1e-9).argmax())
    next_one = int((within > 0.5 + 1e-9).argmax())
    return Chance(
        {place: float(within[min(place, candidates)]) for place in places},
        (first + next_one) / 2,
        float((counts * (kinds < candidates) / (kinds + 1)).sum() / len(mine)),
    )


def permutation_p(
    scores: ArrayLike,
    right: ArrayLike | None = None,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> float:
    """Return how probable so low a mean percentile is, were queries and candidates unrelated.

    What is right for a query is handed to another, at random. One-sided, and never 0.
    """
    values, mine = _validate(scores, right)
    rng = np.random.default_rng(seed)
    reached = float(_shares(ranks(values, mine), mine).mean()) + 1e-12
    as_good = 0
    for _ in range(permutations):
        other = mine[rng.permutation(len(mine))]
        as_good += float(_shares(ranks(values, other), other).mean()) <= reached
    return (1 + as_good) / (1 + permutations)


def _validate(scores: ArrayLike, right: ArrayLike | None) -> tuple[Float64s, Bools]:
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"scores of shape {values.shape} are none; give (queries, candidates)")
    if np.isnan(values).any():
        raise ValueError("a score is not a number; give the lowest there is")
    mine = own(values) if right is None else np.asarray(right, np.bool_)
    if mine.shape != values.shape:
        raise ValueError(f"answers of shape {mine.shape} do not belong to scores {values.shape}")
    if not mine.any(axis=1).all():
        raise ValueError("a query has no right candidate; leave it out")
    return values, mine


def _shares(found: Float64s, right: Bools) -> Float64s:
    """Return the shares of wrong candidates before those of these ranks; 0 where none is wrong."""
    shares: Float64s = (found - 1) / np.maximum(1, (~right).sum(axis=1))
    return shares


def _resampled(
    rows: Float64s, found: Float64s, unit: Int64s, seed: int
) -> tuple[Float64s, Float64s]:
    """Return the (K, RESAMPLES) means of (K, Q) rows and the (RESAMPLES,) medians of the ranks.

    Units are drawn with replacement, as often as there are any, each with all its queries.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(found, kind="stable")
    count = int(unit.max()) + 1
    means, medians = [], []
    step = max(1, AT_ONCE // len(found))
    for at in range(0, RESAMPLES, step):
        size = min(step, RESAMPLES - at)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size)  # (n, units)
        weights = drawn[:, unit].astype(np.float64)  # (n, Q)
        totals = weights.sum(axis=1)
        means.append(np.einsum("nq,kq->kn", weights, rows) / totals)
        heaped = np.cumsum(weights[:, order], axis=1)
        low = (heaped >= totals[:, None] / 2).argmax(axis=1)
        high = (heaped > totals[:, None] / 2).argmax(axis=1)
        medians.append((found[order[low]] + found[order[high]]) / 2)
    return np.concatenate(means, axis=1), np.concatenate(medians)


def _estimate(value: float, drawn: Float64s, units: int) -> Estimate:
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Estimate(value, low, high, units)
