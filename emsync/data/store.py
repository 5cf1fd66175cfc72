"""A corpus as one file of tokens and one line of facts for each song.

    STORE/tokens.bin      uint16 tokens, song after song; they say where the BARs and CHORDs are
    STORE/songs.jsonl     where each song lies and what is known of it, one JSON object a line
    STORE/skipped.jsonl   [path, reason] of what is no song
    STORE/store.json      the tokenizer and the labels; once finished, the scale of the arousal

A song counts once its line is written, after its tokens: a killed run goes on where it stopped.
"""

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync import plugins
from emsync.data.labels import Labels, Scale, read_labels
from emsync.data.lakh import read_lakh
from emsync.data.midi import read_midi
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.files import atomic_write
from emsync.music.piece import Piece
from emsync.music.statistics import density
from emsync.options import FASTEST, SLOWEST
from emsync.tokens import Tokenizer

READERS: Mapping[str, Callable[..., Piece]] = {
    ".npz": read_lakh,
    ".mid": read_midi,
    ".midi": read_midi,
}
CHUNK = 8  # songs that a worker reads at once
AHEAD = 32  # chunks for each worker that are read before their songs are written

Named: TypeAlias = tuple[str, Path]  # a song's name in the store, and its file


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
        if len(tokens) < _end(songs):
            raise InputError(
                f"the store {str(folder)!r} has {len(tokens)} tokens of {_end(songs)}; "
                "run `emsync prepare` again"
            )
        return cls(tokens, songs, tokenizer, arousal, tempo)

    def ids(self, song: Song) -> NDArray[np.int64]:
        """Return the tokens of one song, header first."""
        return self.tokens[song.start : song.start + song.length].astype(np.int64)


@dataclass(frozen=True)
class Outcome:
    """What became of a run of ``prepare``."""

    songs: int
    tokens: int
    skipped: Sequence[tuple[str, str]]  # path and reason


def read_song(path: Path, tempo: float | None = None) -> Piece:
    """Return the music of a Lakh Pianoroll or MIDI file, brought to ``tempo`` if there is one."""
    return READERS[path.suffix.lower()](path, tempo=tempo)


def find_songs(sources: Sequence[Path]) -> list[Named]:
    """Return (name, path) of the songs in files and folders, in the order of their names."""
    found: dict[str, Path] = {}
    for source in sources:
        if not source.exists():
            raise InputError(f"cannot read {str(source)!r}: there is no such file or folder")
        files = source.rglob("*") if source.is_dir() else [source]
        for path in files:
            if path.suffix.lower() not in READERS:
                continue
            name = path.relative_to(source).as_posix() if source.is_dir() else path.name
            if found.setdefault(name, path) != path:
                raise UsageError(f"two songs are called {name!r}: {found[name]} and {path}")
    return sorted(found.items())


