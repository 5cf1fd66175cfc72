"""What is heard in each second of a track, as columns: timbre, onsets, pitch classes, beats.

The sound is first brought to one level, so that loudness has no part. Shapes: N samples, T steps of
HOP samples, F frequencies, S = ceil(N / RATE) seconds, B beats.

===========  ============  ======================================================================
musicnn      (S, 753)      float16: the channels of musicnn before its pooling, their means
onsets       (S, 3)        float32: mean, greatest and SD of the onset strength
chroma       (S, 12)       float32: mean of the pitch classes from C, the strongest of each step 1
mel          (S, 80)       float32: 40 bands in decibels above SOFT, their means, then their SDs
handcrafted  (S, 1140)     float16: what CBVMR reads, where it is asked for
beats        (B,)          float32: seconds
strength     (B,)          float32: onset strength at the beats
===========  ============  ======================================================================

Onset strength is what grows in the levels of the bands from step to step, the mean over the bands:
that of librosa, in decibels. Beats are librosa's too. Sound is worked on in blocks, so that an hour
of it needs little memory: of steps only the onset strength is kept.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Float64s
from emsync.matching.matcher import Columns
from emsync.retrieval import handcrafted
from emsync.signals import flux
from emsync.sound.blocks import excerpt
from emsync.sound.level import gain_to
from emsync.sound.rhythm import load_librosa

if TYPE_CHECKING:
    from scipy.sparse import csc_array

RATE = 16000  # samples a second, as musicnn hears
WINDOW, HOP = 1024, 400  # samples of a spectrum, and of a step
STEPS = RATE // HOP  # steps a second
TONAL, SELDOM = 4096, 1600  # the same for pitch classes, which need long windows
BANDS = 40
USUAL = {"musicnn": 753, "onsets": 3, "chroma": 12, "mel": 2 * BANDS}
WIDTHS = USUAL | {"handcrafted": handcrafted.WIDTH}
STAMPS = {name: f"{name} 1" for name in (*WIDTHS, "beats", "strength")}

LEVEL = 0.1  # RMS to which sound is brought
SOFT = 1e-12  # power of a band at 0 dB: 26 dB above the noise of 16-bit samples
FAINT = 0.01  # weight of a frequency in a pitch class, of the greatest, that is left out
BLOCK = 30  # seconds worked on at once, a multiple of HEARD
HEARD = 3  # seconds of a window of musicnn
BEATEN, AROUND = 120, 10  # seconds in which beats are sought at once, and those heard around them


def hear(samples: Float32s, columns: Collection[str] = tuple(USUAL)) -> Columns:
    """Return the ``columns`` of a track of (N,) samples, RATE a second; always its beats.

    Without ``musicnn`` no network runs.
    """
    samples = np.asarray(samples if len(samples) else [0], np.float32)
    gain = level_gain(samples)
    mel, onsets = _levels(samples, gain)
    makers: dict[str, Callable[[], NDArray[Any]]] = {
        "musicnn": lambda: _musicnn(samples, gain),
        "onsets": lambda: _rows(
            np.array([second.mean(), second.max(), second.std()])
            for second in _seconds(onsets, STEPS)
        ),
        "chroma": lambda: _chroma(samples, gain),
        "mel": lambda: mel,
        "handcrafted": lambda: handcrafted.handcrafted(samples, gain),
    }
    beats = _beats(onsets)
    return {name: makers[name]() for name in columns} | {
        "beats": (beats / STEPS).astype(np.float32),
        "strength": onsets[beats].astype(np.float32),
    }


def is_silent(samples: Float32s) -> bool:
    """Return whether nothing is heard in samples."""
    return level_gain(samples) == 0


def level_gain(samples: Float32s) -> float:
    """Return the factor that brings sound to LEVEL; 0 for silence."""
    return gain_to(LEVEL, samples)


def _levels(samples: Float32s, gain: float) -> tuple[Float32s, Float64s]:
    """Return the (S, 80) means and SDs of the bands, and the (T,) onset strength."""
    rows: list[Float64s] = []
    grown: list[Float64s] = []
    last = np.zeros((0, BANDS))
    for spectra in _spectra(samples, gain, WINDOW, HOP):
        levels = (10 * np.log10(1 + (spectra @ _mel_bank()) / SOFT)).astype(np.float64)
        grown.append(flux(np.concatenate([last, levels]))[len(last) :] / BANDS)
        last = levels[-1:]
        rows += [
            np.concatenate([second.mean(axis=0), second.std(axis=0)])
            for second in _seconds(levels, STEPS)
        ]
    return _rows(rows), np.concatenate(grown)


def _chroma(samples: Float32s, gain: float) -> Float32s:
    """Return the (S, 12) pitch classes of each second."""
    rows: list[Float64s] = []
    for spectra in _spectra(samples, gain, TONAL, SELDOM):
        found = (spectra @ _pitch_bank()).astype(np.float64)
        classes = found / np.maximum(found.max(axis=1, keepdims=True), SOFT)
        rows += [second.mean(axis=0) for second in _seconds(classes, RATE // SELDOM)]
    return _rows(rows)


def _spectra(samples: Float32s, gain: float, size: int, hop: int) -> Iterator[Float32s]:
    """Yield the (n, F) power spectra of ``size`` samples around each ``hop``, block by block."""
    from scipy.fft import rfft

    window = np.hanning(size + 1)[:-1].astype(np.float32) * np.float32(gain / size)
    steps = math.ceil(len(samples) / hop)
    block = BLOCK * RATE // hop
    for first in range(0, steps, block):
        begin = first * hop - size // 2
        end = begin + (min(block, steps - first) - 1) * hop + size
        piece = excerpt(samples, begin, end)
        pieces = np.lib.stride_tricks.sliding_window_view(piece, size)[::hop]
        found = rfft(pieces * window, axis=1)
        yield found.real**2 + found.imag**2


def _seconds(values: NDArray[Any], steps: int) -> list[NDArray[Any]]:
    """Return the parts of a second each, of so many steps; the last one may be shorter."""
    return [values[at : at + steps] for at in range(0, len(values), steps)]


def _rows(rows: Iterable[Float64s]) -> Float32s:
    return np.array(list(rows), np.float32)


@cache
def _mel_bank() -> "csc_array[np.float32]":
    """Return the (F, BANDS) weights of the bands of mel.

    Sparse, since a dense product is summed in an order that depends on the number of threads.
    """
    from scipy.sparse import csc_array

    bank = load_librosa().filters.mel(sr=RATE, n_fft=WINDOW, n_mels=BANDS)
    return csc_array(np.asarray(bank.T, np.float32))


@cache
def _pitch_bank() -> "csc_array[np.float32]":
    """Return the (F, 12) weights of the pitch classes, C first."""
    from scipy.sparse import csc_array

    bank = load_librosa().filters.chroma(sr=RATE, n_fft=TONAL).T
    return csc_array(np.where(bank >= FAINT * bank.max(), bank, 0).astype(np.float32))


def _beats(onsets: Float64s) -> NDArray[np.int64]:
    """Return the steps of the beats, ascending: those of dynamic programming (Ellis 2007).

    They are sought in stretches, since a track may change its tempo, and may be long.
    """
    librosa = load_librosa()
    found = [np.zeros(0, np.int64)]
    stretch, around = BEATEN * STEPS, AROUND * STEPS
    for first in range(0, len(onsets), stretch):
        begin = max(0, first - around)
        _, steps = librosa.beat.beat_track(
            onset_envelope=onsets[begin : first + stretch + around],
            sr=RATE, hop_length=HOP,
        )  # fmt: skip
        steps = np.asarray(steps, np.int64) + begin
        found.append(steps[(steps >= first) & (steps < first + stretch)])
    return np.concatenate(found)


# --- musicnn --------------------------------------------------------------------------------------


def _musicnn(samples: Float32s, gain: float) -> NDArray[np.float16]:
    """Return the (S, 753) mean channels of each second, heard in windows as musicnn was trained.

    Windows follow on each other, and the last one ends with the track.
    """
    import torch

    from emsync.encoders import musicnn
    from emsync.encoders.threads import one_thread
    from emsync.sound import spectra

    seconds = math.ceil(len(samples) / RATE)
    second = np.arange(musicnn.WINDOW) * spectra.HOP // RATE
    rows = np.zeros((seconds, musicnn.CHANNELS), np.float16)
    network = musicnn.load()
    starts = [min(at, max(0, seconds - HEARD)) for at in range(0, seconds, HEARD)]
    for at in range(0, len(starts), BLOCK // HEARD):
        batch = starts[at : at + BLOCK // HEARD]
        windows = [_window(samples, start, gain) for start in batch]
        with one_thread(), torch.inference_mode():
            found = network.channels(torch.from_numpy(np.stack([mel for mel, _ in windows])))
        for start, (_, real), channels in zip(batch, windows, found.numpy(), strict=True):
            for i in range(min(HEARD, seconds - start)):
                within = (second == i) & (np.arange(len(second)) < real)
                rows[start + i] = channels[within if within.any() else second == i].mean(axis=0)
    return rows


def _window(samples: Float32s, start: int, gain: float) -> tuple[Float32s, int]:
    """Return the (WINDOW, BANDS) spectrogram from second ``start`` on, and its steps of sound."""
    from emsync.encoders.musicnn import WINDOW
    from emsync.sound.spectra import window

    begin = start * RATE
    return window(samples[begin : begin + (HEARD + 1) * RATE] * np.float32(gain), WINDOW)
