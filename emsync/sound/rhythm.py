"""The rhythm of sound: the strength of its onsets and its beats, by librosa."""

import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s, Seconds
from emsync.signals import HOP, SAMPLE_RATE, STEP_RATE, accents, bells
from emsync.sound.decode import read_mono

BLOCK = 4096  # steps whose spectra are held at once, so that an hour of music needs little memory
WINDOW = 2048  # samples of a spectrum: librosa's own


@dataclass(frozen=True, eq=False)
class Rhythm:
    """What a film or a piece of music has of rhythm."""

    signal: NDArray[np.floating]  # (N,) accents of sound or pictures, STEP_RATE steps a second
    beats: NDArray[np.int32]  # (B,) steps, ascending: those of dynamic programming (Ellis 2007)


def read_rhythm(path: Path) -> Rhythm:
    """Return the rhythm of a file of sound, whatever its rate and channels."""
    return rhythm_of(read_mono(path))


def rhythm_of(samples: Float32s) -> Rhythm:
    """Return the rhythm of (N,) samples, SAMPLE_RATE a second; 1 is the strongest accent."""
    return rhythm_in(envelope(samples))


def rhythm_in(onsets: NDArray[np.floating]) -> Rhythm:
    """Return the rhythm of an (N,) envelope of sound."""
    signal = accents(onsets)
    top = signal.max(initial=0.0)
    return Rhythm((signal / (top or 1.0)).astype(np.float16), beats(signal))


def envelope(samples: Float32s) -> Float64s:
    """Return the onset strength of (N,) samples as a signal: a bell for each step.

    Pictures have a bell for each frame.
    """
    strength = onset_strength(samples)
    return bells(np.arange(len(strength)) / STEP_RATE, strength, len(strength))


def onset_strength(samples: Float32s) -> Float32s:
    """Return the onset strength of (N,) samples in each step, by librosa.

    It is what grows in the levels (dB) of a mel spectrum, the mean over its bands: equations 2 and
    3 with a logarithm, which lets quiet instruments count.
    """
    librosa = load_librosa()
    padded = np.pad(samples, WINDOW // 2)
    spectra = [
        librosa.feature.melspectrogram(
            y=padded[at : at + BLOCK * HOP + WINDOW - HOP],
            sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, center=False,
        )
        for at in range(0, len(padded) - WINDOW + 1, BLOCK * HOP)
    ]  # fmt: skip
    levels = librosa.power_to_db(np.concatenate(spectra, axis=1))  # dB, 80 below the loudest
    strength: Float32s = librosa.onset.onset_strength(S=levels, sr=SAMPLE_RATE, hop_length=HOP)
    return strength


def onsets(samples: Float32s) -> Seconds:
    """Return where (N,) samples, SAMPLE_RATE a second, have onsets: librosa's peaks, in seconds."""
    if not np.abs(samples).max(initial=0.0) > 0:
        return np.zeros(0)
    librosa = load_librosa()
    found = librosa.onset.onset_detect(
        onset_envelope=onset_strength(samples), sr=SAMPLE_RATE, hop_length=HOP, units="time"
    )
    return np.asarray(found, np.float64)


def beats(signal: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return the steps of the beats: librosa's dynamic programming, equation 1 (Ellis 2007)."""
    _, steps = load_librosa().beat.beat_track(
        onset_envelope=signal, sr=SAMPLE_RATE, hop_length=HOP, trim=False
    )
    return np.asarray(steps, np.int32)


_loading = threading.Lock()


def load_librosa() -> ModuleType:
    """Return librosa; it loads its parts when they are first used, which one thread must do."""
    with _loading:
        import librosa.beat
        import librosa.feature
        import librosa.filters
        import librosa.onset

        return librosa
