"""Chords by name, as tones, and as they are heard in a piece.

A chord is a number: its quality times twelve plus its root, a pitch class from C; NONE is no chord.
Shapes: N notes, W windows of time, K chords, 84 = 7 qualities x 12 roots.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.music.piece import BASS, Piece
from emsync.music.statistics import sounded
from emsync.music.tonality import fifths_of, pitch_class, spelt

QUALITIES: dict[str, tuple[int, ...]] = {  # semitones above the root
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
}
MAJOR, MINOR, DIMINISHED, SUSPENDED, SEVENTH, MAJOR_SEVENTH, MINOR_SEVENTH = range(7)
NONE = -1  # no chord, written "N"
NO_CHORD = ("N", "NC", "N.C.")
SPELLINGS = {  # other ways to write a quality
    "maj": "", "M": "", "min": "m", "-": "m", "°": "dim", "o": "dim", "sus": "sus4",
    "dom7": "7", "M7": "maj7", "Δ": "maj7", "Δ7": "maj7", "min7": "m7", "-7": "m7",
}  # fmt: skip

SIGNS = {-1: "b", 0: "", 1: "#"}

LEAST = 0.15  # seconds of pitched sound in a window that make a chord
LONGEST = 2.0  # seconds of a note that count
LOW = 52  # the pitch, E below middle C, under which everybody's notes are heard as the bass
AUDIBLE = 0.1  # share of the sound that a tone needs to be heard as a seventh, fifth or third

Chords = NDArray[np.intp]  # (K,) numbers

_NAME = re.compile(r"([A-Ga-g][#b♯♭]?)(.*)")

_TONES = np.zeros((len(QUALITIES), 12, 12))
for _quality, _steps in enumerate(QUALITIES.values()):
    for _root in range(12):
        _TONES[_quality, _root, [(_root + step) % 12 for step in _steps]] = 1.0
TONES: Float64s = _TONES.reshape(-1, 12)  # (84, 12) 1 for the pitch classes of each chord, from C
ROOTS: Float64s = np.tile(np.eye(12), (len(QUALITIES), 1))  # (84, 12) 1 for its root
_SIZE = TONES.sum(axis=1)  # (84,) three tones or four
_SEVENTHS: Float64s = np.concatenate(  # (84, 12) 1 for its seventh, if it has one
    [
        np.roll(np.eye(12), steps[3], axis=1) if len(steps) == 4 else np.zeros((12, 12))
        for steps in QUALITIES.values()
    ]
)


def chord(root: int, quality: int = MAJOR) -> int:
    """Return the number of the chord of a ``quality`` on a pitch class."""
    return quality * 12 + root % 12


def parse_chord(name: str) -> int:
    """Return the number of a chord such as "F#m7" or "Bb"; "N" is none. UsageError names others.

    >>> parse_chord("Am"), parse_chord("C"), chord_name(parse_chord("bbmin7"))
    (21, 0, 'Bbm7')
    """
    if name.upper() in NO_CHORD:
        return NONE
    match = _NAME.fullmatch(name)
    quality = SPELLINGS.get(match[2], match[2]) if match else ""
    if match is None or quality not in QUALITIES:
        known = ", ".join(f"C{quality}" for quality in QUALITIES)
        raise UsageError(
            f"{shown(name)} is no chord; on any root there are {known}, and N for none"
        )
    return chord(pitch_class(match[1]), list(QUALITIES).index(quality))


def chord_name(number: int, fifths: int | None = None) -> str:
    """Return the name of a chord in a key of so many fifths, see ``tonality.fifths_of``.

    None spells it as in the key that it is the tonic of. Foreign chords with a major third are the
    flat ones, such as the Neapolitan, diminished ones the sharp ones, which lead up.

    >>> [chord_name(chord(1, quality)) for quality in (MAJOR, MINOR, SEVENTH)]
    ['Db', 'C#m', 'Db7']
    >>> [chord_name(parse_chord(name), fifths=0) for name in ("A#", "Abdim", "D#", "Gbm")]
    ['Bb', 'G#dim', 'Eb', 'F#m']
    """
    if number == NONE:
        return "N"
    quality, root = divmod(int(number), 12)
    suffix = list(QUALITIES)[quality]
    minor = QUALITIES[suffix][1] == 3
    if fifths is None:
        fifths = fifths_of(root, minor)
    flatwards = 1 if quality == DIMINISHED else 3 if minor else 5
    letter, sign = spelt(root, fifths, flatwards)
    return letter + SIGNS[sign] + suffix


def transposed(number: int, semitones: int) -> int:
    """Return a chord so many semitones higher.

    >>> chord_name(transposed(parse_chord("Am7"), 3))
    'Cm7'
    """
    if number == NONE:
        return NONE
    quality, root = divmod(int(number), 12)
    return chord(root + semitones, quality)


@dataclass(frozen=True, eq=False)
class Harmony:
    """Chords over time: each sounds from its start to the next one's."""

    starts: Seconds  # (K,) ascending
    chords: Chords  # (K,)

    def retimed(self, f: Callable[[Seconds], Seconds]) -> Self:
        """Return the harmony in which every time t is ``f(t)``; ``f`` must not fall."""
        return replace(self, starts=f(self.starts))

    def at(self, times: Seconds) -> Chords:
        """Return the (T,) chords at ``times``; NONE before the first."""
        index = np.searchsorted(self.starts, np.asarray(times) + 1e-6, side="right")
        return np.append(NONE, self.chords)[index]


