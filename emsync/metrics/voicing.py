"""Voicing: what grates between tones that sound at once.

Conventions: pitched notes, in frames of an eighth of a second in which any of them sounds; a note
sounds in the frames it covers by half or more. NaN where nothing pitched sounds.

clashes   share of the frames with two tones a semitone, or a minor ninth, apart
seconds   share with two tones a whole tone apart, both below middle C
muddy     share with two tones less than a fourth apart, both below LOW
thick     pitches that sound in a frame, mean
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync.music.piece import DRUMS, Piece

FRAME = 0.125  # seconds
MIDDLE_C = 60
LOW = 48  # C below middle C: under it close intervals are heard as noise (Huron 2001)
FOURTH = 5  # semitones


@dataclass(frozen=True)
class Voicing:
    """How tones that sound at once agree; see the head of this file."""

    clashes: float
    seconds: float
    muddy: float
    thick: float

    @classmethod
    def none(cls) -> Self:
        """Return that of a piece in which nothing pitched sounds."""
        return cls(*[math.nan] * 4)


def voicing_of(piece: Piece) -> Voicing:
    """Measure the voicing of a piece in seconds."""
    sounding = roll(piece.where(piece.classes != DRUMS))
    sounding = sounding[sounding.any(axis=1)]
    if not len(sounding):
        return Voicing.none()
    semitone = _apart(sounding, 1) | _apart(sounding, 13)
    second = _apart(sounding[:, :MIDDLE_C], 2)
    low = sounding[:, :LOW]
    muddy = np.any([_apart(low, step) for step in range(1, FOURTH)], axis=0)
    return Voicing(
        clashes=float(semitone.mean()),
        seconds=float(second.mean()),
        muddy=float(muddy.mean()),
        thick=float(sounding.sum(axis=1).mean()),
    )


def roll(piece: Piece) -> NDArray[np.bool_]:
    """Return the (F, 128) pitches that sound in each frame."""
    first = np.round(piece.onsets / FRAME).astype(np.int64)
    last = np.maximum(np.round(piece.offsets / FRAME).astype(np.int64), first + 1)
    rows = int(last.max(initial=0)) + 1
    pitch = piece.pitches.astype(np.int64)
    starts = np.bincount(first * 128 + pitch, minlength=rows * 128)
    stops = np.bincount(last * 128 + pitch, minlength=rows * 128)
    return np.cumsum((starts - stops).reshape(rows, 128), axis=0) > 0


def _apart(sounding: NDArray[np.bool_], semitones: int) -> NDArray[np.bool_]:
    """Return the frames in which two pitches stand ``semitones`` apart."""
    return np.asarray((sounding[:, semitones:] & sounding[:, :-semitones]).any(axis=1))
