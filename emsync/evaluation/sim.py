"""How far music moves with a film, by towers that learned it: SIM, and where it does.

Shapes: T rows, ten a second.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.options import SYNCHRONY
from emsync.synchrony.seen import RATE

if TYPE_CHECKING:
    from emsync.synchrony.checkpoint import Synchrony

SMOOTH = 2.0  # seconds over which the curve is the mean
STEP = 0.5  # seconds between two values of the curve
SHIFTS = 16  # by which the music is moved around for the control


def opened(name: str | None) -> "Synchrony | None":
    """Return the checkpoint of this name; None where none is named, and the usual is not there."""
    from emsync.synchrony.checkpoint import Synchrony, names

    if name is None and SYNCHRONY not in names():
        return None
    return Synchrony.load(name or SYNCHRONY)


def evaluate(film: Float32s, music: Float32s) -> dict[str, Any]:
    """Return SIM of the rows of a film and of music, that of moved music, and their course."""
    cosines = np.zeros(len(film))  # where the music has ended they stay 0
    count = min(len(film), len(music))
    cosines[:count] = (film[:count] * music[:count]).sum(axis=1)
    whole = np.zeros_like(film)
    whole[:count] = music[:count]
    moved = [np.roll(whole, round(len(film) * k / (SHIFTS + 1)), axis=0)
             for k in range(1, SHIFTS + 1)]  # fmt: skip
    curve = smoothed(cosines)[:: round(STEP * RATE)]
    return {
        "score": float(cosines.mean()),
        "shifted": float(np.mean([(film * rows).sum(axis=1).mean() for rows in moved])),
        "times": [round(i * STEP + 0.5 / RATE, 3) for i in range(len(curve))],
        "curve": [round(float(value), 4) for value in curve],
    }


def smoothed(values: Float64s) -> Float64s:
    """Return the means over SMOOTH seconds around each of (T,) values; of what is there, at ends.

    >>> smoothed(np.arange(5.0)).tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    half = round(SMOOTH * RATE / 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, stop = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return np.asarray((sums[stop] - sums[first]) / (stop - first))
