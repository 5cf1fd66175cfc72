"""How a pitch is spelt: as a tone of the chord of the moment, else as near to the key as can be."""

from functools import cache
from typing import TypeAlias

from emsync.music.chords import NONE, QUALITIES, parse_chord
from emsync.music.tonality import spelt

LETTERS = "CDEFGAB"
NATURAL = dict(zip(LETTERS, (0, 2, 4, 5, 7, 9, 11), strict=True))
SIGNS = {"b": -1, "#": 1}
THIRDS = {0: 0, 3: 2, 4: 2, 5: 3, 6: 4, 7: 4, 10: 6, 11: 6}  # semitones: letters above the root

Name: TypeAlias = tuple[str, int]  # letter and alteration


def spell(pitch: int, fifths: int, chord: str = "N") -> tuple[str, int, int]:
    """Return the step, alteration and octave of a MIDI pitch in a key of so many fifths.

    A tone of the chord is spelt from its root; of the names that another has, the one nearest to
    the key on the line of fifths.

    >>> spell(61, 0), spell(61, -3), spell(59, 6)
    (('C', 1, 4), ('D', -1, 4), ('B', 0, 3))
    >>> spell(68, 0, "E7"), spell(68, 0, "Fm")
    (('G', 1, 4), ('A', -1, 4))
    """
    step, alter = tones(chord).get(pitch % 12) or spelt(pitch % 12, fifths, flatwards=3)
    return step, alter, (pitch - alter) // 12 - 1


@cache
def tones(chord: str) -> dict[int, Name]:
    """Return the names of the pitch classes of a chord, but for those with double signs.

    >>> tones("Bb7")
    {10: ('B', -1), 2: ('D', 0), 5: ('F', 0), 8: ('A', -1)}
    """
    number = parse_chord(chord)
    if number == NONE:
        return {}
    letter, alter = chord[0], SIGNS.get(chord[1:2], 0)
    root = NATURAL[letter] + alter
    named = {}
    for semitones in list(QUALITIES.values())[number // 12]:
        name = LETTERS[(LETTERS.index(letter) + THIRDS[semitones]) % 7]
        sign = (root + semitones - NATURAL[name] + 6) % 12 - 6
        if abs(sign) <= 1:
            named[(root + semitones) % 12] = (name, sign)
    return named
