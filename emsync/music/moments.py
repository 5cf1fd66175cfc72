"""Moments that are the same but for a tolerance. N times."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def near(times: ArrayLike, moments: ArrayLike, reach: float) -> NDArray[np.bool_]:
    """Return which of (N,) ``times`` are at most ``reach`` from one of ``moments``, in any order.

    >>> near([1.0, 2.0, 2.5], [2.5, 0.75], 0.25).tolist()
    [True, False, True]
    """
    at = np.asarray(times, np.float64)
    known = np.concatenate([[-np.inf], np.sort(np.asarray(moments, np.float64)), [np.inf]])
    after = np.searchsorted(known, at)
    return np.minimum(known[after] - at, at - known[after - 1]) <= reach
