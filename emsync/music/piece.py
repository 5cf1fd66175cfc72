"""A piece of music in seconds, and what can be measured on it.

Shapes: N notes, K bars, M boundary chords.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.music.ticks import bar_lines, tick_seconds

if TYPE_CHECKING:
    from symusic.core import NoteTickList, ScoreSecond, ScoreTick

Score: TypeAlias = "ScoreTick"  # symusic's score in ticks: what MIDI files hold

CLASSES = ("drums", "bass", "guitar", "piano", "strings")
DRUMS, BASS, GUITAR, PIANO, STRINGS = range(5)
PROGRAMS = (0, 33, 25, 0, 48)  # General MIDI program of each class; drums are a channel, not one
LOWEST, HIGHEST = 21, 108  # MIDI pitches, the keys of a piano

VELOCITY, ACCENT = 80, 120  # of notes that nobody performs, and of those on a boundary chord

BEATS = 4  # in a bar, where the music does not say otherwise
CHORD_SIZE = 3  # notes of one instrument that begin together
CHORD_BEATS = 2.0  # beats each of them lasts at least
TOGETHER = 0.03  # seconds within which players who double a note begin it


@dataclass(frozen=True, eq=False)
class Piece:
    """Notes as columns, sorted by onset, and the structure above them; all times in seconds."""

    classes: NDArray[np.uint8]  # (N,) index into CLASSES
    pitches: NDArray[np.uint8]  # (N,) MIDI pitch
    onsets: Seconds  # (N,) ascending
    offsets: Seconds  # (N,) later than the onset
    downbeats: Seconds  # (K,) ascending
    chords: Seconds  # (M,) ascending; times of the chords that mark a musical boundary
    labels: Mapping[str, float] = field(default_factory=dict)  # such as "valence", if known

    def __post_init__(self) -> None:
        lengths = {len(c) for c in (self.classes, self.pitches, self.onsets, self.offsets)}
        if len(lengths) != 1:
            raise ValueError(f"the columns of a piece differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.onsets)

    @property
    def duration(self) -> float:
        """The end of the last note, in seconds."""
        return float(self.offsets.max(initial=0.0))

    @property
    def instruments(self) -> list[str]:
        """The names of the classes that play."""
        return [CLASSES[c] for c in np.unique(self.classes)]

    @classmethod
    def of(
        cls,
        notes: Float64s,
        downbeats: Seconds | None = None,
        chords: Seconds | None = None,
        labels: Mapping[str, float] | None = None,
    ) -> Self:
        """Build a piece from (N, 4) rows of class, pitch, onset, offset in any order."""
        rows = np.asarray(notes, np.float64).reshape(-1, 4)
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0], rows[:, 2]))]
        return cls(
            classes=rows[:, 0].astype(np.uint8),
            pitches=rows[:, 1].astype(np.uint8),
            onsets=rows[:, 2],
            offsets=rows[:, 3],
            downbeats=np.sort(np.asarray([] if downbeats is None else downbeats, np.float64)),
            chords=np.sort(np.asarray([] if chords is None else chords, np.float64)),
            labels=dict(labels or {}),
        )

    @property
    def rows(self) -> Float64s:
        """The (N, 4) rows of class, pitch, onset, offset that ``of`` builds a piece from."""
        return np.stack([self.classes, self.pitches, self.onsets, self.offsets], axis=1)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Return the piece with the notes that the (N,) ``mask`` marks, and with all its bars."""
        return replace(
            self,
            classes=self.classes[mask],
            pitches=self.pitches[mask],
            onsets=self.onsets[mask],
            offsets=self.offsets[mask],
        )

    def retimed(self, f: Callable[[Seconds], Seconds]) -> Self:
        """Return the piece in which every time t is ``f(t)``; ``f`` must not fall.

        >>> piece = Piece.of(np.array([(PIANO, 60, 1.0, 2.0)]), downbeats=np.array([0.0, 2.0]))
        >>> piece.retimed(lambda times: 2 * times).downbeats.tolist()
        [0.0, 4.0]
        """
        return replace(
            self,
            onsets=f(self.onsets),
            offsets=f(self.offsets),
            downbeats=f(self.downbeats),
            chords=f(self.chords),
        )

    def until(self, end: float) -> Self:
        """Return the piece up to ``end`` seconds; notes sounding there stop there."""
        begun = replace(
            self.where(self.onsets < end),
            downbeats=self.downbeats[self.downbeats < end],
            chords=self.chords[self.chords < end],
        )
        return begun.retimed(lambda times: np.minimum(times, end))

    def since(self, start: float) -> Self:
        """Return the piece from ``start`` on, its times in seconds from there."""
        left = replace(
            self.where(self.onsets >= start),
            downbeats=self.downbeats[self.downbeats >= start],
            chords=self.chords[self.chords >= start],
        )
        return left.retimed(lambda times: times - start)

    def stretched(self, factor: float) -> Self:
        """Return the piece ``factor`` times as long."""
        return self.retimed(lambda times: times * factor)


