"""How hard each note is struck: as the scene is loud, as a person would, and accented on hits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s, Seconds
from emsync.music.moments import near
from emsync.music.piece import GUITAR, PIANO, STRINGS, VELOCITY, Piece
from emsync.performance.dynamics import LOUDEST, RANGE, Dynamics
from emsync.performance.figures import chords
from emsync.performance.strokes import outer
from emsync.performance.touch import NEAR, touch

ACCENT = 14  # steps, for all that begins on a hit
LEAD, LEADING = 10, 2.0  # steps of a crescendo into a hit, and the seconds that it takes
ARRIVAL = 8  # steps, on the first downbeat of a section
VOICED = 4  # steps by which the outer voices of chords stand out: touch makes them too soft
SHARED = 5  # steps by which what lies below another tone is softer, for each doubling of the tones
CHORDAL = (GUITAR, PIANO, STRINGS)  # the instruments whose chords are voiced so
LATE = 4.0  # seconds; a downbeat that comes later is not where a section arrives
WIDER = 0.3  # how much wider the loudest scene's range is, and how much narrower the quietest's
TOP, BOTTOM = 112, 24  # velocities; beyond them steps become smaller, up to what MIDI has


def struck(piece: Piece, dynamics: Dynamics, hits: Sequence[float] = ()) -> NDArray[np.uint8]:
    """Return the (N,) velocities of a piece; ``hits`` are seconds at which it meets the picture."""
    levels = dynamics.at(piece.onsets)
    room = 1 + WIDER * np.clip((levels - VELOCITY) / RANGE, -1, 1)
    voiced = VOICED * (outer(piece) & np.isin(piece.classes, CHORDAL))
    plain = levels + room * (touch(piece, dynamics.times[1:]) + voiced - shared(piece))
    plain += lead(piece.onsets, hits)
    loud = plain + accents(piece.onsets, hits, arrivals(piece.downbeats, dynamics.times[1:]))
    return np.round(within(loud)).astype(np.uint8)


def shared(piece: Piece) -> Float64s:
    """Return the (N,) steps by which notes are softer, that others may be heard above them.

    The more tones an instrument sounds, the softer is each; not the highest, which has the tune.

    >>> chord = Piece.of(np.array([(PIANO, pitch, 0.0, 1.0) for pitch in (48, 55, 64, 72)]))
    >>> shared(chord).tolist()
    [10.0, 10.0, 10.0, 0.0]
    """
    steps = np.zeros(len(piece))
    for instrument in CHORDAL:
        sounding: list[int] = []
        for chord in chords(piece.onsets, np.flatnonzero(piece.classes == instrument)):
            begins = piece.onsets[chord[0]] + NEAR
            sounding = [note for note in sounding if piece.offsets[note] > begins] + chord
            top = piece.pitches[sounding].max()
            below = [note for note in chord if piece.pitches[note] < top]
            steps[below] = SHARED * np.log2(len(sounding))
    return steps


def accents(onsets: Seconds, hits: Sequence[float], starts: Sequence[float]) -> Int64s:
    """Return the (N,) steps by which notes on ``hits`` and on the ``starts`` of sections stand out.

    >>> accents(np.array([0.0, 2.0, 4.0]), hits=[2.0], starts=[2.0, 4.01]).tolist()
    [0, 14, 8]
    """
    on_hit = ACCENT * near(onsets, hits, NEAR)
    return np.maximum(on_hit, ARRIVAL * near(onsets, starts, NEAR))


def lead(onsets: Seconds, hits: Sequence[float]) -> Float64s:
    """Return the (N,) steps of a crescendo into each of ``hits``, which are not part of it.

    >>> lead(np.array([0.0, 2.0, 3.0, 3.9, 4.0]), hits=[4.0]).round(1).tolist()
    [0.0, 0.0, 2.5, 9.0, 0.0]
    """
    times = np.append(np.sort(hits), np.inf)
    left = times[np.searchsorted(times, onsets - NEAR)] - onsets
    share = np.clip(1 - left / LEADING, 0, 1)
    return np.where(left > NEAR, LEAD * share**2, 0.0)


def arrivals(downbeats: Seconds, starts: Sequence[float]) -> list[float]:
    """Return the first downbeat at or after each of ``starts``, where one comes soon."""
    nexts = np.searchsorted(downbeats, np.subtract(starts, NEAR))
    pairs = zip(starts, nexts.tolist(), strict=True)
    found = [(start, float(downbeats[i])) for start, i in pairs if i < len(downbeats)]
    return [time for start, time in found if time <= start + LATE]


def within(values: Float64s) -> Float64s:
    """Return ``values`` between 1 and LOUDEST: the order stays, beyond TOP and BOTTOM it is denser.

    >>> within(np.array([80.0, 112.0, 120.0, 127.0, 140.0])).round().tolist()
    [80.0, 112.0, 119.0, 123.0, 126.0]
    """
    above, below = LOUDEST - TOP, BOTTOM - 1
    high = TOP + above * np.tanh(np.maximum(values - TOP, 0) / above)
    low = BOTTOM - below * np.tanh(np.maximum(BOTTOM - values, 0) / below)
    return np.where(values > TOP, high, np.where(values < BOTTOM, low, values))
