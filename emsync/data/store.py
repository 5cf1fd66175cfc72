"""A corpus as one file of tokens and one line of facts for each song.

    STORE/tokens.bin      uint16 tokens, song after song; they say where the BARs and CHORDs are
    STORE/songs.jsonl     where each song lies and what is known of it, one JSON object a line
    STORE/skipped.jsonl   [path, reason] of what is no song
    STORE/store.json      the tokenizer and the labels; once finished, the scale of the arousal

``emsync.data.prepare`` writes one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync import plugins
from emsync.data.labels import Scale
from emsync.errors import InputError
from emsync.tokens import Tokenizer


@dataclass(frozen=True, slots=True)
class Song:
    """One song of a store."""

    path: str
    start: int  # index of its first token
    length: int  # tokens
    seconds: float
    classes: int  # bit c is set when class c plays
    group: str
    rank: int = 0
    density: float = 0.0  # notes a second of each instrument
    valence: float | None = None  # in [-1, 1]
    origin: str = ""  # where the valence comes from
    arousal: float | None = None  # in [-1, 1] if labelled; else it comes from the density


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
        try:
            head = json.loads((folder / "store.json").read_text())
            if "arousal" not in head:
                raise InputError(f"{str(folder)!r} is half done; run `emsync prepare` to its end")
            with (folder / "songs.jsonl").open() as lines:
                songs = [Song(**json.loads(line)) for line in lines]
            if not songs:
                raise InputError(f"the store {str(folder)!r} has no songs")
            tokens = np.memmap(folder / "tokens.bin", np.uint16, "r")
            kind = plugins.load(plugins.TOKENIZERS, head["tokenizer"]["name"], Tokenizer)
            tokenizer = kind(**head["tokenizer"]["settings"])
            arousal = Scale(**head["arousal"])
            tempo = head.get("tempo")
        except OSError as error:
            raise InputError(
                f"{str(folder)!r} is not a store ({error.strerror}: {error.filename}); "
                "make one with `emsync prepare`"
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the store {str(folder)!r} is not sound: {error}") from error
        if len(tokens) < end_of(songs):
            raise InputError(
                f"the store {str(folder)!r} has {len(tokens)} tokens of {end_of(songs)}; "
                "run `emsync prepare` again"
            )
        return cls(tokens, songs, tokenizer, arousal, tempo)

    def ids(self, song: Song) -> NDArray[np.int64]:
        """Return the tokens of one song, header first."""
        return self.tokens[song.start : song.start + song.length].astype(np.int64)


def end_of(songs: Sequence[Song]) -> int:
    """Return the number of tokens of ``songs``, which lie one after another."""
    return songs[-1].start + songs[-1].length if songs else 0
