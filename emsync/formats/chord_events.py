"""Chord symbols in a MIDI file, as the programs that show any read them: Yamaha's XF.

The standard has no event for them. XF (Yamaha, "XF Format Specifications", 2.01, 1999) has a
sequencer-specific one of seven bytes: 43 7B 01, the root, the type, and the bass twice 7F where it
is the root. A root is its letter, 1 to 7 from C, plus 16 times its sign, 3 where it has none.
"""

from collections.abc import Sequence

from emsync.music.chords import QUALITIES

HEAD = (0x43, 0x7B, 0x01)
AS_ROOT = 0x7F  # a bass that is the root, and the root of no chord
TYPES = dict(zip(QUALITIES, (0x00, 0x08, 0x11, 0x20, 0x13, 0x02, 0x0A), strict=True))
NO_CHORD = 0x22
LAST_TYPE = 0x22  # of those that XF knows
LETTERS = "CDEFGAB"
SIGNS = {"b": -1, "": 0, "#": 1}
NATURAL = 3  # what stands for no sign


def chord_data(name: str) -> tuple[int, ...]:
    """Return the bytes of the event of a chord of ours.

    >>> bytes(chord_data("Bbm7")).hex(" ")
    '43 7b 01 27 0a 7f 7f'
    """
    if name == "N":
        return (*HEAD, AS_ROOT, NO_CHORD, AS_ROOT, AS_ROOT)
    sign = name[1:2] if name[1:2] in ("b", "#") else ""
    root = (NATURAL + SIGNS[sign]) << 4 | LETTERS.index(name[0]) + 1
    return (*HEAD, root, TYPES[name[1 + len(sign) :]], AS_ROOT, AS_ROOT)


def is_chord(data: Sequence[int]) -> bool:
    """Return whether sequencer-specific ``data`` say that they are a chord."""
    return tuple(data[:3]) == HEAD


def chord_of(data: Sequence[int]) -> str | None:
    """Return the name of a chord's event, "" where we have none for it; None if it is no chord.

    >>> chord_of(chord_data("F#dim")), chord_of((*HEAD, 0x31, 0x70, 0x7F, 0x7F))
    ('F#dim', None)
    """
    if len(data) < 5 or data[4] > LAST_TYPE:
        return None
    if data[4] == NO_CHORD:
        return "N"
    letter, sign = data[3] & 15, (data[3] >> 4) - NATURAL
    if not 1 <= letter <= len(LETTERS) or not -3 <= sign <= 3:
        return None
    signs = {number: name for name, number in SIGNS.items()}
    types = {number: name for name, number in TYPES.items()}
    bass = data[5] if len(data) > 5 else AS_ROOT
    if sign not in signs or data[4] not in types or bass not in (AS_ROOT, data[3]):
        return ""
    return LETTERS[letter - 1] + signs[sign] + types[data[4]]
