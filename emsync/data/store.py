"""A corpus as one file of tokens and one line of facts for each song.

    STORE/tokens.bin      uint16 tokens, song after song; they say where the BARs and CHORDs are
    STORE/songs.jsonl     where each song lies and what is known of it, one JSON object a line
    STORE/skipped.jsonl   [path, reason] of what is no song
    STORE/store.json      the tokenizer and the labels; once finished, the scale of the arousal and
                          the SHA-256 of songs.jsonl

``emsync.data.prepare`` writes one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray

from emsync import plugins
from emsync.data.labels import Scale
from emsync.errors import InputError
from emsync.limits import check_file, parse_json, quoted, read_bytes, read_json, shown
from emsync.music.piece import CLASSES
from emsync.options import check_tempo
from emsync.plugins import build_plugin
from emsync.settings import Within, build
from emsync.tokens import Tokenizer

MOST_BYTES = 2**30  # of songs.jsonl: some four million songs
LONGEST_LINE = 2**16  # bytes, for one song
MANY = Within(0, 10**15)


@dataclass(frozen=True, slots=True)
class Song:
    """One song of a store."""

    path: str
    start: Annotated[int, MANY]  # index of its first token
    length: Annotated[int, Within(1, 10**9)]  # tokens
    seconds: Annotated[float, Within(0, 10**6)]
    classes: Annotated[int, Within(0, 2 ** len(CLASSES) - 1)]  # bit c is set when class c plays
    group: str
    rank: Annotated[int, Within(-(10**9), 10**9)] = 0
    density: Annotated[float, Within(0, 10**6)] = 0.0  # notes a second of each instrument
    valence: Annotated[float | None, Within(-1, 1)] = None
    origin: str = ""  # where the valence comes from
    arousal: Annotated[float | None, Within(-1, 1)] = None  # labelled; else it is the density's


@dataclass(frozen=True, eq=False)
class Store:
    """A prepared corpus, opened for reading; the tokens stay on disk."""

    tokens: NDArray[np.uint16]  # memory map
    songs: Sequence[Song]
    tokenizer: Tokenizer
    arousal: Scale  # of ``density``
    tempo: float | None = None  # beats a minute that all songs were brought to; None: their own

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open what ``prepare`` wrote; InputError when it is missing, unfinished or broken."""
        name = quoted(folder)
        if not (folder / "store.json").exists():
            raise InputError(
                f"{name} is not a store: it has no store.json; make one with `emsync prepare`"
            )
        head = read_json(folder / "store.json")
        if "arousal" not in head:
            raise InputError(f"{name} is half done; run `emsync prepare` to its end")
        lines = read_bytes(folder / "songs.jsonl", MOST_BYTES)
        try:
            songs = read_songs(lines)
            tokenizer = build_plugin(plugins.TOKENIZERS, head.get("tokenizer"), Tokenizer)
            arousal = build(Scale, head["arousal"], "arousal: ")
            if arousal.high <= arousal.low:
                raise ValueError("its arousal has no range")
            if (tempo := head.get("tempo")) is not None:
                check_tempo(tempo)
        except (TypeError, ValueError) as error:
            raise InputError(f"the store {name} is not sound: {error}") from error
        if not songs:
            raise InputError(f"the store {name} has no songs")
        there = check_file(folder / "tokens.bin") / 2
        if there != end_of(songs):
            raise InputError(
                f"the store {name} has {there:g} tokens of {end_of(songs)}; "
                "run `emsync prepare` again"
            )
        if head.get("songs", digest := hashlib.sha256(lines).hexdigest()) != digest:
            raise InputError(
                f"the store {name} is damaged: songs.jsonl is not what was written; prepare it anew"
            )
        tokens = np.memmap(folder / "tokens.bin", np.uint16, "r")
        return cls(tokens, songs, tokenizer, arousal, tempo)

    def ids(self, song: Song) -> NDArray[np.int64]:
        """Return the tokens of one song, header first; InputError where they are none."""
        ids = self.tokens[song.start : song.start + song.length].astype(np.int64)
        if ids.max() >= self.tokenizer.vocab_size:
            raise InputError(
                f"the store is damaged: {shown(song.path)} has the token {ids.max()}, and the "
                f"tokenizer {self.tokenizer.vocab_size}; prepare it anew"
            )
        return ids


def read_songs(lines: bytes) -> list[Song]:
    """Return the songs that the lines of songs.jsonl stand for; ValueError names a wrong line."""
    songs: list[Song] = []
    for number, line in enumerate(lines.splitlines(), 1):
        place = f"songs.jsonl, line {number}: "
        if len(line) > LONGEST_LINE:
            raise ValueError(f"{place}it has more than {LONGEST_LINE} bytes")
        try:
            song = build(Song, parse_json(line.decode("utf-8"), "it"))
            if song.start != end_of(songs):
                raise ValueError(f"start is {song.start}, not {end_of(songs)}")
        except (InputError, ValueError) as error:
            raise ValueError(f"{place}{error}") from error
        songs.append(song)
    return songs


def end_of(songs: Sequence[Song]) -> int:
    """Return the number of tokens of ``songs``, which lie one after another."""
    return songs[-1].start + songs[-1].length if songs else 0
