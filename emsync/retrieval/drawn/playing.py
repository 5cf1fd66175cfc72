"""A passage of a song, played so that no instrument tells which song it is.

Each passage has its own General MIDI programs within the class of each track, its own gain and
balance, its own low-pass and room.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator

from emsync.arrays import Float32s
from emsync.music.general_midi import KITS, VOLUME
from emsync.music.piece import BASS, DRUMS, GUITAR, PIANO, STRINGS, Played
from emsync.sound.synthesis import synthesize

if TYPE_CHECKING:
    from symusic.core import NoteTickList, ScoreTick

RATE = 16_000  # samples a second
PROGRAMS = {
    DRUMS: tuple(KITS.values()),
    BASS: tuple(range(32, 40)),
    GUITAR: tuple(range(24, 32)),
    PIANO: tuple(range(8)),
    STRINGS: (*range(16, 24), *range(40, 47), *range(48, 55), *range(56, 96)),
}
TRIES = 12  # beginnings that are tried before a song is given up
LEAST = 1.0  # notes a second of a passage


@dataclass(frozen=True)
class Hall:
    """Where passages are played; of each pair of numbers every passage has its own between them."""

    rate: int = RATE  # samples a second
    gain: tuple[float, float] = (-34.0, -18.0)  # dB of full scale, of the mean level
    low_pass: tuple[float, float] = (3_000.0, 7_900.0)  # Hz
    wet: tuple[float, float] = (0.0, 0.35)  # share of the sound that the room gives back
    fade: tuple[float, float] = (0.1, 0.9)  # seconds in which that falls to 1/e


HALL = Hall()


def passage(song: Played, seconds: float, rng: Generator) -> Played | None:
    """Return ``seconds`` of a song from one of its downbeats on; None where there is no such."""
    piece = song.piece
    begins = piece.downbeats[piece.downbeats + seconds <= piece.duration]
    for start in rng.permutation(begins)[:TRIES].tolist():
        left = piece.since(start)
        inside = np.flatnonzero(piece.onsets >= start)[left.onsets < seconds]
        if len(inside) >= LEAST * seconds:
            return Played(left.until(seconds), song.velocities[inside], song.tracks[inside])
    return None


def play(passage: Played, seconds: float, rng: Generator, hall: Hall = HALL) -> Float32s:
    """Return the (N,) samples of a passage that is played in ``hall``."""
    length = round(seconds * hall.rate)
    sound = synthesize(_score(passage, rng), rate=hall.rate).samples.mean(axis=1)[:length]
    sound = np.pad(sound, (0, length - len(sound)))
    sound = _filtered(_in_a_room(sound, rng, hall), rng.uniform(*hall.low_pass), hall.rate)
    level = 10 ** (rng.uniform(*hall.gain) / 20) / max(float(np.sqrt(np.mean(sound**2))), 1e-9)
    return np.clip(sound * level, -1, 1).astype(np.float32)


def _score(passage: Played, rng: Generator) -> "ScoreTick":
    """Return a score of one-millisecond ticks, a track for each that plays."""
    from symusic import Note
    from symusic.core import ControlChangeTick, ScoreTick, TempoTick, TrackTick

    piece = passage.piece
    score = ScoreTick(1000)
    score.tempos.append(TempoTick(0, 60.0))
    starts = np.round(piece.onsets * 1000).astype(np.int32)
    lengths = np.maximum(np.round(piece.offsets * 1000).astype(np.int32) - starts, 1)
    velocities = np.clip(passage.velocities, 1, 127).astype(np.int8)
    for number in np.unique(passage.tracks):
        mine = passage.tracks == number
        kind = int(piece.classes[mine][0])
        track = TrackTick("", int(rng.choice(PROGRAMS[kind])), kind == DRUMS)
        track.controls.append(ControlChangeTick(0, VOLUME, int(rng.integers(70, 120))))
        pitches = piece.pitches[mine].astype(np.int8)
        notes = Note.from_numpy(starts[mine], lengths[mine], pitches, velocities[mine])
        track.notes = cast("NoteTickList", notes)
        score.tracks.append(track)
    return score


def _in_a_room(sound: Float32s, rng: Generator, hall: Hall) -> Float32s:
    """Return the sound with the tail of a room: noise that fades."""
    from scipy.signal import oaconvolve

    share, fade = rng.uniform(*hall.wet), rng.uniform(*hall.fade)
    time = np.arange(round(3 * fade * hall.rate)) / hall.rate
    tail = rng.standard_normal(len(time)) * np.exp(-time / fade)
    tail /= np.linalg.norm(tail)
    wet = oaconvolve(sound, tail)[: len(sound)]
    return (sound * (1 - share) + wet * share).astype(np.float32)


def _filtered(sound: Float32s, cutoff: float, rate: int) -> Float32s:
    """Return the sound without what is above ``cutoff`` Hz."""
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(2, cutoff, fs=rate, output="sos"), sound), np.float32)
