"""Tokenize a corpus into a store, in parallel, and go on after a crash.

A song counts once its line is written, after its tokens: a killed run goes on where it stopped.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from emsync.data.labels import Labels, Scale, read_labels
from emsync.data.songs import Named, find_songs, read_song
from emsync.data.store import MOST_BYTES, Song, end_of, read_songs
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.files import atomic_write
from emsync.limits import check_file, parse_json, quoted, read_bytes, read_json, shown
from emsync.locks import locked
from emsync.music.statistics import density
from emsync.options import check_tempo
from emsync.processes import Died, cores, in_order
from emsync.progress import Progress, silent
from emsync.targets import check_apart, make_folder
from emsync.tokens import Tokenizer

Rows = TypeVar("Rows")

FILES = ("store.json", "tokens.bin", "songs.jsonl", "skipped.jsonl")  # of a store
CHUNK = 8  # songs that a worker reads at once
AHEAD = 32  # chunks for each worker that are read before their songs are written


@dataclass(frozen=True)
class PrepareResult:
    """How large a store is now, and what was left out of it."""

    songs: int
    tokens: int
    skipped: Sequence[tuple[str, str]]  # path and reason


def prepare(
    sources: Sequence[Path],
    out: Path,
    tokenizer: Tokenizer,
    labels: Path | None = None,
    tempo: float | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> PrepareResult:
    """Tokenize every song of ``sources`` into the store ``out``; go on where a killed run stopped.

    ``labels`` names duplicate groups and valences (see ``labels.read_labels``), by the songs' paths
    in ``sources`` or with the source's own name before them. All songs are brought to ``tempo`` if
    there is one: a bar is then as long in every song, which a small model learns in a fraction of
    the time.
    """
    if tempo is not None:
        check_tempo(tempo)
    if workers is not None and workers < 1:
        raise UsageError(f"workers is {workers}; choose 1 or more")
    if labels is not None:
        check_file(labels)  # which is read twice
    if tokenizer.vocab_size > np.iinfo(np.uint16).max:
        raise UsageError(f"{tokenizer.name} has {tokenizer.vocab_size} tokens; it holds uint16")
    if tempo is not None:
        tokenizer = tokenizer.at_tempo(tempo)
    songs = find_songs(sources)
    if not songs:
        raise InputError(f"no .npz, .mid or .midi file in {[str(s) for s in sources]}")
    known = of_songs(read_labels(labels), songs, labels) if labels else {}
    given = {"one of the songs": [path for _, path in songs], "the labels": labels or ()}
    check_apart([out / name for name in FILES], given)
    head = {
        "tokenizer": {"name": tokenizer.name, "settings": asdict(tokenizer)},
        "tempo": tempo,
        "labels": hashlib.sha256(read_bytes(labels)).hexdigest() if labels else "",
    }
    try:
        make_folder(out)
        with locked(out, "preparing the store"):
            _begin(out, head)
            read = partial(_tokenize_all, tokenizer, tempo)
            return _fill(out, songs, read, known, workers or cores(), progress, head)
    except OSError as error:
        raise EmsyncError(
            f"cannot write the store {str(out)!r}: {error.strerror}; what is written stays good, "
            "run the same command again once there is room"
        ) from error


def of_songs(known: Mapping[str, Labels], songs: Sequence[Named], table: Path) -> dict[str, Labels]:
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
    """Mark the store as half done; refuse one made in another way, and files that are of none."""
    if not (out / "store.json").exists():
        for name in FILES:
            if os.path.lexists(out / name):
                raise UsageError(
                    f"{quoted(out)} holds a {name!r} that is of no store; prepare into a new folder"
                )
    else:
        was = read_json(out / "store.json")
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
    progress: Progress,
    head: Mapping[str, Any],
) -> PrepareResult:
    """Append the songs that are not in the store yet, then finish it."""
    done, skipped = _resume(out)
    end, densities = end_of(done), [song.density for song in done]
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
            progress("Preparing", (len(songs) - len(todo) + count) / len(songs))
    lines_now = hashlib.sha256(read_bytes(out / "songs.jsonl", MOST_BYTES)).hexdigest()
    _write(out, {**head, "arousal": asdict(Scale.of(densities)), "songs": lines_now})
    return PrepareResult(len(densities), end, sorted(skipped.items()))


def _resume(out: Path) -> tuple[list[Song], dict[str, str]]:
    """Return the songs and refusals already written, and cut off what a kill left half done."""
    (out / "tokens.bin").touch()
    room = check_file(out / "tokens.bin") // 2
    songs = _whole_lines(out / "songs.jsonl", read_songs)
    kept = [song for song in songs if song.start + song.length <= room]
    if len(kept) < len(songs):  # a machine that went down may have kept the line and lost tokens
        with atomic_write(out / "songs.jsonl") as partial:
            partial.write_text("".join(json.dumps(asdict(song)) + "\n" for song in kept))
    os.truncate(out / "tokens.bin", end_of(kept) * 2)
    return kept, dict(_whole_lines(out / "skipped.jsonl", _read_skipped))


def _whole_lines(path: Path, read: Callable[[bytes], Rows]) -> Rows:
    """Return what the whole lines of a JSONL file say, and cut off a last one that is not whole."""
    path.touch()
    content = read_bytes(path, MOST_BYTES)
    content = content[: content.rfind(b"\n") + 1]
    try:
        rows = read(content)
    except ValueError as error:
        raise InputError(f"{str(path)!r} is not of a store: {error}") from error
    os.truncate(path, len(content))
    return rows


def _read_skipped(lines: bytes) -> list[tuple[str, str]]:
    rows = []
    for line in lines.splitlines():
        row = parse_json(line.decode("utf-8"), "a line")
        if not (isinstance(row, list) and len(row) == 2 and all(isinstance(t, str) for t in row)):
            raise ValueError(f"{shown(row)} is not a name and a reason")
        rows.append((row[0], row[1]))
    return rows


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
    chunks = [songs[i : i + CHUNK] for i in range(0, len(songs), CHUNK)]
    paths = [[path for _, path in chunk] for chunk in chunks]
    with closing(in_order(read, paths, workers, workers * AHEAD)) as results:
        for chunk, result in zip(chunks, results, strict=True):
            told = _one_by_one(read, chunk) if isinstance(result, Died) else result
            yield from zip((name for name, _ in chunk), told, strict=True)


def _one_by_one(read: "Read", chunk: Sequence[Named]) -> list[_Tokens | str]:
    """Return what becomes of the songs of a chunk at which processes have died."""
    with closing(in_order(read, [[path] for _, path in chunk], 1, ahead=1)) as results:
        return [
            f"{str(path)!r} crashes its reader" if isinstance(result, Died) else result[0]
            for (_, path), result in zip(chunk, results, strict=True)
        ]


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
