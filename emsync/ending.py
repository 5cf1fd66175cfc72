"""The piece ends, it is not cut off: a last chord that rings into the end of the video."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emsync.music import BASS, DRUMS, PIANO, Piece, Seconds
from emsync.video import Cut

Ending = Literal["cadence", "fade", "cut"]

RING = 3.0  # seconds the last chord sounds, at most
SHARE = 0.2  # of a short video
REACH = 1.5  # seconds around the asked time in which a last chord is looked for
GRIP = 0.03  # seconds; what begins this close to the chord belongs to it


def last_chord(duration: float, cuts: Sequence[Cut]) -> float:
    """Return when the last chord begins: on a cut near the end, or a ring before it."""
    ring = min(RING, SHARE * duration)
    near = [c.time for c in cuts if c.kept and ring / 2 <= duration - c.time <= 1.5 * ring]
    return near[-1] if near else duration - ring


def cadence(
    piece: Piece, asked: float, duration: float, answers: Sequence[float] = ()
) -> tuple[Piece, float]:
    """Return ``piece`` ending on a chord near ``asked`` that rings to ``duration``, and its time.

    The chord is the boundary chord there, else the downbeat, else the onset with most notes; but
    where one of ``answers``, the moments that answer cuts, is asked, the chord stands on it. What
    begins later is left out, save at later ``answers``; what sounds in the chord rings to the end.
    Where fewer than three pitch classes sound, the tonic triad of the piece joins them, so that
    there is a chord to end on.
    """
    at = _nearest(piece.onsets, asked) if asked in answers else _best_moment(piece, asked)
    held = (piece.onsets <= at + GRIP) & (piece.offsets > at + GRIP) & (piece.classes != DRUMS)
    stays = piece.onsets <= at + GRIP
    for answer in answers:
        stays |= np.abs(piece.onsets - answer) <= GRIP
    ended = replace(
        piece,
        offsets=np.where(held, duration, np.minimum(piece.offsets, duration)),
        chords=np.union1d(piece.chords[piece.chords <= at + GRIP], [at]),
    ).where(stays)
    if len(np.unique(piece.pitches[held] % 12)) < 3:
        notes = np.concatenate([ended.rows, _tonic_triad(piece, ended, at, duration)])
        ended = Piece.of(notes, ended.downbeats, ended.chords, ended.labels)
    return ended, at


def _nearest(times: Seconds, asked: float) -> float:
    return float(times[np.argmin(np.abs(times - asked))])


def _best_moment(piece: Piece, asked: float) -> float:
    """Return the moment near ``asked`` that ends the piece best; ``asked`` itself in silence."""
    onsets, sizes = np.unique(piece.onsets, return_counts=True)
    sounding = onsets[np.abs(onsets - asked) <= REACH]
    for marks in (piece.chords, piece.downbeats):
        near = marks[np.abs(marks - asked) <= REACH]
        if len(near):
            mark = _nearest(near, asked)
            if len(sounding) and np.abs(sounding - mark).min() <= GRIP:
                return _nearest(sounding, mark)
    if not len(sounding):
        return asked
    fullest = sizes[np.searchsorted(onsets, sounding)] - np.abs(sounding - asked)
    return float(sounding[np.argmax(fullest)])


def _tonic_triad(piece: Piece, ended: Piece, at: float, duration: float) -> NDArray[np.float64]:
    """Return the rows of the tonic triad on the piano and its root in the bass, where not taken."""
    tonal = piece.classes != DRUMS
    lengths = (piece.offsets - piece.onsets)[tonal]
    sounding = np.bincount(piece.pitches[tonal] % 12, lengths, minlength=12)
    triads = {
        (tonic, third): sounding[tonic] * 1.5
        + sounding[(tonic + third) % 12]
        + sounding[(tonic + 7) % 12]
        for tonic in range(12)
        for third in (3, 4)
    }
    tonic, third = max(triads, key=lambda triad: triads[triad])
    chord = [(BASS, 36 + tonic), *((PIANO, 60 + tonic % 12 + step) for step in (0, third, 7))]
    ringing = ended.where(ended.offsets >= at)
    taken = set(zip(ringing.classes.tolist(), ringing.pitches.tolist(), strict=True))
    return np.array(
        [(c, p, at, duration) for c, p in chord if (c, p) not in taken], np.float64
    ).reshape(-1, 4)
