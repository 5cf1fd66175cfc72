"""Moments in time, and how two sets of them meet: what the other metrics count with.

Conventions: times are seconds, as ascending arrays; an empty array is a set without moments.
"""

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Seconds


def validate(name: str, times: ArrayLike) -> Seconds:
    """Return ``times`` as an array; ValueError unless they are finite and ascend."""
    array = np.asarray(times, np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has the shape {array.shape}; times are a single row of seconds")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; times are finite seconds")
    if (np.diff(array) < 0).any():
        raise ValueError(f"{name} does not ascend; sort it first")
    return array


def errors(times: ArrayLike, events: ArrayLike) -> Seconds:
    """Return the seconds by which the nearest event comes after each time; inf without events.

    Of two equally near events the earlier one counts.

    >>> errors([1.0, 4.0], [0.75, 5.0]).tolist()
    [-0.25, 1.0]
    """
    at, given = validate("times", times), validate("events", events)
    if not len(given):
        return np.full(len(at), np.inf)
    after = np.searchsorted(given, at)
    before = given[np.maximum(after - 1, 0)] - at
    later = given[np.minimum(after, len(given) - 1)] - at
    return np.where(np.abs(before) <= np.abs(later), before, later)


def matched(a: ArrayLike, b: ArrayLike, tolerance: float) -> int:
    """Return how many moments of ``a`` and ``b`` pair up, each one once, less than ``tolerance``.

    The largest such matching: on a line, to pair the earliest that can be paired is optimal.

    >>> matched([1.0, 1.1, 5.0], [1.05, 5.2], 0.1)
    1
    """
    x, y = validate("a", a).tolist(), validate("b", b).tolist()
    i = j = pairs = 0
    while i < len(x) and j < len(y):
        if abs(x[i] - y[j]) < tolerance:
            i, j, pairs = i + 1, j + 1, pairs + 1
        elif x[i] < y[j]:
            i += 1
        else:
            j += 1
    return pairs


def covered(events: ArrayLike, tolerance: float, duration: float) -> float:
    """Return the share of [0, ``duration``] that lies within ``tolerance`` seconds of an event.

    >>> covered([1.0, 9.5], 1.0, 10.0)
    0.35
    """
    times = validate("events", events)
    starts = np.clip(times - tolerance, 0, duration)
    stops = np.clip(times + tolerance, 0, duration)
    begun = np.concatenate([[0.0], stops[:-1]])  # all windows are equally long: none holds another
    return float(np.maximum(stops - np.maximum(starts, begun[: len(starts)]), 0).sum() / duration)
