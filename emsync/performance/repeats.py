"""Chords struck again and again: who bows or blows holds them, who plucks or hammers breaks them.

A network that learned from all kinds of songs lets everybody strum sixteenths. On a guitar that is
music; strings hold the chord, and a harp plays its tones one after the other.
Shapes: N notes of the piece, n notes of a class.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Seconds
from emsync.music.moments import near
from emsync.music.piece import CLASSES, Piece
from emsync.performance.figures import TOGETHER, chords
from emsync.performance.player import Casting

QUICK = 0.3  # seconds; a chord that comes again later than that is a new one
FASTEST = 0.17  # seconds; a single tone that comes again sooner is no tune
COMMON = 2  # tones that two chords share, so that the second is the first again

Chord = list[int]  # places in the piece


def settled(piece: Piece, casting: Casting, hits: Sequence[float] = ()) -> Piece:
    """Return ``piece`` with the chords that come again as the players of ``casting`` have them.

    What begins on one of ``hits``, on a downbeat, on a boundary chord or where the players change
    is struck. A chord that is held sounds on, of one that is broken the tones sound in turn.
    """
    starts = [start for start, _ in casting]
    posts = np.concatenate([piece.downbeats, piece.chords, hits, starts])
    fresh = near(piece.onsets, posts, TOGETHER)
    keeps, offsets = np.ones(len(piece), np.bool_), piece.offsets.copy()
    scenes = np.searchsorted(starts[1:], piece.onsets, side="right")
    for scene, (_, players) in enumerate(casting):
        for instrument in range(len(CLASSES)):
            rules = {p.repeats for p in players if p.instrument == instrument and not p.doubles}
            notes = np.flatnonzero((piece.classes == instrument) & (scenes == scene))
            for run in _runs(piece, notes, fresh):
                if "held" in rules:
                    _hold(piece, run, keeps, offsets)
                elif "broken" in rules:
                    _break(piece, run, keeps)
    return replace(piece, offsets=offsets).where(keeps)


def _runs(piece: Piece, notes: NDArray[np.intp], fresh: NDArray[np.bool_]) -> Iterator[list[Chord]]:
    """Yield the chords of a class that come again quickly, with the one that they repeat.

    Where the first of its notes is one of the (N,) ``fresh`` ones, no chord is a repeat.
    """
    run: list[Chord] = []
    for chord in chords(piece.onsets, notes):
        again = bool(run) and not fresh[chord[0]] and _repeats(piece, chord, run[-1])
        if not again and len(run) > 1:
            yield run
        run = [*run, chord] if again else [chord]
    if len(run) > 1:
        yield run


def _repeats(piece: Piece, chord: Chord, before: Chord) -> bool:
    """Return whether a chord, or a tone, is the one before once more."""
    since = piece.onsets[chord[0]] - piece.onsets[before[0]]
    now, then = _pitches(piece, chord), _pitches(piece, before)
    if len(now & then) >= COMMON:
        return bool(since <= QUICK)
    return now == then and bool(since <= FASTEST)


def _pitches(piece: Piece, chord: Chord) -> set[int]:
    return set(piece.pitches[chord].tolist())


def _hold(piece: Piece, run: list[Chord], keeps: NDArray[np.bool_], offsets: Seconds) -> None:
    """Tie each tone to the same one of the chord before."""
    sounding: dict[int, int] = {}  # the note that has each pitch
    for chord in run:
        struck = {int(piece.pitches[note]): note for note in chord}
        for pitch, note in struck.items():
            if pitch in sounding:
                keeps[note] = False
                first = struck[pitch] = sounding[pitch]
                offsets[first] = max(offsets[first], piece.offsets[note])
        sounding = struck


def _break(piece: Piece, run: list[Chord], keeps: NDArray[np.bool_]) -> None:
    """Leave of each chord but the first one tone, upward through it; new tones stay."""
    before = _pitches(piece, run[0])
    for place, chord in enumerate(run[1:]):
        upward = sorted(chord, key=lambda note: piece.pitches[note])
        turn = upward[place % len(upward)]
        pitches = _pitches(piece, chord)
        keeps[[n for n in chord if n != turn and int(piece.pitches[n]) in before]] = False
        before = pitches
