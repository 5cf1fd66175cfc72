"""Rhythm as a signal: even steps, STEP_RATE a second, with a bell at each onset.

Equations 2 to 5 of Mikheev & Makarov (2025): spectral flux, and the directogram of optical flow.
What the paper leaves out is ``accents``: both signals are made comparable before they meet.
"""

import numpy as np
from numpy.typing import ArrayLike

from emsync.arrays import Float64s

SAMPLE_RATE, HOP = 22050, 512  # samples per second, and between two steps: librosa's own
STEP_RATE = SAMPLE_RATE / HOP  # steps a second
STRONGEST = 3.0  # times the mean of a signal; what is above, such as a cut, counts no more
AROUND = 15  # steps, a third of a second: what stands out of them is an accent
WIDTH = 1.0  # steps; SD of the bell that stands for an onset: half a frame of film, 23 ms


def flux(spectra: ArrayLike) -> Float64s:
    """Return the (N,) sums over the columns of what grows from one row of (N, K) to the next.

    Equations 2 and 3 for the magnitudes of a spectrogram, equation 5 for a directogram. Before the
    first row nothing is known, so its sum is 0.
    """
    rows = np.asarray(spectra, np.float64)
    grown = np.maximum(np.diff(rows, axis=0), 0.0).sum(axis=1)
    return np.concatenate([np.zeros(min(1, len(rows))), grown])


def directions(amplitudes: ArrayLike, angles: ArrayLike, bins: int) -> Float64s:
    """Return the (bins,) sums of the amplitudes by their angles in radians: equation 4.

    Bin b is centred on the angle 2 pi b / bins, so that noise does not split level movement.
    """
    places = np.rint(np.ravel(angles) * (bins / (2 * np.pi))).astype(np.int64) % bins
    return np.bincount(places, np.ravel(amplitudes), minlength=bins).astype(np.float64)


def bells(times: ArrayLike, values: ArrayLike, length: int) -> Float64s:
    """Return a signal of ``length`` steps with a bell as high as each value at its time (seconds).

    The bell, with an SD of WIDTH, lets an onset meet another a frame away; it frees the signal from
    the rate of the pictures.
    """
    at, heights = np.asarray(times, np.float64) * STEP_RATE, np.asarray(values, np.float64)
    nearest = np.rint(at).astype(np.int64)
    signal = np.zeros(length)
    reach = round(4 * WIDTH)
    for steps in range(-reach, reach + 1):
        place = nearest + steps
        inside = (place >= 0) & (place < length)
        bell = heights * np.exp(-(((place - at) / WIDTH) ** 2) / 2)
        np.add.at(signal, place[inside], bell[inside])
    return signal


def accents(signal: ArrayLike) -> Float64s:
    """Return how far an (N,) signal stands out of the third of a second around each step.

    Values are capped first, at STRONGEST times their mean, so that no few of them, such as the cuts
    of a film, decide all; however rare they are, they stay the highest. What goes on for a while,
    such as a shaking camera or a roll of drums, is no accent.
    """
    values = np.asarray(signal, np.float64)
    if not len(values):
        return values
    capped = np.minimum(values, STRONGEST * values.mean())
    total = np.concatenate([[0.0], np.cumsum(capped)])
    steps = np.arange(len(values))
    first = np.maximum(steps - AROUND // 2, 0)
    last = np.minimum(steps + AROUND // 2 + 1, len(values))
    above = capped - (total[last] - total[first]) / (last - first)
    return np.where(above > 1e-9 * capped.max(), above, 0.0)  # the rest is rounding
