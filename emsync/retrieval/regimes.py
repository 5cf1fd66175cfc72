"""Where the motion of a film changes its way: stretches of it, found exactly.

Merrill, "Optical Flow Matching for Video-to-Music Retrieval", sections 4.1 and 4.3. A stretch I of
a signal costs |I| log det(Σ + ε), Σ its covariance about its own mean: little where the signal
keeps its mean and its variance. Of all ways to divide the signal the cheapest is taken.

Shapes: T values, each of d channels.
"""

from collections.abc import Sequence

import numpy as np

from emsync.arrays import Float64s, Int64s

EPSILON = 1e-6  # added to each variance: where nothing changes, there is a cost all the same

Stretch = tuple[int, int]  # from, until


def regimes(signal: Float64s, most: int, least: int) -> list[Stretch]:
    """Return the stretches of a (T, d) signal, ``most`` of them or as many as fit, that cost least.

    Each has at least ``least`` values, unless the whole signal has fewer.
    """
    length = len(signal)
    count = max(1, min(most, length // least))
    sums = _sums(signal)
    cheapest = np.full((count, length + 1), np.inf)  # to divide what is before into so many, + 1
    begins = np.zeros((count, length + 1), np.int64)  # of the last of these
    for stop in range(min(least, length), length + 1):
        starts = np.arange(max(1, stop - least + 1))  # at which the last may begin
        last = _costs(sums, starts, stop)
        cheapest[0, stop] = last[0]
        if count > 1:
            total = cheapest[:-1, starts] + last
            begins[1:, stop] = total.argmin(axis=1)
            cheapest[1:, stop] = total.min(axis=1)
    edges = [length]
    for n in reversed(range(count)):
        edges.append(int(begins[n, edges[-1]]))
    return list(zip(edges[:0:-1], edges[-2::-1], strict=True))


def places(speeds: Sequence[float]) -> Int64s:
    """Return the place of each stretch by its speed: 0 the fastest; of equals the earlier first."""
    order = np.argsort(-np.asarray(speeds, np.float64), kind="stable")
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order))
    return found


def _sums(signal: Float64s) -> tuple[Float64s, Float64s]:
    """Return the sums (T + 1, d) of values and (T + 1, d, d) of their products up to each place."""
    centred = signal - signal.mean(axis=0)  # so that little is lost when sums are subtracted
    products = centred[:, :, None] * centred[:, None]
    return _summed(centred), _summed(products)


def _summed(values: Float64s) -> Float64s:
    """Return the sums of the first 0, 1, ... T of ``values``."""
    return np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])


def _costs(sums: tuple[Float64s, Float64s], starts: Int64s, stop: int) -> Float64s:
    """Return the costs of the stretches from each of ``starts`` until ``stop``."""
    lengths = stop - starts
    mean, square = (
        (of[stop] - of[starts]) / lengths.reshape(-1, *[1] * (of.ndim - 1)) for of in sums
    )
    covariance = square - mean[:, :, None] * mean[:, None]
    determinant = np.linalg.det(covariance + EPSILON * np.eye(mean.shape[1]))
    return lengths * np.log(np.maximum(determinant, EPSILON ** mean.shape[1]))