def prepare(
    sources: Sequence[Path],
    out: Path,
    tokenizer: Tokenizer,
    labels: Path | None = None,
    tempo: float | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Tokenize every song of ``sources`` into the store ``out``; go on where a killed run stopped.

    ``labels`` names duplicate groups and valences (see ``labels.read_labels``), by the songs' paths
    in ``sources`` or with the source's own name before them. All songs are brought to ``tempo`` if
    there is one: a bar is then as long in every song, which a small model learns in a fraction of
    the time. ``progress`` is called with the songs done and all of them.
    """
    if tempo is not None and not SLOWEST <= tempo <= FASTEST:
        raise UsageError(
            f"a tempo of {tempo:g} is outside {SLOWEST:g} to {FASTEST:g} beats a minute"
        )
    if tokenizer.vocab_size > np.iinfo(np.uint16).max:
        raise UsageError(f"{tokenizer.name} has {tokenizer.vocab_size} tokens; it holds uint16")
    if tempo is not None:
        tokenizer = tokenizer.at_tempo(tempo)
    songs = find_songs(sources)
    if not songs:
        raise InputError(f"no .npz, .mid or .midi file in {[str(s) for s in sources]}")
    known = _of_songs(read_labels(labels), songs, labels) if labels else {}
    head = {
        "tokenizer": {"name": tokenizer.name, "settings": asdict(tokenizer)},
        "tempo": tempo,
        "labels": hashlib.sha256(labels.read_bytes()).hexdigest() if labels else "",
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        _begin(out, head)
        read = partial(_tokenize_all, tokenizer, tempo)
        return _fill(out, songs, read, known, workers or os.cpu_count() or 1, progress, head)
    except OSError as error:
        raise EmsyncError(
            f"cannot write the store {str(out)!r}: {error.strerror}; what is written stays good, "
            "run the same command again once there is room"
        ) from error


def _of_songs(
    known: Mapping[str, Labels], songs: Sequence[Named], table: Path
) -> dict[str, Labels]:
    """Return the labels by the songs' names; a table's paths may begin with the folder's name."""
    found: dict[str, Labels] = {}
    for name, path in songs:
        above = path.absolute().parts[-len(PurePosixPath(name).parts) - 1]
        label = known.get(name) or known.get(f"{above}/{name}")
        if label is not None:
            found[name] = label
    if not found:
        raise InputError(
            f"{str(table)!r} names none of the songs: its paths look like "
            f"{next(iter(known), '')!r}, theirs like {songs[0][0]!r}; prepare the folder that its "
            "paths are relative to"
        )
    return found


def _begin(out: Path, head: dict[str, Any]) -> None:
    """Mark the store as half done, or refuse one that was made in another way."""
    if (out / "store.json").exists():
        try:
            was = dict(json.loads((out / "store.json").read_text()))
        except (TypeError, ValueError) as error:
            raise InputError(f"{str(out / 'store.json')!r} is not of a store: {error}") from error
        for key, what in (
            ("tokenizer", "another tokenizer"),
            ("labels", "other labels"),
            ("tempo", "another tempo"),
        ):
            if was.get(key) != head[key]:
                raise UsageError(f"the store {str(out)!r} has {what}; prepare into a new folder")
    _write(out, head)


def _write(out: Path, head: Mapping[str, Any]) -> None:
    with atomic_write(out / "store.json") as partial:
        partial.write_text(json.dumps(head, indent=2) + "\n")


def _fill(
    out: Path,
    songs: Sequence[Named],
    read: "Read",
    known: Mapping[str, Labels],
    workers: int,
    progress: Callable[[int, int], None] | None,
    head: Mapping[str, Any],
) -> Outcome:
    """Append the songs that are not in the store yet, then finish it."""
    done, skipped = _resume(out)
    end, densities = _end(done), [song.density for song in done]
    seen = {song.path for song in done} | set(skipped)
    todo = [named for named in songs if named[0] not in seen]
    del done, seen
    with (
        (out / "tokens.bin").open("ab") as tokens,
        (out / "songs.jsonl").open("a") as lines,
        (out / "skipped.jsonl").open("a") as refusals,
    ):
        for count, (name, result) in enumerate(_tokenize(todo, read, workers), 1):
            if isinstance(result, str):
                refusals.write(json.dumps([name, result]) + "\n")
                refusals.flush()
                skipped[name] = result
            else:
                label = known.get(name, Labels(group=name))
                song = Song(
                    name, end, len(result.ids), result.seconds, result.classes, label.group,
                    label.rank, result.density, label.valence, label.origin, label.arousal,
                )  # fmt: skip
                tokens.write(result.ids.tobytes())
                tokens.flush()  # before the line that says they are there
                lines.write(json.dumps(asdict(song)) + "\n")
                lines.flush()
                end += song.length
                densities.append(song.density)
            if progress is not None:
                progress(len(songs) - len(todo) + count, len(songs))
    _write(out, {**head, "arousal": asdict(Scale.of(densities))})
    return Outcome(len(densities), end, sorted(skipped.items()))


def _resume(out: Path) -> tuple[list[Song], dict[str, str]]:
    """Return the songs and refusals already written, and cut off what a kill left half done."""
    (out / "tokens.bin").touch()
    room = (out / "tokens.bin").stat().st_size // 2
    songs = _rows(out / "songs.jsonl", lambda row: Song(**row))
    kept = [song for song in songs if song.start + song.length <= room]
    if len(kept) < len(songs):  # a machine that went down may have kept the line and lost tokens
        with atomic_write(out / "songs.jsonl") as partial:
            partial.write_text("".join(json.dumps(asdict(song)) + "\n" for song in kept))
    os.truncate(out / "tokens.bin", _end(kept) * 2)
    return kept, dict(_rows(out / "skipped.jsonl", tuple))


def _rows(path: Path, build: Callable[[Any], Any]) -> list[Any]:
    """Return what the whole lines of a JSONL file say, and cut off a last one that is not whole."""
    path.touch()
    rows, good = [], 0
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            try:
                rows.append(build(json.loads(line)))
            except (TypeError, ValueError) as error:
                raise InputError(f"{str(path)!r} is not of a store: {error}") from error
            good += len(line)
    os.truncate(path, good)
    return rows


def _end(songs: Sequence[Song]) -> int:
    """Return the number of tokens of ``songs``, which lie one after another."""
    return songs[-1].start + songs[-1].length if songs else 0


@dataclass(frozen=True, eq=False)
class _Tokens:
    ids: NDArray[np.uint16]
    seconds: float
    classes: int
    density: float


Read: TypeAlias = Callable[[Sequence[Path]], list[_Tokens | str]]  # runs in a worker


def _tokenize(
    songs: Sequence[Named], read: "Read", workers: int
) -> Iterator[tuple[str, _Tokens | str]]:
    """Yield (name, tokens or the reason to skip the song) in order, reading some songs ahead.

    A song on which its process dies is skipped too: native code reads MIDI, and may crash on it.
    """
    chunks = (songs[i : i + CHUNK] for i in range(0, len(songs), CHUNK))
    pool, alone = _pool(workers), _pool(1)
    try:
        while wave := list(islice(chunks, workers * AHEAD)):
            results = [_submit(pool, read, [path for _, path in chunk]) for chunk in wave]
            for chunk, result in zip(wave, results, strict=True):
                if not isinstance(result.exception(), BrokenProcessPool):
                    yield from zip((name for name, _ in chunk), result.result(), strict=True)
                    continue
                for name, path in chunk:
                    single = _submit(alone, read, [path])
                    if isinstance(single.exception(), BrokenProcessPool):
                        alone = _pool(1)
                        yield name, f"{str(path)!r} crashes its reader"
                    else:
                        yield name, single.result()[0]
            if any(isinstance(result.exception(), BrokenProcessPool) for result in results):
                pool = _pool(workers)
    finally:
        pool.shutdown(cancel_futures=True)
        alone.shutdown(cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor, read: "Read", paths: Sequence[Path]
) -> "Future[list[_Tokens | str]]":
    try:
        return pool.submit(read, paths)
    except BrokenProcessPool as error:
        broken: Future[list[_Tokens | str]] = Future()
        broken.set_exception(error)
        return broken


def _tokenize_all(
    tokenizer: Tokenizer, tempo: float | None, paths: Sequence[Path]
) -> list[_Tokens | str]:
    return [_tokenize_one(tokenizer, tempo, path) for path in paths]


def _tokenize_one(tokenizer: Tokenizer, tempo: float | None, path: Path) -> _Tokens | str:
    try:
        piece = read_song(path, tempo)
    except InputError as error:
        return str(error)
    bits = sum(1 << int(c) for c in np.unique(piece.classes))
    ids = tokenizer.encode(piece).astype(np.uint16)
    return _Tokens(ids, round(piece.duration, 3), bits, round(density(piece), 5))


def _pool(workers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=_follow_parent)


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent of this worker, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
