"""The figures of one class of instruments: what is dealt to a player as one, and moved as one.

A phrase is up to four bars of a class, or what is between two rests. It has lines, as voices have
them, and a line of one phrase is a figure. Shapes: n notes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.music.piece import Piece

PHRASE = 4  # bars, at most
REST = 1.0  # seconds in which a class is silent, so that a phrase ends
SHORT, LONG = 0.25, 0.4  # seconds: shorter notes are short, longer ones long; between, as before
TOGETHER = 0.03  # seconds within which notes begin as one chord
LEGATO = 0.1  # seconds by which a note of a line may go on into the next
LEAP = 12.5  # semitones; beyond them, rather another line begins


@dataclass(frozen=True, eq=False)
class Figure:
    """The notes of one line in one phrase."""

    notes: NDArray[np.intp]  # (n,) their places in the piece, ascending
    short: bool  # whether its notes are short ones
    upper: bool  # whether it is the highest line of the phrase
    alone: bool  # whether it is the only one


def phrases(piece: Piece, notes: NDArray[np.intp], changes: Seconds) -> list[list[Figure]]:
    """Return the phrases of ``notes``, each with its figures, the highest first.

    No phrase goes on over one of ``changes``, in seconds.
    """
    found: list[list[Figure]] = []
    short = False
    for part in _phrases(piece, notes, changes):
        lines = separated(piece, part)
        means = [float(np.mean(piece.pitches[line])) for line in lines]
        most = max(map(len, lines))
        # one high note is no line above a melody, but goes with it
        top = max(mean for mean, line in zip(means, lines, strict=True) if 2 * len(line) >= most)
        figures = []
        for place in np.argsort([-mean for mean in means], kind="stable").tolist():
            line = lines[place]
            is_short = _is_short(piece, line, short)
            upper = means[place] >= top
            figures.append(Figure(line, is_short, upper, len(lines) == 1))
        short = figures[0].short
        found.append(figures)
    return found


def _is_short(piece: Piece, notes: NDArray[np.intp], before: bool) -> bool:
    """Return whether ``notes`` are short ones; what is between follows what was ``before``."""
    length = float(np.median(piece.offsets[notes] - piece.onsets[notes]))
    return length < (LONG if before else SHORT)


def _phrases(piece: Piece, notes: NDArray[np.intp], changes: Seconds) -> list[NDArray[np.intp]]:
    """Return ``notes`` in phrases, which end at rests and changes, where long notes follow short
    ones or short ones long ones, and when PHRASE bars are full.
    """  # fmt: skip
    onsets = piece.onsets[notes]
    bars = np.searchsorted(piece.downbeats, onsets + TOGETHER, side="right")
    scenes = np.searchsorted(changes, onsets, side="right")
    ends = np.maximum.accumulate(piece.offsets[notes])
    begins, short = [0], False
    for first in np.flatnonzero(np.diff(bars, prepend=-1)).tolist():
        before, short = short, _is_short(piece, notes[bars == bars[first]], short)
        if first and (short != before or bars[first] - bars[begins[-1]] >= PHRASE):
            begins.append(first)
    rests = 1 + np.flatnonzero(onsets[1:] - ends[:-1] >= REST)
    others = 1 + np.flatnonzero(np.diff(scenes))
    edges = np.unique(np.concatenate([begins, rests, others]).astype(np.intp))
    return [part for part in np.split(notes, edges[edges > 0]) if len(part)]


def separated(piece: Piece, notes: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return ``notes``, by onset, in lines: each note goes on from the nearest one that has ended.

    Of a chord no two notes are in one line.
    """
    lines: list[list[int]] = []
    pitches, onsets, offsets = piece.pitches.astype(int), piece.onsets, piece.offsets
    for chord in chords(onsets, notes):
        onset = onsets[chord[0]]
        free = [i for i, line in enumerate(lines) if offsets[line[-1]] <= onset + LEGATO]
        steps = sorted(
            (abs(pitches[note] - pitches[lines[i][-1]]), -pitches[note], i, note)
            for note in chord
            for i in free
        )
        led: dict[int, int] = {}  # the line that each note goes on
        for step, _, i, note in steps:
            if step < LEAP and note not in led and i not in led.values():
                led[note] = i
        for note in chord:
            if note in led:
                lines[led[note]].append(note)
            else:
                lines.append([note])
    return [np.array(line, np.intp) for line in lines]


def chords(onsets: Seconds, notes: NDArray[np.intp]) -> Sequence[list[int]]:
    """Return ``notes`` in groups that begin together."""
    chords: list[list[int]] = []
    for note in notes.tolist():
        if chords and onsets[note] - onsets[chords[-1][0]] <= TOGETHER:
            chords[-1].append(note)
        else:
            chords.append([note])
    return chords
