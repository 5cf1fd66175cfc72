"""A chord voiced for those who play it: open below and close above, led from what sounded before.

Everybody gets tones of their own. The root is below all others, the third in nobody's low register,
and the highest tone near the highest that sounded. Shapes: C choices of V voices, T tones.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.music.chords import LOW
from emsync.music.piece import BASS, GUITAR, PIANO, STRINGS

# The pitches that a class plays in a chord with ease
REGISTER = {BASS: (28, 55), GUITAR: (40, 76), PIANO: (36, 88), STRINGS: (36, 88)}
MIDDLE = {GUITAR: 57, PIANO: 64, STRINGS: 67}  # where the upper voices lie that nothing leads
OCTAVE, OPEN = 12, 7  # semitones; the next voice is so far above the root, at least
BASS_ROOTS = 18  # semitones of a bass below others in which its root lies; an octave of all else
ALONE, AMONG = 4, 3  # voices above the root: of one with nobody beside it but the bass, of more
ROOF = 72  # others are below the melody, but may always go up to here
TOP = 127  # MIDI pitch
HOLE = 9  # semitones between neighbouring upper voices from which on they fall apart

Voices = Mapping[int, Sequence[int]]  # class: pitches, ascending


def voiced(root: int, tones: Sequence[int], before: Voices) -> Voices:
    """Return the chord for the classes of ``before``, which has the pitches that each one leaves.

    ``root`` is a pitch class; ``tones``, of which there are three or four, are semitones above it:
    the root itself, the third (or fourth), the fifth, the seventh.

    >>> voiced(0, (0, 4, 7), {BASS: [43], PIANO: [55, 59, 65, 67]})
    {1: [36], 3: [55, 60, 64, 67]}
    """
    deepest = next(c for c in (BASS, PIANO, STRINGS, GUITAR) if c in before)
    upper = [c for c in before if c != BASS]
    reach = BASS_ROOTS if deepest == BASS and upper else OCTAVE
    bottom = _bottom(root, REGISTER[deepest][0], reach, before[deepest])
    if not upper:  # a bass has all of it, the third a tenth above the root
        return {BASS: sorted(bottom + tone + OCTAVE * (k == 1) for k, tone in enumerate(tones))}
    chord = {c: [bottom] if c == deepest else [] for c in before}
    upper.sort(key=lambda c: (-max(before[c], default=0), c))  # who has the melody leads
    classes, taken, ceiling = [(root + tone) % 12 for tone in tones], [bottom], TOP
    for place, c in enumerate(upper):
        number = ALONE if len(upper) == 1 else max(AMONG, 0 if place else len(tones))
        free = _free(c, classes, bottom, taken, ceiling)
        if len(free) < len(upper) - place:  # rather above the melody than silent
            free = _free(c, classes, bottom, taken, TOP)
        number = max(1, min(number, len(free) - (len(upper) - 1 - place)))
        chosen = _chosen(free, number, classes, before[c], taken, MIDDLE[c])
        chord[c] += chosen
        taken += chosen
        if place == 0:
            ceiling = max(chosen[-1], ROOF)
    return chord


def _bottom(root: int, low: int, reach: int, before: Sequence[int]) -> int:
    """Return the root from ``low`` on that is nearest to the lowest pitch that is left."""
    able = [pitch for pitch in range(low, low + reach) if pitch % 12 == root]
    wanted = min(before, default=low)
    return min(able, key=lambda pitch: abs(pitch - wanted))


def _free(
    instrument: int, classes: Sequence[int], bottom: int, taken: Sequence[int], ceiling: int
) -> list[int]:
    """Return the pitches that a class may add; below LOW only roots and fifths."""
    low, high = REGISTER[instrument]
    sound = (classes[0], classes[2])
    return [
        pitch
        for pitch in range(max(low, bottom + OPEN), min(high + 1, ceiling))
        if pitch % 12 in (classes if pitch >= LOW else sound) and pitch not in taken
    ]


def _chosen(
    free: Sequence[int],
    number: int,
    classes: Sequence[int],
    before: Sequence[int],
    taken: Sequence[int],
    middle: int,
) -> list[int]:
    """Return the best ``number`` of the free pitches: led smoothly, close together, complete."""
    choices = np.array(list(combinations(free, number)), np.int64)
    led = np.array(sorted(p for p in before if p >= LOW)[-number:] or [middle])
    missing = set(classes) - {pitch % 12 for pitch in taken}
    costs = _costs(choices, np.array(classes), led)
    costs += 100.0 * sum((choices % 12 != c).all(axis=1) for c in missing)
    best: list[int] = choices[costs.argmin()].tolist()
    return best


def _costs(
    choices: NDArray[np.int64], classes: NDArray[np.int64], led: NDArray[np.int64]
) -> Float64s:
    """Return what each of (C, V) ``choices`` costs after the pitches ``led``."""
    moves = np.abs(choices[:, :, None] - led).min(axis=2).sum(axis=1)
    top = np.abs(choices[:, -1] - led[-1])
    gaps = np.diff(choices, axis=1)
    holes = np.maximum(gaps - HOLE, 0).sum(axis=1)
    seconds = (gaps < 3).sum(axis=1)
    counts = (choices[:, :, None] % 12 == classes).sum(axis=1)  # (C, T)
    absent = (counts == 0).sum(axis=1)
    thick = np.maximum(counts[:, 1:] - 1, 0).sum(axis=1)  # the root is doubled at no cost
    costs: Float64s = moves + 2.0 * top + 2.0 * holes + 4.0 * seconds + 8.0 * absent + 3.0 * thick
    return costs
