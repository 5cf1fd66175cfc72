"""Songs with one fault each, as small networks make them: what a judge of music must tell apart.

A song, with its bars, becomes its damaged twin; the notes that a fault does not touch stay. None
where it could not be told from the song, as of one voice that has none to be out of tune with.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from emsync.metrics.cadence import last_chord
from emsync.metrics.quality import beat_positions
from emsync.music.chords import NONE, TONES, half_bars, heard
from emsync.music.piece import BASS, CLASSES, DRUMS, GUITAR, HIGHEST, LOWEST, PIANO, STRINGS, Piece

Damage = Callable[[Piece, np.random.Generator], Piece | None]

LEAST = 8  # notes of a voice that can be heard to be at fault
OFF = (-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)  # semitones
CLUSTER = 5  # tones
WRONG, LATE = 0.2, 0.5  # shares of the notes


def shuffled(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """The whole bars in another order."""
    bars = piece.downbeats
    lengths = np.diff(bars)
    if len(lengths) < 3:
        return None
    order = rng.permutation(len(lengths))
    starts = np.zeros(len(lengths))
    starts[order] = bars[0] + np.concatenate([[0.0], np.cumsum(lengths[order])[:-1]])
    moves = np.concatenate([[0.0], starts - bars[:-1], [0.0]])  # before, in, and after whole bars
    shift = moves[np.searchsorted(bars, piece.onsets + 1e-3, side="right")]
    rows = piece.rows + np.stack([0 * shift, 0 * shift, shift, shift], axis=1)
    return Piece.of(rows, np.append(np.sort(starts), bars[-1]), piece.chords)


def looped(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """One bar over and over."""
    bars = piece.downbeats
    if len(bars) < 5:
        return None
    bar = int(rng.integers(0, len(bars) - 1))
    inside = (piece.onsets >= bars[bar] - 1e-3) & (piece.onsets < bars[bar + 1] - 1e-3)
    one = piece.where(inside).rows
    if not len(one):
        return None
    length = (bars[bar + 1] - bars[bar]) * np.array([0.0, 0.0, 1.0, 1.0])
    rows = [one + (k - bar) * length for k in range(len(bars) - 1)]
    lines = bars[bar] + (np.arange(len(bars)) - bar) * length[3]
    start = max(0.0, -float(lines[0]), -float(rows[0][:, 2].min()))
    return Piece.of(np.concatenate(rows) + start * np.sign(length), lines + start)


def droned(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """One tone, held bar by bar through all of it."""
    bars = np.append(piece.downbeats, piece.duration)
    pitch = int(rng.integers(48, 72))
    held = [(STRINGS, pitch, a, b) for a, b in pairwise(bars.tolist()) if b > a]
    return Piece.of(np.concatenate([piece.rows, np.array(held)]), piece.downbeats, piece.chords)


def transposed(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """One voice in another key than the others."""
    voices = _voices(piece)
    return _moved(piece, int(rng.choice(voices)), int(rng.choice(OFF))) if len(voices) > 1 else None


def misplaced(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """One voice two octaves too high or too low."""
    voices = _voices(piece)
    if not voices:
        return None
    voice = int(rng.choice(voices))
    mean = piece.pitches[piece.classes == voice].mean()
    return _moved(piece, voice, 24 if mean < 60 else -24)


def stuck(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """One voice on one note."""
    voices = [c for c in _voices(piece) if len(np.unique(piece.pitches[piece.classes == c])) > 3]
    if not voices:
        return None
    own = piece.classes == int(rng.choice(voices))
    commonest = int(np.bincount(piece.pitches[own]).argmax())
    return _pitched(piece, np.where(own, commonest, piece.pitches))


def one_chord(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """Every note on the nearest tone of one of its chords."""
    chords = heard(piece, half_bars(piece.downbeats))
    chords = chords[chords != NONE]
    if len(np.unique(chords % 12)) < 3:
        return None
    tones = np.flatnonzero(TONES[int(rng.choice(chords))])
    every = np.array([12 * octave + tone for octave in range(11) for tone in tones])
    near = every[np.abs(piece.pitches.astype(np.int64)[:, None] - every).argmin(axis=1)]
    return _pitched(piece, np.where(piece.classes == DRUMS, piece.pitches, near))


def clustered(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """A cluster in the last chord."""
    last = last_chord(piece)
    if not len(last):
        return None
    low = int(rng.integers(55, 68))
    at, end = float(last.onsets.max()), float(last.offsets.max())
    notes = [(PIANO, low + k, at, end) for k in range(CLUSTER)]
    return Piece.of(np.concatenate([piece.rows, np.array(notes)]), piece.downbeats, piece.chords)


def wrong_notes(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """A share of the notes up to three semitones off."""
    off = rng.choice([-3, -2, -1, 1, 2, 3], len(piece))
    wrong = (rng.random(len(piece)) < WRONG) & (piece.classes != DRUMS)
    return _pitched(piece, piece.pitches + np.where(wrong, off, 0)) if wrong.sum() > 3 else None


def out_of_time(piece: Piece, rng: np.random.Generator) -> Piece | None:
    """A share of the notes a sixteenth early or late."""
    beats = beat_positions(piece, piece.onsets)
    sixteenth = (piece.onsets[-1] - piece.onsets[0]) / max(beats[-1] - beats[0], 1.0) / 4
    shift = sixteenth * rng.choice([-1, 1], len(piece)) * (rng.random(len(piece)) < LATE)
    shift = np.maximum(shift, -piece.onsets)
    rows = piece.rows + np.stack([0 * shift, 0 * shift, shift, shift], axis=1)
    return Piece.of(rows, piece.downbeats, piece.chords)


DAMAGES: Mapping[str, Damage] = {
    "shuffled bars": shuffled,
    "one bar over and over": looped,
    "a drone": droned,
    "a voice transposed": transposed,
    "a voice two octaves off": misplaced,
    "a voice on one note": stuck,
    "all on one chord": one_chord,
    "a cluster at the end": clustered,
    "a fifth of the notes wrong": wrong_notes,
    "half of the notes out of time": out_of_time,
}


def _voices(piece: Piece) -> list[int]:
    """Return the pitched classes with enough notes to be heard."""
    counts = np.bincount(piece.classes, minlength=len(CLASSES))
    return [c for c in (BASS, GUITAR, PIANO, STRINGS) if counts[c] >= LEAST]


def _moved(piece: Piece, voice: int, semitones: int) -> Piece:
    return _pitched(piece, piece.pitches + np.where(piece.classes == voice, semitones, 0))


def _pitched(piece: Piece, pitches: np.ndarray) -> Piece:
    rows = piece.rows
    rows[:, 1] = np.clip(pitches.astype(np.int64), LOWEST, HIGHEST)
    rows[:, 1] = np.where(piece.classes == DRUMS, piece.pitches, rows[:, 1])
    return Piece.of(rows, piece.downbeats, piece.chords)
