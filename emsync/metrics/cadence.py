"""Cadence: how a piece, and each of its sections, comes to an end, against its key.

Conventions
-----------
Pitched means all but the drums. The last chord is what sounds just after the last pitched onset:
struck there, or held into it by at least GRIP seconds. It is measured against the ``chord`` that
was asked for at the end, where one was; else against the tonic triad of the key that all notes fit
best. Half bars are those between ``edges``, or the piece's own. A measure that a piece does not
have is NaN; those that are true or false are 1 or 0, so that means over pieces are shares.

Metrics
-------
tones      pitch classes of the last chord
triad      whether these are a major or minor triad: its root, its third, and at most its fifth
home       whether they are the chord asked for: its root, its third, and none that it has not
foreign    share of the pitch classes that are foreign to it
clash      whether two of them are a semitone apart
root       whether the lowest tone is its root
melody     whether the highest tone is one of its tones
dominant   whether the last other root that is heard before is the fifth above its root

``closed`` is the share of sections, but for the last, that close or half close: the root heard in
their last half bar is the tonic or the fifth above it.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from emsync.arrays import Seconds
from emsync.music.chords import MAJOR, MINOR, NONE, TONES, chord, half_bars, heard
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import DRUMS, Piece
from emsync.music.statistics import pitch_class_seconds
from emsync.music.tonality import key_fits

GRIP = 0.05  # seconds; real chords are not struck, nor let go, at one moment
FIFTH = 7  # semitones


@dataclass(frozen=True)
class Cadence:
    """How a piece ends; see the head of this file."""

    tones: float
    triad: float
    home: float
    foreign: float
    clash: float
    root: float
    melody: float
    dominant: float

    @classmethod
    def none(cls) -> Self:
        """Return that of a piece in which nothing pitched sounds."""
        return cls(*[math.nan] * 8)


def last_chord(piece: Piece) -> Piece:
    """Return the notes of the last chord."""
    pitched = piece.where(piece.classes != DRUMS)
    at = float(pitched.onsets.max(initial=-math.inf))
    return pitched.where((pitched.offsets > at + GRIP) | (pitched.onsets == at))


def cadence(piece: Piece, wanted: int | None = None, edges: Seconds | None = None) -> Cadence:
    """Measure how ``piece`` ends; ``wanted`` is the chord asked for, of ``emsync.music.chords``."""
    last = last_chord(piece)
    if not len(last):
        return Cadence.none()
    asked = home_chord(piece) if wanted is None or wanted == NONE else wanted
    root, third = asked % 12, 3 if TONES[asked][(asked + 3) % 12] else 4
    tones = np.unique(last.pitches % 12)
    low, high = int(last.pitches.min()) % 12, int(last.pitches.max()) % 12
    foreign = float((TONES[asked][tones] == 0).mean())
    needed = {root, (root + third) % 12} if TONES[asked][(root + third) % 12] else {root}
    return Cadence(
        tones=float(len(tones)),
        triad=float(is_triad(set(tones.tolist()))),
        home=float(foreign == 0 and needed <= set(tones.tolist())),
        foreign=foreign,
        clash=float(bool(set(tones.tolist()) & {(tone + 1) % 12 for tone in tones.tolist()})),
        root=float(low == root),
        melody=float(TONES[asked][high]),
        dominant=_from_dominant(piece, float(last.onsets.max()), root, edges),
    )


def closed(sheet: LeadSheet, piece: Piece, edges: Seconds) -> float:
    """Return the share of the sections of ``sheet``, but for the last, that close or half close."""
    roots = np.where((chords := heard(piece, edges)) == NONE, NONE, chords % 12)
    ends = [passage.end for passage in sheet.passages[:-1]]
    at = np.searchsorted((edges[1:] + edges[:-1]) / 2, ends) - 1  # the window before each end
    found = roots[at[at >= 0]]
    found = found[found != NONE]
    closes = (found == sheet.tonic) | (found == (sheet.tonic + FIFTH) % 12)
    return float(closes.mean()) if len(found) else math.nan


def home_chord(piece: Piece) -> int:
    """Return the tonic triad of the key that the notes of a piece fit best."""
    key = int(key_fits(pitch_class_seconds(piece)).argmax())
    return chord(key % 12, MINOR if key >= 12 else MAJOR)


def is_triad(tones: set[int]) -> bool:
    """Return whether pitch classes are the root and the third of a triad, and at most its fifth.

    >>> is_triad({0, 4}), is_triad({0, 3, 7}), is_triad({0, 7}), is_triad({0, 4, 7, 9})
    (True, True, False, False)
    """
    return any(
        {root, (root + third) % 12} <= tones <= {root, (root + third) % 12, (root + FIFTH) % 12}
        for root in tones
        for third in (3, 4)
    )


def _from_dominant(piece: Piece, at: float, root: int, edges: Seconds | None) -> float:
    """Return whether the last other root that is heard before ``at`` is the fifth above."""
    edges = half_bars(piece.downbeats) if edges is None else edges
    before = edges[edges < at + GRIP]
    chords = heard(piece, before) if len(before) > 1 else np.zeros(0, np.intp)
    roots = chords[chords != NONE] % 12
    others = roots[roots != root]
    return float(others[-1] == (root + FIFTH) % 12) if len(others) else math.nan
