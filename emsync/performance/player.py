"""Players: who plays the notes of a class of instruments, on a track of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, PROGRAMS, STRINGS

LOUDNESS = 100  # controller 7


@dataclass(frozen=True)
class Player:
    """One track of a score, and what plays it."""

    name: str  # of the track
    instrument: int  # of CLASSES, whose notes it plays
    program: int = 0  # of General MIDI, from 0; of drums the kit
    volume: int = LOUDNESS  # controller 7
    pan: int = 64  # controller 10; 64 is the middle


def _plain(instrument: int, pan: int = 64) -> Player:
    name = CLASSES[instrument].capitalize()
    return Player(name, instrument, PROGRAMS[instrument], pan=pan)


BAND = (
    _plain(DRUMS),
    _plain(BASS),
    _plain(GUITAR, pan=84),  # guitar and piano stand apart
    _plain(PIANO, pan=44),
    _plain(STRINGS),
)

# From which second on which players play; the first from the beginning
Casting: TypeAlias = Sequence[tuple[float, Sequence[Player]]]
PLAIN: Casting = ((0.0, BAND),)
