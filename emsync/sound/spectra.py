"""Spectra of sound, and their bands on the mel scale as Slaney's Auditory Toolbox lays them.

Shapes: N samples, T steps, F frequencies of a spectrum, BANDS.
"""

from functools import cache

import numpy as np

from emsync.arrays import Float32s, Float64s


def powers(samples: Float32s, size: int, hop: int) -> Float32s:
    """Return the (T, F) power spectra, through Hann windows, of all whole windows of (N,) samples.

    They are ``size`` samples long, ``hop`` apart, the first at the first sample.
    """
    from scipy.fft import rfft
    from scipy.signal.windows import hann

    if len(samples) < size:
        return np.zeros((0, size // 2 + 1), np.float32)
    pieces = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    spectra = rfft(pieces * hann(size, sym=False).astype(np.float32), axis=1)
    power: Float32s = spectra.real**2 + spectra.imag**2
    return power


@cache
def mel_bank(rate: int, size: int, bands: int) -> Float32s:
    """Return the (F, bands) weights of mel bands from 0 Hz to half the rate, each of area 1.

    Triangles as librosa draws them by default: linear below 1 kHz, logarithmic above.
    """
    edges = _hertz(np.linspace(0.0, _mel(rate / 2), bands + 2))
    frequencies = np.arange(size // 2 + 1) * (rate / size)
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))).astype(np.float32)


STEP, KNEE = 200.0 / 3.0, 1000.0  # hertz of a mel below the knee; where the scale bends
RATIO = np.log(6.4) / 27.0  # by which the logarithm grows with each mel above it


def _mel(hertz: float) -> float:
    """Return the mels of a frequency above the knee."""
    return float(KNEE / STEP + np.log(hertz / KNEE) / RATIO)


def _hertz(mels: Float64s) -> Float64s:
    above = KNEE * np.exp(RATIO * (mels - KNEE / STEP))
    return np.where(mels < KNEE / STEP, STEP * mels, above)
