"""What a player knows of a note before striking it: metre, line, chord, the others, and phrase.

Everything is counted in beats, by the downbeats of the piece alone, so that it is the same at
every tempo. Shapes: N notes, F features, G strokes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Int64s
from emsync.music.piece import CLASSES, DRUMS, Piece
from emsync.performance.metre import BAR, GRID, Metre, metre, running_median
from emsync.performance.strokes import KINDS, Strokes, drum_kinds

SIXTEENTHS = 4  # in a beat
SPANS = (0.25, 0.5, 1.0, 2.0)  # beats from stroke to stroke that are told apart
FAR = 16.0  # beats: what is further away is as good as not there
REST = 1.0  # beats of silence that begin a phrase
AROUND = (2.0, 8.0)  # beats before and after a note in which the others are counted
LINE = 65  # notes over which the usual register of an instrument is taken


@dataclass(frozen=True, eq=False)
class Notes:
    """The notes of a piece, counted in beats."""

    classes: Int64s  # (N,) index into CLASSES
    pitches: Int64s  # (N,) MIDI pitch
    kinds: Int64s  # (N,) of drums; -1 of all others
    voices: Int64s  # (N,) the class; of drums, beyond the classes, the kind
    metre: Metre
    ends: Float64s  # (N,) beats
    strokes: Strokes
    bar: float  # seconds, the median of all bars

    @classmethod
    def of(cls, piece: Piece) -> "Notes":
        """Return the notes of ``piece``."""
        classes, pitches = piece.classes.astype(np.int64), piece.pitches.astype(np.int64)
        here = metre(piece.onsets, piece.downbeats)
        ends = metre(piece.offsets, piece.downbeats).beats
        kinds = np.where(classes == DRUMS, drum_kinds(pitches), -1)
        voices = np.where(classes == DRUMS, len(CLASSES) + kinds, classes)
        strokes = Strokes.find(voices, pitches, here.beats, ends)
        lengths = np.diff(piece.downbeats)
        lengths = lengths[lengths > 1e-6]  # of two downbeats at one moment, one is none
        bar = float(np.median(lengths)) if len(lengths) else BAR
        return cls(classes, pitches, kinds, voices, here, ends, strokes, bar)

    @property
    def drums(self) -> NDArray[np.bool_]:
        """The (N,) notes that are drums."""
        return self.classes == DRUMS


def features(notes: Notes) -> NDArray[np.float32]:
    """Return the (N, F) features of notes, at least one."""
    parts = (_who, _place, _line, _chord, _others, _density, _phrase)
    columns = [column for part in parts for column in part(notes)]
    columns += _style(notes)
    return np.column_stack(columns).astype(np.float32)


def _who(notes: Notes) -> Iterator[NDArray[np.generic]]:
    yield from (notes.classes == c for c in range(len(CLASSES)))
    yield from (notes.kinds == kind for kind in range(len(KINDS) + 1))


def _place(notes: Notes) -> Iterator[NDArray[np.generic]]:
    """Yield the sixteenth in the bar, how far off it the note is, and the bar among four."""
    exact = notes.metre.place * SIXTEENTHS
    sixteenth = np.round(exact)
    yield from (sixteenth % 16 == s for s in range(16))
    yield np.abs(exact - sixteenth) > 0.1
    yield exact - sixteenth
    yield from (notes.metre.bars % 4 == bar for bar in range(4))


def _line(notes: Notes) -> Iterator[NDArray[np.generic]]:
    """Yield the beats and steps from the stroke before and to the next, and the note's length."""
    strokes, of = notes.strokes, notes.strokes.of
    since, until = strokes.steps(strokes.beats, FAR)
    yield _log(since)[of]
    yield _log(until)[of]
    yield _log(until)[of] - _log(since)[of]
    for gaps in (since, until):
        yield from ((np.abs(gaps - span) < 0.02)[of] for span in SPANS)
    up, down = (
        np.where(strokes.voices < len(CLASSES), np.clip(steps, -12, 12) / 12, 0.0)[of]
        for steps in strokes.steps(strokes.tops, 0.0)
    )
    yield up
    yield down
    yield (up > 0) & (down < 0)
    lengths = notes.ends - notes.metre.beats
    yield np.where(notes.drums, 0.0, _log(lengths))
    yield np.where(notes.drums, 0.0, np.clip(lengths / until[of], 0, 2))


