"""Bass: how the lowest line moves, and whether it stands on the roots.

Conventions: a piece in beats, bars of four; the bass is the lower line of the bass, or where it
does not play, of the notes below middle C. An interval leads from a note to the next; those after a
rest of a bar do not count. A measure that a piece does not have is NaN.

repeats   share of the intervals that are a repeated tone
steps     share of one or two semitones
leaps     share of more than an octave
roots     share of the bars, of those with a chord and a bass, whose first bass note, in the first
          half of the bar, is the root of the chord
pace      notes a beat
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.metrics.lines import PER_BEAT, outermost
from emsync.music.chords import NONE, Harmony
from emsync.music.piece import BASS, BEATS, DRUMS, Piece

MIDDLE_C = 60
LEAST = 4  # notes of a bass that can be measured
OCTAVE = 12


@dataclass(frozen=True)
class Bass:
    """How a bass moves; see the head of this file."""

    repeats: float
    steps: float
    leaps: float
    roots: float
    pace: float

    @classmethod
    def none(cls) -> Self:
        """Return that of a piece without a bass."""
        return cls(*[math.nan] * 5)


def bass_of(piece: Piece, harmony: Harmony) -> Bass:
    """Measure the bass of a piece in beats over the chords that are heard, or were asked for."""
    line = lower_line(piece)
    if len(line) < LEAST:
        return Bass.none()
    linked = line.onsets[1:] - line.offsets[:-1] < BEATS
    moves = np.abs(np.diff(line.pitches.astype(np.int64)))[linked]
    bars = np.floor(line.onsets / BEATS + 1e-6)
    _, first = np.unique(bars, return_index=True)
    opens = first[line.onsets[first] < (bars[first] + 0.5) * BEATS - 1e-6]
    chords = harmony.at(bars[opens] * BEATS + 1 / PER_BEAT)
    known = chords != NONE
    return Bass(
        repeats=_mean(moves == 0),
        steps=_mean((moves == 1) | (moves == 2)),
        leaps=_mean(moves > OCTAVE),
        roots=_mean(line.pitches[opens][known] % 12 == chords[known] % 12),
        pace=len(line) / max(piece.duration, 1.0),
    )


def lower_line(piece: Piece) -> Piece:
    """Return the lowest notes, of those that begin at each sixteenth, of the bass."""
    own = piece.where(piece.classes == BASS)
    if not len(own):
        own = piece.where((piece.classes != DRUMS) & (piece.pitches < MIDDLE_C))
    return own.where(np.isin(np.arange(len(own)), outermost(own, highest=False)))


def _mean(values: NDArray[np.bool_] | Float64s) -> float:
    return float(np.mean(values)) if len(values) else math.nan
