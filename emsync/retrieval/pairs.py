"""A store of pairs: what was seen of films, and what was heard of the music that goes with each.

It is a folder. ``store.json`` says how it was made, ``pairs.csv`` has a row for each pair, and
``shards/NNNNN.safetensors`` holds the columns of SHARD pairs and their rows. A shard is written
whole or not at all, and what is there can be read while the rest is still being made.
"""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from emsync.data.split import song_key
from emsync.errors import InputError, UsageError
from emsync.files import atomic_write
from emsync.limits import check_file, parse_json, quoted, read_json, read_text, shown
from emsync.matching.matcher import Columns
from emsync.options import PathLike

VERSION = 1
SHARD = 16  # pairs of a shard
MOST_PAIRS = 10_000_000
MOST_SHARD = 2**30  # bytes
MOST_COLUMNS = 64  # of a film, or of music
SPLITS = ("train", "held")
RANKED = ("impact", "rhythm", "pulse")  # which pairs of "train" may lack: nothing learns from them

Side = Literal["film", "music"]


@dataclass(frozen=True)
class Pair:
    """A film and the music that goes with it."""

    number: int
    name: str
    song: str
    group: str  # songs of a group are versions of one another, and are in one split
    film: int  # which of the films to its song, from 0
    split: str  # one of SPLITS: only pairs of "train" are ever trained on
    style: str  # in which it was drawn; nothing of a real one
    k: str  # how much the film follows the music, as ``read_follow`` reads it; nothing if unknown
    tags: tuple[str, ...]
    source: str  # where it comes from: clips of one source are alike in other ways too

    @property
    def keys(self) -> set[int]:
        """By what a checkpoint knows that it was trained on the song, or on a version of it."""
        return {song_key(self.song), song_key(f"group {self.group}")}


@dataclass(frozen=True)
class Head:
    """How a store was made, but for how many pairs it has."""

    seconds: float  # of each film; 0 where each is as long as it is
    film: Mapping[str, str]  # column: its stamp
    music: Mapping[str, str]
    made: Mapping[str, Any]  # by which command, with what


