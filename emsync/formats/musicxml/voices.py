"""Notes as chords in one voice or two, each as long as reads well.

A second voice is there for notes that are held while others move; what overlaps the next note by
less than a beat stops for it. Where more than two are held, the longest stops: no note is left out.
"""

import math
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np

from emsync.formats.musicxml.bars import Bars
from emsync.formats.musicxml.grid import STEP, Note, Written

HELD = STEP  # a note that goes on for so long after the next one began has a voice of its own
LONGER, SHORTER = 1.0, 2.0  # what it costs to double or to halve a note; a written sign costs 1
MOST = 1.5  # times longer on paper than in sound, where that is more than a quarter note
STACCATO = 2.0  # times longer on paper than in sound is a note with a dot
EIGHTH = STEP // 2  # what is shorter needs none


@dataclass
class Chord:
    """Notes of one voice that are struck together."""

    start: int  # steps from the beginning
    stop: int
    notes: list[Note] = field(default_factory=list)

    @property
    def pitches(self) -> list[int]:
        """The pitches, ascending."""
        return sorted({note.pitch for note in self.notes})

    @property
    def sounding(self) -> float:
        """The steps that its notes sound, of unequal ones the middle."""
        return float(np.median([note.stop for note in self.notes])) - self.start

    @property
    def staccato(self) -> bool:
        """Whether it is much shorter than it is written."""
        length = self.stop - self.start
        return EIGHTH <= length <= STEP and length >= STACCATO * self.sounding


Voice = list[Chord]  # one after another


def drummed(music: Written, bars: Bars) -> list[Voice]:
    """Return the one voice of drums: each stroke until the next one, or the next beat."""
    chords = [Chord(start, start, list(notes)) for start, notes in _by_start(music.notes)]
    for chord, limit in zip(chords, _limits(chords, bars), strict=True):
        chord.stop = min(limit, (chord.start // STEP + 1) * STEP)
    return [chords]


def voiced(music: Written, bars: Bars, most: int = 2) -> list[Voice]:
    """Return the notes of a staff in at most ``most`` voices, the higher one first."""
    found: list[Voice] = [[] for _ in range(most)]
    starts = list(_by_start(music.notes))
    following = [*(start for start, _ in starts[1:]), bars.lines[-1]][: len(starts)]
    for (start, notes), after in zip(starts, following, strict=True):
        held = [note for note in notes if most > 1 and note.stop >= after + HELD]
        moving = [note for note in notes if note not in held]
        if held:
            stop = round(float(np.median([note.stop for note in held])))
            _place(found, Chord(start, min(stop, bars.lines[-1]), held))
        if moving:
            _place(found, Chord(start, after, moving))
    voices = [voice for voice in found if voice]
    for voice in voices:
        for chord, limit in zip(voice, _limits(voice, bars), strict=True):
            chord.stop = _readable(chord, limit, bars, music.ternary)
    return _higher_first(voices, bars) if len(voices) > 1 else voices


def _by_start(notes: Sequence[Note]) -> Iterator[tuple[int, list[Note]]]:
    for start, together in groupby(notes, key=lambda note: note.start):
        yield start, list(together)


def _limits(voice: Sequence[Chord], bars: Bars) -> list[int]:
    """Return for each chord of a voice when the next one begins, or the music ends."""
    return [*(chord.start for chord in voice[1:]), bars.lines[-1]][: len(voice)]


def _place(voices: Sequence[Voice], chord: Chord) -> None:
    """Add a chord to the first voice that is silent, or to the one that has sounded longest.

    Where all have just begun, its notes join the nearest in length.
    """
    free = next((v for v in voices if not v or v[-1].stop <= chord.start), None)
    if free is None:
        earlier = [voice for voice in voices if voice[-1].start < chord.start]
        if not earlier:
            nearest = min(voices, key=lambda voice: abs(voice[-1].stop - chord.stop))
            nearest[-1].notes += chord.notes
            return
        free = min(earlier, key=lambda voice: voice[-1].start)
        free[-1].stop = chord.start
    free.append(chord)


def _readable(chord: Chord, limit: int, bars: Bars, ternary: Set[int]) -> int:
    """Return where ``chord`` ends on paper: near its end in sound, with few signs to read.

    Counted are the notes up to there and the rests up to the next note or bar line.
    """
    start, sounding = chord.start, max(chord.sounding, 1.0)
    stop = min(start + sounding, float(limit))

    def cost(end: int) -> float:
        line = bars.lines[bars.at(end - 1) + 1]
        signs = len(list(bars.written(start, end, ternary)))
        signs += len(list(bars.written(end, min(limit, line), ternary, rest=True)))
        away = math.log2((end - start) / sounding) if end < limit or stop < limit else 0.0
        return round(signs + (LONGER * away if away > 0 else -SHORTER * away), 6)

    longest = start + max(STEP, MOST * sounding)
    ends = {min(limit, end) for end in _ends(start, stop, ternary)} | {limit}
    ends -= {end for end in ends if end % STEP and end < limit < _rest_after(end, ternary)}
    return min(sorted(end for end in ends if end <= longest) or [min(ends)], key=cost)


def _rest_after(end: int, ternary: Set[int]) -> int:
    """Return where the shortest rest ends that may follow a note in its beat."""
    return end + (4 if end // STEP in ternary else EIGHTH)


def _ends(start: int, stop: float, ternary: Set[int]) -> Iterator[int]:
    """Yield where a note might end: on the lines of the beats around its end in sound."""
    first = max(start // STEP, int(stop) // STEP - 1)
    for beat in range(first, int(stop) // STEP + 2):
        size = 4 if beat in ternary else 6  # a rest in a beat is no shorter
        for place in range(size, STEP + 1, size):
            if beat * STEP + place > start:
                yield beat * STEP + place


def _higher_first(voices: list[Voice], bars: Bars) -> list[Voice]:
    """Return two voices with the higher one first, exchanged where no note crosses a bar line."""
    joints = [
        line
        for line in bars.lines
        if not any(chord.start < line < chord.stop for voice in voices for chord in voice)
    ]
    first: Voice = []
    second: Voice = []
    for a, b in pairwise(joints):
        upper, lower = ([c for c in voice if a <= c.start < b] for voice in voices)
        if lower and (not upper or _height(lower) > _height(upper)):
            upper, lower = lower, upper
        first += upper
        second += lower
    return [first, second] if second else [first]


def _height(voice: Sequence[Chord]) -> float:
    return float(np.mean([pitch for chord in voice for pitch in chord.pitches]))
