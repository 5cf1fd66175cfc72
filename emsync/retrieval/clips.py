"""Clips of 4 s as the Conformers see and hear them: pictures side by side, and a filter bank.

After Mao et al., *Unified Pretraining Target Based Video-Music Retrieval*, sections 2.1 and 3.1.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from emsync.arrays import Float32s, Float64s, Picture
from emsync.sound.rhythm import load_librosa

SECONDS: Final = 4  # of a clip; a film has one picture a second
RATE: Final = 16_000  # samples a second
WINDOW, HOP = RATE // 40, RATE // 100  # 25 ms every 10 ms
BANDS: Final = 80
FRAMES: Final = 1 + (SECONDS * RATE - WINDOW) // HOP  # 398
QUIET = 1e-10  # power below which all is silence


def pictures(stills: Picture) -> Float32s:
    """Return one clip of a film, (H, 4 W) of 0 to 1: its pictures side by side, rows as time.

    ``stills`` are its (n, H, W) grey pictures, n of 1 to 4; the last one stays where there are
    fewer.
    """
    each = np.minimum(np.arange(SECONDS), len(stills) - 1)
    return np.concatenate(list(stills[each]), axis=1, dtype=np.float32) / np.float32(255)


def filterbank(samples: Float32s) -> Float32s:
    """Return one clip of music, (398, 80): the logarithm of its power in mel bands.

    ``samples`` are at most 4 s at 16,000 Hz; silence follows where there are fewer. The mean is
    taken away, so that loudness has no part in it.
    """
    clip = np.zeros(SECONDS * RATE, np.float64)
    clip[: len(samples)] = samples
    peak = np.abs(clip).max()
    frames = np.lib.stride_tricks.sliding_window_view(clip / max(peak, QUIET), WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * _window(), 512)) ** 2
    bank = np.log(np.maximum(power @ _mel().T, QUIET))
    return (bank - bank.mean()).astype(np.float32)


def _window() -> Float64s:
    """Return the window of Kaldi's filter bank: between Hann's and Hamming's."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))) ** 0.85


@lru_cache
def _mel() -> Float64s:
    """Return the (80, 257) weights of the mel bands."""
    weights: Float64s = load_librosa().filters.mel(
        sr=RATE, n_fft=512, n_mels=BANDS, fmin=20, htk=True, norm=None, dtype=np.float64
    )
    return weights