@dataclass(frozen=True, eq=False)
class Played:
    """A piece as somebody played it: how hard each note was struck, and on which track."""

    piece: Piece
    velocities: NDArray[np.uint8]  # (N,) 0 to 127
    tracks: NDArray[np.intp]  # (N,) the place of each note's track in its file

    @classmethod
    def of(
        cls,
        notes: NDArray[Any],
        downbeats: Seconds,
        chords: Seconds,
        labels: Mapping[str, float] | None = None,
    ) -> Self:
        """Build it from (N, 6) rows: class, pitch, onset, offset, velocity, track; any order."""
        rows = notes[np.lexsort((notes[:, 1], notes[:, 0], notes[:, 2]))]  # as Piece.of has them
        piece = Piece.of(rows[:, :4], downbeats, chords, labels)
        return cls(piece, rows[:, 4].astype(np.uint8), rows[:, 5].astype(np.intp))


def _velocities(piece: Piece, reach: float = 0.004) -> NDArray[np.uint8]:
    """Return the (N,) velocities: guitar and piano notes on a boundary chord are accented."""
    harmonic = (piece.classes == GUITAR) | (piece.classes == PIANO)
    nearest = np.searchsorted(piece.chords, piece.onsets - reach)
    padded = np.append(piece.chords, np.inf)
    on_chord = np.abs(padded[nearest] - piece.onsets) <= reach
    return np.where(harmonic & on_chord, ACCENT, VELOCITY).astype(np.uint8)


def program_class(program: int, is_drum: bool) -> int | None:
    """Return the class of a General MIDI program by the rule of LPD-5, or None if it is dropped.

    >>> [program_class(p, False) for p in (0, 25, 33, 48, 80, 97, 104, 127)]
    [3, 2, 1, 4, 4, None, 4, None]
    """
    if is_drum:
        return DRUMS
    if program < 8:
        return PIANO
    if 24 <= program < 32:
        return GUITAR
    if 32 <= program < 40:
        return BASS
    if program < 96 or 104 <= program < 112:
        return STRINGS
    return None


def long_chords(
    classes: NDArray[np.uint8],
    onsets: Float64s,
    beats: Float64s,
) -> Float64s:
    """Return the distinct onsets, ascending, at which a long guitar or piano chord begins.

    ``beats`` is the (N,) length of each note in beats. A long chord is three notes of one such
    instrument or more that begin together and last at least two beats each.
    """
    starts = []
    for instrument in (GUITAR, PIANO):
        long = (classes == instrument) & (beats >= CHORD_BEATS)
        times, count = np.unique(onsets[long], return_counts=True)
        starts.append(times[count >= CHORD_SIZE])
    return reduce(np.union1d, starts)


