"""Players: who plays the notes of a class of instruments, on a track of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, PIANO, PROGRAMS, STRINGS

LOUDNESS = 100  # controller 7
OCTAVE = 12  # semitones

Notes: TypeAlias = Literal["all", "long", "short"]
Repeats: TypeAlias = Literal["struck", "held", "broken"]
Line: TypeAlias = Literal["all", "upper", "lower"]


@dataclass(frozen=True)
class Player:
    """One track of a score, what plays it, and which notes of a class it plays there."""

    name: str  # of the track
    instrument: int  # of CLASSES, whose notes it plays
    program: int = 0  # of General MIDI, from 0; of drums the kit
    volume: int = LOUDNESS  # controller 7
    pan: int = 64  # controller 10; 64 is the middle
    low: int = 0  # the lowest MIDI pitch that it plays
    high: int = 127  # the highest
    octave: int = 0  # octaves by which it plays higher than what is written for its class
    notes: Notes = "all"  # of figures of long notes, of short ones, or of both
    line: Line = "all"  # the highest line of its class, all below it, or both
    doubles: bool = False  # whether it plays along with others, who have the same notes
    repeats: Repeats = "struck"  # what becomes of chords that its class strikes again and again
    # Of drums: what is struck in place of a key; -1 strikes nothing. Other keys stay
    strokes: tuple[tuple[int, int], ...] = ()

    @property
    def track(self) -> tuple[str, int, int, int, int]:
        """What makes two players one track: all that is heard of a player but the notes."""
        return self.name, self.instrument, self.program, self.volume, self.pan


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
