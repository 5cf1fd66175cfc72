"""Melody: the line a listener follows, and how it moves.

Conventions
-----------
A piece in beats goes in. Section by section, of ``sections`` or else of eight bars, the melody is
the upper line of one class of instruments: not of the drums, and of the bass only where nothing
else plays. It is the class of most salience, the mean of four shares: of the section's sixteenths
those in which it sounds, and of these those in which it has the highest tone of all; of its notes
those of its upper line; and the moves of that line to another pitch a beat, up to one.

An upper line is made of the highest notes that begin at each sixteenth, each until the next one,
but for those under a higher note of the line that still sounds, and those more than an octave below
the line's median, which are accompaniment. Where a line rests for a bar or more, it begins anew:
no interval leads over that. A phrase is what lies between rests of a beat or more. A measure that a
piece does not have is NaN.

Metrics
-------
repeats    share of the intervals that are a repeated tone
steps      share of one or two semitones
leaps      share of five and more
turns      share of the moves after which the line turns round
rests      share of the time from the first note to the end in which the line does not sound
pace       notes of the line a beat
distinct   different pitches among RUN notes in a row, mean
range      semitones from the lowest to the highest note of a section, mean
arch       semitones by which the middle third of a phrase is higher than its outer thirds, mean
           over the phrases of LEAST notes or more
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.metrics.lines import PER_BEAT, outermost, sixteenths
from emsync.music.piece import BASS, BEATS, CLASSES, DRUMS, Piece

SECTION = 8 * BEATS  # beats of a section, where none are given
OVERLAP = 0.125  # beats that a note of the line may sound into the next one
REST, BREATH = float(BEATS), 1.0  # beats of a rest: before a new line, between phrases
RUN, LEAST = 16, 6  # notes
LEAP = 5  # semitones: a fourth


@dataclass(frozen=True)
class Melody:
    """How the melody of a piece moves; see the head of this file."""

    repeats: float
    steps: float
    leaps: float
    turns: float
    rests: float
    pace: float
    distinct: float
    range: float
    arch: float

    @classmethod
    def none(cls) -> Self:
        """Return that of a piece without a melody."""
        return cls(*[math.nan] * 9)


def melody_of(piece: Piece, sections: Sequence[tuple[float, float]] = ()) -> Melody:
    """Measure the melody of a piece in beats; ``sections`` are from beat to beat."""
    parts = lines(piece, sections)
    line = Piece.of(np.concatenate([part.rows for part in parts]) if parts else np.zeros((0, 4)))
    if len(line) < 2:
        return Melody.none()
    pitch = line.pitches.astype(np.int64)
    gaps = line.onsets[1:] - line.offsets[:-1]
    linked = gaps < REST
    intervals = np.diff(pitch)
    moves = np.abs(intervals[linked])
    moving = linked[1:] & linked[:-1] & (intervals[1:] != 0) & (intervals[:-1] != 0)
    turned = np.sign(intervals[1:]) != np.sign(intervals[:-1])
    end = max(piece.duration, float(line.offsets.max()))
    span = end - float(line.onsets[0])
    ranges = [int(p.pitches.max()) - int(p.pitches.min()) for p in parts if len(p)]
    arches = [_arch(phrase) for phrase in _phrases(line) if len(phrase) >= LEAST]
    return Melody(
        repeats=_mean(moves == 0),
        steps=_mean((moves == 1) | (moves == 2)),
        leaps=_mean(moves >= LEAP),
        turns=_mean(turned[moving]),
        rests=1.0 - min(1.0, float((line.offsets - line.onsets).sum()) / span),
        pace=len(line) / span,
        distinct=_distinct(pitch),
        range=_mean(np.array(ranges)),
        arch=_mean(np.array(arches)),
    )


def lines(piece: Piece, sections: Sequence[tuple[float, float]] = ()) -> list[Piece]:
    """Return the melody of each section of a piece in beats that has one, in their order."""
    pitched = piece.where(piece.classes != DRUMS)
    if not len(pitched):
        return []
    if not sections:
        starts = np.arange(0.0, float(pitched.onsets[-1]) + 1e-6, SECTION)
        sections = [(float(start), float(start + SECTION)) for start in starts]
    tops = _tops(pitched)
    found = []
    for start, end in sections:
        inside = pitched.where((pitched.onsets >= start - 1e-6) & (pitched.onsets < end - 1e-6))
        classes = np.unique(inside.classes)
        leading = classes[classes != BASS]
        voices = {
            int(c): inside.where(inside.classes == c)
            for c in (leading if len(leading) else classes)
        }
        if voices:
            last = min(end, pitched.duration)
            rate = {c: _salience(c, own, tops, start, last) for c, own in voices.items()}
            found.append(upper_line(voices[max(rate, key=lambda c: rate[c])]))
    return found


def upper_line(notes: Piece) -> Piece:
    """Return the upper line of the notes of one class, in beats: one note at a time."""
    if not len(notes):
        return notes
    tops = outermost(notes, highest=True)
    pitch, starts, ends = notes.pitches[tops].tolist(), notes.onsets[tops], notes.offsets[tops]
    kept: list[int] = []
    for i, (start, tone) in enumerate(zip(starts.tolist(), pitch, strict=True)):
        under = kept and pitch[kept[-1]] > tone and ends[kept[-1]] > start + OVERLAP
        kept += [] if under else [i]
    tones = np.array([pitch[i] for i in kept])
    high = tones >= np.median(tones) - 12
    chosen = np.array(kept)[high]
    line = notes.where(np.isin(np.arange(len(notes)), tops[chosen]))
    until = np.append(line.onsets[1:], np.inf)
    offsets = np.maximum(np.minimum(line.offsets, until), line.onsets)
    return Piece.of(np.stack([line.classes, line.pitches, line.onsets, offsets], axis=1))


def _tops(pitched: Piece) -> NDArray[np.int64]:
    """Return the (classes, sixteenths) highest pitch that each class sounds; -1 where none."""
    length = math.ceil(pitched.duration * PER_BEAT) + 1
    tops = np.full((len(CLASSES), length), -1, np.int64)
    first = sixteenths(pitched)
    last = np.maximum(np.round(pitched.offsets * PER_BEAT).astype(np.int64), first + 1)
    for c, pitch, start, stop in zip(
        pitched.classes.tolist(), pitched.pitches.tolist(), first.tolist(), last.tolist(),
        strict=True,
    ):  # fmt: skip
        row = tops[c, start:stop]
        np.maximum(row, pitch, out=row)
    return tops


def _salience(c: int, own: Piece, tops: NDArray[np.int64], start: float, end: float) -> float:
    window = tops[:, max(0, round(start * PER_BEAT)) : max(1, round(end * PER_BEAT))]
    sounds = window[c] >= 0
    line = upper_line(own)
    beats = max(end - start, 1.0)
    moves = float((np.diff(line.pitches.astype(np.int64)) != 0).sum()) / beats
    highest = window[c][sounds] >= window[:, sounds].max(axis=0) if sounds.any() else np.zeros(1)
    return (_mean(sounds) + float(highest.mean()) + len(line) / len(own) + min(1.0, moves)) / 4


def _phrases(line: Piece) -> list[Float64s]:
    """Return the pitches of each phrase of a line."""
    breaks = np.flatnonzero(line.onsets[1:] - line.offsets[:-1] >= BREATH) + 1
    return np.split(line.pitches.astype(np.float64), breaks)


def _arch(phrase: Float64s) -> float:
    first, middle, last = np.array_split(phrase, 3)
    return float(middle.mean() - np.concatenate([first, last]).mean())


def _distinct(pitch: NDArray[np.int64]) -> float:
    if len(pitch) < RUN:
        return math.nan
    runs = np.sort(np.lib.stride_tricks.sliding_window_view(pitch, RUN), axis=1)
    return float((1 + (np.diff(runs, axis=1) != 0).sum(axis=1)).mean())


def _mean(values: Seconds | NDArray[np.bool_] | NDArray[np.int64]) -> float:
    return float(np.mean(values)) if len(values) else math.nan
