"""The course of a passage of music, as a film that is drawn to it can follow it.

It is taken from the notes, and only to draw by: what a network learns from is measured on the
pictures and on the sound. All values are in [0, 1], so that a film without music can draw its own.

Shapes: H half seconds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.music.piece import BEATS, DRUMS, GUITAR, PIANO, STRINGS, Played
from emsync.music.statistics import pitch_class_seconds
from emsync.music.tonality import key_fits

STEP = 0.5  # seconds
LIT = (STRINGS, GUITAR, PIANO)  # whose share of the notes decides which figures are drawn
# Quantiles in tenths, 0 to 1, over half seconds of 600 songs of Lakh Pianoroll
ENERGY = (0.0, 1.48, 1.87, 2.11, 2.3, 2.48, 2.64, 2.79, 2.95, 3.17, 4.51)  # log(1 + strikes)
DENSITY = (0.0, 8.7, 12.0, 15.0, 17.8, 21.2, 24.6, 28.6, 34.4, 41.9, 148.0)  # notes a second
MODE = (-0.39, -0.19, -0.08, 0.0, 0.09, 0.14, 0.19, 0.24, 0.29, 0.34, 0.43)  # major less minor fit
REGISTER = (35.9, 52.0, 54.6, 56.5, 57.8, 58.6, 59.8, 61.1, 62.7, 64.5, 75.0)  # mean MIDI pitch


@dataclass(frozen=True, eq=False)
class Course:
    """What a passage does; each value is a rank in the corpus."""

    energy: Float64s  # (H,) how much is struck, and how hard
    density: Float64s  # (H,) how many notes are struck in the four seconds around
    beats: Seconds
    downbeats: Seconds
    major: float  # how much better a major key fits than a minor one
    register: float  # how high the notes are, but for drums
    voice: int  # which of LIT strikes most of the notes that are theirs


def course_of(played: Played, seconds: float) -> Course:
    """Return the course of the first ``seconds`` of what is played."""
    piece, steps = played.piece, round(seconds / STEP)
    at = (piece.onsets / STEP).astype(np.intp)
    struck = np.bincount(at, (played.velocities / 127.0) ** 2, minlength=steps)[:steps]
    count = np.bincount(at, minlength=steps)[:steps] / STEP
    fits = key_fits(pitch_class_seconds(piece))
    pitched = piece.pitches[piece.classes != DRUMS]
    return Course(
        energy=_rank(np.log1p(_smooth(struck, 3) * 2), ENERGY),
        density=_rank(_smooth(count, 9), DENSITY),
        beats=beats_of(piece.downbeats),
        downbeats=piece.downbeats,
        major=float(_rank(np.array([fits[:12].max() - fits[12:].max()]), MODE)[0]),
        register=float(_rank(np.array([pitched.mean() if len(pitched) else 60.0]), REGISTER)[0]),
        voice=int(np.argmax([(piece.classes == c).sum() for c in LIT])),
    )


def _rank(values: Float64s, tenths: tuple[float, ...]) -> Float64s:
    return np.interp(values, tenths, np.linspace(0, 1, len(tenths)))


def _smooth(values: NDArray[Any], width: int) -> Float64s:
    """Return the (H,) means under a triangle of ``width`` steps, of what is there."""
    bell = np.bartlett(width + 2)[1:-1]
    here = slice(width // 2, width // 2 + len(values))
    weight = np.convolve(np.ones(len(values)), bell)[here]
    return np.convolve(values, bell)[here] / weight


def beats_of(downbeats: Seconds) -> Seconds:
    """Return the beats of bars of BEATS; after the last downbeat they go on."""
    if len(downbeats) < 2:
        return downbeats
    bars = np.append(downbeats, 2 * downbeats[-1] - downbeats[-2])
    return np.interp(np.arange(BEATS * (len(bars) - 1)) / BEATS, np.arange(len(bars)), bars)
