"""Form: whether music comes back.

Conventions
-----------
Two spans of a piece are compared from their starts on, on a grid of sixteenths. The drums count in
the rhythm alone. A span is a set of patterns, each with how often it occurs; two spans are alike by
the cosine of these counts, in [0, 1].

Metrics
-------
pitch similarity     runs of three pitch classes, one after the other in an instrument's upper or
                     lower line, each with its place in the bar where it begins
rhythm similarity    an instrument's onsets in a half bar, each with its place among the sixteenths,
                     half bars without any left out
similarity           the mean of both
return               the similarity of a passage with the one of its letter, less that with another
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from emsync.music.piece import BEATS, DRUMS, Piece

PER_BEAT = 4  # sixteenths
GRAM = 3  # pitch classes in a row

Counts = Counter[Hashable]


@dataclass(frozen=True)
class Similarity:
    """How alike two spans are, each in [0, 1]."""

    pitch: float
    rhythm: float

    @property
    def both(self) -> float:
        """The mean of both."""
        return (self.pitch + self.rhythm) / 2


def similarity(one: Piece, other: Piece, beat: float) -> Similarity:
    """Return how alike two spans are, whose times count from their starts; ``beat`` in seconds."""
    return Similarity(
        cosine(pitch_patterns(one, beat), pitch_patterns(other, beat)),
        cosine(rhythm_patterns(one, beat), rhythm_patterns(other, beat)),
    )


def span(piece: Piece, start: float, end: float) -> Piece:
    """Return the notes that begin from ``start`` until ``end``, in seconds from ``start``."""
    inside = (piece.onsets >= start - 1e-6) & (piece.onsets < end - 1e-6)
    return piece.where(inside).retimed(lambda times: times - start)


def pitch_patterns(piece: Piece, beat: float) -> Counts:
    """Count the runs of three pitch classes, by instrument, line and place in the bar."""
    found: Counts = Counter()
    for instrument in np.unique(piece.classes).tolist():
        if instrument != DRUMS:
            own = piece.where(piece.classes == instrument)
            at = np.round(own.onsets / beat * PER_BEAT).astype(np.int64)
            for line, sign in (("upper", -1), ("lower", 1)):
                order = np.lexsort((sign * own.pitches.astype(np.int64), at))
                moments, first = np.unique(at[order], return_index=True)
                tones = (own.pitches[order][first] % 12).tolist()
                places = (moments % (PER_BEAT * BEATS)).tolist()
                for i in range(len(tones) - GRAM + 1):
                    found[instrument, line, places[i], *tones[i : i + GRAM]] += 1
    return found


def rhythm_patterns(piece: Piece, beat: float) -> Counts:
    """Count the sets of onsets of each instrument in a half bar, by the half."""
    found: Counts = Counter()
    half = PER_BEAT * BEATS // 2
    for instrument in np.unique(piece.classes).tolist():
        at = np.round(piece.onsets[piece.classes == instrument] / beat * PER_BEAT)
        moments = np.unique(at.astype(np.int64))
        for number in np.unique(moments // half).tolist():
            places = moments[moments // half == number] % half
            found[instrument, number % 2, *places.tolist()] += 1
    return found


def cosine(one: Counts, other: Counts) -> float:
    """Return the cosine of two counts; 0 where either is empty.

    >>> cosine(Counter("aab"), Counter("aab")), cosine(Counter("a"), Counter("b"))
    (1.0, 0.0)
    """
    if not one or not other:
        return 0.0
    dot = sum(count * other[pattern] for pattern, count in one.items())
    size = sum(c * c for c in one.values()) * sum(c * c for c in other.values())
    return min(1.0, dot / size**0.5)