@dataclass(frozen=True, eq=False)
class PairStore:
    """A store to read from."""

    folder: Path
    head: Head
    pairs: tuple[Pair, ...]

    @classmethod
    def open(cls, path: PathLike) -> Self:
        """Return the store in the folder ``path``; InputError where there is no whole one."""
        path = Path(path)
        if not (path / "store.json").is_file():
            raise InputError(f"{quoted(path)} is no store of pairs; `emsync pairs` makes one")
        pairs = _read_rows(path / "pairs.csv") if (path / "pairs.csv").exists() else ()
        if not pairs:
            raise InputError(f"the store {quoted(path)} has no pairs yet")
        for number in sorted({pair.number // SHARD for pair in pairs}):
            check_file(shard(path, number))
        return cls(path, read_head(path), pairs)

    def film(self, place: int) -> Columns:
        """Return what was seen of the film of ``pairs[place]``."""
        return self._columns(place, "film")

    def music(self, place: int) -> Columns:
        """Return what was heard of the music of ``pairs[place]``."""
        return self._columns(place, "music")

    def check_styles(self, styles: Sequence[str]) -> None:
        """Refuse a style in which no film of the store is drawn."""
        known = sorted({pair.style for pair in self.pairs if pair.style})
        for style in styles:
            if style not in known:
                raise UsageError(
                    f"the store {quoted(self.folder)} has no films of the style {shown(style)}, "
                    f"but {', '.join(known) or 'real ones'}"
                )

    def _columns(self, place: int, side: Side) -> Columns:
        from safetensors import SafetensorError, safe_open

        number = self.pairs[place].number
        path = shard(self.folder, number // SHARD)
        if check_file(path) > MOST_SHARD:
            raise InputError(f"{quoted(path)} has more than {MOST_SHARD} bytes, which are too many")
        prefix = f"{number}.{side}."
        stamps = self.head.film if side == "film" else self.head.music
        try:
            with safe_open(path, "np") as file:
                keys = set(file.keys())
                found = {
                    name: file.get_tensor(prefix + name) for name in stamps if prefix + name in keys
                }
        except (SafetensorError, OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{quoted(path)} is damaged: {shown(str(error))}; remove it, and make it again"
            ) from error
        wanted = [
            name for name in stamps if self.pairs[place].split == "held" or name not in RANKED
        ]
        if missing := [name for name in wanted if name not in found]:
            raise InputError(f"{quoted(path)} has no {missing[0]!r} of pair {number}; remove it")
        for name, values in found.items():
            _check(values, f"{name!r} of pair {number} in {quoted(path)}")
        return found


def _check(values: NDArray[Any], name: str) -> None:
    if values.dtype.kind != "f" or values.ndim not in (1, 2) or not np.isfinite(values).all():
        raise InputError(f"{name} is no column of finite numbers; remove it, and make it again")


def shard(folder: Path, number: int) -> Path:
    """Return the path of a shard."""
    return folder / "shards" / f"{number:05d}.safetensors"


# --- store.json -----------------------------------------------------------------------------------


def read_head(folder: Path) -> Head:
    """Return how a store was made; InputError where that is not told, or a newer emsync did it."""
    path = folder / "store.json"
    read = read_json(path)
    try:
        version, seconds = int(read["version"]), float(read["seconds"])
        film, music = _stamps(read["film"]), _stamps(read["music"])
        made = dict(read["made"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{quoted(path)} is of no store of pairs: {shown(str(error))}") from error
    if version > VERSION:
        raise InputError(f"{quoted(path)} is of version {version}; this emsync reads {VERSION}")
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InputError(f"{quoted(path)} tells of films of {seconds} seconds")
    return Head(seconds, film, music, made)


def _stamps(read: Any) -> dict[str, str]:
    stamps = {str(name): str(stamp) for name, stamp in dict(read).items()}
    if not 0 < len(stamps) <= MOST_COLUMNS:
        raise ValueError(f"it has {len(stamps)} columns")
    return stamps


def write_head(folder: Path, head: Head) -> None:
    """Write how a store is made."""
    with atomic_write(folder / "store.json") as part:
        text = json.dumps({"version": VERSION, **asdict(head)}, indent=2, ensure_ascii=False)
        part.write_text(text + "\n", encoding="utf-8")


# --- pairs.csv ------------------------------------------------------------------------------------


def write_rows(folder: Path, pairs: Sequence[Pair]) -> None:
    """Write the table of the pairs."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([field.name for field in fields(Pair)])
    for pair in pairs:
        table.writerow([" ".join(v) if isinstance(v, tuple) else v for v in astuple(pair)])
    with atomic_write(folder / "pairs.csv") as part:
        part.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape")


def _read_rows(path: Path) -> tuple[Pair, ...]:
    try:
        text = read_text(
            path, others="surrogateescape"
        )  # as it is written: names may have any byte
        pairs = tuple(_pair(row) for row in csv.DictReader(io.StringIO(text, newline="")))
        numbers = [pair.number for pair in pairs]
        if any(b <= a for a, b in pairwise(numbers)):
            raise ValueError("its numbers do not ascend")
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{quoted(path)} is no table of pairs: {shown(str(error))}") from error
    return pairs


def _pair(row: Mapping[str, Any]) -> Pair:
    pair = Pair(
        int(row["number"]), str(row["name"]), str(row["song"]), str(row["group"]), int(row["film"]),
        str(row["split"]), str(row["style"]), str(row["k"]), tuple(row["tags"].split()),
        str(row["source"]),
    )  # fmt: skip
    if not 0 <= pair.number < MOST_PAIRS or pair.split not in SPLITS:
        raise ValueError(f"pair {pair.number} is of the split {pair.split!r}")
    return pair


# --- shards ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """What a shard holds beside its columns."""

    asked: list[str]  # what was to be made, in order
    pairs: list[Pair]
    skipped: list[tuple[str, str]]  # of what was asked, what could not be made, and why


def write_shard(
    folder: Path, number: int, content: Written, columns: Mapping[int, tuple[Columns, Columns]]
) -> None:
    """Write a shard: the columns of film and music by the number of the pair."""
    from safetensors.numpy import save

    tensors = {
        f"{pair}.{side}.{name}": np.ascontiguousarray(values)
        for pair, sides in sorted(columns.items())
        for side, own in zip(("film", "music"), sides, strict=True)
        for name, values in own.items()
    }
    # one key alone: safetensors does not keep their order
    data = save(tensors, {"pairs": json.dumps(asdict(content))})
    with atomic_write(shard(folder, number)) as part:
        part.write_bytes(data)


def read_written(folder: Path, number: int) -> Written | None:
    """Return what a shard holds beside its columns; None where there is none, or a broken one."""
    from safetensors import SafetensorError, safe_open

    path = shard(folder, number)
    if not path.exists():
        return None
    try:
        with safe_open(path, "np") as file:
            read = parse_json(file.metadata()["pairs"], quoted(path))
        pairs = [Pair(**{**row, "tags": tuple(row["tags"])}) for row in read["pairs"]]
        return Written(list(read["asked"]), pairs, [(n, why) for n, why in read["skipped"]])
    except (SafetensorError, InputError, OSError, KeyError, TypeError, ValueError):
        return None


def shards(count: int) -> Iterator[tuple[int, range]]:
    """Yield the number of each shard of ``count`` pairs, with the numbers of its pairs."""
    for number in range(-(-count // SHARD)):
        yield number, range(number * SHARD, min(count, (number + 1) * SHARD))
