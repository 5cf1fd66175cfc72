"""Songs as sums of tones: each tone is played once, and a note is a slice of one.

Where songs are learned from on a GPU, no sound need travel there: the tones lie there, and a song
is a sum. A note sounds as symusic plays it in ``sound.synthesis``.

Shapes: K tones of S samples, N notes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeAlias

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from emsync.arrays import Int64s
from emsync.errors import UsageError
from emsync.music.piece import DRUMS, Played
from emsync.retrieval.drawn.playing import PROGRAMS, VOLUMES, Hall
from emsync.sound.mel import RATE
from emsync.sound.synthesis import RELEASE, RING, restruck, tones_of

LONGEST = 3.0  # seconds that a note is held at most
FADE = round(RELEASE * RATE)  # samples in which a note that is let go falls to FADED
FADED = 0.01
SIZE = round(LONGEST * RATE) + FADE  # samples of a tone
MANY = 64  # notes that are added at once
Voice: TypeAlias = tuple[int, bool]  # a General MIDI program or a drum kit, and whether it is a kit


class Notes(NamedTuple):
    """What is played, by columns of (N,)."""

    tones: Tensor  # int64: which of the bank's
    starts: Tensor  # int64: samples
    lengths: Tensor  # int64: samples before the note is let go
    gains: Tensor  # float32


@dataclass(frozen=True, eq=False)
class Bank:
    """Tones that were played once."""

    tones: Tensor  # (K, S) float16
    places: Mapping[tuple[Voice, int], int]  # by voice and pitch: which of them

    @classmethod
    def of(cls, voices: Iterable[Voice], pitches: Iterable[int]) -> Self:
        """Return a bank in which each voice plays each pitch, by the sound font of the package."""
        wanted = sorted(set(pitches))
        rows: list[Tensor] = []
        places: dict[tuple[Voice, int], int] = {}
        for voice in voices:
            for pitch, tone in tones_of(*voice, wanted, SIZE / RATE, RATE).items():
                places[voice, pitch] = len(rows)
                row = torch.zeros(SIZE, dtype=torch.float16)
                row[: len(tone)] = torch.from_numpy(tone[:SIZE].mean(axis=1))
                rows.append(row)
        return cls(torch.stack(rows), places)

    def notes(self, passage: Played, rng: Generator) -> Notes:
        """Return the notes of a passage, each track as loud and by such a voice as it happens.

        UsageError where the bank has no voice of a track's class, or not its pitches.
        """
        tones, gains = np.zeros(len(passage.piece), np.int64), np.zeros(len(passage.piece))
        lengths = np.zeros(len(passage.piece), np.int64)
        for track in np.unique(passage.tracks):
            mine = np.flatnonzero(passage.tracks == track)
            mine = mine[np.argsort(passage.piece.pitches[mine], kind="stable")]
            tones[mine], lengths[mine] = self._played(passage, mine, rng)
            loud = rng.integers(*VOLUMES) * np.clip(passage.velocities[mine], 1, 127) / 127**2
            gains[mine] = loud**2
        starts = np.round(passage.piece.onsets * RATE).astype(np.int64)
        return Notes(
            torch.from_numpy(tones),
            torch.from_numpy(starts),
            torch.from_numpy(lengths),
            torch.from_numpy(gains.astype(np.float32)),
        )

    def _played(self, passage: Played, mine: Int64s, rng: Generator) -> tuple[Int64s, Int64s]:
        """Return the tones and lengths of the notes ``mine`` of one track, by pitch and onset."""
        piece = passage.piece
        kind, pitches = int(piece.classes[mine[0]]), piece.pitches[mine].astype(np.int64)
        found = {voice for voice, _ in self.places}
        voices = [(program, kind == DRUMS) for program in PROGRAMS[kind]]
        voices = [voice for voice in voices if voice in found]
        if not voices:
            raise UsageError(f"the bank of tones has no voice of the class {kind}; add one")
        voice = voices[rng.integers(len(voices))]
        for pitch in np.unique(pitches).tolist():
            if (voice, pitch) not in self.places:
                raise UsageError(f"the bank of tones does not play the pitch {pitch}; add it")
        tones = [self.places[voice, pitch] for pitch in pitches.tolist()]
        ends = restruck(pitches, piece.onsets[mine], piece.offsets[mine])
        held = np.clip(ends - piece.onsets[mine], RING if kind == DRUMS else 0.0, LONGEST)
        return np.array(tones, np.int64), np.round(held * RATE).astype(np.int64)

    def song(self, notes: Notes, length: int) -> Tensor:
        """Return the (length,) samples of notes, where the tones are."""
        out = torch.zeros(length, device=self.tones.device)
        for part in zip(*(torch.split(column, MANY) for column in notes), strict=True):
            self._add(Notes(*(column.to(out.device) for column in part)), out)
        return out

    def _add(self, notes: Notes, out: Tensor) -> None:
        """Add notes to samples."""
        room = (len(out) - notes.starts).clamp_min(0)
        lengths = (notes.lengths + FADE).minimum(room)
        note = torch.repeat_interleave(lengths)  # of each sample that is added: whose it is
        within = torch.arange(len(note), device=out.device) - (lengths.cumsum(0) - lengths)[note]
        gone = (within - notes.lengths[note]).clamp_min(0) / (FADE - 1)
        tone = self.tones[notes.tones[note], within] * notes.gains[note] * FADED**gone
        out.index_add_(0, notes.starts[note] + within, tone)


def in_a_hall(samples: Tensor, rng: Generator, hall: Hall) -> Tensor:
    """Return (n,) samples as heard in a hall, as loud or soft as it happens."""
    share, fade = rng.uniform(*hall.wet), rng.uniform(*hall.fade)
    times = torch.arange(round(3 * fade * RATE), device=samples.device) / RATE
    noise = torch.from_numpy(rng.standard_normal(len(times)).astype(np.float32))
    tail = noise.to(samples.device) * torch.exp(-times / fade)
    size = len(samples) + len(tail)
    spectrum = torch.fft.rfft(samples, size)
    heard = spectrum * (1 - share + share * torch.fft.rfft(tail / tail.norm(), size))
    hertz = torch.fft.rfftfreq(size, 1 / RATE, device=samples.device)
    heard = heard / (1 + (hertz / rng.uniform(*hall.low_pass)) ** 4).sqrt()  # Butterworth's
    sound = torch.fft.irfft(heard, size)[: len(samples)]
    level = 10 ** (rng.uniform(*hall.gain) / 20) / sound.square().mean().sqrt().clamp_min(1e-9)
    return (sound * level).clamp(-1, 1)
