"""The names of the keys, and how well what sounds fits the major and the minor ones.

Krumhansl 1990: the correlation of the time that each pitch class sounds with the profile of each
key. Shapes: (..., 12) seconds by pitch class, from C.
"""

import numpy as np

from emsync.arrays import Float64s
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.music.piece import Piece
from emsync.music.statistics import pitch_class_seconds

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
FLATTEST, SHARPEST = -8, 12  # Fb and B#, on the line of fifths from C
_SIGNS = {"": 0, "#": 1, "b": -1, "♯": 1, "♭": -1}

# Krumhansl & Kessler 1982, probe-tone ratings of the twelve degrees
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = (
    *TONICS,
    *("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"),
)


def pitch_class(name: str) -> int:
    """Return the pitch class, from C, of a name such as "F#" or "Eb"; UsageError if it is none.

    >>> pitch_class("Bb"), pitch_class("c#")
    (10, 1)
    """
    letter, sign = name[:1].upper(), name[1:]
    if letter not in _LETTERS or sign not in _SIGNS:
        raise UsageError(f"tonic {shown(name)} is not a pitch class; name one such as C, F# or Bb")
    return (_LETTERS[letter] + _SIGNS[sign]) % 12


def tonic_and_mode(key: str) -> tuple[str, bool]:
    """Return the tonic of one of KEYS, as TONICS spell it, and whether the key is minor.

    >>> tonic_and_mode("C#m"), tonic_and_mode("F")
    (('Db', True), ('F', False))
    """
    return TONICS[pitch_class(key.removesuffix("m"))], key.endswith("m")


def fifths_of(tonic: int, minor: bool) -> int:
    """Return the sharps of a key, flats being negative; tonics are pitch classes from C.

    >>> fifths_of(1, minor=False), fifths_of(1, minor=True)
    (-5, 4)
    """
    sharps = 7 * (tonic + 3 * minor) % 12
    return sharps - 12 if sharps > (5 if minor else 6) else sharps


def spelt(tone: int, fifths: int, flatwards: int) -> tuple[str, int]:
    """Return the letter of a pitch class and its sign, -1, 0 or 1, in a key of so many fifths.

    Of the names on the line of fifths it is the one among the twelve that begin ``flatwards`` of
    the tonic of the major key.

    >>> spelt(10, fifths=0, flatwards=3), spelt(10, fifths=6, flatwards=3)
    (('B', -1), ('A', 1))
    """
    low = min(max(fifths - flatwards, FLATTEST), SHARPEST - 11)
    place = low + (7 * tone - low) % 12
    return "FCGDAEB"[(place + 1) % 7], (place + 1) // 7


def key_fits(sounding: Float64s) -> Float64s:
    """Return the (..., 24) correlations of (..., 12) seconds with the keys; zeros where all equal.

    >>> fits = key_fits(np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1]))
    >>> KEYS[fits.argmax()]
    'C'
    """
    return _standard(sounding) @ _PROFILES.T / 12


def _standard(values: Float64s) -> Float64s:
    """Return (..., 12) values with mean 0 and variance 1; equal ones become zeros."""
    away = values - values.mean(-1, keepdims=True)
    spread: Float64s = values.std(-1, keepdims=True)
    return away / np.maximum(spread, 1e-12)


# (24, 12): the profiles of KEYS
_PROFILES: Float64s = _standard(
    np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
)


CLEAR_KEY = 0.05  # correlation by which the best key is ahead of the next, or there is no key


def estimate_key(piece: Piece) -> str | None:
    """Return the key, such as "Ebm", whose profile fits the pitches best, or None if unclear."""
    fits = key_fits(pitch_class_seconds(piece))
    best, second = np.argsort(-fits)[:2]
    return KEYS[best] if fits[best] - fits[second] >= CLEAR_KEY else None
