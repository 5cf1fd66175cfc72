"""Whether a film shows a beat at all: tests against films that show the same, but in no time."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.signals import STEP_RATE

SHUFFLES = 999
BLOCK = 9  # steps, a fifth of a second: what is shuffled, so that a movement stays whole
NEAR = 4  # steps, 0.1 s: how much later or earlier all impacts may be than the beats
LAGS = np.arange(round(STEP_RATE / 3), round(STEP_RATE) + 1)  # steps of 180 to 60 BPM


def pulse(signal: Float64s, lags: NDArray[np.int64] = LAGS) -> float:
    """Return the highest autocorrelation of an (N,) signal at any of the lags, or at twice them."""
    centred = signal - signal.mean()
    size = 1 << (2 * len(signal)).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    curve = np.fft.irfft(spectrum, size)[: len(signal)]
    tried = lags[2 * lags < len(signal)]
    if not len(tried) or curve[0] <= 0:
        return 0.0
    return float((curve[tried] + curve[2 * tried]).max() / (2 * curve[0]))


def by_chance(signal: Float64s, measure: Callable[[Float64s], float],
              rng: np.random.Generator) -> float:  # fmt: skip
    """Return how often a film whose movements are shuffled measures as much."""
    blocks = signal[: len(signal) // BLOCK * BLOCK].reshape(-1, BLOCK)
    shown = measure(blocks.ravel())
    shuffled = [measure(rng.permutation(blocks).ravel()) for _ in range(SHUFFLES)]
    return (1 + sum(one >= shown for one in shuffled)) / (1 + SHUFFLES)


def around(beats: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the lags at the tempo of beats in steps, at half of it and at twice it."""
    period = float(np.median(np.diff(beats)))
    return np.unique([round(period * times) + i for times in (0.5, 1, 2) for i in (-1, 0, 1)])


def met(signal: Float64s, beats: NDArray[np.int32]) -> float:
    """Return how much of a film's accents falls on the beats, all shifted by at most NEAR steps."""
    comb = np.bincount(beats[beats < len(signal)], minlength=len(signal)).astype(np.float64)
    curve = np.fft.irfft(np.fft.rfft(signal) * np.conj(np.fft.rfft(comb)), len(signal))
    return float(curve[np.arange(-NEAR, NEAR + 1)].max())
