"""Toy films and music in which it is known what belongs together: flashes at strokes of a song."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from emsync.arrays import Float64s
from emsync.music.piece import DRUMS, Piece
from emsync.sound.mel import BANDS, ROW_RATE, SILENCE
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.feed import Batch, Films, Group
from emsync.synchrony.negatives import Heard, Recording, off_the_beat, replaced, segment, silence
from emsync.synchrony.seen import HEIGHT, WIDTH
from emsync.synchrony.towers import TowerConfig

SMOKE = TowerConfig(dimensions=16, width=16, channels=4)
SECONDS = 12.0  # of a recording
ROWS = 40  # of a film


def synchrony(seed: int = 0, config: TowerConfig = SMOKE) -> Synchrony:
    """Return towers that know nothing."""
    torch.manual_seed(seed)
    return Synchrony(config).eval()


def drums(strokes: Float64s) -> Piece:
    """Return a piece of a stroke at each of these seconds."""
    count, at = len(strokes), strokes
    return Piece(
        np.full(count, DRUMS, np.uint8), np.full(count, 40, np.uint8), at, at + 0.05,
        np.arange(0.0, SECONDS, 2.0), np.zeros(0),
    )  # fmt: skip


def recording(rng: Generator) -> Recording:
    """Return strokes at some of the half beats."""
    beat = float(rng.uniform(0.5, 0.9))
    grid = np.arange(0.1, SECONDS - 0.1, beat / 2)
    strokes = grid[rng.random(len(grid)) < 0.6]
    mel = np.full((round(SECONDS * ROW_RATE), BANDS), SILENCE, np.float32)
    for k in range(8):
        mel[np.minimum(strokes * ROW_RATE + k, len(mel) - 1).astype(int), :80] = -2.0 - k
    return Recording(mel, drums(strokes), beat)


def film(heard: Recording, start: int, rows: int, rng: Generator) -> NDArray[np.uint8]:
    """Return a film (rows, 27, 48) that flashes at the strokes from row ``start`` of the mel on."""
    luma = np.full((rows, HEIGHT, WIDTH), rng.integers(40, 90), np.uint8)
    at = np.floor(heard.piece.onsets * 10 - start / 8).astype(int)
    column = int(rng.integers(0, 40))
    luma[at[(at >= 0) & (at < rows)], 5:20, column : column + 8] = 220
    return luma


@dataclass(frozen=True)
class ToyFeed:
    """Batches of toy films; ``same`` gives one batch again and again."""

    films: int = 6
    same: bool = False

    def batch(self, step: int) -> Batch:
        some = toy_films(self.films, 0 if self.same else step)
        count, rng = 8 * ROWS, np.random.default_rng([1, step])
        own = [r.heard(s, count) for r, s in zip(some.recordings, some.starts, strict=True)]
        more = [
            (moved(r, s, count, rng), replaced(own[i], own[i - 1], segment(rng)))
            for i, (r, s) in enumerate(zip(some.recordings, some.starts, strict=True))
        ]
        mel, notes = (np.stack([clip[k] for clip in own]) for k in (0, 1))
        extra_mel, extra_notes = (
            np.stack([[clip[k] for clip in clips] for clips in more]) for k in (0, 1)
        )
        there = np.ones((self.films, 2), bool)
        return Batch(some.luma, mel, notes, extra_mel, extra_notes, there)

    def met(self, step: int) -> str:
        return f"films: toy {step}"

    def held_out(self, group: Group) -> list[Films]:
        return [toy_films(4, 10_000)] if group == "seen" else []


def moved(heard: Recording, start: int, count: int, rng: Generator) -> Heard:
    """Return the music of a film off the beat, or silence."""
    by = off_the_beat(heard, start, count, rng)
    return silence(count) if by is None else heard.heard(start + by, count)


def toy_films(films: int, seed: int) -> Films:
    """Return films of strokes, the recording of each, and where in it the film begins."""
    rng = np.random.default_rng([2, seed])
    recordings = [recording(rng) for _ in range(films)]
    starts = [8 * int(rng.integers(0, 30)) for _ in range(films)]
    pairs = zip(recordings, starts, strict=True)
    luma = np.stack([film(r, s, ROWS, rng) for r, s in pairs])
    return Films(luma, recordings, starts)


def saved(folder: Path, config: TowerConfig = SMOKE) -> Path:
    """Return a folder with towers that know nothing."""
    synchrony(config=config).save(folder)
    return folder
