"""Where players stand in a score, by the families of an orchestra, and how their staves are headed.

Programs are those of General MIDI, from 0.
"""

from dataclasses import dataclass

from emsync.music.piece import DRUMS
from emsync.performance.player import Player


@dataclass(frozen=True)
class Family:
    """Players that are bracketed together."""

    name: str
    programs: tuple[int, ...]  # in the order of the score
    chords: bool = False  # whether they read chord symbols


FAMILIES = (
    Family("woodwinds", (72, 73, 74, 75, 76, 77, 78, 79, 68, 69, 71, 64, 65, 66, 67, 70, 109, 111)),
    Family("brass", (60, 56, 59, 61, 57, 58, 62, 63)),
    Family("percussion", (47, 9, 10, 11, 12, 13, 14, 15, 108, *range(112, 128))),
    Family("drums", ()),
    Family("harp", (46,), chords=True),
    Family("keyboards", (8, 0, 1, 2, 3, 4, 5, 6, 7, *range(16, 24)), chords=True),
    Family("guitars", (*range(24, 32), *range(104, 108)), chords=True),
    Family("basses", tuple(range(32, 40)), chords=True),
    Family("synthesizers", tuple(range(80, 104))),
    Family("voices", (52, 53, 54)),
    Family("strings", (40, 110, 41, 42, 48, 49, 50, 51, 44, 45, 55, 43)),
)
GRAND = frozenset({46, *range(9), *range(16, 24)})  # programs on two staves
SHORT = {
    **{"piano": "Pno.", "guitar": "Gtr.", "bass": "Bass", "drums": "Dr.", "strings": "Str."},
    **{"violins": "Vln.", "violin": "Vln.", "violas": "Vla.", "viola": "Vla.", "cello": "Vc."},
    **{"cellos": "Vc.", "basses": "Db.", "contrabass": "Db.", "harp": "Hp.", "celesta": "Cel."},
    **{"flute": "Fl.", "flutes": "Fl.", "piccolo": "Picc.", "oboe": "Ob.", "clarinet": "Cl."},
    **{"bassoon": "Bsn.", "horn": "Hn.", "horns": "Hn.", "trumpet": "Tpt.", "trombone": "Tbn."},
    **{"trombones": "Tbn.", "timpani": "Timp.", "choir": "Ch.", "organ": "Org.", "synth": "Syn."},
    **{"percussion": "Perc.", "pizzicato": "Pizz.", "spiccato": "Spicc.", "tuba": "Tba."},
    **{"vibraphone": "Vib.", "marimba": "Mar.", "glockenspiel": "Glock.", "xylophone": "Xyl."},
}


def family(player: Player) -> Family:
    """Return the family of a player; what is in none sits with the synthesizers."""
    if player.instrument == DRUMS:
        return next(f for f in FAMILIES if f.name == "drums")
    other = next(f for f in FAMILIES if f.name == "synthesizers")
    return next((f for f in FAMILIES if player.program in f.programs), other)


def place(player: Player) -> tuple[int, int]:
    """Return what a score is sorted by: the family, and the place in it."""
    of = family(player)
    seat = of.programs.index(player.program) if player.program in of.programs else 0
    return FAMILIES.index(of), seat


def abbreviation(name: str) -> str:
    """Return the short name of a player, for all systems but the first.

    >>> abbreviation("Solo violin"), abbreviation("Horns 2"), abbreviation("Kalimba")
    ('Solo Vln.', 'Hn. 2', 'Kal.')
    """
    known = [SHORT.get(word.lower(), word) for word in name.split()]
    if known != name.split():
        return " ".join(known)
    return name if len(name) <= 5 else f"{name[:3]}."
