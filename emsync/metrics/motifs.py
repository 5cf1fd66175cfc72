"""Motifs: whether music comes back, bars on or from section to section.

Conventions
-----------
A piece in beats, bars of four, on a grid of sixteenths. Spans of it are compared by their patterns,
each with how often it occurs: the cosine of these counts, in [0, 1], which is 0 where either span
has none. There are two kinds, and ``similarity`` is the mean of their cosines:

motifs     three notes in a row of the upper or the lower line of a pitched instrument: two
           intervals in semitones, two waits in sixteenths, and the place in the bar of the first
rhythms    an instrument's onsets in a half bar, drums too, each with its place among the
           sixteenths, half bars without any left out

A measure that a piece does not have is NaN.

Metrics
-------
echo       similarity of two bars with those four bars on, mean
phrases    similarity of two bars with those four and eight on, less that with those three, five
           and seven on: whether the music is built in phrases
stays      similarity of two bars with the next two
returned   similarity of passages with the first of their letter, less that with the first ones of
           other letters
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from emsync.arrays import Float64s
from emsync.metrics.lines import PER_BEAT, outermost, sixteenths
from emsync.music.lead_sheet import THEME_BARS, Passage
from emsync.music.piece import BEATS, DRUMS, Piece

GRAM = 3  # notes in a row
LEAST = 2 * BEATS  # beats of two passages that can be compared
SPAN = 2  # bars that are compared with others
PHRASED, UNPHRASED = (4, 8), (3, 5, 7)  # bars on

Found = tuple[int, Hashable]  # the sixteenth in which a pattern begins, and the pattern


@dataclass(frozen=True)
class Similarity:
    """How alike two spans are, each in [0, 1]."""

    motifs: float
    rhythms: float

    @property
    def both(self) -> float:
        """The mean of both."""
        return (self.motifs + self.rhythms) / 2


@dataclass(frozen=True)
class Returns:
    """How music returns within a piece; see the head of this file."""

    echo: float
    phrases: float
    stays: float

    @classmethod
    def none(cls) -> Self:
        """Return that of a piece which is too short."""
        return cls(*[math.nan] * 3)


def returns_of(piece: Piece) -> Returns:
    """Measure how the music of a piece in beats returns, over the bars in which notes begin."""
    bars = int(piece.onsets.max(initial=-1.0) / BEATS + 1e-6) + 1
    if bars < SPAN:
        return Returns.none()
    alike = (_table(motifs(piece), bars) + _table(rhythms(piece), bars)) / 2
    sounds = alike.diagonal() > 0  # a span without a note is like none

    def after(*lags: int) -> float:
        values = [
            alike.diagonal(lag)[sounds[lag:] & sounds[:-lag]] for lag in lags if lag < len(sounds)
        ]
        means = [float(value.mean()) for value in values if len(value)]
        return float(np.mean(means)) if means else math.nan

    return Returns(
        echo=after(min(PHRASED)), phrases=after(*PHRASED) - after(*UNPHRASED), stays=after(SPAN)
    )


def similarity(one: Piece, other: Piece) -> Similarity:
    """Return how alike two spans are, whose beats count from their starts."""
    return Similarity(
        cosine(counted(motifs(one)), counted(motifs(other))),
        cosine(counted(rhythms(one)), counted(rhythms(other))),
    )


def span(piece: Piece, start: float, end: float) -> Piece:
    """Return the notes that begin from ``start`` until ``end``, in time from ``start``."""
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
    return similarity(before, after).both


def motifs(piece: Piece) -> list[Found]:
    """Return the runs of three notes, by instrument, line and place in the bar."""
    found: list[Found] = []
    for instrument in np.unique(piece.classes).tolist():
        if instrument != DRUMS:
            own = piece.where(piece.classes == instrument)
            for line in ("upper", "lower"):
                notes = outermost(own, highest=line == "upper")
                moments = sixteenths(own)[notes]
                steps = np.diff(own.pitches[notes].astype(np.int64)).tolist()
                waits = np.diff(moments).tolist()
                for i, moment in enumerate(moments[: 1 - GRAM].tolist()):
                    run = (*steps[i : i + GRAM - 1], *waits[i : i + GRAM - 1])
                    found.append((moment, (instrument, line, moment % (PER_BEAT * BEATS), *run)))
    return found


def rhythms(piece: Piece) -> list[Found]:
    """Return the sets of onsets of each instrument in a half bar, by the half."""
    found: list[Found] = []
    half = PER_BEAT * BEATS // 2
    for instrument in np.unique(piece.classes).tolist():
        moments = np.unique(sixteenths(piece)[piece.classes == instrument])
        numbers, first = np.unique(moments // half, return_index=True)
        for number, own in zip(numbers.tolist(), np.split(moments % half, first[1:]), strict=True):
            found.append((number * half, (instrument, number % 2, *own.tolist())))
    return found


def counted(found: Iterable[Found]) -> Counter[Hashable]:
    """Return how often each pattern occurs, wherever it begins."""
    return Counter(pattern for _, pattern in found)


def cosine(one: Counter[Hashable], other: Counter[Hashable]) -> float:
    """Return the cosine of two counts; 0 where either is empty.

    >>> cosine(Counter("aab"), Counter("aab")), cosine(Counter("a"), Counter("b"))
    (1.0, 0.0)
    """
    if not one or not other:
        return 0.0
    dot = sum(count * other[pattern] for pattern, count in one.items())
    size = sum(c * c for c in one.values()) * sum(c * c for c in other.values())
    return min(1.0, dot / size**0.5)


def _table(found: Sequence[Found], bars: int) -> Float64s:
    """Return the cosines of all spans of SPAN bars, one from each bar on, with each other."""
    names: dict[Hashable, int] = {}
    column = [names.setdefault(pattern, len(names)) for _, pattern in found]
    bar = np.array([moment // (PER_BEAT * BEATS) for moment, _ in found], np.int64)
    counts = np.zeros((bars, len(names)))
    inside = (bar >= 0) & (bar < bars)
    np.add.at(counts, (bar[inside], np.array(column, np.int64)[inside]), 1.0)
    spans = sum(counts[k : bars - SPAN + 1 + k] for k in range(SPAN))
    # whole numbers: their sums of products are exact, whatever adds them up
    dots = np.asarray(spans @ np.asarray(spans).T)
    sizes = np.maximum(np.sqrt(np.outer(dots.diagonal(), dots.diagonal())), 1e-9)
    return np.minimum(dots / sizes, 1.0)
