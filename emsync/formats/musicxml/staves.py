"""The staves of a part: clefs by player and range, and the two hands of a keyboard."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emsync.formats.musicxml.bars import Bars
from emsync.formats.musicxml.families import GRAND
from emsync.formats.musicxml.grid import Note, written
from emsync.formats.musicxml.voices import Voice, drummed, voiced
from emsync.music.bars import TempoMap
from emsync.music.piece import DRUMS
from emsync.performance.part import Part


@dataclass(frozen=True)
class Clef:
    """What stands at the beginning of a staff."""

    sign: str
    line: int = 0  # from below; 0 is none
    octaves: int = 0  # that it transposes


TREBLE, BASS, ALTO, KIT = Clef("G", 2), Clef("F", 4), Clef("C", 3), Clef("percussion")
CLEFS = {  # by program
    **dict.fromkeys(range(24, 32), Clef("G", 2, -1)),  # guitars
    **dict.fromkeys((*range(32, 40), 43), Clef("F", 4, -1)),  # basses
    **dict.fromkeys((40, 56, 68, 71, 72, 73, 110), TREBLE),
    **dict.fromkeys((42, 47, 57, 58, 70), BASS),
    41: ALTO,
}
MIDDLE = 60  # hands part near it
REACH = 7  # semitones around MIDDLE within which they part
OCTAVE = 12
LEDGER = 0.15  # share of the notes that may be far outside of a staff; for more there is another


@dataclass(frozen=True)
class Staff:
    """One staff of a part."""

    clef: Clef
    voices: list[Voice]
    ternary: frozenset[int] = frozenset()  # beats in threes


def staves(part: Part, tempo_map: TempoMap, bars: Bars) -> list[Staff]:
    """Return the music of a part on its staves: one, or two for who plays with two hands."""
    music, player = written(part, tempo_map, bars.beats), part.player
    if player.instrument == DRUMS:
        return [Staff(KIT, drummed(music, bars), music.ternary)]
    pitches = np.array([note.pitch for note in music.notes] or [MIDDLE])
    known = CLEFS.get(player.program)
    two = player.program in GRAND if known is None else False
    low, high = (pitches < MIDDLE - REACH).mean(), (pitches > MIDDLE + REACH).mean()
    if known is None and not two:  # such as an ensemble: as many staves as its notes need
        two = bool(low > LEDGER and high > LEDGER)
    if two:
        hands = _hands(music.notes, bars)
        if all(hands):
            return [
                Staff(clef, voiced(replace(music, notes=hand), bars), music.ternary)
                for clef, hand in zip((TREBLE, BASS), hands, strict=True)
            ]
    clef = known or (TREBLE if float(np.median(pitches)) >= MIDDLE else BASS)
    most = 1 if 32 <= player.program < 40 else 2
    return [Staff(clef, voiced(music, bars, most), music.ternary)]


def _hands(notes: Sequence[Note], bars: Bars) -> tuple[list[Note], list[Note]]:
    """Return what the right hand plays and what the left does.

    In each bar they part at the widest gap near middle C.
    """
    by_bar: dict[int, list[Note]] = defaultdict(list)
    for note in notes:
        by_bar[bars.at(note.start)].append(note)
    right: list[Note] = []
    left: list[Note] = []
    for inside in by_bar.values():
        split = _split(sorted({note.pitch for note in inside}))
        right += [note for note in inside if note.pitch >= split]
        left += [note for note in inside if note.pitch < split]
    return right, left


def _split(pitches: Sequence[int]) -> int:
    """Return the lowest pitch of the right hand.

    >>> _split([48, 55, 64, 67]), _split([52, 55]), _split([40, 58, 61])
    (60, 60, 58)
    """
    near = {p for p in pitches if abs(p - MIDDLE) <= REACH} | {MIDDLE}

    def gap(split: int) -> tuple[int, int]:
        below = max((p for p in pitches if p < split), default=-OCTAVE)
        above = min((p for p in pitches if p >= split), default=split + OCTAVE)
        return min(OCTAVE, above - below), -abs(split - MIDDLE)

    return max(near, key=gap)
