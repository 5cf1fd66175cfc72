"""Agreement: whether all voices are in one key and on one chord.

Conventions: pitched notes of a piece in seconds, by how long they sound; chords are those that are
heard between ``edges``, half bars. A measure that a piece does not have is NaN.

scale   share of the sound on the seven tones of the major or harmonic minor scale that it fits best
least   share of the sound of a class that is on tones of the chords, of the class least so; classes
        that sound for LEAST seconds count
apart   that share less the one where each class had a scale of its own: below 0 where one class
        is a semitone off, and keeps to its own scale but leaves the others'
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.metrics.harmony import on_chord
from emsync.music.chords import Chords
from emsync.music.piece import DRUMS, Piece
from emsync.music.statistics import pitch_class_seconds

LEAST = 2.0  # seconds
_SCALES: Float64s = np.array(
    [
        np.roll(np.isin(np.arange(12), tones).astype(np.float64), tonic)
        for tones in ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11))
        for tonic in range(12)
    ]
)  # (24, 12)


@dataclass(frozen=True)
class Agreement:
    """How far voices agree; see the head of this file."""

    scale: float
    least: float
    apart: float

    @classmethod
    def none(cls) -> Self:
        """Return that of a piece in which nothing pitched sounds."""
        return cls(*[math.nan] * 3)


def agreement_of(piece: Piece, chords: Chords, edges: Seconds) -> Agreement:
    """Measure how far the voices of a piece agree on one key and on (W,) chords."""
    classes = [c for c in np.unique(piece.classes).tolist() if c != DRUMS]
    voices = [piece.where(piece.classes == c) for c in classes]
    profiles = np.array([pitch_class_seconds(voice) for voice in voices]).reshape(-1, 12)
    total = float(profiles.sum())
    if not total:
        return Agreement.none()
    scale = float((profiles.sum(axis=0) @ _SCALES.T).max()) / total
    own = float((profiles @ _SCALES.T).max(axis=1).sum()) / total
    long = [voice for voice, row in zip(voices, profiles, strict=True) if row.sum() >= LEAST]
    shares = [on_chord(voice, chords, edges) for voice in long]
    known = [share for share in shares if not math.isnan(share)]
    return Agreement(scale=scale, least=min(known, default=math.nan), apart=scale - own)
