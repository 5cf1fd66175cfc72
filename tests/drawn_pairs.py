"""Stores of pairs made of numbers drawn by chance, with one factor that film and music share."""

from pathlib import Path

import numpy as np

from emsync.arrays import Float32s, Float64s
from emsync.matching.matcher import Columns
from emsync.retrieval.measured import STAMPS
from emsync.retrieval.pairs import PAIRS, Pair, sides
from emsync.retrieval.stores import Head, Written, write_head
from emsync.signals import STEP_RATE

SECONDS = 12


def columns(
    rng: np.random.Generator, factors: tuple[Float64s, Float64s], seconds: int
) -> tuple[Columns, Columns]:
    """Return the columns of a film and of its music; each has 8 numbers of ``factors`` in it."""

    def noise(*shape: int) -> Float32s:
        return rng.normal(size=shape).astype(np.float32)

    steps = int(np.ceil(seconds * STEP_RATE))
    motion, chroma = noise(seconds, 40), noise(seconds, 12)
    motion[:, :8] += 2 * factors[0]
    chroma[:, :8] += 2 * factors[1]
    film = {
        "motion": motion,
        "colour": noise(seconds, 20),
        "flow": np.abs(noise(4 * seconds)),
        "impact": np.abs(noise(steps)).astype(np.float16),
    }
    music = {
        "mel": noise(seconds, 80),
        "onsets": noise(seconds, 3),
        "chroma": chroma,
        "beats": np.arange(0.25, seconds, 0.5, dtype=np.float32),
        "strength": np.abs(noise(2 * seconds)),
        "rhythm": np.abs(noise(steps)).astype(np.float16),
        "pulse": np.arange(0.25, seconds, 0.5, dtype=np.float32),
    }
    return film, music


def write_store(
    folder: Path,
    songs: int,
    shared: bool,
    films: int = 2,
    held: float = 0.3,
    seconds: int = SECONDS,
) -> Path:
    """Write a store of ``films`` for each song; without ``shared`` nothing tells which."""
    rng = np.random.default_rng(0)
    pairs: list[Pair] = []
    made: dict[int, tuple[Columns, Columns]] = {}
    for song in range(songs):
        factor = rng.normal(size=8)
        for film in range(films):
            number = len(pairs)
            made[number] = columns(rng, (factor, factor if shared else rng.normal(size=8)), seconds)
            pairs.append(
                Pair(
                    number, f"{song}-{film}", f"song{song}", f"group{song}", film,
                    "held" if song < held * songs else "train",
                    "shapes" if film % 2 == 0 else "lines", "0.7" if shared else "0",
                    ("red", "fast"), f"song{song}",
                )
            )  # fmt: skip
    seen, heard = ({name: STAMPS[name] for name in side} for side in made[0])
    folder.mkdir()
    write_head(folder, Head(seconds, seen, heard, {}))
    (folder / "shards").mkdir()
    for number, inside in PAIRS.shards(len(pairs)):
        rows = [pairs[i] for i in inside]
        written = Written([pair.name for pair in rows], rows, [])
        PAIRS.write_shard(folder, number, written, {i: sides(*made[i]) for i in inside})
    PAIRS.write_rows(folder, pairs)
    return folder
