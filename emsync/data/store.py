"""A corpus as one file of tokens and one line of facts for each song.

    STORE/tokens.bin    uint16 tokens, song after song
    STORE/songs.jsonl   where each song lies and what is known of it, one JSON object a line
    STORE/store.json    the tokenizer and the scales of the labels; written last

A song counts once its line is written, so a killed run goes on where it stopped.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from emsync import plugins
from emsync.data.labels import Facts, Scale, density, read_index, valences
from emsync.data.lakh import read_lakh
from emsync.errors import InputError, UsageError
from emsync.music import Piece, from_score
from emsync.tokens import Tokenizer

READERS: Mapping[str, str] = {".npz": "lakh", ".mid": "midi", ".midi": "midi"}


@dataclass(frozen=True)
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


@dataclass(frozen=True, eq=False)
class Store:
    """A prepared corpus, opened for reading; the tokens stay on disk."""

    tokens: NDArray[np.uint16]  # memory map
    songs: Sequence[Song]
    tokenizer: Tokenizer
    arousal: Scale  # of ``density``

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open what ``prepare`` wrote; InputError when it is missing or unfinished."""
        try:
            head = json.loads((folder / "store.json").read_text())
            lines = (folder / "songs.jsonl").read_text().splitlines()
        except OSError as error:
            raise InputError(
                f"{str(folder)!r} is not a finished store ({error.strerror}: {error.filename}); "
                "run `emsync prepare` to its end"
            ) from error
        kind = plugins.load(plugins.TOKENIZERS, head["tokenizer"]["name"], Tokenizer)
        return cls(
            tokens=np.memmap(folder / "tokens.bin", np.uint16, "r"),
            songs=[Song(**json.loads(line)) for line in lines],
            tokenizer=kind(**head["tokenizer"]["settings"]),
            arousal=Scale(**head["arousal"]),
        )

    def ids(self, song: Song) -> NDArray[np.int64]:
        """Return the tokens of one song, header first."""
        return self.tokens[song.start : song.start + song.length].astype(np.int64)


@dataclass(frozen=True)
class Outcome:
    """What became of a run of ``prepare``."""

    songs: int
    tokens: int
    skipped: Sequence[tuple[str, str]]  # path and reason


def read_song(path: Path) -> Piece:
    """Return the music of a Lakh Pianoroll or MIDI file."""
    if path.suffix.lower() == ".npz":
        return read_lakh(path)
    from symusic import Score

    try:
        return from_score(Score(path))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{str(path)!r} is not a MIDI file: {error}") from error


def find_songs(sources: Sequence[Path]) -> list[tuple[str, Path]]:
    """Return (name, path) of the songs in files and folders, in the order of their names."""
    found: dict[str, Path] = {}
    for source in sources:
        if not source.exists():
            raise InputError(f"cannot read {str(source)!r}: there is no such file or folder")
        files = source.rglob("*") if source.is_dir() else [source]
        for path in files:
            if path.suffix.lower() in READERS:
                name = path.relative_to(source).as_posix() if source.is_dir() else path.name
                found.setdefault(name, path)
    return sorted(found.items())


def prepare(
    sources: Sequence[Path],
    out: Path,
    tokenizer: Tokenizer,
    index: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Tokenize every song of ``sources`` into the store ``out``; go on where a killed run stopped.

    ``index`` names duplicate groups and valences (see ``labels.read_index``). ``progress`` is
    called with the songs done and all of them.
    """
    facts = read_index(index) if index else {}
    felt = valences(facts) if facts else {}
    songs = find_songs(sources)
    if not songs:
        raise InputError(f"no .npz, .mid or .midi file in {[str(s) for s in sources]}")
    out.mkdir(parents=True, exist_ok=True)
    done, skipped, end = _resume(out, tokenizer)
    todo = [(name, path) for name, path in songs if name not in done and name not in skipped]
    densities = [song.density for song in done.values()]
    with (
        (out / "tokens.bin").open("ab") as tokens,
        (out / "songs.jsonl").open("a") as lines,
        (out / "skipped.jsonl").open("a") as refusals,
    ):
        for count, (name, result) in enumerate(_tokenize(todo, tokenizer, workers), 1):
            if isinstance(result, str):
                refusals.write(json.dumps([name, result]) + "\n")
                skipped[name] = result
            else:
                known = facts.get(name, Facts(name, name))
                valence, origin = felt.get(name, (None, ""))
                song = Song(
                    name, end, len(result.ids), result.seconds, result.classes,
                    known.group, known.rank, result.density, valence, origin,
                )  # fmt: skip
                result.ids.tofile(tokens)
                tokens.flush()
                lines.write(json.dumps(asdict(song)) + "\n")
                end += song.length
                densities.append(song.density)
                done[name] = song
            if progress is not None:
                progress(len(songs) - len(todo) + count, len(songs))
    head = {
        "tokenizer": {"name": tokenizer.name, "settings": asdict(tokenizer)},
        "arousal": asdict(Scale.of(densities)),
    }
    (out / "store.json").write_text(json.dumps(head, indent=2) + "\n")
    return Outcome(len(done), end, sorted(skipped.items()))


@dataclass(frozen=True, eq=False)
class _Tokens:
    ids: NDArray[np.uint16]
    seconds: float
    classes: int
    density: float


def _tokenize(
    songs: Sequence[tuple[str, Path]], tokenizer: Tokenizer, workers: int | None
) -> Iterator[tuple[str, _Tokens | str]]:
    """Yield (name, tokens or the reason to skip the song) in order."""
    work = partial(_tokenize_one, tokenizer)
    with get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        results = pool.imap(work, [path for _, path in songs], chunksize=8)
        yield from zip((name for name, _ in songs), results, strict=True)


def _tokenize_one(tokenizer: Tokenizer, path: Path) -> _Tokens | str:
    try:
        piece = read_song(path)
        ids = tokenizer.encode(piece)
    except InputError as error:
        return str(error)
    if not len(piece):
        return "it has no notes of the five classes"
    bits = sum(1 << int(c) for c in np.unique(piece.classes))
    return _Tokens(ids.astype(np.uint16), round(piece.duration, 3), bits, round(density(piece), 5))


def _resume(out: Path, tokenizer: Tokenizer) -> tuple[dict[str, Song], dict[str, str], int]:
    """Return the songs and refusals already written, and cut off what a kill left half done."""
    if tokenizer.vocab_size > np.iinfo(np.uint16).max:
        raise UsageError(f"{tokenizer.name} has {tokenizer.vocab_size} tokens; a store holds uint16")
    songs = [Song(**row) for row in _lines(out / "songs.jsonl")]
    skipped = {name: reason for name, reason in _lines(out / "skipped.jsonl")}
    end = songs[-1].start + songs[-1].length if songs else 0
    if songs:
        os.truncate(out / "tokens.bin", end * 2)
    return {song.path: song for song in songs}, skipped, end


def _lines(path: Path) -> list:  # type: ignore[type-arg]
    """Return the whole lines of a JSONL file, and cut off a last one that is not whole."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]
