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
returned             the similarity of passages with the first of their letter, less that with
                     the first ones of other letters
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from emsync.music.lead_sheet import THEME_BARS, Passage
from emsync.music.piece import BEATS, DRUMS, Piece

PER_BEAT = 4  # sixteenths
GRAM = 3  # pitch classes in a row
LEAST = 2 * BEATS  # beats of two passages that can be compared

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


def returned(piece: Piece, passages: Sequence[Passage]) -> float:
    """Return how much more alike passages are to the first of their letter than to other letters'.

    Piece and passages are in beats. Of two passages the first bars are compared, THEME_BARS or as
    many beats as both have. NaN where no letter returns beside another.
    """
    firsts = {p.theme: p for p in reversed(passages) if p.theme}
    gains = []
    for passage in passages:
        if passage.theme and firsts[passage.theme] is not passage:
            alike = {letter: _alike(piece, first, passage) for letter, first in firsts.items()}
            own = alike.pop(passage.theme)
            others = [value for value in alike.values() if not math.isnan(value)]
            gains += [own - float(np.mean(others))] if others and not math.isnan(own) else []
    return float(np.mean(gains)) if gains else math.nan


def _alike(piece: Piece, one: Passage, other: Passage) -> float:
    """Return how alike two passages begin; NaN where either is too short to tell."""
    length = min(THEME_BARS * BEATS, one.end - one.start, other.end - other.start)
    if length < LEAST:
        return math.nan
    before, after = (span(piece, p.start, p.start + length) for p in (one, other))
    return similarity(before, after, beat=1.0).both


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
