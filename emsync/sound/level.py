"""How loud samples are on the whole, and the factor that makes them so loud.

Shapes: (N,) samples of a full scale of 1.
"""

import math

import numpy as np

from emsync.arrays import Float32s

SILENT = 1e-5  # level below which there is silence


def level(samples: Float32s) -> float:
    """Return the root of the mean square; 0 of no samples.

    >>> level(np.array([0.5, -0.5], np.float32))
    0.5
    """
    power = np.einsum("n,n->", samples, samples, dtype=np.float64)
    return math.sqrt(float(power) / max(1, len(samples)))


def gain_to(wanted: float, samples: Float32s) -> float:
    """Return the factor that brings samples to a level; 0 for silence.

    >>> gain_to(0.1, np.array([0.5, -0.5], np.float32)), gain_to(0.1, np.zeros(2, np.float32))
    (0.2, 0.0)
    """
    now = level(samples)
    return wanted / now if now > SILENT else 0.0
