"""The 1,140 numbers of CBVMR: what its authors measure on music, here on each second of it.

Hong, Im & Yang 2018: of the harmonic and of the percussive part of the sound the pitch classes,
the same smoothed, 96 bands of mel, 20 cepstral coefficients and their first and second slopes,
level, centroid, bandwidth, roll-off, polynomials of order 1 and 2 and zero crossings, all by
librosa and all in decibels; of these 380 the mean, the variance and the largest. They take them
over 29 seconds of a track. A matcher embeds passages of any length, so here they are taken over
each second, and the network takes their mean and SD over the passage. Decibels are of 1 after the
sound is brought to one level, not of the greatest, and cepstral coefficients are of the same bands.

Shapes: K rows of measures, T steps of HOP samples, S seconds.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s
from emsync.sound.blocks import excerpt
from emsync.sound.rhythm import load_librosa
from emsync.sound.spectra import RATE

OWN_RATE, SIZE, HOP = 12000, 512, 256  # samples a second, of a spectrum, and of a step
BANDS, COEFFICIENTS = 96, 20
WIDTH = 1140
LEAST = 1e-8  # -80 dB
BLOCK = 30  # seconds worked on at once
AROUND = 64 * HOP * RATE // OWN_RATE  # samples heard on both sides of a block: over a second


def handcrafted(samples: Float32s, gain: float) -> NDArray[np.float16]:
    """Return the (S, 1140) numbers of (N,) samples, RATE a second, which ``gain`` levels."""
    rows = []
    for first in range(0, len(samples), BLOCK * RATE):
        last = min(len(samples), first + BLOCK * RATE)
        piece = excerpt(samples, first - AROUND, last + AROUND) * np.float32(gain)
        begin = AROUND * OWN_RATE // RATE // HOP
        seconds = np.ceil(np.arange(0, last - first, RATE) * OWN_RATE / RATE / HOP).astype(int)
        steps = max(seconds[-1] + 1, math.ceil((last - first) * OWN_RATE / RATE / HOP))
        parts = np.split(_measures(piece)[:, begin : begin + steps], seconds[1:], axis=1)
        rows += [np.concatenate([p.mean(axis=1), p.var(axis=1), p.max(axis=1)]) for p in parts]
    return np.array(rows, np.float16)


def _measures(sound: Float32s) -> NDArray[Any]:
    """Return the (380, T) decibels of sound, RATE samples a second."""
    from scipy.signal import resample_poly

    librosa = load_librosa()
    common = math.gcd(RATE, OWN_RATE)
    sound = resample_poly(sound, OWN_RATE // common, RATE // common)
    spectrum = librosa.stft(sound, n_fft=SIZE, hop_length=HOP)
    rows = [row for part in librosa.decompose.hpss(spectrum) for row in _of_part(part)]
    return 10 * np.log10(np.maximum(np.abs(np.concatenate(rows)), LEAST))


def _of_part(spectrum: NDArray[np.complex64]) -> list[NDArray[Any]]:
    """Return the rows of measures of the (F, T) spectrum of a part of the sound."""
    librosa = load_librosa()
    of = librosa.feature
    sound = librosa.istft(spectrum, n_fft=SIZE, hop_length=HOP)
    magnitudes = np.abs(spectrum)
    mel = of.melspectrogram(S=magnitudes**2, sr=OWN_RATE, n_mels=BANDS)
    levels = librosa.power_to_db(mel, amin=LEAST, top_db=None)
    cepstrum = of.mfcc(S=levels, n_mfcc=COEFFICIENTS)
    steps = magnitudes.shape[1]
    known = {"S": magnitudes, "sr": OWN_RATE, "n_fft": SIZE}
    return [
        of.chroma_stft(S=magnitudes**2, sr=OWN_RATE, n_fft=SIZE, tuning=0.0),
        of.chroma_cens(y=sound, sr=OWN_RATE, hop_length=HOP, tuning=0.0)[:, :steps],
        mel,
        cepstrum,
        of.delta(cepstrum),
        of.delta(cepstrum, order=2),
        of.rms(S=magnitudes, frame_length=SIZE),
        of.spectral_centroid(**known),
        of.spectral_bandwidth(**known),
        of.spectral_rolloff(**known),
        of.poly_features(order=1, **known),
        of.poly_features(order=2, **known),
        of.zero_crossing_rate(sound, frame_length=SIZE, hop_length=HOP)[:, :steps],
    ]
