"""Spectra of sound as musicnn takes them, which serve all else that listens to a film.

Shapes: N samples, T steps, F frequencies, BANDS of the mel scale.
"""

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from emsync.arrays import Float32s, Float64s

if TYPE_CHECKING:
    from scipy.sparse import csc_array

RATE, SIZE, HOP, BANDS = 16000, 512, 256, 96  # samples a second, of a spectrum, of a step; bands
STEP_RATE = RATE / HOP  # steps a second

MEL, KNEE = 200.0 / 3.0, 1000.0  # hertz of a mel below the knee, from which on they grow
GROWTH = np.log(6.4) / 27.0  # of the logarithm with each mel above it


def powers(samples: Float32s) -> Float32s:
    """Return the (T, F) power spectra of (N,) samples: SIZE of them, under a Hann window, each HOP.

    Only whole windows are taken, the first from the first sample on.
    """
    from scipy.fft import rfft

    if len(samples) < SIZE:
        return np.zeros((0, SIZE // 2 + 1), np.float32)
    window = (0.5 - 0.5 * np.cos(np.arange(SIZE) * (2 * np.pi / SIZE))).astype(np.float32)
    pieces = np.lib.stride_tricks.sliding_window_view(samples, SIZE)[::HOP]
    spectra = rfft(pieces * window, axis=1)
    power: Float32s = spectra.real**2 + spectra.imag**2
    return power


def window(samples: Float32s, steps: int) -> tuple[Float32s, int]:
    """Return the (steps, BANDS) spectrogram from the first sample on, and its steps of sound.

    The first window is around the first sample. What lacks more than a second is repeated, as
    upstream; what lacks less is silent.
    """
    length = (steps - 1) * HOP + SIZE // 2
    piece = samples[:length]
    mel = log_mel(powers(np.pad(piece, (SIZE // 2, length - len(piece)))))
    real = min(steps, max(1, math.ceil(len(piece) / HOP)))
    if real < steps - RATE // HOP:
        mel = np.resize(mel[:real], mel.shape)
    return mel, real


def log_mel(powers: Float32s) -> Float32s:
    """Return the (T, BANDS) spectrogram that musicnn takes of (T, F) powers.

    Upstream takes the logarithm in float16, where the spectra of loud music overflow.
    """
    return np.log10(1.0 + 10000.0 * (powers @ mel_bank()))


@cache
def mel_bank() -> "csc_array[np.float32]":
    """Return the (F, BANDS) weights of the bands, from 0 Hz to half the rate.

    Most are zero; sparse, they are also summed in one order, where those of a dense product depend
    on the number of threads.
    """
    from scipy.sparse import csc_array

    return csc_array(triangles(hertz(), BANDS).astype(np.float32))


def triangles(frequencies: Float64s, bands: int) -> Float64s:
    """Return the (F, bands) weights of triangles of area 1 from 0 Hz to the last of (F,) ones.

    They lie as in Slaney's Auditory Toolbox, and as librosa lays them: evenly below the knee, in
    equal ratios above.
    """
    edges = _hertz(np.linspace(0.0, _mels(float(frequencies[-1])), bands + 2))
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    heights: Float64s = np.maximum(0.0, np.minimum(rising, falling))
    return heights * (2.0 / (edges[2:] - edges[:-2]))


def hertz() -> Float64s:
    """Return the (F,) frequencies of a spectrum."""
    return np.linspace(0.0, RATE / 2, SIZE // 2 + 1)


def _mels(frequency: float) -> float:
    """Return where on the scale a frequency above the knee lies."""
    return float(KNEE / MEL + np.log(frequency / KNEE) / GROWTH)


def _hertz(mels: Float64s) -> Float64s:
    above = KNEE * np.exp(GROWTH * (mels - KNEE / MEL))
    frequencies: Float64s = np.where(mels < KNEE / MEL, MEL * mels, above)
    return frequencies
