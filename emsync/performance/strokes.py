"""Strokes: the notes that a voice begins together. A voice is an instrument, or a kind of drum.

Shapes: N notes, G strokes.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s
from emsync.music.piece import Piece
from emsync.performance.metre import GRID, metre

# General MIDI's drums by what is struck; the last kind is all others
KINDS = (
    (35, 36),  # bass drum
    (38, 40),  # snare
    (37, 39),  # side stick, clap
    (42,),  # closed hi-hat
    (44,),  # pedal hi-hat
    (46,),  # open hi-hat
    (41, 43, 45),  # low toms
    (47, 48, 50),  # high toms
    (49, 52, 55, 57),  # crash
    (51, 53, 59),  # ride
    (54, 56),  # tambourine, cowbell
    (69, 70, 82),  # shakers
    (60, 61, 62, 63, 64),  # bongos, congas
)


def drum_kinds(pitches: NDArray[np.integer]) -> Int64s:
    """Return the (N,) index into KINDS of drums; their number for all others."""
    table = np.full(128, len(KINDS))
    for kind, keys in enumerate(KINDS):
        table[list(keys)] = kind
    return table[pitches]


@dataclass(frozen=True, eq=False)
class Strokes:
    """The notes of a piece by voice and moment."""

    of: Int64s  # (N,) the stroke of each note
    voices: Int64s  # (G,) ascending
    beats: Float64s  # (G,) ascending within a voice
    ends: Float64s  # (G,) beats; of the longest note
    tops: Float64s  # (G,) MIDI pitch
    bottoms: Float64s  # (G,)
    sizes: Int64s  # (G,) notes

    @classmethod
    def find(
        cls, voices: Int64s, pitches: NDArray[np.integer], beats: Float64s, ends: Float64s
    ) -> Self:
        """Return the strokes of N notes."""
        ticks = np.round(beats * GRID).astype(np.int64)
        span = int(ticks.max(initial=0)) + 1
        keys, first, of, sizes = np.unique(
            voices * span + ticks, return_index=True, return_inverse=True, return_counts=True
        )
        tops, bottoms = np.full(len(keys), -1.0), np.full(len(keys), 999.0)
        until = np.full(len(keys), -np.inf)
        np.maximum.at(tops, of, pitches)
        np.minimum.at(bottoms, of, pitches)
        np.maximum.at(until, of, ends)
        return cls(of, voices[first], beats[first], until, tops, bottoms, sizes)

    @property
    def joined(self) -> NDArray[np.bool_]:
        """The (G - 1,) strokes that have one of their own voice before them, from the second on."""
        return np.diff(self.voices) == 0

    def steps(self, values: Float64s, missing: float) -> tuple[Float64s, Float64s]:
        """Return how far each value is from the one before and to the one after it in its voice."""
        gaps = np.where(self.joined, np.diff(values), missing)
        return np.append(missing, gaps), np.append(gaps, missing)

    def usual(self, values: Float64s) -> Float64s:
        """Return the (G,) means of the values of each voice."""
        voices, of = np.unique(self.voices, return_inverse=True)
        return (np.bincount(of, values, len(voices)) / np.bincount(of, minlength=len(voices)))[of]

    def around(self, values: Float64s, reach: float) -> Float64s:
        """Return the (G,) means of what each voice strikes within ``reach`` beats."""
        ticks = np.round(self.beats * GRID).astype(np.int64)
        near = round(reach * GRID)
        apart = int(ticks.max(initial=0)) + 2 * near + 1  # ticks from voice to voice
        places = self.voices * apart + ticks
        first = np.searchsorted(places, places - near)
        last = np.searchsorted(places, places + near, side="right")
        sums = np.append(0.0, np.cumsum(values))
        return (sums[last] - sums[first]) / (last - first)


def outer(piece: Piece) -> NDArray[np.bool_]:
    """Return which of the (N,) notes are outer voices of what an instrument strikes together.

    They are the highest of two notes or more, and the lowest of three or more.
    """
    beats = metre(piece.onsets, piece.downbeats).beats
    strokes = Strokes.find(piece.classes.astype(np.int64), piece.pitches, beats, beats)
    size, top, bottom = (
        column[strokes.of] for column in (strokes.sizes, strokes.tops, strokes.bottoms)
    )
    return ((size > 1) & (piece.pitches == top)) | ((size > 2) & (piece.pitches == bottom))
