"""How harmony moves in music, beside real songs, and how closely music follows planned chords.

Conventions: chords are those of ``emsync.music.chords``, one for each window between ``edges``,
which are half bars; what is silent (NONE) is left out. Chords differ by their root and their third:
in notes, sevenths and suspensions come and go. A measure that a piece does not have is NaN.

distinct    different chords in STRETCH seconds, mean over such stretches
changes     changes of chord a bar
commonest   share of the half bars that the commonest root holds
drone       longest time with one root, in seconds
on_chord    share of the sounding time of all pitched notes that is on tones of the chord
cadences    share of arrivals on the tonic's root that come from the fifth above it

``harmony.json`` holds these measures of real songs; ``scripts/count_chords.py`` makes it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from emsync.arrays import Float64s, Seconds
from emsync.music.chords import NONE, QUALITIES, TONES, Chords, Harmony, half_bars, heard
from emsync.music.piece import Piece
from emsync.music.statistics import pitch_class_seconds, sounded
from emsync.music.tonality import key_fits

STRETCH = 30.0  # seconds, as long as a short film: distinct chords do not grow with time
FIFTH = 7  # semitones

_TRIAD = np.array(
    [root + 12 * (steps[1] == 3) for steps in QUALITIES.values() for root in range(12)]
)  # (84,) the root, 12 more with a minor third

REAL_SONGS = Path(__file__).with_name("harmony.json")


@dataclass(frozen=True)
class Movement:
    """How the chords of a piece move; see the head of this file."""

    distinct: float
    changes: float
    commonest: float
    drone: float
    on_chord: float
    cadences: float


@dataclass(frozen=True)
class Followed:
    """How closely a piece follows planned chords, over the half bars that have both."""

    root: float  # share of half bars in which the planned root is heard
    chord: float  # share in which root and quality are
    on_chord: float  # share of the sounding time on tones of the planned chords
    half_bars: int


@dataclass(frozen=True)
class Range:
    """Where the middle 80 % of real songs lie."""

    low: float
    median: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def movement(chords: Chords, edges: Seconds, tonic: int) -> Movement:
    """Measure (W,) chords of half bars between (W + 1,) edges; no notes, so no ``on_chord``."""
    sounds = chords != NONE
    if not sounds.any():
        return Movement(*[math.nan] * 6)
    roots, triads = np.where(sounds, [chords % 12, _TRIAD[chords]], NONE)
    both = sounds[1:] & sounds[:-1]
    arrivals = both & (roots[1:] == tonic) & (roots[:-1] != tonic)
    changed = np.append(True, roots[1:] != roots[:-1])
    begins = np.flatnonzero(changed)
    lengths = edges[np.append(begins[1:], len(roots))] - edges[begins]
    return Movement(
        distinct=_distinct(triads, edges),
        changes=2 * _mean(triads[1:][both] != triads[:-1][both]),
        commonest=float(np.bincount(roots[sounds]).max() / sounds.sum()),
        drone=float(lengths[roots[begins] != NONE].max()),
        on_chord=math.nan,
        cadences=_mean(roots[:-1][arrivals] == (tonic + FIFTH) % 12),
    )


def movement_of(piece: Piece, edges: Seconds | None = None, tonic: int | None = None) -> Movement:
    """Measure the chords that are heard in a piece with bars.

    ``edges`` are its half bars and ``tonic`` is its pitch class, where they are known; else the
    piece's own downbeats and the key that its notes fit best say them.
    """
    edges = half_bars(piece.downbeats) if edges is None else edges
    if len(edges) < 2:
        return Movement(*[math.nan] * 6)
    if tonic is None:
        tonic = int(key_fits(pitch_class_seconds(piece)).argmax()) % 12
    chords = heard(piece, edges)
    return replace(movement(chords, edges, tonic), on_chord=on_chord(piece, chords, edges))


def followed(harmony: Harmony, piece: Piece, edges: Seconds) -> Followed:
    """Compare what is heard between ``edges``, half bars, with the chord planned at each start."""
    planned, read = harmony.at(edges[:-1]), heard(piece, edges)
    both = (planned != NONE) & (read != NONE)
    return Followed(
        root=_mean(planned[both] % 12 == read[both] % 12),
        chord=_mean(planned[both] == read[both]),
        on_chord=on_chord(piece, np.where(both, planned, NONE), edges),
        half_bars=int(both.sum()),
    )


def on_chord(piece: Piece, chords: Chords, edges: Seconds) -> float:
    """Return the share of the sounding time between ``edges`` that is on tones of (W,) chords."""
    known = chords != NONE
    seconds = np.maximum(np.diff(sounded(piece, edges), axis=0), 0.0)[known]  # (W, 12)
    total = float(seconds.sum())
    return float((seconds * TONES[chords[known]]).sum()) / total if total else math.nan


@cache
def real_songs() -> Mapping[str, Range]:
    """Return the range of each measure over real songs."""
    ranges = json.loads(REAL_SONGS.read_text(encoding="utf-8"))["ranges"]
    return {name: Range(*values) for name, values in ranges.items()}


def _distinct(chords: Chords, edges: Seconds) -> float:
    """Return how many different chords sound in a stretch; a shorter piece is one stretch."""
    stretch = ((edges[:-1] - edges[0] + 1e-6) / STRETCH).astype(np.intp)
    whole = max(int((edges[-1] - edges[0]) / STRETCH), 1)
    counts = [len(np.unique(chords[(stretch == s) & (chords != NONE)])) for s in range(whole)]
    return _mean(np.array([count for count in counts if count]))


def _mean(values: Float64s | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else math.nan