def heard(piece: Piece, edges: Seconds) -> Chords:
    """Return the (W,) chords that are heard between (W + 1,) ``edges`` in seconds.

    A chord's score is the share of the sound on its tones, of which the bass counts twice, and more
    where its root sounds, in the bass above all. One of four tones is heard only where its seventh
    sounds and only over its root, C6 being no Am7; a suspended one where its fifth sounds, else it
    is a bare fifth turned round, and rather where no third does. NONE where hardly anything sounds.
    """
    everything = np.maximum(np.diff(sounded(piece, edges, LONGEST), axis=0), 0.0)  # (W, 12)
    low = piece.where((piece.classes == BASS) | (piece.pitches < LOW))
    bass = np.maximum(np.diff(sounded(low, edges, LONGEST), axis=0), 0.0)
    share, lowest = _shares(everything + bass), _shares(bass)
    over_root = lowest @ ROOTS.T  # (W, 84)
    inverted = lowest.sum(axis=1, keepdims=True) - over_root
    no_seventh = share @ _SEVENTHS.T < AUDIBLE
    third = np.maximum(np.roll(share, -3, axis=1), np.roll(share, -4, axis=1)) >= AUDIBLE
    score = share @ TONES.T - 0.03 * _SIZE + 0.1 * (share @ ROOTS.T) + 0.3 * over_root
    score -= np.where(_SIZE == 4, 0.2 * no_seventh + 0.2 * inverted, 0.0)
    fifth = np.roll(share, -7, axis=1) >= AUDIBLE
    score[:, SUSPENDED * 12 : SUSPENDED * 12 + 12] -= 0.1 * third + 0.4 * ~fifth
    return np.where(everything.sum(axis=1) < LEAST, NONE, score.argmax(axis=1))


def _shares(seconds: Float64s) -> Float64s:
    """Return the share of each of (W, 12) seconds in its window; zeros in silence."""
    shares: Float64s = seconds / np.maximum(seconds.sum(axis=1, keepdims=True), 1e-9)
    return shares


def half_bars(downbeats: Seconds) -> Seconds:
    """Return the edges of the half bars between (K,) ``downbeats``."""
    middles = (downbeats[1:] + downbeats[:-1]) / 2
    return np.sort(np.concatenate([downbeats, middles]))