def to_score(piece: Piece, velocities: NDArray[np.uint8] | None = None) -> Score:
    """Return ``piece`` as a symusic score of one-millisecond ticks (120 BPM, 500 ticks a beat).

    Its notes are struck with (N,) ``velocities``; if none are given all alike, but for its chords.
    The grid says nothing about the bars; ``emsync.formats.midi`` writes the file a musician opens.
    """
    from symusic import Note
    from symusic.core import ScoreTick, TempoTick, TimeSignatureTick, TrackTick

    score = ScoreTick(500)
    score.tempos.append(TempoTick(0, 120.0))
    score.time_signatures.append(TimeSignatureTick(0, 4, 4))
    starts = np.round(piece.onsets * 1000).astype(np.int32)
    lengths = np.round(piece.offsets * 1000).astype(np.int32) - starts
    loudness = _velocities(piece) if velocities is None else velocities.clip(1, 127)
    for c in np.unique(piece.classes):
        mine = piece.classes == c
        track = TrackTick(name=CLASSES[c], program=PROGRAMS[c], is_drum=bool(c == DRUMS))
        notes = Note.from_numpy(
            starts[mine],
            np.maximum(lengths[mine], 1),
            piece.pitches[mine].astype(np.int8),
            loudness[mine].astype(np.int8),
        )
        track.notes = cast("NoteTickList", notes)
        score.tracks.append(track)
    return score


def singles(rows: Float64s) -> NDArray[np.intp]:
    """Return the places of the notes that are left where unisons become one note, ascending.

    Of (N, 4) rows of class, pitch, onset, offset, those of one class and pitch that begin together
    are one: several players double it.
    """
    order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))
    steps = np.abs(np.diff(rows[order, :3], axis=0))
    same = (steps[:, :2] == 0).all(axis=1) & (steps[:, 2] < TOGETHER)
    return np.sort(order[np.append(True, ~same)[: len(rows)]])


def from_score(
    score: Score,
    labels: Mapping[str, float] | None = None,
    instruments: Sequence[int | None] = (),
) -> Piece:
    """Return ``score`` as a piece: LPD-5's classes, bars from its time signatures, long chords.

    Programs that LPD-5 drops and pitches outside LOWEST..HIGHEST are left out. ``instruments`` are
    the classes of the tracks where those are known, None of a track where its is not; then the
    unisons of a class are one note.
    """
    return played_score(score, labels, instruments).piece


def played_score(
    score: Score,
    labels: Mapping[str, float] | None = None,
    instruments: Sequence[int | None] = (),
) -> Played:
    """Return what ``from_score`` does, with the velocity and the track of each note."""
    known = list(instruments) or [None] * len(score.tracks)
    tpq = score.ticks_per_quarter
    seconds = cast("ScoreSecond", score.to("second"))  # symusic's stubs say ``object``
    columns: list[Float64s] = []
    beats: list[Float64s] = []
    tracks = zip(score.tracks, seconds.tracks, known, strict=True)
    for place, (track, timed, named) in enumerate(tracks):
        instrument = program_class(track.program, track.is_drum) if named is None else named
        if instrument is None or not track.notes:
            continue
        rows, ticks = timed.notes.numpy(), track.notes.numpy()
        start = rows["time"].astype(np.float64)
        pitch = rows["pitch"].astype(np.float64)
        inside = (pitch >= LOWEST) & (pitch <= HIGHEST)
        facts = (instrument, pitch, start, start + rows["duration"], rows["velocity"], place)
        columns.append(np.stack(np.broadcast_arrays(*facts), axis=1)[inside])
        beats.append((ticks["duration"] / tpq)[inside])
    notes = np.concatenate(columns) if columns else np.zeros((0, 6))
    lengths = np.concatenate(beats) if beats else np.zeros(0)
    if any(c is not None for c in known):
        left = singles(notes)
        notes, lengths = notes[left], lengths[left]
    chords = long_chords(notes[:, 0].astype(np.uint8), np.round(notes[:, 2], 3), lengths)
    return Played.of(notes, _downbeats(score), chords, labels)


def _downbeats(score: Score) -> Seconds:
    """Return the bar lines of ``score`` in seconds, by its time signatures (4/4 where silent)."""
    signatures = [(s.time, s.numerator, s.denominator) for s in score.time_signatures]
    tempi = {t.time: t.mspq for t in score.tempos}
    resolution = score.ticks_per_quarter
    return tick_seconds(bar_lines(signatures, resolution, score.end() + 1), tempi, resolution)
