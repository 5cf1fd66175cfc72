"""How busy music of an arousal is, as it is in songs."""

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Float64s

# Medians of 2,972 passages of 12 s of held-out songs, by their arousal
AROUSALS = (-0.875, -0.625, -0.375, -0.125, 0.125, 0.375, 0.625)
ONSETS = (2.5, 4.2, 5.2, 6.3, 8.2, 8.9, 9.8)  # a second
TEMPO = 117.1875  # beats a minute of these songs


def onset_rate(arousal: ArrayLike) -> Float64s:
    """Return the onsets a second of music of ``arousal``, any shape; NaN where it is not known.

    >>> onset_rate([-1.0, 0.0]).tolist()
    [2.5, 7.25]
    """
    return np.asarray(np.interp(np.asarray(arousal, np.float64), AROUSALS, ONSETS), np.float64)