def _chord(notes: Notes) -> Iterator[NDArray[np.generic]]:
    """Yield the register, and the place among the notes struck together."""
    drums, pitches, strokes, of = notes.drums, notes.pitches, notes.strokes, notes.strokes.of
    usual = np.zeros(len(pitches))
    for voice in np.unique(notes.voices[~drums]):
        mine = notes.voices == voice
        usual[mine] = running_median(pitches[mine].astype(np.float64), LINE)
    yield np.where(drums, 0.0, (pitches - 60) / 24)
    yield np.where(drums, 0.0, np.clip((pitches - usual) / 12, -3, 3))
    size, bottoms = strokes.sizes[of], strokes.bottoms[of]
    yield from (size == n for n in (1, 2, 3))
    yield size > 3
    yield np.log2(size)
    chord = (size > 1) & ~drums
    yield chord & (pitches == strokes.tops[of])
    yield chord & (pitches == bottoms)
    span = np.maximum(strokes.tops[of] - bottoms, 1)
    yield np.where(chord, (pitches - bottoms) / span, 0.5)


def _others(notes: Notes) -> Iterator[NDArray[np.generic]]:
    """Yield which other instruments and drums are struck at the same moment."""
    ticks = np.round(notes.metre.beats * GRID).astype(np.int64)
    moments, at = np.unique(ticks, return_inverse=True)
    for voice in (*range(1, len(CLASSES)), *(len(CLASSES) + k for k in range(len(KINDS)))):
        sounds = np.zeros(len(moments), np.bool_)
        sounds[at[notes.voices == voice]] = True
        yield sounds[at] & (notes.voices != voice)


def _density(notes: Notes) -> Iterator[NDArray[np.generic]]:
    """Yield how much happens around: in the voice, in the class, and in all."""
    for groups in (notes.voices, notes.classes, np.zeros_like(notes.classes)):
        for reach in AROUND:
            yield np.log2(1 + _around(groups, notes.metre.beats, reach))


def _phrase(notes: Notes) -> Iterator[NDArray[np.generic]]:
    """Yield the place between two rests of the class."""
    begun, left = _between_rests(notes.classes, notes.metre.beats, notes.ends)
    yield _log(begun)
    yield _log(left)
    yield begun / np.maximum(begun + left, 0.25)
    yield begun < 0.01
    yield left < 0.01


def _style(notes: Notes) -> list[Float64s]:
    """Return the tempo, and how many of the notes each class has: alike for all notes."""
    shares = [float((notes.classes == c).mean()) for c in range(len(CLASSES))]
    return [np.full(len(notes.classes), value) for value in (np.log2(notes.bar / BAR), *shares)]


def _log(beats: Float64s) -> Float64s:
    """Return lengths in octaves from a beat, between a 32nd and FAR."""
    return np.log2(np.clip(beats, 0.125, FAR))


def _around(groups: Int64s, beats: Float64s, reach: float) -> Float64s:
    """Return the (N,) notes of the same group within ``reach`` beats before and after."""
    found = np.zeros(len(beats))
    for group in np.unique(groups):
        mine = groups == group
        times = np.sort(beats[mine])
        low, high = beats[mine] - reach - 1e-6, beats[mine] + reach + 1e-6
        found[mine] = np.searchsorted(times, high) - np.searchsorted(times, low)
    return found


def _between_rests(classes: Int64s, beats: Float64s, ends: Float64s) -> tuple[Float64s, Float64s]:
    """Return the (N,) beats since the class played again after a rest, and to its last stroke."""
    begun, left = np.zeros(len(beats)), np.zeros(len(beats))
    for c in np.unique(classes):
        mine = np.flatnonzero(classes == c)
        sound = np.maximum.accumulate(np.maximum(ends[mine], beats[mine] + 0.25))
        new = np.append(True, beats[mine][1:] - sound[:-1] >= REST)
        phrase = np.cumsum(new) - 1
        first = beats[mine][new]
        last = beats[mine][np.append(np.flatnonzero(new)[1:], len(mine)) - 1]
        begun[mine] = beats[mine] - first[phrase]
        left[mine] = last[phrase] - beats[mine]
    return begun, left
